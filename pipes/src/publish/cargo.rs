//! Destination `cargo`: crates on crates.io, or on any registry with a sparse index, by cargo.
//! Does not pack and send by itself, and holds no token: `cargo/program.rs` starts cargo, which reads that from its environment.

mod index;
mod program;

use forge_plugin::schemas::kind::Kind as _;
use forge_plugin::schemas::{Artifact, Failure, Finding, Output, Place, Problem, Read, Resource, Selector, Step, Tool};
use forge_plugin::{Given, Host};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::program::Cargo;
use super::language::{self, Packed};
use super::{Destination, Planned, Settings, receipt, typed};
use crate::table::address::{self, NoWeb};

pub(super) const DESTINATION: Destination = Destination {
    name: "cargo",
    about: "publishes crates to crates.io, or a registry with a sparse index, by cargo. They are packed and built from what was packed (`cargo package`) \
            before anything is published, and sent after all that can be taken back, for a version can't be replaced there; several in the \
            order in which they depend on each other. What is there already, with the same checksum, is not sent again.",
    schema: Own::json_schema,
    takes: |_| Vec::<Selector>::new(),
    plan,
    probe,
    run,
};

/// What it wants to know.
#[derive(Debug, Deserialize, JsonSchema)]
struct Own {
    /// The secret that is the token, one of the table's `secrets`. Without it, cargo finds its own way (`cargo login`).
    token: Option<String>,
    /// The directory of the package, or of the workspace. Without it, that of the project file.
    dir: Option<String>,
    /// The packages, by name; more than one want cargo 1.90. Each has the version that is released. Default: one that is called as the project.
    #[serde(default)]
    packages: Vec<String>,
    /// The name of a registry other than crates.io, as `registry = "acme"` in a `Cargo.toml` has it.
    registry: Option<String>,
    /// The index of that registry: `sparse+https://crates.acme.example/index/`.
    index: Option<String>,
}

/// What a step does.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum What {
    /// Makes the crates, and builds them.
    Pack(Crates),
    /// Sends them.
    Publish(Crates),
}

/// Packages of one version.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Crates {
    table: String,
    names: Vec<String>,
    version: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    dir: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    registry: Option<Registry>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    /// Whether it is a snapshot: of any version, and of files that are not committed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    snapshot: bool,
}

/// A registry that is not crates.io.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Registry {
    name: String,
    /// With `sparse+`.
    index: String,
}

