//! How an image is made, whoever says it: what it stands on, its stages, and the steps that follow from them.
//! Does not know how keys or a Dockerfile say it.

use std::collections::BTreeMap;

use forge_plugin::Given;
use forge_plugin::schemas::kind::{Image, Kind};
use forge_plugin::schemas::{Memory, Output, Place, Platform, Read, Resource, Step};
use serde::Serialize;

use crate::docker::Params;
use crate::docker::annotations::Annotations;
use crate::docker::base::{Base, BaseImage};
use crate::docker::downloads::{Download, RemoteFile};
use crate::docker::hooks::{Commands, Maker};
use crate::docker::recipe::{BaseOf, Change, Instruction, Made, Recipe, Source};
use crate::oci::compression::Compression;
use crate::oci::reference::Reference;

/// How an image is made.
#[derive(Debug, Clone, PartialEq)]
pub struct Making {
    /// The images that are not made here, but stood on or copied from; each once.
    pub bases: Vec<Named>,
    /// The files that lie elsewhere, each once, and where they are named.
    pub downloads: Vec<(Download, Place)>,
    /// The stages, each after those that it needs. The last is the image.
    pub stages: Vec<Stage>,
    /// What of the project is not there: patterns as those of a `.dockerignore`.
    pub except: Vec<String>,
}

impl Making {
    /// Which of the bases something stands on in the end, through all stages.
    pub fn root(&self, on: On) -> Option<usize> {
        match on {
            On::Scratch => None,
            On::Base(at) => Some(at),
            On::Stage(at) => self.root(self.stages[at].on),
        }
    }
}

/// An image that is not made here.
#[derive(Debug, Clone, PartialEq)]
pub struct Named {
    /// Which.
    pub base: Base,
    /// The same, as it is written.
    pub text: String,
    /// For which platform.
    pub platform: Platform,
    /// Where it is written.
    pub place: Place,
}

impl Named {
    /// Its name, the same however it is written.
    pub fn in_full(&self) -> String {
        match &self.base {
            Base::Registry(reference) => reference.to_string(),
            _ => self.text.clone(),
        }
    }

    /// The repository that has it, where it is in a registry.
    pub fn repository(&self) -> Option<String> {
        match &self.base {
            Base::Registry(reference) => Some(reference.name()),
            Base::Scratch | Base::Layout { .. } | Base::Archive { .. } | Base::Daemon { .. } | Base::Table(_) => None,
        }
    }

    /// The artifact that it is, as one of the bases of what has these names.
    pub fn artifact(&self, names: &Names, at: usize) -> String {
        match &self.base {
            Base::Table(id) => Names::new(id, &self.platform).image(),
            _ => names.base(at),
        }
    }
}

/// A stage.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// What it is called by: its name, or its number in the Dockerfile.
    pub name: String,
    /// For which platform.
    pub platform: Platform,
    /// What it stands on.
    pub on: On,
    /// What is done on top of that.
    pub instructions: Vec<Instruction>,
    /// What it copies from the project.
    pub reads: Vec<Read>,
}

/// What a stage stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    /// Nothing.
    Scratch,
    /// One of the bases.
    Base(usize),
    /// One of the stages before it.
    Stage(usize),
}

/// What the artifacts of an image are called, that stand between what it is made from and itself.
#[derive(Debug, Clone)]
pub struct Names {
    table: String,
    prefix: String,
}

impl Names {
    /// Of the image of a table for a platform.
    pub fn new(table: &str, platform: &Platform) -> Names {
        Names { table: table.to_owned(), prefix: format!("{table}_{}", platform.slug()) }
    }

    /// The image itself.
    pub fn image(&self) -> String {
        format!("{}.image.json", self.prefix)
    }

    /// A base, by its place among the bases.
    pub fn base(&self, at: usize) -> String {
        format!("{}.base{}.json", self.prefix, number(at))
    }

