//! Finds the manifest in the bytes of a library, and judges by it whether the library may be mapped.
//! Does not know object formats: the marker is found in ELF, Mach-O and PE alike.

use std::collections::BTreeMap;

use memchr::memmem;
use serde::Deserialize;

use super::error::LoadError;
use crate::abi::{MAJOR, MAX_MANIFEST, MINOR};
use crate::manifest::MARKER;

/// What a library says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Manifest {
    pub(super) name: String,
    pub(super) version: String,
    /// The version of the line that it was made for: `1.0`.
    pub(super) abi: String,
    pub(super) platform: String,
    /// What it is written in.
    #[serde(default)]
    pub(super) runtime: Option<String>,
    /// What it was made with.
    #[serde(default)]
    pub(super) sdk: Option<String>,
    #[serde(default)]
    pub(super) build: Option<String>,
    #[serde(default)]
    pub(super) pipes: Vec<String>,
}

impl Manifest {
    /// Whether it allows to go on: the ABI is ours, and the platform `ours`.
    pub(super) fn judge(&self, ours: &str) -> Result<(), LoadError> {
        let Manifest { name, version, abi, platform, .. } = self;
        if abi.split_once('.').map_or(abi.as_str(), |(major, _)| major).parse() != Ok(MAJOR) {
            return Err(LoadError::new(format!(
                "plugin `{name}` {version} needs plugin ABI {abi}, this forge speaks {MAJOR}.{MINOR}"
            ))
            .help(format!("update forge, or install a build of the plugin for ABI {MAJOR}")));
        }
        if platform != ours {
            return Err(LoadError::new(format!(
                "plugin `{name}` {version} is built for {platform}, this forge runs on {ours}"
            ))
            .help(format!("install the build of the plugin for {ours}")));
        }
        Ok(())
    }

    /// Whether it was built from this.
    pub(super) fn check_build(&self, ours: &str) -> Result<(), LoadError> {
        let theirs = self.build.as_deref().unwrap_or("unknown");
        match ours == theirs {
            true => Ok(()),
            false => {
                Err(LoadError::new(format!("it is of another build than this forge (build {theirs}, not {ours})"))
                    .help("run `cargo build` in forge's source tree, or install forge and its pipes together")
                    .stale())
            }
        }
    }
}

/// The manifest in `bytes`, and its bytes from the marker on. More than one that differ, or none, is an error. A marker
/// without an object behind it is none: a debug build has the bare marker too.
pub(super) fn find(bytes: &[u8]) -> Result<(Manifest, &[u8]), LoadError> {
    let mut found = BTreeMap::new();
    let mut broken = None;
    for start in memmem::find_iter(bytes, MARKER) {
        let from = start + MARKER.len();
        match parse(&bytes[from..]) {
            Some(Ok((manifest, size))) => drop(found.insert(&bytes[start..from + size], manifest)),
            Some(Err(error)) => broken = Some(error),
            None => {}
        }
    }
    match (found.len(), broken) {
        (1, _) => found.pop_first().map(|(raw, manifest)| (manifest, raw)).ok_or_else(no_plugin),
        (0, Some(error)) => Err(LoadError::new(format!("its manifest can't be read: {error}"))),
        (0, None) => Err(no_plugin()),
        (several, _) => Err(LoadError::new(format!("it holds {several} different manifests"))
            .help("link one plugin into a library, not several")),
    }
}

fn no_plugin() -> LoadError {
    LoadError::new("there is no plugin manifest in it").help("is it a forge plugin, and whole?")
}

/// The object after a marker and a line end, and how many bytes both have. None where something else stands there.
fn parse(bytes: &[u8]) -> Option<Result<(Manifest, usize), serde_json::Error>> {
    let json = bytes.strip_prefix(b"\n").filter(|json| json.starts_with(b"{"))?;
    let json = &json[..json.len().min(MAX_MANIFEST)];
    let mut stream = serde_json::Deserializer::from_slice(json).into_iter();
    let manifest = stream.next()?;
    Some(manifest.map(|manifest| (manifest, 1 + stream.byte_offset())))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELLO: &str = r#"{"name":"hello","version":"1.0.0","abi":"1.0","platform":"p","pipes":["a"]}"#;

    fn check(text: &str, expect: Result<&str, &str>) {
        let found = find(text.as_bytes()).map(|(manifest, raw)| {
            assert!(raw.starts_with(MARKER.as_bytes()) && raw.ends_with(b"}"));
            manifest.name
        });
        assert_eq!(found.map_err(|error| error.to_string()), expect.map(str::to_owned).map_err(str::to_owned));
    }

    #[test]
    fn one_marker_with_an_object() {
        let none = "there is no plugin manifest in it: is it a forge plugin, and whole?";
        check("", Err(none));
        check("FORGE-PLUGIN-MANIFEST", Err(none));
        check(&format!("{MARKER}\nsomething else"), Err(none));
        check(&format!("xx{MARKER}\n{HELLO}xx"), Ok("hello"));
        check(&format!("{MARKER}\n{HELLO}{MARKER}{MARKER}\n{HELLO}"), Ok("hello"));
        check(
            &format!("{MARKER}\n{HELLO}{MARKER}\n{}", HELLO.replace("hello", "other")),
            Err("it holds 2 different manifests: link one plugin into a library, not several"),
        );
        check(
            &format!("{MARKER}\n{}", &HELLO[..30]),
            Err("its manifest can't be read: EOF while parsing a string at line 1 column 30"),
        );
    }
}
