//! The plugins that a project file names: found, judged and loaded, or told what is wrong, at the place that names them.
//! Does not know what a plugin's pipes do.

mod directories;
mod pins;

use std::panic::resume_unwind;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use forge_plugin::{Found, Library, LoadError, Nursery, Owners, Plugin, Plugins};
use forge_schemas::PluginInfo;
use jiff::SignedDuration;
use semver::{Version, VersionReq};

use super::described;
use super::host_program::host_program;
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::plugins::{Isolation, Wanted, Wants};
use crate::project::{Document, Head};
use crate::run::locked::Locked;
use crate::run::{Environment, LeftOver, Watch, is_withheld};
use crate::secrets::Hidden;
use crate::source::{Source, Span};

pub use pins::Pinned;

/// What a project file names, and what that is held against.
pub struct Named<'a> {
    /// The file; absolute.
    pub file: &'a Path,
    /// What stands in it.
    pub document: &'a Document,
    /// Its table `[plugins]`.
    pub wanted: &'a Wanted,
    /// What of the environment is nobody's to see.
    pub hidden: &'a Hidden,
    /// What is pinned.
    pub locked: &'a Locked,
    /// What becomes of a plugin that is not.
    pub unpinned: Unpinned,
    /// Who watches over those in this process.
    pub watch: &'a Watch,
}

/// What becomes of a plugin that is not pinned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unpinned {
    /// It is loaded: its author builds it every minute.
    Loaded,
    /// It is refused: what runs must have been looked at.
    Refused,
}

impl Named<'_> {
    /// Adds what is named to `plugins`, as far as it can be used. Answers what can't, and what looks odd.
    pub fn load(&self, plugins: &mut Plugins) -> Vec<Diagnostic> {
        let mut diagnostics = Vec::new();
        for (one, loaded) in self.load_all() {
            let added = loaded.and_then(|Loaded { plugin, mut warnings }| {
                diagnostics.append(&mut warnings);
                plugins.add(plugin).map_err(|error| one.refused(&error))
            });
            diagnostics.extend(added.err().map(|it| *it));
        }
        diagnostics
    }

    /// What was being done in this process by plugins when an earlier forge ended.
    pub fn left_over(&self) -> Vec<Diagnostic> {
        let told = |LeftOver { plugin, words }| {
            let message = format!("the last forge that worked here ended while {words} in its process");
            let diagnostic = Diagnostic::warning(message);
            let diagnostic = match self.all().find(|one| one.name == plugin) {
                Some(one) => diagnostic.at(self.document.source(), one.span("isolation")),
                None => diagnostic,
            };
            let help = "if that was its end, leave out `isolation = \"in-process\"`: a child that crashes fails its step alone";
            diagnostic.help(help)
        };
        self.watch.left_over().into_iter().map(told).collect()
    }

    /// All at once: most of the time each waits for its own child. Not on threads of a pool, which no plugin may meet.
    fn load_all(&self) -> Vec<(One<'_>, Result<Loaded, Refused>)> {
        thread::scope(|threads| {
            let threads: Vec<_> = self.all().map(|one| threads.spawn(move || (one, one.load()))).collect();
            threads.into_iter().map(|it| it.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
        })
    }

    fn all(&self) -> impl Iterator<Item = One<'_>> {
        self.wanted.iter().map(|(name, wants)| One { named: self, name, wants })
    }

    fn root(&self) -> &Path {
        self.file.parent().unwrap_or(self.file)
    }
}

/// How long a step of a plugin may take that does not say otherwise.
const TIMEOUT: Duration = Duration::from_secs(3600);

/// A diagnostic is large, and most plugins have none.
type Refused = Box<Diagnostic>;

/// One that can be used.
struct Loaded {
    plugin: Plugin,
    warnings: Vec<Diagnostic>,
}

/// One plugin that is named.
#[derive(Clone, Copy)]
struct One<'a> {
    named: &'a Named<'a>,
    name: &'a str,
    wants: &'a Wants,
}

