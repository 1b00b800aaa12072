//! The calls in flight, and the functions of the host that they may use. A call is named by a number that is never
//! used again, so what comes late is told apart from what comes now.
//! Does not know services, only that a call has some.

use std::collections::HashMap;
use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use forge_schemas::Level;

use super::services::Services;
use crate::abi::{CallId, HostV1, MAJOR, MAX_MESSAGE, MINOR, Status, Str};
use crate::panics::caught;
use crate::refusal::Refusal;

/// What every plugin is given.
pub(super) static HOST: HostV1 = HostV1 {
    struct_size: size_of::<HostV1>() as u32,
    abi_major: MAJOR,
    abi_minor: MINOR,
    features: 0,
    this: ptr::null_mut::<c_void>(),
    reply: Some(reply),
    set_error: Some(set_error),
    log: Some(log),
    progress: Some(progress),
    cancelled: Some(cancelled),
    call: Some(call),
    release: Some(release),
};

static IN_FLIGHT: RwLock<Option<HashMap<CallId, Arc<InFlight>>>> = RwLock::new(None);
static NEXT: AtomicU64 = AtomicU64::new(1);

struct InFlight {
    /// None when the call is over. Who uses it holds the lock, so that the call's end waits for it.
    services: RwLock<Option<&'static dyn Services>>,
    said: Mutex<Said>,
}

/// What the plugin has said so far, and what was lent to it.
#[derive(Default)]
struct Said {
    reply: Option<Vec<u8>>,
    error: Option<Vec<u8>>,
    /// It said something that is no message.
    broken: Option<&'static str>,
    lent: Vec<Box<[u8]>>,
}

/// A call that is over.
pub(super) struct Ended {
    status: Status,
    said: Said,
}

/// Makes a call: `act` gets its number, and calls the plugin. While it does, the plugin may use `services` from any
/// thread; when this returns, no thread does.
pub(super) fn run(services: &dyn Services, act: impl FnOnce(CallId) -> Status) -> Ended {
    let id = NEXT.fetch_add(1, Ordering::Relaxed);
    // SAFETY: the lifetime is a lie that `Guard` makes good: before `services` can end, it takes this reference out,
    // and waits for those who are using it.
    let services = unsafe { std::mem::transmute::<&dyn Services, &'static dyn Services>(services) };
    let call = Arc::new(InFlight { services: RwLock::new(Some(services)), said: Mutex::default() });
    write(&IN_FLIGHT).get_or_insert_default().insert(id, Arc::clone(&call));
    let guard = Guard { id, call: &call };
    let status = act(id);
    drop(guard);
    let said = std::mem::take(&mut *call.said());
    if status == Status::OK && said.error.is_some() {
        services.log(Level::Warn, "the plugin set an error and returned no failure");
    }
    Ended { status, said }
}

impl Ended {
    /// The answer; `{}` where none was given.
    pub(super) fn body(self) -> Result<Vec<u8>, Refusal> {
        match (self.status, self.said.broken) {
            (Status::OK, Some(what)) => Err(Refusal::new(Status::PROTOCOL, what)),
            (Status::OK, None) => Ok(self.said.reply.unwrap_or_else(|| b"{}".to_vec())),
            (status, _) => Err(Refusal::answered("the plugin", status, self.said.error.as_deref())),
        }
    }
}

/// Ends the call, also when `act` unwinds.
struct Guard<'a> {
    id: CallId,
    call: &'a InFlight,
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if let Some(calls) = write(&IN_FLIGHT).as_mut() {
            calls.remove(&self.id);
        }
        *write(&self.call.services) = None;
    }
}

