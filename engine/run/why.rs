//! Why tasks would run or are fresh, and what made them run last: looked up, without running anything.
//! Does not know how that is said.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use forge_schemas::{Artifact, Failure, Memory, SourceFile};

use super::environment::Environment;
use super::fingerprint::Scene;
use super::fresh::Look;
use super::locked::Locked;
use super::made::Made;
use super::sources::Sources;
use super::tools::Tools;
use crate::pipes::Pipes;
use crate::plan::{Plan, TaskId};
use crate::secrets::Hidden;
use crate::store::{Blobs, Changed, Dist, Fingerprint, Folder, Hashes, Parts, PartsLog, Record};

/// Where one looks.
pub struct Past<'a> {
    /// The directory of the project file; absolute.
    pub root: PathBuf,
    /// `.forge`.
    pub folder: Folder,
    /// The source files of the project.
    pub sources: &'a Sources,
    /// The project file.
    pub project: SourceFile,
    /// Who would run the tasks.
    pub pipes: &'a dyn Pipes,
    /// `[env]` of the project file.
    pub env: BTreeMap<String, String>,
    /// What its tools are locked to be.
    pub locked: Locked,
    /// Variables that no program sees.
    pub hidden: Hidden,
}

/// What can be said of a task.
#[derive(Debug)]
pub struct Why {
    /// What a run would do with it.
    pub next: Next,
    /// What made it run last.
    pub last: Last,
}

/// What a run would do with a task.
#[derive(Debug)]
pub enum Next {
    /// Nothing: what it makes is there.
    Fresh,
    /// It asks the world, and runs every time.
    Always,
    /// It has not run before, as far as is known.
    First,
    /// These are not what they were when it ran last.
    Changed(Vec<Changed>),
    /// All is as it was when it ran last, but what it made is not in the store any more.
    Lost,
    /// Its inputs are not known: this task would run first.
    After(TaskId),
    /// It can't be told.
    Unclear(Failure),
}

/// What made a task run last.
#[derive(Debug)]
pub enum Last {
    /// Nothing has, as far as is known.
    Never,
    /// It had not run before, as far as is known.
    First,
    /// These were not what they had been the time before.
    Changed(Vec<Changed>),
    /// Nothing had changed: what it had made was lost.
    Lost,
    /// It runs every time.
    Always,
}

/// What can be said of the tasks of a plan.
pub struct Whys {
    /// Of each.
    pub of: BTreeMap<TaskId, Why>,
    /// What those have made that are fresh.
    made: Made,
    record: Record,
    blobs: Blobs,
}

impl Whys {
    /// What a task takes, up to the first that is not made: what comes behind it is of no use without it.
    pub fn inputs(&self, plan: &Plan, id: TaskId) -> Vec<Artifact> {
        let made = self.made.inputs(plan, id, &self.record, &self.blobs);
        let takes = plan.task(id).step.takes.iter().zip(made);
        takes.take_while(|(name, artifact)| artifact.name == **name).map(|(_, artifact)| artifact.clone()).collect()
    }
}

/// Why each task of a plan would run or not.
pub fn why(plan: &Plan, past: &Past<'_>) -> Result<Whys, Failure> {
    let record = Record::open(past.folder.file("record"))?;
    let hashes = Hashes::open(past.folder.file("hashes"));
    let environment = Arc::new(Environment::of_process(&past.hidden));
    let tools = Tools::of_project(&past.root, past.locked.clone(), environment.clone());
    let (blobs, dist) = (Blobs::open(past.folder.store())?, Dist::of_project(&past.root));
    let before = PartsLog::open(past.folder.file("parts"))?.last();
    let none = BTreeSet::new();
    let mut made = Made::nothing(plan.len());
    let mut found: BTreeMap<TaskId, Why> = BTreeMap::new();
    for id in plan.order() {
        let scene =
            Scene { env: &past.env, environment: &environment, sources: past.sources, hashes: &hashes, tools: &tools };
        let look = Look {
            plan,
            project: &past.project,
            made: &made,
            pipes: past.pipes,
            scene,
            record: &record,
            blobs: &blobs,
            dist: &dist,
            required: &none,
        };
        let ran = before.get(&plan.task(*id).id).map_or(&[][..], Vec::as_slice);
        let is_fresh = |need: &TaskId| matches!(found[need].next, Next::Fresh);
        let (next, fresh) = match plan.needs(*id).find(|need| !is_fresh(need)) {
            Some(need) => (Next::After(first_of(need, &found)), None),
            None => next(*id, &look, ran.first()),
        };
        found.insert(*id, Why { next, last: last(tools.memory(&plan.task(*id).step), ran) });
        if let Some(fingerprint) = fresh {
            made.before(*id, fingerprint);
        }
    }
    hashes.save()?;
    Ok(Whys { of: found, made, record, blobs })
}

// What waits for another waits for what that waits for.
fn first_of(need: TaskId, found: &BTreeMap<TaskId, Why>) -> TaskId {
    match found[&need].next {
        Next::After(first) => first,
        _ => need,
    }
}

// And under which fingerprint it stands in the record what it has made, where it is fresh.
fn next(id: TaskId, look: &Look<'_>, before: Option<&Parts>) -> (Next, Option<Fingerprint>) {
    let (sight, remembered) = match look.recall(id) {
        Ok(recalled) => recalled,
        Err(failure) => return (Next::Unclear(failure), None),
    };
    if remembered.is_some() {
        return (Next::Fresh, Some(sight.fingerprint));
    }
    let changed = before.map(|before| sight.parts().changed_since(before));
    let next = match (look.scene.tools.memory(&look.plan.task(id).step), changed) {
        (Memory::Never, _) => Next::Always,
        (_, None) => Next::First,
        (_, Some(changed)) if changed.is_empty() => Next::Lost,
        (_, Some(changed)) => Next::Changed(changed),
    };
    (next, None)
}

fn last(memory: Memory, ran: &[Parts]) -> Last {
    match ran {
        [] => Last::Never,
        [_] => Last::First,
        [last, before, ..] => match last.changed_since(before) {
            changed if !changed.is_empty() => Last::Changed(changed),
            _ if memory == Memory::Never => Last::Always,
            _ => Last::Lost,
        },
    }
}
