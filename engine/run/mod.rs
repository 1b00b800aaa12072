//! The run: a plan becomes artifacts. One loop over ended tasks, signals and the schedule; each task on a thread of its own.
//! Decides nothing: the schedule does. Prints nothing: sinks do.

mod action;
mod asked;
mod cancel;
pub mod credentials;
mod diary;
pub mod diff;
pub mod effects;
mod environment;
mod fingerprint;
mod fresh;
mod gate;
mod host;
pub mod http;
mod kinds;
pub mod locked;
mod made;
pub mod mask;
mod missing;
pub mod names;
mod opened;
mod orphans;
mod preflight;
mod probe;
mod process;
mod required;
mod results;
pub mod secrets;
mod shared;
mod sources;
mod stuck;
mod surroundings;
#[cfg(test)]
mod tests;
mod tools;
mod trace;
mod watched;
pub mod why;
mod worker;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use forge_plugin::Renderer;
use forge_schemas::{
    Artifact, Digest, Effect, Event, EventKind, Failure, FailureClass, Finding, Level, Memory, Outcome, SourceFile,
};
use tokio::sync::{mpsc, watch};

use self::cancel::{Signals, Stop};
use self::effects::{Effects, Intentions};
use self::fresh::{Due, Seen};
use self::gate::Gate;
use self::locked::Locked;
use self::made::Made;
use self::opened::Opened;
use self::preflight::Preflight;
use self::probe::Answer;
use self::secrets::Secrets;
use self::shared::Shared;
use self::worker::Ended;
use crate::pipes::Pipes;
use crate::plan::{Plan, Task, TaskId};
use crate::registries::Registries;
use crate::schedule::{AfterFailure, Because, Limits, Schedule};
use crate::store::{Dist, Fingerprint, Folder, Hashes, PartsLog};

pub use environment::{Environment, is_withheld};
pub use required::Required;
pub use results::Results;
pub use sources::Sources;
pub use tools::ask_all;
pub use watched::{LeftOver, Watch, Watched};

/// What a run is given besides the plan.
pub struct World<'a> {
    /// The directory of the project file; absolute.
    pub root: PathBuf,
    /// `.forge`.
    pub folder: Folder,
    /// The folder of this run's record.
    pub diary: PathBuf,
    /// The source files of the project.
    pub sources: &'a Sources,
    /// The project file.
    pub project: SourceFile,
    /// Who runs steps.
    pub pipes: &'a dyn Pipes,
    /// `[env]` of the project file: every program sees it.
    pub env: BTreeMap<String, String>,
    /// What its tools are locked to be.
    pub locked: Locked,
    /// `[registries]` of the project file.
    pub registries: Registries,
    /// The secrets that the project file names.
    pub secrets: Arc<Secrets>,
    /// Renders templates of steps that run, which know no facts.
    pub templates: Arc<dyn Renderer + Send + Sync>,
    /// How many tasks run side by side.
    pub limits: Limits,
    /// What happens after a failure.
    pub after_failure: AfterFailure,
    /// What is to become of the world; none where the plan has no effects.
    pub intentions: Option<Intentions>,
    /// Tasks that must be fresh.
    pub required: Required,
}

/// What tasks and workers tell the loop.
pub enum Message {
    /// Something happened in a task.
    Event(TaskId, EventKind),
    /// A task ended.
    Ended(Ended),
    /// What the tasks with effects have found, before anything was made.
    Preflight(Vec<Answer>),
    /// What the tasks that publish have found, now that all the rest is done.
    Gate(Vec<Answer>),
}

/// How many messages may wait for a slow terminal.
const ROOM: usize = 1 << 16;
/// How long a task may take that has never run, in milliseconds.
const UNKNOWN: u64 = 1000;

