//! One child process: started in a process group of its own, its output masked and line by line, stopped with all that it
//! started. Does not know which task it serves, nor what the lines mean.

use std::collections::{BTreeMap, VecDeque};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use forge_schemas::{Command, Exit, Failure, FailureClass};
use rustix::process::Signal;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Child;
use tokio::sync::watch;

use super::cancel::Stop;
use super::mask::{Mask, Masked};
use super::orphans::Group;

/// How long a child may take to end after it was asked to.
const GRACE: Duration = Duration::from_secs(5);
/// How long the pipes of a child that has ended may be held open by what it left behind.
const LINGER: Duration = Duration::from_millis(500);
const STDOUT_KEPT: usize = 1 << 20;
const STDERR_KEPT: usize = 64 << 10;
const LINE_KEPT: usize = 64 << 10;
const CHUNK: usize = 8 << 10;

/// Where a program writes a line to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// A program to start.
pub struct Start<'a> {
    /// The program, with what it sees of its environment beside `env`.
    pub command: &'a Command,
    /// Where it runs, unless the command names a directory.
    pub directory: &'a Path,
    /// All that it sees beside what the command says.
    pub env: &'a BTreeMap<String, String>,
    /// What must not be seen of its output.
    pub mask: &'a Mask,
}

/// Starts a program and waits for it. `line` is told what it writes.
pub async fn run(
    start: &Start<'_>,
    stop: watch::Receiver<Stop>,
    line: &(dyn Fn(Stream, &str) + Send + Sync),
) -> Result<Exit, Failure> {
    let (mut child, group) = spawn(start)?;
    let mut stdout = Kept::new(STDOUT_KEPT);
    let mut stderr = Kept::new(STDERR_KEPT);
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let status = {
        let waiting = wait(&mut child, &group, stop);
        let reading = async {
            tokio::join!(
                follow(out, start.mask.stream(), &mut stdout, |it| line(Stream::Out, it)),
                follow(err, start.mask.stream(), &mut stderr, |it| line(Stream::Err, it))
            )
        };
        tokio::pin!(waiting, reading);
        let mut is_read = false;
        let status = loop {
            tokio::select! {
                status = &mut waiting => break status,
                _ = &mut reading, if !is_read => is_read = true,
            }
        };
        if !is_read {
            let _ = tokio::time::timeout(LINGER, reading).await;
        }
        status
    };
    group.end().await;
    ended(status, stdout, stderr)
}

enum Ended {
    Itself(ExitStatus),
    Stopped,
}

fn spawn(start: &Start<'_>) -> Result<(Child, Group), Failure> {
    let Some((program, arguments)) = start.command.argv.split_first() else {
        return Err(Failure::input("there is no program to start: the command is empty"));
    };
    let directory = start.command.dir.as_deref().unwrap_or(start.directory);
    let mut command = tokio::process::Command::new(program);
    command
        .args(arguments)
        .current_dir(directory)
        .env_clear()
        .envs(start.env)
        .envs(&start.command.env)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    Group::start(&mut command).map_err(|error| not_started(program, directory, &error))
}

fn not_started(program: &str, directory: &Path, error: &std::io::Error) -> Failure {
    if error.kind() == std::io::ErrorKind::NotFound && directory.is_dir() {
        return Failure::tool(format!("there is no program `{program}`"))
            .help(format!("install `{program}`, or put its directory into PATH"));
    }
    Failure::tool(format!("can't start `{program}` in `{}`: {error}", directory.display()))
}

async fn wait(child: &mut Child, group: &Group, mut stop: watch::Receiver<Stop>) -> std::io::Result<Ended> {
    tokio::select! {
        status = child.wait() => return status.map(Ended::Itself),
        _ = stop.wait_for(|stop| *stop >= Stop::Ask) => {}
    }
    group.signal(Signal::TERM);
    tokio::select! {
        _ = child.wait() => {}
        () = tokio::time::sleep(GRACE) => {}
        _ = stop.wait_for(|stop| *stop >= Stop::Kill) => {}
    }
    // What it started may outlive it; the group goes as a whole.
    group.signal(Signal::KILL);
    child.wait().await?;
    Ok(Ended::Stopped)
}

fn ended(status: std::io::Result<Ended>, stdout: Kept, stderr: Kept) -> Result<Exit, Failure> {
    match status {
        Ok(Ended::Itself(status)) => Ok(Exit {
            code: status.code(),
            signal: status.signal(),
            stdout: stdout.into_text(),
            stderr: stderr.into_text(),
        }),
        Ok(Ended::Stopped) => Err(Failure::new(FailureClass::Cancelled, "the run was interrupted")),
        Err(error) => Err(Failure::new(FailureClass::Machine, format!("can't wait for the program: {error}"))),
    }
}

