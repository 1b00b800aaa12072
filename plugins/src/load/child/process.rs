//! One child process: started, spoken to, and, when it has ended, told why. Whoever waits for it hears of its end.
//! Does not know which plugin it has, nor whether it will be started again.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::io::{self, BufReader};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use forge_schemas::{Failure, PluginInfo};
use rustix::process::{Pid, Signal, kill_process_group};

use super::Nursery;
use super::message::Hello;
use super::output::Output;
use super::turn::{Event, Patience, Turn};
use super::wire::{Frame, Kind};
use crate::load::error::LoadError;
use crate::load::services::Services;
use crate::refusal::Refusal;

/// How long a process whose socket has ended may take to end, and its output after it.
const LINGER: Duration = Duration::from_millis(500);
/// How many of the lines that it wrote are kept, and how many are told: of many the first and the last.
const KEPT: usize = 200;
const FIRST: usize = 6;
const LAST: usize = 4;
/// How runtimes begin to say why they end a process. What follows may be long.
const DYING: &[&str] = &["panic: ", "fatal error: ", "terminate called", "thread '"];
/// How many events of a call may wait for those who serve it.
const ROOM: usize = 1 << 10;
/// What to say of a plugin that breaks the line's rules.
const TELL: &str = "tell the plugin's author";

/// A child that runs, or has run.
pub(super) struct Process {
    title: String,
    group: Option<Pid>,
    socket: Mutex<UnixStream>,
    info: PluginInfo,
    /// Held during a call where the plugin wants one at a time.
    turn: Option<Mutex<()>>,
    next: AtomicU64,
    shared: Arc<Shared>,
}

/// What the threads that listen to a child share with those that speak to it.
#[derive(Default)]
struct Shared {
    calls: Mutex<Calls>,
    /// The last lines that it wrote.
    said: Mutex<VecDeque<String>>,
    /// Why it was killed, if it was.
    because: Mutex<Option<Failure>>,
}

/// Who waits for what; and whether there is still somebody to answer.
#[derive(Default)]
struct Calls {
    waiting: HashMap<u64, SyncSender<Event>>,
    over: bool,
}

impl Process {
    /// Starts a child and has it load a library.
    pub(super) fn start(
        title: &str,
        library: &[u8],
        nursery: &Nursery,
        limit: Duration,
    ) -> Result<Arc<Process>, LoadError> {
        let impossible = |error: io::Error| LoadError::new(format!("a process can't be started for it: {error}"));
        let (socket, theirs) = UnixStream::pair().map_err(impossible)?;
        let (output, writer) = io::pipe().map_err(impossible)?;
        let child = spawn(title, nursery, theirs, writer).map_err(impossible)?;
        let group = Pid::from_raw(child.id().cast_signed());
        let shared = Arc::<Shared>::default();
        let (hello, ready) = sync_channel(1);
        lock(&shared.calls).waiting.insert(0, hello);
        let output = Arc::new(Output::new(output));
        let heard = listen(&output, shared.clone()).map_err(impossible)?;
        let reader = socket.try_clone().map_err(impossible)?;
        follow(reader, child, output, heard, shared.clone()).map_err(impossible)?;
        // One that is gone before it has all of it is told of by the thread that follows it.
        let _ = Frame { body: library.to_vec(), ..Frame::new(Kind::Library, 0) }.write(&mut &socket);
        let hello = wait_for_hello(&ready, limit);
        lock(&shared.calls).waiting.remove(&0);
        match hello {
            Ok((info, one_at_a_time)) => Ok(Arc::new(Process {
                title: title.to_owned(),
                group,
                socket: Mutex::new(socket),
                info,
                turn: one_at_a_time.then(Mutex::default),
                next: AtomicU64::new(1),
                shared,
            })),
            Err(error) => {
                kill(group);
                Err(error)
            }
        }
    }

    pub(super) fn info(&self) -> &PluginInfo {
        &self.info
    }

    pub(super) fn one_at_a_time(&self) -> bool {
        self.turn.is_some()
    }

    pub(super) fn is_alive(&self) -> bool {
        !lock(&self.shared.calls).over
    }

