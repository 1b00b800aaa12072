//! What an instruction copies, laid into the file system of the image: the entries of its layer.
//! Does not write layers, and knows nothing of configs.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use forge_plugin::Host;
use forge_plugin::schemas::{Artifact, Failure, FailureClass};
use forge_plugin::sources::Except;

use crate::docker::archives::{self, Archive};
use crate::docker::copying::is_directory;
use crate::docker::foreign::Foreign;
use crate::docker::layers::Layers;
use crate::docker::recipe::{Archives, Copy, Permissions, Source};
use crate::docker::run::{Mode, Of};
use crate::docker::sources::{Found, Thing, find, find_with_parents, parents};
use crate::oci::accounts;
use crate::oci::layer::{Content, Entry};
use crate::oci::rootfs::{Node, Rootfs, What, normal};

/// The file system of an image under way.
pub struct Laying<'a> {
    host: &'a dyn Host,
    /// What of the project is not there.
    except: Except,
    /// What lies in it.
    pub rootfs: Rootfs,
    /// Where relative paths start.
    pub workdir: String,
    /// The other images that files were taken from, by artifact.
    foreign: BTreeMap<String, Foreign<'a>>,
    /// Those of the image that this one stands on.
    below: Option<Layers<'a>>,
    /// How many files were unpacked, each to a name of its own.
    unpacked: usize,
}

