//! What the project file says about plugins of third parties: `[plugins.NAME]`.
//! Does not look for them, and loads none.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The tables `[plugins.NAME]`, by the name of the plugin.
pub type Wanted = BTreeMap<String, Wants>;

/// One plugin that is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Wants {
    /// Its library, or a directory that has builds of it for several platforms; relative to the project file. Without it,
    /// it is looked for by name in `$FORGE_PLUGIN_PATH`, beside forge, and in `$XDG_DATA_HOME/forge/plugins`.
    pub path: Option<PathBuf>,
    /// Which versions of it will do: `>=0.3, <0.4`.
    pub version: Option<String>,
    /// Those of its pipes that are used. Default: all.
    pub pipes: Option<Vec<String>>,
    /// Where it runs. Default: in a child.
    pub isolation: Isolation,
    /// What it sees of the environment, in a child, beside what every program of a step sees.
    pub env: Vec<String>,
    /// How long one of its steps may take in a child, without what forge does for it meanwhile: `90s`, `2h`. Default: one
    /// hour.
    pub timeout: Option<String>,
}

/// Where a plugin runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Isolation {
    /// In a child process: what it does to its process it does not do to forge.
    #[default]
    Child,
    /// In forge's own process: a crash of it is a crash of forge.
    InProcess,
}
