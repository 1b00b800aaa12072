//! A program to start, and how it ended.
//! Does not know a shell: arguments are passed as they stand.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A program to start. Its output goes to the task's log, line by line.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Command {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// Where it runs; the step's own directory when none is given.
    pub dir: Option<PathBuf>,
    /// Added to the environment that forge gives to every child.
    pub env: BTreeMap<String, String>,
}

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Exit {
    /// Its exit status; none when a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// What it wrote to standard output: the last mebibyte.
    pub stdout: String,
    /// What it wrote to standard error: the last 64 kibibytes.
    pub stderr: String,
}

impl Command {
    /// A program with its arguments.
    pub fn new<S: Into<String>>(argv: impl IntoIterator<Item = S>) -> Command {
        Command { argv: argv.into_iter().map(Into::into).collect(), ..Command::default() }
    }

    /// The same, in this directory.
    #[must_use]
    pub fn in_dir(mut self, dir: impl Into<PathBuf>) -> Command {
        self.dir = Some(dir.into());
        self
    }

    /// The same, with this variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Command {
        self.env.insert(name.into(), value.into());
        self
    }
}

impl Exit {
    /// Whether it ended with exit status 0.
    pub fn is_success(&self) -> bool {
        self.code == Some(0)
    }

    /// How it ended, in words: `exit status 101`, `signal 9`.
    pub fn in_words(&self) -> String {
        match (self.code, self.signal) {
            (Some(code), _) => format!("exit status {code}"),
            (None, Some(signal)) => format!("signal {signal}"),
            (None, None) => "no exit status".to_owned(),
        }
    }
}
