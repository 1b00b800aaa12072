//! Calls of a plugin, and the functions of the host that it may use while they last.
//! Does not know services, only that a call has some.

use std::ffi::c_void;
use std::ptr;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use forge_schemas::Level;

use super::in_flight::InFlight;
use super::services::Services;
use crate::abi::{CallId, HostV1, MAJOR, MAX_MESSAGE, MINOR, OWN_PROCESS, Status, Str};
use crate::panics::caught;
use crate::refusal::Refusal;

/// What a plugin is given in forge's own process.
pub(super) static HOST: HostV1 = FUNCTIONS;

/// What a plugin is given that is alone in its process.
pub(super) static HOST_OF_ONE: HostV1 = HostV1 { features: OWN_PROCESS, ..FUNCTIONS };

const FUNCTIONS: HostV1 = HostV1 {
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

static IN_FLIGHT: LazyLock<InFlight<Lent>> = LazyLock::new(InFlight::new);

/// What a call has while it lasts.
struct Lent {
    services: &'static dyn Services,
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
    // SAFETY: the lifetime is a lie that the end of the call makes good: before `services` can end, it takes this reference
    // out, also when `act` unwinds, and waits for those who are using it.
    let lent = unsafe { std::mem::transmute::<&dyn Services, &'static dyn Services>(services) };
    let call = IN_FLIGHT.begin(Lent { services: lent, said: Mutex::default() });
    let status = act(call.id());
    let said =
        call.end().map(|lent| lent.said.into_inner().unwrap_or_else(PoisonError::into_inner)).unwrap_or_default();
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
            // It has passed on the status that we had answered.
            (Status::PROTOCOL, Some(what)) if self.said.error.is_none() => Err(Refusal::new(Status::PROTOCOL, what)),
            (status, _) => Err(Refusal::answered("the plugin", status, self.said.error.as_deref())),
        }
    }
}

impl Lent {
    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps `body` until it is given back, or the call ends (M4).
    fn lend(&self, body: Vec<u8>) -> Str {
        let body = body.into_boxed_slice();
        let lent = if body.is_empty() { Str::EMPTY } else { Str::of(&body) };
        self.said().lent.push(body);
        lent
    }
}

/// Does something for a call in flight. A panic on our side is ours: the plugin is told, and goes on.
fn during(id: CallId, act: impl FnOnce(&Lent) -> Status) -> Status {
    IN_FLIGHT.during(id, |call| caught(|| act(call)).unwrap_or(Status::PANICKED)).unwrap_or(Status::STALE)
}

/// The bytes that a plugin passes.
///
/// # Safety
/// They live until the function returns that was given them (M3), and the result is not kept longer.
unsafe fn bytes<'a>(str: Str) -> Result<&'a [u8], &'static str> {
    if str.len > MAX_MESSAGE {
        return Err("the plugin said more than a message may have");
    }
    // SAFETY: the caller answers for it.
    unsafe { str.bytes() }.ok_or("the plugin said something without a pointer to it")
}

/// The same for machines: what is not UTF-8 is no message (M6).
///
/// # Safety
/// As for `bytes`.
unsafe fn message<'a>(str: Str) -> Result<&'a str, &'static str> {
    // SAFETY: the caller answers for it.
    let bytes = unsafe { bytes(str) }?;
    std::str::from_utf8(bytes).map_err(|_| "the plugin's answer is not UTF-8")
}

/// The same for people: what is not UTF-8 is replaced (M6).
///
/// # Safety
/// As for `bytes`.
unsafe fn text(str: Str) -> String {
    // SAFETY: the caller answers for it.
    let bytes = unsafe { bytes(str) };
    bytes.map_or_else(str::to_owned, |bytes| String::from_utf8_lossy(bytes).into_owned())
}

unsafe extern "C" fn reply(_: *const HostV1, id: CallId, body: Str) -> Status {
    // SAFETY: it is copied before this function returns.
    let body = unsafe { message(body) };
    during(id, |call| match body {
        Ok(body) => {
            call.said().reply = Some(body.as_bytes().to_vec());
            Status::OK
        }
        Err(what) => {
            call.said().broken = Some(what);
            Status::PROTOCOL
        }
    })
}

unsafe extern "C" fn set_error(_: *const HostV1, id: CallId, body: Str) -> Status {
    // SAFETY: it is copied before this function returns.
    let body = unsafe { message(body) };
    during(id, |call| match body {
        Ok(body) => {
            call.said().error = Some(body.as_bytes().to_vec());
            Status::OK
        }
        Err(_) => Status::PROTOCOL,
    })
}

unsafe extern "C" fn log(_: *const HostV1, id: CallId, level: u32, line: Str, fields: Str) -> Status {
    // SAFETY: both are copied.
    let (line, fields) = unsafe { (text(line), text(fields)) };
    let level = match level {
        0 => Level::Trace,
        1 => Level::Debug,
        2 => Level::Info,
        3 => Level::Warn,
        _ => Level::Error,
    };
    during(id, |call| {
        call.services.log(level, format!("{line} {fields}").trim_end());
        Status::OK
    })
}

