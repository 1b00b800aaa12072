//! Signatures: by gpg, which has its own keys, and by RSA, with a key that the table is granted.
//! Does not know where in a package they go.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use forge_plugin::Host;
use forge_plugin::schemas::{Command, Failure, Tool};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};

use super::format::Signing;
use super::parcel::{Parcel, Signer};
use crate::sign::gpg as of_gpg;

const HELP: &str = "look whether `gpg --list-secret-keys` has the key, and whether it is one that signs";

/// The programs that sign packages of a format.
pub fn tools(signer: Option<&Signer>, signing: Signing) -> Vec<Tool> {
    let programs: &[&str] = match (signer, signing) {
        (Some(Signer::Gpg { .. }), Signing::Rpmsign) => &["gpg", "rpmsign"],
        (Some(Signer::Gpg { .. }), _) => &["gpg"],
        _ => &[],
    };
    programs.iter().map(|it| Tool { program: (*it).to_owned(), version: Vec::new() }).collect()
}

/// A signature for what lies at `path`, to lie beside it.
pub fn beside(parcel: &Parcel<'_>, path: &Path, host: &dyn Host) -> Result<PathBuf, Failure> {
    match parcel.signer {
        Some(Signer::Gpg { key }) => gpg(key, path, parcel.time, host),
        _ => Err(Failure::bug("nobody signs it")),
    }
}

/// A file with gpg's signature of another one, in binary. It says the commit's time, or when the key was made, where that is later: it is the
/// same each time.
pub fn gpg(key: &str, path: &Path, commit: u64, host: &dyn Host) -> Result<PathBuf, Failure> {
    gpg_at_first(key, path, &times(key, commit, host)?, host).map(|(signature, _)| signature)
}

/// When it may be signed. Whether there is a key at all, gpg says when it is to sign.
fn times(key: &str, commit: u64, host: &dyn Host) -> Result<Vec<i64>, Failure> {
    let commit = i64::try_from(commit).unwrap_or_default();
    let argv = ["gpg", "--batch", "--no-tty", "--with-colons", "--list-secret-keys", key];
    let listed = host.exec(&Command::new(argv))?;
    Ok(of_gpg::times(&listed.stdout, commit).unwrap_or_else(|| vec![commit]))
}

/// A signature of the first of these times at which there is a key that signs, and that time.
fn gpg_at_first(key: &str, path: &Path, times: &[i64], host: &dyn Host) -> Result<(PathBuf, i64), Failure> {
    let signature = path.with_extension("sig");
    let (from, to) = (path.display().to_string(), signature.display().to_string());
    let mut words = String::new();
    for time in times {
        let at = format!("{time}!");
        let time_and_key = ["--faked-system-time", &at, "--status-fd", "1", "--local-user", key];
        let argv = ["gpg", "--batch", "--yes", "--no-tty"].into_iter().chain(time_and_key);
        let exit = host.exec(&Command::new(argv.chain(["--output", &to, "--detach-sign", &from])))?;
        if exit.is_success() {
            return Ok((signature, *time));
        }
        words = exit.in_words();
        if !exit.stdout.contains(of_gpg::NO_KEY_YET) {
            break;
        }
    }
    Err(Failure::tool(format!("`gpg` ended with {words}")).help(HELP))
}

/// Puts gpg's signatures into an rpm, by the program that rpm has for it: the library that writes them can't without an OpenPGP of
/// its own. It is told how to start gpg, since where it would look differs between distributions.
pub fn rpmsign(key: &str, path: &Path, commit: u64, host: &dyn Host) -> Result<(), Failure> {
    let times = times(key, commit, host)?;
    let time = match times[..] {
        [time] => time,
        // What rpmsign fails of is not to be told apart: gpg is asked before, by a signature that nobody gets. Its own has the same name.
        _ => {
            let (signature, time) = gpg_at_first(key, path, &times, host)?;
            fs::remove_file(&signature).map_err(|error| Failure::file("remove", &signature, &error))?;
            time
        }
    };
    let name = format!("_gpg_name {key}");
    let gpg = format!(
        "__gpg_sign_cmd /usr/bin/env env gpg --batch --no-tty --no-armor --faked-system-time {time}! \
         --local-user \"%{{_gpg_name}}\" --output %{{__signature_filename}} --detach-sign %{{?__plaintext_filename}}"
    );
    let path = path.display().to_string();
    let argv = ["rpmsign", "--define", &name, "--define", &gpg, "--addsign", &path];
    host.exec_ok(&Command::new(argv)).map_err(|failure| failure.help(HELP))?;
    Ok(())
}

