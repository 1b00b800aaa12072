//! Projects whose plugin is `evil.c`, built as a row needs it.
//! Judges nothing.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use crate::support::program::output;
use crate::support::project::Project;

/// Where the library lies in the project.
pub const LIBRARY: &str = "tools/libevil.so";

/// A project with the plugin, and a table for each of these modes.
pub fn project(modes: &[&str]) -> Project {
    project_with(modes, "")
}

/// The same with more keys in `[plugins.evil]`.
pub fn project_with(modes: &[&str], keys: &str) -> Project {
    let project = Project::of_text(&text(modes, keys));
    build(&project, LIBRARY, &[]);
    project
}

/// Its project file.
pub fn text(modes: &[&str], keys: &str) -> String {
    let mut text =
        format!("[project]\nname = \"hello\"\n\n[plugins.evil]\npath = \"{LIBRARY}\"\n{keys}\n[run]\njobs = 1\n");
    for mode in modes {
        let _ = write!(text, "\n[[evil]]\nid = \"{}\"\nmode = \"{mode}\"\n", mode.replace('_', "-"));
    }
    text
}

/// Builds the plugin with these macros, as a file of the project.
pub fn build(project: &Project, path: &str, macros: &[&str]) -> PathBuf {
    let file = project.root().join(path);
    std::fs::create_dir_all(file.parent().expect("a file is in a directory")).expect("a directory can be made");
    std::fs::write(&file, built(macros)).expect("a file can be written");
    file
}

/// The library with these macros. Most tests want the same.
fn built(macros: &[&str]) -> Vec<u8> {
    static BUILT: Mutex<BTreeMap<String, Vec<u8>>> = Mutex::new(BTreeMap::new());
    // Held while it is built, so that it is built once.
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    built.entry(macros.join(" ")).or_insert_with(|| compile(macros)).clone()
}

fn compile(macros: &[&str]) -> Vec<u8> {
    let place = tempfile::tempdir().expect("a directory");
    let file = place.path().join("evil.so");
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut gcc = Command::new("gcc");
    gcc.args(["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-Wno-infinite-recursion", "-O1", "-shared", "-fPIC"]);
    gcc.arg("-pthread").arg("-I").arg(here.join("plugins/include")).arg("-o").arg(&file);
    gcc.args(macros.iter().map(|it| format!("-D{it}"))).arg(here.join("tests/faults/g/evil.c"));
    output(&mut gcc);
    std::fs::read(file).expect("it was built")
}
