//! Asking what lies where steps would put something, before they do: many at once, and without changing anything.
//! Does not judge what was found.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Builder;
use std::time::Duration;

use forge_plugin::{Host, Renderer};
use forge_schemas::{
    Artifact, Command, Digest, Emit, Exit, Failure, FailureClass, Finding, HttpRequest, HttpResponse, Level, Method,
    Probe, Trace,
};
use serde_json::Value;
use tokio::sync::watch;

use super::asked::Asked;
use super::cancel::Stop;
use super::http::Http;
use super::secrets::Secrets;
use crate::pipes::{Pipes, STACK};
use crate::plan::{Task, TaskId};
use crate::store::read_sealed;

/// How far one gets without changing anything.
pub struct Reach {
    /// The directory of the project file.
    pub root: PathBuf,
    /// Where notes lie.
    pub notes: PathBuf,
    /// The one HTTP client.
    pub http: Http,
    /// What it was asked so far.
    pub asked: Asked,
    /// The secrets of the project.
    pub secrets: Arc<Secrets>,
    /// Where what waits is waited for.
    pub runtime: tokio::runtime::Handle,
    /// Renders templates of steps, which know no facts.
    pub templates: Arc<dyn Renderer + Send + Sync>,
    /// Whether the run should stop.
    pub stop: watch::Receiver<Stop>,
}

/// A task to ask about.
pub struct Question<'a> {
    /// Which.
    pub id: TaskId,
    /// The task.
    pub task: &'a Task,
    /// What it takes, up to the first that is not made.
    pub inputs: Vec<Artifact>,
}

/// What a task found, or why it could not look.
pub type Answer = (TaskId, Result<Vec<Finding>, Failure>);

/// As many as hide the latency of most servers.
const SIDE_BY_SIDE: usize = 8;

