//! What one task has to say while it runs: into its log file, to the sinks, and the tail that a failure shows.
//! Never waits for a slow terminal: lines that find no room are in the log all the same.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use forge_schemas::{EventKind, Failure};
use tokio::sync::mpsc::Sender;

use super::Message;
use crate::plan::TaskId;

/// How many lines of output a failure shows.
const TAIL: usize = 20;

/// The diary of one task.
pub struct Diary {
    task: TaskId,
    sender: Sender<Message>,
    pages: Mutex<Pages>,
}

struct Pages {
    log: BufWriter<File>,
    tail: VecDeque<String>,
}

impl Diary {
    /// The diary of a task, in this new file.
    pub fn open(task: TaskId, path: &Path, sender: Sender<Message>) -> Result<Diary, Failure> {
        let log = File::create(path).map_err(|error| Failure::file("write", path, &error))?;
        let pages = Pages { log: BufWriter::new(log), tail: VecDeque::new() };
        Ok(Diary { task, sender, pages: Mutex::new(pages) })
    }

    /// The task starts a program.
    pub fn command(&self, argv: &[String]) {
        let line = format!("$ {}", shell_words::join(argv));
        {
            let mut pages = self.pages();
            pages.tail.clear();
            pages.tail.push_back(line.clone());
            pages.write(&line);
        }
        self.tell(EventKind::Command { argv: argv.to_vec() });
    }

    /// A program wrote a line.
    pub fn output(&self, line: &str) {
        {
            let mut pages = self.pages();
            if pages.tail.len() > TAIL {
                // The first line is the command itself.
                pages.tail.remove(1);
            }
            pages.tail.push_back(line.to_owned());
            pages.write(line);
        }
        self.tell(EventKind::Output { line: line.to_owned() });
    }

    /// Something for the log alone.
    pub fn note(&self, line: &str) {
        self.pages().write(line);
    }

    /// Something for the sinks, if there is room.
    pub fn tell(&self, event: EventKind) {
        if let EventKind::Log { message, .. } = &event {
            self.pages().write(message);
        }
        let _ = self.sender.try_send(Message::Event(self.task, event));
    }

    /// The last command and the tail of its output.
    pub fn close(&self) -> Vec<String> {
        let mut pages = self.pages();
        let _ = pages.log.flush();
        std::mem::take(&mut pages.tail).into()
    }

    fn pages(&self) -> std::sync::MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pages {
    fn write(&mut self, line: &str) {
        // A log that can't be written is no reason to fail a release.
        let _ = writeln!(self.log, "{line}");
    }
}
