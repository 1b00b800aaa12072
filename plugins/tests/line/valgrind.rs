//! The loader, and the host of a child, with plugins in Rust, C and Zig, under valgrind: nothing invalid, nothing lost.
//! Not with one in Go: its runtime moves stacks and keeps memory in ways that valgrind takes for errors, and what is at fault
//! there would be found in C. Its tests are those of the line without valgrind.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::child::HOST;
use crate::{example, examples::done};

/// What is done: the examples' whole lives, and what plugins get wrong.
const TESTS: &[&str] = &[
    "conformance::everything",
    "conformance::failures",
    "conformance::panics",
    "example_plugins::notify_in_c",
    "example_plugins::shout_in_zig",
    "example_plugins::upload_in_rust",
    "misuse::failures",
    "misuse::oddities_that_are_no_failures",
    "misuse::who_comes_late_is_told_so",
];

/// No word but of errors, an exit status of its own, and of leaks only what nothing points to any more: what is kept for the
/// life of the process is no loss.
const STRICT: &str =
    "--quiet --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite --show-leak-kinds=definite";

#[test]
fn g8_nothing_invalid_and_nothing_lost() {
    let dir = tempfile::tempdir().unwrap();
    let host = host(dir.path());
    let mut valgrind = Command::new("valgrind");
    valgrind.args(STRICT.split(' ')).arg(std::env::current_exe().unwrap());
    valgrind.args(["--exact", "--test-threads=1"]).args(TESTS).env(HOST, host);
    done(&mut valgrind);
    let logs = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path());
    let logs: Vec<_> = logs.filter(|it| it.extension().is_some_and(|it| it == "log")).collect();
    assert!(logs.len() > TESTS.len(), "children have run under valgrind: {logs:?}");
    let said: String = logs.iter().map(|log| fs::read_to_string(log).unwrap()).collect();
    assert_eq!(said, "", "of the children");
}

/// A program that keeps a plugin under valgrind, which says what it finds in a file for each process.
fn host(dir: &Path) -> std::path::PathBuf {
    let (script, logs) = (dir.join("host"), dir.join("%p.log"));
    let (logs, program) = (logs.display(), example("plugin_host"));
    let text = format!("#!/bin/sh\nexec valgrind {STRICT} --log-file='{logs}' '{}' \"$@\"\n", program.display());
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    script
}
