//! The plugins that a project file names: found, judged and loaded, or told what is wrong, at the place that names them.
//! Does not know what a plugin's pipes do.

use std::collections::BTreeMap;
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
use crate::project::{Document, Head};
use crate::run::locked::{Locked, Pin};
use crate::run::{Environment, is_withheld};
use crate::secrets::Hidden;
use crate::source::{Source, Span};

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
        for one in self.all() {
            if let Err(diagnostic) = one.load(plugins, &mut diagnostics) {
                diagnostics.push(*diagnostic);
            }
        }
        diagnostics
    }

    /// What each is to be pinned to, by name; nothing of them is loaded. Or all that can't be used.
    pub fn pins(&self) -> Result<BTreeMap<String, Pinned>, Vec<Diagnostic>> {
        let (mut pins, mut diagnostics) = (BTreeMap::new(), Vec::new());
        for one in self.all() {
            match one.pinned() {
                Ok(pinned) => drop(pins.insert(one.name.to_owned(), pinned)),
                Err(diagnostic) => diagnostics.push(*diagnostic),
            }
        }
        if diagnostics.is_empty() { Ok(pins) } else { Err(diagnostics) }
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

/// What to do about one that is not what it is pinned to.
const REVIEW: &str = "if this is wanted, look at what has changed, and run `forge plugins lock`";

/// What a plugin is to be pinned to, and the file that it lies in.
pub struct Pinned {
    /// The file, for people.
    pub file: String,
    /// The pin.
    pub pin: Pin,
}

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
        let Found { library, hidden, .. } = self.find().map_err(|error| self.refused(&error))?;
        warnings.extend(hidden.iter().map(|other| self.hides(library.path(), other)));
        self.judge(&library)?;
        self.check_pin(&library)?;
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

    /// What it is to be pinned to. The digests of other platforms stay as they are pinned, for the same version.
    fn pinned(&self) -> Result<Pinned, Refused> {
        let Found { library, elsewhere, .. } = self.find().map_err(|error| self.refused(&error))?;
        self.judge(&library)?;
        let before = self.named.locked.pin(self.name).filter(|pin| pin.version == library.version());
        let mut digests = before.map(|pin| pin.digests.clone()).unwrap_or_default();
        let builds = elsewhere.iter().filter(|it| it.version() == library.version()).chain([&library]);
        digests.extend(builds.map(|it| (it.platform().to_owned(), it.digest())));
        let pin = Pin {
            version: library.version().to_owned(),
            pipes: library.pipes().to_vec(),
            secrets: self.granted(&library).into_keys().collect(),
            digests,
        };
        Ok(Pinned { file: self.shown(library.path()), pin })
    }

    /// The secrets that its tables ask for, and where.
    fn granted(&self, library: &Library) -> BTreeMap<String, Span> {
        library.pipes().iter().flat_map(|pipe| self.named.document.granted(pipe)).collect()
    }

    /// Whether it is what it is pinned to.
    fn check_pin(&self, library: &Library) -> Result<(), Refused> {
        let platform = library.platform();
        let pin = self.named.locked.pin(self.name);
        let digest = pin.and_then(|pin| pin.digests.get(platform));
        let name = self.name;
        let unpinned = |message: String| {
            Err(Box::new(self.at("path", message).help("look at what it is, and pin it with `forge plugins lock`")))
        };
        let message = match (pin, digest) {
            (Some(pin), _) if pin.version != library.version() => {
                format!("plugin `{name}` is of version {}, and {} is pinned", library.version(), pin.version)
            }
            (_, Some(digest)) if *digest != library.digest() => {
                format!("plugin `{name}` is another library than is pinned: {}, not {digest}", library.digest())
            }
            (Some(_), None) if self.named.unpinned == Unpinned::Refused => {
                return unpinned(format!("plugin `{name}` is not pinned for {platform}"));
            }
            (None, _) if self.named.unpinned == Unpinned::Refused => {
                return unpinned(format!("plugin `{name}` is not pinned"));
            }
            (Some(pin), _) => return self.check_granted(library, pin),
            (None, _) => return Ok(()),
        };
        Err(Box::new(self.at("path", message).help(REVIEW)))
    }

    fn check_granted(&self, library: &Library, pin: &Pin) -> Result<(), Refused> {
        match self.granted(library).into_iter().find(|(secret, _)| !pin.secrets.contains(secret)) {
            Some((secret, span)) => {
                let message = format!("plugin `{}` is pinned without the secret `{secret}`", self.name);
                Err(Box::new(Diagnostic::error(message).at(self.source(), span).help(REVIEW)))
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