    /// Makes a call, and serves it until it ends. None where the process was gone before it heard of the call.
    pub(super) fn call(
        &self,
        method: &str,
        request: &[u8],
        services: &dyn Services,
        patience: Patience,
    ) -> Option<Result<Vec<u8>, Refusal>> {
        let _turn = self.turn.as_ref().map(lock);
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, events) = sync_channel(ROOM);
        {
            let mut calls = lock(&self.shared.calls);
            if calls.over {
                return None;
            }
            calls.waiting.insert(id, sender);
        }
        self.send(&Frame { name: method.to_owned(), body: request.to_vec(), ..Frame::new(Kind::Call, id) });
        let result = Turn::new(self, id, services, events, patience).serve();
        lock(&self.shared.calls).waiting.remove(&id);
        Some(result)
    }

    /// What can't be sent is for nobody: the thread that follows the process tells why.
    pub(super) fn send(&self, frame: &Frame) {
        let _ = frame.write(&mut *lock(&self.socket));
    }

    /// Ends it at once, for this reason.
    pub(super) fn kill(&self, because: Failure) {
        lock(&self.shared.because).get_or_insert(because);
        kill(self.group);
    }

    /// The plugin, for a sentence.
    pub(super) fn title(&self) -> &str {
        &self.title
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It reads the end of the stream, and leaves.
        let _ = lock(&self.socket).shutdown(Shutdown::Both);
    }
}

/// The processes of plugins that nobody has waited for yet, by their numbers.
static LIVING: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// Whether this child of the process is one that a plugin lives in. It is waited for here, and by nobody else.
pub fn is_home_of_plugin(process: u32) -> bool {
    lock(&LIVING).contains(&process)
}

fn spawn(title: &str, nursery: &Nursery, socket: UnixStream, output: io::PipeWriter) -> io::Result<Child> {
    // Held until it is known: who asks about a child that is just there waits.
    let mut living = lock(&LIVING);
    let child = Command::new(&nursery.program)
        // The second is for people who look at a list of processes.
        .args(["plugin-host", title])
        .env_clear()
        .envs(&nursery.env)
        .stdin(Stdio::from(OwnedFd::from(socket)))
        .stdout(output.try_clone()?)
        .stderr(output)
        .process_group(0)
        .spawn()?;
    living.insert(child.id());
    Ok(child)
}

fn wait_for_hello(ready: &Receiver<Event>, limit: Duration) -> Result<(PluginInfo, bool), LoadError> {
    let until = Instant::now() + limit;
    loop {
        return match ready.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(Event::Hello(Hello::Ready { info, one_at_a_time })) => Ok((info, one_at_a_time)),
            Ok(Event::Hello(Hello::Refused { message, help })) => Err(match help {
                Some(help) => LoadError::new(message).help(help),
                None => LoadError::new(message),
            }),
            Ok(Event::Gone(failure)) => {
                let said = failure.causes.iter().map(|cause| format!("; {cause}")).collect::<String>();
                Err(LoadError::new(format!("it could not be loaded: {failure}{said}")).help(TELL))
            }
            // What it prints meanwhile is kept for its last words.
            Ok(_) => continue,
            Err(RecvTimeoutError::Timeout) => {
                let message = format!("it was not loaded within {} s, and its process was killed", limit.as_secs());
                Err(LoadError::new(message).help(TELL))
            }
            Err(RecvTimeoutError::Disconnected) => Err(LoadError::new("its process has ended").help(TELL)),
        };
    }
}

