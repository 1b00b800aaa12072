//! How what a task takes came to be: the tasks behind it, as they were done, for a step that wants to tell.
//! Does not know what is made of that.

use forge_schemas::{Digest, Failure, Trace, Traced, TracedArtifact, TracedTask};

use super::fingerprint;
use super::fresh::Look;
use crate::plan::TaskId;

impl Look<'_> {
    /// A digest of all that a task is told of how its inputs came to be: the fingerprints of all tasks behind it know it all. None
    /// for one that is not told.
    pub fn traced(&self, id: TaskId) -> Option<Digest> {
        if self.plan.task(id).step.traced == Traced::No {
            return None;
        }
        let done = self.behind(id).map(|it| (&self.plan.task(it).id, self.made.fingerprint(it)));
        let words = (env!("CARGO_PKG_VERSION"), self.project, done.collect::<Vec<_>>());
        Some(Digest::of(&postcard::to_stdvec(&words).unwrap_or_default()))
    }

    /// The same in full.
    pub fn trace(&self, id: TaskId) -> Result<Option<Trace>, Failure> {
        if self.plan.task(id).step.traced == Traced::No {
            return Ok(None);
        }
        let tasks = self.behind(id).map(|it| self.traced_task(it)).collect::<Result<_, Failure>>()?;
        let forge = env!("CARGO_PKG_VERSION").to_owned();
        Ok(Some(Trace { forge, project: self.project.clone(), tasks }))
    }

    // All tasks that it needs, directly or not, each after all that it needs itself.
    fn behind(&self, id: TaskId) -> impl Iterator<Item = TaskId> {
        let needed = self.plan.all_needs([id]);
        self.plan.order().iter().copied().filter(move |it| needed[it.index()] && *it != id)
    }

    // Of one that is done. What it would be done with now must be what it was done with.
    fn traced_task(&self, id: TaskId) -> Result<TracedTask, Failure> {
        let task = self.plan.task(id);
        let inputs = self.made.inputs(self.plan, id, self.record, self.blobs);
        let plugin = self.pipes.identity(&task.table.pipe);
        let sight = fingerprint::look(task, plugin, inputs, self.traced(id), &self.scene)?.with_tree(&self.scene)?;
        if self.made.fingerprint(id) != Some(sight.fingerprint) {
            let message =
                format!("`{task}` is not what it was when it was done: something that it is made of has changed since");
            return Err(Failure::input(message).help("run it again"));
        }
        let made = self.made.of(id, self.record, self.blobs).iter().map(|it| TracedArtifact {
            name: it.name.clone(),
            kind: it.kind.clone(),
            digest: it.digest,
            detail: it.detail.clone(),
        });
        Ok(TracedTask { makes: made.collect(), ..sight.traced() })
    }
}
