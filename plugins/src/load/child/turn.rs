//! One call of a child, on forge's side: threads that serve what the plugin asks for until it returns, is killed or dies.
//! Does not know the process beyond that it can be written to and killed.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

use forge_schemas::{Failure, FailureClass, Level};

use super::host::{ended, result};
use super::message::{Hello, Progressed};
use super::process::Process;
use super::wire::{Frame, Kind};
use crate::load::services::Services;
use crate::panics::caught;
use crate::refusal::Refusal;

/// How often a call is looked at that says nothing.
const TICK: Duration = Duration::from_millis(20);
/// How long a call may take to return after it was asked to stop.
const GRACE: Duration = Duration::from_secs(5);

/// What happens to a call.
pub(super) enum Event {
    Hello(Hello),
    Returned(Frame),
    Asked(Frame),
    Log(Level, String),
    Progress(Progressed),
    /// A line that the process wrote.
    Output(String),
    /// The process is no more.
    Gone(Failure),
}

/// How long a call may take.
#[derive(Debug, Clone)]
pub(super) struct Patience {
    limit: Duration,
    /// What takes so long, for a sentence.
    what: String,
}

/// A call that is being served. Whoever has the events waits for the next, and leaves them to another thread before it
/// serves one that may take long.
pub(super) struct Turn<'a> {
    process: &'a Process,
    call: u64,
    services: &'a dyn Services,
    events: Mutex<Receiver<Event>>,
    /// Threads that wait for events, and threads that serve.
    idle: AtomicUsize,
    busy: AtomicUsize,
    over: AtomicBool,
    watch: Mutex<Watch>,
    result: Mutex<Option<Result<Vec<u8>, Refusal>>>,
}

/// When a call is to be stopped.
struct Watch {
    patience: Patience,
    looked: Instant,
    /// What the plugin has taken so far, without what forge did for it.
    spent: Duration,
    asked: Option<(Instant, Why)>,
}

/// Why a call is to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    Cancelled,
    TooLong,
}

impl Event {
    /// None for what a child has no business to send.
    pub(super) fn of(frame: Frame) -> Option<Event> {
        Some(match frame.kind {
            Kind::Hello => Event::Hello(serde_json::from_slice(&frame.body).ok()?),
            Kind::Return => Event::Returned(frame),
            Kind::Service => Event::Asked(frame),
            Kind::Log => Event::Log(level(frame.status), String::from_utf8_lossy(&frame.body).into_owned()),
            Kind::Progress => Event::Progress(serde_json::from_slice(&frame.body).ok()?),
            Kind::Call | Kind::Served | Kind::Cancel | Kind::Library => return None,
        })
    }
}

fn level(number: i32) -> Level {
    match number {
        ..=0 => Level::Trace,
        1 => Level::Debug,
        2 => Level::Info,
        3 => Level::Warn,
        4.. => Level::Error,
    }
}

impl Patience {
    pub(super) fn of(limit: Duration, what: &str) -> Patience {
        Patience { limit, what: what.to_owned() }
    }

    /// What there is to say of a plugin that has used it up.
    fn failure(&self, plugin: &str) -> Failure {
        let words = format!("plugin `{plugin}` has not ended {} within {:?}", self.what, self.limit);
        let failure = Failure::tool(words);
        match self.what.as_str() {
            "a step" => failure.help("if it needs longer, say so: `timeout = \"2h\"` in its table of `[plugins]`"),
            _ => failure.help("tell the plugin's author: to plan is quick"),
        }
    }
}