impl One<'_> {
    fn load(&self) -> Result<Loaded, Refused> {
        let Found { library, hidden, .. } = self.find().map_err(|error| self.refused(&error))?;
        let warnings = hidden.iter().map(|other| self.hides(library.path(), other)).collect();
        self.judge(&library)?;
        self.check_pin(&library)?;
        self.check_keys()?;
        let plugin = match (self.wants.isolation, self.described(&library)) {
            (Isolation::InProcess, _) => return self.load_here(library, warnings),
            (Isolation::Child, Some(info)) => Ok(library.keep(self.nursery()?, info)),
            (Isolation::Child, None) => library.load_in_child(self.nursery()?),
        };
        let plugin = self.with_pipes(plugin.map_err(|error| self.refused(&error))?)?;
        Ok(Loaded { plugin, warnings })
    }

    fn load_here(&self, library: Library, warnings: Vec<Diagnostic>) -> Result<Loaded, Refused> {
        let version = library.version().to_owned();
        let (plugin, changed) = self.named.watch.over([self.name, &version], "was loaded", || library.load());
        let plugin = plugin.map_err(|error| self.refused(&error))?;
        match changed {
            Some(failure) => {
                let message = format!("{} can't be used: {}", self.file(), failure.message);
                let diagnostic = self.at("path", message);
                Err(Box::new(failure.help.into_iter().fold(diagnostic, Diagnostic::help)))
            }
            None => Ok(Loaded { plugin: self.with_pipes(plugin)?, warnings }),
        }
    }

    fn find(&self) -> Result<Found, LoadError> {
        let Some(path) = &self.wants.path else {
            return Library::find(self.name, &directories::of_user());
        };
        let path = self.named.root().join(path);
        match path.is_dir() {
            true => Library::find(self.name, &[path]),
            false => Library::read(&path).map(Found::from),
        }
    }

    /// All that can be said of it before anything of it runs.
    fn judge(&self, library: &Library) -> Result<(), Refused> {
        if library.name() != self.name {
            let message = format!("{} is the plugin `{}`, not `{}`", self.file(), library.name(), self.name);
            let help = format!("write `[plugins.{}]`, or name another file", library.name());
            return Err(Box::new(self.at("path", message).help(help)));
        }
        library.check_owners(&Owners::of_process().and_of(self.named.file)).map_err(|error| self.refused(&error))?;
        library.judge().map_err(|error| self.refused(&error))?;
        if let Some(pipe) = library.pipes().iter().find(|pipe| Head::NAMES.contains(&pipe.as_str())) {
            let message =
                format!("plugin `{}` has a pipe `{pipe}`, and `[{pipe}]` is a table of forge itself", self.name);
            return Err(Box::new(self.at("path", message).help("ask its author for another name")));
        }
        self.check_version(library)
    }

    fn check_version(&self, library: &Library) -> Result<(), Refused> {
        let Some(wanted) = &self.wants.version else { return Ok(()) };
        let required = VersionReq::parse(wanted).map_err(|error| {
            let message = format!("`{wanted}` says no version: {error}");
            Box::new(self.at("version", message).help("write it like `version = \">=0.3, <0.4\"`"))
        })?;
        let version = library.version();
        match Version::parse(version) {
            Ok(version) if required.matches(&version) => Ok(()),
            _ => {
                let message = format!("plugin `{}` is of version {version}, and `{wanted}` is wanted", self.name);
                let help =
                    format!("it lies at {}: install another version, or allow this one", self.shown(library.path()));
                Err(Box::new(self.at("version", message).help(help)))
            }
        }
    }

    /// What can't be had where it runs is not asked for in vain.
    fn check_keys(&self) -> Result<(), Refused> {
        let keys = [("timeout", self.wants.timeout.is_some()), ("env", !self.wants.env.is_empty())];
        match keys.into_iter().find(|(_, is_set)| *is_set && self.wants.isolation == Isolation::InProcess) {
            Some((key, _)) => {
                let message = format!("`{key}` is of plugins in children, and this one runs in forge's own process");
                let help = format!("leave out `{key}`, or `isolation`, so that it lives in a child");
                Err(Box::new(self.at(key, message).help(help)))
            }
            None => Ok(()),
        }
    }

    fn described(&self, library: &Library) -> Option<PluginInfo> {
        described::recall(self.named.root(), self.name, library.digest(), self.wants)
    }

    fn nursery(&self) -> Result<Nursery, Refused> {
        let hidden = self.named.hidden;
        if let Some((at, name)) = self.wants.env.iter().enumerate().find(|(_, name)| is_withheld(name, hidden)) {
            let message = format!("`{name}` may hold a secret, and plugins see none");
            let help = "forge adds credentials to what a plugin sends: see `[registries]` and `secrets`";
            return Err(Box::new(self.at(&format!("env[{at}]"), message).help(help)));
        }
        let program = host_program().map_err(|failure| {
            let diagnostic = self.at("", failure.message);
            Box::new(failure.help.into_iter().fold(diagnostic, Diagnostic::help))
        })?;
        let asked: Vec<String> = self.wants.env.iter().cloned().chain([forge_plugin::BACKTRACE.to_owned()]).collect();
        Ok(Nursery { program, env: Environment::of_process(hidden).of_step(&asked), timeout: self.timeout()? })
    }

    fn timeout(&self) -> Result<Duration, Refused> {
        let Some(text) = &self.wants.timeout else { return Ok(TIMEOUT) };
        let parsed = text.parse::<SignedDuration>().ok().and_then(|it| Duration::try_from(it).ok());
        parsed.filter(|it| !it.is_zero()).ok_or_else(|| {
            let message = format!("`{text}` is no duration");
            Box::new(self.at("timeout", message).help("write it like `90s`, `20m` or `2h`"))
        })
    }

    /// The plugin with those of its pipes that are wanted.
    fn with_pipes(&self, plugin: Plugin) -> Result<Plugin, Refused> {
        let Some(wanted) = &self.wants.pipes else { return Ok(plugin) };
        let has: Vec<&str> = plugin.info().pipes.iter().map(|pipe| pipe.name.as_str()).collect();
        match wanted.iter().enumerate().find(|(_, pipe)| !has.contains(&pipe.as_str())) {
            Some((at, pipe)) => {
                let message = format!("plugin `{}` has no pipe `{pipe}`", self.name);
                let help = did_you_mean(pipe, "its pipes are", has.iter().copied());
                Err(Box::new(self.at(&format!("pipes[{at}]"), message).help(help)))
            }
            None => Ok(plugin.only(wanted)),
        }
    }

    /// A plugin that can't be used, at the key that names its file.
    fn refused(&self, error: &LoadError) -> Refused {
        let message = match (error.file(), error.message()) {
            (None, message) => message.to_owned(),
            (Some(_), message) if message.starts_with("can't be ") => format!("{} {message}", self.file()),
            (Some(_), message) => format!("{} can't be used: {message}", self.file()),
        };
        let diagnostic = self.at("path", message);
        Box::new(match error.advice() {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        })
    }

    fn hides(&self, first: &Path, other: &Path) -> Diagnostic {
        let files = format!("{} is used, and not {}", self.shown(first), self.shown(other));
        let message = format!("there are two plugins `{}`: {files}", self.name);
        let diagnostic = Diagnostic::warning(message).at(self.source(), self.span(""));
        diagnostic.help("remove one of them, or say which is meant: `path = \"…\"`")
    }

    fn at(&self, key: &str, message: String) -> Diagnostic {
        Diagnostic::error(message).at(self.source(), self.span(key))
    }

    /// Where a key of its table stands; without the key, its header.
    fn span(&self, key: &str) -> Span {
        let Some(places) = self.named.document.table("plugins") else { return Span::default() };
        let table = places.find(self.name);
        let found = table.find(key);
        if std::ptr::eq(table, found) { table.key } else { found.value }
    }

    fn source(&self) -> &Arc<Source> {
        self.named.document.source()
    }

    /// The file as the project file names it.
    fn file(&self) -> String {
        match &self.wants.path {
            Some(path) => format!("`{}`", path.display()),
            None => format!("plugin `{}`", self.name),
        }
    }

    fn shown(&self, path: &Path) -> String {
        format!("`{}`", path.strip_prefix(self.named.root()).unwrap_or(path).display())
    }
}
