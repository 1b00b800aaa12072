//! Options of `RUN`: what is mounted while commands run, and what changes nothing in what they do to the image.
//! Does not mount anything. What a cache holds nobody knows, so that nothing may touch it.

use std::ops::Range;

use forge_plugin::sources;
use parse_dockerfile::Flag;
use serde::{Deserialize, Serialize};

use crate::docker::beyond::Mounted;
use crate::docker::copying;
use crate::docker::dockerfile::Reader;
use crate::docker::recipe::Source;

const HELP: &str = "leave it out, where the commands do not need it; or set `engine = \"auto\"`, and a program of this machine builds it (`buildx`, \
    `docker`, `podman` or `buildah`)";
/// Options that say what is so anyway.
const USUAL: &[(&str, &str)] = &[("network", "default"), ("network", "none"), ("security", "sandbox")];
/// What may be said of a mount of files.
const OF_FILES: &[&str] =
    &["type", "from", "source", "src", "target", "dst", "destination", "ro", "readonly", "rw", "readwrite"];

/// What is mounted while commands run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// Where, as it is written.
    pub(super) target: String,
    /// What lies there; none where nobody knows.
    pub(super) holds: Option<Vec<Source>>,
}

/// What is mounted.
pub(super) fn read(reader: &mut Reader<'_>, options: &[Flag<'_>]) -> Option<Vec<Mount>> {
    let (mut mounts, mut beyond) = (Vec::new(), 0);
    for flag in options {
        let value = match &flag.value {
            Some(value) => reader.word(value)?,
            None => String::new(),
        };
        let name = flag.name.value.as_ref();
        if USUAL.contains(&(name, value.as_str())) {
            continue;
        }
        match mount(reader, &value, &flag.span()).filter(|_| name == "mount") {
            Some(mount) => mounts.push(mount),
            None => {
                only_by_engine(reader, flag);
                beyond += 1;
            }
        }
    }
    (beyond == 0).then_some(mounts)
}

/// Notes what an engine must be given for all that is mounted.
pub(super) fn left_to_engine(reader: &mut Reader<'_>, options: &[Flag<'_>]) {
    for flag in options {
        if reader.beyond.mount(flag) == Mounted::Project {
            reader.reads_project(flag.span());
        }
    }
}

/// What only an engine can mount, and what it must be given for that.
fn only_by_engine(reader: &mut Reader<'_>, flag: &Flag<'_>) {
    let message = format!("`RUN --{}` of this kind is not supported", flag.name.value);
    match reader.beyond.mount(flag) {
        Mounted::Project => reader.beyond_in_project::<()>(flag.span(), message),
        Mounted::Other => reader.beyond(flag.span(), message, HELP),
    };
}

fn mount(reader: &mut Reader<'_>, text: &str, span: &Range<usize>) -> Option<Mount> {
    let fields: Vec<(String, &str)> = text
        .split(',')
        .map(|it| it.split_once('=').unwrap_or((it, "")))
        .map(|(name, value)| (name.to_lowercase(), value))
        .collect();
    let value =
        |names: &[&str]| fields.iter().find(|(name, _)| names.contains(&name.as_str())).map(|(_, value)| *value);
    let (from, source) = (value(&["from"]), value(&["source", "src"]));
    let target = value(&["target", "dst", "destination"]).filter(|it| !it.is_empty() && !text.contains('"'))?;
    let holds = match value(&["type"]).unwrap_or("bind") {
        // A source would bring files of elsewhere.
        "cache" | "tmpfs" if from.is_none() && source.is_none() => None,
        "bind" if fields.iter().all(|(name, _)| OF_FILES.contains(&name.as_str())) => {
            Some(files(reader, from, source.unwrap_or_default(), span)?)
        }
        _ => return None,
    };
    Some(Mount { target: target.to_owned(), holds })
}

/// What lies at a path of the project, or of a stage.
fn files(reader: &mut Reader<'_>, from: Option<&str>, path: &str, span: &Range<usize>) -> Option<Vec<Source>> {
    if sources::is_glob(path) {
        return None;
    }
    if let Some(from) = from {
        let (artifact, called) = (reader.foreign.get(from)?.clone(), from.to_owned());
        return Some(vec![Source::Image { artifact, called, path: path.to_owned() }]);
    }
    let found = copying::find(reader, path, span);
    let is_itself = |source: &Source| match source {
        Source::Input { file_name, .. } => path.rsplit('/').next() == Some(file_name),
        _ => true,
    };
    found.iter().all(is_itself).then_some(found)
}
