//! Signs with GnuPG: detached signatures, at the time of the commit.
//! Does not hold a key or its password: gpg gets them from its environment's side, through a pipe.

use std::collections::BTreeSet;
use std::os::unix::fs::{DirBuilderExt as _, symlink};
use std::path::{Path, PathBuf};

use forge_plugin::schemas::{Command, Digest, Exit, Failure, Problem, SecretReader, Step, Tool};
use forge_plugin::{Given, Host};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::settings::Settings;
use super::{Planned, Signer, Subject, emit_file, pairs, together, typed};
use crate::table::secrets::needs;

/// Its line in the table.
pub(super) const SIGNER: Signer = Signer {
    name: "gpg",
    about: "signs with GnuPG, a key of the user's or one that is a secret, as if it were the time of the commit.",
    schema: |generator| Own::json_schema(generator),
    ending: |settings| Ok(if settings.own::<Own>()?.armor { ".asc" } else { ".sig" }),
    attaches: None,
    plan,
    run,
};

/// Gives the text of a secret to a program. It is in the environment already, and gets into no argument list and no file.
const FROM_SECRET: &str = r#"printf '%s\n' "$SECRET" | exec "$@""#;

/// What gpg tells of a user that has no key which signs at that time (GnuPG's doc/DETAILS).
pub const NO_KEY_YET: &str = "[GNUPG:] INV_SGNR 9";

/// What it wants to know.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
struct Own {
    /// Whose key: a fingerprint, or what else gpg finds a key by. Default: the only one of `key`, or gpg's default.
    user: Option<String>,
    /// The secret that is the key, as `gpg --armor --export-secret-keys` writes it: it is used from a directory of this step alone. Default: the
    /// key is in the user's own keyring (`GNUPGHOME`).
    key: Option<String>,
    /// The secret that is the key's password. Where it has one and none is named, gpg asks its agent.
    password: Option<String>,
    /// Whether signatures are text (`.asc`). Otherwise they are bytes (`.sig`).
    #[serde(default = "yes")]
    armor: bool,
}

fn yes() -> bool {
    true
}

#[derive(Debug, Serialize, Deserialize)]
struct Params {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    password: Option<String>,
    armor: bool,
    /// When it is signed, in seconds since 1970; later, where the key is younger.
    time: i64,
}

fn plan(settings: &Settings, subjects: Vec<Subject<'_>>, given: &Given<'_>) -> Planned {
    let Own { user, key, password, armor } = settings.own()?;
    if user.as_ref().is_some_and(|it| it.trim().is_empty() || it.starts_with('-')) {
        return Err(vec![Problem::at_key("user", "no key is named").help("write a fingerprint, or leave it out")]);
    }
    let secrets = needs(&[("key", key.as_ref()), ("password", password.as_ref())], SecretReader::Program);
    let params = Params { user, key, password, armor, time: given.facts.commit_timestamp };
    let tool = Tool { program: "gpg".to_owned(), version: vec!["--version".to_owned()] };
    Ok(vec![Step {
        env: vec!["GNUPGHOME".to_owned()],
        tools: vec![tool],
        ..together(subjects, serde_json::to_value(params).unwrap_or_default(), secrets)
    }])
}

fn run(params: &Value, step: &Step, host: &dyn Host) -> Result<(), Failure> {
    let params: Params = typed(params)?;
    let home = params.key.as_ref().map(|_| Home::make(host)).transpose()?;
    let gpg = Gpg { params: &params, home: home.as_ref().map(|it| it.path.as_path()), host };
    gpg.import()?;
    let mut times = gpg.times()?.into_iter();
    let mut time = times.next().unwrap_or(params.time);
    for (number, (subject, output)) in pairs(step, host).enumerate() {
        let path = host.dir().join(format!("signature-{number}"));
        while gpg.sign(&subject.path, &path, time)? == Signed::KeysAreYounger {
            time = times.next().ok_or_else(|| gpg.no_key(None))?;
        }
        emit_file(output, path, host)?;
    }
    Ok(())
}

/// What came of one attempt.
#[derive(Debug, PartialEq, Eq)]
enum Signed {
    Done,
    /// At that time there was no key that signs, or none of this user's: nothing that is signed before a key was made is valid.
    KeysAreYounger,
}

/// A place for a key, where gpg's agent can have a socket: of its path, a socket may have but 100 bytes or so. What is in it lies in the
/// step's own directory.
struct Home<'h> {
    path: PathBuf,
    host: &'h dyn Host,
}

impl<'h> Home<'h> {
    fn make(host: &'h dyn Host) -> Result<Home<'h>, Failure> {
        let within = host.dir().join("gnupg");
        let made = std::fs::DirBuilder::new().mode(0o700).create(&within);
        made.map_err(|error| Failure::file("make", &within, &error))?;
        let name = format!("forge-{}", Digest::of(within.as_os_str().as_encoded_bytes()).short());
        let path = std::env::temp_dir().join(name);
        // One of a step that was killed, in the same directory.
        let _ = std::fs::remove_file(&path);
        symlink(&within, &path).map_err(|error| Failure::file("link", &path, &error))?;
        Ok(Home { path, host })
    }
}

impl Drop for Home<'_> {
    fn drop(&mut self) {
        let home = self.path.display().to_string();
        // Where it can't be stopped, it stops by itself: its socket is gone.
        let _ = self.host.exec(&Command::new(["gpgconf", "--homedir", &home, "--kill", "gpg-agent"]));
        let _ = std::fs::remove_file(&self.path);
    }
}

struct Gpg<'a> {
    params: &'a Params,
    home: Option<&'a Path>,
    host: &'a dyn Host,
}

