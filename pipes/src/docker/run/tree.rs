//! The tree of an image while commands change it, as a kernel would: what is asked of it, and what of it has changed.
//! Does not know commands.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};

use forge_plugin::schemas::Failure;

use crate::docker::laying::Laying;
use crate::docker::run::Wrong;
use crate::docker::run::bound::Bound;
use crate::oci::accounts::{self, Accounts};
use crate::oci::layer::{Content, Entry};
use crate::oci::rootfs::{Node, Peculiar, What};

/// What is not the image's own while it is built.
const MOUNTED: &[&str] = &["dev", "proc", "sys", "etc/hosts", "etc/resolv.conf"];
const SET_GID: u32 = 0o2000;
/// A file that is read whole is not larger.
const LARGEST: u64 = 16 << 20;

/// A tree under change. Paths have no `/` before them, and no links in them.
pub struct Tree<'l, 'h> {
    laying: &'l mut Laying<'h>,
    /// What lay, before all, where something has changed.
    before: BTreeMap<String, Option<Node>>,
    /// Files that have another time than before, at least. That of a directory does not count, as it does not in BuildKit.
    renewed: BTreeSet<String>,
    /// What is mounted besides.
    bound: &'l Bound,
}

impl<'l, 'h> Tree<'l, 'h> {
    pub fn new(laying: &'l mut Laying<'h>, bound: &'l Bound) -> Tree<'l, 'h> {
        Tree { laying, before: BTreeMap::new(), renewed: BTreeSet::new(), bound }
    }

    /// Whether the image is such that commands can be run in it, by root.
    pub(super) fn is_ready(&self, accounts: &Accounts, user: &str) -> Result<(), Wrong> {
        let owner = accounts.owner(user).map_err(Wrong::Fails)?;
        if owner != (0, 0) {
            return Err(Wrong::Untold(format!("it is run by `{user}`, who is not root")));
        }
        if !self.laying.rootfs.is_directory(&self.laying.workdir) {
            return Err(Wrong::Untold(format!("the working directory `{}` is not there", self.laying.workdir)));
        }
        let missing = MOUNTED.iter().take(3).find(|dir| !self.is_directory(dir));
        missing.map_or(Ok(()), |dir| {
            Err(Wrong::Untold(format!("the image has no directory `/{dir}`, which whoever runs it would leave behind")))
        })
    }

    /// A path with all links in it followed.
    pub(super) fn follow(&self, path: &str) -> String {
        match path.starts_with('/') {
            true => self.laying.rootfs.follow(path),
            false => self.laying.rootfs.follow(&format!("{}/{path}", self.laying.workdir)),
        }
    }

    /// Where a path leads, but for a link at its end. All directories above must be there.
    pub(super) fn locate(&self, path: &str) -> Result<String, Wrong> {
        let (dir, name) = match path.trim_end_matches('/').rsplit_once('/') {
            Some(("", name)) => ("/", name),
            Some((dir, name)) => (dir, name),
            None => (".", path.trim_end_matches('/')),
        };
        if matches!(name, "" | "." | "..") {
            return self.checked(path, self.follow(path));
        }
        let above = self.follow(dir);
        if !self.is_directory(&above) {
            return Err(Wrong::Fails(format!("`{dir}` is no directory")));
        }
        self.checked(path, join(&above, name))
    }

    /// The same, and a link at the end is followed too.
    pub(super) fn locate_through(&self, path: &str) -> Result<String, Wrong> {
        self.locate(path)?;
        self.checked(path, self.follow(path))
    }

    fn checked(&self, path: &str, at: String) -> Result<String, Wrong> {
        self.check_own(&at)?;
        if at.rsplit('/').next().is_some_and(|name| name.starts_with(".wh.")) {
            let why = format!("`{path}` would hide files of the image: `.wh.` means that in a layer");
            return Err(Wrong::Untold(why));
        }
        match at.is_empty() {
            true => Err(Wrong::Untold(format!("`{path}` is the root directory"))),
            false => Ok(at),
        }
    }

    /// Refuses what is not the image's own.
    pub(super) fn check_own(&self, at: &str) -> Result<(), Wrong> {
        let is_in = |it: &&str| at == *it || at.strip_prefix(it).is_some_and(|it| it.starts_with('/'));
        self.all_mounted().find(is_in).map_or(Ok(()), |mounted| Err(not_own(mounted)))
    }

    fn all_mounted(&self) -> impl Iterator<Item = &str> {
        MOUNTED.iter().copied().chain(self.bound.unknown.iter().map(String::as_str))
    }

