//! The plugin's side of a call in flight: the host, as a pipe sees it, made of the functions of the C table.
//! Does not know pipes.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use forge_schemas::{
    Artifact, AskTrace, Command, Emit, Exit, Failure, Finding, GetSecret, GotSecret, HttpRequest, HttpResponse, Level,
    Note, Render, RenderReply, Run, Trace,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::abi::{CallId, HostV1, MAJOR, Status, Str};
use crate::refusal::Refusal;
use crate::{Host, Renderer, message};

/// A repeat of the same progress within this time says nothing new to a person.
const PROGRESS_EVERY: Duration = Duration::from_millis(50);

/// A host that was found good: every function of version 1.0 is there.
#[derive(Clone, Copy)]
pub(crate) struct HostTable(&'static HostV1);

/// One call in flight.
#[derive(Clone, Copy)]
pub(crate) struct Line {
    table: HostTable,
    call: CallId,
}

/// What `run` acts through.
pub(crate) struct RunningHost<'a> {
    line: Line,
    run: &'a Run,
    shown: Mutex<Option<(Instant, String)>>,
}

impl HostTable {
    /// Checks a host that is handed to `init`.
    ///
    /// # Safety
    /// `host` is null, or points to a `HostV1` of its own `struct_size` that stays valid for as long as the process lives.
    pub(crate) unsafe fn new(host: *const HostV1) -> Option<HostTable> {
        // SAFETY: the size and the major version are readable in every version of the struct.
        let (size, major) = unsafe { (host.as_ref()?.struct_size, (*host).abi_major) };
        if major != MAJOR || (size as usize) < size_of::<HostV1>() {
            return None;
        }
        // SAFETY: it is as large as the struct that we know.
        let host = unsafe { &*host };
        let whole = host.reply.is_some()
            && host.set_error.is_some()
            && host.log.is_some()
            && host.progress.is_some()
            && host.cancelled.is_some()
            && host.call.is_some()
            && host.release.is_some();
        whole.then_some(HostTable(host))
    }

    pub(crate) fn line(self, call: CallId) -> Line {
        Line { table: self, call }
    }
}

impl Line {
    pub(crate) fn reply(self, body: &[u8]) -> Status {
        match self.table.0.reply {
            // SAFETY: the host copies the body before it returns (M3).
            Some(reply) => unsafe { reply(self.table.0, self.call, Str::of(body)) },
            None => Status::UNIMPLEMENTED,
        }
    }

    pub(crate) fn set_error(self, body: &[u8]) {
        if let Some(set_error) = self.table.0.set_error {
            // SAFETY: as for `reply`.
            unsafe { set_error(self.table.0, self.call, Str::of(body)) };
        }
    }

    fn log(self, level: u32, message: &str) {
        if let Some(log) = self.table.0.log {
            // SAFETY: as for `reply`.
            unsafe { log(self.table.0, self.call, level, Str::of(message.as_bytes()), Str::EMPTY) };
        }
    }

    fn progress(self, done: u64, total: u64, message: &str) {
        if let Some(progress) = self.table.0.progress {
            // SAFETY: as for `reply`.
            unsafe { progress(self.table.0, self.call, done, total, Str::of(message.as_bytes())) };
        }
    }

    fn cancelled(self) -> bool {
        // SAFETY: plain values go in and come out.
        self.table.0.cancelled.is_none_or(|cancelled| unsafe { cancelled(self.table.0, self.call) != 0 })
    }

    /// Asks for a service, and takes its answer apart.
    fn ask<Q: Serialize, A: DeserializeOwned>(self, service: &str, request: &Q) -> Result<A, Failure> {
        let request =
            message::write(request, format_args!("what is asked of `{service}`")).map_err(|refusal| refusal.failure)?;
        self.ask_bytes(service, &request, |status, answer| match status {
            Status::OK => {
                message::read(answer, format_args!("the answer of `{service}`")).map_err(|refusal| refusal.failure)
            }
            Status::STALE => Err(Failure::bug(format!("`{service}` was asked for after the call was over"))),
            status => Err(Refusal::answered(&format!("`{service}`"), status, Some(answer)).failure),
        })
    }

