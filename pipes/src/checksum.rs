//! Pipe `checksum`: what the files of a release hash to, in a file that `sha256sum -c` and the like can check.
//! Does not know which pipes make what it hashes: what users get, it takes by what kinds are to them.

mod algorithm;
mod files;

use std::collections::BTreeMap;

use forge_plugin::schemas::kind::{Checksums, Kind as _, Role};
use forge_plugin::schemas::{
    Artifact, Emit, Expect, Failure, KindInfo, Offer, Output, Place, Platform, Problem, Read, Selector, Step,
};
use forge_plugin::{Given, Host, Names, Pipe, Template, Wants, kind};
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::algorithm::Algorithm;
use self::files::{Extra, ExtraFile};
use crate::archive::naming;

/// The pipe.
pub struct Checksum;

/// What tables that make what users get, and others about it, are taken by.
const ROLES: &[Role] = &[Role::Delivery, Role::About];
const OF_ALL: &str = "{{ name }}_{{ version }}_checksums.txt";
const OF_EACH: &str = "{{ artifact }}.{{ algorithm }}";

/// Writes what the files of a release hash to: a line for each, with the hash and the name that it has on a release page, sorted by name.
/// `sha256sum -c` and its like check it where these files lie.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The tables whose files are listed, by id. Default: all.
    #[serde(default)]
    pub ids: Vec<String>,
    /// Kinds that are listed besides those that users get (archives, packages, SBOMs and whatever plugins make of that sort): `binary`.
    #[serde(default)]
    pub kinds: Vec<String>,
    /// What they are hashed by.
    #[serde(default)]
    pub algorithm: Algorithm,
    /// Whether each file has one of its own with its checksum, instead of one for all.
    #[serde(default)]
    pub split: bool,
    /// What it is called. With `split`, `{{ artifact }}` is the name of the file that is hashed. Default:
    /// `{{ name }}_{{ version }}_checksums.txt`; with `split`, `{{ artifact }}.{{ algorithm }}`.
    pub name: Option<Template<SumNames>>,
    /// Files of the project that are listed, too: paths and globs, under the last part of their path or another name.
    #[serde(default)]
    pub files: Vec<ExtraFile>,
}

/// The names of a file with checksums.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SumNames {
    /// `hello_1.2.3_linux_arm64.tar.gz`, with `split`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact: Option<String>,
    /// `sha256`.
    pub algorithm: String,
}

/// What is hashed, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Params {
    algorithm: Algorithm,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    files: Vec<Extra>,
}

impl Names for SumNames {
    const NAMES: &'static [&'static str] = &["artifact", "algorithm"];
}

impl Pipe for Checksum {
    const NAME: &'static str = "checksum";
    const SUMMARY: &'static str = "what the files of a release hash to";
    type Settings = Settings;
    type Params = Params;

    fn makes() -> Vec<KindInfo> {
        vec![kind::<Checksums>()]
    }

    fn takes(settings: &Settings) -> Result<Wants, Vec<Problem>> {
        Ok(Wants { selectors: selectors(settings), sources: Vec::new() })
    }

    fn plan(settings: &Settings, given: &Given<'_>) -> Result<Vec<Step>, Vec<Problem>> {
        let mut problems = files::mistakes(settings);
        problems.extend(two_of_one_name(settings, given.offers));
        let steps = match settings.split {
            false => of_all(settings, given).map(|step| vec![step]).map_err(|problem| vec![problem]),
            true => of_each(settings, given),
        };
        match steps {
            Ok(steps) if problems.is_empty() => Ok(steps),
            Ok(_) => Err(problems),
            Err(more) => Err(problems.into_iter().chain(more).collect()),
        }
    }

    fn run(params: &Params, step: &Step, host: &dyn Host) -> Result<(), Failure> {
        let output = step.makes.first().ok_or_else(|| Failure::bug("the step makes nothing"))?;
        let text: String = params.lines(host)?.into_iter().map(|(name, hash)| format!("{hash}  {name}\n")).collect();
        let path = host.dir().join("checksums");
        std::fs::write(&path, text).map_err(|error| Failure::file("write", &path, &error))?;
        host.emit(&Emit { name: output.name.clone(), path, blobs: Vec::new(), detail: output.detail.clone() })?;
        Ok(())
    }
}

impl Params {
    /// The hash of each file by its name.
    fn lines(&self, host: &dyn Host) -> Result<BTreeMap<String, String>, Failure> {
        let of_artifact = |it: &Artifact| Ok((it.file_name().to_owned(), self.of_artifact(it)?));
        let mut lines: BTreeMap<String, String> =
            host.inputs().par_iter().map(of_artifact).collect::<Result<_, Failure>>()?;
        for (name, path) in files::find(&self.files, host.root())? {
            let hash = self.algorithm.of_file(&path).map_err(|error| Failure::file("read", &path, &error))?;
            if lines.insert(name.clone(), hash).is_some() {
                let failure = Failure::input(format!("two files would be called `{name}` in the list"));
                return Err(failure.help("give one of `files` another `name`"));
            }
        }
        Ok(lines)
    }

