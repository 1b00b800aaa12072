//! Before the first task starts: whether all that the run will need is there and lets us in. All that is not is told at once.
//! Changes nothing, here or there.

use std::collections::BTreeMap;
use std::thread::Scope;

use forge_schemas::{Effect, Failure, Outcome};
use tokio::sync::mpsc::Sender;

use super::missing::Missing;
use super::probe::{Answer, Question, ask_all};
use super::{Message, Run};
use crate::plan::{Task, TaskId};

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
        let is_time = self.schedule.is_anything_due() || !self.early.is_empty();
        if self.preflight != Preflight::Ahead || !is_time {
            return self.preflight == Preflight::Over;
        }
        // Whether anything has to be made may hang on what names mean by now: that is asked as everything else is here.
        if self.early.is_empty() && self.schedule.all_due(only_asks) {
            return true;
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
        let mut failures = std::mem::take(&mut self.early);
        failures.extend(answers.into_iter().filter_map(|(id, answer)| answer.err().map(|failure| (id, failure))));
        for missing in self.missing() {
            add(&mut failures, missing);
        }
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
}

/// Whether a task only finds out what names of the world outside mean.
fn only_asks(task: &Task) -> bool {
    !task.step.names.is_empty() && task.step.effect == Effect::Local
}

/// Tells what is missing at the first task that would fail for it and has nothing else to tell: of one task, one failure is
/// told. What a server was asked for may have been missed already.
fn add(failures: &mut Vec<(TaskId, Failure)>, (ids, failure): Missing) {
    if failures.iter().any(|(_, told)| told.message == failure.message) {
        return;
    }
    let free = ids.iter().find(|id| !failures.iter().any(|(taken, _)| taken == *id));
    match (free, failures.iter_mut().find(|(taken, _)| ids.contains(taken))) {
        (Some(id), _) => failures.push((*id, failure)),
        (None, Some((_, told))) => {
            let words: Vec<String> = [format!("also, {failure}")].into_iter().chain(failure.causes).collect();
            *told = told.clone().cause(words.join(": "));
        }
        (None, None) => {}
    }
}
