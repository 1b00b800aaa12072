//! What is left after a run: `dist/artifacts.json`, `dist/metadata.json`, the record of the run, and what is told of it later.
//! Does not know where a run leaves what it writes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Digest, Facts, Failure, Outcome, Platform, TableName};

/// `dist/artifacts.json`: what the run has made, sorted by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ArtifactList {
    /// All of them.
    pub artifacts: Vec<ArtifactEntry>,
}

/// One artifact, as others may rely on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ArtifactEntry {
    /// Its name, unique in the project.
    pub name: String,
    /// Which sort.
    pub kind: String,
    /// Where it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// Where it lies, relative to the project file.
    pub path: String,
    /// The sha256 of its content.
    pub digest: Digest,
    /// The size of its content in bytes.
    pub size: u64,
    /// The same with all that it refers to: for an image, its config and layers.
    pub size_in_all: u64,
    /// The table that made it.
    pub table: TableName,
    /// Further content that it refers to, in `.forge/store`: an image's config and layers, a list's members with all of theirs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blobs: Vec<BlobEntry>,
    /// The same for what the store does not have, and a registry does: layers of a base that nobody has read here. No part of
    /// `size_in_all`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub elsewhere: Vec<BlobEntry>,
    /// What is known of it, as its kind's schema says.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub detail: Value,
}

/// Some content that an artifact refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BlobEntry {
    /// Its sha256.
    pub digest: Digest,
    /// In bytes.
    pub size: u64,
}

/// `dist/metadata.json`: what was true before the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Metadata {
    /// The facts.
    pub facts: Facts,
    /// The version of forge that made it.
    pub forge: String,
}

/// The record of one run, `report.json` in its folder. A run that was killed has none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunReport {
    /// The project's version.
    pub version: String,
    /// When it began, RFC 3339 in UTC.
    #[serde(default)]
    pub began: String,
    /// The words of the command line, behind `forge`.
    #[serde(default)]
    pub command: Vec<String>,
    /// How long it took, in milliseconds.
    #[serde(default)]
    pub took: u64,
    /// The exit code.
    #[serde(default)]
    pub exit: u8,
    /// Why it ended before its tasks did, where it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Every task that was to run, in the order of the plan.
    pub tasks: Vec<TaskEntry>,
}

/// One task of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TaskEntry {
    /// Its id.
    pub task: String,
    /// How it ended.
    pub outcome: Outcome,
    /// How long it ran, in milliseconds.
    pub took: u64,
}

/// `forge runs --json`: the runs there were, the last first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunList {
    /// All of them.
    pub runs: Vec<RunSummary>,
}

/// One run, in short.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunSummary {
    /// Its name: that of its folder.
    pub run: String,
    /// When it began, RFC 3339 in UTC.
    pub began: String,
    /// The words of the command line, behind `forge`.
    pub command: Vec<String>,
    /// The project's version.
    pub version: String,
    /// How it ended.
    pub end: RunEnd,
    /// The exit code; none for a run without an end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<u8>,
    /// How long it took, in milliseconds; of a run without an end, until the last that is known of it.
    pub took: u64,
    /// How many tasks it was to do.
    pub tasks: usize,
    /// Tasks that ran and are done.
    pub done: usize,
    /// Tasks that need not run. Not known of a run without an end.
    pub fresh: usize,
    /// Tasks that failed.
    pub failed: usize,
    /// Tasks that did not run.
    pub skipped: usize,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunEnd {
    /// Every task is done, or was fresh.
    Done,
    /// A task failed, or the run itself.
    Failed,
    /// The user interrupted it.
    Interrupted,
    /// It has not ended.
    Running,
    /// It was killed, or its machine was: it has written no report.
    Died,
}

/// `forge runs show --json`: one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunRecord {
    /// The run, in short.
    pub summary: RunSummary,
    /// Why it ended before its tasks did, where it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Its tasks: in the order of the plan, or of a run without an end in that of their start.
    pub tasks: Vec<RunTask>,
    /// What it made, in the order in which it was made.
    pub artifacts: Vec<RunArtifact>,
}

/// One task of a run that was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunTask {
    /// Its id.
    pub task: String,
    /// How it ended; none where the run ended before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// How long it ran, in milliseconds.
    pub took: u64,
    /// The file with its log, relative to the project file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
}

/// An artifact that a run made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunArtifact {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// Its content's sha256.
    pub digest: Digest,
    /// Its size in bytes, with all that it refers to.
    pub size: u64,
    /// The task that made it.
    pub task: String,
}
