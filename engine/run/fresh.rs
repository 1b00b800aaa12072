//! Whether tasks are fresh: fingerprint, record, and what lies under `dist/`, for many tasks side by side.
//! Decides nothing: the loop tells the schedule.

use std::collections::BTreeSet;
use std::sync::Arc;

use forge_schemas::{Failure, Memory, SourceFile, Trace};
use rayon::prelude::*;

use super::fingerprint::{self, Scene, Sight};
use super::made::Made;
use super::sources::Tree;
use crate::pipes::Pipes;
use crate::plan::{Plan, TaskId};
use crate::store::{Blobs, Dist, Fingerprint, Parts, Record, Remembered};

/// Where one looks.
#[derive(Clone, Copy)]
pub struct Look<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The project file.
    pub project: &'a SourceFile,
    /// What was made so far.
    pub made: &'a Made,
    /// Who would run the tasks.
    pub pipes: &'a dyn Pipes,
    /// What decides fingerprints.
    pub scene: Scene<'a>,
    /// What tasks made before.
    pub record: &'a Record,
    /// Where that lies.
    pub blobs: &'a Blobs,
    /// Where people look at it.
    pub dist: &'a Dist,
    /// Tasks that must be fresh.
    pub required: &'a BTreeSet<TaskId>,
}

/// What was seen of a task.
pub enum Seen {
    /// It need not run: what one of this fingerprint has made is there.
    Fresh(Fingerprint),
    /// It must run.
    Due(Box<Due>),
}

/// What a task that must run runs with.
pub struct Due {
    /// Its fingerprint.
    pub fingerprint: Fingerprint,
    /// What that was made of.
    pub parts: Parts,
    /// The source files that it reads.
    pub tree: Arc<Tree>,
    /// How what it takes came to be, where its step is told.
    pub trace: Option<Arc<Trace>>,
}

impl Look<'_> {
    /// Looks at tasks whose needs are done.
    pub fn at(&self, ids: Vec<TaskId>) -> Vec<(TaskId, Result<Seen, Failure>)> {
        ids.into_par_iter().map(|id| (id, self.at_one(id))).collect()
    }

    fn at_one(&self, id: TaskId) -> Result<Seen, Failure> {
        let (sight, remembered) = self.recall(id)?;
        let Some(remembered) = remembered else {
            let (fingerprint, parts, tree) = (sight.fingerprint, sight.parts(), sight.tree.unwrap_or_default());
            let trace = self.trace(id)?.map(Arc::new);
            return Ok(Seen::Due(Box::new(Due { fingerprint, parts, tree, trace })));
        };
        for artifact in remembered.unshown(self.blobs) {
            self.dist.show(&artifact)?;
        }
        Ok(Seen::Fresh(sight.fingerprint))
    }

    /// What a task that has run is fresh with: where it has written files of the project, with these as it left them.
    pub fn after(&self, id: TaskId, due: Box<Due>) -> Result<Box<Due>, Failure> {
        if self.plan.task(id).step.writes.is_empty() {
            return Ok(due);
        }
        self.scene.sources.forget();
        let sight = self.sight(id)?.with_tree(&self.scene)?;
        Ok(Box::new(Due { fingerprint: sight.fingerprint, parts: sight.parts(), ..*due }))
    }

    /// What a task would run with, and what it made when it ran with the same before. Its needs are to be made. The source
    /// files are there for one that made nothing.
    pub fn recall(&self, id: TaskId) -> Result<(Sight<'_>, Option<Remembered<'_>>), Failure> {
        let task = self.plan.task(id);
        let sight = self.sight(id)?;
        let remembered = match self.scene.tools.memory(&task.step) {
            // What must be fresh may not ask again: the last answer is the one that the rest was made from.
            Memory::Never if !self.required.contains(&id) => None,
            Memory::Content | Memory::Never => self.record.recall(&sight.fingerprint, self.blobs, self.dist),
        };
        match remembered.filter(|it| task.makes_names(it.names())) {
            Some(remembered) => Ok((sight, Some(remembered))),
            None => Ok((sight.with_tree(&self.scene)?, None)),
        }
    }

    fn sight(&self, id: TaskId) -> Result<Sight<'_>, Failure> {
        let task = self.plan.task(id);
        let inputs = self.made.inputs(self.plan, id, self.record, self.blobs);
        fingerprint::look(task, self.pipes.identity(&task.table.pipe), inputs, self.traced(id), &self.scene)
    }
}
