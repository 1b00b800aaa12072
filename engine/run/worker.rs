//! One task on one thread: its directory, its log, the call of its pipe, and what it has made.
//! The thread belongs to no pool: a pipe may block it, or bring a runtime of its own.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::Scope;
use std::time::{Duration, Instant};

use forge_schemas::{Artifact, Digest, Effect, Failure, FailureClass, Finding, Host, Run, Trace};
use tokio::sync::mpsc::Sender;

use super::Message;
use super::diary::Diary;
use super::effects::Effects;
use super::host::TaskHost;
use super::orphans;
use super::probe::{self, Question};
use super::shared::Shared;
use super::sources::Tree;
use crate::pipes::{Pipes, STACK};
use crate::plan::{Task, TaskId};

/// A task that is to run.
pub struct Job<'a> {
    /// Which.
    pub id: TaskId,
    /// The task.
    pub task: &'a Task,
    /// What it takes, made.
    pub inputs: Vec<Artifact>,
    /// The source files that it reads.
    pub tree: Arc<Tree>,
    /// How what it takes came to be, where its step is told.
    pub trace: Option<Arc<Trace>>,
    /// The directory of its step; made here, and removed when it ends.
    pub directory: PathBuf,
    /// Its log.
    pub log: PathBuf,
    /// What was found where it is to put something, if that was asked; or what is locked of what it asks.
    pub found: Vec<Finding>,
    /// What all tasks share.
    pub shared: &'a Shared,
    /// Who runs it.
    pub pipes: &'a dyn Pipes,
}

/// A task that has ended.
pub struct Ended {
    /// Which.
    pub id: TaskId,
    /// What it made, or why it failed.
    pub result: Result<Vec<Artifact>, Failure>,
    /// How long it ran, in milliseconds.
    pub took: u64,
    /// Its last command, and the tail of that command's output.
    pub tail: Vec<String>,
    /// Its log.
    pub log: PathBuf,
}

/// How often an effect is tried when the network fails.
const ATTEMPTS: u32 = 3;
/// How long to wait before the second attempt; four times as long before each further one.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// Starts a task. Its end arrives as a message, whatever happens.
pub fn start<'scope, 'env: 'scope>(threads: &'scope Scope<'scope, '_>, job: Job<'env>, sender: Sender<Message>) {
    let (id, log) = (job.id, job.log.clone());
    let name = job.task.id.clone();
    let thread = std::thread::Builder::new().name(name).stack_size(STACK);
    let own = sender.clone();
    let started = thread.spawn_scoped(threads, move || {
        let ended = work(job, &own);
        let _ = own.blocking_send(Message::Ended(ended));
    });
    if let Err(error) = started {
        let failure = Failure::new(FailureClass::Machine, format!("can't start a thread: {error}"));
        let ended = Ended { id, result: Err(failure), took: 0, tail: Vec::new(), log };
        // Room is made by the loop that is waiting for exactly this.
        tokio::spawn(async move { sender.send(Message::Ended(ended)).await });
    }
}

/// As long as a name may be on every file system, with room for its ending and what is written beside it.
const LONGEST: usize = 200;

/// The file name of a task's log: its id, without what file systems take for something else, and not longer than they can
/// take.
pub fn log_name(task: &str) -> String {
    let name: String =
        task.chars().map(|it| if it.is_ascii_alphanumeric() || ".-_".contains(it) { it } else { '-' }).collect();
    match name.len() > LONGEST {
        true => format!("{}-{}.txt", &name[..LONGEST], Digest::of(task.as_bytes()).short()),
        false => format!("{name}.txt"),
    }
}

fn work(job: Job<'_>, sender: &Sender<Message>) -> Ended {
    let began = Instant::now();
    let mask = &job.shared.mask;
    let (result, tail) = match Diary::open(job.id, &job.log, sender.clone(), mask.clone()) {
        Ok(diary) => {
            let result = call(&job, &diary).map_err(|failure| mask.failure(&failure));
            (result, diary.close())
        }
        Err(failure) => (Err(failure), Vec::new()),
    };
    // Nobody writes into its directory any more when that goes.
    orphans::end();
    let _ = std::fs::remove_dir_all(&job.directory);
    Ended { id: job.id, result, took: began.elapsed().as_millis() as u64, tail, log: job.log }
}

