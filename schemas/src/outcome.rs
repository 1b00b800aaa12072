//! How a task ended, and why it failed.
//! Does not know the task.

use std::fmt;
use std::io;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a task ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Outcome {
    /// It ran, and made what it declared.
    Done,
    /// It need not run: what it would make is there.
    Fresh,
    /// It ran, and failed.
    Failed {
        /// Why.
        failure: Failure,
    },
    /// It did not run.
    Skipped {
        /// What kept it from running, for people.
        because: String,
    },
}

/// Why a task failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// What sort of failure.
    pub class: FailureClass,
    /// What went wrong: a phrase, lower case, no full stop, without the name of the task or the pipe.
    pub message: String,
    /// What led to it, the nearest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// Whether the other end was not reached, for sure: nothing came of what was to be sent, so that it may be sent again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unreached: bool,
}

/// What sort of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// A program that the task started did not do what it should.
    Tool,
    /// The network, or the other end of it; trying again may help.
    Network,
    /// The other end has said nothing, or hardly anything, for as long as it may; trying again would take as long.
    Silent,
    /// The other end refuses: no right, or what was sent is wrong.
    Refused,
    /// What the task was given is not what it can work with.
    Input,
    /// The machine: no room, no right to a file.
    Machine,
    /// The run was interrupted.
    Cancelled,
    /// A bug in the pipe: it panicked, or broke the rules of the plugin line.
    Bug,
}

impl Failure {
    /// A failure of this class.
    pub fn new(class: FailureClass, message: impl Into<String>) -> Failure {
        Failure { class, message: message.into(), causes: Vec::new(), help: None, unreached: false }
    }

    /// A program did not do what it should.
    pub fn tool(message: impl Into<String>) -> Failure {
        Failure::new(FailureClass::Tool, message)
    }

    /// What the task was given is not what it can work with.
    pub fn input(message: impl Into<String>) -> Failure {
        Failure::new(FailureClass::Input, message)
    }

    /// A file could not be read or written. `verb` says what was tried: `read`, `write`.
    pub fn file(verb: &str, path: &Path, error: &io::Error) -> Failure {
        let failure = Failure::new(FailureClass::Machine, format!("can't {verb} `{}`: {error}", path.display()));
        let directory = path.parent().unwrap_or(path).display();
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                let failure = Failure { message: format!("the disk is full: {failure}"), ..failure };
                failure.help(format!("make room where `{directory}` is (`forge clean` may help), and run it again"))
            }
            io::ErrorKind::ReadOnlyFilesystem => {
                failure.help(format!("forge writes below `{directory}`: mount it for writing, or work in a copy"))
            }
            _ => failure,
        }
    }

    /// A bug in the pipe.
    pub fn bug(message: impl Into<String>) -> Failure {
        Failure::new(FailureClass::Bug, message)
    }

    /// The same, with what led to it.
    #[must_use]
    pub fn cause(mut self, cause: impl Into<String>) -> Failure {
        self.causes.push(cause.into());
        self
    }

    /// The same, with what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Failure {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_files_say() {
        let check = |kind: io::ErrorKind, message: &str, help: Option<&str>| {
            let failure = Failure::file("write", Path::new("dir/file"), &kind.into());
            assert_eq!((failure.message.as_str(), failure.help.as_deref()), (message, help));
        };
        check(
            io::ErrorKind::StorageFull,
            "the disk is full: can't write `dir/file`: no storage space",
            Some("make room where `dir` is (`forge clean` may help), and run it again"),
        );
        check(
            io::ErrorKind::ReadOnlyFilesystem,
            "can't write `dir/file`: read-only filesystem or storage medium",
            Some("forge writes below `dir`: mount it for writing, or work in a copy"),
        );
        check(io::ErrorKind::NotFound, "can't write `dir/file`: entity not found", None);
    }
}
