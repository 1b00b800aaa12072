//! How artifacts came to be: the tasks behind them, with all that decided what these made.
//! Knows no kind and no pipe: what of this is told to whom, whoever asks decides.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Digest, Platform, TableName};

/// Whether a step is told how what it takes came to be. What it is told is then part of its fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Traced {
    /// It is not.
    #[default]
    No,
    /// Service `artifact.trace` tells it.
    Inputs,
}

impl Traced {
    /// Whether it is not.
    pub fn is_no(&self) -> bool {
        *self == Traced::No
    }
}

/// Service `artifact.trace`: how what the step takes came to be. For a step that says so beforehand.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AskTrace {}

/// The answer to `artifact.trace`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// The version of forge.
    pub forge: String,
    /// The project file, relative to the directory that it is in.
    pub project: SourceFile,
    /// The tasks that have made what the step takes, and those that have made what these took, and so on: each after all that
    /// it needed.
    pub tasks: Vec<TracedTask>,
}

/// A file of the project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFile {
    /// Where it is.
    pub path: PathBuf,
    /// The sha256 of it.
    pub digest: Digest,
}

/// A task that was done: in this run or, of the same in every respect, in one before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TracedTask {
    /// `docker:image/linux/arm64`.
    pub task: String,
    /// Its table.
    pub table: TableName,
    /// The platform that it works for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// Which build of the plugin did it: the digest of its file, or of the sources of the pipes that come with forge.
    pub plugin: String,
    /// All that decided what it made, as one digest: that of a REAPI action.
    pub fingerprint: Digest,
    /// The digest of the step: what it was told to do.
    pub step: Digest,
    /// The source files that it read, as one digest: that of a REAPI directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sources: Option<Digest>,
    /// The programs whose version mattered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<TracedTool>,
    /// The names of what it took.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub takes: Vec<String>,
    /// What it made.
    pub makes: Vec<TracedArtifact>,
}

/// A program that a task was done with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TracedTool {
    /// What it is, and how it was asked for its version: `cargo -vV`.
    pub tool: String,
    /// The digest of what it said, or of its file where it was not asked.
    pub digest: Digest,
    /// What it said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
}

/// What a task made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TracedArtifact {
    /// Its name.
    pub name: String,
    /// Which sort.
    pub kind: String,
    /// The sha256 of its content.
    pub digest: Digest,
    /// What is known of it.
    #[serde(default)]
    pub detail: Value,
}