fn kill(group: Option<Pid>) {
    if let Some(group) = group {
        // It may have ended by itself in between.
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// Has the lines told that the process writes. Answers a channel that ends with them.
fn listen(output: &Arc<Output>, shared: Arc<Shared>) -> io::Result<Receiver<()>> {
    let (ended, heard) = channel();
    let output = output.clone();
    let work = move || {
        output.follow(|line| shared.hear(line));
        drop(ended);
    };
    thread::Builder::new().name("plugin output".to_owned()).spawn(work)?;
    Ok(heard)
}

/// Passes on what comes over the socket, and tells everyone when nothing comes any more.
fn follow(
    socket: UnixStream,
    mut child: Child,
    output: Arc<Output>,
    heard: Receiver<()>,
    shared: Arc<Shared>,
) -> io::Result<()> {
    let work = move || {
        let mut reader = BufReader::new(socket);
        let flaw = loop {
            match Frame::read(&mut reader) {
                Ok(Some(frame)) => {
                    // What a call has printed before it returned is told before that.
                    if frame.kind == Kind::Return {
                        output.catch_up(LINGER);
                    }
                    shared.pass(frame);
                }
                Ok(None) => break None,
                Err(error) if error.kind() == io::ErrorKind::InvalidData => break Some(error.to_string()),
                Err(_) => break None,
            }
        };
        // Who comes now starts another.
        lock(&shared.calls).over = true;
        let status = end(&mut child);
        // What it wrote last is still on its way.
        let _ = heard.recv_timeout(LINGER);
        shared.end(&status, flaw);
    };
    thread::Builder::new().name("plugin".to_owned()).spawn(work).map(drop)
}

/// How a process ended whose socket has. One that goes on without it is killed.
fn end(child: &mut Child) -> io::Result<ExitStatus> {
    let ended = wait(child);
    lock(&LIVING).remove(&child.id());
    ended
}

fn wait(child: &mut Child) -> io::Result<ExitStatus> {
    let group = Pid::from_raw(child.id().cast_signed());
    let since = Instant::now();
    while since.elapsed() < LINGER {
        if let Some(status) = child.try_wait()? {
            // What it has started goes with it.
            kill(group);
            return Ok(status);
        }
        thread::sleep(Duration::from_millis(2));
    }
    kill(group);
    child.wait()?;
    Err(io::Error::other("it has closed its line to forge"))
}

/// What of these lines says best why a process has ended: where one of them begins to, all from there on.
fn last_words(said: &VecDeque<String>) -> impl Iterator<Item = &str> {
    let lines: Vec<&str> = said.iter().map(String::as_str).filter(|it| !it.is_empty()).collect();
    let begins = |line: &&str| DYING.iter().any(|it| line.starts_with(it));
    let from = lines.iter().rposition(begins).unwrap_or_else(|| lines.len().saturating_sub(FIRST + LAST));
    let number = lines.len() - from;
    lines.into_iter().skip(from).enumerate().filter(move |(at, _)| *at < FIRST || at + LAST >= number).map(|it| it.1)
}

impl Shared {
    fn pass(&self, frame: Frame) {
        let to = lock(&self.calls).waiting.get(&frame.call).cloned();
        if let (Some(to), Some(event)) = (to, Event::of(frame)) {
            let _ = to.send(event);
        }
    }

    /// A line that it wrote: to all who wait for it, for nobody knows whose it is.
    fn hear(&self, line: &str) {
        {
            let mut said = lock(&self.said);
            said.push_back(line.to_owned());
            if said.len() > KEPT {
                said.pop_front();
            }
        }
        let waiting: Vec<SyncSender<Event>> = lock(&self.calls).waiting.values().cloned().collect();
        for to in waiting {
            let _ = to.send(Event::Output(line.to_owned()));
        }
    }

    fn end(&self, status: &io::Result<ExitStatus>, flaw: Option<String>) {
        let because = lock(&self.because).take();
        let mut failure = because.unwrap_or_else(|| Failure::bug(in_words(status, flaw)));
        failure.causes.extend(last_words(&lock(&self.said)).map(|it| format!("it wrote: {it}")));
        let waiting = std::mem::take(&mut lock(&self.calls).waiting);
        if waiting.len() > 1 {
            let words = format!("{} calls were in it, and which of them has ended it can't be known", waiting.len());
            failure.causes.insert(0, words);
        }
        for to in waiting.into_values() {
            let _ = to.send(Event::Gone(failure.clone()));
        }
    }
}

fn in_words(status: &io::Result<ExitStatus>, flaw: Option<String>) -> String {
    match (flaw, status) {
        (Some(flaw), _) => format!("its process wrote {flaw} to forge, and was killed"),
        (_, Ok(status)) => match (status.code(), status.signal()) {
            (Some(code), _) => format!("its process ended with exit status {code} before it had answered"),
            (_, Some(signal)) => format!("its process was ended by signal {signal}{}", signal_name(signal)),
            _ => "its process has ended".to_owned(),
        },
        (_, Err(error)) => format!("its process was killed: {error}"),
    }
}

fn signal_name(number: i32) -> String {
    let names = [
        (Signal::ABORT, "SIGABRT"),
        (Signal::BUS, "SIGBUS"),
        (Signal::FPE, "SIGFPE"),
        (Signal::ILL, "SIGILL"),
        (Signal::KILL, "SIGKILL"),
        (Signal::PIPE, "SIGPIPE"),
        (Signal::SEGV, "SIGSEGV"),
        (Signal::SYS, "SIGSYS"),
        (Signal::TERM, "SIGTERM"),
        (Signal::TRAP, "SIGTRAP"),
    ];
    let name = names.iter().find(|(signal, _)| signal.as_raw() == number);
    name.map_or_else(String::new, |(_, name)| format!(" ({name})"))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(said: &str, expect: &str) {
        let said = said.lines().map(ToOwned::to_owned).collect();
        assert_eq!(last_words(&said).collect::<Vec<_>>(), expect.lines().collect::<Vec<_>>());
    }

    #[test]
    fn why_it_has_ended() {
        check("", "");
        check("one\n\ntwo", "one\ntwo");
        let numbers = |range: std::ops::Range<u32>| range.map(|it| format!("{it}\n")).collect::<String>();
        check(&numbers(0..30), &numbers(20..30));
        let trace = |message: &str| format!("panic: {message}\n\ngoroutine 7 [running]:\n{}", numbers(0..20));
        let expect = |message: &str| format!("panic: {message}\ngoroutine 7 [running]:\n0\n1\n2\n3\n16\n17\n18\n19");
        check(&trace("it"), &expect("it"));
        check(&(trace("one") + &trace("another")), &expect("another"));
    }
}
