//! The fingerprint of a task: one digest of all that decides what it makes. Equal fingerprints, equal artifacts.
//! Does not know whether such a task was done before: that is the record's.

use std::collections::BTreeMap;
use std::path::Path;

use forge_schemas::{Artifact, Digest, Failure, Place, Step};
use serde::Serialize;
use serde_json::Value;

use super::sources::Sources;
use super::tools::Tools;
use crate::plan::Task;
use crate::store::{Fingerprint, Hashes};

/// Changes when the meaning of a fingerprint does; all that was remembered before is then forgotten.
const EPOCH: &str = "forge-task-1";

/// Where fingerprints are taken.
pub struct Scene<'a> {
    /// The directory of the project file.
    pub root: &'a Path,
    /// What every program sees in its environment.
    pub env: &'a BTreeMap<String, String>,
    /// Its source files.
    pub sources: &'a Sources,
    /// What files hash to.
    pub hashes: &'a Hashes,
    /// What programs are.
    pub tools: &'a Tools,
}

#[derive(Serialize)]
struct Content<'a> {
    epoch: &'static str,
    pipe: &'a str,
    plugin: &'a str,
    step: &'a Step,
    inputs: Vec<(&'a str, &'a str, Digest, &'a Value)>,
    sources: Vec<(&'a str, Digest)>,
    env: &'a BTreeMap<String, String>,
    environment: Vec<(&'a str, Option<String>)>,
    tools: Vec<(&'a str, Digest)>,
}

/// The fingerprint of a task with these inputs. `plugin` says which build of the pipe would run it.
pub fn of(task: &Task, plugin: &str, inputs: &[&Artifact], scene: &Scene<'_>) -> Result<Fingerprint, Failure> {
    let step = placeless(&task.step);
    let content = Content {
        epoch: EPOCH,
        pipe: &task.table.pipe,
        plugin,
        step: &step,
        inputs: inputs.iter().map(|it| (it.name.as_str(), it.kind.as_str(), it.digest, &it.detail)).collect(),
        sources: sources(&task.step, scene)?,
        env: scene.env,
        environment: task.step.env.iter().map(|name| (name.as_str(), std::env::var(name).ok())).collect(),
        tools: tools(&task.step, scene)?,
    };
    let bytes = serde_json::to_vec(&content).map_err(|error| Failure::bug(error.to_string()))?;
    Ok(Digest::of(&bytes))
}

// Where in the file a step stands decides nothing: a comment above it must not make it run again.
fn placeless(step: &Step) -> Step {
    let nowhere = || Place::Key(String::new());
    let mut step = step.clone();
    step.place = nowhere();
    for read in &mut step.reads {
        read.place = nowhere();
    }
    step
}

fn sources<'a>(step: &'a Step, scene: &Scene<'_>) -> Result<Vec<(&'a str, Digest)>, Failure> {
    step.reads.iter().map(|read| Ok((read.path.as_str(), scene.sources.digest(&read.path, scene.hashes)?))).collect()
}

fn tools<'a>(step: &'a Step, scene: &Scene<'_>) -> Result<Vec<(&'a str, Digest)>, Failure> {
    step.tools
        .iter()
        .map(|tool| Ok((tool.program.as_str(), scene.tools.identity(tool, scene.root, scene.hashes)?)))
        .collect()
}
