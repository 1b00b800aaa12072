//! What the commands share: from the command line to a plan, with every mistake told on the way.
//! Does not know which command asks.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use forge_plugin::Plugins;
use forge_schemas::{Digest, Facts, Failure, exit};

use super::args::Arguments;
use super::{OpenPipes, memory, output};
use crate::diagnostic::Diagnostic;
use crate::git;
use crate::pipes::Pipes as _;
use crate::plan::{self, Compiled, Plan, Reader};
use crate::project::{Document, Environment, Head, Renderer, lower};
use crate::run::Sources;
use crate::secrets::hidden;
use crate::source::Source;
use crate::store::Folder;

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
    /// The engine's own tables.
    pub head: Head,
    /// The facts.
    pub facts: Facts,
    /// The source files, as they were looked at while planning.
    pub sources: Sources,
    /// All of the plan.
    pub plan: Plan,
    /// What the next run may remember; none where it was remembered itself.
    fresh: Option<Compiled>,
}

/// What a project is compiled from.
struct Given {
    source: Arc<Source>,
    repository: git::Repository,
    environment: Environment,
    files: Files,
    plugins: Plugins,
    mode: Mode,
}

impl Session {
    /// From the command line, all of it looked at. All mistakes are told here, and answered with the exit code.
    pub fn open(arguments: &Arguments, mode: Mode, pipes: OpenPipes) -> Result<Session, u8> {
        Given::gather(arguments, mode, pipes)?.compile(arguments)
    }

    /// The same, but a plan that an earlier run has compiled is used again while all that it came from is the same.
    pub fn reopen(arguments: &Arguments, mode: Mode, pipes: OpenPipes) -> Result<Session, u8> {
        let path = root(arguments)?.join(".forge").join(PLAN);
        // What was remembered is read while it is found out whether it can be used. Plugins are not opened on a thread of a
        // pool, whose stack is small.
        let (given, remembered) = std::thread::scope(|threads| {
            let reader = threads.spawn(|| memory::read(&path));
            (Given::gather(arguments, mode, pipes), reader.join().ok().flatten())
        });
        let given = given?;
        match remembered.and_then(|it| given.recall(it)) {
            Some((compiled, head)) => Ok(given.session(head, compiled, None)),
            None => given.compile(arguments),
        }
    }

    /// Keeps the plan for the next run.
    pub fn remember(&self, folder: &Folder) -> Result<(), Failure> {
        match &self.fresh {
            Some(compiled) => memory::remember(&folder.file(PLAN), compiled),
            None => Ok(()),
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

/// The directory that forge works in; absolute.
pub fn directory(arguments: &Arguments) -> Result<PathBuf, u8> {
    arguments.directory.canonicalize().map_err(|error| {
        output::error(&format!("can't work in `{}`: {error}", arguments.directory.display()));
        exit::PROJECT
    })
}

/// The file in `.forge` that holds the last plan.
const PLAN: &str = "plan";

impl Given {
    fn gather(arguments: &Arguments, mode: Mode, pipes: OpenPipes) -> Result<Given, u8> {
        let root = root(arguments)?;
        // git works beside us.
        let asked = git::ask(&root);
        let plugins = plugins(arguments, pipes)?;
        let directory = directory(arguments)?;
        let source = Source::read(&directory, &arguments.file).map_err(|it| told(arguments, &[it.into()]))?;
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let repository = asked.answer();
        Ok(Given { source, repository, environment, files: Files::of(&root), plugins, mode })
    }

    fn key(&self) -> Digest {
        memory::key(&self.source, self.mode, &self.repository, &self.plugins)
    }

    fn recall(&self, compiled: Compiled) -> Option<(Compiled, Head)> {
        let is_valid = memory::is_valid(&compiled, &self.key(), &self.environment, &self.files);
        let head = serde_json::from_str(&compiled.head).ok().filter(|_| is_valid)?;
        Some((compiled, head))
    }

    fn compile(self, arguments: &Arguments) -> Result<Session, u8> {
        let (document, mut diagnostics) = Document::parse(self.source.clone());
        let (head, more) = Head::read(&document);
        diagnostics.extend(more);
        let (facts, more) = facts(&self.repository, &head.project.name, self.mode);
        diagnostics.extend(more);
        let (project, more) = lower(&document, head, &self.plugins.all(), &facts, &self.environment);
        diagnostics.extend(more);
        let hidden = hidden(&project.head.secrets, &project.head.registries);
        let renderer = Renderer::new(&facts, &project.head.env, &self.environment, &hidden);
        let (plan, more) = plan::compile(&project, &facts, &self.plugins, &renderer, &self.files);
        diagnostics.extend(more);
        if diagnostics.iter().any(Diagnostic::is_error) {
            return Err(told(arguments, &diagnostics));
        }
        output::diagnostics(arguments, &diagnostics);
        let names = project.environment.union(&renderer.environment()).cloned().collect();
        let compiled = Compiled {
            key: self.key(),
            environment: memory::asked(names, &self.environment),
            texts: self.files.digests(),
            head: serde_json::to_string(&project.head).unwrap_or_default(),
            facts,
            plan,
        };
        // Warnings are told by every run: what has any is not remembered.
        let fresh = diagnostics.is_empty().then(|| compiled.clone());
        Ok(self.session(project.head, compiled, fresh))
    }

    fn session(self, head: Head, compiled: Compiled, fresh: Option<Compiled>) -> Session {
        let Compiled { facts, plan, .. } = compiled;
        let Files { root, sources, .. } = self.files;
        Session { root, plugins: self.plugins, head, facts, sources, plan, fresh }
    }
}

fn facts(repository: &git::Repository, name: &str, mode: Mode) -> (Facts, Vec<Diagnostic>) {
    match mode {
        Mode::Release => git::facts(name, repository, git::Mode::Release),
        Mode::Snapshot => git::facts(name, repository, git::Mode::Snapshot),
        Mode::Look => match git::facts(name, repository, git::Mode::Release) {
            (facts, mistakes) if !mistakes.iter().any(Diagnostic::is_error) => (facts, mistakes),
            _ => git::facts(name, repository, git::Mode::Snapshot),
        },
    }
}

fn told(arguments: &Arguments, diagnostics: &[Diagnostic]) -> u8 {
    output::diagnostics(arguments, diagnostics);
    exit::PROJECT
}

/// The source files of the project, read once each.
pub struct Files {
    root: PathBuf,
    /// Which there are.
    pub sources: Sources,
    texts: Mutex<HashMap<String, Arc<Source>>>,
}

impl Files {
    fn of(root: &Path) -> Files {
        Files { root: root.to_path_buf(), sources: Sources::of_project(root), texts: Mutex::default() }
    }
}

impl Files {
    fn digests(&self) -> BTreeMap<String, Digest> {
        let texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        texts.iter().map(|(path, source)| (path.clone(), Digest::of(source.text.as_bytes()))).collect()
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
