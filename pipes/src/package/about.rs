//! What a package says of itself, with everything resolved.
//! Does not know how a format writes it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::version::Spelled;

/// What a package says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct About {
    pub package: String,
    pub version: Spelled,
    /// What the format calls the machine that it is for.
    pub machine: String,
    pub description: String,
    pub maintainer: Option<String>,
    pub vendor: Option<String>,
    pub homepage: Option<String>,
    pub license: Option<String>,
    pub section: Option<String>,
    pub priority: Option<String>,
    /// What it says of others, as the format writes it.
    pub relations: BTreeMap<Relates, Vec<String>>,
}

/// How a package stands to another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Relates {
    Dependencies,
    Recommends,
    Suggests,
    Conflicts,
    Replaces,
    Provides,
}

impl Relates {
    /// All of them.
    pub const ALL: [Relates; 6] = [
        Relates::Dependencies,
        Relates::Recommends,
        Relates::Suggests,
        Relates::Conflicts,
        Relates::Replaces,
        Relates::Provides,
    ];

    /// The key that says it.
    pub fn key(self) -> &'static str {
        match self {
            Relates::Dependencies => "dependencies",
            Relates::Recommends => "recommends",
            Relates::Suggests => "suggests",
            Relates::Conflicts => "conflicts",
            Relates::Replaces => "replaces",
            Relates::Provides => "provides",
        }
    }
}

impl About {
    /// The first line of the description.
    pub fn summary(&self) -> &str {
        self.description.trim().lines().next().unwrap_or_default().trim()
    }

    /// The packages that stand so to it.
    pub fn related(&self, which: Relates) -> &[String] {
        self.relations.get(&which).map_or(&[], Vec::as_slice)
    }
}