    /// A base without its layers.
    pub fn manifest(&self, at: usize) -> String {
        format!("{}.base{}_manifest.json", self.prefix, number(at))
    }

    /// What the package repositories of a base have.
    pub fn index(&self, at: usize) -> String {
        format!("{}.base{}_packages.json", self.prefix, number(at))
    }

    /// The packages that a stage adds.
    pub fn packages(&self, stage: &str) -> String {
        format!("{}.stage_{stage}_packages.json", self.prefix)
    }

    /// What the name of a base means, for all platforms.
    pub fn meaning(&self, base: &str) -> String {
        format!("{}.bases/{}.json", self.table, base.replace([':', '@'], "_"))
    }

    /// A file that lies elsewhere, by its place among them.
    pub fn download(&self, at: usize) -> String {
        format!("{}.file{}", self.prefix, number(at))
    }

    /// A stage.
    pub fn stage(&self, name: &str) -> String {
        format!("{}.stage_{name}.json", self.prefix)
    }
}

// The first needs none: most images have but one.
pub(crate) fn number(at: usize) -> String {
    if at == 0 { String::new() } else { (at + 1).to_string() }
}

/// An image of which nothing is wrong.
pub struct Planned<'a> {
    /// The facts.
    pub given: &'a Given<'a>,
    /// For which platform.
    pub platform: &'a Platform,
    /// The key that asks for that.
    pub key: &'a str,
    /// How it is made.
    pub making: Making,
    /// What it is published under.
    pub references: Vec<Reference>,
    /// Its annotations.
    pub annotations: Annotations,
    /// How its layers are compressed.
    pub compression: Compression,
    /// Labels that the Dockerfile is not asked about.
    pub labels: BTreeMap<String, String>,
    /// Commands around it.
    pub hooks: Commands,
}

