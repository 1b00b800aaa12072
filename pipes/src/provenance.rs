//! Pipe `provenance`: where what users get comes from: an in-toto statement with SLSA's provenance, of the tasks that really ran.
//! Does not know how anything is built: the engine tells what the tasks behind an artifact were made of. Does not sign.

mod statement;

use std::collections::BTreeMap;
use std::fs;

use forge_plugin::schemas::kind::{Image, Kind as _, ManifestList, Provenance, Role};
use forge_plugin::schemas::{
    Emit, Expect, Failure, KindInfo, Offer, Output, Platform, Problem, Selector, Step, Traced,
};
use forge_plugin::{Given, Host, Names, Pipe, Template, Wants, kind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use self::statement::{Claim, Source};
use crate::archive::naming;

/// The pipe.
pub struct Origin;

const OF_ALL: &str = "{{ name }}_{{ version }}.intoto.json";
const OF_EACH: &str = "{{ artifact }}.intoto.json";
const MEDIA_TYPE: &str = "application/vnd.in-toto+json";
/// A machine that nobody vouches for.
const UNNAMED: &str = "urn:forge:builder:unnamed";

/// Writes where what users get comes from: an in-toto statement (v1) about archives, packages, images and lists, with SLSA's provenance (v1). It
/// names the commit, the project file, and of each task behind them what decided what it made: sources, tools, plugins, bases, as digests. It
/// is not signed, and has no time in it: the same release has the same provenance. `docs/provenance.md` describes it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The tables whose artifacts it is about, by id. Default: all that make what users get, and images.
    #[serde(default)]
    pub ids: Vec<String>,
    /// Kinds that it is about besides those: `binary`.
    #[serde(default)]
    pub kinds: Vec<String>,
    /// Whether each artifact has a statement of its own, instead of one for all. `attach` takes those about images (`from`).
    #[serde(default)]
    pub split: bool,
    /// What it is called. With `split`, `{{ artifact }}` is the name of what it is about. Default: `{{ name }}_{{ version }}.intoto.json`;
    /// with `split`, `{{ artifact }}.intoto.json`.
    pub name: Option<Template<StatementNames>>,
    /// Who answers for the machine that builds, as a URI: `https://ci.example.org/runners/release`. Default: `urn:forge:builder:unnamed`, which is
    /// nobody.
    pub builder: Option<String>,
}

/// The names of a statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatementNames {
    /// `hello_1.2.3_linux_arm64.tar.gz`, with `split`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact: Option<String>,
}

/// What is said beside what the engine tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Params {
    builder: String,
    source: Source,
}

impl Names for StatementNames {
    const NAMES: &'static [&'static str] = &["artifact"];
}

