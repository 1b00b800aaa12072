//! Compiles the C sources of these tests with the system's compiler.
//! Does not judge what comes out.

use std::path::{Path, PathBuf};

pub use crate::examples::gcc_with_header as gcc;

/// A source of these tests.
pub fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

/// The plugin in C, with these macros, as `<dir>/<name>.so`.
pub fn plugin(dir: &Path, name: &str, macros: &[&str]) -> PathBuf {
    let file = dir.join(format!("{name}.so"));
    let mut gcc = gcc();
    gcc.args(["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-pthread", "-o"]).arg(&file);
    gcc.args(macros.iter().map(|it| format!("-D{it}"))).arg(source("plugin.c"));
    assert!(gcc.status().unwrap().success(), "{name}");
    file
}