    /// Refuses to change what is mounted, which can be read.
    pub(super) fn check_unbound(&self, at: &str) -> Result<(), Wrong> {
        let is_in = |it: &&String| at == *it || at.strip_prefix(*it).is_some_and(|it| it.starts_with('/'));
        match self.bound.files.iter().find(is_in) {
            Some(mounted) => Err(Wrong::Untold(format!("`/{mounted}` is mounted, and not to be changed"))),
            None => Ok(()),
        }
    }

    /// Refuses a directory in which something is not the image's own, whose name `is_meant`.
    pub(super) fn check_all_own(&self, at: &str, is_meant: impl Fn(&str) -> bool) -> Result<(), Wrong> {
        self.check_own(at)?;
        let is_in = |mounted: &&str| {
            let (dir, name) = mounted.rsplit_once('/').unwrap_or(("", mounted));
            dir == at && is_meant(name)
        };
        self.all_mounted().find(is_in).map_or(Ok(()), |mounted| Err(not_own(mounted)))
    }

    /// The names of what lies in a directory, sorted.
    pub(super) fn names_in(&self, at: &str) -> Vec<String> {
        let names = self.laying.rootfs.below(at).map(|(path, _)| path).filter(|path| !path.contains('/'));
        let mut names: Vec<String> = names.map(str::to_owned).collect();
        names.sort();
        names
    }

    pub(super) fn node(&self, at: &str) -> Option<&Node> {
        self.laying.rootfs.node(at)
    }

    pub(super) fn is_directory(&self, at: &str) -> bool {
        at.is_empty() || self.node(at).is_some_and(|it| it.what == What::Directory)
    }

    /// All that lies below a directory, each by its path from the root on; what lies deeper comes later.
    pub(super) fn below(&self, at: &str) -> Vec<String> {
        self.laying.rootfs.below(at).map(|(path, _)| join(at, path)).collect()
    }

    /// Makes something new, which belongs to root, or to the group of a directory that says so.
    pub(super) fn make(&mut self, at: &str, mode: u32, what: What) -> Result<(), Wrong> {
        let (dir, _) = at.rsplit_once('/').unwrap_or(("", at));
        let inherited = self.node(dir).filter(|it| it.mode & SET_GID != 0).map(|it| it.owner.1);
        let own = if inherited.is_some() && what == What::Directory { SET_GID } else { 0 };
        let mode = if matches!(what, What::Link(_)) { 0o777 } else { mode | own };
        self.put(at, Node { mode, owner: (0, inherited.unwrap_or(0)), what, peculiar: None })
    }

    /// Puts something where nothing is, or in place of a file.
    pub(super) fn put(&mut self, at: &str, node: Node) -> Result<(), Wrong> {
        if accounts::is_file(at) {
            return Err(Wrong::Untold(format!("`/{at}` says who is who")));
        }
        self.check_unbound(at)?;
        self.put_unchecked(at, node);
        Ok(())
    }

    fn put_unchecked(&mut self, at: &str, node: Node) {
        self.remember(at);
        if node.what != What::Directory {
            self.renewed.insert(at.to_owned());
        }
        self.laying.rootfs.put(at, node);
    }

    /// Writes a file anew, with the owner and the permissions of `like`.
    pub(super) fn write(&mut self, at: &str, like: &Node, text: String) {
        let what = What::Placed(Content::Text(text.into_bytes()));
        self.put_unchecked(at, Node { what, peculiar: None, ..like.clone() });
    }

    /// Puts a file at a place, as a second name of it or instead of its own.
    pub(super) fn put_account_file(&mut self, at: &str, node: Node) {
        self.put_unchecked(at, node);
    }

    /// Takes something away, in which nothing lies any more.
    pub(super) fn take(&mut self, at: &str) -> Result<(), Wrong> {
        if accounts::is_file(at) {
            return Err(Wrong::Untold(format!("`/{at}` says who is who")));
        }
        self.check_unbound(at)?;
        self.remember(at);
        self.renewed.remove(at);
        self.laying.rootfs.take(at);
        Ok(())
    }

    /// Changes permissions or owner.
    pub(super) fn change(&mut self, at: &str, mode: u32, owner: (u64, u64)) -> Result<(), Wrong> {
        let Some(node) = self.node(at).cloned() else { return Err(missing(at)) };
        self.check_unbound(at)?;
        self.check_whole(at, &node)?;
        self.remember(at);
        self.laying.rootfs.put(at, Node { mode, owner, ..node });
        Ok(())
    }

