//! The fingerprint of a task: the digest of a REAPI action that says all that decides what it makes. Equal fingerprints, equal
//! artifacts. Does not know whether such a task was done before: that is the record's.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use forge_schemas::{Artifact, Digest, Failure, Memory, Place, Platform, Read, TracedTask, TracedTool};
use serde::Serialize;
use serde_json::Value;

use super::action::{Action, Command, Content, Node, directory};
use super::environment::Environment;
use super::sources::{Sources, Tree};
use super::tools::{Property, TOOL, Tools};
use crate::plan::{Placed, Task};
use crate::store::{Fingerprint, Hashes, Mark, Parts, Stat};

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
    outline: Outline<'a>,
    /// The digest of the action.
    pub fingerprint: Fingerprint,
    /// The source files that it reads. None where it was seen that they have not changed: then they are not read.
    pub tree: Option<Arc<Tree>>,
}

/// What a task would run with, but for its source files.
struct Outline<'a> {
    task: &'a Task,
    inputs: Vec<&'a Artifact>,
    /// A digest of how these came to be, for a step that is told.
    traced: Option<Digest>,
    environment: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    plugin: Cow<'a, str>,
    tools: Vec<Arc<Property>>,
}

/// What a task with these inputs would run with. `plugin` says which build of the pipe would run it; `traced`, all that it would be
/// told of how its inputs came to be.
pub fn look<'a>(
    task: &'a Task,
    plugin: Cow<'a, str>,
    inputs: Vec<&'a Artifact>,
    traced: Option<Digest>,
    scene: &'a Scene<'_>,
) -> Result<Sight<'a>, Failure> {
    let step = &task.step;
    let tools = step.tools.iter().map(|tool| scene.tools.property(tool, scene.hashes));
    let names = scene.tools.names(step).into_iter().map(|found| Ok(Arc::new(found.into())));
    let tools = tools.chain(names).collect::<Result<_, _>>()?;
    let outline = Outline { task, inputs, traced, environment: environment(step, scene), plugin, tools };
    let reads = files_of(step);
    let stats = scene.sources.stats(&reads)?;
    let sight = stats.as_ref().and_then(|stats| outline.sight(stats));
    let files = || stats.iter().flatten().map(|(_, stat)| *stat);
    if let Some(sight) = sight
        && let Some(fingerprint) = scene.hashes.fingerprint(&step.digest, &sight, files())
    {
        return Ok(Sight { outline, fingerprint, tree: None });
    }
    let tree = scene.sources.tree(&reads, scene.hashes)?;
    let fingerprint = outline.fingerprint(&tree);
    // One that was changed before it was read was read as something else than was seen.
    if let Some(sight) = sight.filter(|_| tree.stats().eq(files())) {
        scene.hashes.learn(&step.digest, sight, files(), fingerprint);
    }
    Ok(Sight { outline, fingerprint, tree: Some(tree) })
}

/// The files of the project that decide whether a step is done: those that it reads, and those that it writes.
fn files_of(step: &Placed) -> Cow<'_, [Read]> {
    if step.writes.is_empty() {
        return (&step.reads).into();
    }
    let written = step.writes.iter().map(|path| Read::any(path, Place::Key(String::new())));
    step.reads.iter().cloned().chain(written).collect::<Vec<Read>>().into()
}

/// All that a fingerprint is made of, with what the file system says of a source file in place of its content. Must name
/// whatever [`Outline::fingerprint`] reads.
#[derive(Serialize)]
struct Words<'a> {
    epoch: &'a str,
    pipe: &'a str,
    step: (Digest, u64),
    environment: &'a [(Cow<'a, str>, Cow<'a, str>)],
    plugin: &'a str,
    tools: Vec<(&'a str, &'a str)>,
    secrets: &'a [String],
    revealed: &'a [String],
    inputs: Vec<(&'a str, Digest, u64, bool, Digest)>,
    traced: Option<Digest>,
    files: &'a [(&'a str, Stat)],
}

/// As many bytes as most have: for these no memory is asked for.
const ROOM: usize = 1024;

impl Sight<'_> {
    /// The same with the source files, for one who is to run, or is to be explained.
    pub fn with_tree(self, scene: &Scene<'_>) -> Result<Self, Failure> {
        let tree =
            self.tree.map_or_else(|| scene.sources.tree(&files_of(&self.outline.task.step), scene.hashes), Ok)?;
        Ok(Sight { tree: Some(tree), ..self })
    }
}

