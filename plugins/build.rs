//! Names this build: a hash of all that decides whether the executable and the library beside it belong together.
//! Does not read dependencies; the lock file stands for them.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

const CRATES: &[&str] = &["schemas", "plugins", "pipes"];
const PARTS: &[&str] = &["src", "dylib", "Cargo.toml", "build.rs"];

fn main() {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let root = here.parent().unwrap_or(&here);
    let mut hasher = DefaultHasher::new();
    // From a registry there is no workspace around us, and nothing that could be stale: the version says it all.
    let is_workspace = CRATES.iter().all(|name| root.join(name).join("Cargo.toml").exists());
    if !is_workspace || hash_workspace(root, &mut hasher).is_err() {
        println!("cargo::rerun-if-changed=build.rs");
        variable("CARGO_PKG_VERSION").hash(&mut hasher);
    }
    for name in ["PROFILE", "TARGET"] {
        variable(name).hash(&mut hasher);
    }
    rustc_version().hash(&mut hasher);
    println!("cargo::rustc-env=FORGE_BUILD_ID={:016x}", hasher.finish());
}

fn hash_workspace(root: &Path, hasher: &mut DefaultHasher) -> io::Result<()> {
    let mut files = BTreeSet::new();
    let parts = CRATES.iter().flat_map(|name| PARTS.iter().map(move |part| root.join(name).join(part)));
    for path in parts.chain([root.join("Cargo.lock")]).filter(|path| path.exists()) {
        // Relative to this crate, so that a tree that was moved with its target directory is looked at where it is now.
        println!("cargo::rerun-if-changed=../{}", path.strip_prefix(root).unwrap_or(&path).display());
        collect(&path, &mut files)?;
    }
    for path in files {
        path.strip_prefix(root).unwrap_or(&path).hash(hasher);
        fs::read(&path)?.hash(hasher);
    }
    Ok(())
}

fn collect(path: &Path, files: &mut BTreeSet<PathBuf>) -> io::Result<()> {
    if !path.is_dir() {
        files.insert(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(path)? {
        collect(&entry?.path(), files)?;
    }
    Ok(())
}

fn rustc_version() -> Vec<u8> {
    let output = Command::new(variable("RUSTC")).arg("--version").output();
    output.map(|output| output.stdout).unwrap_or_default()
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_default()
}
