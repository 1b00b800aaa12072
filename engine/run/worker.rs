//! One task on one thread: its directory, its log, the call of its pipe, and what it has made.
//! The thread belongs to no pool: a pipe may block it, or bring a runtime of its own.

use std::path::PathBuf;
use std::thread::Scope;
use std::time::Instant;

use forge_schemas::{Artifact, Digest, Failure, FailureClass, Host, Run};
use tokio::sync::mpsc::Sender;

use super::Message;
use super::diary::Diary;
use super::host::{Shared, TaskHost};
use crate::pipes::Pipes;
use crate::plan::{Task, TaskId};

/// A task that is to run.
pub struct Job<'a> {
    /// Which.
    pub id: TaskId,
    /// The task.
    pub task: &'a Task,
    /// What it takes, made.
    pub inputs: Vec<Artifact>,
    /// The directory of its step; made here, and removed when it ends.
    pub directory: PathBuf,
    /// Its log.
    pub log: PathBuf,
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

/// The stack of a thread that calls a pipe, in bytes.
const STACK: usize = 8 << 20;

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
    let _ = std::fs::remove_dir_all(&job.directory);
    Ended { id: job.id, result, took: began.elapsed().as_millis() as u64, tail, log: job.log }
}

fn call(job: &Job<'_>, diary: &Diary) -> Result<Vec<Artifact>, Failure> {
    std::fs::create_dir_all(&job.directory).map_err(|error| Failure::file("make", &job.directory, &error))?;
    let host = TaskHost::new(job.shared, job.task, job.inputs.clone(), job.directory.clone(), diary);
    let request = Run {
        table: job.task.table.clone(),
        step: job.task.step.to_step(),
        inputs: job.inputs.clone(),
        host: Host { root: job.shared.root.clone(), dir: job.directory.clone() },
    };
    job.pipes.run(&request, &host)?;
    host.finish()
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
