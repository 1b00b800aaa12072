//! What one task has to say while it runs: into its log file, to the sinks, and the tail that a failure shows.
//! Masks all of it. Never waits for a slow terminal: lines that find no room are in the log all the same.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use forge_schemas::{EventKind, Failure, Level};
use tokio::sync::mpsc::Sender;

use super::Message;
use super::mask::Mask;
use super::process::Stream;
use crate::plan::TaskId;

/// How many lines of each stream a failure shows. A program that says much on one does not hide what it said on the other.
const TAIL: usize = 12;

/// The diary of one task.
pub struct Diary {
    task: TaskId,
    sender: Sender<Message>,
    mask: Arc<Mask>,
    pages: Mutex<Pages>,
}

struct Pages {
    log: BufWriter<File>,
    command: Option<String>,
    /// The last lines of standard output and of standard error, each with its place among all.
    tails: [VecDeque<(u64, String)>; 2],
    lines: u64,
}

impl Diary {
    /// The diary of a task, in this new file. What `mask` knows does not get into it.
    pub fn open(task: TaskId, path: &Path, sender: Sender<Message>, mask: Arc<Mask>) -> Result<Diary, Failure> {
        let log = File::create(path).map_err(|error| Failure::file("write", path, &error))?;
        let pages = Pages { log: BufWriter::new(log), command: None, tails: Default::default(), lines: 0 };
        Ok(Diary { task, sender, mask, pages: Mutex::new(pages) })
    }

    /// The task starts a program.
    pub fn command(&self, argv: &[String]) {
        let argv: Vec<String> = argv.iter().map(|it| self.mask.text(it).into_owned()).collect();
        let line = format!("$ {}", shell_words::join(&argv));
        {
            let mut pages = self.pages();
            pages.tails = Default::default();
            pages.write(&line);
            pages.command = Some(line);
        }
        self.send(EventKind::Command { argv });
    }

    /// A program wrote a line, which is masked already.
    pub fn output(&self, stream: Stream, line: &str) {
        {
            let mut pages = self.pages();
            pages.write(line);
            pages.remember(stream, line);
        }
        self.send(EventKind::Output { line: line.to_owned() });
    }

    /// Something for the log alone.
    pub fn note(&self, line: &str) {
        self.pages().write(&self.mask.text(line));
    }

    /// The task has something to say.
    pub fn log(&self, level: Level, message: &str) {
        let message = self.mask.text(message).into_owned();
        self.pages().write(&message);
        self.send(EventKind::Log { level, message });
    }

    /// The task got further.
    pub fn progress(&self, done: u64, total: u64, message: &str) {
        self.send(EventKind::Progress { done, total, message: self.mask.text(message).into_owned() });
    }

    // For the sinks, if there is room.
    fn send(&self, event: EventKind) {
        let _ = self.sender.try_send(Message::Event(self.task, event));
    }

    /// The last command and the tail of its output.
    pub fn close(&self) -> Vec<String> {
        let mut pages = self.pages();
        let _ = pages.log.flush();
        let mut lines: Vec<(u64, String)> = std::mem::take(&mut pages.tails).into_iter().flatten().collect();
        lines.sort_unstable();
        pages.command.take().into_iter().chain(lines.into_iter().map(|(_, line)| line)).collect()
    }

    fn pages(&self) -> std::sync::MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pages {
    fn remember(&mut self, stream: Stream, line: &str) {
        let tail = &mut self.tails[stream as usize];
        if tail.len() == TAIL {
            tail.pop_front();
        }
        tail.push_back((self.lines, line.to_owned()));
        self.lines += 1;
    }

    fn write(&mut self, line: &str) {
        // A log that can't be written is no reason to fail a release.
        let _ = writeln!(self.log, "{line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn much_on_one_stream_does_not_hide_the_other() {
        let directory = tempfile::tempdir().unwrap();
        let (sender, _receiver) = tokio::sync::mpsc::channel(1);
        let diary = Diary::open(TaskId::new(0), &directory.path().join("log"), sender, Arc::default()).unwrap();
        diary.command(&["make".to_owned()]);
        diary.output(Stream::Err, "error: it is broken");
        for at in 0..500 {
            diary.output(Stream::Out, &format!("line {at}"));
        }
        let tail = diary.close();
        assert_eq!(tail[..3], ["$ make", "error: it is broken", "line 488"]);
        assert_eq!(tail.len(), 2 + TAIL);
    }
}
