//! Pipes in memory for the tests of plan, schedule and run: a table says itself what it takes and makes.
//! Asks no plugin.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use forge_plugin::{Host, Renderer};
use forge_schemas::{
    Effect, Emit, Facts, Failure, KindInfo, Memory, Offer, Output, PipeInfo, Place, Plan as PlanRequest, PlanReply,
    Platform, Presence, Problem, Read, Recall, Resource, Run, Selector, SourceText, Step, Takes, TakesReply, Traced,
    Wanted,
};
use serde::Deserialize;
use serde_json::json;

use super::{Plan, Reader, compile};
use crate::diagnostic::Diagnostic;
use crate::pipes::Pipes;
use crate::project::{Document, Environment, Head, Renderer as ProjectRenderer, lower};
use crate::secrets::Hidden;
use crate::source::Source;

/// Pipes `x`, `y` and `z`, which make the kinds of these names.
pub struct FakePipes {
    pipes: Vec<PipeInfo>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Settings {
    /// Selectors; the kind is that of the table unless it says another.
    takes: Vec<Selector>,
    /// One step each; one without a platform when there are none.
    platforms: Vec<Platform>,
    /// The artifact of each step; the platform's slug and the id make the name where this is missing.
    name: Option<String>,
    effect: Effect,
    recall: Recall,
    memory: Memory,
    wanted: Wanted,
    exclusive: Option<String>,
    reads: Vec<String>,
    writes: Vec<String>,
    replaces: Vec<String>,
    text: Option<String>,
    problem: Option<String>,
    content: String,
    /// What a step does instead of its work: `fail`, `lose`, `extra`, `stray`; or `trace`: it writes how what it takes came to be.
    sin: String,
}

impl FakePipes {
    /// All of them.
    pub fn xyz() -> FakePipes {
        let pipes = ["x", "y", "z"].map(|name| PipeInfo {
            name: name.to_owned(),
            summary: format!("makes {name}"),
            settings: json!({ "type": "object" }),
            makes: vec![KindInfo {
                name: name.to_owned(),
                detail: json!({ "type": "object" }),
                role: forge_schemas::kind::Role::Part,
            }],
        });
        FakePipes { pipes: pipes.into() }
    }
}

/// A plan of tables written as a project file, without its `[project]`.
pub fn planned(tables: &str, files: &[&str]) -> (Plan, Vec<Diagnostic>) {
    let source = Source::new("forge.toml", format!("[project]\nname = \"test\"\n{tables}"));
    let pipes = FakePipes::xyz();
    let (document, mut diagnostics) = Document::parse(source);
    let (head, more) = Head::read(&document);
    diagnostics.extend(more);
    let facts = facts();
    let environment = Environment::new();
    let (project, more) = lower(&document, head, &pipes.all(), &facts, &environment);
    diagnostics.extend(more);
    let renderer = ProjectRenderer::new(&facts, &BTreeMap::new(), &environment, &Hidden::new());
    let files = FakeFiles(files.iter().map(|it| (*it).to_owned()).collect());
    let (plan, more) = compile(&project, &facts, &pipes, &renderer, &files);
    diagnostics.extend(more);
    (plan, diagnostics)
}

/// Facts of a release.
pub fn facts() -> Facts {
    Facts {
        name: "test".into(),
        version: "1.2.3".into(),
        major: 1,
        minor: 2,
        patch: 3,
        prerelease: String::new(),
        tag: "v1.2.3".into(),
        commit: "c0ffee".into(),
        short_commit: "c0ffee".into(),
        commit_time: "2026-01-02T03:04:05Z".into(),
        commit_timestamp: 1_767_323_045,
        git_url: String::new(),
        branch: "main".into(),
        dirty: false,
        snapshot: false,
    }
}

struct FakeFiles(Vec<String>);

impl Reader for FakeFiles {
    fn text(&self, path: &str, presence: Presence) -> Result<Option<Arc<Source>>, Diagnostic> {
        match self.0.iter().any(|it| it == path) {
            true => Ok(Some(Source::new(path, format!("text of {path}\n")))),
            false if presence == Presence::Optional => Ok(None),
            false => Err(Diagnostic::error(format!("`{path}` does not exist"))),
        }
    }

    fn names_any(&self, read: &Read) -> Result<bool, String> {
        Ok(self.0.contains(&read.path) && !read.except.contains(&read.path))
    }
}

impl Pipes for FakePipes {
    fn all(&self) -> Vec<&PipeInfo> {
        self.pipes.iter().collect()
    }