impl Planned<'_> {
    /// The steps that fetch what it stands on and copies from, those that make its stages, and the one that makes it.
    pub fn steps(&self) -> Vec<Step> {
        let bases = self.making.bases.iter().enumerate();
        let mut steps: Vec<Step> = bases.flat_map(|(at, base)| self.base_steps(at, base)).collect();
        steps.extend(self.making.downloads.iter().enumerate().map(|(at, it)| self.download_step(at, it)));
        steps.extend(self.package_steps());
        if let Some((image, stages)) = self.making.stages.split_last() {
            steps.extend(stages.iter().map(|stage| self.stage_step(stage)));
            steps.push(self.image_step(image));
        }
        steps
    }

    pub(crate) fn names(&self) -> Names {
        Names::new(&self.given.table.id, self.platform)
    }

    fn stage_step(&self, stage: &Stage) -> Step {
        let names = self.names();
        let detail = BaseImage {
            name: format!("the stage `{}`", stage.name),
            mounts: self.root(stage.on).and_then(Named::repository).into_iter().collect(),
            tree: None,
        };
        let recipe = self.recipe(stage, stage.instructions.clone(), Made::Stage(detail.clone()));
        Step {
            name: format!("stage/{}/{}", stage.name, self.platform),
            makes: vec![self.output(names.stage(&stage.name), &detail)],
            ..self.step(stage, &recipe)
        }
    }

    fn image_step(&self, stage: &Stage) -> Step {
        let mut instructions = vec![label(default_labels(self.given))];
        instructions.extend(stage.instructions.iter().cloned());
        instructions.extend((!self.labels.is_empty()).then(|| label(self.labels.clone())));
        let recipe = self.recipe(stage, instructions, self.made());
        let detail = self.detail();
        Step {
            name: self.platform.to_string(),
            makes: vec![self.output(self.names().image(), &detail)],
            params: json(&self.hooks.around(Maker::Recipe(Box::new(recipe.clone())))),
            ..self.step(stage, &recipe)
        }
    }

    /// What becomes of the image.
    pub(crate) fn made(&self) -> Made {
        Made::Image { annotations: self.annotations.manifest.clone(), detail: self.detail() }
    }

    /// What is known of the image before it is made.
    pub(crate) fn detail(&self) -> Image {
        Image {
            references: self.references.iter().map(ToString::to_string).collect(),
            media_type: None,
            mounts: self.making.stages.last().map(|image| self.mounts(image)).unwrap_or_default(),
            descriptor_annotations: self.annotations.descriptor.clone(),
            list_annotations: self.annotations.list.clone(),
        }
    }

    fn recipe(&self, stage: &Stage, instructions: Vec<Instruction>, made: Made) -> Recipe {
        Recipe {
            platform: stage.platform.clone(),
            base: match stage.on {
                On::Scratch => BaseOf::Scratch,
                On::Base(_) => BaseOf::FirstInput,
                On::Stage(_) => BaseOf::Stage,
            },
            created: self.given.facts.commit_time.clone(),
            timestamp: self.given.facts.commit_timestamp,
            compression: self.compression,
            instructions,
            except: self.making.except.clone(),
            made,
        }
    }

    fn step(&self, stage: &Stage, recipe: &Recipe) -> Step {
        let on = match stage.on {
            On::Scratch => None,
            On::Base(at) => Some(self.base_of(at)),
            On::Stage(at) => Some(self.names().stage(&self.making.stages[at].name)),
        };
        let mut takes: Vec<String> = on.into_iter().collect();
        takes.extend(inputs(recipe).into_iter().filter(|it| !takes.contains(it)).collect::<Vec<_>>());
        if let Some((at, _)) = self.packages_of(stage) {
            takes.extend([self.names().index(at), self.names().packages(&stage.name)]);
        }
        Step {
            platform: Some(self.platform.clone()),
            takes,
            reads: stage.reads.clone(),
            params: json(&Params::Image(Box::new(recipe.clone()))),
            place: Place::Key(self.key.to_owned()),
            ..Step::default()
        }
    }

    /// Blobs can be mounted from the base's repository where it is on a registry that the image goes to.
    fn mounts(&self, image: &Stage) -> Vec<String> {
        match self.root(image.on).map(|it| &it.base) {
            Some(Base::Registry(base)) if self.references.iter().any(|it| it.host() == base.host()) => {
                vec![base.name()]
            }
            _ => Vec::new(),
        }
    }

    fn root(&self, on: On) -> Option<&Named> {
        self.making.root(on).map(|at| &self.making.bases[at])
    }

    /// What lies at an address is asked in every run, unless it is known what it must be.
    pub(crate) fn download_step(&self, at: usize, (download, place): &(Download, Place)) -> Step {
        Step {
            name: format!("file{}/{}", number(at), self.platform),
            platform: Some(self.platform.clone()),
            makes: vec![self.output(self.names().download(at), &RemoteFile { url: download.url.clone() })],
            memory: if download.checksum.is_some() { Memory::Content } else { Memory::Never },
            resource: Resource::Network,
            params: json(&Params::Download(download.clone())),
            place: place.clone(),
            ..Step::default()
        }
    }

    pub(crate) fn output<K: Kind>(&self, name: String, detail: &K) -> Output {
        Output { name, kind: K::NAME.to_owned(), platform: Some(self.platform.clone()), detail: json(detail) }
    }
}

/// The artifacts that a recipe copies, each once.
fn inputs(recipe: &Recipe) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let sources = recipe.instructions.iter().flat_map(|it| it.change.sources());
    for artifact in sources.filter_map(Source::artifact) {
        if !names.contains(artifact) {
            names.push(artifact.clone());
        }
    }
    names
}

/// Labels that are there without being asked for.
pub(crate) fn default_labels(given: &Given<'_>) -> BTreeMap<String, String> {
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

pub(crate) fn json<T: Serialize>(value: &T) -> serde_json::Value {
    serde_json::to_value(value).unwrap_or_default()
}
