//! The tables of the project file that the engine itself knows: what is not one of these is a pipe's.
//! Does not know facts: the name of the project is needed to have them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Document;
use crate::diagnostic::Diagnostic;

/// `[project]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProjectTable {
    /// What the project is called.
    #[schemars(regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"))]
    pub name: String,
    /// One line for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where people find it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub homepage: Option<String>,
    /// Its licence, an SPDX expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
}

/// `[secrets]`: where a secret's value comes from. Never the value itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Secret {
    /// `{ env = "GITHUB_TOKEN" }`: a variable of the environment.
    Env(String),
    /// `{ file = "token.txt" }`: a file, relative to the project file.
    File(String),
    /// `{ command = ["pass", "show", "token"] }`: what a program prints.
    Command(Vec<String>),
}

/// `[plugins.NAME]`: a plugin beside those that come with forge.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Plugin {
    /// The library, relative to the project file.
    pub path: String,
    /// The secrets that its pipes may declare.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
}

/// `[run]`: how many steps run side by side.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RunLimits {
    /// Steps that compute.
    #[schemars(range(min = 1))]
    pub jobs: Option<u32>,
    /// Steps that each may want all the memory there is.
    #[schemars(range(min = 1))]
    pub memory: Option<u32>,
    /// Steps that wait for others.
    #[schemars(range(min = 1))]
    pub network: Option<u32>,
}

/// `[registries."HOST"]`: how a registry is spoken to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Registry {
    /// Speaks http, not https.
    pub http: bool,
    /// A PEM file of certificates that its own is signed by, relative to the project file.
    pub ca: Option<String>,
    /// Takes any certificate.
    pub insecure: bool,
    /// Who signs in.
    pub username: Option<String>,
    /// The name of the secret to sign in with; the docker config is asked where there is none.
    pub password: Option<String>,
}

/// All of the engine's own tables.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// What the project is.
    pub project: ProjectTable,
    /// Variables for templates and for every program that is started.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Where secrets come from, by name.
    #[serde(default)]
    pub secrets: BTreeMap<String, Secret>,
    /// Plugins beside those that come with forge, by name.
    #[serde(default)]
    pub plugins: BTreeMap<String, Plugin>,
    /// Names for what to run together: pipes, tables, tasks and other goals.
    #[serde(default)]
    pub goals: BTreeMap<String, Vec<String>>,
    /// How many steps run side by side.
    #[serde(default)]
    pub run: RunLimits,
    /// How registries are spoken to, by host.
    #[serde(default)]
    pub registries: BTreeMap<String, Registry>,
}

impl Head {
    /// Their names.
    pub const NAMES: &'static [&'static str] = &["project", "env", "secrets", "plugins", "goals", "run", "registries"];
}

impl Head {
    /// What the engine's own tables of `document` say, as far as it can be told, and all that is wrong with them.
    pub fn read(document: &Document) -> (Head, Vec<Diagnostic>) {
        let _ = document;
        (Head::default(), Vec::new())
    }
}
