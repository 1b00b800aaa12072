//! The plugin's side of the line, called by a host that sends it what is no message.
//! Does not go through forge's loader: that sends none.

use std::ffi::c_void;
use std::path::Path;
use std::ptr;
use std::sync::Mutex;

use forge_plugin::abi::{CallId, Entry, HostV1, MAJOR, MINOR, PluginV1, Status, Str};

use crate::examples::Example;
use crate::{echo, example};

/// What the plugin said last, by the number of its call.
static SAID: Mutex<Vec<(CallId, String)>> = Mutex::new(Vec::new());

static HOST: HostV1 = HostV1 {
    struct_size: size_of::<HostV1>() as u32,
    abi_major: MAJOR,
    abi_minor: MINOR,
    features: 0,
    this: ptr::null_mut(),
    reply: Some(says),
    set_error: Some(says),
    log: Some(logs),
    progress: Some(progresses),
    cancelled: Some(is_cancelled),
    call: Some(serves_nothing),
    release: Some(releases),
};

unsafe extern "C" fn says(_: *const HostV1, call: CallId, text: Str) -> Status {
    // SAFETY: it lives until this function returns, and is copied.
    let text = String::from_utf8(unsafe { text.bytes() }.unwrap().to_vec()).unwrap();
    SAID.lock().unwrap().push((call, text));
    Status::OK
}

unsafe extern "C" fn logs(_: *const HostV1, _: CallId, _: u32, _: Str, _: Str) -> Status {
    Status::OK
}

unsafe extern "C" fn progresses(_: *const HostV1, _: CallId, _: u64, _: u64, _: Str) -> Status {
    Status::OK
}

unsafe extern "C" fn is_cancelled(_: *const HostV1, _: CallId) -> i32 {
    0
}

unsafe extern "C" fn serves_nothing(_: *const HostV1, _: CallId, _: Str, _: Str, answer: *mut Str) -> Status {
    if !answer.is_null() {
        // SAFETY: the plugin gives room for one.
        unsafe { *answer = Str::EMPTY };
    }
    Status::UNIMPLEMENTED
}

unsafe extern "C" fn releases(_: *const HostV1, _: CallId, _: *const u8) {}

/// A plugin that was started by this host.
struct Guest {
    table: &'static PluginV1,
    state: *mut c_void,
}

impl Guest {
    fn start(entry: Entry) -> Guest {
        // SAFETY: an entry hands out a constant.
        let table = unsafe { &*entry() };
        let mut state = ptr::null_mut();
        // SAFETY: the host is a constant, and there is room for the state.
        let status = unsafe { table.init.unwrap()(&raw const HOST, 1, &raw mut state) };
        assert_eq!(status, Status::OK);
        Guest { table, state }
    }

    /// How a call ended, and what the plugin said.
    fn call(&self, method: Str, request: Str) -> (Status, String) {
        static NEXT: Mutex<CallId> = Mutex::new(1);
        let id = {
            let mut next = NEXT.lock().unwrap();
            *next += 1;
            *next
        };
        // SAFETY: method and request live until it returns.
        let status = unsafe { self.table.call.unwrap()(self.state, id, method, request) };
        let said = SAID.lock().unwrap().iter().rev().find(|it| it.0 == id).map(|it| it.1.clone());
        (status, said.unwrap_or_default())
    }
}

const HOLE: Str = Str { ptr: ptr::null(), len: 5 };
const METHODS: [&[u8]; 5] = [b"describe", b"takes", b"plan", b"run", b"probe"];

#[test]
fn what_is_no_message_is_answered_as_such() {
    let guest = Guest::start(echo::forge_plugin);
    let check = |method: Str, request: Str, status: Status, expect: &str| {
        let (ended, said) = guest.call(method, request);
        assert!(ended == status && said.contains(expect), "{ended:?} {said}");
    };
    let (empty, of) = (Str::of(b"{}"), Str::of);
    check(of(b"\xff\xfe"), empty, Status::UNIMPLEMENTED, "the plugin has no method `\u{fffd}\u{fffd}`");
    check(Str::EMPTY, empty, Status::UNIMPLEMENTED, "the plugin has no method ``");
    check(HOLE, empty, Status::UNIMPLEMENTED, "the plugin has no method ``");
    check(of(b"describe"), Str::EMPTY, Status::OK, "\"name\":\"echo\"");
    check(of(b"describe"), HOLE, Status::OK, "\"name\":\"echo\"");
    for method in &METHODS[1..] {
        for request in [Str::EMPTY, HOLE, of(b"\xff"), of(b"{"), of(b"[]"), of(b"{\"table\":\"\\ud800\"}")] {
            check(of(method), request, Status::PROTOCOL, "is not the message");
        }
    }
}

/// In other languages what is read of a message may be nothing; nobody falls over it.
#[test]
fn every_example_stands_what_is_no_message() {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    // Not the one in Go: a process has one runtime of it, and that is another test's.
    let examples = ["upload", "notify", "shout"].map(|folder| Example::of(folder).build(scratch));
    for library in examples.into_iter().chain([example("libecho.so")]) {
        // SAFETY: it is a plugin that these tests have built.
        let library = unsafe { libloading::Library::new(&library) }.unwrap();
        // SAFETY: a symbol of this name is a function of this type.
        let entry = *unsafe { library.get::<Entry>(b"forge_plugin_entry_v1") }.unwrap();
        std::mem::forget(library);
        let guest = Guest::start(entry);
        for method in METHODS.into_iter().chain([&b""[..], b"\xff\xfe", b"dance"]) {
            for request in [&b""[..], b"\xff", b"{", b"[", b"{\"a", b"{\"\\", b"[]", b"{}"] {
                let (status, said) = guest.call(Str::of(method), Str::of(request));
                let is_known = METHODS.contains(&method);
                assert!(is_known || status == Status::UNIMPLEMENTED, "{status:?} {said}");
            }
            guest.call(Str::of(method), Str::EMPTY);
        }
    }
}