/// Runs a plan. `tell` hears everything as it happens, in order.
pub fn run(plan: &Plan, world: &World<'_>, tell: &mut dyn FnMut(&Event)) -> Result<Results, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::new(FailureClass::Machine, format!("can't start threads: {error}")))?;
    let (stop, stopped) = watch::channel(Stop::Go);
    let effects = world.intentions.clone().map(|it| Effects::open(&world.folder, it, tell)).transpose()?;
    let Opened { record, hashes, blobs, dist, kinds } = Opened::of(plan, world)?;
    let shared = Shared { effects, ..Shared::open(world, runtime.handle(), stopped, blobs, kinds) };
    let schedule = Schedule::new(plan, world.limits, world.after_failure);
    let mut started = Run {
        plan,
        world,
        shared: &shared,
        schedule,
        hashes,
        parts: None,
        dist,
        due: BTreeMap::new(),
        preflight: Preflight::Ahead,
        early: Vec::new(),
        gate: Gate::default(),
        results: Results {
            outcomes: vec![(Outcome::Skipped { because: String::new() }, 0); plan.len()],
            made: Made::nothing(plan.len()),
            record,
            interrupted: false,
            took: 0,
        },
        stop,
        patience: None,
        began: Instant::now(),
        tell,
    };
    started.tell_damage();
    started.clear_work()?;
    required::check(&started.scene(&started.results.made), &world.required)?;
    std::thread::scope(|threads| {
        let gone = runtime.block_on(started.go(threads));
        if gone.is_err() {
            // Nobody waits for what still runs.
            started.stop.send_replace(Stop::Ask);
        }
        gone
    })?;
    runtime.shutdown_background();
    started.end()
}

/// A run under way.
struct Run<'a> {
    plan: &'a Plan,
    world: &'a World<'a>,
    shared: &'a Shared,
    schedule: Schedule<'a>,
    hashes: Hashes,
    /// Opened when the first task has run.
    parts: Option<PartsLog>,
    dist: Dist,
    /// What tasks that must run run with.
    due: BTreeMap<TaskId, Box<Due>>,
    preflight: Preflight,
    /// What failed before the preflight, which tells it with all else.
    early: Vec<(TaskId, Failure)>,
    gate: Gate,
    results: Results,
    stop: watch::Sender<Stop>,
    /// When tasks that were asked to stop must have ended.
    patience: Option<Instant>,
    began: Instant,
    tell: &'a mut dyn FnMut(&Event),
}

