//! Tool `go`: `go build`.
//! Does not know what it compiles: Go finds that out.

use std::path::Path;

use forge_plugin::Host;
use forge_plugin::schemas::{Failure, Resource};
use serde::{Deserialize, Serialize};

use super::tool::{Recipe, Tool, program};
use super::unit::{OUTPUT, Unit};
use super::words::Words;
use super::{Params, Settings, read_of};

/// The tool.
pub struct Go;

#[derive(Serialize, Deserialize)]
struct Start {
    argv: Vec<String>,
}

/// What others set to change what Go builds.
const VARIABLES: &[&str] =
    &["GOFLAGS", "GOEXPERIMENT", "GOTOOLCHAIN", "GOWORK", "CC", "CXX", "CGO_CFLAGS", "CGO_LDFLAGS"];

impl Tool for Go {
    fn name(&self) -> &'static str {
        "go"
    }

    fn keys(&self) -> &'static [&'static str] {
        &["main", "flags", "ldflags", "gcflags", "asmflags", "tags", "program"]
    }

    fn platforms(&self, _: &Settings) -> &'static [&'static str] {
        &[
            "linux/386",
            "linux/amd64",
            "linux/arm64",
            "darwin/amd64",
            "darwin/arm64",
            "windows/386",
            "windows/amd64",
            "windows/arm64",
        ]
    }

    fn plan(&self, unit: &mut Unit<'_>) -> Option<Recipe> {
        let Some(variables) = super::targets::go(unit.platform) else {
            unit.unsupported("go");
            return None;
        };
        let go = unit.settings.program.clone().unwrap_or_else(|| "go".to_owned());
        let argv = argv(unit, &go)?;
        let mut env = unit.facts();
        env.extend(variables.into_iter().map(|(name, value)| (name.to_owned(), value)));
        env.insert("CGO_ENABLED".to_owned(), "0".to_owned());
        Some(Recipe {
            recipe: unit.json(&Start { argv })?,
            env,
            reads: vec![read_of(".", "")],
            variables: VARIABLES,
            tools: vec![program(&[&go, "version"])],
            resource: Resource::Cpu,
        })
    }

    fn run(&self, params: &Params, _: &Path, host: &dyn Host) -> Result<(), Failure> {
        let start: Start = params.recipe()?;
        host.exec_ok(&params.command(&start.argv, host)).map(|_| ())
    }
}

/// The command. Neither paths of this machine nor the state of its work tree get into the program.
fn argv(unit: &mut Unit<'_>, go: &str) -> Option<Vec<String>> {
    let mut argv: Vec<String> = [go, "build", "-o", OUTPUT, "-trimpath", "-buildvcs=false"].map(str::to_owned).into();
    argv.push(format!("-ldflags={}", ldflags(unit)));
    if let Some((key, flags)) = unit.pick("gcflags", unit.settings.gcflags.as_ref(), |it| it.gcflags.as_ref()) {
        argv.push(format!("-gcflags={}", unit.joined(&key, flags)));
    }
    if let Some((key, flags)) = unit.pick("asmflags", unit.settings.asmflags.as_ref(), |it| it.asmflags.as_ref()) {
        argv.push(format!("-asmflags={}", unit.joined(&key, flags)));
    }
    if let Some((key, tags)) = unit.pick("tags", unit.settings.tags.as_ref(), |it| it.tags.as_ref()) {
        argv.push(format!("-tags={}", unit.words(&key, tags).join(",")));
    }
    if let Some((key, flags)) = unit.pick("flags", unit.settings.flags.as_ref(), |it| it.flags.as_ref()) {
        argv.extend(unit.words(&key, flags));
    }
    argv.push(match &unit.settings.main {
        Some(main) => unit.text("main", main)?,
        None => ".".to_owned(),
    });
    Some(argv)
}

fn ldflags(unit: &mut Unit<'_>) -> String {
    let given: Option<(String, &Words<_>)> =
        unit.pick("ldflags", unit.settings.ldflags.as_ref(), |it| it.ldflags.as_ref());
    if let Some((key, flags)) = given {
        return unit.joined(&key, flags);
    }
    let facts = unit.given.facts;
    format!(
        "-s -w -buildid= -X main.version={} -X main.commit={} -X main.date={} -X main.builtBy=forge",
        facts.version, facts.commit, facts.commit_time
    )
}