impl<'a> Turn<'a> {
    pub(super) fn new(
        process: &'a Process,
        call: u64,
        services: &'a dyn Services,
        events: Receiver<Event>,
        patience: Patience,
    ) -> Turn<'a> {
        Turn {
            process,
            call,
            services,
            events: Mutex::new(events),
            idle: AtomicUsize::new(0),
            busy: AtomicUsize::new(0),
            over: AtomicBool::new(false),
            watch: Mutex::new(Watch { patience, looked: Instant::now(), spent: Duration::ZERO, asked: None }),
            result: Mutex::new(None),
        }
    }

    /// Serves the call to its end. When this returns, no thread uses the services any more.
    pub(super) fn serve(self) -> Result<Vec<u8>, Refusal> {
        thread::scope(|threads| self.follow(threads));
        let watch = self.watch.into_inner().unwrap_or_else(PoisonError::into_inner);
        let result = self.result.into_inner().unwrap_or_else(PoisonError::into_inner);
        let result = result.unwrap_or_else(|| Err(Refusal::from(Failure::bug("its process has ended"))));
        match (result, watch.asked) {
            // It was not the run that was interrupted.
            (Err(_), Some((_, Why::TooLong))) => Err(Refusal::from(watch.patience.failure(self.process.title()))),
            (result, _) => result,
        }
    }

    fn follow<'s>(&'s self, threads: &'s Scope<'s, '_>) {
        loop {
            self.idle.fetch_add(1, Ordering::SeqCst);
            let asked = self.next();
            let others = self.idle.fetch_sub(1, Ordering::SeqCst) - 1;
            let Some(asked) = asked else { return };
            if others == 0 {
                // Where there is no thread to be had, what comes next waits for this.
                let _ = thread::Builder::new().spawn_scoped(threads, || self.follow(threads));
            }
            self.answer(asked);
        }
    }

    /// What the call asks for next; none when it is over. What it only tells is passed on as it comes, in its order.
    fn next(&self) -> Option<Frame> {
        let events = lock(&self.events);
        while !self.over.load(Ordering::SeqCst) {
            // Also while it talks without an end.
            self.look();
            match events.recv_timeout(TICK) {
                Ok(Event::Asked(frame)) => return Some(frame),
                Ok(Event::Returned(frame)) => self.end(result(frame)),
                Ok(Event::Gone(failure)) => self.end(Err(Refusal::from(failure))),
                Ok(Event::Log(level, line)) => self.services.log(level, &line),
                Ok(Event::Output(line)) => self.services.log(Level::Debug, &line),
                Ok(Event::Progress(it)) => self.services.progress(it.done, it.total, &it.message),
                Ok(Event::Hello(_)) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    self.end(Err(Refusal::from(Failure::bug("its process has ended"))));
                }
            }
        }
        None
    }

    fn end(&self, result: Result<Vec<u8>, Refusal>) {
        *lock(&self.result) = Some(result);
        self.over.store(true, Ordering::SeqCst);
    }

    fn answer(&self, frame: Frame) {
        self.busy.fetch_add(1, Ordering::SeqCst);
        let served = caught(|| self.services.serve(&frame.name, &frame.body)).unwrap_or_else(|mut panic| {
            panic.failure.message = format!("forge itself {}", panic.failure.message);
            Err(panic)
        });
        self.busy.fetch_sub(1, Ordering::SeqCst);
        let (status, body) = ended(served);
        self.process.send(&Frame { status, body, seq: frame.seq, ..Frame::new(Kind::Served, self.call) });
    }

    /// Asks the call to stop where it should, and kills the process of one that does not.
    fn look(&self) {
        let mut watch = lock(&self.watch);
        let since = watch.looked.elapsed();
        if since < TICK {
            return;
        }
        watch.looked = Instant::now();
        if self.busy.load(Ordering::SeqCst) == 0 {
            watch.spent += since;
        }
        match watch.asked {
            None => {
                let why = match (self.services.cancelled(), watch.spent > watch.patience.limit) {
                    (true, _) => Why::Cancelled,
                    (_, true) => Why::TooLong,
                    _ => return,
                };
                watch.asked = Some((Instant::now(), why));
                self.process.send(&Frame::new(Kind::Cancel, self.call));
            }
            Some((at, why)) if at.elapsed() > GRACE => self.process.kill(match why {
                Why::Cancelled => Failure::new(FailureClass::Cancelled, "the run was interrupted").cause(format!(
                    "plugin `{}` did not stop when it was asked to, and its process was killed",
                    self.process.title()
                )),
                Why::TooLong => watch
                    .patience
                    .failure(self.process.title())
                    .cause("it did not stop when it was asked to, and its process was killed"),
            }),
            Some(_) => {}
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