    fn info(&self, pipe: &str) -> Option<&PipeInfo> {
        self.pipes.iter().find(|it| it.name == pipe)
    }

    fn identity(&self, _: &str) -> Cow<'_, str> {
        "fake".into()
    }

    fn takes(&self, request: &Takes) -> Result<TakesReply, Failure> {
        assert_plain_thread();
        let settings = read(&request.settings)?;
        let key = |at: usize| format!("takes[{at}]");
        let selectors =
            settings.takes.into_iter().enumerate().map(|(at, it)| Selector { key: key(at), ..it }).collect();
        let source = |path: String| SourceText { path, key: "text".to_owned(), ..SourceText::default() };
        Ok(TakesReply { selectors, sources: settings.text.into_iter().map(source).collect(), ..TakesReply::default() })
    }

    fn plan(&self, request: &PlanRequest, _: &dyn Renderer) -> Result<PlanReply, Failure> {
        assert_plain_thread();
        let settings = read(&request.settings)?;
        let said = settings.problem.iter().map(|it| match request.sources.first() {
            Some(source) => Problem::at_file(&source.path, 0..4, it),
            None => Problem::at_key("problem", it),
        });
        let problems: Vec<Problem> = said.collect();
        let platforms = settings.platforms.iter().map(Some);
        let platforms: Vec<Option<&Platform>> =
            if settings.platforms.is_empty() { vec![None] } else { platforms.collect() };
        let steps = platforms.into_iter().map(|platform| step(request, &settings, platform));
        Ok(PlanReply { steps: if problems.is_empty() { steps.collect() } else { Vec::new() }, problems })
    }

    fn run(&self, request: &Run, host: &dyn Host) -> Result<(), Failure> {
        assert_plain_thread();
        let settings = read(&request.step.params)?;
        let path = host.dir().join("made");
        let content = match settings.sin.as_str() {
            "trace" => serde_json::to_string_pretty(&host.trace()?).unwrap_or_default(),
            _ => settings.content,
        };
        std::fs::write(&path, content).map_err(|error| Failure::file("write", &path, &error))?;
        let name = request.step.makes[0].name.clone();
        let emit = Emit { name, path, blobs: Vec::new(), detail: json!({}) };
        match settings.sin.as_str() {
            "fail" => return Err(Failure::tool("it was told to fail").help("tell it otherwise")),
            "lose" => return Ok(()),
            "extra" => drop(host.emit(&Emit { name: "extra".to_owned(), ..emit.clone() })?),
            "stray" => drop(host.emit(&Emit { path: "/etc/hostname".into(), ..emit.clone() })?),
            _ => {}
        }
        host.emit(&emit).map(drop)
    }
}

/// A pipe is called neither on a worker of rayon nor in a runtime of tokio: it may have its own.
fn assert_plain_thread() {
    assert!(rayon::current_thread_index().is_none(), "a pipe is called on a thread of rayon");
    assert!(tokio::runtime::Handle::try_current().is_err(), "a pipe is called in a runtime of tokio");
}

fn read(settings: &serde_json::Value) -> Result<Settings, Failure> {
    Settings::deserialize(settings).map_err(|error| Failure::input(error.to_string()))
}

fn step(request: &PlanRequest, settings: &Settings, platform: Option<&Platform>) -> Step {
    let fits = |offer: &&Offer| platform.is_none() || offer.platform.is_none() || offer.platform.as_ref() == platform;
    let slug = platform.map_or_else(String::new, |it| format!("_{}", it.slug()));
    let output = Output {
        name: settings.name.clone().unwrap_or_else(|| format!("{}{slug}", request.table.id)),
        kind: request.table.pipe.clone(),
        platform: platform.cloned(),
        detail: json!({}),
    };
    let read = |path: &String| Read::all(path, Place::Key("reads".to_owned()));
    Step {
        name: platform.map(ToString::to_string).unwrap_or_default(),
        platform: platform.cloned(),
        takes: request.offers.iter().filter(fits).map(|it| it.name.clone()).collect(),
        makes: vec![output],
        effect: settings.effect,
        recall: settings.recall,
        memory: settings.memory,
        wanted: settings.wanted,
        traced: if settings.sin == "trace" { Traced::Inputs } else { Traced::No },
        reads: settings.reads.iter().map(read).collect(),
        writes: settings.writes.clone(),
        replaces: settings.replaces.clone(),
        resource: settings.exclusive.clone().map_or(Resource::Cpu, Resource::Exclusive),
        params: json!({ "content": settings.content, "sin": settings.sin }),
        ..Step::default()
    }
}
