//! What is left after a run: `dist/artifacts.json`, `dist/metadata.json`, and the record of the run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Digest, Facts, Outcome, Platform, TableName};

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
    /// What is known of it, as its kind's schema says.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub detail: Value,
}

/// `dist/metadata.json`: what was true before the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Metadata {
    /// The facts.
    pub facts: Facts,
    /// The version of forge that made it.
    pub forge: String,
}

/// The record of one run, `report.json` in its folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunReport {
    /// The project's version.
    pub version: String,
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
