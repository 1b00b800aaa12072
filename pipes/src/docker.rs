//! Pipe `docker`: an image for each platform, from keys of the table or from a Dockerfile, without a daemon.
//! Does not push: an image is an artifact, and `publish` takes it.

mod archives;
mod assemble;
mod base;
#[cfg(test)]
mod checks;
mod context;
mod copying;
mod dockerfile;
mod healthcheck;
mod keys;
mod laying;
pub(crate) mod nearest;
mod recipe;
mod references;
mod settings;
mod sources;
mod syntax;
mod values;
mod words;

use std::collections::{BTreeMap, HashSet};

use forge_plugin::schemas::kind::{Binary, Image, Kind};
use forge_plugin::schemas::{
    Failure, KindInfo, Memory, Output, Place, Platform, Problem, Read, Resource, Selector, SourceText, Step,
};
use forge_plugin::{Given, Host, Pipe, PlatformNames, Template, Wants, kind};
use serde::{Deserialize, Serialize};

use self::base::{Base, BaseImage, BaseManifest, Fetch};
use self::context::Context;
use self::recipe::{BaseOf, Change, Copy, Instruction, Recipe, Source};
use self::settings::Settings;
use crate::oci::reference::Reference;

/// The pipe.
pub struct Docker;

/// What a step does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Params {
    /// Asks which base a name means.
    Resolve(Fetch),
    /// Fetches a base.
    Base(Fetch),
    /// Makes an image.
    Image(Recipe),
}

impl Pipe for Docker {
    const NAME: &'static str = "docker";
    const SUMMARY: &'static str = "container images, an image a platform, without a daemon";
    type Settings = Settings;
    type Params = Params;

    fn makes() -> Vec<KindInfo> {
        vec![kind::<Image>(), kind::<BaseImage>(), kind::<BaseManifest>()]
    }

    fn takes(settings: &Settings) -> Result<Wants, Vec<Problem>> {
        let platforms = platforms(settings)?;
        let dockerfile = settings.dockerfile.iter();
        let source =
            |path: &String| SourceText { path: path.clone(), key: "dockerfile".to_owned(), text: String::new() };
        let sources = dockerfile.map(source).collect();
        Ok(Wants { selectors: selectors(settings, &platforms), sources })
    }

    fn plan(settings: &Settings, given: &Given<'_>) -> Result<Vec<Step>, Vec<Problem>> {
        let platforms = platforms(settings)?;
        let mut problems = conflicts(settings);
        let mut steps = Vec::new();
        for (at, platform) in platforms.iter().enumerate() {
            match plan_image(settings, given, platform, &format!("platforms[{at}]")) {
                Ok(more) => steps.extend(more),
                Err(more) => problems.extend(more),
            }
        }
        let mut seen = HashSet::new();
        problems.retain(|it| seen.insert((it.place.clone(), it.message.clone())));
        if problems.is_empty() { Ok(steps) } else { Err(problems) }
    }

