//! The gate before the world: tasks that publish wait here until all the rest is done, and are then asked what they find,
//! all of them before any of them acts.
//! Does not judge a finding by itself: `effects` does.

use std::collections::BTreeMap;
use std::thread::Scope;

use forge_schemas::Finding;
use tokio::sync::mpsc::Sender;

use super::preflight::Preflight;
use super::probe::{Answer, Question, ask_all};
use super::{Message, Run};
use crate::plan::TaskId;

/// Who waits, and what those found that have passed.
#[derive(Default)]
pub struct Gate {
    waiting: Vec<TaskId>,
    found: BTreeMap<TaskId, Vec<Finding>>,
}

impl Gate {
    /// A task that is to publish comes to the gate.
    pub fn add(&mut self, id: TaskId) {
        self.waiting.push(id);
    }

    /// What a task has found at the gate.
    pub fn found(&mut self, id: TaskId) -> Vec<Finding> {
        self.found.remove(&id).unwrap_or_default()
    }
}

impl<'a> Run<'a> {
    /// Asks for those that have come to the gate. The answers arrive as a message.
    pub(super) fn ask_at_gate<'scope>(&mut self, threads: &'scope Scope<'scope, '_>, sender: &Sender<Message>)
    where
        'a: 'scope,
    {
        if self.gate.waiting.is_empty() {
            return;
        }
        let waiting = std::mem::take(&mut self.gate.waiting);
        let question = |id: TaskId| {
            let task = self.plan.task(id);
            Question { id, task, inputs: self.inputs(id) }
        };
        let questions: Vec<Question<'a>> = waiting.into_iter().map(question).collect();
        let (shared, pipes, sender) = (self.shared, self.world.pipes, sender.clone());
        threads.spawn(move || {
            let answers = ask_all(&questions, &shared.reach, pipes);
            let _ = sender.blocking_send(Message::Gate(answers));
        });
    }

    /// Lets those through who may act; where one may not, it says why, and nobody is let through who does not go on alone.
    pub(super) fn after_gate(&mut self, answers: Vec<Answer>) {
        // Nothing had to start before: these are the first to ask, and need not be asked once more.
        self.preflight = Preflight::Over;
        let mut failures = Vec::new();
        for (id, answer) in answers {
            let judged = answer.and_then(|found| {
                let effects = self.shared.effects.as_ref();
                effects.map_or(Ok(()), |it| it.judge(self.plan.task(id), &found)).map(|()| found)
            });
            match judged {
                Ok(found) => {
                    self.gate.found.insert(id, found);
                    self.is_due(id);
                }
                Err(failure) => failures.push((id, failure)),
            }
        }
        self.failed_before_they_ran(failures);
    }
}