fn plan(settings: &Settings, given: &Given<'_>) -> Planned {
    let own: Own = settings.own()?;
    let mut problems: Vec<Problem> = language::outside(own.dir.as_ref()).into_iter().collect();
    let registry = registry(&own).unwrap_or_else(|problem| {
        problems.push(problem);
        None
    });
    for (at, name) in own.packages.iter().enumerate() {
        let key = format!("packages[{at}]");
        if own.packages[..at].contains(name) {
            problems.push(Problem::at_key(key, format!("`{name}` stands here twice")).help("leave one out"));
        } else if name.is_empty() || !name.chars().all(|it| it.is_ascii_alphanumeric() || "-_".contains(it)) {
            problems.push(
                Problem::at_key(key, format!("`{name}` is no name of a package"))
                    .help("write one, as in `packages = [\"hello\"]`"),
            );
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let crates = Crates {
        table: given.table.id.clone(),
        names: if own.packages.is_empty() { vec![given.facts.name.clone()] } else { own.packages },
        version: given.facts.version.clone(),
        dir: own.dir.unwrap_or_default(),
        registry,
        token: own.token,
        snapshot: given.facts.snapshot,
    };
    Ok(crates.steps(given))
}

/// The registry that a table names, unless it is crates.io.
fn registry(own: &Own) -> Result<Option<Registry>, Problem> {
    let example = "as in `registry = \"acme\"` and `index = \"sparse+https://crates.acme.example/index/\"`";
    match (&own.registry, &own.index) {
        (None, None) => Ok(None),
        (Some(name), None) if name == "crates-io" => Ok(None),
        (Some(name), None) => Err(Problem::at_key("registry", format!("where the index of `{name}` is is not known"))
            .help(format!("say it, {example}"))),
        (None, Some(_)) => {
            let problem = Problem::at_key("index", "cargo wants a name for this registry");
            Err(problem.help(format!("say which, {example}")))
        }
        (Some(name), Some(index)) => {
            let is_name = name.starts_with(|it: char| it.is_ascii_alphabetic())
                && name.chars().all(|it| it.is_ascii_alphanumeric() || "-_".contains(it));
            let url = index.strip_prefix("sparse+").map(|it| address::base(it).map(|_| it));
            match (is_name, url) {
                (_, Some(Err(bad @ NoWeb::Secret))) => Err(bad.problem("index", "a sparse index", "")),
                (false, _) => Err(Problem::at_key("registry", format!("`{name}` is no name of a registry"))
                    .help(format!("write one, {example}"))),
                (_, None | Some(Err(_))) => Err(Problem::at_key("index", format!("`{index}` is no sparse index"))
                    .help(format!("write one, {example}"))),
                (true, Some(Ok(url))) => {
                    Ok(Some(Registry { name: name.clone(), index: format!("sparse+{}/", url.trim_end_matches('/')) }))
                }
            }
        }
    }
}

impl Crates {
    fn steps(&self, given: &Given<'_>) -> Vec<Step> {
        let params = |what: &What| serde_json::to_value(what).unwrap_or_default();
        let tools = [["cargo", "-vV"], ["rustc", "-vV"]];
        let tools = tools.map(|[program, ask]| Tool { program: program.to_owned(), version: vec![ask.to_owned()] });
        let packed: Vec<String> = self.names.iter().map(|name| self.artifact(name)).collect();
        let output = |name: &String| Output {
            name: name.clone(),
            kind: Packed::NAME.to_owned(),
            platform: None,
            detail: json!({ "version": self.version }),
        };
        let pack = Step {
            name: "pack".to_owned(),
            makes: packed.iter().map(output).collect(),
            // A package may depend on others anywhere in the workspace, so `dir` alone is not enough.
            reads: vec![Read::all(".", Place::Key(String::new()))],
            tools: tools.to_vec(),
            resource: Resource::Memory,
            params: params(&What::Pack(self.clone())),
            place: Place::Key("to".to_owned()),
            ..Step::default()
        };
        let receipt = |name: &String| {
            let file = receipt::name(&given.table.id, &format!("{}/{name}", self.site()), &self.version);
            receipt::output(file, self.place(name), &self.artifact(name), None)
        };
        let publish = Step {
            makes: self.names.iter().map(receipt).collect(),
            takes: packed,
            secrets: language::needs(self.token.as_ref()),
            params: params(&What::Publish(self.clone())),
            ..language::for_good("publish".to_owned(), tools[0].clone())
        };
        vec![pack, publish]
    }

    fn artifact(&self, name: &str) -> String {
        format!("packed/{}/{name}-{}.crate", self.table, self.version)
    }

    /// The registry, as users call it.
    fn site(&self) -> &str {
        self.registry.as_ref().map_or("crates.io", |it| it.name.as_str())
    }

    /// A crate, as users call it.
    fn place(&self, name: &str) -> String {
        format!("{}/crates/{name}/{}", self.site(), self.version)
    }

    /// The crates, each with its name.
    fn packed<'h>(&'h self, host: &'h dyn Host) -> impl Iterator<Item = (&'h String, &'h Artifact)> {
        self.names.iter().filter_map(|name| {
            let artifact = self.artifact(name);
            Some((name, host.inputs().iter().find(|it| it.name == artifact)?))
        })
    }

    /// What the registry says of each crate. Another one of the same version is a failure.
    fn findings<'h>(&'h self, host: &'h dyn Host, failed: u32) -> Result<Vec<(&'h String, Finding)>, Failure> {
        let mut findings = Vec::new();
        for (name, artifact) in self.packed(host) {
            let there = index::there(self, name, artifact.digest, host, failed)?;
            findings.push((
                name,
                there.finding(&self.place(name), &format!("`{name}` {}", self.version), artifact.digest)?,
            ));
        }
        Ok(findings)
    }

    /// The names of those that are not there.
    fn lacking<'h>(&'h self, host: &'h dyn Host, failed: u32) -> Result<Vec<&'h String>, Failure> {
        let findings = self.findings(host, failed)?;
        Ok(findings.into_iter().filter(|(_, it)| !it.is_there()).map(|(name, _)| name).collect())
    }

    fn publish(&self, step: &Step, host: &dyn Host) -> Result<(), Failure> {
        let lacking = self.lacking(host, 0)?;
        if !lacking.is_empty() {
            let what =
                format!("{} {}", lacking.iter().map(|it| it.as_str()).collect::<Vec<_>>().join(", "), self.version);
            if let Err(failure) = (Cargo { crates: self, host }).publish(&lacking) {
                // Its answer may have been lost after all was taken.
                let is_taken = failure.causes.iter().any(|it| it.contains("already"));
                let looks = if is_taken { 1..4 } else { 1..2 };
                let mut left = looks.map(|failed| self.lacking(host, failed).map(|it| it.len()));
                if !left.any(|it| it.is_ok_and(|left| left == 0)) {
                    return Err(failure);
                }
            }
            language::wait_for(host, &what, |failed| Ok(self.lacking(host, failed)?.is_empty()))?;
        }
        self.packed(host).try_for_each(|(name, artifact)| receipt::emit(host, step, &self.place(name), artifact))
    }
}

fn probe(params: &Value, host: &dyn Host) -> Result<Vec<Finding>, Failure> {
    let What::Publish(crates) = typed(params)? else { return Ok(Vec::new()) };
    if host.inputs().is_empty() {
        let of_name = |name: &String| {
            let there = index::digest(&crates, name, host, 0)?;
            Ok(language::unknown(crates.place(name), there))
        };
        return crates.names.iter().map(of_name).collect();
    }
    Ok(crates.findings(host, 0)?.into_iter().map(|(_, finding)| finding).collect())
}

fn run(params: &Value, step: &Step, host: &dyn Host) -> Result<(), Failure> {
    match typed(params)? {
        What::Pack(crates) => Cargo { crates: &crates, host }.pack(step),
        What::Publish(crates) => crates.publish(step, host),
    }
}
