//! Text to project: `Document` is what was typed, `Head` what the engine's own tables say, `Project` what all of it means.
//! Does not know what a pipe does: it sees tables, and the JSON Schema of their settings.

mod blocks;
mod file_schema;
pub mod filters;
mod head;
mod include;
mod keypath;
mod lower;
mod parse;
mod resolve;
mod schema;
mod template;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use forge_schemas::TableName;
use serde_json::Value;

use crate::source::{Source, Span};

pub use file_schema::file_schema;
pub use head::{Head, Include, ProjectTable, RunLimits};
pub use include::{Included, included, nested};
pub use keypath::{Inside, Places, diagnostic};
pub use lower::lower;
pub use parse::Document;
pub use template::Renderer;

/// What the project file means.
#[derive(Debug, Clone)]
pub struct Project {
    /// What the engine's own tables say; `[env]` resolved.
    pub head: Head,
    /// The pipes' tables, in the order of the file.
    pub tables: Vec<Table>,
    /// Broken where tables are missing from it: then what nothing makes may well be made by one of these.
    pub soundness: Soundness,
    /// Where `[goals]` stands, if it does.
    pub goals: Option<Places>,
    /// Variables of the process environment that templates asked for, set or not.
    pub environment: BTreeSet<String>,
    /// The file, with those that it includes.
    pub source: Arc<Source>,
}

/// One table of a pipe.
#[derive(Debug, Clone)]
pub struct Table {
    /// Its pipe and id.
    pub name: TableName,
    /// All its keys but the engine's own (`id`, `if`, `secrets`, `reveal`, `before`, `after`), templates of facts resolved, checked against the pipe's schema.
    pub settings: Value,
    /// Whether it makes steps: what its `if` comes to.
    pub switch: Switch,
    /// The names of `[secrets]` that its steps' programs may see, sorted.
    pub secrets: Vec<String>,
    /// The names of those that its pipe may see as well, sorted.
    pub revealed: Vec<String>,
    /// What its tasks come before and after, besides what they take.
    pub turn: Turn,
    /// Whether a pipe can be asked about it.
    pub soundness: Soundness,
    /// Where its header is: `[[docker]]`.
    pub header: Span,
    /// Where its keys and values are.
    pub places: Places,
}

/// What the tasks of a table come before and after, besides what follows from what they take.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Turn {
    /// These wait for them.
    pub before: Vec<Neighbour>,
    /// They wait for these.
    pub after: Vec<Neighbour>,
}

/// A pipe or a table that is named in `before` or `after`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbour {
    /// `build`, or `build:hello`.
    pub name: String,
    /// Where it is named.
    pub span: Span,
}

/// Whether a mistake has been told of something already. What follows from that mistake is not told as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Soundness {
    /// None has.
    Sound,
    /// One has.
    Broken,
}

impl Soundness {
    /// Sound if it `holds`.
    pub fn of(holds: bool) -> Soundness {
        if holds { Soundness::Sound } else { Soundness::Broken }
    }
}

/// What the `if` of a table comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// It holds, or there is none.
    On,
    /// It does not hold: the table makes no steps, and its pipe is not asked.
    Off,
}

/// The process environment, as far as the project may see it.
pub type Environment = BTreeMap<String, String>;

#[cfg(test)]
mod tests;
