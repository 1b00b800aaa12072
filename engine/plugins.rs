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
}