async fn follow(stream: Option<impl AsyncRead + Unpin>, mut masked: Masked, kept: &mut Kept, line: impl Fn(&str)) {
    let Some(mut stream) = stream else { return };
    let mut lines = Lines { kept, line, begun: Vec::new() };
    let mut bytes = vec![0; CHUNK];
    let mut certain = Vec::new();
    loop {
        match stream.read(&mut bytes).await {
            Ok(0) | Err(_) => break,
            Ok(read) => masked.push(&bytes[..read], &mut certain),
        }
        lines.push(&certain);
        certain.clear();
    }
    masked.finish(&mut certain);
    lines.push(&certain);
    lines.end();
}

/// Cuts what a program writes into lines, and tells them.
struct Lines<'k, L: Fn(&str)> {
    kept: &'k mut Kept,
    line: L,
    begun: Vec<u8>,
}

impl<L: Fn(&str)> Lines<'_, L> {
    fn push(&mut self, bytes: &[u8]) {
        self.kept.push(bytes);
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.begun.extend_from_slice(piece);
            // A child that never ends its line can't take all the memory.
            if piece.ends_with(b"\n") || self.begun.len() >= LINE_KEPT {
                self.tell();
            }
        }
    }

    fn end(&mut self) {
        if !self.begun.is_empty() {
            self.tell();
        }
    }

    fn tell(&mut self) {
        let text = String::from_utf8_lossy(&self.begun);
        (self.line)(text.trim_end_matches(['\n', '\r']));
        self.begun.clear();
    }
}

/// The last bytes of a stream.
struct Kept {
    bytes: VecDeque<u8>,
    most: usize,
}

impl Kept {
    fn new(most: usize) -> Kept {
        Kept { bytes: VecDeque::new(), most }
    }

    fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
        let surplus = self.bytes.len().saturating_sub(self.most);
        self.bytes.drain(..surplus);
    }

    fn into_text(self) -> String {
        String::from_utf8_lossy(&Vec::from(self.bytes)).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::run::secrets::Secret;

    const SECRET: &str = "0123456789canary";

    fn shell(script: &str, stop: Option<Stop>) -> String {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (sender, receiver) = watch::channel(Stop::Go);
        let lines = Mutex::new(Vec::new());
        let line = |_: Stream, line: &str| {
            lines.lock().unwrap().push(line.to_owned());
            if let Some(stop) = stop {
                sender.send_replace(stop);
            }
        };
        let command = Command::new(["sh", "-c", script]);
        let env = std::env::vars().filter(|(name, _)| name == "PATH").collect();
        let mask = Mask::default();
        mask.learn([("it", &Secret::new(SECRET))]);
        let start = Start { command: &command, directory: Path::new("/"), env: &env, mask: &mask };
        let result = runtime.block_on(run(&start, receiver, &line));
        let words = result.map_or_else(|failure| failure.message, |exit| exit.in_words());
        format!("{} [{}]", words, lines.into_inner().unwrap().join("|"))
    }

    #[test]
    fn lines_and_exit_status() {
        assert_eq!(shell("echo one; echo two; exit 3", None), "exit status 3 [one|two]");
        assert_eq!(shell("printf 'no end'; kill -9 $$", None), "signal 9 [no end]");
    }

    #[test]
    fn a_secret_across_the_end_of_a_line_that_is_too_long() {
        for before in [LINE_KEPT - 8, LINE_KEPT, LINE_KEPT - SECRET.len()] {
            let script = format!("head -c {before} /dev/zero | tr '\\0' x; printf 0123456789; printf 'canary!'");
            let seen = shell(&script, None).replace('x', "");
            assert!(
                matches!(&*seen, "eit status 0 [***!]" | "eit status 0 [|***!]" | "eit status 0 [***|!]"),
                "{seen}"
            );
        }
    }

    #[test]
    fn a_group_is_stopped_as_a_whole() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let script = format!(
            "(trap '' TERM; echo $BASHPID >/dev/null; exec sleep 600) & echo $! > {0}; echo up; wait",
            file.path().display()
        );
        assert_eq!(shell(&script, Some(Stop::Kill)), "the run was interrupted [up]");
        let grandchild: i32 = std::fs::read_to_string(file.path()).unwrap().trim().parse().unwrap();
        let state = || std::fs::read_to_string(format!("/proc/{grandchild}/stat")).unwrap_or_default();
        let is_gone = || state().is_empty() || state().contains(") Z");
        // A process that was killed is gone when the kernel comes to it, which may take a while on a busy machine.
        let patience = std::time::Instant::now() + Duration::from_secs(30);
        while !is_gone() && std::time::Instant::now() < patience {
            std::thread::yield_now();
        }
        assert!(is_gone(), "{}", state());
    }

    #[test]
    fn what_it_leaves_behind_does_not_hold_the_run_up() {
        assert_eq!(shell("sleep 600 & echo up", None), "exit status 0 [up]");
    }
}
