//! The file system that layers make up: what lies where, whose it is, and where its content is.
//! Does not hold content, but for who is who.

use std::collections::BTreeMap;
use std::io::{self, Read};

use globset::GlobBuilder;
use serde::{Deserialize, Serialize};
use tar::{Archive, EntryType};

use crate::oci::accounts::{self, Accounts};
use crate::oci::layer::{Content, Entry};

/// As many links as Linux follows in one path.
const MOST_LINKS: usize = 40;
/// A file of accounts that is larger is none.
const LARGEST: u64 = 1 << 20;
const WHITEOUT: &str = ".wh.";
const OPAQUE: &str = ".wh..wh..opq";

/// What lies where.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Rootfs {
    nodes: BTreeMap<String, Node>,
    /// Whose numbers its names are.
    pub accounts: Accounts,
}

/// Something in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Permissions.
    pub mode: u32,
    /// The owner's and the group's number.
    pub owner: (u64, u64),
    /// What it is.
    pub what: What,
    /// What a layer of forge could not say of it.
    pub peculiar: Option<Peculiar>,
}

/// What is known of something, and is lost when it is written once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Peculiar {
    /// It has extended attributes.
    Attributes,
    /// It is a file of several names.
    HardLink,
}

/// What something is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// A directory.
    Directory,
    /// A symbolic link to this.
    Link(String),
    /// A file, whose content is so many bytes of a layer's tar.
    Layered {
        /// Which layer, counted from the lowest.
        layer: usize,
        /// How many bytes stand before them.
        offset: u64,
        /// How many they are.
        size: u64,
    },
    /// A device, a named pipe or the like.
    Special,
    /// A file whose content is not in a layer yet. Only of an image under way.
    #[serde(skip)]
    Placed(Content),
}

impl Rootfs {
    /// Puts a layer on top, the `layer`th of its image: the tar, not compressed.
    pub fn apply(&mut self, layer: usize, tar: impl Read) -> io::Result<()> {
        for entry in Archive::new(tar).entries()? {
            let mut entry = entry?;
            let path = normal(&String::from_utf8_lossy(&entry.path_bytes()));
            if entry.header().entry_type() == EntryType::XGlobalHeader {
                continue;
            }
            let node = self.node_of(&mut entry, layer)?;
            if accounts::is_file(&path) {
                let mut content = Vec::new();
                entry.by_ref().take(LARGEST).read_to_end(&mut content)?;
                self.accounts.note(&path, &content);
            }
            self.apply_node(path, node);
        }
        Ok(())
    }

    fn node_of<R: Read>(&mut self, entry: &mut tar::Entry<'_, R>, layer: usize) -> io::Result<Node> {
        let mut peculiar = has_attributes(entry)?.then_some(Peculiar::Attributes);
        let header = entry.header();
        let link = || entry.link_name_bytes().map(|it| String::from_utf8_lossy(&it).into_owned()).unwrap_or_default();
        let what = match header.entry_type() {
            EntryType::Directory => What::Directory,
            EntryType::Symlink => What::Link(link()),
            EntryType::Regular | EntryType::Continuous => {
                What::Layered { layer, offset: entry.raw_file_position(), size: entry.size() }
            }
            // Another name of a file before it.
            EntryType::Link => self.nodes.get_mut(&normal(&link())).map_or(What::Special, |it| {
                peculiar = Some(*it.peculiar.get_or_insert(Peculiar::HardLink));
                it.what.clone()
            }),
            _ => What::Special,
        };
        Ok(Node { mode: header.mode()? & 0o7777, owner: (header.uid()?, header.gid()?), what, peculiar })
    }

    fn apply_node(&mut self, path: String, node: Node) {
        let (dir, name) = path.rsplit_once('/').unwrap_or(("", &path));
        if name == OPAQUE {
            return self.remove_below(dir);
        }
        if let Some(hidden) = name.strip_prefix(WHITEOUT) {
            let hidden = join(dir, hidden);
            self.remove_below(&hidden);
            self.nodes.remove(&hidden);
            return;
        }
        if node.what != What::Directory {
            self.remove_below(&path);
        }
        self.nodes.insert(path, node);
    }

    fn remove_below(&mut self, dir: &str) {
        for path in self.below(dir).map(|(path, _)| join(dir, path)).collect::<Vec<_>>() {
            self.nodes.remove(&path);
        }
    }

    /// Whether a directory lies at `path`, links followed.
    pub fn is_directory(&self, path: &str) -> bool {
        let path = self.follow(&normal(path));
        path.is_empty() || self.nodes.get(&path).is_some_and(|it| it.what == What::Directory)
    }

