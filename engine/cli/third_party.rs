//! The plugins that a project file names: found, judged and loaded, or told what is wrong, at the place that names them.
//! Does not know what a plugin's pipes do.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use forge_plugin::{Found, Library, LoadError, Nursery, Owners, Plugin, Plugins};
use forge_schemas::PluginInfo;
use jiff::SignedDuration;
use semver::{Version, VersionReq};

use super::described;
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::plugins::{Isolation, Wanted, Wants};
use crate::project::Places;
use crate::run::{Environment, is_withheld};
use crate::secrets::Hidden;
use crate::source::{Source, Span};

/// What a project file names.
pub struct Named<'a> {
    /// The file; absolute.
    pub file: &'a Path,
    /// Its table `[plugins]`.
    pub wanted: &'a Wanted,
    /// Its text.
    pub source: &'a Arc<Source>,
    /// Where the table stands.
    pub places: &'a Places,
    /// What of the environment is nobody's to see.
    pub hidden: &'a Hidden,
}

impl Named<'_> {
    /// Adds what is named to `plugins`, as far as it can be used. Answers what can't, and what looks odd.
    pub fn load(&self, plugins: &mut Plugins) -> Vec<Diagnostic> {
        let mut diagnostics = Vec::new();
        for (name, wants) in self.wanted {
            let one = One { named: self, name, wants };
            if let Err(diagnostic) = one.load(plugins, &mut diagnostics) {
                diagnostics.push(*diagnostic);
            }
        }
        diagnostics
    }

    fn root(&self) -> &Path {
        self.file.parent().unwrap_or(self.file)
    }
}

/// How long a step of a plugin may take that does not say otherwise.
const TIMEOUT: Duration = Duration::from_secs(3600);

/// A diagnostic is large, and most plugins have none.
type Refused = Box<Diagnostic>;

/// One plugin that is named.
struct One<'a> {
    named: &'a Named<'a>,
    name: &'a str,
    wants: &'a Wants,
}

impl One<'_> {
    fn load(&self, plugins: &mut Plugins, warnings: &mut Vec<Diagnostic>) -> Result<(), Refused> {
        let Found { library, hidden } = self.find().map_err(|error| self.refused(&error))?;
        warnings.extend(hidden.iter().map(|other| self.hides(library.path(), other)));
        self.judge(&library)?;
        let plugin = match (self.wants.isolation, self.described(&library)) {
            (Isolation::InProcess, _) => library.load(),
            (Isolation::Child, Some(info)) => Ok(library.keep(self.nursery()?, info)),
            (Isolation::Child, None) => library.load_in_child(self.nursery()?),
        };
        let plugin = self.with_pipes(plugin.map_err(|error| self.refused(&error))?)?;
        plugins.add(plugin).map_err(|error| self.refused(&error))
    }

    fn find(&self) -> Result<Found, LoadError> {
        let Some(path) = &self.wants.path else {
            return Library::find(self.name, &directories());
        };
        let path = self.named.root().join(path);
        match path.is_dir() {
            true => Library::find(self.name, &[path]),
            false => Ok(Found { library: Library::read(&path)?, hidden: Vec::new() }),
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
        let executable = std::env::current_exe().map_err(|error| {
            Box::new(self.at("", format!("forge does not know its own file, to start a child of it: {error}")))
        })?;
        Ok(Nursery {
            program: executable,
            env: Environment::of_process(hidden).of_step(&self.wants.env),
            timeout: self.timeout()?,
        })
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
        let diagnostic = self.at(
            "path",
            match error.file() {
                Some(_) => format!("{} can't be used: {}", self.file(), error.message()),
                None => error.message().to_owned(),
            },
        );
        Box::new(match error.advice() {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        })
    }

    fn hides(&self, first: &Path, other: &Path) -> Diagnostic {
        let files = format!("{} is used, and not {}", self.shown(first), self.shown(other));
        let message = format!("there are two plugins `{}`: {files}", self.name);
        let diagnostic = Diagnostic::warning(message).at(self.named.source, self.span(""));
        diagnostic.help("remove one of them, or say which is meant: `path = \"…\"`")
    }

    fn at(&self, key: &str, message: String) -> Diagnostic {
        Diagnostic::error(message).at(self.named.source, self.span(key))
    }

    /// Where a key of its table stands; without the key, its header.
    fn span(&self, key: &str) -> Span {
        let places = &self.named.places;
        let table = places.find(self.name);
        let found = table.find(key);
        if std::ptr::eq(table, found) { table.key } else { found.value }
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

/// Where plugins are looked for by name. Only absolute directories: what is found does not depend on where one stands.
fn directories() -> Vec<PathBuf> {
    let own = std::env::var_os("FORGE_PLUGIN_PATH").unwrap_or_default();
    let mut directories: Vec<PathBuf> = std::env::split_paths(&own).collect();
    let executable = std::env::current_exe().and_then(|it| it.canonicalize()).unwrap_or_default();
    let beside = executable.parent().unwrap_or(&executable);
    directories.extend(beside.parent().map(|it| it.join("lib/forge")));
    directories.push(beside.join("lib/forge"));
    directories.extend(data_home().map(|it| it.join("forge/plugins")));
    directories.retain(|it| it.is_absolute());
    directories
}

/// Where this user keeps data of programs.
fn data_home() -> Option<PathBuf> {
    let home = || std::env::var_os("HOME").map(PathBuf::from);
    let named = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from).filter(|it| it.is_absolute());
    match cfg!(target_os = "macos") {
        true => home().map(|it| it.join("Library/Application Support")),
        false => named.or_else(|| home().map(|it| it.join(".local/share"))),
    }
}
