//! The executable that is tested, with nothing around it but what the toolchains need.
//! Does not know what it is asked to do.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::program::directory;

/// The executable: the one that was built with these tests, or another one that they are to judge.
pub fn executable() -> PathBuf {
    std::env::var_os("FORGE_TEST_FORGE").unwrap_or_else(|| env!("CARGO_BIN_EXE_forge").into()).into()
}

/// A command that works in `directory`, with a home directory of its own. What toolchains have downloaded is shared.
pub fn command(executable: &Path, work: &Path, home: &Path) -> Command {
    let mut command = Command::new(executable);
    command.arg("-C").arg(work).env("HOME", home).env("DOCKER_CONFIG", home.join(".docker"));
    command
        .env("RUSTUP_HOME", directory("RUSTUP_HOME", ".rustup"))
        .env("CARGO_HOME", directory("CARGO_HOME", ".cargo"));
    command.env("GOPATH", directory("GOPATH", "go")).env("GOCACHE", directory("GOCACHE", ".cache/go-build"));
    for variable in ["CARGO_TARGET_DIR", "CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS", "NO_COLOR", "CI"] {
        command.env_remove(variable);
    }
    // Cargo tells its tests about itself; a cargo below must not hear of it.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CARGO_PKG_") || name == "CARGO_MANIFEST_DIR")
    {
        command.env_remove(name);
    }
    command
}

/// The same command, started by another program that takes it as its last words: `env --ignore-signal=HUP`.
pub fn through(mut other: Command, command: &Command) -> Command {
    other.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => other.env(name, value),
            None => other.env_remove(name),
        };
    }
    other
}

/// How a run ended, and what it wrote.
#[derive(Debug)]
pub struct Ended {
    /// The exit code; nothing where a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Ended {
    /// Runs a command to its end.
    pub fn of(command: &mut Command) -> Ended {
        let output = command.stdin(Stdio::null()).output().expect("forge starts");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Itself, if the exit code is this one.
    #[track_caller]
    pub fn expect(self, code: i32) -> Ended {
        assert_eq!(self.code, Some(code), "\n{}{}", self.stdout, self.stderr);
        self
    }
}

impl Ended {
    /// How each task ended, by the events of a run with `--json`: `build:hello/linux/amd64 done`. Sorted.
    pub fn outcomes(&self) -> Vec<String> {
        let events = self.stdout.lines().map(|line| serde_json::from_str::<Value>(line).expect("an event is JSON"));
        let ended = events.filter(|it| it["event"]["outcome"].is_object());
        let line = |it: Value| format!("{} {}", it["task"], it["event"]["outcome"]["is"]).replace('"', "");
        let mut outcomes: Vec<String> = ended.map(line).collect();
        outcomes.sort();
        outcomes
    }

    /// The tasks of which an event of this type was told, of a run that printed events: `task_started`.
    pub fn tasks(&self, event: &str) -> Vec<String> {
        let events = self.stdout.lines().map(|line| serde_json::from_str::<Value>(line).expect("an event is JSON"));
        let told = events.filter(|it| it["event"]["type"] == event);
        told.filter_map(|it| it["task"].as_str().map(ToOwned::to_owned)).collect()
    }
}

/// A run that goes on, heard event by event.
pub struct Running {
    child: Child,
    events: BufReader<std::process::ChildStdout>,
}

impl Running {
    /// Starts a command that prints events.
    pub fn start(command: &mut Command) -> Running {
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("forge starts");
        let events = BufReader::new(child.stdout.take().expect("standard output is a pipe"));
        Running { child, events }
    }

    /// The next line that a task's programs write.
    pub fn next_output(&mut self) -> String {
        let mut line = String::new();
        while self.events.read_line(&mut line).expect("events can be read") > 0 {
            let event: Value = serde_json::from_str(&line).expect("an event is JSON");
            if let Some(text) = event["event"]["line"].as_str() {
                return text.to_owned();
            }
            line.clear();
        }
        panic!("the run has ended, and no task has written a line")
    }

    /// Waits until so many events were told, or forge has ended.
    pub fn skip(&mut self, events: usize) {
        let mut line = String::new();
        for _ in 0..events {
            self.events.read_line(&mut line).expect("events can be read");
        }
    }

    /// Waits for an event of this type: `log`.
    pub fn wait_for(&mut self, event: &str) {
        let mut line = String::new();
        while self.events.read_line(&mut line).expect("events can be read") > 0 {
            let told: Value = serde_json::from_str(&line).expect("an event is JSON");
            if told["event"]["type"] == event {
                return;
            }
            line.clear();
        }
        panic!("the run has ended, and no `{event}` was told")
    }

    /// The process id of forge.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal to forge alone.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("forge can be signalled");
    }

    /// Waits for the end: the exit code.
    pub fn end(self) -> Option<i32> {
        self.rest().code
    }

    /// Waits for the end: how it was, and the events that nobody has heard yet.
    pub fn rest(mut self) -> Ended {
        let mut stdout = String::new();
        // What it writes at the end must find a reader.
        self.events.read_to_string(&mut stdout).expect("events can be read");
        let code = self.child.wait().expect("forge can be waited for").code();
        Ended { code, stdout, stderr: String::new() }
    }
}

/// A test that has failed leaves nobody behind.
impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
