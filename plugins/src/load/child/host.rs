//! `forge plugin-host`: the child's side. Loads the library that it is sent, and answers calls until the socket ends.
//! Does not know which forge it serves, and acts on nothing by itself: what a call asks for goes back over the socket.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use forge_schemas::{Failure, Level};
use rustix::process::{Signal, getpgrp, getpid, kill_current_process_group};

use super::message::{Hello, Progressed};
use super::wire::{Frame, Kind};
use crate::abi::Status;
use crate::load::services::Services;
use crate::load::{Plugin, handshake};
use crate::refusal::Refusal;

/// The stack of a thread that calls a plugin, in bytes.
const STACK: usize = 8 << 20;
/// How long `fini` may take.
const LAST: Duration = Duration::from_secs(2);
/// Progress within this time says nothing new to a person.
const PROGRESS_EVERY: Duration = Duration::from_millis(50);

/// Serves the forge that has started this process, and leaves. The socket to it is standard input.
pub fn plugin_host() -> ! {
    match line() {
        Ok((line, reader)) => serve(&line, reader),
        Err(error) => {
            let _ =
                writeln!(io::stderr(), "error: this is for forge to start, with a socket as standard input: {error}");
            leave(2)
        }
    }
}

/// Ends the process as it is: what libraries have registered for its end is not run, for their threads may still be
/// running too.
pub fn leave(status: u8) -> ! {
    // SAFETY: the C library's own declaration; it takes any number.
    unsafe extern "C" {
        safe fn _exit(status: std::ffi::c_int) -> !;
    }
    let _ = io::stdout().flush();
    _exit(i32::from(status))
}

/// From now on this process ends by [`leave`] alone. A library in it that calls `exit` ends it too, but not as if all were
/// well: with this exit code.
pub fn end_only_by_leaving(status: u8) {
    static STATUS: AtomicU8 = AtomicU8::new(0);
    // SAFETY: the C library's own declaration, and a function that may be called at any time.
    unsafe extern "C" {
        safe fn atexit(function: extern "C" fn()) -> std::ffi::c_int;
    }
    extern "C" fn ended() {
        let _ = writeln!(io::stderr(), "error: a library in forge's own process has called `exit`");
        leave(STATUS.load(Ordering::Relaxed));
    }
    STATUS.store(status, Ordering::Relaxed);
    atexit(ended);
}

/// The socket. Nothing of a plugin will find it where it came in.
fn line() -> io::Result<(Arc<Line>, UnixStream)> {
    let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    socket.peer_addr()?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    let reader = socket.try_clone()?;
    Ok((Arc::new(Line { socket: Mutex::new(socket), next: AtomicU64::new(1), calls: Mutex::default() }), reader))
}

/// The way to forge, for all threads.
struct Line {
    socket: Mutex<UnixStream>,
    /// The number of the next thing that is asked for.
    next: AtomicU64,
    calls: Mutex<HashMap<u64, Arc<Call>>>,
}

/// A call in flight.
#[derive(Default)]
struct Call {
    cancelled: AtomicBool,
    /// Who waits for what was asked for.
    waiting: Mutex<HashMap<u64, Sender<Frame>>>,
}

fn serve(line: &Arc<Line>, socket: UnixStream) -> ! {
    let mut reader = BufReader::new(socket);
    let plugin = match Frame::read(&mut reader) {
        Ok(Some(Frame { kind: Kind::Library, body, .. })) => load(line, &body),
        _ => leave(2),
    };
    while let Ok(Some(frame)) = Frame::read(&mut reader) {
        match frame.kind {
            Kind::Call => start(line, &plugin, frame),
            Kind::Served => line.served(frame),
            Kind::Cancel => line.cancel(frame.call),
            _ => {}
        }
    }
    end(line, plugin)
}

/// Loads the plugin, and says how that went.
fn load(line: &Line, bytes: &[u8]) -> Arc<Plugin> {
    let loaded = handshake::load_alone(bytes);
    let hello = match &loaded {
        Ok(plugin) => Hello::Ready { info: plugin.info().clone(), one_at_a_time: plugin.one_at_a_time() },
        Err(error) => {
            Hello::Refused { message: error.message().to_owned(), help: error.advice().map(ToOwned::to_owned) }
        }
    };
    line.send(&Frame { body: serde_json::to_vec(&hello).unwrap_or_default(), ..Frame::new(Kind::Hello, 0) });
    loaded.map_or_else(|_| leave(0), Arc::new)
}