    /// A sha256 is known of everything that was made.
    fn of_artifact(&self, artifact: &Artifact) -> Result<String, Failure> {
        match self.algorithm {
            Algorithm::Sha256 => Ok(artifact.digest.hex()),
            other => other.of_file(&artifact.path).map_err(|error| Failure::file("read", &artifact.path, &error)),
        }
    }
}

/// By role and kind. What a key names must be there; of what users get there must be something, unless something else is named.
fn selectors(settings: &Settings) -> Vec<Selector> {
    let of_table = |(at, id): (usize, &String)| Selector {
        tables: vec![id.clone()],
        kinds: settings.kinds.clone(),
        key: format!("ids[{at}]"),
        ..Selector::of_roles(ROLES)
    };
    let of_kind = |(at, kind): (usize, &String)| Selector {
        tables: settings.ids.clone(),
        key: format!("kinds[{at}]"),
        ..Selector::of_kind(kind)
    };
    let named = settings.ids.iter().enumerate().map(of_table);
    let mut selectors: Vec<Selector> = named.chain(settings.kinds.iter().enumerate().map(of_kind)).collect();
    if settings.ids.is_empty() {
        let is_needed = selectors.is_empty() && settings.files.is_empty();
        let expect = if is_needed { Expect::Some } else { Expect::Any };
        selectors.push(Selector { expect, ..Selector::of_roles(ROLES) });
    }
    selectors
}

/// On a release page there are no directories.
fn two_of_one_name(settings: &Settings, offers: &[Offer]) -> Option<Problem> {
    let mut names = BTreeMap::new();
    let (one, other) = offers.iter().find_map(|offer| Some((names.insert(file_name(offer), offer)?, offer)))?;
    let message =
        format!("`{}` and `{}` would both be called `{}` in the list", one.name, other.name, file_name(other));
    let is_kind = |kind: &&String| [&one.kind, &other.kind].contains(kind);
    let key = match settings.kinds.iter().find(is_kind) {
        Some(_) => "kinds",
        None if settings.ids.is_empty() => "",
        None => "ids",
    };
    Some(Problem::at_key(key, message).help("choose the tables by `ids`; `archive` gives programs names of their own"))
}

fn file_name(offer: &Offer) -> &str {
    offer.name.rsplit('/').next().unwrap_or(&offer.name)
}

fn of_all(settings: &Settings, given: &Given<'_>) -> Result<Step, Problem> {
    let takes = given.offers.iter().map(|offer| offer.name.clone()).collect();
    let files = settings.files.iter().map(Extra::from).collect();
    step(settings, given, Of { takes, files, ..Of::default() })
}

fn of_each(settings: &Settings, given: &Given<'_>) -> Result<Vec<Step>, Vec<Problem>> {
    let of_offer = |offer: &Offer| Of {
        name: file_name(offer).to_owned(),
        subject: Some(offer.name.clone()),
        takes: vec![offer.name.clone()],
        platform: offer.platform.clone(),
        files: Vec::new(),
    };
    let of_file = |file: &ExtraFile| {
        let file = Extra::from(file);
        Of { name: file.name(), files: vec![file], ..Of::default() }
    };
    let (mut steps, mut problems) = (Vec::new(), Vec::new());
    for of in given.offers.iter().map(of_offer).chain(settings.files.iter().map(of_file)) {
        match step(settings, given, of) {
            Ok(step) => steps.push(step),
            Err(problem) if problems.contains(&problem) => {}
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(steps) } else { Err(problems) }
}

/// What one file with checksums is of.
#[derive(Debug, Default)]
struct Of {
    /// The name of the one that it is of; empty for many.
    name: String,
    subject: Option<String>,
    takes: Vec<String>,
    platform: Option<Platform>,
    files: Vec<Extra>,
}

fn step(settings: &Settings, given: &Given<'_>, of: Of) -> Result<Step, Problem> {
    let algorithm = settings.algorithm;
    let artifact = Some(of.name.clone()).filter(|it| !it.is_empty());
    let default = Template::new(if artifact.is_some() { OF_EACH } else { OF_ALL });
    let names = SumNames { artifact, algorithm: algorithm.name().to_owned() };
    let name = given.render("name", settings.name.as_ref().unwrap_or(&default), &names)?;
    naming::check("name", &name)?;
    let detail = Checksums { algorithm: algorithm.name().to_owned(), subject: of.subject };
    let output = Output {
        name,
        kind: Checksums::NAME.to_owned(),
        platform: of.platform.clone(),
        detail: serde_json::to_value(detail).unwrap_or_default(),
    };
    let read = |file: &Extra| Read::all(file.src.clone(), Place::Key(file.key(settings)));
    Ok(Step {
        name: of.name,
        platform: of.platform,
        takes: of.takes,
        makes: vec![output],
        reads: of.files.iter().map(read).collect(),
        params: serde_json::to_value(Params { algorithm, files: of.files }).unwrap_or_default(),
        ..Step::default()
    })
}

#[cfg(test)]
mod tests;
