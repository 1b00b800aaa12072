//! Pipe `docker`: an image for each platform, from keys of the table or from a Dockerfile, without a daemon.
//! Does not push: an image is an artifact, and `publish` takes it.

mod adding;
mod annotations;
mod archived;
mod archives;
mod assemble;
pub(crate) mod base;
mod bases;
mod beyond;
mod building;
mod built;
#[cfg(test)]
mod checks;
mod compressed;
mod conflicts;
mod context;
mod contexts;
mod copying;
#[cfg(test)]
mod corpus;
mod dockerfile;
mod downloads;
pub(crate) mod elsewhere;
mod engines;
pub(crate) mod fetching;
mod foreign;
mod healthcheck;
mod hooks;
mod ignore;
mod image;
mod images;
mod keys;
mod layers;
mod laying;
mod making;
pub(crate) mod meaning;
pub(crate) mod nearest;
mod packages;
mod recipe;
mod references;
mod run;
mod settings;
pub(crate) mod sources;
mod stages;
mod substitution;
mod syntax;
mod triggers;
pub(crate) mod values;
mod words;

use std::collections::{BTreeMap, HashSet};

use forge_plugin::schemas::kind::{Binary, Image, Kind};
use forge_plugin::schemas::{Failure, Finding, KindInfo, Platform, Problem, Selector, SourceText, Step};
use forge_plugin::{Given, Host, Pipe, PlatformNames, Template, Wants, kind};
use serde::{Deserialize, Serialize};

use self::annotations::Annotations;
use self::base::{BaseImage, BaseManifest, Fetch};
use self::beyond::Agent;
use self::building::{Asked, Building, ImageEngine};
use self::conflicts::conflicts;
use self::context::Context;
use self::downloads::{Download, RemoteFile};
use self::hooks::{Commands, Hooked};
use self::images::{How, PlannedImage};
use self::making::{Names, Planned};
use self::packages::{PackageIndex, PackageSet};
use self::recipe::Recipe;
use self::settings::{Engine, Settings};
use self::stages::{Reading, Request};

/// The pipe.
pub struct Docker;

/// What a step does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Params {
    /// Asks what the name of a base means, for all platforms.
    Name(String),
    /// Finds which image that is for one.
    Find(Fetch),
    /// Fetches a base.
    Base(Fetch),
    /// Fetches a file.
    Download(Download),
    /// Asks which packages the repositories of a base have.
    Ask(Platform),
    /// Fetches packages.
    Packages(packages::Fetch),
    /// Makes an image.
    Image(Box<Recipe>),
    /// Finds an engine, for this reason.
    Choose(String),
    /// Has an engine build an image.
    Build(Box<Building>),
    /// Has an image made between commands of the user's.
    Hooked(Hooked),
}

impl Pipe for Docker {
    const NAME: &'static str = "docker";
    const SUMMARY: &'static str = "container images, an image a platform, without a daemon";
    type Settings = Settings;
    type Params = Params;

    fn makes() -> Vec<KindInfo> {
        vec![
            kind::<Image>(),
            kind::<BaseImage>(),
            kind::<BaseManifest>(),
            kind::<ImageEngine>(),
            kind::<RemoteFile>(),
            kind::<PackageIndex>(),
            kind::<PackageSet>(),
        ]
    }

    fn takes(settings: &Settings) -> Result<Wants, Vec<Problem>> {
        let platforms = platforms(settings)?;
        let sources = |path: &String| {
            let dockerfile = SourceText { path: path.clone(), key: "dockerfile".to_owned(), ..SourceText::default() };
            std::iter::once(dockerfile).chain(ignore::wanted(path)).collect::<Vec<_>>()
        };
        let sources = settings.dockerfile.iter().flat_map(sources).collect();
        Ok(Wants { selectors: selectors(settings, &platforms), sources })
    }

    fn plan(settings: &Settings, given: &Given<'_>) -> Result<Vec<Step>, Vec<Problem>> {
        let platforms = platforms(settings)?;
        let mut problems = conflicts(settings);
        let keys: Vec<String> = (0..platforms.len()).map(|at| format!("platforms[{at}]")).collect();
        let planned = platforms.iter().zip(&keys).map(|(platform, key)| plan_image(settings, given, platform, key));
        let images: Vec<PlannedImage<'_>> = planned.filter_map(|it| or_problems(it, &mut problems)).collect();
        // Most mistakes are those of all platforms.
        let mut seen = HashSet::new();
        problems.retain(|it| seen.insert((it.place.clone(), it.message.clone())));
        if problems.is_empty() { Ok(images::steps(&images)) } else { Err(problems) }
    }