impl Pipe for Origin {
    const NAME: &'static str = "provenance";
    const SUMMARY: &'static str = "where archives, packages and images come from, as SLSA provenance";
    const NEEDS: &'static [&'static str] = &["artifact.trace"];
    type Settings = Settings;
    type Params = Params;

    fn makes() -> Vec<KindInfo> {
        vec![kind::<Provenance>()]
    }

    fn takes(settings: &Settings) -> Result<Wants, Vec<Problem>> {
        Ok(Wants { selectors: selectors(settings), sources: Vec::new() })
    }

    fn plan(settings: &Settings, given: &Given<'_>) -> Result<Vec<Step>, Vec<Problem>> {
        let mut problems: Vec<Problem> = mistake(settings).into_iter().collect();
        let (mut steps, mut names) = (Vec::new(), BTreeMap::new());
        for about in abouts(settings, given.offers) {
            match step(settings, given, &about) {
                Ok(step) => {
                    if let Some(other) = names.insert(step.makes[0].name.clone(), about.name.clone()) {
                        problems.push(two_of_one_name(&step.makes[0].name, &other, &about.name));
                    }
                    steps.push(step);
                }
                Err(problem) if problems.contains(&problem) => {}
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() { Ok(steps) } else { Err(problems) }
    }

    fn run(params: &Params, step: &Step, host: &dyn Host) -> Result<(), Failure> {
        let output = step.makes.first().ok_or_else(|| Failure::bug("the step makes nothing"))?;
        let trace = host.trace()?;
        let claim = Claim { builder: &params.builder, source: &params.source, subjects: host.inputs(), trace: &trace };
        let path = host.dir().join("statement");
        let text = format!("{:#}\n", claim.statement());
        fs::write(&path, text).map_err(|error| Failure::file("write", &path, &error))?;
        host.emit(&Emit { name: output.name.clone(), path, blobs: Vec::new(), detail: output.detail.clone() })?;
        Ok(())
    }
}

fn selectors(settings: &Settings) -> Vec<Selector> {
    let kinds = || {
        let images = [Image::NAME, ManifestList::NAME].map(str::to_owned);
        images.into_iter().chain(settings.kinds.clone()).collect::<Vec<_>>()
    };
    let of_table = |(at, id): (usize, &String)| Selector {
        tables: vec![id.clone()],
        kinds: kinds(),
        key: format!("ids[{at}]"),
        ..Selector::of_roles(&[Role::Delivery])
    };
    let of_kind = |(at, kind): (usize, &String)| Selector {
        tables: settings.ids.clone(),
        key: format!("kinds[{at}]"),
        ..Selector::of_kind(kind)
    };
    let named = settings.ids.iter().enumerate().map(of_table);
    let mut selectors: Vec<Selector> = named.chain(settings.kinds.iter().enumerate().map(of_kind)).collect();
    if settings.ids.is_empty() {
        let expect = if settings.kinds.is_empty() { Expect::Some } else { Expect::Any };
        selectors.push(Selector { kinds: kinds(), expect, ..Selector::of_roles(&[Role::Delivery]) });
    }
    selectors
}

fn mistake(settings: &Settings) -> Option<Problem> {
    let builder = settings.builder.as_ref().filter(|it| Url::parse(it).is_err())?;
    let problem = Problem::at_key("builder", format!("`{builder}` is no URI"));
    Some(problem.help("write it like `https://ci.example.org/runners/release`"))
}

fn two_of_one_name(name: &str, one: &str, other: &str) -> Problem {
    let message = format!("the statements about `{one}` and `{other}` would both be called `{name}`");
    Problem::at_key("name", message).help("tell them apart by `{{ artifact }}`")
}

/// What a statement is about.
struct About<'a> {
    /// What that is called; empty for many.
    name: String,
    offers: Vec<&'a Offer>,
    platform: Option<Platform>,
}

fn abouts<'a>(settings: &Settings, offers: &'a [Offer]) -> Vec<About<'a>> {
    let of_one = |offer: &'a Offer| {
        let last = offer.name.rsplit('/').next().unwrap_or(&offer.name);
        let name = last.strip_suffix(".image.json").or(last.strip_suffix(".index.json")).unwrap_or(last).to_owned();
        About { name, offers: vec![offer], platform: offer.platform.clone() }
    };
    match settings.split {
        true => offers.iter().map(of_one).collect(),
        false => vec![About { name: String::new(), offers: offers.iter().collect(), platform: None }],
    }
}

fn step(settings: &Settings, given: &Given<'_>, about: &About<'_>) -> Result<Step, Problem> {
    let artifact = settings.split.then(|| about.name.clone());
    let default = Template::new(if settings.split { OF_EACH } else { OF_ALL });
    let name = given.render("name", settings.name.as_ref().unwrap_or(&default), &StatementNames { artifact })?;
    naming::check("name", &name)?;
    let detail = Provenance {
        predicate_type: statement::PREDICATE.to_owned(),
        subject: about.offers.first().filter(|_| settings.split).map(|it| it.name.clone()),
        media_type: MEDIA_TYPE.to_owned(),
    };
    let builder = settings.builder.clone().unwrap_or_else(|| UNNAMED.to_owned());
    Ok(Step {
        name: about.name.clone(),
        platform: about.platform.clone(),
        takes: about.offers.iter().map(|it| it.name.clone()).collect(),
        makes: vec![Output {
            name,
            kind: Provenance::NAME.to_owned(),
            platform: about.platform.clone(),
            detail: serde_json::to_value(detail).unwrap_or_default(),
        }],
        traced: Traced::Inputs,
        params: serde_json::to_value(Params { builder, source: Source::of(given.facts) }).unwrap_or_default(),
        ..Step::default()
    })
}

#[cfg(test)]
mod tests;
