//! What the commands share: from the command line to a plan, with every mistake told on the way.
//! Does not know which command asks.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use forge_plugin::Plugins;
use forge_schemas::{Facts, exit};

use super::args::{Arguments, Selection};
use super::{OpenPipes, output};
use crate::diagnostic::{Diagnostic, list};
use crate::git;
use crate::pipes::Pipes as _;
use crate::plan::{self, Plan, Reader, Targets};
use crate::project::{Document, Environment, Head, Project, Renderer, lower};
use crate::run::Sources;
use crate::source::Source;

/// What the facts must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A clean tree at a tagged commit.
    Release,
    /// Any tree; what is made says that it is a snapshot.
    Snapshot,
    /// Those of a release where they can be had, else those of a snapshot: nothing is made.
    Look,
}

/// A project, planned without mistakes.
pub struct Session {
    /// The directory of the project file; absolute.
    pub root: PathBuf,
    /// The plugins.
    pub plugins: Plugins,
    /// The project.
    pub project: Project,
    /// The facts.
    pub facts: Facts,
    /// All of the plan.
    pub plan: Plan,
}

impl Session {
    /// From the command line. All mistakes are told here, and answered with the exit code.
    pub fn open(arguments: &Arguments, mode: Mode, pipes: OpenPipes) -> Result<Session, u8> {
        let plugins = plugins(arguments, pipes)?;
        let directory = directory(arguments)?;
        let source = Source::read(&directory, &arguments.file).map_err(|it| told(arguments, &[it.into()]))?;
        let root = root(arguments)?;
        let (document, mut diagnostics) = Document::parse(source);
        let (head, more) = Head::read(&document);
        diagnostics.extend(more);
        let (facts, more) = facts(&root, &head.project.name, mode);
        diagnostics.extend(more);
        let environment: Environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let (project, more) = lower(&document, head, &plugins.all(), &facts, &environment);
        diagnostics.extend(more);
        let renderer = Renderer::new(&facts, &project.head.env, &environment);
        let files = Files::of(&root);
        let (plan, more) = plan::compile(&project, &facts, &plugins, &renderer, &files);
        diagnostics.extend(more);
        if diagnostics.iter().any(Diagnostic::is_error) {
            return Err(told(arguments, &diagnostics));
        }
        output::diagnostics(arguments, &diagnostics);
        Ok(Session { root, plugins, project, facts, plan })
    }

    /// The part of the plan that was asked for, with what it needs.
    pub fn select(&self, selection: &Selection) -> Result<Plan, u8> {
        let chosen = match selection.names.as_slice() {
            [] => self.plan.clone(),
            names => {
                let found = Targets::of(&self.plan).find(names).map_err(|unknown| {
                    for target in unknown {
                        output::error(&target.to_string());
                        output::note(&target.help);
                    }
                    exit::PROJECT
                })?;
                self.plan.with_needs(found)
            }
        };
        let chosen = if selection.snapshot { chosen.local() } else { chosen };
        let narrowed = match selection.platforms.as_slice() {
            [] => chosen,
            platforms => {
                let narrowed = chosen.for_platforms(platforms);
                tell_what_needs_others(&chosen, &narrowed);
                narrowed
            }
        };
        match narrowed.is_empty() && !self.plan.is_empty() {
            true => Err(nothing_left(selection)),
            false => Ok(narrowed),
        }
    }
}

/// The plugins that a run has.
pub fn plugins(_: &Arguments, pipes: OpenPipes) -> Result<Plugins, u8> {
    let mut plugins = Plugins::new();
    pipes().and_then(|plugin| plugins.add(plugin)).map_err(|error| {
        output::error(&error.to_string());
        exit::PLUGIN
    })?;
    Ok(plugins)
}

/// The directory of the project file; absolute.
pub fn root(arguments: &Arguments) -> Result<PathBuf, u8> {
    let directory = directory(arguments)?;
    let file = directory.join(&arguments.file);
    Ok(file.parent().map_or(directory, Path::to_path_buf))
}

fn directory(arguments: &Arguments) -> Result<PathBuf, u8> {
    arguments.directory.canonicalize().map_err(|error| {
        output::error(&format!("can't work in `{}`: {error}", arguments.directory.display()));
        exit::PROJECT
    })
}

fn facts(root: &Path, name: &str, mode: Mode) -> (Facts, Vec<Diagnostic>) {
    let repository = git::read(root);
    match mode {
        Mode::Release => git::facts(name, &repository, git::Mode::Release),
        Mode::Snapshot => git::facts(name, &repository, git::Mode::Snapshot),
        Mode::Look => match git::facts(name, &repository, git::Mode::Release) {
            (facts, mistakes) if !mistakes.iter().any(Diagnostic::is_error) => (facts, mistakes),
            _ => git::facts(name, &repository, git::Mode::Snapshot),
        },
    }
}

fn told(arguments: &Arguments, diagnostics: &[Diagnostic]) -> u8 {
    output::diagnostics(arguments, diagnostics);
    exit::PROJECT
}

/// Tasks for no platform of their own are left out with those that they need; the user may have asked for just these.
fn tell_what_needs_others(chosen: &Plan, narrowed: &Plan) {
    let kept: HashSet<&str> = narrowed.tasks().map(|task| task.id.as_str()).collect();
    let lost = chosen.tasks().filter(|task| task.step.platform.is_none() && !kept.contains(task.id.as_str()));
    let lost: Vec<&str> = lost.map(|task| task.id.as_str()).collect();
    if !lost.is_empty() && !narrowed.is_empty() {
        output::note(&format!("left out, for it needs other platforms too: {}", list(lost, ", ")));
    }
}

fn nothing_left(selection: &Selection) -> u8 {
    output::error("nothing is left to run");
    if selection.snapshot {
        output::note("`--snapshot` leaves out what uploads and publishes");
    }
    if !selection.platforms.is_empty() {
        output::note("`--platform` leaves out tasks of other platforms, and all that need them");
    }
    exit::PROJECT
}

/// The source files of the project, read once each.
struct Files {
    root: PathBuf,
    sources: Sources,
    texts: Mutex<HashMap<String, Arc<Source>>>,
}

impl Files {
    fn of(root: &Path) -> Files {
        Files { root: root.to_path_buf(), sources: Sources::of_project(root), texts: Mutex::default() }
    }
}

impl Reader for Files {
    fn text(&self, path: &str) -> Result<Arc<Source>, Diagnostic> {
        let mut texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(source) = texts.get(path) {
            return Ok(source.clone());
        }
        let source = Source::read(&self.root, Path::new(path))?;
        texts.insert(path.to_owned(), source.clone());
        Ok(source)
    }

    fn names_any(&self, pattern: &str) -> Result<bool, String> {
        match self.sources.files(pattern) {
            Ok(files) => Ok(!files.is_empty()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error.to_string()),
        }
    }
}
