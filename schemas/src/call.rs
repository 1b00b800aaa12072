//! The messages that cross the plugin line: what the engine asks of a pipe, and what a pipe asks of its host.
//! Both sides ignore fields that they do not know; every message is one JSON object.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::kind::Role;
use crate::{Artifact, Digest, Facts, Finding, Offer, Problem, Selector, Step, TableName};

/// `describe`: asked once, after loading.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Describe {
    /// Who asks.
    pub host: Hello,
}

/// Who is at the other end of the line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The version of forge.
    pub version: String,
    /// The plugin ABI it speaks: `1.0`.
    pub abi: String,
    /// The services it has.
    pub services: Vec<String>,
}

/// The answer to `describe`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PluginInfo {
    /// The plugin's name.
    pub name: String,
    /// The plugin's version.
    pub version: String,
    /// What it was built from, where it must match its executable exactly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<String>,
    /// The services that it can't do without. A forge that has not all of them refuses it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
    /// Its pipes.
    pub pipes: Vec<PipeInfo>,
}

/// One pipe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PipeInfo {
    /// Its table in the project file.
    pub name: String,
    /// One line for people.
    pub summary: String,
    /// The JSON Schema of its settings, draft 2020-12.
    pub settings: Value,
    /// The kinds it can make.
    pub makes: Vec<KindInfo>,
}

/// A kind of artifact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KindInfo {
    /// Its name.
    pub name: String,
    /// The JSON Schema of its detail.
    pub detail: Value,
    /// What artifacts of it are to users.
    #[serde(default, skip_serializing_if = "Role::is_part")]
    pub role: Role,
}

/// `takes`: which artifacts a table wants, and which source files it must read to plan. Pure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Takes {
    /// The table.
    pub table: TableName,
    /// Its settings, templates of facts resolved, checked against the schema.
    pub settings: Value,
}

/// The answer to `takes`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TakesReply {
    /// Which artifacts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub selectors: Vec<Selector>,
    /// Which source files, by path relative to the project file and the key that names them. `plan` is given their text.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<SourceText>,
    /// The kinds that this table makes, of those that its pipe can make. All of them where it does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub makes: Option<Vec<String>>,
    /// What is wrong with the settings.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
}

/// A source file that a table reads to plan: a Dockerfile.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SourceText {
    /// Relative to the project file.
    pub path: String,
    /// The key of the settings that names it.
    pub key: String,
    /// Whether it has to be there.
    #[serde(default)]
    pub presence: Presence,
    /// Its text; empty in the answer to `takes`.
    #[serde(default)]
    pub text: String,
}

/// Whether a source file, or one at least of a glob, has to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// It is a mistake of the user's where it is missing.
    #[default]
    Required,
    /// It may be missing. `plan` is given it where it is there: a `.dockerignore`.
    Optional,
}

impl Presence {
    /// Whether it has to be there.
    pub fn is_required(&self) -> bool {
        *self == Presence::Required
    }
}

/// `plan`: steps, or what is wrong. Pure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The table.
    pub table: TableName,
    /// Its settings.
    pub settings: Value,
    /// The facts.
    pub facts: Facts,
    /// What the tables that it takes from have declared, in the order of the file.
    pub offers: Vec<Offer>,
    /// The source files that it asked for.
    #[serde(default)]
    pub sources: Vec<SourceText>,
}

/// The answer to `plan`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PlanReply {
    /// The steps.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
    /// What is wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
}

/// `run`: acts, only through the host. The answer is empty, or a failure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The table.
    pub table: TableName,
    /// The step.
    pub step: Step,
    /// What it takes, made, in the order of `step.takes`.
    pub inputs: Vec<Artifact>,
    /// Where it stands.
    pub host: Host,
    /// What `probe` has found just before, where the step has a remote effect; what was locked of the step's names, where all are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub found: Vec<Finding>,
}

/// `probe`: what lies now where a step would put something. Changes nothing: of HTTP it has GET and HEAD, and no program.
/// Asked before anything runs, with no inputs: then it finds out whether credentials and the other end are fit. And asked
/// before the step runs, with them: then it tells what the step would change. A pipe without remote effects has no answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// The table.
    pub table: TableName,
    /// The step.
    pub step: Step,
    /// What it takes, in the order of `step.takes`, up to the first that is not made.
    pub inputs: Vec<Artifact>,
    /// Where it stands; its directory is not there yet.
    pub host: Host,
}

/// The answer to `probe`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ProbeReply {
    /// The places that the step would put something to, in its own order.
    pub found: Vec<Finding>,
}

/// Where a step stands. Facts are not here: what decides what a step makes stands in its params.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Host {
    /// The directory of the project file; absolute. To be read, never written.
    pub root: PathBuf,
    /// An empty directory of this step alone; absolute.
    pub dir: PathBuf,
}

/// Service `artifact.emit`: a declared artifact is made. The answer is the `Artifact` as it lies in the store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Emit {
    /// Its name, one of those that the step declared.
    pub name: String,
    /// Its content: a file in the step's directory, which is moved away.
    pub path: PathBuf,
    /// What else it refers to.
    #[serde(default)]
    pub blobs: Vec<EmitBlob>,
    /// What is known of it now.
    pub detail: Value,
}

/// Content that an artifact refers to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EmitBlob {
    /// A file in the step's directory, which is moved away.
    File(PathBuf),
    /// Content of one of the step's inputs.
    Held(Digest),
}

/// Service `template.render`. In `plan`: a template with the facts and these names. While a step runs or is probed: with these
/// names alone, because its fingerprint knows no facts but those that `plan` has passed on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Render {
    /// The template.
    pub template: String,
    /// Names beside the facts: an object. While a step runs, all names.
    pub names: Value,
}

/// The answer to `template.render`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct RenderReply {
    /// The text.
    pub text: String,
    /// In `plan`: the facts that the template names, with their values, `env` among them. Passed on in a step's params, they
    /// are names for the same template while it runs.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub names: Map<String, Value>,
}

/// Service `secret.get`: for a step whose table says `reveal = true`, one of the secrets that it is granted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetSecret {
    /// Its name in `[secrets]`.
    pub name: String,
}

/// The answer to `secret.get`. It is never shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GotSecret {
    /// What it says.
    pub value: String,
}

impl fmt::Debug for GotSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Services `note.set` and `note.get`: what a remote side answered, durable, for resuming.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Note {
    /// Its name, of this task alone.
    pub key: String,
    /// What it says; null in `note.get` and for what was never set.
    #[serde(default)]
    pub value: Value,
}
