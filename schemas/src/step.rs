//! What a pipe asks for: one step, with all that decides whether it must run.
//! Does not know where the step stands in the plan: the engine places it there.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Place, Platform, Presence, Traced};

/// One step of a table. A task is a step that has been placed in the plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Step {
    /// Unique in its table: `linux/arm64`. Empty for a table of one step.
    pub name: String,
    /// The platform it works for; `run --platform` leaves out the others.
    pub platform: Option<Platform>,
    /// The offers it takes, by name, in the order in which `run` sees them.
    pub takes: Vec<String>,
    /// The artifacts it makes: all of these, and no others.
    pub makes: Vec<Output>,
    /// Of what it takes, what these take the place of: who takes by kind, and names no table, is not offered it any more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub replaces: Vec<String>,
    /// What it does to the world.
    pub effect: Effect,
    /// Whether what it publishes can be taken back. What can't be is published after all that can, unless that takes it.
    #[serde(skip_serializing_if = "Recall::is_possible")]
    pub recall: Recall,
    /// Whether it may be remembered.
    pub memory: Memory,
    /// The source files it reads.
    pub reads: Vec<Read>,
    /// Files of the project that it writes, by path and glob: what reads any of them waits for it. It is not done again while they are as
    /// it left them, and all else is as it was.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub writes: Vec<String>,
    /// Environment variables that matter to it, by name. Its programs see these of forge's own environment, and beside them
    /// only what decides no output: where things lie, how the network is reached. One that a name like `X_TOKEN` gives
    /// away as a secret is never among them: a table is granted secrets by the user.
    pub env: Vec<String>,
    /// Secrets that it can't do without, and where the user names each. A table that does not grant one is a mistake of the user.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<SecretNeed>,
    /// Programs whose version matters to it.
    pub tools: Vec<Tool>,
    /// Names of the world outside that it asks the meaning of: `docker.io/library/debian:12`. What each means now, `probe` finds at a
    /// place of this name. Where `forge.lock` says what all of them mean, `found` tells that, and the step is remembered.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// Whether it is done where nothing needs it.
    #[serde(skip_serializing_if = "Wanted::is_always")]
    pub wanted: Wanted,
    /// Whether it is told how what it takes came to be: which tasks made it, of what and with what.
    #[serde(skip_serializing_if = "Traced::is_no")]
    pub traced: Traced,
    /// What bounds how many such steps run side by side.
    pub resource: Resource,
    /// The pipe's own: all that `run` wants to know, templates resolved.
    pub params: Value,
    /// Where in the project file it comes from.
    pub place: Place,
}

/// An artifact that a step makes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Output {
    /// Unique in the plan; also its path under `dist/`.
    pub name: String,
    /// Which sort; one of those that the pipe has described.
    pub kind: String,
    /// Where it runs; none for what runs nowhere or everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// What is known of it beforehand.
    #[serde(default)]
    pub detail: Value,
}

/// What a step does to the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Nothing outside of this machine.
    #[default]
    Local,
    /// Something remote that nobody sees yet: blobs, manifests by digest, drafts.
    Stage,
    /// Something that the world sees. Starts only when every other task of the plan is done.
    Publish,
}

/// Whether what a step publishes can be taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recall {
    /// It can be removed, or replaced by another.
    #[default]
    Possible,
    /// It is there for good: a version of a crate.
    Impossible,
}

impl Recall {
    /// Whether it can.
    pub fn is_possible(&self) -> bool {
        *self == Recall::Possible
    }
}

/// Whether a step may be remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Memory {
    /// Same inputs, same outputs: it need not run again.
    #[default]
    Content,
    /// It asks the world, and runs every time.
    Never,
}

/// Whether a step is done that was asked for, and that no other needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// It is.
    #[default]
    Always,
    /// Not in a run that has effects outside of this machine: it only brings here what is needed where nothing else is.
    Here,
}

impl Wanted {
    /// Whether it is always done.
    pub fn is_always(&self) -> bool {
        *self == Wanted::Always
    }
}

/// Source files that a step reads: a file, a directory with all that is in it, or a glob.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Read {
    /// Relative to the project file.
    pub path: String,
    /// What of it is not read: patterns as those of a `.dockerignore`, relative to the project file too.
    #[serde(default)]
    pub except: Vec<String>,
    /// Where the user asked for it.
    pub place: Place,
    /// Whether it must name a file at all.
    #[serde(default)]
    pub presence: Presence,
}

impl Read {
    /// All that `path` names.
    pub fn all(path: impl Into<String>, place: Place) -> Read {
        Read { path: path.into(), except: Vec::new(), place, presence: Presence::Required }
    }

    /// All that the glob `path` matches, which may be nothing.
    pub fn any(path: impl Into<String>, place: Place) -> Read {
        Read { presence: Presence::Optional, ..Read::all(path, place) }
    }
}

/// A secret that a step can't do without.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretNeed {
    /// Its name in `[secrets]`.
    pub name: String,
    /// Where the user names it.
    pub place: Place,
    /// Who reads it.
    #[serde(default)]
    pub reader: SecretReader,
}

/// Who reads a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretReader {
    /// A program that the step starts, from its environment.
    #[default]
    Program,
    /// The pipe, which asks for it (`secret.get`): its table must reveal it.
    Pipe,
}

/// A program whose version decides what comes out.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Tool {
    /// Its name on `PATH`, or its path.
    pub program: String,
    /// What makes it print its version. Empty: its file is hashed instead.
    pub version: Vec<String>,
}

/// What bounds how many steps run side by side.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    /// As many as `--jobs` says.
    #[default]
    Cpu,
    /// Few at a time: each may want all the memory there is.
    Memory,
    /// Many at a time: they wait for others.
    Network,
    /// One at a time of this name.
    Exclusive(String),
}

/// As one would type it: `cargo -vV`.
impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.program)?;
        self.version.iter().try_for_each(|word| write!(f, " {word}"))
    }
}

impl Default for Step {
    fn default() -> Step {
        Step {
            name: String::new(),
            platform: None,
            takes: Vec::new(),
            makes: Vec::new(),
            replaces: Vec::new(),
            effect: Effect::Local,
            recall: Recall::Possible,
            memory: Memory::Content,
            reads: Vec::new(),
            writes: Vec::new(),
            env: Vec::new(),
            secrets: Vec::new(),
            tools: Vec::new(),
            names: Vec::new(),
            wanted: Wanted::Always,
            traced: Traced::No,
            resource: Resource::Cpu,
            params: Value::Null,
            place: Place::Key(String::new()),
        }
    }
}
