//! The plan of the last run, kept in `.forge/plan`: used again while all that it was compiled from is the same.
//! Does not know how a plan is compiled.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use forge_plugin::Plugins;
use forge_schemas::{Digest, Failure};
use rayon::prelude::*;

use super::session::Mode;
use crate::git::Repository;
use crate::pipes::Pipes as _;
use crate::plan::{Compiled, Reader};
use crate::project::Environment;
use crate::source::Source;
use crate::store::write_beside;

/// What decides a plan, of all that is known before anything is read but the project file.
pub fn key(source: &Source, mode: Mode, repository: &Repository, plugins: &Plugins) -> Digest {
    let pipes: Vec<(&str, String)> =
        plugins.all().iter().map(|pipe| (pipe.name.as_str(), plugins.identity(&pipe.name))).collect();
    let version = env!("CARGO_PKG_VERSION");
    let words = format!("forge-plan-2 {version} {mode:?} {repository:?} {pipes:?}\n{}", source.text);
    Digest::of(words.as_bytes())
}

/// The remembered plan of this key, if the environment, the texts and the sources that it rests on are as they were.
pub fn recall(path: &Path, key: &Digest, environment: &Environment, reader: &dyn Reader) -> Option<Compiled> {
    let compiled = Compiled::from_bytes(&std::fs::read(path).ok()?).filter(|it| it.key == *key)?;
    let is_same = |(name, value): (&String, &Option<String>)| environment.get(name) == value.as_ref();
    let is_as_read = |(path, digest): (&String, &Digest)| {
        reader.text(path).is_ok_and(|source| Digest::of(source.text.as_bytes()) == *digest)
    };
    let sources: BTreeSet<&str> =
        compiled.plan.tasks().flat_map(|task| &task.step.reads).map(|read| read.path.as_str()).collect();
    let is_valid = compiled.environment.iter().all(is_same)
        && compiled.texts.iter().all(is_as_read)
        && sources.into_par_iter().all(|path| reader.names_any(path) == Ok(true));
    is_valid.then_some(compiled)
}

/// What the environment says to these names.
pub fn asked(names: BTreeSet<String>, environment: &Environment) -> BTreeMap<String, Option<String>> {
    names.into_iter().map(|name| (name.clone(), environment.get(&name).cloned())).collect()
}

/// Keeps a plan for the next run.
pub fn remember(path: &Path, compiled: &Compiled) -> Result<(), Failure> {
    write_beside(path, &compiled.to_bytes()).map_err(|error| Failure::file("write", path, &error))
}
