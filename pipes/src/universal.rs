//! Pipe `universal`: one program for macOS out of those for its processors.
//! Does not know how these were built.

mod fat;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::File;

use forge_plugin::schemas::kind::{Binary, Kind as _};
use forge_plugin::schemas::{Emit, Failure, KindInfo, Offer, Output, Platform, Problem, Selector, Step};
use forge_plugin::{Given, Host, Pipe, Template, Wants, kind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::fat::Part;
use crate::archive::naming;
use crate::build::make_executable;

/// The pipe.
pub struct Universal;

/// Joins programs for `darwin/amd64` and `darwin/arm64` into one that runs on both, of the platform `darwin/all`, as `lipo` of macOS does. Their
/// signatures stay as they are. Where programs come from several tables, those of one name belong together.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The tables whose programs are joined, by id. Default: all.
    #[serde(default)]
    ids: Vec<String>,
    /// What the program is called. Default: as those that it is made of.
    name: Option<Template<ProgramNames>>,
    /// Whether it takes the place of those that it is made of, so that there is no archive for each of them: whoever takes programs, and does not
    /// name the table that builds them, gets this one.
    #[serde(default)]
    replace: bool,
}

/// The names of a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProgramNames {
    /// What those are called that it is made of.
    binary: String,
}

impl forge_plugin::Names for ProgramNames {
    const NAMES: &'static [&'static str] = &["binary"];
}

/// What `run` wants to know: nothing that its step does not say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Params {}

const PLATFORMS: [&str; 2] = ["darwin/amd64", "darwin/arm64"];

impl Pipe for Universal {
    const NAME: &'static str = "universal";
    const SUMMARY: &'static str = "one program for all processors of macOS";
    type Settings = Settings;
    type Params = Params;

    fn makes() -> Vec<KindInfo> {
        vec![kind::<Binary>()]
    }

    fn takes(settings: &Settings) -> Result<Wants, Vec<Problem>> {
        let platforms: Vec<Platform> = PLATFORMS.iter().filter_map(|it| it.parse().ok()).collect();
        let of_table = |(at, id): (usize, &String)| Selector {
            tables: vec![id.clone()],
            platforms: platforms.clone(),
            key: format!("ids[{at}]"),
            ..Selector::of_kind(Binary::NAME)
        };
        let mut selectors: Vec<Selector> = settings.ids.iter().enumerate().map(of_table).collect();
        if selectors.is_empty() {
            selectors.push(Selector { platforms, ..Selector::of_kind(Binary::NAME) });
        }
        Ok(Wants { selectors, sources: Vec::new() })
    }

    fn plan(settings: &Settings, given: &Given<'_>) -> Result<Vec<Step>, Vec<Problem>> {
        let (mut steps, mut problems) = (Vec::new(), Vec::new());
        for (file_name, parts) in by_name(given.offers) {
            match step(settings, given, &file_name, &parts) {
                Ok(step) => steps.push(step),
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() { Ok(steps) } else { Err(problems) }
    }

    fn run(_: &Params, step: &Step, host: &dyn Host) -> Result<(), Failure> {
        let parts: Vec<Part> = host.inputs().iter().map(Part::read).collect::<Result<_, _>>()?;
        for output in &step.makes {
            let path = host.dir().join("universal");
            let mut file = File::create(&path).map_err(|error| Failure::file("write", &path, &error))?;
            fat::write(parts.clone(), &mut file)?;
            drop(file);
            make_executable(&path).map_err(|error| Failure::file("change", &path, &error))?;
            host.emit(&Emit { name: output.name.clone(), path, blobs: Vec::new(), detail: output.detail.clone() })?;
        }
        Ok(())
    }
}

/// The programs of each name, in the order of the file.
fn by_name(offers: &[Offer]) -> BTreeMap<String, Vec<&Offer>> {
    let mut named: BTreeMap<String, Vec<&Offer>> = BTreeMap::new();
    for offer in offers.iter().filter(|it| it.platform != Some(Platform::universal())) {
        if let Some(Binary { file_name }) = offer.detail::<Binary>() {
            named.entry(file_name).or_default().push(offer);
        }
    }
    named
}

fn step(settings: &Settings, given: &Given<'_>, binary: &str, parts: &[&Offer]) -> Result<Step, Problem> {
    check(settings, binary, parts)?;
    let file_name = match &settings.name {
        Some(name) => given.render("name", name, &ProgramNames { binary: binary.to_owned() })?,
        None => binary.to_owned(),
    };
    naming::check("name", &file_name)?;
    let takes: Vec<String> = parts.iter().map(|it| it.name.clone()).collect();
    let output = Output {
        name: format!("{}_{}/{file_name}", given.table.id, Platform::universal().slug()),
        kind: Binary::NAME.to_owned(),
        platform: Some(Platform::universal()),
        detail: serde_json::to_value(Binary { file_name }).unwrap_or_default(),
    };
    Ok(Step {
        name: binary.to_owned(),
        platform: Some(Platform::universal()),
        replaces: if settings.replace { takes.clone() } else { Vec::new() },
        takes,
        makes: vec![output],
        params: serde_json::to_value(Params {}).unwrap_or_default(),
        ..Step::default()
    })
}

/// One for each processor, no more and no fewer.
fn check(settings: &Settings, binary: &str, parts: &[&Offer]) -> Result<(), Problem> {
    let key = if settings.ids.is_empty() { "" } else { "ids" };
    for platform in PLATFORMS {
        let of_it: Vec<&&Offer> =
            parts.iter().filter(|it| it.platform.as_ref().is_some_and(|it| it.to_string() == platform)).collect();
        match of_it.as_slice() {
            [_] => {}
            [] => {
                let problem = Problem::at_key(key, format!("nothing makes `{binary}` for {platform}"));
                return Err(problem.help("it is joined from programs for darwin/amd64 and darwin/arm64: add the platform to the table that builds it"));
            }
            [one, other, ..] => {
                let message = format!("`{}` and `{}` are both `{binary}` for {platform}", one.name, other.name);
                return Err(Problem::at_key(key, message).help("choose the tables by `ids`"));
            }
        }
    }
    Ok(())
}