    fn run(params: &Params, step: &Step, host: &dyn Host) -> Result<(), Failure> {
        let output = step.makes.first().ok_or_else(|| Failure::bug("the step makes nothing"))?;
        match params {
            Params::Resolve(fetch) => base::resolve(fetch, &output.name, host),
            Params::Base(fetch) => base::fetch(fetch, &output.name, host),
            Params::Image(recipe) => assemble::assemble(recipe, output, host),
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
    let ids = match &settings.ids {
        Some(ids) if ids.is_empty() => return Vec::new(),
        Some(ids) => ids.as_slice(),
        None => &[],
    };
    let by_id =
        ids.iter().enumerate().map(|(at, id)| binaries(std::slice::from_ref(id), platforms, format!("ids[{at}]")));
    let by_platform = platforms
        .iter()
        .enumerate()
        .map(|(at, platform)| binaries(ids, std::slice::from_ref(platform), format!("platforms[{at}]")));
    by_id.chain(by_platform).collect()
}

/// Keys that say what a Dockerfile says, and keys that only a Dockerfile can use.
fn conflicts(settings: &Settings) -> Vec<Problem> {
    let Settings { base, files, bin_dir, entrypoint, cmd, env, user, workdir, ports, volumes, stop_signal, .. } =
        settings;
    let said = [
        ("base", base.is_some(), "FROM"),
        ("files", !files.is_empty(), "COPY"),
        ("bin_dir", bin_dir.is_some(), "COPY"),
        ("entrypoint", entrypoint.is_some(), "ENTRYPOINT"),
        ("cmd", cmd.is_some(), "CMD"),
        ("env", !env.is_empty(), "ENV"),
        ("user", user.is_some(), "USER"),
        ("workdir", workdir.is_some(), "WORKDIR"),
        ("ports", !ports.is_empty(), "EXPOSE"),
        ("volumes", !volumes.is_empty(), "VOLUME"),
        ("stop_signal", stop_signal.is_some(), "STOPSIGNAL"),
    ];
    let conflict = |(key, _, instruction): (&str, bool, &str)| {
        Problem::at_key(key, format!("`{key}` stands beside `dockerfile`"))
            .help(format!("write `{instruction}` in the Dockerfile, or leave `dockerfile` out"))
    };
    match settings.dockerfile {
        Some(_) => said.into_iter().filter(|(_, is_said, _)| *is_said).map(conflict).collect(),
        None if settings.build_args.is_empty() => Vec::new(),
        None => vec![
            Problem::at_key("build_args", "`build_args` without `dockerfile`").help("only a Dockerfile has `ARG`s"),
        ],
    }
}

/// How an image is made, whoever says it.
struct Making {
    base: Base,
    base_text: String,
    base_place: Place,
    instructions: Vec<Instruction>,
    reads: Vec<Read>,
}

fn plan_image(
    settings: &Settings,
    given: &Given<'_>,
    platform: &Platform,
    key: &str,
) -> Result<Vec<Step>, Vec<Problem>> {
    let names = PlatformNames::from(platform);
    let context = Context::new(platform, given.offers);
    let mut problems = ambiguous(&context);
    let making = match &settings.dockerfile {
        Some(path) => by_dockerfile(settings, given, platform, path, &context),
        None => keys::making(settings, given, &names, &context),
    };
    let making = or_problems(making, &mut problems);
    let references = or_problems(references::references(settings, given, &names), &mut problems);
    let annotations = or_problems(render_map("annotations", &settings.annotations, given, &names), &mut problems);
    let labels = or_problems(render_map("labels", &settings.labels, given, &names), &mut problems);
    match (making, references, annotations, labels) {
        (Some(making), Some(references), Some(annotations), Some(labels)) if problems.is_empty() => {
            let image = Planned { given, platform, key, making, references, annotations, labels };
            Ok(image.steps())
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

/// An image of which nothing is wrong.
struct Planned<'a> {
    given: &'a Given<'a>,
    platform: &'a Platform,
    /// The key that asks for its platform.
    key: &'a str,
    making: Making,
    references: Vec<Reference>,
    annotations: BTreeMap<String, String>,
    labels: BTreeMap<String, String>,
}

impl Planned<'_> {
    /// The steps that find and fetch its base, where there is one, and the step that makes it.
    fn steps(self) -> Vec<Step> {
        let mut steps = base_steps(self.given, self.platform, &self.making);
        let base: Vec<String> = steps.last().map(made).into_iter().flatten().collect();
        let on = if base.is_empty() { BaseOf::Scratch } else { BaseOf::FirstInput };
        let mounts = self.mounts();
        let Planned { given, platform, key, making, references, annotations, labels } = self;
        let mut instructions = vec![label(default_labels(given))];
        instructions.extend(making.instructions);
        instructions.extend((!labels.is_empty()).then(|| label(labels)));
        let recipe = Recipe {
            platform: platform.clone(),
            base: on,
            created: given.facts.commit_time.clone(),
            timestamp: given.facts.commit_timestamp,
            instructions,
            annotations,
            references: references.iter().map(ToString::to_string).collect(),
        };
        let detail = Image { references: recipe.references.clone(), media_type: None, mounts };
        steps.push(Step {
            name: platform.to_string(),
            platform: Some(platform.clone()),
            takes: base.into_iter().chain(inputs(&recipe)).collect(),
            makes: vec![output(given, platform, "image", &detail)],
            reads: making.reads,
            params: json(&Params::Image(recipe)),
            place: Place::Key(key.to_owned()),
            ..Step::default()
        });
        steps
    }

    /// Blobs can be mounted from the base's repository where it is on a registry that the image goes to.
    fn mounts(&self) -> Vec<String> {
        match &self.making.base {
            Base::Registry(base) if self.references.iter().any(|it| it.host() == base.host()) => vec![base.name()],
            _ => Vec::new(),
        }
    }
}

fn by_dockerfile(
    settings: &Settings,
    given: &Given<'_>,
    platform: &Platform,
    path: &str,
    context: &Context,
) -> Result<Making, Vec<Problem>> {
    let build_args = render_map("build_args", &settings.build_args, given, &PlatformNames::from(platform))?;
    let Some(text) = given.source(path) else {
        return Err(vec![Problem::at_key("dockerfile", format!("`{path}` can't be read"))]);
    };
    let request = dockerfile::Request { path, text, platform, build_args: &build_args, context };
    let reading = dockerfile::read(&request)?;
    let is_unused = |name: &&String| !reading.args.contains(*name) && !dockerfile::is_predefined(name);
    let unused: Vec<Problem> =
        build_args.keys().filter(is_unused).map(|it| dockerfile::unused_build_arg(it, path, &reading.args)).collect();
    let dockerfile::Reading { base, base_text, base_place, instructions, reads, .. } = reading;
    match unused.is_empty() {
        true => Ok(Making { base, base_text, base_place, instructions, reads }),
        false => Err(unused),
    }
}

/// None for scratch. What a name in a registry means is asked in every run, unless it is a digest.
fn base_steps(given: &Given<'_>, platform: &Platform, making: &Making) -> Vec<Step> {
    let Making { base, base_text: text, base_place: place, .. } = making;
    let fetch = Fetch { base: text.clone(), platform: platform.clone() };
    let step = Step { platform: Some(platform.clone()), place: place.clone(), ..Step::default() };
    let name = format!("base/{platform}");
    match base {
        Base::Scratch => Vec::new(),
        Base::Layout { dir, .. } => vec![Step {
            name,
            makes: vec![output(given, platform, "base", &BaseImage { name: text.clone(), mounts: Vec::new() })],
            reads: vec![Read { path: dir.clone(), place: place.clone() }],
            params: json(&Params::Base(fetch)),
            ..step
        }],
        Base::Registry(reference) => {
            let resolve = Step {
                name: format!("base/{platform}/manifest"),
                makes: vec![output(given, platform, "base_manifest", &BaseManifest { name: text.clone() })],
                memory: if reference.digest().is_some() { Memory::Content } else { Memory::Never },
                resource: Resource::Network,
                params: json(&Params::Resolve(fetch.clone())),
                ..step.clone()
            };
            let detail = BaseImage { name: text.clone(), mounts: vec![reference.name()] };
            let base = Step {
                name,
                takes: made(&resolve).collect(),
                makes: vec![output(given, platform, "base", &detail)],
                resource: Resource::Network,
                params: json(&Params::Base(fetch)),
                ..step
            };
            vec![resolve, base]
        }
    }
}

fn made(step: &Step) -> impl Iterator<Item = String> {
    step.makes.iter().map(|output| output.name.clone())
}

fn output<K: Kind>(given: &Given<'_>, platform: &Platform, what: &str, detail: &K) -> Output {
    Output {
        name: format!("{}_{}.{what}.json", given.table.id, platform.slug()),
        kind: K::NAME.to_owned(),
        platform: Some(platform.clone()),
        detail: json(detail),
    }
}

/// The artifacts that a recipe copies, each once.
fn inputs(recipe: &Recipe) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for instruction in &recipe.instructions {
        let Change::Copy(copies) = &instruction.change else { continue };
        for source in copies.iter().flat_map(|Copy { sources, .. }| sources) {
            match source {
                Source::Input { artifact, .. } if !names.contains(artifact) => names.push(artifact.clone()),
                _ => {}
            }
        }
    }
    names
}

/// Labels that are there without being asked for.
fn default_labels(given: &Given<'_>) -> BTreeMap<String, String> {
    let facts = given.facts;
    let labels = [
        ("created", &facts.commit_time),
        ("revision", &facts.commit),
        ("title", &facts.name),
        ("version", &facts.version),
    ];
    labels.map(|(name, value)| (format!("org.opencontainers.image.{name}"), value.clone())).into()
}

fn label(labels: BTreeMap<String, String>) -> Instruction {
    let shown: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let pairs = labels.into_iter().map(|(name, value)| (name, value.as_str().into())).collect();
    Instruction { created_by: format!("LABEL {}", shown.join(" ")), change: Change::Label(pairs) }
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

fn json<T: Serialize>(value: &T) -> serde_json::Value {
    serde_json::to_value(value).unwrap_or_default()
}