/// Asks all questions, on plain threads. The answers are in the order of the questions.
pub fn ask_all(questions: &[Question<'_>], reach: &Reach, pipes: &dyn Pipes) -> Vec<Answer> {
    let answers: Mutex<Vec<(usize, Answer)>> = Mutex::default();
    let queue = Mutex::new(questions.iter().enumerate());
    let work = || {
        let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
        while let Some((at, question)) = next() {
            let answer = (question.id, ask(question, reach, pipes));
            answers.lock().unwrap_or_else(PoisonError::into_inner).push((at, answer));
        }
    };
    std::thread::scope(|threads| {
        let start = |_| Builder::new().name("probe".to_owned()).stack_size(STACK).spawn_scoped(threads, work).ok();
        // Where no further thread can be had, those that are there do all of it, and without any this one does.
        if (0..SIDE_BY_SIDE.min(questions.len())).map_while(start).count() == 0 {
            work();
        }
    });
    let mut answers = answers.into_inner().unwrap_or_else(PoisonError::into_inner);
    answers.sort_by_key(|(at, _)| *at);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

/// Asks one question.
pub fn ask(question: &Question<'_>, reach: &Reach, pipes: &dyn Pipes) -> Result<Vec<Finding>, Failure> {
    let task = question.task;
    // There is nothing to write, and so nowhere to write it to.
    let dir = reach.root.join(".forge/work");
    let request = Probe {
        table: task.table.clone(),
        step: task.step.to_step(),
        inputs: question.inputs.clone(),
        host: forge_schemas::Host { root: reach.root.clone(), dir },
    };
    Ok(pipes.probe(&request, &ProbeHost { reach, task, request: &request })?.found)
}

impl Reach {
    /// Sends a request, unless the run should stop.
    pub fn send(&self, request: &HttpRequest) -> Result<HttpResponse, Failure> {
        let mut stop = self.stop.clone();
        let cancelled = async move {
            let _ = stop.wait_for(|stop| *stop >= Stop::Ask).await;
        };
        self.asked.once(request, || self.runtime.block_on(self.http.send(request, cancelled)))
    }

    /// The text of a template with these names.
    pub fn render(&self, template: &str, names: &Value) -> Result<String, Failure> {
        self.templates.render(template, names).map(|reply| reply.text).map_err(Failure::input)
    }

    /// A secret that a task's plugin may see.
    pub fn revealed(&self, task: &Task, name: &str) -> Result<String, Failure> {
        let is_in = |names: &[String]| names.iter().any(|it| it == name);
        if !is_in(&task.revealed) {
            let message = format!("`{}` does not reveal a secret `{name}` to its plugin", task.table);
            let help = match is_in(&task.secrets) {
                true => "write `reveal = true` in its table, if the plugin is to hold it".to_owned(),
                false => format!("write `secrets = [\"{name}\"]` and `reveal = true`, if the plugin is to hold it"),
            };
            return Err(Failure::input(message).help(help));
        }
        let secret = self.secrets.get(name).map(|it| it.reveal().to_owned());
        secret.ok_or_else(|| Failure::input(format!("the secret `{name}` is not set")))
    }

    /// Waits. Answers whether the run still goes on then.
    pub fn wait(&self, time: Duration) -> bool {
        let mut stop = self.stop.clone();
        let stopped = async move {
            let _ = stop.wait_for(|stop| *stop >= Stop::Ask).await;
        };
        self.runtime.block_on(async { tokio::time::timeout(time, stopped).await.is_err() })
    }

    /// Whether the run should stop.
    pub fn is_cancelled(&self) -> bool {
        *self.stop.borrow() >= Stop::Ask
    }

    /// The file that holds what a task remembers.
    pub fn note_file(&self, task: &str) -> PathBuf {
        self.notes.join(format!("{}.json", Digest::of(task.as_bytes()).hex()))
    }

    /// What a task remembers.
    pub fn notes(&self, task: &str) -> BTreeMap<String, Value> {
        read_sealed(&self.note_file(task)).and_then(|it| serde_json::from_slice(&it).ok()).unwrap_or_default()
    }
}

/// The host of a probe: it can look, and nothing else.
struct ProbeHost<'a> {
    reach: &'a Reach,
    task: &'a Task,
    request: &'a Probe,
}

impl Host for ProbeHost<'_> {
    fn inputs(&self) -> &[Artifact] {
        &self.request.inputs
    }

    fn found(&self) -> &[Finding] {
        &[]
    }

    fn root(&self) -> &Path {
        &self.request.host.root
    }

    fn dir(&self) -> &Path {
        &self.request.host.dir
    }

    fn exec(&self, _: &Command) -> Result<Exit, Failure> {
        Err(only_looks("start a program"))
    }

    fn http(&self, request: &HttpRequest) -> Result<HttpResponse, Failure> {
        match request.method {
            Method::Get | Method::Head if request.to_file.is_none() => self.reach.send(request),
            _ => Err(only_looks("send or store something")),
        }
    }

    fn emit(&self, _: &Emit) -> Result<Artifact, Failure> {
        Err(only_looks("make an artifact"))
    }

    fn log(&self, _: Level, _: &str) {}

    fn progress(&self, _: u64, _: u64, _: &str) {}

    fn cancelled(&self) -> bool {
        self.reach.is_cancelled()
    }

    fn remember(&self, _: &str, _: &Value) -> Result<(), Failure> {
        Err(only_looks("remember something"))
    }

    fn recall(&self, key: &str) -> Result<Value, Failure> {
        Ok(self.reach.notes(&self.task.id).remove(key).unwrap_or_default())
    }

    fn secret(&self, name: &str) -> Result<String, Failure> {
        self.reach.revealed(self.task, name)
    }

    fn trace(&self) -> Result<Trace, Failure> {
        Err(only_looks("know how its inputs came to be"))
    }

    fn render(&self, template: &str, names: &Value) -> Result<String, Failure> {
        self.reach.render(template, names)
    }
}

fn only_looks(what: &str) -> Failure {
    Failure::new(FailureClass::Bug, format!("the pipe wanted to {what} while it was asked what is there"))
}