impl Gpg<'_> {
    fn import(&self) -> Result<(), Failure> {
        let Some(key) = &self.params.key else { return Ok(()) };
        let exit = self.start(Some(key), &["--import"])?;
        match exit.is_success() {
            true => Ok(()),
            false => Err(failure(&exit, format!("gpg can't import the key `{key}`")))
                .map_err(|it| it.help("it is to be what `gpg --armor --export-secret-keys FINGERPRINT` writes")),
        }
    }

    fn times(&self) -> Result<Vec<i64>, Failure> {
        let user = self.params.user.as_deref();
        let ask: Vec<&str> = ["--with-colons", "--list-secret-keys"].into_iter().chain(user).collect();
        let exit = self.start(None, &ask)?;
        let times = times(&exit.stdout, self.params.time).filter(|_| exit.is_success());
        times.ok_or_else(|| self.no_key(Some(&exit)))
    }

    fn no_key(&self, exit: Option<&Exit>) -> Failure {
        let whose = self.params.user.as_ref().map_or_else(String::new, |it| format!(" for `{it}`"));
        let help = match self.params.key {
            Some(_) => "`user` is to be a key of those in `key`: `gpg --show-keys FILE` lists them",
            None => "`gpg --list-secret-keys` lists those that there are; a key of another machine is given by `key`",
        };
        let message = format!("gpg has no secret key that signs{whose}");
        exit.map_or_else(|| Failure::tool(message.clone()), |exit| failure(exit, message.clone())).help(help)
    }

    fn sign(&self, file: &Path, signature: &Path, time: i64) -> Result<Signed, Failure> {
        let (file, signature, time) = (file.display().to_string(), signature.display().to_string(), format!("{time}!"));
        let mut argv = vec!["--faked-system-time", &time, "--no-comments", "--no-emit-version", "--yes"];
        argv.extend(["--status-fd", "1"]);
        argv.extend(self.params.user.iter().flat_map(|user| ["--local-user", user]));
        if self.params.password.is_some() {
            argv.extend(["--pinentry-mode", "loopback", "--passphrase-fd", "0"]);
        }
        argv.extend(self.params.armor.then_some("--armor"));
        argv.extend(["--output", &signature, "--detach-sign", &file]);
        let exit = self.start(self.params.password.as_ref(), &argv)?;
        let help = match &self.params.password {
            Some(password) => format!("is `{password}` the password of that key?"),
            None => "a key with a password wants `password`, the name of a secret".to_owned(),
        };
        match exit.is_success() {
            true => Ok(Signed::Done),
            false if exit.stdout.contains(NO_KEY_YET) => Ok(Signed::KeysAreYounger),
            false => Err(failure(&exit, "gpg does not sign".to_owned()).help(help)),
        }
    }

    /// Starts gpg, which reads a secret from its standard input, or nothing.
    fn start(&self, secret: Option<&String>, more: &[&str]) -> Result<Exit, Failure> {
        // What a secret of this name is in the environment of a program.
        let script = secret.map(|name| FROM_SECRET.replace("SECRET", &name.to_uppercase()));
        let home = self.home.map(|it| it.display().to_string());
        let own = home.iter().flat_map(|home| ["--no-options", "--homedir", home]);
        let gpg = ["gpg", "--batch", "--no-tty"].into_iter().chain(own).chain(more.iter().copied());
        let shell = script.iter().flat_map(|script| ["sh", "-c", script, "sh"]);
        let command = Command::new(shell.chain(gpg));
        self.host.exec(&command)
    }
}

/// When it may be signed, from what gpg lists of secret keys, with colons: at the time of the commit, or else when the first key was made that
/// can. Which one signs is gpg's choice, so that each of these is tried, and keys that have nothing to do with it change nothing. None where no
/// key signs.
pub fn times(listed: &str, commit: i64) -> Option<Vec<i64>> {
    let made: BTreeSet<i64> = listed.lines().filter_map(made_to_sign).collect();
    let younger = made.iter().copied().filter(|it| *it > commit);
    (!made.is_empty()).then(|| std::iter::once(commit).chain(younger).collect())
}

/// When the key of this line was made, where it is one that signs (GnuPG's doc/DETAILS, fields 1, 6 and 12).
fn made_to_sign(line: &str) -> Option<i64> {
    let fields: Vec<&str> = line.split(':').collect();
    let signs = ["sec", "ssb"].contains(&fields[0]) && fields.get(11)?.contains('s');
    signs.then(|| fields.get(5)?.parse().ok()).flatten()
}

fn failure(exit: &Exit, message: String) -> Failure {
    let said = exit.stderr.lines().rfind(|it| !it.trim().is_empty()).unwrap_or_default();
    Failure::tool(message).cause(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_signs() {
        let check = |line: &str, expect: Option<i64>| assert_eq!(made_to_sign(line), expect, "{line}");
        check("sec:u:255:22:2A74A90EFC0FFB9D:1795816772:::u:::scSC:::+::ed25519:::0:", Some(1_795_816_772));
        check("ssb:u:255:22:2A74A90EFC0FFB9D:1795816773::::::s:::+::ed25519::", Some(1_795_816_773));
        check("ssb:u:255:18:2A74A90EFC0FFB9D:1795816774::::::e:::+::cv25519::", None);
        check("sec:u:255:22:2A74A90EFC0FFB9D:1795816772:::u:::cESC:::+::ed25519:::0:", None);
        check("fpr:::::::::1E5696CD118AC62D30C21B1E2A74A90EFC0FFB9D:", None);
        check("", None);
    }
}
