//! Pipe `sbom`: what the things that users get consist of, in the formats that look-ups of weaknesses and licences read.
//! Does not know how these were made: each program says itself what it was compiled from, or a program of the user's finds out.

mod cargo;
mod command;
mod cyclonedx;
mod format;
mod go;
mod knowledge;
mod planning;
mod purl;
mod software;
mod spdx;

use std::collections::BTreeMap;
use std::fs;

use forge_plugin::schemas::kind::{Archive, Binary, Image, Kind as _, ManifestList, Package, Sbom};
use forge_plugin::schemas::{Artifact, Emit, Expect, Failure, KindInfo, Level, Problem, Selector, Step};
use forge_plugin::{Given, Host, Names, Pipe, Template, Wants, kind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::command::Tool;
use self::format::{Document, Format};
use self::knowledge::Own;
use self::software::{Part, Relation, Software, Sort};
use crate::build::words::Words;

/// The pipe.
pub struct Bill;

/// Writes a bill of materials (SBOM) for each archive: the programs in it, and what each was compiled from. Go writes that into every
/// program; Rust's `cargo auditable` does (`auditable = true` in `[[build]]`). What a program does not say, is not there, and the run
/// says so: nothing is guessed from lock files, which list what other platforms need, too. With `command`, another program looks for it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The tables whose archives (or other `kinds`) it is about, by id. Default: all.
    #[serde(default)]
    pub ids: Vec<String>,
    /// What it is about: `archive`, `package`, `binary`, `image`. Of an image it lists the programs that `[[build]]` has made for it,
    /// not what its base brings.
    #[serde(default = "archives")]
    pub kinds: Vec<String>,
    /// The formats: `spdx` (SPDX 2.3 as JSON), `cyclonedx` (CycloneDX 1.6 as JSON). A document in each.
    #[serde(default = "spdx_alone")]
    pub formats: Vec<Format>,
    /// What a document is called. `{{ artifact }}` is the name of what it is about (`hello_1.2.3_linux_amd64.tar.gz`; of a program or an
    /// image with its platform: `hello_linux_amd64`), `{{ ext }}` is `spdx.json` or `cdx.json`.
    #[serde(default = "by_default")]
    pub name: Template<SbomNames>,
    /// A program that writes the document, and its arguments: `syft {{ artifact }} --output spdx-json={{ document }}`. There is no shell.
    /// `{{ artifact }}` is the path of a copy of what it is about, `{{ document }}` that of the document, which it must write. It finds the two in
    /// `FORGE_ARTIFACT` and `FORGE_DOCUMENT`, too.
    pub command: Option<Words<CommandNames>>,
    /// Environment variables for `command`.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
}

/// The names of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SbomNames {
    /// `hello_1.2.3_linux_arm64.tar.gz`.
    pub artifact: String,
    /// `spdx.json`.
    pub ext: String,
    /// `spdx`.
    pub format: String,
}

/// The names of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CommandNames {
    /// The path of what the document is about.
    pub artifact: String,
    /// The path of the document.
    pub document: String,
    /// `spdx`.
    pub format: String,
}

/// What is written, with everything resolved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Params {
    format: Format,
    /// What it is about is called.
    subject: String,
    version: String,
    created: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    command: Option<Tool>,
}

impl Names for SbomNames {
    const NAMES: &'static [&'static str] = &["artifact", "ext", "format"];
}

impl Names for CommandNames {
    const NAMES: &'static [&'static str] = &["artifact", "document", "format"];
}

/// What a document about an image must say, lest it be taken for all that there is.
const BASE: &str = "What is listed are the programs that were built for it. What its base brings is not.";

fn archives() -> Vec<String> {
    vec![Archive::NAME.to_owned()]
}

fn spdx_alone() -> Vec<Format> {
    vec![Format::Spdx]
}

fn by_default() -> Template<SbomNames> {
    Template::new("{{ artifact }}.{{ ext }}")
}

impl Pipe for Bill {
    const NAME: &'static str = "sbom";
    const SUMMARY: &'static str = "what archives, packages, programs and images consist of";
    type Settings = Settings;
    type Params = Params;

