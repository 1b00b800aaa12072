//! Pipe `hook`: any command as a task, with what it reads, what it writes, and what it makes.
//! Does not know what the command does: what the table declares decides when it runs again, and who waits for it.

mod names;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use forge_plugin::schemas::kind::{Download, Kind as _};
use forge_plugin::schemas::{
    Artifact, Command, Effect, Emit, Expect, Failure, KindInfo, Memory, Offer, Output, Place, Problem, Read, Selector,
    Step,
};
use forge_plugin::{Given, Host, Pipe, Template, Wants, kind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use self::names::{HookNames, Paths};
use crate::archive::naming;
use crate::build::command::program_of;
use crate::build::words::Words;
use crate::table::path;

/// The pipe.
pub struct Hook;

/// Runs a command. What reads a file that it `writes` waits for it by itself; `before` and `after`, which every table has, name pipes and tables
/// (`before = ["build"]`). It is run again when one of its `sources`, or what it takes, has changed, or what it has written. A command
/// that declares nothing that it reads, or nothing that comes of it, is run every time. Paths are relative to the project file.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The program to start and its arguments. A text is split as a shell would; there is no shell. `{{ out }}` is an empty directory for
    /// what it makes. With `each`, `{{ artifact }}` is the name of what it is run for and `{{ path }}` where that lies, and there are the names of
    /// its platform. The variables `FORGE_OUT` and `FORGE_ARTIFACT` are the same as `out` and `path`; `FORGE_ARTIFACTS` is the path of a list of all
    /// that it takes, as JSON.
    argv: Words<HookNames>,
    /// The directory in which it runs. Default: that of the project file.
    #[serde(default)]
    dir: String,
    /// Environment variables.
    #[serde(default)]
    env: BTreeMap<String, Template<HookNames>>,
    /// The files that it reads: files, directories, globs.
    #[serde(default)]
    sources: Vec<String>,
    /// The files of the project that it writes: files, directories, globs. Let git ignore them, or commit them.
    #[serde(default)]
    writes: Vec<String>,
    /// The files that it makes for people to download, which go where archives go: into checksums, onto release pages.
    #[serde(default)]
    makes: Vec<Makes>,
    /// Takes what these tables make, by id.
    #[serde(default)]
    ids: Vec<String>,
    /// Takes artifacts of these kinds: `binary`, `archive`.
    #[serde(default)]
    kinds: Vec<String>,
    /// Whether it is run once for each that it takes, instead of once for all.
    #[serde(default)]
    each: bool,
    /// What it does to the world: `local`, nothing outside of this machine; `publish`, something that others see. The latter runs last, when all else
    /// is done, never in a snapshot, and every time: whether it has been done, nobody can ask.
    #[serde(default)]
    effect: Reach,
}

/// A file that a command makes.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Makes {
    /// What it is called.
    name: Template<HookNames>,
    /// Where the command writes it. Default: into `{{ out }}`, under its name.
    path: Option<Template<HookNames>>,
}

/// What a command does to the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Reach {
    #[default]
    Local,
    Publish,
}

/// What `run` wants to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Params {
    argv: Vec<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    dir: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    env: BTreeMap<String, String>,
    /// Where each file that it makes lies then, by name, if not in the directory for that.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    made: BTreeMap<String, Option<String>>,
}

impl Pipe for Hook {
    const NAME: &'static str = "hook";
    const SUMMARY: &'static str = "runs any command, before or after others";
    type Settings = Settings;
    type Params = Params;

    fn makes() -> Vec<KindInfo> {
        vec![kind::<Download>()]
    }

    fn makes_here(settings: &Settings) -> Option<Vec<String>> {
        Some(settings.makes.iter().take(1).map(|_| Download::NAME.to_owned()).collect())
    }

    fn takes(settings: &Settings) -> Result<Wants, Vec<Problem>> {
        if settings.each && settings.ids.is_empty() && settings.kinds.is_empty() {
            let problem = Problem::at_key("each", "`each` of nothing");
            return Err(vec![problem.help("say what it takes by `ids` or `kinds`")]);
        }
        Ok(Wants { selectors: selectors(settings), sources: Vec::new() })
    }

    fn plan(settings: &Settings, given: &Given<'_>) -> Result<Vec<Step>, Vec<Problem>> {
        let mut problems = settings.misplaced();
        let subjects: Vec<Option<&Offer>> =
            if settings.each { given.offers.iter().map(Some).collect() } else { vec![None] };
        let mut steps = Vec::new();
        for subject in subjects {
            match step(settings, given, subject) {
                Ok(step) => steps.push(step),
                Err(more) => problems.extend(more.into_iter().filter(|it| !problems.contains(it)).collect::<Vec<_>>()),
            }
        }
        if problems.is_empty() { Ok(steps) } else { Err(problems) }
    }

    fn run(params: &Params, step: &Step, host: &dyn Host) -> Result<(), Failure> {
        let paths = Paths::make(host)?;
        let list = write_list(host)?;
        let dir = if params.dir.is_empty() { host.root().to_owned() } else { host.root().join(&params.dir) };
        let mut command = Command::new(params.argv.iter().map(|word| paths.fill(word))).in_dir(dir);
        command.env.extend(params.env.iter().map(|(name, value)| (name.clone(), paths.fill(value))));
        command.env.extend(paths.variables());
        host.exec_ok(&command.env("FORGE_ARTIFACTS", list.display().to_string()))?;
        step.makes.iter().try_for_each(|output| emit(params, output, &paths, host))
    }
}

