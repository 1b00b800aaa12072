//! What there is of a plan so far: of each task what it has made, in this run or in an earlier one. What an earlier one has
//! made is read from the record when somebody asks for it. Does not know whether a task is fresh.

use std::collections::HashMap;
use std::io::Write as _;
use std::sync::OnceLock;

use forge_schemas::{Artifact, Digest, Digester};

use crate::plan::{Plan, TaskId};
use crate::store::{Blobs, Fingerprint, Record};

/// What the tasks of a plan have made.
#[derive(Debug)]
pub struct Made {
    /// By the task; none of those that have made nothing yet.
    of: Vec<Option<Kept>>,
}

/// What a task has made.
#[derive(Debug)]
struct Kept {
    /// Under which it stands in the record.
    fingerprint: Fingerprint,
    artifacts: OnceLock<Vec<Artifact>>,
}

impl Made {
    /// Nothing yet, of so many tasks.
    pub fn nothing(tasks: usize) -> Made {
        Made { of: std::iter::repeat_with(|| None).take(tasks).collect() }
    }

    /// A task is fresh: what one of this fingerprint has made is in the store.
    pub fn before(&mut self, id: TaskId, fingerprint: Fingerprint) {
        self.keep(id, Kept { fingerprint, artifacts: OnceLock::new() });
    }

    /// A task of this fingerprint has made this now.
    pub fn now(&mut self, id: TaskId, fingerprint: Fingerprint, artifacts: Vec<Artifact>) {
        self.keep(id, Kept { fingerprint, artifacts: artifacts.into() });
    }

    /// The fingerprint of a task that is done, in this run or before.
    pub fn fingerprint(&self, id: TaskId) -> Option<Fingerprint> {
        self.of.get(id.index()).and_then(Option::as_ref).map(|kept| kept.fingerprint)
    }

    /// What a task takes, as far as it is made, in the order in which it asks for it.
    pub fn inputs(&self, plan: &Plan, id: TaskId, record: &Record, blobs: &Blobs) -> Vec<&Artifact> {
        let takes = &plan.task(id).step.takes;
        if takes.is_empty() {
            return Vec::new();
        }
        let made = plan.needs(id).flat_map(|need| self.of(need, record, blobs));
        let by_name: HashMap<&str, &Artifact> = made.map(|it| (it.name.as_str(), it)).collect();
        takes.iter().filter_map(|name| by_name.get(name.as_str()).copied()).collect()
    }

    /// What a task has made.
    pub fn of<'a>(&'a self, id: TaskId, record: &Record, blobs: &Blobs) -> &'a [Artifact] {
        let kept = self.of.get(id.index()).and_then(Option::as_ref);
        kept.map_or(&[], |it| it.artifacts(record, blobs))
    }

    /// All of it, by name.
    pub fn all(&self, record: &Record, blobs: &Blobs) -> Vec<&Artifact> {
        let mut all: Vec<&Artifact> = self.kept().flat_map(|it| it.artifacts(record, blobs)).collect();
        all.sort_unstable_by_key(|it| &it.name);
        all
    }

    /// A digest of all that can be said of it.
    pub fn said(&self, record: &Record) -> Digest {
        let mut digester = Digester::default();
        for kept in self.kept() {
            // Writing to a digester can't fail.
            let _ = digester.write_all(record.words(&kept.fingerprint));
        }
        digester.finish().0
    }

    fn kept(&self) -> impl Iterator<Item = &Kept> {
        self.of.iter().flatten()
    }

    fn keep(&mut self, id: TaskId, kept: Kept) {
        self.of[id.index()] = Some(kept);
    }
}

impl Kept {
    fn artifacts(&self, record: &Record, blobs: &Blobs) -> &[Artifact] {
        self.artifacts.get_or_init(|| record.artifacts(&self.fingerprint, blobs))
    }
}