    /// The entries that put `content` at `path`: directories above it where they are missing (mode 0755, and the same
    /// owner) or as they are, and itself. Links to directories above it are followed, so that a layer does not hide them.
    /// A file is no directory and does not become one, nor the other way round: then a phrase that says so.
    pub fn place(&mut self, path: &str, mode: u32, owner: (u64, u64), content: Content) -> Result<Vec<Entry>, String> {
        let path = normal(path);
        let (dir, name) = path.rsplit_once('/').unwrap_or(("", &path));
        let path = join(&self.follow(dir), name);
        let path = if content == Content::Directory { self.follow(&path) } else { path };
        let mut entries = self.directories_above(&path, owner)?;
        if path.is_empty() {
            return Ok(entries);
        }
        let (mode, (uid, gid)) = match (&content, self.nodes.get(&path)) {
            (Content::Directory, Some(Node { mode, owner, what: What::Directory, .. })) => (*mode, *owner),
            (Content::Directory, None | Some(Node { what: What::Link(_), .. })) => (mode, owner),
            (Content::Directory, Some(_)) => return Err(no_directory(&path)),
            (_, Some(Node { what: What::Directory, .. })) => {
                return Err(format!("`/{path}` is a directory, which a file can't replace"));
            }
            _ => (mode, owner),
        };
        let entry = Entry { path, mode, uid, gid, content };
        let what = match &entry.content {
            Content::Directory => What::Directory,
            Content::Link(to) => What::Link(to.clone()),
            Content::File(_) | Content::Text(_) | Content::Part { .. } => What::Placed(entry.content.clone()),
        };
        let node = Node { mode, owner: (uid, gid), what, peculiar: None };
        self.apply_node(entry.path.clone(), node);
        entries.push(entry);
        Ok(entries)
    }

    /// The same for a directory; one that is there becomes like this.
    pub fn place_over(&mut self, path: &str, mode: u32, owner: (u64, u64)) -> Result<Vec<Entry>, String> {
        let mut entries = self.place(path, mode, owner, Content::Directory)?;
        if let Some(entry) = entries.last_mut() {
            (entry.mode, entry.uid, entry.gid) = (mode, owner.0, owner.1);
            self.nodes.insert(entry.path.clone(), Node { mode, owner, what: What::Directory, peculiar: None });
        }
        Ok(entries)
    }

    fn directories_above(&mut self, path: &str, owner: (u64, u64)) -> Result<Vec<Entry>, String> {
        let mut entries = Vec::new();
        for (end, _) in path.match_indices('/') {
            let dir = &path[..end];
            let (mode, (uid, gid)) = match self.nodes.get(dir) {
                Some(Node { mode, owner, what: What::Directory, .. }) => (*mode, *owner),
                Some(Node { what: What::Link(_), .. }) | None => (0o755, owner),
                Some(_) => return Err(no_directory(dir)),
            };
            self.nodes.insert(dir.to_owned(), Node { mode, owner: (uid, gid), what: What::Directory, peculiar: None });
            entries.push(Entry { path: dir.to_owned(), mode, uid, gid, content: Content::Directory });
        }
        Ok(entries)
    }

    /// What `path` names: itself, or all that it matches as a glob, of which `*` and `?` match no `/`. Links are followed, but
    /// for those that a glob matches. Sorted; nothing where nothing is there.
    pub fn named(&self, path: &str) -> Vec<String> {
        let path = normal(path);
        let whole = self.follow(&path);
        if whole.is_empty() || self.nodes.contains_key(&whole) {
            return vec![whole];
        }
        let wild = path.split('/').take_while(|part| !is_wild(part)).map(|part| part.len() + 1).sum::<usize>();
        let (fixed, pattern) = path.split_at(wild.min(path.len()));
        let top = self.follow(fixed.trim_end_matches('/'));
        let Ok(glob) = GlobBuilder::new(pattern).literal_separator(true).build() else { return Vec::new() };
        let glob = glob.compile_matcher();
        self.below(&top).filter(|(below, _)| glob.is_match(below)).map(|(below, _)| join(&top, below)).collect()
    }

    /// What lies at `path`, which has no links in it; nothing is known of the root.
    pub fn node(&self, path: &str) -> Option<&Node> {
        self.nodes.get(path)
    }

    /// Puts something at a path, which has no links in it, in place of what is there.
    pub fn put(&mut self, path: &str, node: Node) {
        self.apply_node(path.to_owned(), node);
    }

    /// Takes away what lies at a path, which has no links in it.
    pub fn take(&mut self, path: &str) -> Option<Node> {
        self.nodes.remove(path)
    }

    /// All that lies below a directory, each by its path from there, sorted.
    pub fn below<'s>(&'s self, dir: &str) -> impl Iterator<Item = (&'s str, &'s Node)> {
        let prefix = if dir.is_empty() { String::new() } else { format!("{dir}/") };
        let all = self.nodes.range(prefix.clone()..);
        all.map_while(move |(path, node)| Some((path.strip_prefix(&prefix)?, node)))
            .filter(|(path, _)| !path.is_empty())
    }

    /// `path` with every link in it followed. What does not exist stands for itself.
    pub fn follow(&self, path: &str) -> String {
        let mut left = MOST_LINKS;
        let mut todo: Vec<String> = path.split('/').rev().map(str::to_owned).collect();
        let mut done = String::new();
        while let Some(part) = todo.pop() {
            let next = normal(&join(&done, &part));
            match self.nodes.get(&next) {
                Some(Node { what: What::Link(to), .. }) if left > 0 => {
                    left -= 1;
                    todo.extend(to.split('/').rev().map(str::to_owned));
                    if to.starts_with('/') {
                        done.clear();
                    }
                }
                _ => done = next,
            }
        }
        done
    }
}

