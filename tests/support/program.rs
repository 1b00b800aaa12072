//! Programs that are not forge: each runs to its end, and says why it could not.
//! Does not know which of them a test needs.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// What a program wrote to standard output, without the last line end. One that fails ends the test.
pub fn output(command: &mut Command) -> String {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| missing(&name, &error.to_string()));
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?} ended with {}\n{stdout}{stderr}", output.status);
    stdout.trim_end().to_owned()
}

/// The same for a program and its arguments.
pub fn run<const N: usize>(argv: [&str; N]) -> String {
    output(Command::new(argv[0]).args(&argv[1..]))
}

/// A directory that a variable names, or one in the user's own home directory.
pub fn directory(variable: &str, in_home: &str) -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").expect("HOME is set")).join(in_home);
    std::env::var_os(variable).filter(|it| !it.is_empty()).map_or_else(home, PathBuf::from)
}

/// What `tests/run` says of what it has started.
pub fn started(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| missing(variable, "the variable is not set"))
}

/// One of the programs of `tests/programs`, which `tests/run` has built.
pub fn test_program(name: &str) -> PathBuf {
    PathBuf::from(started("FORGE_TEST_PROGRAMS")).join(name)
}

/// A Linux program of another architecture, or of ours.
pub fn emulated(arch: &str, program: impl AsRef<OsStr>) -> Command {
    if arch == std::env::consts::ARCH {
        return Command::new(program);
    }
    let mut command = Command::new(format!("qemu-{arch}-static"));
    command.arg(program.as_ref());
    command
}

fn missing(what: &str, why: &str) -> ! {
    panic!("there is no `{what}` ({why}): `./tests/run` installs and starts what the tests need")
}
