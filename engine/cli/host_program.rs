//! The program whose children plugins live in: this one; where it can map no library, or the user wants another,
//! the one that `FORGE_PLUGIN_HOST` names.
//! Does not start it.

use std::path::PathBuf;

use forge_plugin::needs_another_host;
use forge_schemas::{Failure, FailureClass};

const VARIABLE: &str = "FORGE_PLUGIN_HOST";

/// Its file.
pub fn host_program() -> Result<PathBuf, Failure> {
    match std::env::var_os(VARIABLE).filter(|it| !it.is_empty()) {
        Some(named) => check(named.into()),
        None if needs_another_host() => {
            let words = "this forge is linked statically, and can load no plugin by itself";
            Err(failure(words).help(format!(
                "set `{VARIABLE}` to a forge of this version that is linked with glibc, or install that one"
            )))
        }
        None => std::env::current_exe()
            .map_err(|error| failure(&format!("forge does not know its own file, to start a child of it: {error}"))),
    }
}

fn check(named: PathBuf) -> Result<PathBuf, Failure> {
    let wrong = |what: &str| {
        let words = format!("`{VARIABLE}` names `{}`, which {what}", named.display());
        Err(failure(&words).help("name a forge of this version by its whole path"))
    };
    match (named.is_absolute(), named.is_file()) {
        (false, _) => wrong("is no whole path"),
        (_, false) => wrong("is no file"),
        (true, true) => Ok(named),
    }
}

fn failure(words: &str) -> Failure {
    Failure::new(FailureClass::Machine, words)
}
