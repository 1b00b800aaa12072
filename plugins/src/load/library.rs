//! A library that was read: its bytes, whose it is, and what it says of itself. Nothing of it is mapped, and nothing has run.
//! Does not know where it will be loaded.

use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use forge_schemas::{Digest, PluginInfo};

use super::child::{Child, Nursery};
use super::copy::Copy;
use super::error::LoadError;
use super::manifest::{self, Manifest};
use super::owners::{Owners, Standing};
use super::{Plugin, elf, handshake, maps};

/// Linkers put the table of segments right behind an ELF file's header: this many bytes have both.
const HEAD: u64 = 4096;

/// A library that was read once. What is loaded are these bytes, whatever happens to the file.
pub struct Library {
    path: PathBuf,
    copy: Arc<Copy>,
    digest: OnceLock<Digest>,
    standing: Standing,
    manifest: Manifest,
    /// The manifest as it stands in the file.
    marked: Vec<u8>,
}

/// The bytes of a plugin's file, hashed when somebody asks: a run that uses what comes with forge never does.
pub(super) struct Hashed {
    content: Content,
    digest: OnceLock<Option<Digest>>,
}

enum Content {
    Copied(Arc<Copy>),
    /// Mapped where it lies.
    Lies(PathBuf),
}

impl Hashed {
    fn of(content: Content) -> Hashed {
        Hashed { content, digest: OnceLock::new() }
    }

    /// The sha256 of the bytes; none where they can't be read any more.
    pub(super) fn digest(&self) -> Option<Digest> {
        *self.digest.get_or_init(|| match &self.content {
            Content::Copied(copy) => Some(Digest::of(copy.bytes())),
            Content::Lies(path) => fs::read(path).ok().map(|bytes| Digest::of(&bytes)),
        })
    }

    /// Whether both have the same bytes. What lies beside forge is not read for that: it has a path.
    pub(super) fn is_equal(&self, other: &Hashed) -> bool {
        match (&self.content, &other.content) {
            (Content::Copied(one), Content::Copied(another)) => {
                one.bytes().len() == another.bytes().len() && self.digest() == other.digest()
            }
            (Content::Lies(one), Content::Lies(another)) => one == another,
            _ => false,
        }
    }
}

/// Opens the library at `path`, if it is of this build, and maps it where it lies.
pub(super) fn open_of_build(path: &Path, build: &str) -> Result<Plugin, LoadError> {
    let path = fs::canonicalize(path).map_err(|error| unreadable(&error).of(path))?;
    let plugin = check_head(&path).and_then(|()| handshake::load_of_build(&path, build));
    let plugin = plugin.map_err(|error| error.of(&path))?;
    Ok(Plugin { file: Some(Hashed::of(Content::Lies(path.clone()))), path: Some(path), ..plugin })
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
        *self.digest.get_or_init(|| Digest::of(self.copy.bytes()))
    }

    /// How many bytes it has.
    pub fn size(&self) -> u64 {
        self.copy.bytes().len() as u64
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

    /// Loads it into this process, for as long as that lives. Its constructors run now.
    pub fn load(self) -> Result<Plugin, LoadError> {
        self.judge()?;
        let plugin = handshake::load(&self.copy, &self.manifest, &self.marked);
        let plugin = plugin.map_err(|error| error.of(&self.path))?;
        self.copy.rest();
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
        Child::of(title, self.copy.clone(), nursery)
    }

    fn plugin(self, info: PluginInfo, child: Child) -> Plugin {
        let plugin = Plugin::new(&self.manifest, info, Box::new(child));
        self.own(plugin)
    }

    /// The plugin that came of it.
    fn own(self, plugin: Plugin) -> Plugin {
        let path = fs::canonicalize(&self.path).unwrap_or(self.path);
        let digest = self.digest.get().map_or_else(OnceLock::new, |it| Some(*it).into());
        Plugin { file: Some(Hashed { content: Content::Copied(self.copy), digest }), path: Some(path), ..plugin }
    }

    fn check_whole(&self) -> Result<(), LoadError> {
        let bytes = self.copy.bytes();
        whole(elf::cut_short(bytes, bytes.len() as u64))
    }
}

/// Whether a library may be mapped where it lies: that it is a file, and whole.
fn check_head(path: &Path) -> Result<(), LoadError> {
    let mut head = Vec::new();
    let metadata = fs::metadata(path).map_err(|error| unreadable(&error))?;
    check_kind(&metadata)?;
    let read = File::open(path).and_then(|file| file.take(HEAD).read_to_end(&mut head));
    read.map_err(|error| unreadable(&error))?;
    whole(elf::cut_short(&head, metadata.len()))
}

fn whole(cut_short: Option<String>) -> Result<(), LoadError> {
    match cut_short {
        Some(what) => Err(LoadError::new(format!("it is cut short: {what}")).help("install the plugin again")),
        None => Ok(()),
    }
}

fn unreadable(error: &io::Error) -> LoadError {
    LoadError::new(format!("can't be read: {error}"))
}

fn read(path: &Path) -> Result<Library, LoadError> {
    let unreadable = |error: io::Error| unreadable(&error);
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
    Ok(Library { path: path.to_owned(), copy: Arc::new(copy), digest: OnceLock::new(), standing, manifest, marked })
}

fn check_kind(metadata: &Metadata) -> Result<(), LoadError> {
    match (metadata.is_dir(), metadata.is_file()) {
        (true, _) => Err(LoadError::new("it is a directory").help("name the library in it")),
        (_, false) => Err(LoadError::new("it is not a file").help("name a library")),
        _ => Ok(()),
    }
}
