//! What the commands share: from the command line to a plan, with every mistake told on the way.
//! Does not know which command asks.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use forge_plugin::Plugins;
use forge_schemas::{Digest, Facts, Failure, Presence, Read, SourceFile, exit};

use super::args::Arguments;
use super::third_party::{Named, Pinned};
use super::{OpenPipes, described, lock, memory, output, project_file};
use crate::diagnostic::Diagnostic;
use crate::git;
use crate::pipes::Pipes as _;
use crate::plan::{self, Compiled, Plan, Reader};
use crate::project::{Document, Environment, Head, Renderer, lower};
use crate::run::locked::Locked;
use crate::run::{Sources, Watch, Watched};
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
    /// The plugins, and who watches over those in this process.
    pub pipes: Watched,
    /// The engine's own tables.
    pub head: Head,
    /// The facts.
    pub facts: Facts,
    /// The source files, as they were looked at while planning.
    pub sources: Sources,
    /// The project file.
    pub project: SourceFile,
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
    opened: Opened,
    mode: Mode,
    /// A digest of all that decides the plan, but for what the plan says itself.
    key: Digest,
}

/// The plugins, and what of the project file had to be read to have them.
struct Opened {
    pipes: Watched,
    /// None where the file names no plugin: most runs need not read it at all.
    typed: Option<Typed>,
    /// What there is to say of the plugins.
    warnings: Vec<Diagnostic>,
}

/// A project file, as far as it can be understood without plugins.
struct Typed {
    document: Document,
    head: Head,
    diagnostics: Vec<Diagnostic>,
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

    /// Keeps the plan, and what plugins have said of themselves, for the next run.
    pub fn remember(&self, folder: &Folder) -> Result<(), Failure> {
        described::remember(folder, self.pipes.plugins.plugins(), &self.head.plugins)?;
        match &self.fresh {
            Some(compiled) => memory::remember(&folder.file(PLAN), compiled),
            None => Ok(()),
        }
    }
}

/// The plugins there are: those that come with forge, and those that the project file names, where there is one.
pub fn plugins(arguments: &Arguments, pipes: OpenPipes) -> Result<Plugins, u8> {
    let own = own(pipes)?;
    match Source::read(&directory(arguments)?, &arguments.file) {
        Ok(_) => {
            let source = project_file::read(arguments)?;
            let opened = Opened::of(arguments, &source, own)?;
            if !opened.warnings.is_empty() {
                output::diagnostics(arguments, &opened.warnings);
            }
            Ok(opened.pipes.plugins)
        }
        Err(_) => Ok(own),
    }
}

/// What the plugins are to be pinned to that the project file names, by name. Loads none of them.
pub fn pins(arguments: &Arguments) -> Result<BTreeMap<String, Pinned>, u8> {
    let typed = Typed::of(&project_file::read(arguments)?);
    if typed.diagnostics.iter().any(Diagnostic::is_error) {
        return Err(told(arguments, &typed.diagnostics));
    }
    let watch = Watch::of_project(&root(arguments)?);
    typed.named(arguments, &watch, |named| named.pins())?.map_err(|diagnostics| {
        output::diagnostics(arguments, &diagnostics);
        exit::PLUGIN
    })
}

/// The plugins that come with forge.
fn own(pipes: OpenPipes) -> Result<Plugins, u8> {
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
        let own = own(pipes)?;
        let source = project_file::read(arguments)?;
        let opened = Opened::of(arguments, &source, own)?;
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let repository = asked.answer();
        let key = memory::key(&source, mode, &repository, &opened.pipes.plugins);
        Ok(Given { source, repository, environment, files: Files::of(&root), opened, mode, key })
    }

    fn recall(&self, compiled: Compiled) -> Option<(Compiled, Head)> {
        let is_valid = memory::is_valid(&compiled, &self.key, &self.environment, &self.files);
        let head = serde_json::from_str(&compiled.head).ok().filter(|_| is_valid)?;
        Some((compiled, head))
    }

    fn compile(mut self, arguments: &Arguments) -> Result<Session, u8> {
        let typed = self.opened.typed.take().unwrap_or_else(|| Typed::of(&self.source));
        let Typed { document, head, mut diagnostics } = typed;
        diagnostics.append(&mut self.opened.warnings);
        let pipes = &self.opened.pipes;
        let (facts, more) = facts(&self.repository, &head.project.name, self.mode);
        diagnostics.extend(more);
        let (project, more) = lower(&document, head, &pipes.all(), &facts, &self.environment);
        diagnostics.extend(more);
        let hidden = hidden(&project.head.secrets, &project.head.registries);
        let renderer = Renderer::new(&facts, &project.head.env, &self.environment, &hidden);
        let (plan, more) = plan::compile(&project, &facts, pipes, &renderer, &self.files);
        diagnostics.extend(more);
        if diagnostics.iter().any(Diagnostic::is_error) {
            return Err(told(arguments, &diagnostics));
        }
        output::diagnostics(arguments, &diagnostics);
        let names = project.environment.union(&renderer.environment()).cloned().collect();
        let compiled = Compiled {
            key: self.key,
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
        let path = self.source.path.file_name().unwrap_or_default().into();
        let project = SourceFile { path, digest: Digest::of(self.source.text.as_bytes()) };
        Session { root, pipes: self.opened.pipes, head, facts, sources, project, plan, fresh }
    }
}