    fn run(params: &Params, step: &Step, host: &dyn Host) -> Result<(), Failure> {
        let output = step.makes.first().ok_or_else(|| Failure::bug("the step makes nothing"))?;
        match params {
            Params::Name(base) => meaning::ask(base, &output.name, host),
            Params::Find(fetch) => fetching::find(fetch, &output.name, host),
            Params::Base(fetch) => fetching::fetch(fetch, &output.name, host),
            Params::Download(download) => downloads::fetch(download, &output.name, host),
            Params::Ask(platform) => packages::ask(platform, &output.name, host),
            Params::Packages(fetch) => packages::fetch(fetch, &output.name, host),
            Params::Image(recipe) => assemble::assemble(recipe, output, host).map(drop),
            Params::Choose(why) => built::choose(why, &output.name, host),
            Params::Build(building) => built::build(building, &output.name, host).map(drop),
            Params::Hooked(hooked) => hooked.run(output, host),
        }
    }

    fn probe(params: &Params, _: &Step, host: &dyn Host) -> Result<Vec<Finding>, Failure> {
        match params {
            Params::Name(base) => meaning::probe(base, host),
            _ => Ok(Vec::new()),
        }
    }
}

fn platforms(settings: &Settings) -> Result<Vec<Platform>, Vec<Problem>> {
    let (mut platforms, mut problems) = (Vec::new(), Vec::new());
    for (at, text) in settings.platforms.iter().enumerate() {
        let key = format!("platforms[{at}]");
        match text.parse::<Platform>() {
            Err(bad) => problems.push(Problem { help: bad.help.clone(), ..Problem::at_key(key, bad.to_string()) }),
            Ok(it) if it.os() != "linux" => problems.push(
                Problem::at_key(key, format!("an image for `{text}` can't be made"))
                    .help("images are made for linux; those of other systems have layers of another form"),
            ),
            Ok(it) if platforms.contains(&it) => {
                problems.push(Problem::at_key(key, format!("`{it}` stands here twice")).help("leave one out"));
            }
            Ok(it) => platforms.push(it),
        }
    }
    if settings.platforms.is_empty() {
        problems.push(Problem::at_key("platforms", "no platforms").help("leave the key out for the default"));
    }
    if problems.is_empty() { Ok(platforms) } else { Err(problems) }
}

fn selectors(settings: &Settings, platforms: &[Platform]) -> Vec<Selector> {
    let binaries = |tables: &[String], platforms: &[Platform], key: String| Selector {
        tables: tables.to_vec(),
        platforms: platforms.to_vec(),
        key,
        ..Selector::of_kind(Binary::NAME)
    };
    let images = contexts::selectors(settings, platforms);
    let ids = match &settings.ids {
        Some(ids) if ids.is_empty() => return images,
        Some(ids) => ids.as_slice(),
        None => &[],
    };
    let by_id =
        ids.iter().enumerate().map(|(at, id)| binaries(std::slice::from_ref(id), platforms, format!("ids[{at}]")));
    let by_platform = platforms
        .iter()
        .enumerate()
        .map(|(at, platform)| binaries(ids, std::slice::from_ref(platform), format!("platforms[{at}]")));
    by_id.chain(by_platform).chain(images).collect()
}

fn plan_image<'a>(
    settings: &'a Settings,
    given: &'a Given<'a>,
    platform: &'a Platform,
    key: &'a str,
) -> Result<PlannedImage<'a>, Vec<Problem>> {
    let names = PlatformNames::from(platform);
    let context = Context::new(platform, given.offers);
    let mut problems = ambiguous(&context);
    let how = match &settings.dockerfile {
        Some(path) => by_dockerfile(settings, given, platform, path, &context),
        None => keys::making(settings, given, platform, &context).map(How::Native),
    };
    let how = or_problems(how, &mut problems);
    problems.extend(how.iter().flat_map(|how| contexts::missing(how.making(), given, platform)));
    let references = or_problems(references::references(settings, given, &names), &mut problems);
    let annotations = render_map("annotations", &settings.annotations, given, &names);
    let annotations = annotations.and_then(|all| Annotations::read(all, platform));
    let annotations = or_problems(annotations, &mut problems);
    let labels = or_problems(render_map("labels", &settings.labels, given, &names), &mut problems);
    let hooks = or_problems(Commands::of(&settings.hooks, given, platform), &mut problems);
    match (how, references, annotations, labels, hooks) {
        (Some(how), Some(references), Some(annotations), Some(labels), Some(hooks)) if problems.is_empty() => {
            let compression = settings.compression;
            PlannedImage::new(how, |making| Planned {
                given,
                platform,
                key,
                making,
                references,
                annotations,
                compression,
                labels,
                hooks,
            })
        }
        _ => Err(problems),
    }
}

