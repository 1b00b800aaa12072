//! A library that was read: its bytes, whose it is, and what it says of itself. Nothing of it is mapped, and nothing has run.
//! Does not know where it will be loaded.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use forge_schemas::{Digest, PluginInfo};

use super::child::{Child, Nursery};
use super::copy::Copy;
use super::error::LoadError;
use super::manifest::{self, Manifest};
use super::owners::{Owners, Standing};
use super::{Plugin, elf, handshake, maps};

/// A library that was read once. What is loaded are these bytes, whatever happens to the file.
pub struct Library {
    path: PathBuf,
    file: Hashed,
    standing: Standing,
    manifest: Manifest,
    /// The manifest as it stands in the file.
    marked: Vec<u8>,
}

/// A copy, hashed when somebody asks: a run that uses what comes with forge never does.
pub(super) struct Hashed {
    copy: Arc<Copy>,
    digest: OnceLock<Digest>,
}

impl Hashed {
    fn of(copy: Copy) -> Hashed {
        Hashed { copy: Arc::new(copy), digest: OnceLock::new() }
    }

    fn bytes(&self) -> &[u8] {
        self.copy.bytes()
    }

    /// The sha256 of the bytes.
    pub(super) fn digest(&self) -> Digest {
        *self.digest.get_or_init(|| Digest::of(self.bytes()))
    }
}

impl Library {
    /// Reads a file that has a plugin's manifest in it.
    pub fn read(path: &Path) -> Result<Library, LoadError> {
        read(path).map_err(|error| error.of(path))
    }

    /// Its file: the path that it was read from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The sha256 of its bytes.
    pub fn digest(&self) -> Digest {
        self.file.digest()
    }

    /// How many bytes it has.
    pub fn size(&self) -> u64 {
        self.file.bytes().len() as u64
    }

    /// The plugin's name.
    pub fn name(&self) -> &str {
        &self.manifest.name
    }

    /// The plugin's version.
    pub fn version(&self) -> &str {
        &self.manifest.version
    }

    /// The version of the line that it was made for: `1.0`.
    pub fn abi(&self) -> &str {
        &self.manifest.abi
    }

    /// What it is built for: `linux-x86_64-gnu`.
    pub fn platform(&self) -> &str {
        &self.manifest.platform
    }

    /// What it is written in, where it says so.
    pub fn runtime(&self) -> Option<&str> {
        self.manifest.runtime.as_deref()
    }

    /// What it was made with, where it says so.
    pub fn sdk(&self) -> Option<&str> {
        self.manifest.sdk.as_deref()
    }

    /// The names of its pipes.
    pub fn pipes(&self) -> &[String] {
        &self.manifest.pipes
    }

    /// Whether file and directory belong to one of these, and nobody else can write to them.
    pub fn check_owners(&self, owners: &Owners) -> Result<(), LoadError> {
        self.standing.judge(owners).map_err(|error| error.of(&self.path))
    }

    /// Whether it can be loaded here, as far as its bytes tell: ABI, platform, and that it is whole.
    pub fn judge(&self) -> Result<(), LoadError> {
        self.manifest.judge(&maps::platform()).and_then(|()| self.check_whole()).map_err(|error| error.of(&self.path))
    }

    /// Whether it was built from this.
    pub fn check_build(&self, ours: &str) -> Result<(), LoadError> {
        let theirs = self.manifest.build.as_deref().unwrap_or("unknown");
        match ours == theirs {
            true => Ok(()),
            false => {
                Err(LoadError::new(format!("it is of another build than this forge (build {theirs}, not {ours})"))
                    .help("run `cargo build` in forge's source tree, or install forge and its pipes together")
                    .stale()
                    .of(&self.path))
            }
        }
    }

    /// Loads it into this process, for as long as that lives. Its constructors run now.
    pub fn load(self) -> Result<Plugin, LoadError> {
        self.judge()?;
        let plugin = handshake::load(&self.file.copy, &self.manifest, &self.marked);
        let plugin = plugin.map_err(|error| error.of(&self.path))?;
        self.file.copy.rest();
        Ok(self.own(plugin))
    }

    /// Keeps it in a child process, which is started now: nothing of it runs in this process.
    pub fn load_in_child(self, nursery: Nursery) -> Result<Plugin, LoadError> {
        self.judge()?;
        let child = self.child(nursery);
        let info = child.describe().and_then(|info| handshake::check_info(&self.manifest, &info).map(|()| info));
        let info = info.map_err(|error| error.of(&self.path))?;
        Ok(self.plugin(info, child))
    }

    /// The same for a library that was judged, and has said this of itself before. Its child is started when it is needed.
    pub fn keep(self, nursery: Nursery, info: PluginInfo) -> Plugin {
        let child = self.child(nursery);
        self.plugin(info, child)
    }

    fn child(&self, nursery: Nursery) -> Child {
        let title = format!("{} {}", self.manifest.name, self.manifest.version);
        Child::of(title, self.file.copy.clone(), nursery)
    }

    fn plugin(self, info: PluginInfo, child: Child) -> Plugin {
        let plugin = Plugin::new(&self.manifest, info, Box::new(child));
        self.own(plugin)
    }

    /// The plugin that came of it.
    fn own(self, plugin: Plugin) -> Plugin {
        let path = fs::canonicalize(&self.path).unwrap_or(self.path);
        Plugin { file: Some(self.file), path: Some(path), ..plugin }
    }

    fn check_whole(&self) -> Result<(), LoadError> {
        match elf::cut_short(self.file.bytes()) {
            Some(what) => Err(LoadError::new(format!("it is cut short: {what}")).help("install the plugin again")),
            None => Ok(()),
        }
    }
}

fn read(path: &Path) -> Result<Library, LoadError> {
    let unreadable = |error: io::Error| LoadError::new(format!("can't be read: {error}"));
    // Before it is opened: a named pipe would wait for its writer.
    check_kind(&fs::metadata(path).map_err(unreadable)?)?;
    let mut file = File::open(path).map_err(unreadable)?;
    check_kind(&file.metadata().map_err(unreadable)?)?;
    let standing = Standing::of(&file, path).map_err(unreadable)?;
    let copy = Copy::of_file(&mut file).map_err(unreadable)?;
    if copy.bytes().is_empty() {
        return Err(LoadError::new("the file is empty").help("install the plugin again"));
    }
    let (manifest, marked) = manifest::find(copy.bytes())?;
    let marked = marked.to_vec();
    Ok(Library { path: path.to_owned(), file: Hashed::of(copy), standing, manifest, marked })
}

fn check_kind(metadata: &Metadata) -> Result<(), LoadError> {
    match (metadata.is_dir(), metadata.is_file()) {
        (true, _) => Err(LoadError::new("it is a directory").help("name the library in it")),
        (_, false) => Err(LoadError::new("it is not a file").help("name a library")),
        _ => Ok(()),
    }
}
