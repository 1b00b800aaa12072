//! Pipe `docker`: an image for each platform, from keys of the table or from a Dockerfile, without a daemon.
//! Does not push: an image is an artifact, and `publish` takes it.

mod assemble;
mod base;
mod context;
mod copying;
pub mod dockerfile;
mod healthcheck;
mod keys;
mod nearest;
mod recipe;
mod references;
mod sources;
mod values;
mod words;

use std::collections::{BTreeMap, HashSet};

use forge_plugin::schemas::kind::{Binary, Image, Kind};
use forge_plugin::schemas::{
    Failure, KindInfo, Memory, Output, Place, Platform, Problem, Read, Resource, Selector, SourceText, Step,
};
use forge_plugin::{Given, Host, Pipe, PlatformNames, Template, Wants, kind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::base::{Base, BaseImage, Fetch};
use self::context::Context;
use self::recipe::{BaseOf, Change, Copy, Instruction, Recipe, Source};

/// The pipe.
pub struct Docker;

/// Makes a container image for each platform. No daemon is needed, and nothing is run: programs and files go into layers,
/// and the rest into the image's config. How it is made is said either by keys of the table or by a Dockerfile.
///
/// The same inputs give the same image, digest for digest, on every machine: all times are the commit's, owners are
/// numbers, and permissions are 0755 for what may be executed, else 0644.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The repositories that it is published in, without a tag: `ghcr.io/acme/hello`. Names without a host are those of
    /// Docker Hub.
    pub images: Vec<Template>,
    /// The tags that it is published under. One that comes out empty is left out. Default: the version.
    pub tags: Option<Vec<Template>>,
    /// For which platforms. Default: `linux/amd64` and `linux/arm64`.
    #[serde(default = "default_platforms")]
    #[schemars(with = "Vec<Platform>")]
    pub platforms: Vec<String>,
    /// The tables whose binaries go into it, by id. Default: all that make binaries. Empty: none.
    pub ids: Option<Vec<String>>,
    /// What makes it. Others that can run programs come with a later version.
    #[serde(default)]
    pub engine: Engine,

    /// A Dockerfile, relative to the project file. It may consist of `FROM`, `COPY`, `ADD` of local files, `ENV`, `LABEL`,
    /// `ENTRYPOINT`, `CMD`, `USER`, `WORKDIR`, `EXPOSE`, `VOLUME`, `STOPSIGNAL`, `HEALTHCHECK` and `ARG`. `COPY` finds each
    /// binary at `$TARGETPLATFORM/NAME` and at `NAME`, and every other path in the project.
    pub dockerfile: Option<String>,
    /// Values for the Dockerfile's `ARG`s. `TARGETPLATFORM`, `TARGETOS`, `TARGETARCH`, `TARGETVARIANT` and their `BUILD…`
    /// namesakes are there without.
    #[serde(default)]
    pub build_args: BTreeMap<String, Template>,

    /// Labels of the image's config. `org.opencontainers.image.title`, `version`, `revision` and `created` are there
    /// without. Those given here replace those of the Dockerfile.
    #[serde(default)]
    pub labels: BTreeMap<String, Template>,
    /// Annotations of the image's manifest.
    #[serde(default)]
    pub annotations: BTreeMap<String, Template>,

    /// What it stands on, when there is no Dockerfile: `scratch` (nothing), an image in a registry, or `oci:DIR` and
    /// `oci:DIR:NAME` for one in an OCI layout in the project. Default: `scratch`.
    pub base: Option<Template>,
    /// Files and directories of the project that go into it, when there is no Dockerfile.
    #[serde(default)]
    pub files: Vec<File>,
    /// The directory that the binaries go to, when there is no Dockerfile. Default: `/usr/local/bin`, which is in `PATH`.
    pub bin_dir: Option<Template>,
    /// What is started, when there is no Dockerfile. Default: the binary, where there is just one.
    pub entrypoint: Option<Vec<Template>>,
    /// What is passed to the entrypoint, when there is no Dockerfile.
    pub cmd: Option<Vec<Template>>,
    /// Variables of the environment, when there is no Dockerfile.
    #[serde(default)]
    pub env: BTreeMap<String, Template>,
    /// Who runs it, when there is no Dockerfile: `65532`, `65532:65532`, or a name that the base knows.
    pub user: Option<Template>,
    /// The directory in which it starts, when there is no Dockerfile.
    pub workdir: Option<Template>,
    /// The ports on which it listens, when there is no Dockerfile: `8080`, `53/udp`, `8000-8002`.
    #[serde(default)]
    pub ports: Vec<String>,
    /// The directories that hold data, when there is no Dockerfile.
    #[serde(default)]
    pub volumes: Vec<String>,
    /// The signal that stops it, when there is no Dockerfile: `SIGINT`.
    pub stop_signal: Option<String>,
}

/// What makes an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// forge itself, which runs nothing: no daemon and no rights are needed.
    #[default]
    Native,
}

