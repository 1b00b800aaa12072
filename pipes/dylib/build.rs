//! Keeps what the libraries inside show to the dynamic linker to themselves: a crate with functions for C would offer them to all of forge.
//! Does not know which of them do.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|it| it == "linux") {
        println!("cargo::rustc-cdylib-link-arg=-Wl,--exclude-libs,ALL");
    }
}