    /// Gives something another time.
    pub(super) fn renew(&mut self, at: &str) -> Result<(), Wrong> {
        let Some(node) = self.node(at).cloned() else { return Err(missing(at)) };
        self.check_unbound(at)?;
        self.check_whole(at, &node)?;
        self.remember(at);
        if node.what != What::Directory {
            self.renewed.insert(at.to_owned());
        }
        Ok(())
    }

    /// Refuses what a layer of forge could not say.
    pub(super) fn check_whole(&self, at: &str, node: &Node) -> Result<(), Wrong> {
        self.check_own(at)?;
        match (node.peculiar, &node.what) {
            (_, What::Special) => Err(Wrong::Untold(format!("`/{at}` is neither a file nor a directory nor a link"))),
            (Some(Peculiar::Attributes), _) => {
                Err(Wrong::Untold(format!("`/{at}` has extended attributes, which forge does not write")))
            }
            (Some(Peculiar::HardLink), _) => Err(Wrong::Untold(format!("`/{at}` is a file of several names"))),
            (None, _) => Ok(()),
        }
    }

    /// The text of a file.
    pub(super) fn read(&self, at: &str) -> Result<String, Wrong> {
        String::from_utf8(self.bytes(at)?).map_err(|_| Wrong::Untold(format!("`/{at}` is not UTF-8")))
    }

    /// What a file holds.
    pub(super) fn bytes(&self, at: &str) -> Result<Vec<u8>, Wrong> {
        let node = self.node(at).ok_or_else(|| missing(at))?;
        let mut bytes = Vec::new();
        let read = |from: &std::path::Path, start: u64, size: u64, bytes: &mut Vec<u8>| {
            let mut file = File::open(from)?;
            file.seek(SeekFrom::Start(start))?;
            file.take(size.min(LARGEST)).read_to_end(bytes)
        };
        match self.laying.content(node)? {
            Content::Text(text) => bytes = text,
            Content::File(from) => {
                read(&from, 0, LARGEST, &mut bytes).map_err(|error| Failure::file("read", &from, &error))?;
            }
            Content::Part { file, offset, size } => {
                read(&file, offset, size, &mut bytes).map_err(|error| Failure::file("read", &file, &error))?;
            }
            Content::Directory | Content::Link(_) => return Err(Wrong::Untold(format!("`/{at}` is no file"))),
        }
        Ok(bytes)
    }

    /// Whether something lay there before the first command.
    pub(super) fn was_there(&self, at: &str) -> bool {
        self.before.get(at).map_or_else(|| self.node(at).is_some(), Option::is_some)
    }

    fn remember(&mut self, at: &str) {
        if !self.before.contains_key(at) {
            self.before.insert(at.to_owned(), self.node(at).cloned());
        }
    }

    /// The entries of a layer that makes what was into what is.
    pub(super) fn entries(self) -> Result<Vec<Entry>, Failure> {
        let mut entries = BTreeMap::new();
        for (path, before) in &self.before {
            let (dir, name) = path.rsplit_once('/').unwrap_or(("", path));
            let entry = match (before, self.node(path)) {
                (Some(before), Some(now)) if before == now && !self.renewed.contains(path) => continue,
                (_, Some(now)) => self.entry(path, now)?,
                (Some(_), None) if self.is_directory(dir) => whiteout(&join(dir, &format!(".wh.{name}"))),
                (_, None) => continue,
            };
            for (end, _) in path.match_indices('/') {
                if let Some(above) = self.node(&path[..end]) {
                    entries.insert(path[..end].to_owned(), self.entry(&path[..end], above)?);
                }
            }
            entries.insert(entry.path.clone(), entry);
        }
        Ok(entries.into_values().collect())
    }

    fn entry(&self, path: &str, node: &Node) -> Result<Entry, Failure> {
        let (uid, gid) = node.owner;
        Ok(Entry { path: path.to_owned(), mode: node.mode, uid, gid, content: self.laying.content(node)? })
    }
}

fn not_own(mounted: &str) -> Wrong {
    Wrong::Untold(format!("`/{mounted}` is not the image's own while it is built"))
}

/// That something is not there.
pub(super) fn missing(at: &str) -> Wrong {
    Wrong::Fails(format!("`/{at}` is not there"))
}

pub(super) fn join(dir: &str, name: &str) -> String {
    if dir.is_empty() { name.to_owned() } else { format!("{dir}/{name}") }
}

fn whiteout(path: &str) -> Entry {
    Entry { path: path.to_owned(), mode: 0, uid: 0, gid: 0, content: Content::Text(Vec::new()) }
}