/// A file or a directory of the project that goes into an image.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// A file, a directory (what is in it is copied) or a glob, relative to the project file.
    pub src: Template,
    /// Where it goes. With a `/` at its end it is a directory.
    pub dst: Template,
    /// Permissions of files in octal: `"0644"`. Default: 0755 for what may be executed, else 0644.
    pub mode: Option<String>,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "there is one a step")]
pub enum Params {
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
        vec![kind::<Image>(), kind::<BaseImage>()]
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
            Params::Base(fetch) => base::fetch(fetch, &output.name, host),
            Params::Image(recipe) => assemble::assemble(recipe, output, host),
        }
    }
}

fn default_platforms() -> Vec<String> {
    vec!["linux/amd64".to_owned(), "linux/arm64".to_owned()]
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
    let by_id = ids.iter().enumerate().map(|(at, id)| binaries(&[id.clone()], platforms, format!("ids[{at}]")));
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
    let mut problems = Vec::new();
    if let Some((one, other, file_name)) = context.ambiguous() {
        let message = format!("`{one}` and `{other}` are both called `{file_name}`");
        problems.push(Problem::at_key("ids", message).help("choose the tables whose binaries go in by `ids`"));
    }
    let making = match &settings.dockerfile {
        Some(path) => by_dockerfile(settings, given, platform, path, &context),
        None => keys::making(settings, given, &names, &context),
    };
    let references = references::references(settings, given, &names);
    let annotations = render_map("annotations", &settings.annotations, given, &names);
    let labels = labels(settings, given, &names);
    let mut take = |more: Vec<Problem>| problems.extend(more);
    let parts = (
        making.map_err(&mut take).ok(),
        references.map_err(&mut take).ok(),
        annotations.map_err(&mut take).ok(),
        labels.map_err(&mut take).ok(),
    );
    let (Some(making), Some(references), Some(annotations), Some((defaults, labels))) = parts else {
        return Err(problems);
    };
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut instructions = vec![label(defaults)];
    instructions.extend(making.instructions);
    instructions.extend((!labels.is_empty()).then(|| label(labels)));
    let base = base_step(given, platform, &making.base, &making.base_text, &making.base_place);
    let recipe = Recipe {
        platform: platform.clone(),
        base: if base.is_some() { BaseOf::FirstInput } else { BaseOf::Scratch },
        created: given.facts.commit_time.clone(),
        timestamp: given.facts.commit_timestamp,
        instructions,
        annotations,
        references: references.iter().map(ToString::to_string).collect(),
    };
    let mounts = match &making.base {
        Base::Registry(base) if references.iter().any(|it| it.host() == base.host()) => vec![base.name()],
        _ => Vec::new(),
    };
    let detail = Image { references: recipe.references.clone(), media_type: None, mounts };
    let takes = base.iter().flat_map(|it| &it.makes).map(|it| it.name.clone()).chain(inputs(&recipe)).collect();
    let image = Step {
        name: platform.to_string(),
        platform: Some(platform.clone()),
        takes,
        makes: vec![output(given, platform, "image", &detail)],
        reads: making.reads,
        params: json(&Params::Image(recipe)),
        place: Place::Key(key.to_owned()),
        ..Step::default()
    };
    Ok(base.into_iter().chain([image]).collect())
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

fn base_step(given: &Given<'_>, platform: &Platform, base: &Base, text: &str, place: &Place) -> Option<Step> {
    let mounts = match base {
        Base::Scratch => return None,
        Base::Registry(reference) => vec![reference.name()],
        Base::Layout { .. } => Vec::new(),
    };
    let (reads, resource) = match base {
        Base::Layout { dir, .. } => (vec![Read { path: dir.clone(), place: place.clone() }], Resource::Cpu),
        _ => (Vec::new(), Resource::Network),
    };
    Some(Step {
        name: format!("base/{platform}"),
        platform: Some(platform.clone()),
        makes: vec![output(given, platform, "base", &BaseImage { name: text.to_owned(), mounts })],
        memory: if base.is_fixed() { Memory::Content } else { Memory::Never },
        reads,
        resource,
        params: json(&Params::Base(Fetch { base: text.to_owned(), platform: platform.clone() })),
        place: place.clone(),
        ..Step::default()
    })
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

type Pairs = Vec<(String, String)>;

/// Labels that are there without, and those of the table.
fn labels(settings: &Settings, given: &Given<'_>, names: &PlatformNames) -> Result<(Pairs, Pairs), Vec<Problem>> {
    let facts = given.facts;
    let defaults = [
        ("created", &facts.commit_time),
        ("revision", &facts.commit),
        ("title", &facts.name),
        ("version", &facts.version),
    ];
    let default = |(name, value): (&str, &String)| (format!("org.opencontainers.image.{name}"), value.clone());
    let labels = render_map("labels", &settings.labels, given, names)?;
    Ok((defaults.map(default).to_vec(), labels.into_iter().collect()))
}

fn label(pairs: Pairs) -> Instruction {
    let shown: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let pairs = pairs.into_iter().map(|(name, value)| (name, value.as_str().into())).collect();
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