/// The signature of RSA, PKCS #1 v1.5, with SHA-256.
pub fn rsa(secret: &str, bytes: &[u8], host: &dyn Host) -> Result<Vec<u8>, Failure> {
    let bad = || {
        let message = format!("the secret `{secret}` is not an RSA key of 2048 to 4096 bits, as PEM");
        Failure::input(message).help("make one with `openssl genrsa -out key.pem 4096`")
    };
    let key = key(&host.secret(secret)?).ok_or_else(bad)?;
    let mut signature = vec![0; key.public().modulus_len()];
    let signed = key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), bytes, &mut signature);
    signed.map_err(|_| Failure::input(format!("the key in the secret `{secret}` does not sign")))?;
    Ok(signature)
}

/// PKCS #8 or PKCS #1, in PEM (RFC 7468).
fn key(text: &str) -> Option<RsaKeyPair> {
    let body = |label: &str| {
        let body = text.split_once(&format!("-----BEGIN {label}-----"))?.1;
        let body = body.split_once(&format!("-----END {label}-----"))?.0;
        STANDARD.decode(body.split_whitespace().collect::<String>()).ok()
    };
    match body("PRIVATE KEY") {
        Some(der) => RsaKeyPair::from_pkcs8(&der).ok(),
        None => RsaKeyPair::from_der(&body("RSA PRIVATE KEY")?).ok(),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use forge_plugin::schemas::Exit;
    use forge_plugin::testing::FakeHost;

    use super::*;

    /// A gpg with keys that were made at these times, and that signs what is not older than the first.
    fn host(made: &'static [i64]) -> FakeHost {
        FakeHost::new().on_exec(|command| {
            let time = command.argv.iter().skip_while(|it| *it != "--faked-system-time").nth(1);
            let time: Option<i64> = time.map(|it| it.trim_end_matches('!').parse().unwrap());
            let lines = made.iter().map(|it| format!("sec:u:255:22:ABC:{it}::::::sc\n"));
            match (command.argv[0].as_str(), time) {
                ("gpg", Some(time)) if made.first().is_none_or(|it| time < *it) => {
                    Exit { code: Some(2), stdout: of_gpg::NO_KEY_YET.to_owned(), ..Exit::default() }
                }
                _ => {
                    if let Some(path) = command.argv.iter().skip_while(|it| *it != "--output").nth(1) {
                        fs::write(path, "signature").unwrap();
                    }
                    Exit { code: Some(0), stdout: lines.collect(), ..Exit::default() }
                }
            }
        })
    }

    /// What is started beside the list, by the program and the time; and what is wrong.
    fn check(made: &'static [i64], sign: impl Fn(&FakeHost) -> Result<(), Failure>, expect: &Expect) {
        let host = host(made);
        let end = sign(&host).map_or_else(|failure| failure.message, |()| "signed".to_owned());
        let started = |argv: &[String]| {
            let time = argv.join(" ").split_once("--faked-system-time ")?.1.split('!').next()?.to_owned();
            Some(format!("{} {time}", argv[0]))
        };
        let mut told: Vec<String> = host.record().commands.iter().filter_map(|it| started(&it.argv)).collect();
        told.push(end);
        expect.assert_eq(&told.join(", "));
    }

    #[test]
    fn a_key_that_is_younger_than_the_commit() {
        let place = tempfile::tempdir().unwrap();
        let path = &place.path().join("package");
        let by_gpg = |host: &FakeHost| gpg("ada", path, 100, host).map(drop);
        check(&[50], by_gpg, &expect!["gpg 100, signed"]);
        check(&[200, 300], by_gpg, &expect!["gpg 100, gpg 200, signed"]);
        check(&[], by_gpg, &expect!["gpg 100, `gpg` ended with exit status 2"]);
        let by_rpm = |host: &FakeHost| rpmsign("ada", path, 100, host);
        check(&[50], by_rpm, &expect!["rpmsign 100, signed"]);
        check(&[200, 300], by_rpm, &expect!["gpg 100, gpg 200, rpmsign 200, signed"]);
    }
}
