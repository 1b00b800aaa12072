//! What a step finds where it would put something: nothing, the same, or something else.
//! Does not know how one asks: a pipe does, of a remote side, without changing anything there.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Digest;

/// One place that a step would put something to, and what lies there now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// As users call it: `ghcr.io/acme/hello:1.2.3`.
    pub place: String,
    /// What lies there; none where nothing does, or where that can't be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub there: Option<Digest>,
    /// What the step would put there; none while what it takes is not made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ours: Option<Digest>,
    /// What doing the step would mean.
    pub change: Change,
}

/// What doing a step would mean at a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Change {
    /// What the step takes is not made yet: nobody can tell.
    Unknown,
    /// None: it is there.
    None,
    /// Something where nothing is.
    New,
    /// Something instead of another thing, as is meant to be: `latest`.
    Move,
    /// Something instead of another thing that should stay. Not done unless the user says so.
    Conflict {
        /// Why it should stay, for people.
        because: String,
    },
}

impl Finding {
    /// Whether what the step would put there is there.
    pub fn is_there(&self) -> bool {
        self.change == Change::None
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Finding { place, there, ours, change } = self;
        let digest = |it: &Option<Digest>| it.map_or_else(|| "nothing known".to_owned(), |it| it.to_string());
        match change {
            Change::Unknown => match there {
                Some(there) => write!(f, "{place} is {there}"),
                None => write!(f, "{place} is not there"),
            },
            Change::None => write!(f, "{place} is {}, as it should be", digest(ours)),
            Change::New => write!(f, "{place} is not there, and would be {}", digest(ours)),
            Change::Move => write!(f, "{place} is {}, and would be {}", digest(there), digest(ours)),
            Change::Conflict { because } => {
                write!(f, "{place} is {}, and would be {}: {because}", digest(there), digest(ours))
            }
        }
    }
}
