//! Destination `npm`: a package on npm, or on any registry that is like it, by npm.
//! Does not pack by itself, and holds no token: `npm/program.rs` starts npm, which reads that from its environment.

mod program;
mod registry;

use forge_plugin::schemas::kind::Kind as _;
use forge_plugin::schemas::{Artifact, Failure, Finding, Output, Place, Problem, Read, Selector, Step};
use forge_plugin::{Given, Host};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::program::Npm;
use super::language::{self, Packed};
use super::{Destination, Planned, Settings, receipt, typed};
use crate::table::address;

pub(super) const DESTINATION: Destination = Destination {
    name: "npm",
    about: "publishes a package to npm, or a registry like it, by npm. It is packed (`npm pack`) before anything is published, and that very file is sent \
            after all that can be taken back, for a version can't be replaced there. What is there already, byte for byte, is not sent again.",
    schema: Own::json_schema,
    takes: |_| Vec::<Selector>::new(),
    plan,
    probe,
    run,
};

const NPM: &str = "https://registry.npmjs.org";

/// What it wants to know.
#[derive(Debug, Deserialize, JsonSchema)]
struct Own {
    /// The secret that is the token, one of the table's `secrets`. Without it, npm finds its own way (trusted publishing, `.npmrc`).
    token: Option<String>,
    /// The directory of the `package.json`. Without it, that of the project file.
    dir: Option<String>,
    /// The name in the `package.json`: `@acme/hello`. Without it, the project's.
    package: Option<String>,
    /// The address of a registry. Without it, `https://registry.npmjs.org`.
    registry: Option<String>,
    /// Who may see it: `public`, `restricted`. Default: what the `package.json` says, or npm.
    access: Option<Access>,
    /// The tag that is moved to this version. Default: `latest`, and `next` for a prerelease.
    tag: Option<String>,
}

/// Who may see a package.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Access {
    Public,
    Restricted,
}

/// What a step does.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum What {
    /// Makes the package.
    Pack(Package),
    /// Sends it.
    Publish(Package),
}

/// A package as it is to be.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Package {
    table: String,
    name: String,
    version: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    dir: String,
    /// Without a slash at its end.
    registry: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    access: Option<Access>,
    tag: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    /// Whether it is a snapshot: of any version.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    snapshot: bool,
}