impl<'a> Laying<'a> {
    /// Of an empty image.
    pub fn new(host: &'a dyn Host, except: Except) -> Laying<'a> {
        let (rootfs, workdir) = (Rootfs::default(), "/".to_owned());
        Laying { host, except, rootfs, workdir, foreign: BTreeMap::new(), below: None, unpacked: 0 }
    }

    /// The same of an image that stands on these.
    pub fn on(&mut self, layers: Layers<'a>) -> Result<(), Failure> {
        self.rootfs = layers.rootfs()?;
        self.below = Some(layers);
        Ok(())
    }

    /// What a file in it holds.
    pub fn content(&self, node: &Node) -> Result<Content, Failure> {
        match (&node.what, &self.below) {
            (What::Placed(content), _) => Ok(content.clone()),
            (What::Layered { layer, offset, size }, Some(layers)) => layers.content(*layer, *offset, *size),
            (What::Link(to), _) => Ok(Content::Link(to.clone())),
            (What::Directory, _) => Ok(Content::Directory),
            _ => Err(Failure::bug("what is neither a file nor a directory nor a link has no content")),
        }
    }

    /// `path`, from the root on.
    pub fn absolute(&self, path: &str) -> String {
        match path.starts_with('/') {
            true => format!("/{}", normal(path)),
            false => format!("/{}", normal(&format!("{}/{path}", self.workdir))),
        }
    }

    /// The numbers of an owner.
    pub fn owner(&self, text: &str) -> Result<(u64, u64), Failure> {
        let owner = self.rootfs.accounts.owner(text);
        owner.map_err(|message| Failure::input(message).help("write numbers, as in `65532:65532`"))
    }

    /// The working directory, where it is missing; it belongs to `user`.
    pub fn workdir(&mut self, user: &str) -> Result<Vec<Entry>, Failure> {
        let dir = self.workdir.clone();
        if self.rootfs.is_directory(&dir) {
            return Ok(Vec::new());
        }
        let owner = self.owner(user)?;
        self.rootfs.place(&dir, 0o755, owner, Content::Directory).map_err(Failure::input)
    }

    /// What is copied.
    pub fn copy(&mut self, copy: &Copy) -> Result<Vec<Entry>, Failure> {
        if copy.is_laid() {
            return self.lay(copy);
        }
        let below = std::mem::take(&mut self.rootfs);
        let entries = self.lay(copy);
        let own = std::mem::replace(&mut self.rootfs, below);
        let entries = entries?;
        for entry in &entries {
            if let Some(node) = own.node(&entry.path) {
                self.rootfs.put(&entry.path, node.clone());
            }
            self.note(entry)?;
        }
        Ok(entries)
    }

    fn lay(&mut self, copy: &Copy) -> Result<Vec<Entry>, Failure> {
        let mut things = Vec::new();
        for source in &copy.sources {
            things.extend(self.find(source)?);
        }
        if copy.archives == Archives::Unpack {
            things = things.into_iter().map(|thing| self.opened(thing)).collect::<Result<_, _>>()?;
        }
        let except = Except::new(copy.except.iter().map(String::as_str));
        let except = except.map_err(|bad| Failure::bug(bad.to_string()))?;
        things.iter_mut().for_each(|thing| leave_out(thing, &except));
        let to = self.absolute(&copy.to);
        let owner = self.owner(&copy.owner)?;
        if let ([Thing::File(_), _, ..], false) = (things.as_slice(), self.wants_directory(copy, &to)) {
            return Err(Failure::input(format!("several files would go to `{to}`, which is no directory"))
                .help("end it with a `/`, or name one file"));
        }
        let unpacked = Copy { permissions: Permissions::Kept, ..copy.clone() };
        if let ([Thing::File(file)], false) = (things.as_slice(), self.wants_directory(copy, &to)) {
            let to = self.rootfs.follow(&to);
            let (above, _) = to.rsplit_once('/').unwrap_or_default();
            let mut entries = self.directories(copy, above, owner)?;
            entries.extend(self.place(copy, &to, owner, file.clone())?);
            return Ok(entries);
        }
        // What an archive is unpacked to is none of its files, and `--chmod` is not about them: so BuildKit has it.
        let mut entries = match things.first() {
            Some(Thing::Archive(_)) => self.directories(&unpacked, &to, owner)?,
            _ => self.directories(copy, &to, owner)?,
        };
        for thing in things {
            let all = match thing {
                Thing::File(file) => vec![file],
                Thing::Directory(all) => all,
                Thing::Archive(archive) => {
                    entries.extend(self.unpack(&unpacked, &to, owner, archive)?);
                    continue;
                }
            };
            for found in all {
                let path = format!("{to}/{}", found.path);
                entries.extend(self.place(copy, &path, owner, found)?);
            }
        }
        Ok(entries)
    }

    /// A directory and those above it. What is made of them gets the permissions that the instruction says: so does BuildKit.
    fn directories(&mut self, copy: &Copy, path: &str, owner: (u64, u64)) -> Result<Vec<Entry>, Failure> {
        let mode = if let Permissions::OfAll(Mode::Exact(mode)) = copy.permissions { mode } else { 0o755 };
        let ends = path.match_indices('/').map(|(end, _)| end).chain([path.len()]);
        let mut entries = Vec::new();
        for end in ends {
            let placed = self.rootfs.place(&path[..end], mode, owner, Content::Directory);
            entries.extend(placed.map_err(Failure::input)?);
        }
        Ok(entries)
    }

    /// What a source names.
    pub fn find(&mut self, source: &Source) -> Result<Vec<Thing>, Failure> {
        match source {
            Source::Project(pattern) => find(self.host.root(), pattern, &self.except),
            Source::Input { artifact, file_name } => {
                let content = Content::File(self.input(artifact)?.path.clone());
                Ok(vec![Thing::File(Found::plain(file_name.clone(), 0o755, content))])
            }
            Source::Text { file_name, content } => {
                let content = Content::Text(content.clone().into_bytes());
                Ok(vec![Thing::File(Found::plain(file_name.clone(), 0o644, content))])
            }
            Source::Remote { artifact, file_name } => {
                let content = Content::File(self.input(artifact)?.path.clone());
                Ok(vec![Thing::File(Found::plain(file_name.clone(), 0o600, content))])
            }
            Source::Image { artifact, called, path } => self.foreign(artifact)?.find(called, path),
            Source::WithParents { source, above } => self.find_with_parents(source, above),
        }
    }

    fn find_with_parents(&mut self, source: &Source, above: &str) -> Result<Vec<Thing>, Failure> {
        match source {
            Source::Project(pattern) => find_with_parents(self.host.root(), above, pattern, &self.except),
            Source::Image { artifact, called, path } => self.foreign(artifact)?.find_with_parents(called, above, path),
            Source::Input { file_name, .. } => {
                let mut all: Vec<Found> = parents(file_name).map(|(_, found)| found).collect();
                for thing in self.find(source)? {
                    all.extend(if let Thing::File(file) = thing { Some(file) } else { None });
                }
                Ok(vec![Thing::Directory(all)])
            }
            _ => Err(Failure::bug("what lies nowhere has no parents")),
        }
    }

    /// The permissions and the owner of a directory that a source names.
    pub fn own(&mut self, source: &Source) -> Result<(u32, (u64, u64)), Failure> {
        let own = match source {
            Source::Image { artifact, path, .. } => self.foreign(artifact)?.own(path),
            _ => None,
        };
        Ok(own.unwrap_or((0o755, (0, 0))))
    }

    fn foreign(&mut self, artifact: &str) -> Result<&Foreign<'a>, Failure> {
        let foreign = match self.foreign.remove(artifact) {
            Some(foreign) => foreign,
            None => Foreign::open(self.host, self.input(artifact)?)?,
        };
        Ok(self.foreign.entry(artifact.to_owned()).or_insert(foreign))
    }

