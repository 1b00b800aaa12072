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