/// Forge has gone, or wants no more. A plugin that is idle may tidy up; one that is not goes with all that it has started.
fn end(line: &Line, plugin: Arc<Plugin>) -> ! {
    thread::spawn(|| {
        thread::sleep(LAST);
        leave(0)
    });
    if lock(&line.calls).is_empty() {
        drop(plugin);
    } else if getpgrp() == getpid() {
        let _ = kill_current_process_group(Signal::KILL);
    }
    leave(0)
}

fn start(line: &Arc<Line>, plugin: &Arc<Plugin>, frame: Frame) {
    let call = Arc::<Call>::default();
    let id = frame.call;
    lock(&line.calls).insert(id, call.clone());
    let (own, plugin) = (line.clone(), plugin.clone());
    let work = move || {
        let services = Forwarded { line: &own, id, call: &call, shown: Mutex::new(None) };
        let result = plugin.call(&frame.name, &frame.body, &services);
        own.give_back(id, result);
    };
    if let Err(error) = thread::Builder::new().name("call".to_owned()).stack_size(STACK).spawn(work) {
        line.give_back(id, Err(Refusal::new(Status::UNAVAILABLE, format!("can't start a thread: {error}"))));
    }
}

impl Line {
    /// One that can't be sent has nobody to receive it.
    fn send(&self, frame: &Frame) {
        if frame.write(&mut *lock(&self.socket)).is_err() {
            leave(0);
        }
    }

    fn served(&self, frame: Frame) {
        let call = lock(&self.calls).get(&frame.call).cloned();
        let waiting = call.and_then(|call| lock(&call.waiting).remove(&frame.seq));
        if let Some(waiting) = waiting {
            let _ = waiting.send(frame);
        }
    }

    fn cancel(&self, call: u64) {
        if let Some(call) = lock(&self.calls).get(&call) {
            call.cancelled.store(true, Ordering::Relaxed);
        }
    }

    fn give_back(&self, call: u64, result: Result<Vec<u8>, Refusal>) {
        lock(&self.calls).remove(&call);
        let (status, body) = ended(result);
        self.send(&Frame { status, body, ..Frame::new(Kind::Return, call) });
    }
}

/// How a call or a service ended, as a frame says it.
pub(super) fn ended(result: Result<Vec<u8>, Refusal>) -> (i32, Vec<u8>) {
    match result {
        Ok(body) => (Status::OK.0, body),
        Err(refusal) => (refusal.status.0, refusal.body()),
    }
}

/// The same, from a frame.
pub(super) fn result(frame: Frame) -> Result<Vec<u8>, Refusal> {
    match Status(frame.status) {
        Status::OK => Ok(frame.body),
        status => {
            let failure = serde_json::from_slice(&frame.body);
            let failure = failure.unwrap_or_else(|error| Failure::bug(format!("its failure is no message: {error}")));
            Err(Refusal { status, failure })
        }
    }
}

/// The services of a call, on the other side of the socket.
struct Forwarded<'a> {
    line: &'a Line,
    id: u64,
    call: &'a Call,
    shown: Mutex<Option<Instant>>,
}

impl Services for Forwarded<'_> {
    fn serve(&self, service: &str, request: &[u8]) -> Result<Vec<u8>, Refusal> {
        let seq = self.line.next.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = channel();
        lock(&self.call.waiting).insert(seq, sender);
        let (name, body) = (service.to_owned(), request.to_vec());
        self.line.send(&Frame { seq, name, body, ..Frame::new(Kind::Service, self.id) });
        match answer.recv() {
            Ok(frame) => result(frame),
            Err(_) => Err(Refusal::new(Status::STALE, "forge has gone")),
        }
    }

    fn log(&self, level: Level, message: &str) {
        let body = message.as_bytes().to_vec();
        self.line.send(&Frame { status: level as i32, body, ..Frame::new(Kind::Log, self.id) });
    }

    fn progress(&self, done: u64, total: u64, message: &str) {
        {
            let mut shown = lock(&self.shown);
            if done != total && shown.is_some_and(|at| at.elapsed() < PROGRESS_EVERY) {
                return;
            }
            *shown = Some(Instant::now());
        }
        let progressed = Progressed { done, total, message: message.to_owned() };
        let body = serde_json::to_vec(&progressed).unwrap_or_default();
        self.line.send(&Frame { body, ..Frame::new(Kind::Progress, self.id) });
    }

    fn cancelled(&self) -> bool {
        self.call.cancelled.load(Ordering::Relaxed)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