impl Outline<'_> {
    // The digest of all that the fingerprint is made of. The step says its name, its platform, what it makes and its memory.
    fn sight(&self, files: &[(&str, Stat)]) -> Option<Digest> {
        let words = Words {
            epoch: EPOCH,
            pipe: &self.task.table.pipe,
            step: (self.task.step.digest, self.task.step.size),
            environment: &self.environment,
            plugin: &self.plugin,
            tools: self.tools.iter().map(|tool| (tool.name.as_str(), tool.value.as_str())).collect(),
            secrets: &self.task.secrets,
            revealed: &self.task.revealed,
            inputs: self
                .inputs
                .iter()
                .map(|it| (it.name.as_str(), it.digest, it.size, it.executable, detail(it).digest))
                .collect(),
            traced: self.traced,
            files,
        };
        if let Ok(bytes) = postcard::to_slice(&words, &mut [0; ROOM]) {
            return Some(Digest::of(bytes));
        }
        postcard::to_stdvec(&words).ok().map(|bytes| Digest::of(&bytes))
    }

    fn fingerprint(&self, tree: &Tree) -> Fingerprint {
        let step = &self.task.step;
        let platform = step.platform.as_ref().map(Platform::to_string);
        let traced = self.traced.map(|it| it.to_string());
        let environment: Vec<(&str, &str)> = self.environment.iter().map(|(name, value)| (&**name, &**value)).collect();
        let command = Command {
            arguments: &[&self.task.table.pipe, &step.name],
            environment: &environment,
            output_paths: step.makes.iter().map(|it| it.name.as_str()).collect(),
        };
        let action = Action {
            command: command.content(),
            input_root: self.input_root(tree),
            do_not_cache: step.memory == Memory::Never,
            salt: EPOCH.as_bytes(),
            platform: self.properties(platform.as_deref(), traced.as_deref()),
        };
        action.content().digest
    }

    // None says where the action must run: that follows from the tools.
    fn properties<'s>(&'s self, platform: Option<&'s str>, traced: Option<&'s str>) -> Vec<(&'s str, &'s str)> {
        let tools = self.tools.iter().map(|tool| (tool.name.as_str(), tool.value.as_str()));
        let platform = platform.map(|platform| ("forge-platform", platform));
        // Which secrets its programs and its pipe see may matter; what they are does not, and is not written down in any form.
        let secrets = self.task.secrets.iter().map(|name| ("forge-secret", name.as_str()));
        let revealed = self.task.revealed.iter().map(|name| ("forge-secret-revealed", name.as_str()));
        let traced = traced.map(|traced| ("forge-trace", traced));
        tools
            .chain(platform)
            .chain(traced)
            .chain(secrets)
            .chain(revealed)
            .chain([("forge-plugin", &*self.plugin)])
            .collect()
    }

    // `step.json`, what it reads below `sources/`, and what it takes below `inputs/`, with what is known of that in `details/`.
    fn input_root(&self, tree: &Tree) -> Content {
        let step = Content { digest: self.task.step.digest, size: self.task.step.size };
        let mut entries = vec![("step.json", Node::File(step, false.into()))];
        entries.extend(tree.source.map(|it| ("sources", Node::Directory(it))));
        entries.extend(tree.linked.map(|it| ("linked", Node::Directory(it))));
        if !self.inputs.is_empty() {
            let file = |it: &Artifact| Node::File(Content { digest: it.digest, size: it.size }, it.executable.into());
            let inputs = self.inputs.iter().map(|it| (it.name.as_str(), file(it)));
            entries.push(("inputs", Node::Directory(directory(inputs.collect()))));
            let details = self.inputs.iter().map(|it| (it.name.as_str(), Node::File(detail(it), false.into())));
            entries.push(("details", Node::Directory(directory(details.collect()))));
        }
        directory(entries)
    }
}

