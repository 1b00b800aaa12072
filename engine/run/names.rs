//! What names of the world outside mean now: each step that asks for some is asked for all of its own. Changes nothing.
//! Does not know what is locked.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use forge_schemas::{Digest, Failure, FailureClass};
use tokio::sync::watch;

use super::asked::Asked;
use super::cancel::Stop;
use super::diff::Outside;
use super::mask::Mask;
use super::probe::{Question, Reach, ask_all};
use super::shared::client;
use crate::pipes::Pipes;
use crate::plan::Plan;

/// What each name of the plan means now, or why it can't be told.
pub fn names(
    plan: &Plan,
    pipes: &dyn Pipes,
    root: &Path,
    outside: &Outside<'_>,
) -> Result<BTreeMap<String, Result<Digest, Failure>>, Failure> {
    let asking = plan.order().iter().map(|id| (*id, plan.task(*id))).filter(|(_, task)| !task.step.names.is_empty());
    let questions: Vec<Question<'_>> = asking.map(|(id, task)| Question { id, task, inputs: Vec::new() }).collect();
    let mut meanings = BTreeMap::new();
    if questions.is_empty() {
        return Ok(meanings);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| Failure::new(FailureClass::Machine, format!("can't start threads: {error}")))?;
    // ^C ends this process, and nothing is lost.
    let (_stop, stopped) = watch::channel(Stop::Go);
    let mask = Arc::new(Mask::of(&outside.secrets));
    let reach = Reach {
        root: root.to_path_buf(),
        notes: root.join(".forge/notes"),
        http: client(root, outside.registries, outside.secrets.clone()).masked_by(mask.clone()),
        asked: Asked::default(),
        secrets: outside.secrets.clone(),
        runtime: runtime.handle().clone(),
        templates: outside.templates.clone(),
        stop: stopped,
    };
    let answers = ask_all(&questions, &reach, pipes);
    runtime.shutdown_background();
    for (id, answer) in answers {
        let answer = answer.map_err(|failure| mask.failure(&failure));
        for name in &plan.task(id).step.names {
            let meaning = answer.clone().and_then(|found| {
                let found = found.iter().find(|it| it.place == *name).and_then(|it| it.there);
                found.ok_or_else(|| Failure::input(format!("nothing is called `{name}`")))
            });
            meanings.insert(name.clone(), meaning);
        }
    }
    Ok(meanings)
}