fn plan(settings: &Settings, given: &Given<'_>) -> Planned {
    let own: Own = settings.own()?;
    let facts = given.facts;
    let mut problems: Vec<Problem> = language::outside(own.dir.as_ref()).into_iter().collect();
    let registry = own.registry.as_deref().unwrap_or(NPM).trim_end_matches('/').to_owned();
    if let Err(bad) = address::base(&registry) {
        problems.push(bad.problem("registry", "a registry", "registry = \"https://npm.acme.example\""));
    }
    if let Some(name) = own.package.as_ref().filter(|it| !is_name(it)) {
        let problem = Problem::at_key("package", format!("`{name}` is no name of a package"));
        problems.push(problem.help("write what its `package.json` has: `hello`, `@acme/hello`"));
    }
    // npm takes what reads as a range for one (`v1.4`), and refuses it as a tag.
    if let Some(tag) =
        own.tag.as_ref().filter(|it| !it.starts_with(|it: char| it.is_ascii_alphabetic()) || is_range(it))
    {
        let problem = Problem::at_key("tag", format!("`{tag}` is no tag of npm"));
        problems.push(problem.help("write a word that is no version, as in `tag = \"next\"`"));
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let tag = if facts.prerelease.is_empty() { "latest" } else { "next" };
    let package = Package {
        table: given.table.id.clone(),
        name: own.package.unwrap_or_else(|| facts.name.clone()),
        version: facts.version.clone(),
        dir: own.dir.unwrap_or_default(),
        registry,
        access: own.access,
        tag: own.tag.unwrap_or_else(|| tag.to_owned()),
        token: own.token,
        snapshot: facts.snapshot,
    };
    Ok(package.steps(given))
}

fn is_range(tag: &str) -> bool {
    tag == "x" || tag.strip_prefix('v').is_some_and(|it| it.starts_with(|it: char| it.is_ascii_digit()))
}

fn is_name(name: &str) -> bool {
    let is_word = |word: &str| {
        !word.is_empty()
            && !word.starts_with('.')
            && word.chars().all(|it| it.is_ascii_alphanumeric() || "-_.~".contains(it))
    };
    match name.strip_prefix('@') {
        None => is_word(name),
        Some(scoped) => scoped.split_once('/').is_some_and(|(scope, name)| is_word(scope) && is_word(name)),
    }
}

impl Package {
    fn steps(&self, given: &Given<'_>) -> Vec<Step> {
        let params = |what: &What| serde_json::to_value(what).unwrap_or_default();
        let (tool, packed) = (language::tool("npm"), self.artifact());
        let output = Output {
            name: packed.clone(),
            kind: Packed::NAME.to_owned(),
            platform: None,
            detail: json!({ "version": self.version }),
        };
        let pack = Step {
            name: "pack".to_owned(),
            makes: vec![output],
            reads: vec![Read::all(if self.dir.is_empty() { "." } else { &self.dir }, Place::Key("dir".to_owned()))],
            tools: vec![tool.clone()],
            params: params(&What::Pack(self.clone())),
            place: Place::Key("to".to_owned()),
            ..Step::default()
        };
        let file = receipt::name(&given.table.id, &format!("{}/{}", self.site(), self.name), &self.version);
        let publish = Step {
            makes: vec![receipt::output(file, self.place(), &packed, None)],
            takes: vec![packed],
            secrets: language::needs(self.token.as_ref()),
            // What trusted publishing asks for a token, in GitHub's CI.
            env: vec!["ACTIONS_ID_TOKEN_REQUEST_URL".to_owned(), "GITHUB_ACTIONS".to_owned()],
            params: params(&What::Publish(self.clone())),
            ..language::for_good("publish".to_owned(), tool)
        };
        vec![pack, publish]
    }

    fn artifact(&self) -> String {
        format!("packed/{}/{}", self.table, self.file_name())
    }

    /// As npm calls such files: `acme-hello-1.2.3.tgz`.
    fn file_name(&self) -> String {
        format!("{}-{}.tgz", self.name.trim_start_matches('@').replace('/', "-"), self.version)
    }

    /// The registry, as users call it.
    fn site(&self) -> &str {
        self.registry.split_once("://").map_or(self.registry.as_str(), |(_, rest)| rest)
    }

    fn place(&self) -> String {
        format!("{}/{}/{}", self.site(), self.name, self.version)
    }

    fn finding(&self, artifact: &Artifact, host: &dyn Host, failed: u32) -> Result<Finding, Failure> {
        let there = registry::there(self, artifact, host, failed)?;
        there.finding(&self.place(), &format!("`{}` {}", self.name, self.version), artifact.digest)
    }

    fn publish(&self, step: &Step, host: &dyn Host) -> Result<(), Failure> {
        let artifact =
            host.inputs().first().ok_or_else(|| Failure::bug("a step without the package that it publishes"))?;
        if !self.finding(artifact, host, 0)?.is_there() {
            if let Err(failure) = (Npm { package: self, host }).publish(artifact) {
                // Its answer may have been lost after it was taken.
                if !self.finding(artifact, host, 1).is_ok_and(|it| it.is_there()) {
                    return Err(failure);
                }
            }
            let what = format!("{} {}", self.name, self.version);
            language::wait_for(host, &what, |failed| Ok(self.finding(artifact, host, failed)?.is_there()))?;
        }
        receipt::emit(host, step, &self.place(), artifact)
    }
}

fn probe(params: &Value, host: &dyn Host) -> Result<Vec<Finding>, Failure> {
    let What::Publish(package) = typed(params)? else { return Ok(Vec::new()) };
    match host.inputs().first() {
        Some(artifact) => Ok(vec![package.finding(artifact, host, 0)?]),
        None => {
            registry::integrity(&package, host, 0)?;
            Ok(vec![language::unknown(package.place(), None)])
        }
    }
}

fn run(params: &Value, step: &Step, host: &dyn Host) -> Result<(), Failure> {
    match typed(params)? {
        What::Pack(package) => Npm { package: &package, host }.pack(step),
        What::Publish(package) => package.publish(step, host),
    }
}
