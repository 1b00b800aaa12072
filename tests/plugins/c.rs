//! The plugins in C of these tests.
//! Does not judge what comes out.

use std::path::Path;

use super::library::{done, gcc_with_header};

/// Builds the plugin of `tests/plugins/<source>`.
pub fn build(source: &str, library: &Path) {
    let mut gcc = gcc_with_header();
    gcc.args(["-std=c99", "-Wall", "-Wextra", "-Werror", "-Wno-format-truncation", "-shared", "-fPIC", "-o"]);
    done(gcc.arg(library).arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plugins").join(source)));
}
