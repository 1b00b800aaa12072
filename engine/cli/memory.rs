//! The plan of the last run, kept in `.forge/plan`: used again while all that it was compiled from is the same.
//! Does not know how a plan is compiled.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use forge_plugin::Plugins;
use forge_schemas::{Digest, Digester, Failure, Presence};

use super::session::{Files, Mode};
use crate::git::Repository;
use crate::pipes::Pipes as _;
use crate::plan::{Compiled, Reader};
use crate::project::Environment;
use crate::source::Source;
use crate::store::{read_sealed_as, write_sealed};

/// What decides a plan, of all that is known before anything is read but the project file.
pub fn key(source: &Arc<Source>, mode: Mode, repository: &Repository, plugins: &Plugins) -> Digest {
    let pipes: Vec<(&str, Cow<'_, str>)> =
        plugins.all().iter().map(|pipe| (pipe.name.as_str(), plugins.identity(&pipe.name))).collect();
    let version = env!("CARGO_PKG_VERSION");
    let mut digester = Digester::default();
    // Writing to a digester can't fail.
    let _ = writeln!(digester, "forge-plan-6 {version} {mode:?} {repository:?} {pipes:?}");
    for (start, file) in source.parts() {
        let _ = writeln!(digester, "{start} {:?}", file.path);
    }
    let _ = digester.write_all(source.text.as_bytes());
    digester.finish().0
}

/// The plan that was remembered last.
pub fn read(path: &Path) -> Option<Compiled> {
    read_sealed_as(path, Compiled::from_bytes)
}

/// Whether a remembered plan is that of this key, and the environment, the texts and the sources that it rests on are as
/// they were.
pub fn is_valid(compiled: &Compiled, key: &Digest, environment: &Environment, files: &Files) -> bool {
    let is_same = |(name, value): (&String, &Option<String>)| environment.get(name) == value.as_ref();
    let is_as_read = |(path, digest): (&String, &Option<Digest>)| {
        let source = files.text(path, Presence::Optional);
        source.is_ok_and(|source| source.map(|it| Digest::of(it.text.as_bytes())) == *digest)
    };
    let reads = compiled.plan.tasks().flat_map(|task| &task.step.reads);
    compiled.key == *key
        && compiled.environment.iter().all(is_same)
        && compiled.texts.iter().all(is_as_read)
        && files.sources.are_there(reads)
}

/// What the environment says to these names.
pub fn asked(names: BTreeSet<String>, environment: &Environment) -> BTreeMap<String, Option<String>> {
    names.into_iter().map(|name| (name.clone(), environment.get(&name).cloned())).collect()
}

/// Keeps a plan for the next run.
pub fn remember(path: &Path, compiled: &Compiled) -> Result<(), Failure> {
    write_sealed(path, compiled.to_bytes()).map_err(|error| Failure::file("write", path, &error))
}