    fn input(&self, name: &str) -> Result<&'a Artifact, Failure> {
        let input = self.host.inputs().iter().find(|it| it.name == name);
        input.ok_or_else(|| Failure::bug(format!("`{name}` is not among the inputs")))
    }

    fn wants_directory(&self, copy: &Copy, to: &str) -> bool {
        is_directory(&copy.to) || self.rootfs.is_directory(to)
    }

    fn place(&mut self, copy: &Copy, path: &str, owner: (u64, u64), found: Found) -> Result<Vec<Entry>, Failure> {
        let mode = mode(copy, &found)?;
        let owner = whose(copy, owner, &found);
        let placed = self.rootfs.place(path, mode, owner, found.content).map_err(Failure::input)?;
        // From here on its names are those of the image.
        placed.iter().try_for_each(|entry| self.note(entry))?;
        Ok(placed)
    }

    fn note(&mut self, entry: &Entry) -> Result<(), Failure> {
        if !accounts::is_file(&entry.path) {
            return Ok(());
        }
        let accounts = &mut self.rootfs.accounts;
        match &entry.content {
            Content::File(from) => accounts.note(&entry.path, &read(from)?),
            Content::Text(text) => accounts.note(&entry.path, text),
            Content::Part { file, offset, size } => accounts.note(&entry.path, &read_part(file, *offset, *size)?),
            Content::Directory | Content::Link(_) => {}
        }
        Ok(())
    }

    /// A file as the archive that it may be.
    fn opened(&mut self, thing: Thing) -> Result<Thing, Failure> {
        let Thing::File(Found { path: name, content: Content::File(path), .. }) = &thing else { return Ok(thing) };
        let scratch = self.host.dir().join(format!("unpacked-{}", self.unpacked));
        self.unpacked += 1;
        let opened = archives::open(name, path, &scratch, &|| self.host.cancelled());
        if self.host.cancelled() {
            return Err(interrupted());
        }
        Ok(opened?.map_or(thing, Thing::Archive))
    }

    /// All of an archive, below `to` and nowhere else. What it says of owners holds where the instruction says nothing.
    fn unpack(&mut self, copy: &Copy, to: &str, owner: (u64, u64), archive: Archive) -> Result<Vec<Entry>, Failure> {
        let top = self.rootfs.follow(to);
        let mut entries = Vec::new();
        for found in archive.packed {
            let (name, path) = (found.path.clone(), format!("{to}/{}", found.path));
            let placed = self.place_packed(copy, &path, owner, found);
            let refuse = |why: &str| Err(archives::refuse(&archive.name, &name, why));
            match placed {
                Err(failure) => return refuse(&format!("has no place in the image: {}", failure.message)),
                Ok(placed) if !placed.last().is_some_and(|it| is_below(&it.path, &top)) => {
                    return refuse(&format!("leads out of `/{top}`, through a link"));
                }
                Ok(placed) => entries.extend(placed),
            }
        }
        Ok(entries)
    }

    /// Directories that an archive implies, and does not hold, belong to `above`.
    fn place_packed(
        &mut self,
        copy: &Copy,
        path: &str,
        above: (u64, u64),
        found: Found,
    ) -> Result<Vec<Entry>, Failure> {
        let (dir, _) = path.rsplit_once('/').unwrap_or_default();
        let mut entries = self.rootfs.place(dir, 0o755, above, Content::Directory).map_err(Failure::input)?;
        let own = whose(copy, above, &found);
        entries.extend(match found.content {
            Content::Directory => self.rootfs.place_over(path, mode(copy, &found)?, own).map_err(Failure::input)?,
            _ => self.place(copy, path, own, found)?,
        });
        Ok(entries)
    }
}

/// The failure of a step that was asked to stop.
pub fn interrupted() -> Failure {
    Failure::new(FailureClass::Cancelled, "the run was interrupted")
}

/// Who the instruction says, and else who it belongs to where it comes from.
fn whose(copy: &Copy, owner: (u64, u64), found: &Found) -> (u64, u64) {
    if copy.owner.is_empty() { found.owner.unwrap_or(owner) } else { owner }
}

/// Of files and directories, what the instruction makes of what they have.
fn mode(copy: &Copy, found: &Found) -> Result<u32, Failure> {
    let of = match found.content {
        Content::Link(_) => return Ok(found.mode),
        Content::Directory => Of::Directory,
        Content::File(_) | Content::Text(_) | Content::Part { .. } => Of::File,
    };
    let mode = match (&copy.permissions, of) {
        (Permissions::OfAll(mode), _) => mode.apply(found.mode, of),
        (Permissions::OfFiles(mode), Of::File) => Some(*mode),
        _ => Some(found.mode),
    };
    mode.ok_or_else(|| Failure::input(format!("what becomes of the set-id bits of `{}` is not known", found.path)))
}

/// Takes out of a directory what is not to be copied. What is named is, whatever it is called: so does BuildKit.
fn leave_out(thing: &mut Thing, except: &Except) {
    if let Thing::Directory(all) = thing {
        all.retain(|found| !except.leaves_out(Path::new(&found.path)));
    }
}

fn is_below(path: &str, top: &str) -> bool {
    top.is_empty() || path.strip_prefix(top).is_some_and(|rest| rest.starts_with('/'))
}

fn read_part(path: &Path, offset: u64, size: u64) -> Result<Vec<u8>, Failure> {
    let read = || -> io::Result<Vec<u8>> {
        let (mut file, mut bytes) = (File::open(path)?, Vec::new());
        file.seek(SeekFrom::Start(offset))?;
        file.take(size).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_err(|error| Failure::file("read", path, &error))
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| Failure::file("read", path, &error))
}
