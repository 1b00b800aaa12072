//! The C line, version 1: what `include/forge_plugin.h` says, for Rust. Frozen: these structs only grow at their end.
//! Does not know what the messages mean; they are bytes here.

use std::ffi::c_void;
use std::fmt;
use std::mem::{offset_of, size_of};

/// The major version of the line. Another one is another line.
pub const MAJOR: u16 = 1;
/// The minor version: grows with every function that is added to [`HostV1`].
pub const MINOR: u16 = 0;
/// The longest message, in bytes. Content of files never crosses; paths do.
pub const MAX_MESSAGE: usize = 64 << 20;
/// The longest manifest, in bytes.
pub const MAX_MANIFEST: usize = 16 << 10;
/// [`PluginV1::flags`]: never two calls at once.
pub const SERIAL: u64 = 1;
/// [`PluginV1::flags`]: wants a process of its own.
pub const PREFER_PROCESS: u64 = 1 << 1;
/// [`PluginV1::flags`]: who does not know one of these must refuse the plugin. The others may be ignored.
pub const MUST_UNDERSTAND: u64 = 0xffff_ffff_0000_0000;

/// [`HostV1::features`]: the plugin is alone in its process.
pub const OWN_PROCESS: u64 = 1;

/// The platform that this is compiled for, as the line spells it: `linux-x86_64-gnu`.
pub const PLATFORM: &[&str] = &[std::env::consts::OS, "-", std::env::consts::ARCH, LIBC];

const LIBC: &str = if cfg!(target_env = "gnu") {
    "-gnu"
} else if cfg!(target_env = "musl") {
    "-musl"
} else {
    ""
};

/// Names one call in flight; never used twice, and 0 is none.
pub type CallId = u64;

/// Borrowed bytes, never ended by NUL. `ptr` may be null where `len` is 0.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Str {
    /// The first byte.
    pub ptr: *const u8,
    /// How many.
    pub len: usize,
}

/// How a call ended. What is said about it travels beside it.
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Status(pub i32);

/// What a plugin hands out: constant, and valid as long as the process lives.
#[repr(C)]
pub struct PluginV1 {
    /// The size of this struct as the plugin was compiled. No byte beyond it may be read.
    pub struct_size: u32,
    /// [`MAJOR`] as the plugin was compiled.
    pub abi_major: u16,
    /// [`MINOR`] as the plugin was compiled.
    pub abi_minor: u16,
    /// The lowest minor version of a host that it can work with.
    pub min_host_minor: u16,
    /// 0.
    pub reserved0: u16,
    /// 0.
    pub reserved1: u32,
    /// [`SERIAL`], [`PREFER_PROCESS`].
    pub flags: u64,
    /// The marker and the manifest, as they stand in the file.
    pub manifest: Str,
    /// Called once, before anything else. Keeps the host, which stays valid; may set the state.
    pub init: Option<Init>,
    /// One message, by method. From any thread, any number at once.
    pub call: Option<Call>,
    /// Called once, after all calls have returned. The library stays mapped.
    pub fini: Option<Fini>,
}

/// See [`PluginV1::init`].
pub type Init = unsafe extern "C" fn(host: *const HostV1, call: CallId, state: *mut *mut c_void) -> Status;
/// See [`PluginV1::call`].
pub type Call = unsafe extern "C" fn(state: *mut c_void, call: CallId, method: Str, request: Str) -> Status;
/// See [`PluginV1::fini`].
pub type Fini = unsafe extern "C" fn(state: *mut c_void);
/// What a library exports as `forge_plugin_entry_v1`. No side effects, the same answer every time.
pub type Entry = extern "C" fn() -> *const PluginV1;

