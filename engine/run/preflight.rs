//! Before the first task starts: whether all that the run will need is there and lets us in. All that is not is told at once.
//! Changes nothing, here or there.

use std::collections::{BTreeMap, BTreeSet};
use std::thread::Scope;

use forge_schemas::{Effect, Failure, FailureClass, Outcome, Tool};
use tokio::sync::mpsc::Sender;

use super::probe::{Answer, Question, ask_all};
use super::{Message, Run};
use crate::plan::TaskId;

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preflight {
    /// Nobody has looked; nothing had to start.
    Ahead,
    /// Others are asked.
    UnderWay,
    /// It is over.
    Over,
}

impl<'a> Run<'a> {
    /// Whether tasks may start. The first time that one could, it is found out; what others say arrives as a message.
    pub(super) fn is_ready<'scope>(&mut self, threads: &'scope Scope<'scope, '_>, sender: &Sender<Message>) -> bool
    where
        'a: 'scope,
    {
        if self.preflight != Preflight::Ahead || !self.schedule.is_anything_due() {
            return self.preflight == Preflight::Over;
        }
        let questions: Vec<Question<'a>> = self.schedule.waiting().filter_map(|id| self.early_question(id)).collect();
        if questions.is_empty() {
            self.after_preflight(Vec::new());
            return true;
        }
        self.preflight = Preflight::UnderWay;
        let (shared, pipes, sender) = (self.shared, self.world.pipes, sender.clone());
        threads.spawn(move || {
            let answers = ask_all(&questions, &shared.reach, pipes);
            let _ = sender.blocking_send(Message::Preflight(answers));
        });
        false
    }

    /// Goes on if everything is fit, and stops the run with all that is not.
    pub(super) fn after_preflight(&mut self, answers: Vec<Answer>) {
        self.preflight = Preflight::Over;
        let refused = answers.into_iter().filter_map(|(id, answer)| answer.err().map(|failure| (id, failure)));
        let mut failures: Vec<(TaskId, Failure)> = refused.collect();
        failures.extend(self.missing_tools());
        failures.extend(self.full_disk());
        if failures.is_empty() {
            return;
        }
        self.failed_before_they_ran(failures);
        self.skip_the_rest("not all that the run needs is there");
    }

    /// What failed before it ran, all at once, so that none hides another. The same failure is told once, by the first in
    /// the order of the plan.
    pub(super) fn failed_before_they_ran(&mut self, failures: Vec<(TaskId, Failure)>) {
        // Of one task the first failure counts.
        let mut by_task: BTreeMap<TaskId, Failure> = BTreeMap::new();
        for (id, failure) in failures {
            by_task.entry(id).or_insert_with(|| self.shared.mask.failure(&failure));
        }
        let ids: Vec<TaskId> = self.plan.order().iter().copied().filter(|id| by_task.contains_key(id)).collect();
        let skipped = self.schedule.fail_all(&ids);
        let mut told: BTreeMap<(String, Vec<String>), TaskId> = BTreeMap::new();
        for id in ids {
            let Some(failure) = by_task.remove(&id) else { continue };
            let first = *told.entry((failure.message.clone(), failure.causes.clone())).or_insert(id);
            let outcome = match first == id {
                true => Outcome::Failed { failure },
                false => Outcome::Skipped { because: format!("{} failed in the same way", self.plan.task(first).id) },
            };
            self.outcome(id, outcome, 0, Vec::new(), None);
        }
        for it in skipped {
            self.skipped(it.task, it.because);
        }
    }

    // Of a task whose inputs are not made: only whether one gets there can be asked.
    fn early_question(&self, id: TaskId) -> Option<Question<'a>> {
        let task = self.plan.task(id);
        (task.step.effect != Effect::Local).then_some(Question { id, task, inputs: Vec::new() })
    }

    fn missing_tools(&self) -> Vec<(TaskId, Failure)> {
        let mut seen: BTreeSet<&Tool> = BTreeSet::new();
        let mut failures = Vec::new();
        for id in self.schedule.waiting() {
            for tool in &self.plan.task(id).step.tools {
                if !seen.insert(tool) {
                    continue;
                }
                let tools = &self.shared.tools;
                if let Err(failure) = tools.property(tool, &self.hashes).and_then(|_| tools.check(tool)) {
                    failures.push((id, failure));
                }
            }
        }
        failures
    }

    // What they made the last time says how much they make. Of what nobody has made yet, nobody knows.
    fn full_disk(&self) -> Option<(TaskId, Failure)> {
        let store = self.world.folder.store();
        let disk = rustix::fs::statvfs(&store).ok()?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        let first = self.schedule.waiting().next()?;
        let tasks = self.schedule.waiting().map(|id| self.plan.task(id));
        let names: BTreeSet<&str> = tasks.flat_map(|task| &task.step.makes).map(|it| it.name.as_str()).collect();
        let made = self.dist.list().artifacts;
        let need: u64 = made.iter().filter(|it| names.contains(it.name.as_str())).map(|it| it.size).sum();
        let failure = || {
            let message = format!("the disk is full: can't make {need} bytes, as the last time, where {free} are free");
            let help = format!("make room where `{}` is (`forge clean` may help), and run it again", store.display());
            Failure::new(FailureClass::Machine, message).help(help)
        };
        (free < need).then(|| (first, failure()))
    }
}
