//! What the project file says about secrets: `[secrets]`, from a name to where the value lies.
//! Does not read them: a run does.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::registries::Registries;

/// The table `[secrets]`, by name.
pub type Declared = BTreeMap<String, Origin>;

/// Where a secret comes from: `{ env = "NAME" }` or `{ file = "PATH" }`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The environment variable that holds it.
    Env(String),
    /// The file that holds it, relative to the project file. A line end at its end is left out.
    File(PathBuf),
}

/// Whose secret an environment variable holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// One of `[secrets]`.
    Secret(String),
    /// A registry that names the variable itself.
    Registry(String),
}

/// Environment variables that hold secrets, and whose.
pub type Hidden = BTreeMap<String, Owner>;

/// The environment variable in which programs see the secret of this name: the same in capitals.
pub fn variable(name: &str) -> String {
    name.to_ascii_uppercase()
}

/// The environment variables that hold a secret. Neither templates nor programs see them.
pub fn hidden(declared: &Declared, registries: &Registries) -> Hidden {
    let of_registries = registries.iter().filter_map(|(host, registry)| {
        let secret = registry.secret.as_ref().filter(|it| !declared.contains_key(*it))?;
        Some((secret.clone(), Owner::Registry(host.clone())))
    });
    let own = declared.iter().filter_map(|(name, origin)| match origin {
        Origin::Env(variable) => Some((variable.clone(), Owner::Secret(name.clone()))),
        Origin::File(_) => None,
    });
    of_registries.chain(own).collect()
}