fn ambiguous(context: &Context) -> Vec<Problem> {
    let problem = |(one, other, file_name): (&str, &str, &str)| {
        Problem::at_key("ids", format!("`{one}` and `{other}` are both called `{file_name}`"))
            .help("choose the tables whose binaries go in by `ids`")
    };
    context.ambiguous().map(problem).into_iter().collect()
}

fn or_problems<T>(result: Result<T, Vec<Problem>>, problems: &mut Vec<Problem>) -> Option<T> {
    result.map_err(|more| problems.extend(more)).ok()
}

fn by_dockerfile<'a>(
    settings: &'a Settings,
    given: &'a Given<'_>,
    platform: &Platform,
    path: &'a str,
    context: &Context,
) -> Result<How<'a>, Vec<Problem>> {
    let names = PlatformNames::from(platform);
    let build_args = render_map("build_args", &settings.build_args, given, &names)?;
    let flags = engine_flags(settings, given, &names)?;
    let Some(text) = given.source(path) else {
        return Err(vec![Problem::at_key("dockerfile", format!("`{path}` can't be read"))]);
    };
    let ignore = ignore::read(given, path)?;
    let target = settings.target.as_deref();
    let mistakes = contexts::mistakes(settings);
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    let (names, contexts) = (Names::new(&given.table.id, platform), &settings.contexts);
    let request =
        Request { path, text, platform, build_args: &build_args, context, ignore: &ignore, contexts, names, target };
    let reading = stages::read(&request)?;
    let is_unused = |name: &&String| !reading.args.contains(*name) && !dockerfile::is_predefined(name);
    let unused: Vec<Problem> =
        build_args.keys().filter(is_unused).map(|it| dockerfile::unused_build_arg(it, path, &reading.args)).collect();
    let mut problems = reading.problems;
    problems.extend(unused);
    problems.extend(contexts::unused(settings, &reading.contexts, path));
    if settings.engine == Engine::Native {
        problems.extend(reading.beyond.problems.iter().cloned());
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let Reading { making, named, mut beyond, .. } = reading;
    if settings.engine == Engine::Auto {
        beyond.problems.append(&mut beyond.untold);
    }
    if beyond.problems.is_empty() && settings.engine.program().is_none() {
        return Ok(How::Native(making));
    }
    if !settings.ssh.is_empty() {
        beyond.agent = Agent::Kept;
    }
    let engine = settings.engine.program().and_then(engines::named);
    let asked = Asked { engine, text, named, beyond, target, build_args, flags, binaries: context.named() };
    Ok(How::Engine(making, Box::new(asked)))
}

/// What an engine is told beside what the Dockerfile says: the user's own words come last.
fn engine_flags(settings: &Settings, given: &Given<'_>, names: &PlatformNames) -> Result<Vec<String>, Vec<Problem>> {
    let Settings { cache, ssh, flags, .. } = settings;
    let keys = [
        ("cache.from", &cache.from, "--cache-from="),
        ("cache.to", &cache.to, "--cache-to="),
        ("ssh", ssh, "--ssh="),
        ("flags", flags, ""),
    ];
    let (mut told, mut problems) = (Vec::new(), Vec::new());
    for (key, list, flag) in keys {
        let rendered = or_problems(render_list(key, list, given, names), &mut problems).unwrap_or_default();
        told.extend(rendered.into_iter().map(|value| format!("{flag}{value}")));
    }
    if problems.is_empty() { Ok(told) } else { Err(problems) }
}

/// Every text of a list, rendered.
fn render_list(
    key: &str,
    list: &[Template],
    given: &Given<'_>,
    names: &PlatformNames,
) -> Result<Vec<String>, Vec<Problem>> {
    let (mut rendered, mut problems) = (Vec::new(), Vec::new());
    for (at, template) in list.iter().enumerate() {
        match given.render(&format!("{key}[{at}]"), template, names) {
            Ok(value) => rendered.push(value),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(rendered) } else { Err(problems) }
}

/// Every value of a map, rendered.
fn render_map(
    key: &str,
    map: &BTreeMap<String, Template>,
    given: &Given<'_>,
    names: &PlatformNames,
) -> Result<BTreeMap<String, String>, Vec<Problem>> {
    let (mut rendered, mut problems) = (BTreeMap::new(), Vec::new());
    for (name, template) in map {
        match given.render(&format!("{key}.{name}"), template, names) {
            Ok(value) => drop(rendered.insert(name.clone(), value)),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(rendered) } else { Err(problems) }
}