impl Opened {
    fn of(arguments: &Arguments, source: &Arc<Source>, plugins: Plugins) -> Result<Opened, u8> {
        let mut pipes = Watched { plugins, watch: Watch::of_project(&root(arguments)?) };
        if !source.text.contains("plugins") {
            return Ok(Opened { pipes, typed: None, warnings: Vec::new() });
        }
        let mut typed = Typed::of(source);
        let warnings = typed.load(arguments, &mut pipes)?;
        if warnings.iter().any(Diagnostic::is_error) {
            let is_sound = !typed.diagnostics.iter().any(Diagnostic::is_error);
            typed.diagnostics.extend(warnings);
            output::diagnostics(arguments, &typed.diagnostics);
            return Err(if is_sound { exit::PLUGIN } else { exit::PROJECT });
        }
        // A table of a plugin that could not be understood is no unknown one.
        if typed.head.plugins.len() < typed.document.keys("plugins") {
            return Err(told(arguments, &typed.diagnostics));
        }
        Ok(Opened { pipes, typed: Some(typed), warnings })
    }
}

impl Typed {
    fn of(source: &Arc<Source>) -> Typed {
        let (document, mut diagnostics) = Document::parse(source.clone());
        let (head, more) = Head::read(&document);
        diagnostics.extend(more);
        Typed { document, head, diagnostics }
    }

    /// Loads the plugins that are named; all there is to say of them. What ended an earlier forge is told before it can do so again.
    fn load(&self, arguments: &Arguments, pipes: &mut Watched) -> Result<Vec<Diagnostic>, u8> {
        let Watched { plugins, watch } = pipes;
        self.named(arguments, watch, |named| {
            let left_over = named.left_over();
            if !left_over.is_empty() {
                output::diagnostics(arguments, &left_over);
            }
            named.load(plugins)
        })
    }

    /// What is named, and what that is held against.
    fn named<T>(&self, arguments: &Arguments, watch: &Watch, act: impl FnOnce(Named<'_>) -> T) -> Result<T, u8> {
        let locked = match self.head.plugins.is_empty() {
            true => Locked::default(),
            false => lock::read(arguments)?,
        };
        Ok(act(Named {
            file: &directory(arguments)?.join(&arguments.file),
            document: &self.document,
            wanted: &self.head.plugins,
            hidden: &hidden(&self.head.secrets, &self.head.registries),
            locked: &locked,
            unpinned: arguments.unpinned(),
            watch,
        }))
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
    /// None of those that are not there.
    texts: Mutex<HashMap<String, Option<Arc<Source>>>>,
}

impl Files {
    fn of(root: &Path) -> Files {
        Files { root: root.to_path_buf(), sources: Sources::of_project(root), texts: Mutex::default() }
    }
}

impl Files {
    fn digests(&self) -> BTreeMap<String, Option<Digest>> {
        let texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        let digest = |source: &Option<Arc<Source>>| source.as_ref().map(|it| Digest::of(it.text.as_bytes()));
        texts.iter().map(|(path, source)| (path.clone(), digest(source))).collect()
    }
}

impl Reader for Files {
    fn text(&self, path: &str, presence: Presence) -> Result<Option<Arc<Source>>, Diagnostic> {
        let mut texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        match texts.get(path) {
            Some(None) if presence == Presence::Required => {}
            Some(source) => return Ok(source.clone()),
            None => {}
        }
        let source = match Source::read(&self.root, Path::new(path)) {
            Err(unreadable) if presence == Presence::Optional && unreadable.is_missing() => None,
            source => Some(source?),
        };
        texts.insert(path.to_owned(), source.clone());
        Ok(source)
    }

    fn names_any(&self, read: &Read) -> Result<bool, String> {
        match self.sources.files(read) {
            Ok(files) => Ok(!files.is_empty()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error.to_string()),
        }
    }
}
