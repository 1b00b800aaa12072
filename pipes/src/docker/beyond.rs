//! What a Dockerfile asks for that forge does not do itself, and what an engine that does it must be given.
//! Does not know the engines.

use std::collections::BTreeSet;

use forge_plugin::schemas::{Problem, Read};
use parse_dockerfile::Flag;

/// What is beyond forge in a Dockerfile. Empty: forge makes the image itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Beyond {
    /// Each such instruction, with what to do for somebody who wants forge to do it.
    pub problems: Vec<Problem>,
    /// What `RUN --mount=type=secret` mounts, by id.
    pub secrets: BTreeSet<String>,
    /// What is read from the project in ways that are not understood.
    pub reads: Vec<Read>,
    /// Whether `RUN --mount=type=ssh` wants the user's agent.
    pub agent: Agent,
}

/// Whether an engine is to lend the user's SSH agent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Agent {
    /// Nobody asks for it.
    #[default]
    Kept,
    /// Some instruction mounts it.
    Lent,
}

/// What an option of `RUN` mounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mounted {
    /// Files of the project.
    Project,
    /// Something else, or nothing.
    Other,
}

impl Beyond {
    /// Notes what an option of `RUN` wants from outside.
    pub fn mount(&mut self, flag: &Flag<'_>) -> Mounted {
        let value = flag.value.as_ref().map(|it| it.value.as_ref()).unwrap_or_default();
        let field = |names: &[&str]| {
            value
                .split(',')
                .filter_map(|it| it.split_once('='))
                .find(|(name, _)| names.contains(name))
                .map(|(_, it)| it)
        };
        match (flag.name.value.as_ref(), field(&["type"])) {
            ("mount", Some("secret")) => {
                let target = || field(&["target", "dst", "destination"])?.rsplit('/').next();
                self.secrets.extend(field(&["id"]).or_else(target).map(str::to_owned));
                Mounted::Other
            }
            ("mount", Some("ssh")) => {
                self.agent = Agent::Lent;
                Mounted::Other
            }
            ("mount", Some("bind") | None) if field(&["from"]).is_none() => Mounted::Project,
            _ => Mounted::Other,
        }
    }
}
