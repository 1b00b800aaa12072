//! Builds the plugins of `examples/plugins`, each as its README says.
//! Does not load them. Shared by the tests of the line and those of the package.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// The examples.
pub const EXAMPLES: &[Example] = &[
    Example { folder: "upload", library: "libacme_upload.so", build: cargo },
    Example { folder: "notify", library: "libacme_notify.so", build: gcc },
    Example { folder: "brew", library: "libacme_brew.so", build: go },
    Example { folder: "shout", library: "libacme_shout.so", build: zig },
];

/// One of them.
pub struct Example {
    /// Its folder under `examples/plugins`.
    pub folder: &'static str,
    /// What its library is called.
    pub library: &'static str,
    build: fn(&Path, &Path),
}

impl Example {
    /// The example in this folder.
    pub fn of(folder: &str) -> &'static Example {
        EXAMPLES.iter().find(|it| it.folder == folder).unwrap_or_else(|| panic!("there is no example {folder}"))
    }

    /// Its folder.
    pub fn source(&self) -> PathBuf {
        workspace().join("examples/plugins").join(self.folder)
    }

    /// Its library, built once into a folder of its own under `scratch`, whoever asks for it.
    pub fn build(&self, scratch: &Path) -> PathBuf {
        static BUILT: Mutex<BTreeSet<&str>> = Mutex::new(BTreeSet::new());
        let into = scratch.join("plugins").join(self.folder);
        let library = into.join(self.library);
        // Held while it is built: a library that is half written is none. A build that failed is tried again.
        let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
        if !built.contains(self.folder) {
            std::fs::create_dir_all(&into).expect("a directory can be made");
            (self.build)(&self.source(), &library);
            built.insert(self.folder);
        }
        library
    }
}

/// The top of this source tree.
pub fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().find(|it| it.join("plugins/include").exists()).expect("this is forge's tree").to_owned()
}

/// A compiler of C that finds the header.
pub fn gcc_with_header() -> Command {
    let mut gcc = Command::new("gcc");
    gcc.arg("-I").arg(workspace().join("plugins/include"));
    gcc
}

/// Zig, as a program or as the Python package of it.
pub fn zig_command() -> Command {
    if Command::new("zig").arg("version").output().is_ok_and(|it| it.status.success()) {
        return Command::new("zig");
    }
    let mut zig = Command::new("python3");
    zig.args(["-m", "ziglang"]);
    zig
}

/// Runs a command to its end, which must be a good one.
pub fn done(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{command:?} ended with {}\n{}", output.status, String::from_utf8_lossy(&said));
}

fn cargo(source: &Path, library: &Path) {
    cargo_build(source, &[]);
    std::fs::copy(built().join(library.file_name().expect("a library has a name")), library)
        .expect("the library can be copied");
}

/// Builds what these arguments say, into the directory that the tests are built into.
pub fn cargo_build(source: &Path, arguments: &[&str]) {
    cargo_build_with(source, arguments, &[]);
}

/// The same with these variables.
pub fn cargo_build_with(source: &Path, arguments: &[&str], variables: &[(&str, &str)]) {
    // Cargo tells its tests about themselves; the one below must not hear of it.
    let mut cargo = Command::new("cargo");
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CARGO_PKG_") || name == "CARGO_MANIFEST_DIR")
    {
        cargo.env_remove(name);
    }
    cargo.args(["build", "--quiet", "--locked"]).args(arguments).current_dir(source);
    done(cargo.envs(variables.iter().copied()).env("CARGO_TARGET_DIR", target()));
}

/// Where that has put it.
pub fn built() -> PathBuf {
    target().join("debug")
}

/// The directory of the tests, which have built what is needed.
fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from)
}

fn gcc(source: &Path, library: &Path) {
    let mut gcc = gcc_with_header();
    gcc.args([
        "-std=c99",
        "-pedantic",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-O2",
        "-shared",
        "-fPIC",
        "-fvisibility=hidden",
    ]);
    done(gcc.arg("-o").arg(library).arg(source.join("notify.c")));
}

fn go(source: &Path, library: &Path) {
    let mut go = Command::new("go");
    done(go.args(["build", "-trimpath", "-buildmode=c-shared", "-o"]).arg(library).arg(".").current_dir(source));
}

fn zig(source: &Path, library: &Path) {
    let prefix = library.with_file_name("zig");
    let mut zig = zig_command();
    zig.arg("build").arg("--prefix").arg(&prefix).arg("--cache-dir").arg(library.with_file_name("zig-cache"));
    done(zig.current_dir(source));
    let made = prefix.join("lib").join(library.file_name().expect("a library has a name"));
    std::fs::copy(made, library).expect("the library can be copied");
}
