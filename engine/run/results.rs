//! What became of a plan: how each task ended, and what is there now.
//! Does not know how that came about.

use forge_schemas::{Artifact, Digest, Outcome};

use super::made::Made;
use crate::store::{Blobs, Record};

/// What became of a plan.
#[derive(Debug)]
pub struct Results {
    /// How each task ended, in the order of the plan, and how many milliseconds it ran.
    pub outcomes: Vec<(Outcome, u64)>,
    /// What is there now.
    pub(super) made: Made,
    /// Where that stands which earlier runs have made.
    pub(super) record: Record,
    /// Whether the user interrupted it.
    pub interrupted: bool,
    /// How long it took, in milliseconds.
    pub took: u64,
}

impl Results {
    /// Whether every task is done or fresh.
    pub fn is_good(&self) -> bool {
        self.outcomes.iter().all(|(outcome, _)| matches!(outcome, Outcome::Done | Outcome::Fresh))
    }

    /// What is there now, by name.
    pub fn artifacts(&self, blobs: &Blobs) -> Vec<&Artifact> {
        self.made.all(&self.record, blobs)
    }

    /// A digest of all that can be said of what is there now.
    pub fn said(&self) -> Digest {
        self.made.said(&self.record)
    }
}