fn call(job: &Job<'_>, diary: &Diary) -> Result<Vec<Artifact>, Failure> {
    job.task.step.tools.iter().try_for_each(|tool| job.shared.tools.check(tool))?;
    match &job.shared.effects {
        Some(effects) if job.task.step.effect != Effect::Local => with_effect(job, diary, effects),
        _ => once(job, diary, job.found.clone()),
    }
}

/// Does what the world may see. What may have happened already is asked for, and never repeated unasked: neither after a
/// run that died, nor after an attempt that the network has cut off.
fn with_effect(job: &Job<'_>, diary: &Diary, effects: &Effects) -> Result<Vec<Artifact>, Failure> {
    let mut found = job.found.clone();
    let mut may_have_acted = found.is_empty() && effects.was_begun(job.task);
    let mut attempt = 1;
    loop {
        let result = match may_have_acted {
            true => look_again(job, effects).map(|it| found = it),
            false => Ok(()),
        };
        let result = result.and_then(|()| act(job, diary, effects, &found));
        match result {
            Err(failure) if failure.class == FailureClass::Network && attempt < ATTEMPTS => {
                diary.note(&format!("attempt {attempt} of {ATTEMPTS}: {failure}"));
                if !job.shared.reach.wait(FIRST_WAIT * 4_u32.pow(attempt - 1)) {
                    return Err(failure);
                }
                may_have_acted = true;
                attempt += 1;
            }
            result => return result,
        }
    }
}

fn look_again(job: &Job<'_>, effects: &Effects) -> Result<Vec<Finding>, Failure> {
    let question = Question { id: job.id, task: job.task, inputs: job.inputs.clone() };
    let found = probe::ask(&question, &job.shared.reach, job.pipes)?;
    effects.judge(job.task, &found)?;
    Ok(found)
}

fn act(job: &Job<'_>, diary: &Diary, effects: &Effects, found: &[Finding]) -> Result<Vec<Artifact>, Failure> {
    if !found.is_empty() && found.iter().all(Finding::is_there) {
        let artifacts = once(job, diary, found.to_vec())?;
        if effects.was_begun(job.task) {
            effects.done(job.task)?;
        }
        return Ok(artifacts);
    }
    effects.intend(job.task, found)?;
    let artifacts = once(job, diary, found.to_vec())?;
    effects.done(job.task)?;
    Ok(artifacts)
}

fn once(job: &Job<'_>, diary: &Diary, found: Vec<Finding>) -> Result<Vec<Artifact>, Failure> {
    // An attempt before this one may have left something.
    let _ = std::fs::remove_dir_all(&job.directory);
    std::fs::create_dir_all(&job.directory).map_err(|error| Failure::file("make", &job.directory, &error))?;
    let (inputs, directory) = (job.inputs.clone(), job.directory.clone());
    let host =
        TaskHost::new(job.shared, job.task, inputs, directory, diary, found.clone()).with_trace(job.trace.clone());
    let request = Run {
        table: job.task.table.clone(),
        step: job.task.step.to_step(),
        inputs: job.inputs.clone(),
        host: Host { root: job.shared.reach.root.clone(), dir: job.directory.clone() },
        found,
    };
    job.pipes.run(&request, &host)?;
    let made = host.finish().map_err(|failure| job.pipes.blamed(&job.task.table.pipe, failure))?;
    match job.tree.first_changed(&job.shared.reach.root, &job.task.step.writes) {
        Some(path) => Err(Failure::input(format!("an input changed during the build: `{}`", path.display())).help(
            "run it again; a file that the build itself writes must not be one of its sources: let git ignore it",
        )),
        None => Ok(made),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_logs() {
        let check = |task: &str, expect: &str| assert_eq!(log_name(task), expect);
        check("docker:image/linux/arm/v7", "docker-image-linux-arm-v7.txt");
        check("publish:ä", "publish--.txt");
        let long = "x".repeat(300);
        check(&long, &format!("{}-0d4e2ca9e9cb.txt", &long[..200]));
    }
}
