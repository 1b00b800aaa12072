//! Projects whose plugin is `evil.c`, built as a row needs it.
//! Judges nothing.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

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
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut gcc = Command::new("gcc");
    gcc.args(["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-Wno-infinite-recursion", "-O1", "-shared", "-fPIC"]);
    gcc.arg("-pthread").arg("-I").arg(here.join("plugins/include")).arg("-o").arg(&file);
    gcc.args(macros.iter().map(|it| format!("-D{it}"))).arg(here.join("tests/faults/g/evil.c"));
    output(&mut gcc);
    file
}
