//! Signatures: by gpg, which has its own keys, and by RSA, with a key that the table is granted.
//! Does not know where in a package they go.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use forge_plugin::Host;
use forge_plugin::schemas::{Command, Failure, Tool};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};

use super::format::Signing;
use super::parcel::{Parcel, Signer};

const HELP: &str = "look whether `gpg --list-secret-keys` has the key, and whether the key is older than the commit, whose time \
                    signatures have";

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

/// A file with gpg's signature of another one, in binary. It says the commit's time, so that it is the same each time.
pub fn gpg(key: &str, path: &Path, time: u64, host: &dyn Host) -> Result<PathBuf, Failure> {
    let signature = path.with_extension("sig");
    let (from, to) = (path.display().to_string(), signature.display().to_string());
    let time = format!("{time}!");
    let argv = [
        "gpg",
        "--batch",
        "--yes",
        "--no-tty",
        "--faked-system-time",
        &time,
        "--local-user",
        key,
        "--output",
        &to,
        "--detach-sign",
        &from,
    ];
    host.exec_ok(&Command::new(argv)).map_err(|failure| failure.help(HELP))?;
    Ok(signature)
}

/// Puts gpg's signatures into an rpm, by the program that rpm has for it: the library that writes them can't without an OpenPGP of
/// its own. It is told how to start gpg, since where it would look differs between distributions.
pub fn rpmsign(key: &str, path: &Path, time: u64, host: &dyn Host) -> Result<(), Failure> {
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