impl Settings {
    /// Whether it need not run again while what it declares is the same.
    fn memory(&self) -> Memory {
        let is_read = !self.sources.is_empty() || !self.ids.is_empty() || !self.kinds.is_empty();
        let is_made = !self.writes.is_empty() || !self.makes.is_empty();
        match self.effect == Reach::Local && is_read && is_made {
            true => Memory::Content,
            false => Memory::Never,
        }
    }

    /// Directories and files outside of the project.
    fn misplaced(&self) -> Vec<Problem> {
        let written = self.writes.iter().enumerate().map(|(at, path)| (format!("writes[{at}]"), path));
        let all = written.chain([("dir".to_owned(), &self.dir)]);
        all.filter_map(|(key, path)| path::outside(key, path)).collect()
    }
}

fn selectors(settings: &Settings) -> Vec<Selector> {
    let of_table = |(at, id): (usize, &String)| Selector {
        tables: vec![id.clone()],
        kinds: settings.kinds.clone(),
        key: format!("ids[{at}]"),
        expect: Expect::Some,
        ..Selector::default()
    };
    let of_kind = |(at, kind): (usize, &String)| Selector { key: format!("kinds[{at}]"), ..Selector::of_kind(kind) };
    match settings.ids.is_empty() {
        false => settings.ids.iter().enumerate().map(of_table).collect(),
        true => settings.kinds.iter().enumerate().map(of_kind).collect(),
    }
}

fn step(settings: &Settings, given: &Given<'_>, subject: Option<&Offer>) -> Result<Step, Vec<Problem>> {
    let names = HookNames::of(subject);
    let mut problems = Vec::new();
    let mut keep = |problem: Problem| problems.push(problem);
    let argv = settings.argv.command("argv", given, &names).unwrap_or_else(|more| {
        more.into_iter().for_each(&mut keep);
        Vec::new()
    });
    let mut env = BTreeMap::new();
    for (name, value) in &settings.env {
        match given.render(&format!("env.{name}"), value, &names) {
            Ok(value) => drop(env.insert(name.clone(), value)),
            Err(problem) => keep(problem),
        }
    }
    let (mut made, mut outputs) = (BTreeMap::new(), Vec::new());
    for (at, makes) in settings.makes.iter().enumerate() {
        match makes.plan(at, given, &names) {
            Ok((name, path)) => {
                let platform = subject.and_then(|it| it.platform.clone());
                outputs.push(Output {
                    name: name.clone(),
                    kind: Download::NAME.to_owned(),
                    platform,
                    detail: json!({}),
                });
                made.insert(name, path);
            }
            Err(problem) => keep(problem),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let read = |(at, path): (usize, &String)| Read::all(path, Place::Key(format!("sources[{at}]")));
    let (tools, own) = program_of(&settings.dir, &argv);
    Ok(Step {
        name: subject.map(|it| it.name.clone()).unwrap_or_default(),
        platform: subject.and_then(|it| it.platform.clone()),
        takes: subject.map_or_else(
            || given.offers.iter().map(|it| it.name.clone()).collect(),
            |subject| vec![subject.name.clone()],
        ),
        makes: outputs,
        effect: if settings.effect == Reach::Publish { Effect::Publish } else { Effect::Local },
        memory: settings.memory(),
        reads: settings.sources.iter().enumerate().map(read).chain(own).collect(),
        writes: settings.writes.clone(),
        tools,
        params: serde_json::to_value(Params { argv, dir: settings.dir.clone(), env, made }).unwrap_or_default(),
        ..Step::default()
    })
}

impl Makes {
    /// What it is called, and where it is written, if not where its name says.
    fn plan(&self, at: usize, given: &Given<'_>, names: &HookNames) -> Result<(String, Option<String>), Problem> {
        let name = given.render(&format!("makes[{at}].name"), &self.name, names)?;
        naming::check(&format!("makes[{at}].name"), &name)?;
        let Some(path) = &self.path else { return Ok((name, None)) };
        let key = format!("makes[{at}].path");
        let path = given.render(&key, path, names)?;
        if !path::is_inside(&path) {
            let problem = Problem::at_key(key, format!("`{path}` is not below the directory of the project file"));
            return Err(problem.help(
                "write it relative to the project file, without `..`, or leave it out and write into `{{ out }}`",
            ));
        }
        Ok((name, Some(path)))
    }
}

/// All that it takes, for the command to read.
fn write_list(host: &dyn Host) -> Result<PathBuf, Failure> {
    let of_artifact = |it: &Artifact| {
        json!({
            "name": it.name, "kind": it.kind, "platform": it.platform, "path": it.path,
            "digest": it.digest, "size": it.size, "detail": it.detail,
        })
    };
    let list: Vec<_> = host.inputs().iter().map(of_artifact).collect();
    let path = host.dir().join("artifacts.json");
    fs::write(&path, json!(list).to_string()).map_err(|error| Failure::file("write", &path, &error))?;
    Ok(path)
}

fn emit(params: &Params, output: &Output, paths: &Paths, host: &dyn Host) -> Result<(), Failure> {
    let path = match params.made.get(&output.name).and_then(Option::as_ref) {
        None => paths.out.join(&output.name),
        Some(written) => {
            let (from, to) = (host.root().join(written), host.dir().join("made"));
            fs::copy(&from, &to).map_err(|error| Failure::file("copy", &from, &error))?;
            to
        }
    };
    if !path.is_file() {
        let message = format!("the command has not made `{}`", output.name);
        return Err(
            Failure::input(message).help("it is to write it into the directory that `{{ out }}` and FORGE_OUT name")
        );
    }
    host.emit(&Emit { name: output.name.clone(), path, blobs: Vec::new(), detail: output.detail.clone() })?;
    Ok(())
}

#[cfg(test)]
mod tests;