impl InFlight {
    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

/// Does something for a call in flight. A panic on our side is ours: the plugin is told, and goes on.
fn during(id: CallId, act: impl FnOnce(&InFlight, &dyn Services) -> Status) -> Status {
    let call = IN_FLIGHT.read().unwrap_or_else(PoisonError::into_inner).as_ref().and_then(|it| it.get(&id).cloned());
    let Some(call) = call else {
        return Status::STALE;
    };
    let services = call.services.read().unwrap_or_else(PoisonError::into_inner);
    match *services {
        Some(services) => caught(|| act(&call, services)).unwrap_or(Status::PANICKED),
        None => Status::STALE,
    }
}

/// The bytes that a plugin passes, for as long as the function runs that it passes them to.
fn bytes<'a>(str: Str) -> Result<&'a [u8], Status> {
    // SAFETY: the plugin answers for them until the function returns (M3); no function below keeps them.
    unsafe { str.bytes() }.ok_or(Status::PROTOCOL)
}

/// For people: what is not UTF-8 is replaced (M6).
fn text(str: Str) -> String {
    String::from_utf8_lossy(bytes(str).unwrap_or(b"(no text)")).into_owned()
}

fn message(str: Str) -> Result<Vec<u8>, &'static str> {
    if str.len > MAX_MESSAGE {
        return Err("the plugin said more than a message may have");
    }
    let bytes = bytes(str).map_err(|_| "the plugin said something without a pointer to it")?;
    std::str::from_utf8(bytes).map(|text| text.as_bytes().to_vec()).map_err(|_| "the plugin's answer is not UTF-8")
}

unsafe extern "C" fn reply(_: *const HostV1, id: CallId, body: Str) -> Status {
    during(id, |call, _| match message(body) {
        Ok(body) => {
            call.said().reply = Some(body);
            Status::OK
        }
        Err(what) => {
            call.said().broken = Some(what);
            Status::PROTOCOL
        }
    })
}

unsafe extern "C" fn set_error(_: *const HostV1, id: CallId, body: Str) -> Status {
    during(id, |call, _| match message(body) {
        Ok(body) => {
            call.said().error = Some(body);
            Status::OK
        }
        Err(_) => Status::PROTOCOL,
    })
}

unsafe extern "C" fn log(_: *const HostV1, id: CallId, level: u32, line: Str, fields: Str) -> Status {
    during(id, |_, services| {
        let level = match level {
            0 => Level::Trace,
            1 => Level::Debug,
            2 => Level::Info,
            3 => Level::Warn,
            _ => Level::Error,
        };
        let line = text(line);
        match fields.len {
            0 => services.log(level, &line),
            _ => services.log(level, &format!("{line} {}", text(fields))),
        }
        Status::OK
    })
}

unsafe extern "C" fn progress(_: *const HostV1, id: CallId, done: u64, total: u64, message: Str) -> Status {
    during(id, |_, services| {
        services.progress(done, total, &text(message));
        Status::OK
    })
}

unsafe extern "C" fn cancelled(_: *const HostV1, id: CallId) -> i32 {
    let mut stop = true;
    during(id, |_, services| {
        stop = services.cancelled();
        Status::OK
    });
    i32::from(stop)
}

unsafe extern "C" fn call(_: *const HostV1, id: CallId, service: Str, request: Str, response: *mut Str) -> Status {
    let mut lent = Str::EMPTY;
    let status = during(id, |call, services| {
        let answer = match (bytes(service).map(std::str::from_utf8), message(request)) {
            (Ok(Ok(service)), Ok(request)) => services.serve(service, &request),
            (_, Err(what)) => Err(Refusal::new(Status::PROTOCOL, what)),
            _ => Err(Refusal::new(Status::PROTOCOL, "the service's name is not UTF-8")),
        };
        let (status, body) = match answer {
            Ok(body) => (Status::OK, body),
            Err(refusal) => (refusal.status, refusal.body()),
        };
        let body = body.into_boxed_slice();
        lent = Str::of(&body);
        call.said().lent.push(body);
        status
    });
    if !response.is_null() {
        // SAFETY: the plugin gives room for one `Str`, or null.
        unsafe { *response = lent };
    }
    status
}

unsafe extern "C" fn release(_: *const HostV1, id: CallId, ptr: *const u8) {
    during(id, |call, _| {
        call.said().lent.retain(|lent| lent.as_ptr() != ptr);
        Status::OK
    });
}