    fn makes() -> Vec<KindInfo> {
        vec![kind::<Sbom>()]
    }

    fn takes(settings: &Settings) -> Result<Wants, Vec<Problem>> {
        Ok(Wants { selectors: selectors(settings), sources: Vec::new() })
    }

    fn plan(settings: &Settings, given: &Given<'_>) -> Result<Vec<Step>, Vec<Problem>> {
        planning::plan(settings, given)
    }

    fn run(params: &Params, step: &Step, host: &dyn Host) -> Result<(), Failure> {
        let missing = || Failure::bug("the step takes or makes nothing");
        let (subject, output) = host.inputs().first().zip(step.makes.first()).ok_or_else(missing)?;
        let path = host.dir().join("document");
        match &params.command {
            Some(tool) => tool.write(params, subject, &path, host)?,
            None => {
                let text = params.write(subject, &host.inputs()[1..], host)?;
                fs::write(&path, text).map_err(|error| Failure::file("write", &path, &error))?;
            }
        }
        host.emit(&Emit { name: output.name.clone(), path, blobs: Vec::new(), detail: output.detail.clone() })?;
        Ok(())
    }
}

impl Params {
    fn write(&self, subject: &Artifact, programs: &[Artifact], host: &dyn Host) -> Result<String, Failure> {
        let mut software = Software::default();
        let is_program = subject.kind == Binary::NAME;
        let itself = software.add(self.part(subject, sort(subject)));
        let programs = if is_program { std::slice::from_ref(subject) } else { programs };
        for program in programs {
            let file_name = program.detail::<Binary>().map(|it| it.file_name).unwrap_or_default();
            // An archive that is the program as it is, is one file with it.
            let place = match program.digest == subject.digest {
                true => itself,
                false => software.add(Part { name: file_name.clone(), ..self.part(program, Sort::Program) }),
            };
            if place != itself {
                software.relations.insert((itself, Relation::Contains, place));
            }
            let bytes = fs::read(&program.path).map_err(|error| Failure::file("read", &program.path, &error))?;
            match knowledge::read(&bytes, &Own { version: self.version.clone() }) {
                Some(known) => software.explain(place, known),
                None => host.log(Level::Warn, &nothing_known(program)),
            }
        }
        let document = Document { name: &self.subject, created: &self.created, software: &software };
        Ok(self.format.write(&document))
    }

    fn part(&self, artifact: &Artifact, sort: Sort) -> Part {
        let name = self.subject.clone();
        let (version, digest) = (Some(self.version.clone()), Some(artifact.digest));
        let note = (sort == Sort::Container).then(|| BASE.to_owned());
        Part { name, version, sort, purl: None, digest, note }
    }
}

fn sort(artifact: &Artifact) -> Sort {
    match artifact.kind.as_str() {
        Package::NAME => Sort::Package,
        Image::NAME | ManifestList::NAME => Sort::Container,
        Binary::NAME => Sort::Program,
        _ => Sort::Archive,
    }
}

fn nothing_known(program: &Artifact) -> String {
    let sources: Vec<&str> = knowledge::names().collect();
    format!(
        "`{}` does not say what it was compiled from ({} would have written it there): it is listed alone",
        program.name,
        sources.join(" or ")
    )
}

/// What it is about, and the programs that may be in that.
fn selectors(settings: &Settings) -> Vec<Selector> {
    let kinds = &settings.kinds;
    let of_table = |(at, id): (usize, &String)| Selector {
        kinds: kinds.clone(),
        tables: vec![id.clone()],
        key: format!("ids[{at}]"),
        ..Selector::default()
    };
    let of_kind = |(at, kind): (usize, &String)| Selector {
        tables: settings.ids.clone(),
        key: format!("kinds[{at}]"),
        ..Selector::of_kind(kind)
    };
    let subjects: Vec<Selector> = match settings.ids.is_empty() {
        true => kinds.iter().enumerate().map(of_kind).collect(),
        false => settings.ids.iter().enumerate().map(of_table).collect(),
    };
    let programs = Selector { expect: Expect::Any, ..Selector::of_kind(Binary::NAME) };
    subjects.into_iter().chain([programs]).collect()
}

#[cfg(test)]
mod tests;