impl<'a> Run<'a> {
    async fn go<'scope>(&mut self, threads: &'scope std::thread::Scope<'scope, '_>) -> Result<(), Failure>
    where
        'a: 'scope,
    {
        let mut signals = Signals::listen()
            .map_err(|error| Failure::new(FailureClass::Machine, format!("can't listen to signals: {error}")))?;
        let (sender, mut messages) = mpsc::channel(ROOM);
        loop {
            // 1. Tasks whose needs are done are fresh, or due.
            while self.look() {}
            // 2. Nothing starts before all that the run will need is found fit, and nothing that the world sees before all
            //    of that is found to be as expected. Then as many start as there is room for.
            self.ask_at_gate(threads, &sender);
            if self.is_ready(threads, &sender) {
                while let Some(id) = self.schedule.start() {
                    self.start(id, threads, &sender);
                }
            }
            if self.schedule.is_over() {
                return Ok(());
            }
            // 3. Something happens.
            tokio::select! {
                message = messages.recv() => match message {
                    Some(Message::Event(id, event)) => self.tell(Some(id), event),
                    Some(Message::Ended(ended)) => self.ended(ended)?,
                    Some(Message::Preflight(answers)) => self.after_preflight(answers),
                    Some(Message::Gate(answers)) => self.after_gate(answers),
                    None => return Ok(()),
                },
                () = signals.next() => self.interrupt(),
                () = stuck::until(self.patience) => self.leave_behind(),
            }
        }
    }

    // Where one looks whether tasks are fresh, when these artifacts are made.
    fn scene<'s>(&'s self, made: &'s Made) -> fresh::Look<'s> {
        fresh::Look {
            plan: self.plan,
            project: &self.world.project,
            made,
            pipes: self.world.pipes,
            scene: fingerprint::Scene {
                env: &self.world.env,
                environment: &self.shared.environment,
                sources: self.world.sources,
                hashes: &self.hashes,
                tools: &self.shared.tools,
            },
            record: &self.results.record,
            blobs: &self.shared.blobs,
            dist: &self.dist,
            required: &self.world.required.tasks,
        }
    }

    // Answers whether there was anything to look at.
    fn look(&mut self) -> bool {
        let ids = self.schedule.unchecked();
        let seen = self.scene(&self.results.made).at(ids);
        let any = !seen.is_empty();
        for (id, seen) in seen {
            match seen {
                Ok(Seen::Fresh(fingerprint)) => {
                    self.results.made.before(id, fingerprint);
                    self.schedule.done(id);
                    self.outcome(id, Outcome::Fresh, 0, Vec::new(), None);
                }
                Ok(Seen::Due(_)) if self.world.required.tasks.contains(&id) => {
                    self.failed(id, required::gone(), 0, Vec::new(), None);
                }
                Ok(Seen::Due(due)) => {
                    self.due.insert(id, due);
                    match self.plan.task(id).step.effect {
                        Effect::Publish => self.gate.add(id),
                        Effect::Local | Effect::Stage => self.is_due(id),
                    }
                }
                Err(failure) if self.preflight == Preflight::Ahead => self.early.push((id, failure)),
                Err(failure) => self.failed(id, failure, 0, Vec::new(), None),
            }
        }
        any
    }

    fn start<'scope>(
        &mut self,
        id: TaskId,
        threads: &'scope std::thread::Scope<'scope, '_>,
        sender: &mpsc::Sender<Message>,
    ) where
        'a: 'scope,
    {
        let task = self.plan.task(id);
        self.tell(Some(id), EventKind::TaskStarted);
        let due = self.due.get(&id);
        let job = worker::Job {
            id,
            task,
            inputs: self.inputs(id),
            tree: due.map(|due| due.tree.clone()).unwrap_or_default(),
            trace: due.and_then(|due| due.trace.clone()),
            directory: self.work().join(id.index().to_string()),
            log: self.world.diary.join("logs").join(worker::log_name(&task.id)),
            found: self.found(id),
            shared: self.shared,
            pipes: self.world.pipes,
        };
        let sender = sender.clone();
        worker::start(threads, job, sender);
    }

    fn inputs(&self, id: TaskId) -> Vec<Artifact> {
        let inputs = self.results.made.inputs(self.plan, id, &self.results.record, &self.shared.blobs);
        inputs.into_iter().cloned().collect()
    }

    // What is there where it goes, or what is locked of what it asks.
    fn found(&mut self, id: TaskId) -> Vec<Finding> {
        match self.gate.found(id) {
            found if found.is_empty() => self.shared.tools.names(&self.plan.task(id).step),
            found => found,
        }
    }

    fn ended(&mut self, ended: Ended) -> Result<(), Failure> {
        let Ended { id, result, took, tail, log } = ended;
        match result {
            Ok(artifacts) => {
                if let Some(due) = self.due.remove(&id) {
                    let due = self.scene(&self.results.made).after(id, due)?;
                    let fingerprint = due.fingerprint;
                    self.remember(id, *due, took, &artifacts)?;
                    self.keep(id, fingerprint, artifacts)?;
                }
                self.schedule.done(id);
                self.outcome(id, Outcome::Done, took, Vec::new(), Some(log));
            }
            Err(failure) => self.failed(id, failure, took, tail, Some(log)),
        }
        Ok(())
    }

    fn remember(&mut self, id: TaskId, due: Due, took: u64, artifacts: &[Artifact]) -> Result<(), Failure> {
        let task = self.plan.task(id);
        if self.shared.tools.memory(&task.step) == Memory::Content {
            for message in unlike(&self.results.record.made(&due.fingerprint), artifacts) {
                self.tell(Some(id), EventKind::Log { level: Level::Warn, message });
            }
        }
        self.results.record.note(due.fingerprint, &task.id, took, artifacts)?;
        let log = match self.parts.take() {
            Some(log) => log,
            None => PartsLog::open(self.world.folder.file("parts"))?,
        };
        self.parts.insert(log).note(&task.id, due.parts)?;
        match task.step.effect {
            Effect::Local => Ok(()),
            Effect::Stage | Effect::Publish => self.results.record.sync(&self.shared.blobs),
        }
    }

    fn failed(&mut self, id: TaskId, failure: Failure, took: u64, tail: Vec<String>, log: Option<PathBuf>) {
        let skipped = self.schedule.fail(id);
        self.outcome(id, Outcome::Failed { failure }, took, tail, log);
        for it in skipped {
            self.skipped(it.task, it.because);
        }
    }

    fn skip_the_rest(&mut self, because: &str) {
        for id in self.schedule.stop() {
            self.outcome(id, Outcome::Skipped { because: because.to_owned() }, 0, Vec::new(), None);
        }
    }

    // It must run, unless another has failed meanwhile that keeps it from running.
    fn is_due(&mut self, id: TaskId) {
        let took = |task: &Task| self.results.record.took(&task.id).unwrap_or(UNKNOWN);
        if let Some(because) = self.schedule.due(id, took) {
            self.due.remove(&id);
            self.skipped(id, because);
        }
    }

    fn skipped(&mut self, id: TaskId, because: Because) {
        self.outcome(id, Outcome::Skipped { because: because.in_words(self.plan) }, 0, Vec::new(), None);
    }

    fn interrupt(&mut self) {
        let stop = self.stop.borrow().more();
        self.results.interrupted = true;
        self.tell(None, EventKind::Interrupted { times: stop as u32 });
        self.skip_the_rest("the run was interrupted");
        self.stop.send_replace(stop);
        self.patience = stuck::patience(stop, self.patience);
    }

    // What a task has made is there for those that take it, and for people to look at.
    fn keep(&mut self, id: TaskId, fingerprint: Fingerprint, artifacts: Vec<Artifact>) -> Result<(), Failure> {
        for artifact in &artifacts {
            self.dist.show(artifact)?;
            let size = artifact.size_in_all();
            let (name, kind) = (artifact.name.clone(), artifact.kind.clone());
            self.tell(Some(id), EventKind::Artifact { name, kind, digest: artifact.digest, size });
        }
        self.results.made.now(id, fingerprint, artifacts);
        Ok(())
    }

    fn outcome(&mut self, id: TaskId, outcome: Outcome, took: u64, tail: Vec<String>, log: Option<PathBuf>) {
        let log = log.map(|it| it.strip_prefix(&self.world.root).unwrap_or(&it).display().to_string());
        self.results.outcomes[id.index()] = (outcome.clone(), took);
        self.tell(Some(id), EventKind::TaskEnded { outcome, took, tail, log });
    }

    fn tell(&mut self, id: Option<TaskId>, event: EventKind) {
        let at = self.began.elapsed().as_millis() as u64;
        let task = id.map(|id| self.plan.task(id).id.clone());
        (self.tell)(&Event { at, task, event });
    }

    fn tell_damage(&mut self) {
        let aside = self.results.record.damaged().map(|it| it.strip_prefix(&self.world.root).unwrap_or(it).display());
        let message = match aside {
            Some(aside) => format!("the record of tasks was damaged, and set aside as `{aside}`: all is made again"),
            None if self.results.record.is_torn() => {
                "the last entry of the record of tasks was cut short: what it was about is made again".to_owned()
            }
            None => return,
        };
        self.tell(None, EventKind::Log { level: Level::Warn, message });
    }

    // Where the directories of steps are. No other run has the same: what a killed forge has started may live on and write.
    fn work(&self) -> PathBuf {
        self.world.folder.work().join(self.world.diary.file_name().unwrap_or_default())
    }

    // Directories of steps that a killed run has left behind go, unless somebody still writes there.
    fn clear_work(&self) -> Result<(), Failure> {
        let _ = std::fs::remove_dir_all(self.world.folder.work());
        let work = self.work();
        std::fs::create_dir_all(&work).map_err(|error| Failure::file("make", &work, &error))
    }

    fn end(mut self) -> Result<Results, Failure> {
        self.results.took = self.began.elapsed().as_millis() as u64;
        // A step whose program still writes there keeps it for the next run to clear.
        let _ = std::fs::remove_dir(self.work());
        if let Some(effects) = self.shared.effects.as_ref().filter(|_| self.results.is_good()) {
            effects.end()?;
        }
        self.results.record.sync(&self.shared.blobs)?;
        self.hashes.save()?;
        Ok(self.results)
    }
}

// A task that makes other bytes of the same is not reproducible, and whoever trusts digests should hear of it.
fn unlike(before: &[(String, Digest)], now: &[Artifact]) -> Vec<String> {
    let other = |(name, digest): &(String, Digest)| {
        let artifact = now.iter().find(|it| it.name == *name && it.digest != *digest)?;
        Some(format!("`{name}` is not what the same inputs made before: {digest} then, {} now", artifact.digest))
    };
    before.iter().filter_map(other).collect()
}