/// What a host hands out: constant, valid as long as the process lives. Any thread may call; nothing unwinds.
#[repr(C)]
pub struct HostV1 {
    /// The size of this struct as the host was compiled. No byte beyond it may be read.
    pub struct_size: u32,
    /// [`MAJOR`] as the host was compiled.
    pub abi_major: u16,
    /// [`MINOR`] as the host was compiled.
    pub abi_minor: u16,
    /// [`OWN_PROCESS`].
    pub features: u64,
    /// The host's own.
    pub this: *mut c_void,
    /// The answer to this call. Copied; a later one replaces it.
    pub reply: Option<unsafe extern "C" fn(*const HostV1, CallId, Str) -> Status>,
    /// What is to be said about a status other than OK. Copied; a later one replaces it.
    pub set_error: Option<unsafe extern "C" fn(*const HostV1, CallId, Str) -> Status>,
    /// One line for the user: level, message, and an object of fields or nothing.
    pub log: Option<unsafe extern "C" fn(*const HostV1, CallId, u32, Str, Str) -> Status>,
    /// How far the call is: done, total, message.
    pub progress: Option<unsafe extern "C" fn(*const HostV1, CallId, u64, u64, Str) -> Status>,
    /// 1 where the call should stop soon, or is over.
    pub cancelled: Option<unsafe extern "C" fn(*const HostV1, CallId) -> i32>,
    /// A service, by name. The answer is the host's memory, valid until `release` or the end of the call.
    pub call: Option<unsafe extern "C" fn(*const HostV1, CallId, Str, Str, *mut Str) -> Status>,
    /// Gives such memory back early.
    pub release: Option<unsafe extern "C" fn(*const HostV1, CallId, *const u8)>,
}

// SAFETY: both structs are constants that nobody writes to after they were handed out (rule M5).
unsafe impl Sync for PluginV1 {}
// SAFETY: as above; `this` is not touched by anyone but the host, whose functions any thread may call.
unsafe impl Sync for HostV1 {}

impl Status {
    /// Done; the answer counts.
    pub const OK: Status = Status(0);
    /// It failed.
    pub const FAILED: Status = Status(1);
    /// The settings, or the request, are wrong.
    pub const INVALID: Status = Status(2);
    /// It stopped because it was asked to.
    pub const CANCELLED: Status = Status(3);
    /// No such method, pipe or service.
    pub const UNIMPLEMENTED: Status = Status(4);
    /// It failed in a way that may pass.
    pub const UNAVAILABLE: Status = Status(5);
    /// A panic or an exception was caught.
    pub const PANICKED: Status = Status(6);
    /// Bytes that are not the message.
    pub const PROTOCOL: Status = Status(7);
    /// `init` refuses this host.
    pub const INCOMPATIBLE: Status = Status(8);
    /// The call is not in flight, or no longer.
    pub const STALE: Status = Status(9);
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status {}", self.0)
    }
}

impl Str {
    /// No bytes.
    pub const EMPTY: Str = Str { ptr: std::ptr::null(), len: 0 };

    /// These bytes, for as long as they live.
    pub const fn of(bytes: &[u8]) -> Str {
        Str { ptr: bytes.as_ptr(), len: bytes.len() }
    }

    /// The bytes; none for a null pointer that claims a length, or more than a message may have.
    ///
    /// # Safety
    /// Where it has a pointer, that many bytes can be read there, and nobody writes to them during `'a`.
    pub unsafe fn bytes<'a>(self) -> Option<&'a [u8]> {
        match (self.ptr.is_null(), self.len) {
            (_, 0) => Some(&[]),
            (true, _) => None,
            (false, len) if len > MAX_MESSAGE => None,
            // SAFETY: not null, and the caller answers for the rest.
            (false, len) => Some(unsafe { std::slice::from_raw_parts(self.ptr, len) }),
        }
    }
}

/// The platform that this is compiled for: `linux-x86_64-gnu`.
pub fn platform() -> String {
    PLATFORM.concat()
}

// The layout is the line: these numbers may never change.
#[cfg(target_pointer_width = "64")]
const _: () = {
    assert!(size_of::<Str>() == 16 && size_of::<Status>() == 4);
    assert!(size_of::<PluginV1>() == 64 && size_of::<HostV1>() == 80);
    assert!(offset_of!(PluginV1, struct_size) == 0 && offset_of!(PluginV1, abi_major) == 4);
    assert!(offset_of!(PluginV1, abi_minor) == 6 && offset_of!(PluginV1, min_host_minor) == 8);
    assert!(offset_of!(PluginV1, flags) == 16 && offset_of!(PluginV1, manifest) == 24);
    assert!(offset_of!(PluginV1, init) == 40 && offset_of!(PluginV1, call) == 48);
    assert!(offset_of!(PluginV1, fini) == 56);
    assert!(offset_of!(HostV1, features) == 8 && offset_of!(HostV1, this) == 16);
    assert!(offset_of!(HostV1, reply) == 24 && offset_of!(HostV1, set_error) == 32);
    assert!(offset_of!(HostV1, log) == 40 && offset_of!(HostV1, progress) == 48);
    assert!(offset_of!(HostV1, cancelled) == 56 && offset_of!(HostV1, call) == 64);
    assert!(offset_of!(HostV1, release) == 72);
};