impl Sight<'_> {
    /// The same as it is told to a later task, but for what it has made. The source files must be there.
    pub fn traced(&self) -> TracedTask {
        let Outline { task, inputs, plugin, tools, .. } = &self.outline;
        let tool = |property: &Arc<Property>| {
            let tool = property.name.strip_prefix(TOOL)?.to_owned();
            Some(TracedTool { tool, digest: property.value.parse().ok()?, said: property.said.clone() })
        };
        TracedTask {
            task: task.id.clone(),
            table: task.table.clone(),
            platform: task.step.platform.clone(),
            plugin: plugin.clone().into_owned(),
            fingerprint: self.fingerprint,
            step: task.step.digest,
            sources: self.tree.as_ref().and_then(|tree| tree.source).map(|it| it.digest),
            tools: tools.iter().filter_map(tool).collect(),
            takes: inputs.iter().map(|it| it.name.clone()).collect(),
            makes: Vec::new(),
        }
    }

    /// What the fingerprint is made of, part by part, for people who want to know what changed.
    pub fn parts(&self) -> Parts {
        let Outline { task, inputs, traced, environment, plugin, tools } = &self.outline;
        let mut words = BTreeMap::from([("forge".to_owned(), mark(EPOCH.as_bytes()))]);
        let plugin = plugin.parse().map_or_else(|_| mark(plugin.as_bytes()), |digest: Digest| digest.into());
        words.insert(format!("plugin of `{}`", task.table.pipe), plugin);
        for tool in tools {
            let name = tool.name.strip_prefix(TOOL).unwrap_or(&tool.name);
            words.insert(format!("tool `{name}`"), mark(tool.value.as_bytes()));
        }
        for (name, value) in environment {
            words.insert(format!("variable {name}"), mark(value.as_bytes()));
        }
        for name in &task.secrets {
            let how: &[u8] = if task.revealed.contains(name) { b"revealed" } else { b"granted" };
            words.insert(format!("secret `{name}`"), mark(how));
        }
        for input in inputs {
            words.insert(format!("input {}", input.name), input.digest.into());
            words.insert(format!("what is known of input {}", input.name), detail(input).digest.into());
        }
        if let Some(traced) = traced {
            words.insert("how its inputs came to be".to_owned(), (*traced).into());
        }
        settings(&task.step, &mut words);
        Parts {
            words,
            files: self.tree.iter().flat_map(|it| it.files()).map(|(path, digest)| (path, digest.into())).collect(),
        }
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::plan::fake::planned;

    fn artifact() -> Artifact {
        Artifact {
            name: "a/file".to_owned(),
            kind: "x".to_owned(),
            platform: None,
            table: forge_schemas::TableName::new("x", "a"),
            digest: Digest::of(b"a"),
            size: 1,
            path: "/store/a".into(),
            executable: false,
            blobs: Vec::new(),
            detail: json!({ "a": 1 }),
        }
    }

    fn property(value: &str) -> Arc<Property> {
        Arc::new(Property { name: format!("{TOOL}cc"), value: value.to_owned(), said: None })
    }

    /// Fingerprint and sight, when the input, the task and the rest are changed like this.
    fn taken(
        artifact: impl FnOnce(&mut Artifact),
        task: impl FnOnce(&mut Task),
        rest: impl FnOnce(&mut Outline<'_>),
    ) -> (Fingerprint, Option<Digest>) {
        let (plan, diagnostics) = planned("[[x]]\nid = 'a'\n", &[]);
        assert!(diagnostics.is_empty(), "{diagnostics:?}");
        let (mut input, mut changed) = (self::artifact(), plan.tasks().next().cloned().unwrap());
        artifact(&mut input);
        task(&mut changed);
        let mut outline = Outline {
            task: &changed,
            inputs: vec![&input],
            traced: None,
            environment: vec![("A".into(), "1".into())],
            plugin: "a build".into(),
            tools: vec![property("one")],
        };
        rest(&mut outline);
        (outline.fingerprint(&Tree::default()), outline.sight(&[]))
    }

    // Else a fingerprint would be remembered for what has another.
    #[test]
    fn what_changes_the_fingerprint_changes_what_is_seen() {
        let changes = [
            taken(|_| (), |_| (), |_| ()),
            taken(|it| it.name = "b/file".to_owned(), |_| (), |_| ()),
            taken(|it| it.kind = "y".to_owned(), |_| (), |_| ()),
            taken(|it| it.platform = "linux/arm64".parse().ok(), |_| (), |_| ()),
            taken(|it| it.digest = Digest::of(b"b"), |_| (), |_| ()),
            taken(|it| it.size = 2, |_| (), |_| ()),
            taken(|it| it.executable = true, |_| (), |_| ()),
            taken(|it| it.detail = json!({ "a": 2 }), |_| (), |_| ()),
            taken(|_| (), |it| it.table.pipe = "y".to_owned(), |_| ()),
            taken(|_| (), |it| it.secrets = vec!["token".to_owned()], |_| ()),
            taken(|_| (), |it| it.revealed = vec!["token".to_owned()], |_| ()),
            taken(|_| (), |it| it.step.digest = Digest::of(b"another step"), |_| ()),
            taken(|_| (), |it| it.step.size += 1, |_| ()),
            taken(|_| (), |_| (), |it| it.inputs.clear()),
            taken(|_| (), |_| (), |it| it.traced = Some(Digest::of(b"otherwise"))),
            taken(|_| (), |_| (), |it| it.environment[0].0 = "B".into()),
            taken(|_| (), |_| (), |it| it.environment[0].1 = "2".into()),
            taken(|_| (), |_| (), |it| it.environment.clear()),
            taken(|_| (), |_| (), |it| it.plugin = "another".into()),
            taken(|_| (), |_| (), |it| it.tools = vec![property("two")]),
            taken(|_| (), |_| (), |it| it.tools.clear()),
        ];
        for (at, (fingerprint, sight)) in changes.iter().enumerate() {
            assert!(sight.is_some());
            assert!(changes[..at].iter().all(|it| it.0 != *fingerprint && it.1 != *sight), "change {at}");
        }
    }
}
