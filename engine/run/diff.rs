//! What a run would make, upload, change and leave alone: what is here is looked up, what is there is asked, and nothing is
//! changed. Does not know how that is told.

use std::sync::Arc;

use forge_plugin::Renderer;
use forge_schemas::{Change, Effect, Failure, FailureClass, Finding};
use tokio::sync::watch;

use super::asked::Asked;
use super::cancel::Stop;
use super::mask::Mask;
use super::probe::{Answer, Question, Reach, ask_all};
use super::secrets::Secrets;
use super::shared::client;
use super::why::{Next, Past, Whys, why};
use crate::plan::{Plan, TaskId};
use crate::registries::Registries;

/// Something that a run would do, or leave.
#[derive(Debug)]
pub struct Difference {
    /// Whose it is.
    pub task: TaskId,
    /// What.
    pub what: What,
}

/// What a run would do, or leave.
#[derive(Debug)]
pub enum What {
    /// This with the task, as far as it can be told here.
    Here(Next),
    /// This at a place in the world.
    There(Finding),
    /// It could not be asked.
    Unasked(Failure),
}

/// What that means, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Something is made here.
    Make,
    /// Something is put where nothing is.
    Upload,
    /// Something is put in place of another thing.
    Change,
    /// Nobody can tell before what it takes is made.
    Unknown,
    /// Nothing is done.
    Leave,
    /// The run would stop here.
    Refuse,
}

/// What the registries are reached by.
pub struct Outside<'a> {
    /// `[registries]` of the project file.
    pub registries: &'a Registries,
    /// The secrets that the project file names.
    pub secrets: Arc<Secrets>,
    /// Renders templates of steps, which know no facts.
    pub templates: Arc<dyn Renderer + Send + Sync>,
}

/// What a run of `plan` would do, in the order of the plan.
pub fn diff(plan: &Plan, past: &Past<'_>, outside: &Outside<'_>) -> Result<Vec<Difference>, Failure> {
    let mut whys = why(plan, past)?;
    let mut answers = ask(plan, past, outside, &whys)?.into_iter().peekable();
    let mut differences = Vec::new();
    for id in plan.order() {
        let asked = answers.next_if(|(asked, _)| asked == id).map(|(_, answer)| answer);
        let Some(why) = whys.of.remove(id) else { continue };
        let what = match asked {
            None => vec![What::Here(why.next)],
            Some(Ok(found)) if found.is_empty() => vec![What::Here(why.next)],
            Some(Ok(found)) => found.into_iter().map(What::There).collect(),
            Some(Err(failure)) => vec![What::Unasked(failure)],
        };
        differences.extend(what.into_iter().map(|what| Difference { task: *id, what }));
    }
    Ok(differences)
}

impl Difference {
    /// What it means.
    pub fn verdict(&self, plan: &Plan) -> Verdict {
        match &self.what {
            What::Unasked(_) | What::Here(Next::Unclear(_)) => Verdict::Refuse,
            What::Here(Next::Fresh) => Verdict::Leave,
            What::Here(_) if plan.task(self.task).step.effect == Effect::Local => Verdict::Make,
            // Where it puts what it takes follows from that.
            What::Here(Next::After(_)) => Verdict::Unknown,
            What::Here(_) => Verdict::Upload,
            What::There(finding) => match finding.change {
                Change::Unknown if finding.there.is_none() => Verdict::Upload,
                Change::Unknown => Verdict::Unknown,
                Change::None => Verdict::Leave,
                Change::New => Verdict::Upload,
                Change::Move => Verdict::Change,
                Change::Conflict { .. } => Verdict::Refuse,
            },
        }
    }
}

// The answers are in the order of the plan.
fn ask(plan: &Plan, past: &Past<'_>, outside: &Outside<'_>, whys: &Whys) -> Result<Vec<Answer>, Failure> {
    let tasks = plan.order().iter().map(|id| (*id, plan.task(*id)));
    let outward = tasks.filter(|(_, task)| task.step.effect != Effect::Local);
    let questions: Vec<Question<'_>> =
        outward.map(|(id, task)| Question { id, task, inputs: whys.inputs(plan, id) }).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| Failure::new(FailureClass::Machine, format!("can't start threads: {error}")))?;
    // ^C ends this process, and nothing is lost.
    let (_stop, stopped) = watch::channel(Stop::Go);
    let mask = Arc::new(Mask::of(&outside.secrets));
    let reach = Reach {
        root: past.root.clone(),
        notes: past.folder.notes(),
        http: client(&past.root, outside.registries, outside.secrets.clone()).masked_by(mask.clone()),
        asked: Asked::default(),
        secrets: outside.secrets.clone(),
        runtime: runtime.handle().clone(),
        templates: outside.templates.clone(),
        stop: stopped,
    };
    let answers = ask_all(&questions, &reach, past.pipes);
    runtime.shutdown_background();
    Ok(answers.into_iter().map(|(id, answer)| (id, answer.map_err(|it| mask.failure(&it)))).collect())
}