/// Without `.`, `..` and needless slashes; never above the root.
pub fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

fn has_attributes<R: Read>(entry: &mut tar::Entry<'_, R>) -> io::Result<bool> {
    let Some(extensions) = entry.pax_extensions()? else { return Ok(false) };
    for extension in extensions {
        if extension?.key_bytes().starts_with(b"SCHILY.xattr.") {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_wild(part: &str) -> bool {
    part.contains(['*', '?', '['])
}

fn no_directory(path: &str) -> String {
    format!("`/{path}` is a file, not a directory")
}

fn join(dir: &str, name: &str) -> String {
    if dir.is_empty() { name.to_owned() } else { format!("{dir}/{name}") }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn base() -> Rootfs {
        let mut rootfs = Rootfs::default();
        let node = |mode, what| Node { mode, owner: (0, 0), what, peculiar: None };
        let dir = |mode| node(mode, What::Directory);
        let other = || node(0o644, What::Special);
        let link = |to: &str| node(0o777, What::Link(to.to_owned()));
        rootfs.apply_node("usr".to_owned(), dir(0o755));
        rootfs.apply_node("usr/bin".to_owned(), dir(0o755));
        rootfs.apply_node("tmp".to_owned(), dir(0o1777));
        rootfs.apply_node("bin".to_owned(), link("usr/bin"));
        rootfs.apply_node("loop".to_owned(), link("/loop"));
        rootfs.apply_node("gone/x".to_owned(), other());
        rootfs.apply_node("file".to_owned(), other());
        rootfs.apply_node(".wh.gone".to_owned(), other());
        rootfs
    }

    fn check(path: &str, expect: Expect) {
        let mut rootfs = base();
        let entries = rootfs.place(path, 0o644, (5, 6), Content::Text(Vec::new()));
        let show = |it: &Entry| format!("{:o} {}:{} {}", it.mode, it.uid, it.gid, it.path);
        let shown = entries.map(|all| all.iter().map(show).collect::<Vec<_>>().join(", "));
        expect.assert_eq(&shown.unwrap_or_else(|message| message));
    }

    #[test]
    fn directories_and_links_above() {
        check("/bin/hello", expect!["755 0:0 usr, 755 0:0 usr/bin, 644 5:6 usr/bin/hello"]);
        check("tmp/x", expect!["1777 0:0 tmp, 644 5:6 tmp/x"]);
        check("/opt/../opt/acme/x", expect!["755 5:6 opt, 755 5:6 opt/acme, 644 5:6 opt/acme/x"]);
        check("/loop/x", expect!["755 5:6 loop, 644 5:6 loop/x"]);
        check("file/x", expect!["`/file` is a file, not a directory"]);
        check("/usr/bin", expect!["`/usr/bin` is a directory, which a file can't replace"]);
        check("../../x", expect!["644 5:6 x"]);
        check("gone/y", expect!["755 5:6 gone, 644 5:6 gone/y"]);
    }

    #[test]
    fn what_a_path_names() {
        let check = |path: &str, expect: &str| assert_eq!(base().named(path).join(", "), expect, "of {path}");
        check("/usr/", "usr");
        check("/bin", "usr/bin");
        check("/nope", "");
        check("/", "");
        check("/*", "bin, file, loop, tmp, usr");
        check("/[bf]i*", "bin, file");
        check("/*/bin", "usr/bin");
        let mut rootfs = base();
        rootfs.place("/bin/sh", 0o755, (0, 0), Content::Text(Vec::new())).unwrap();
        assert_eq!(rootfs.named("/bin/s?"), ["usr/bin/sh"]);
        assert_eq!(rootfs.named("/"), [""]);
    }

    #[test]
    fn a_directory_over_another() {
        let mut rootfs = base();
        let entries = rootfs.place_over("/bin", 0o700, (5, 6)).unwrap();
        assert_eq!(entries.last().map(|it| (it.path.as_str(), it.mode, it.uid)), Some(("usr/bin", 0o700, 5)));
        let entries = rootfs.place("/bin/x", 0o644, (0, 0), Content::Text(Vec::new())).unwrap();
        assert_eq!((entries[1].path.as_str(), entries[1].mode, entries[1].uid), ("usr/bin", 0o700, 5));
        assert_eq!(rootfs.place_over("/", 0o700, (5, 6)), Ok(Vec::new()));
    }

    #[test]
    fn a_tar_becomes_nodes() {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_ustar();
        header.set_size(0);
        header.set_mode(0o700);
        header.set_uid(0);
        header.set_gid(0);
        header.set_entry_type(EntryType::Directory);
        builder.append_data(&mut header, "root/", io::empty()).unwrap();
        let mut rootfs = Rootfs::default();
        rootfs.apply(0, &builder.into_inner().unwrap()[..]).unwrap();
        assert!(rootfs.is_directory("/root"));
        assert!(!rootfs.is_directory("/rooted"));
    }
}