unsafe extern "C" fn progress(_: *const HostV1, id: CallId, done: u64, total: u64, message: Str) -> Status {
    // SAFETY: it is copied.
    let message = unsafe { text(message) };
    during(id, |call| {
        call.services.progress(done, total, &message);
        Status::OK
    })
}

unsafe extern "C" fn cancelled(_: *const HostV1, id: CallId) -> i32 {
    let mut stop = true;
    during(id, |call| {
        stop = call.services.cancelled();
        Status::OK
    });
    i32::from(stop)
}

unsafe extern "C" fn call(_: *const HostV1, id: CallId, service: Str, request: Str, response: *mut Str) -> Status {
    // SAFETY: both live until this function returns, and so until the service has answered.
    let (service, request) = unsafe { (message(service), message(request)) };
    let mut lent = Str::EMPTY;
    let status = during(id, |call| match serve(call.services, service, request) {
        Ok(body) => {
            lent = call.lend(body);
            Status::OK
        }
        Err(refusal) => {
            lent = call.lend(refusal.body());
            refusal.status
        }
    });
    if !response.is_null() {
        // SAFETY: the plugin gives room for one `Str`, or null.
        unsafe { *response = lent };
    }
    status
}

fn serve(
    services: &dyn Services,
    service: Result<&str, &'static str>,
    request: Result<&str, &'static str>,
) -> Result<Vec<u8>, Refusal> {
    let refuse = |what| Refusal::new(Status::PROTOCOL, what);
    let (service, request) = (service.map_err(refuse)?, request.map_err(refuse)?);
    caught(|| services.serve(service, request.as_bytes())).unwrap_or_else(|mut panic| {
        panic.failure.message = format!("forge itself {}", panic.failure.message);
        Err(panic)
    })
}

unsafe extern "C" fn release(_: *const HostV1, id: CallId, ptr: *const u8) {
    during(id, |call| {
        call.said().lent.retain(|lent| lent.as_ptr() != ptr);
        Status::OK
    });
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc::{Sender, channel};

    use super::*;

    /// Says that it is being used, dawdles, and says that it was used.
    struct Slow {
        entered: Sender<()>,
        left: AtomicBool,
    }

    impl Services for Slow {
        fn serve(&self, service: &str, _: &[u8]) -> Result<Vec<u8>, Refusal> {
            self.entered.send(()).unwrap();
            (0..10_000).for_each(|_| std::thread::yield_now());
            self.left.store(true, Ordering::SeqCst);
            Ok(service.as_bytes().to_vec())
        }
    }

    fn ask(id: CallId) -> Status {
        let mut answer = Str::EMPTY;
        // SAFETY: the texts are constants, and the answer is ours.
        unsafe { call(&raw const HOST, id, Str::of(b"wait"), Str::of(b"{}"), &raw mut answer) }
    }

    #[test]
    fn a_call_ends_when_nobody_uses_its_services() {
        let (entered, has_entered) = channel();
        let slow = Slow { entered, left: AtomicBool::new(false) };
        let mut thread = None;
        let mut over = 0;
        let ended = run(&slow, |id| {
            over = id;
            thread = Some(std::thread::spawn(move || ask(id)));
            has_entered.recv().unwrap();
            Status::OK
        });
        assert!(slow.left.load(Ordering::SeqCst));
        assert_eq!(ended.body().unwrap(), b"{}");
        assert_eq!(thread.unwrap().join().unwrap(), Status::OK);
        assert_eq!(ask(over), Status::STALE);
    }

    #[test]
    fn an_answer_can_be_read_until_it_is_given_back() {
        let (entered, _has_entered) = channel();
        let slow = Slow { entered, left: AtomicBool::new(false) };
        run(&slow, |id| {
            let mut answers = [Str::EMPTY; 2];
            for answer in &mut answers {
                // SAFETY: as in `ask`.
                unsafe { call(&raw const HOST, id, Str::of(b"x"), Str::EMPTY, answer) };
            }
            // SAFETY: the first is given back, the second is not yet.
            unsafe {
                release(&raw const HOST, id, answers[0].ptr);
                assert_eq!(answers[1].bytes(), Some(&b"x"[..]));
                release(&raw const HOST, id, answers[1].ptr);
                release(&raw const HOST, id, answers[1].ptr);
            }
            Status::OK
        });
    }

    /// Whether the SDK works with a host of this size and major version, of a later minor one.
    fn check_host(size: usize, abi_major: u16, expect: bool) {
        #[repr(C)]
        struct Larger {
            host: HostV1,
            more: usize,
        }
        let struct_size = u32::try_from(size).unwrap();
        let host = HostV1 { struct_size, abi_major, abi_minor: 7, ..FUNCTIONS };
        let larger: &'static Larger = Box::leak(Box::new(Larger { host, more: 0 }));
        // SAFETY: it has at least the size that it says, and is leaked.
        let table = unsafe { crate::guest::HostTable::new(&raw const larger.host) };
        assert_eq!((table.is_some(), larger.more), (expect, 0));
    }

    #[test]
    fn a_plugin_works_with_a_host_that_has_grown() {
        let (size, word) = (size_of::<HostV1>(), size_of::<usize>());
        check_host(size, MAJOR, true);
        check_host(size + word, MAJOR, true);
        check_host(size - word, MAJOR, false);
        check_host(size, MAJOR + 1, false);
    }
}
