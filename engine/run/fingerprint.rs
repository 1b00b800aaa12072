//! The fingerprint of a task: the digest of a REAPI action that says all that decides what it makes. Equal fingerprints, equal
//! artifacts. Does not know whether such a task was done before: that is the record's.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use forge_schemas::{Artifact, Digest, Failure, Memory, Platform};
use serde::Serialize;
use serde_json::Value;

use super::action::{Action, Command, Content, Node, directory};
use super::environment::Environment;
use super::sources::{Sources, Tree};
use super::tools::{Property, TOOL, Tools};
use crate::plan::{Placed, Task};
use crate::store::{Fingerprint, Hashes, Mark, Parts};

/// Changes when the meaning of a fingerprint does; all that was remembered before is then forgotten. The salt of actions.
const EPOCH: &str = "forge-action-1";

/// Where fingerprints are taken.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    /// What every program sees in its environment.
    pub env: &'a BTreeMap<String, String>,
    /// What programs may see of the environment of forge.
    pub environment: &'a Environment,
    /// The source files of the project.
    pub sources: &'a Sources,
    /// What files hash to.
    pub hashes: &'a Hashes,
    /// What programs are.
    pub tools: &'a Tools,
}

/// What a task would run with.
pub struct Sight<'a> {
    task: &'a Task,
    inputs: Vec<&'a Artifact>,
    environment: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    plugin: String,
    platform: Option<String>,
    tools: Vec<Arc<Property>>,
    /// The source files that it reads.
    pub tree: Arc<Tree>,
}

/// What a task with these inputs would run with. `plugin` says which build of the pipe would run it.
pub fn look<'a>(
    task: &'a Task,
    plugin: String,
    inputs: Vec<&'a Artifact>,
    scene: &'a Scene<'_>,
) -> Result<Sight<'a>, Failure> {
    let step = &task.step;
    let platform = step.platform.as_ref().map(Platform::to_string);
    let tools = step.tools.iter().map(|tool| scene.tools.property(tool, scene.hashes)).collect::<Result<_, _>>()?;
    let tree = scene.sources.tree(&step.reads, scene.hashes)?;
    Ok(Sight { task, inputs, environment: environment(step, scene), plugin, platform, tools, tree })
}

