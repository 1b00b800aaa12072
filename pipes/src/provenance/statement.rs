//! The statement: in-toto's, with SLSA's provenance as what is said. `docs/provenance.md` describes the build type.
//! Does not know who asked for it.

use std::collections::{BTreeMap, BTreeSet};

use forge_plugin::schemas::kind::{Image, Kind as _, ManifestList};
use forge_plugin::schemas::{Artifact, Facts, Trace};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::docker::base::BaseManifest;
use crate::oci::reference::Reference;

/// What is said.
pub const PREDICATE: &str = "https://slsa.dev/provenance/v1";
const STATEMENT: &str = "https://in-toto.io/Statement/v1";
/// How the parameters are to be read.
const BUILD_TYPE: &str = "urn:forge:build:v1";
/// What the digest of a source tree is of.
const DIRECTORY: &str = "application/x-protobuf; messageType=\"build.bazel.remote.execution.v2.Directory\"";

/// Where the sources come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    version: String,
    commit: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    tag: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    git_url: String,
    snapshot: bool,
    dirty: bool,
}

/// All that a statement is made of.
pub struct Claim<'a> {
    /// Who answers for the machine.
    pub builder: &'a str,
    /// Where the sources come from.
    pub source: &'a Source,
    /// What it is about.
    pub subjects: &'a [Artifact],
    /// How that came to be.
    pub trace: &'a Trace,
}

impl Source {
    /// The facts that matter.
    pub fn of(facts: &Facts) -> Source {
        Source {
            version: facts.version.clone(),
            commit: facts.commit.clone(),
            // That of a snapshot is another commit's.
            tag: if facts.snapshot { String::new() } else { facts.tag.clone() },
            git_url: facts.git_url.clone(),
            snapshot: facts.snapshot,
            dirty: facts.dirty,
        }
    }

    fn dependency(&self) -> Value {
        let mut source = json!({ "name": "source", "digest": { "gitCommit": self.commit } });
        if !self.git_url.is_empty() {
            let tag = if self.tag.is_empty() { String::new() } else { format!("@refs/tags/{}", self.tag) };
            source["uri"] = json!(format!("git+{}{tag}", self.git_url));
        }
        if self.dirty {
            source["annotations"] = json!({ "dirty": true });
        }
        source
    }
}

impl Claim<'_> {
    /// The statement.
    pub fn statement(&self) -> Value {
        json!({
            "_type": STATEMENT,
            "subject": self.subjects(),
            "predicateType": PREDICATE,
            "predicate": {
                "buildDefinition": {
                    "buildType": BUILD_TYPE,
                    "externalParameters": {
                        "project": {
                            "name": self.trace.project.path,
                            "digest": { "sha256": self.trace.project.digest.hex() },
                        },
                        "version": self.source.version,
                        "snapshot": self.source.snapshot,
                    },
                    "internalParameters": { "plugins": self.plugins(), "tasks": self.tasks() },
                    "resolvedDependencies": self.dependencies(),
                },
                "runDetails": { "builder": { "id": self.builder, "version": { "forge": self.trace.forge } } },
            },
        })
    }

    /// By name and digest; of images, by the repositories that they are for.
    fn subjects(&self) -> Vec<Value> {
        let mut times: BTreeMap<&str, usize> = BTreeMap::new();
        self.subjects.iter().for_each(|it| *times.entry(it.file_name()).or_default() += 1);
        let names = |it: &Artifact| match repositories(it) {
            found if !found.is_empty() => found,
            _ if times[it.file_name()] > 1 => [it.name.clone()].into(),
            _ => [it.file_name().to_owned()].into(),
        };
        let subjects = self.subjects.iter().flat_map(|it| names(it).into_iter().map(|name| (name, it.digest.hex())));
        let subjects: BTreeSet<(String, String)> = subjects.collect();
        subjects.into_iter().map(|(name, digest)| json!({ "name": name, "digest": { "sha256": digest } })).collect()
    }

    /// Which build of each pipe did something.
    fn plugins(&self) -> BTreeMap<&str, &str> {
        self.trace.tasks.iter().map(|it| (it.table.pipe.as_str(), it.plugin.as_str())).collect()
    }

    fn tasks(&self) -> Vec<Value> {
        let task = |it: &forge_plugin::schemas::TracedTask| json!({ "name": it.task, "action": it.fingerprint.hex(), "step": it.step.hex() });
        self.trace.tasks.iter().map(task).collect()
    }

    fn dependencies(&self) -> Vec<Value> {
        let tasks = &self.trace.tasks;
        let mut trees: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for (digest, task) in tasks.iter().filter_map(|it| Some((it.sources?, &it.task))) {
            trees.entry(digest.hex()).or_default().push(task);
        }
        let tree = |(digest, tasks): (String, Vec<&str>)| {
            json!({
                "name": "files", "digest": { "sha256": digest }, "mediaType": DIRECTORY, "annotations": { "tasks": tasks },
            })
        };
        let bases: BTreeSet<(String, String)> = tasks.iter().flat_map(|it| &it.makes).filter_map(base).collect();
        let base = |(name, digest)| json!({ "name": name, "digest": { "sha256": digest } });
        let tools: BTreeMap<&str, Value> =
            tasks.iter().flat_map(|it| &it.tools).map(|it| (it.tool.as_str(), tool(it))).collect();
        let rest = trees.into_iter().map(tree).chain(bases.into_iter().map(base)).chain(tools.into_values());
        std::iter::once(self.source.dependency()).chain(rest).collect()
    }
}

/// What an image is for, without tags.
fn repositories(artifact: &Artifact) -> BTreeSet<String> {
    let image = artifact.detail::<Image>().map(|it| it.references);
    let references = image.or_else(|| artifact.detail::<ManifestList>().map(|it| it.references));
    let repository = |it: String| it.parse::<Reference>().ok().map(|it| it.name());
    references.into_iter().flatten().filter_map(repository).collect()
}

/// What the name of a base in a registry meant. What a daemon says is its own id, and nobody else's.
fn base(made: &forge_plugin::schemas::TracedArtifact) -> Option<(String, String)> {
    let base: BaseManifest =
        (made.kind == BaseManifest::NAME).then(|| BaseManifest::deserialize(&made.detail).ok())??;
    base.name.parse::<Reference>().ok()?;
    Some((base.name, made.digest.hex()))
}

fn tool(tool: &forge_plugin::schemas::TracedTool) -> Value {
    let mut described = json!({ "name": tool.tool, "digest": { "sha256": tool.digest.hex() } });
    if let Some(said) = &tool.said {
        described["annotations"] = json!({ "said": said.trim() });
    }
    described
}
