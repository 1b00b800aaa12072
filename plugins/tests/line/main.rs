//! Tests of the line from both ends: real libraries, in Rust and in C, loaded into this process.

#![expect(clippy::unwrap_used, reason = "these are tests, all of it")]

mod c;
mod child;
mod conformance;
#[path = "../echo/lib.rs"]
mod echo_plugin;
mod example_plugins;
#[path = "../examples.rs"]
mod examples;
mod guest;
mod handshake;
mod header;
mod messages;
mod misuse;
mod released;
mod valgrind;

use std::ffi::{c_int, c_void};

/// The plugin in Rust, linked into this executable and as a library.
mod echo {
    use std::path::PathBuf;

    pub use crate::echo_plugin::forge_plugin;

    /// The library.
    pub fn library() -> PathBuf {
        super::example(&format!("{}echo{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX))
    }
}

/// What cargo builds with the tests because it is an example.
fn example(name: &str) -> std::path::PathBuf {
    let exe = std::env::current_exe().unwrap();
    let file = exe.ancestors().nth(2).unwrap().join("examples").join(name);
    assert!(file.exists(), "run `cargo build -p forge-plugin --examples --features load` first");
    file
}

/// From now on this process ends as forge does: at once. What libraries have registered for the end of a process would meet their
/// own threads, which still run; the runtime of Go has some.
fn end_as_forge_does() {
    // SAFETY: the C library's own declaration.
    unsafe extern "C" {
        fn on_exit(function: extern "C" fn(c_int, *mut c_void), argument: *mut c_void) -> c_int;
    }
    extern "C" fn ends(status: c_int, _: *mut c_void) {
        forge_plugin::leave(u8::try_from(status).unwrap_or(u8::MAX));
    }
    // SAFETY: the function may be called at any time, and touches no argument.
    unsafe { on_exit(ends, std::ptr::null_mut()) };
}
