//! Programs that are not ours, fetched by their package managers.
//! Does not know how forge builds them.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::program::{directory, output};

/// The source of a crate, from the registry that cargo is set up for.
pub fn rust_crate(name: &str, version: &str) -> PathBuf {
    let wants = tempfile::tempdir().expect("a temporary directory");
    let manifest = wants.path().join("Cargo.toml");
    let text = format!(
        "[package]\nname = \"wants\"\nedition = \"2024\"\n[lib]\npath = \"lib.rs\"\n[dependencies]\n{name} = \"={version}\"\n"
    );
    fs::write(&manifest, text).expect("a manifest can be written");
    fs::write(wants.path().join("lib.rs"), "").expect("a source file can be written");
    output(Command::new(env!("CARGO")).args(["fetch", "--quiet", "--manifest-path"]).arg(&manifest));
    let registries = directory("CARGO_HOME", ".cargo").join("registry/src");
    let registries = fs::read_dir(&registries).expect("cargo keeps sources").filter_map(Result::ok);
    let mut sources = registries.map(|it| it.path().join(format!("{name}-{version}")));
    sources.find(|it| it.is_dir()).expect("the crate was fetched")
}

/// The source of a Go module, from the proxy that go is set up for.
pub fn go_module(name: &str, version: &str) -> PathBuf {
    let mut go = Command::new("go");
    go.args(["mod", "download", "-json", &format!("{name}@{version}")]).current_dir(std::env::temp_dir());
    let module: Value = serde_json::from_str(&output(&mut go)).expect("a module is JSON");
    PathBuf::from(module["Dir"].as_str().expect("a directory"))
}