    fn rendered(self, template: &str, names: &Value) -> Result<RenderReply, Failure> {
        self.ask("template.render", &Render { template: template.to_owned(), names: names.clone() })
    }

    fn ask_bytes<A>(self, service: &str, request: &[u8], read: impl FnOnce(Status, &[u8]) -> A) -> A {
        let mut answer = Str::EMPTY;
        let Some(call) = self.table.0.call else {
            return read(Status::UNIMPLEMENTED, b"");
        };
        // SAFETY: name and request live until the call returns; `answer` is ours to be written.
        let status =
            unsafe { call(self.table.0, self.call, Str::of(service.as_bytes()), Str::of(request), &raw mut answer) };
        // SAFETY: the answer is valid until it is given back below (M4); a stale call has none.
        let bytes = unsafe { answer.bytes() }.unwrap_or_default();
        let result = read(status, bytes);
        if let (Some(release), false) = (self.table.0.release, answer.ptr.is_null()) {
            // SAFETY: nothing of the answer is kept: `result` was parsed from it, and owns what it has.
            unsafe { release(self.table.0, self.call, answer.ptr) };
        }
        result
    }
}

impl Renderer for Line {
    fn render(&self, template: &str, names: &Value) -> Result<RenderReply, String> {
        self.rendered(template, names).map_err(|failure| failure.message)
    }
}

impl<'a> RunningHost<'a> {
    pub(crate) fn new(line: Line, run: &'a Run) -> RunningHost<'a> {
        RunningHost { line, run, shown: Mutex::new(None) }
    }

    /// Whether this says something that was not just said.
    fn is_news(&self, done: u64, total: u64, message: &str) -> bool {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let old = shown.as_ref().is_some_and(|(at, said)| said == message && at.elapsed() < PROGRESS_EVERY);
        if old && (total == 0 || done < total) {
            return false;
        }
        *shown = Some((Instant::now(), message.to_owned()));
        true
    }
}

impl Host for RunningHost<'_> {
    fn inputs(&self) -> &[Artifact] {
        &self.run.inputs
    }

    fn found(&self) -> &[Finding] {
        &self.run.found
    }

    fn root(&self) -> &Path {
        &self.run.host.root
    }

    fn dir(&self) -> &Path {
        &self.run.host.dir
    }

    fn exec(&self, command: &Command) -> Result<Exit, Failure> {
        self.line.ask("exec", command)
    }

    fn http(&self, request: &HttpRequest) -> Result<HttpResponse, Failure> {
        self.line.ask("http.send", request)
    }

    fn emit(&self, emit: &Emit) -> Result<Artifact, Failure> {
        self.line.ask("artifact.emit", emit)
    }

    fn log(&self, level: Level, message: &str) {
        self.line.log(level as u32, message);
    }

    fn progress(&self, done: u64, total: u64, message: &str) {
        if self.is_news(done, total, message) {
            self.line.progress(done, total, message);
        }
    }

    fn cancelled(&self) -> bool {
        self.line.cancelled()
    }

    fn remember(&self, key: &str, value: &Value) -> Result<(), Failure> {
        let note = Note { key: key.to_owned(), value: value.clone() };
        self.line.ask::<_, Value>("note.set", &note).map(drop)
    }

    fn recall(&self, key: &str) -> Result<Value, Failure> {
        let note = Note { key: key.to_owned(), value: Value::Null };
        self.line.ask::<_, Note>("note.get", &note).map(|note| note.value)
    }

    fn secret(&self, name: &str) -> Result<String, Failure> {
        self.line.ask::<_, GotSecret>("secret.get", &GetSecret { name: name.to_owned() }).map(|got| got.value)
    }

    fn trace(&self) -> Result<Trace, Failure> {
        self.line.ask("artifact.trace", &AskTrace {})
    }

    fn render(&self, template: &str, names: &Value) -> Result<String, Failure> {
        self.line.rendered(template, names).map(|reply| reply.text)
    }
}