impl Sight<'_> {
    /// The digest of the action.
    pub fn fingerprint(&self) -> Fingerprint {
        let step = &self.task.step;
        let environment: Vec<(&str, &str)> = self.environment.iter().map(|(name, value)| (&**name, &**value)).collect();
        let command = Command {
            arguments: &[&self.task.table.pipe, &step.name],
            environment: &environment,
            output_paths: step.makes.iter().map(|it| it.name.as_str()).collect(),
        };
        let action = Action {
            command: command.content(),
            input_root: self.input_root(),
            do_not_cache: step.memory == Memory::Never,
            salt: EPOCH.as_bytes(),
            platform: self.properties(),
        };
        action.content().digest
    }

    // None says where the action must run: that follows from the tools.
    fn properties(&self) -> Vec<(&str, &str)> {
        let tools = self.tools.iter().map(|tool| (tool.name.as_str(), tool.value.as_str()));
        let platform = self.platform.iter().map(|platform| ("forge-platform", platform.as_str()));
        // Which secrets its programs see may matter; what they are does not, and is not written down in any form.
        let secrets = self.task.secrets.iter().map(|name| ("forge-secret", name.as_str()));
        tools.chain(platform).chain(secrets).chain([("forge-plugin", self.plugin.as_str())]).collect()
    }

    // `step.json`, what it reads below `source/`, and what it takes below `inputs/`, with what is known of that in `details/`.
    fn input_root(&self) -> Content {
        let step = Content { digest: self.task.step.digest, size: self.task.step.size };
        let mut entries = vec![("step.json", Node::File(step, false.into()))];
        entries.extend(self.tree.source.map(|it| ("source", Node::Directory(it))));
        entries.extend(self.tree.linked.map(|it| ("linked", Node::Directory(it))));
        if !self.inputs.is_empty() {
            let file = |it: &Artifact| Node::File(Content { digest: it.digest, size: it.size }, it.executable.into());
            let inputs = self.inputs.iter().map(|it| (it.name.as_str(), file(it)));
            entries.push(("inputs", Node::Directory(directory(inputs.collect()))));
            let details = self.inputs.iter().map(|it| (it.name.as_str(), Node::File(detail(it), false.into())));
            entries.push(("details", Node::Directory(directory(details.collect()))));
        }
        directory(entries)
    }

    /// The same, part by part, for people who want to know what changed.
    pub fn parts(&self) -> Parts {
        let mut words = BTreeMap::from([("forge".to_owned(), mark(EPOCH.as_bytes()))]);
        let plugin = self.plugin.parse().map_or_else(|_| mark(self.plugin.as_bytes()), |digest: Digest| digest.into());
        words.insert(format!("plugin of `{}`", self.task.table.pipe), plugin);
        for tool in &self.tools {
            let name = tool.name.strip_prefix(TOOL).unwrap_or(&tool.name);
            words.insert(format!("tool `{name}`"), mark(tool.value.as_bytes()));
        }
        for (name, value) in &self.environment {
            words.insert(format!("variable {name}"), mark(value.as_bytes()));
        }
        for name in &self.task.secrets {
            words.insert(format!("secret `{name}`"), mark(b"granted"));
        }
        for input in &self.inputs {
            words.insert(format!("input {}", input.name), input.digest.into());
            words.insert(format!("what is known of input {}", input.name), detail(input).digest.into());
        }
        settings(&self.task.step, &mut words);
        Parts { words, files: self.tree.files().map(|(path, digest)| (path, digest.into())).collect() }
    }
}

// Each key of the step, and of what the pipe wants to know two levels deep: deeper ones are seldom told apart by people.
fn settings(step: &Placed, words: &mut BTreeMap<String, Mark>) {
    let mut add = |name: String, value: &Value| {
        words.insert(name, mark(value.to_string().as_bytes()));
    };
    let Ok(Value::Object(mut keys)) = serde_json::to_value(step.to_step_of_nowhere()) else { return };
    match keys.remove("params") {
        Some(Value::Object(params)) => {
            for (key, value) in params {
                match value {
                    Value::Object(below) if !below.is_empty() => {
                        below.iter().for_each(|(name, value)| add(format!("setting {key}.{name}"), value));
                    }
                    value => add(format!("setting {key}"), &value),
                }
            }
        }
        Some(other) => add("settings".to_owned(), &other),
        None => {}
    }
    keys.iter().for_each(|(key, value)| add(format!("`{key}` of its step"), value));
}

fn mark(bytes: &[u8]) -> Mark {
    Digest::of(bytes).into()
}

// What programs see of it: `[env]`, and the variables that the step declared. One that is not set is not there.
fn environment<'a>(step: &'a Placed, scene: &Scene<'a>) -> Vec<(Cow<'a, str>, Cow<'a, str>)> {
    let own = scene.env.iter().map(|(name, value)| (name.as_str().into(), value.as_str().into()));
    if step.env.is_empty() {
        return own.collect();
    }
    let declared =
        step.env.iter().filter_map(|name| Some((name.as_str().into(), scene.environment.asked(name)?.into())));
    let all: BTreeMap<Cow<'_, str>, Cow<'_, str>> = declared.chain(own).collect();
    all.into_iter().collect()
}

#[derive(Serialize)]
struct Detail<'a> {
    kind: &'a str,
    platform: Option<&'a Platform>,
    detail: &'a Value,
}

fn detail(artifact: &Artifact) -> Content {
    let detail = Detail { kind: &artifact.kind, platform: artifact.platform.as_ref(), detail: &artifact.detail };
    Content::of(&serde_json::to_vec(&detail).unwrap_or_default())
}
