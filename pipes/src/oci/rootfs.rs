//! The file system that layers make up, as far as a further layer must know it: directories, links, and what is neither.
//! Does not hold content, but for who is who.

use std::collections::BTreeMap;
use std::io::{self, Read};

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
#[derive(Debug, Clone, Default)]
pub struct Rootfs {
    nodes: BTreeMap<String, Node>,
    /// Whose numbers its names are.
    pub accounts: Accounts,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    Directory { mode: u32, uid: u64, gid: u64 },
    Link(String),
    Other,
}

impl Rootfs {
    /// Puts a layer on top: the tar, not compressed.
    pub fn apply(&mut self, tar: impl Read) -> io::Result<()> {
        for entry in Archive::new(tar).entries()? {
            let mut entry = entry?;
            let path = normal(&String::from_utf8_lossy(&entry.path_bytes()));
            let header = entry.header();
            let node = match header.entry_type() {
                EntryType::Directory => {
                    Node::Directory { mode: header.mode()? & 0o7777, uid: header.uid()?, gid: header.gid()? }
                }
                EntryType::Symlink => match entry.link_name_bytes() {
                    Some(link) => Node::Link(String::from_utf8_lossy(&link).into_owned()),
                    None => Node::Other,
                },
                EntryType::XGlobalHeader => continue,
                _ => Node::Other,
            };
            if accounts::is_file(&path) {
                let mut content = Vec::new();
                entry.by_ref().take(LARGEST).read_to_end(&mut content)?;
                self.accounts.note(&path, &content);
            }
            self.apply_node(path, node);
        }
        Ok(())
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
        if !matches!(node, Node::Directory { .. }) {
            self.remove_below(&path);
        }
        self.nodes.insert(path, node);
    }

    fn remove_below(&mut self, dir: &str) {
        let prefix = if dir.is_empty() { String::new() } else { format!("{dir}/") };
        let below =
            self.nodes.range(prefix.clone()..).map(|(path, _)| path).take_while(|path| path.starts_with(&prefix));
        for path in below.cloned().collect::<Vec<_>>() {
            self.nodes.remove(&path);
        }
    }

    /// Whether a directory lies at `path`, links followed.
    pub fn is_directory(&self, path: &str) -> bool {
        let path = self.follow(&normal(path));
        path.is_empty() || matches!(self.nodes.get(&path), Some(Node::Directory { .. }))
    }

    /// The entries that put `content` at `path`: directories above it where they are missing (mode 0755, and the same
    /// owner) or as they are, and itself. Links to directories above it are followed, so that a layer does not hide them.
    /// A file is no directory and does not become one, nor the other way round: then a phrase that says so.
    pub fn place(
        &mut self,
        path: &str,
        mode: u32,
        (uid, gid): (u64, u64),
        content: Content,
    ) -> Result<Vec<Entry>, String> {
        let path = normal(path);
        let (dir, name) = path.rsplit_once('/').unwrap_or(("", &path));
        let path = join(&self.follow(dir), name);
        let path = if content == Content::Directory { self.follow(&path) } else { path };
        let mut entries = self.directories_above(&path, (uid, gid))?;
        match (&content, self.nodes.get(&path)) {
            _ if path.is_empty() => return Ok(entries),
            (Content::Directory, Some(Node::Other)) => return Err(no_directory(&path)),
            (Content::Directory, _) => {}
            (_, Some(Node::Directory { .. })) => {
                return Err(format!("`/{path}` is a directory, which a file can't replace"));
            }
            _ => {}
        }
        let entry = match (&content, self.nodes.get(&path)) {
            (Content::Directory, Some(&Node::Directory { mode, uid, gid })) => Entry { path, mode, uid, gid, content },
            _ => Entry { path, mode, uid, gid, content },
        };
        let node = match &entry.content {
            Content::Directory => Node::Directory { mode: entry.mode, uid: entry.uid, gid: entry.gid },
            Content::Link(to) => Node::Link(to.clone()),
            Content::File(_) | Content::Text(_) | Content::Part { .. } => Node::Other,
        };
        self.apply_node(entry.path.clone(), node);
        entries.push(entry);
        Ok(entries)
    }

    /// The same for a directory; one that is there becomes like this.
    pub fn place_over(&mut self, path: &str, mode: u32, owner: (u64, u64)) -> Result<Vec<Entry>, String> {
        let mut entries = self.place(path, mode, owner, Content::Directory)?;
        if let Some(entry) = entries.last_mut() {
            (entry.mode, entry.uid, entry.gid) = (mode, owner.0, owner.1);
            self.nodes.insert(entry.path.clone(), Node::Directory { mode, uid: entry.uid, gid: entry.gid });
        }
        Ok(entries)
    }

    fn directories_above(&mut self, path: &str, owner: (u64, u64)) -> Result<Vec<Entry>, String> {
        let mut entries = Vec::new();
        for (end, _) in path.match_indices('/') {
            let dir = &path[..end];
            let (mode, uid, gid) = match self.nodes.get(dir) {
                Some(&Node::Directory { mode, uid, gid }) => (mode, uid, gid),
                Some(Node::Other) => return Err(no_directory(dir)),
                _ => (0o755, owner.0, owner.1),
            };
            self.nodes.insert(dir.to_owned(), Node::Directory { mode, uid, gid });
            entries.push(Entry { path: dir.to_owned(), mode, uid, gid, content: Content::Directory });
        }
        Ok(entries)
    }

    /// `path` with every link in it followed. What does not exist stands for itself.
    pub fn follow(&self, path: &str) -> String {
        let mut left = MOST_LINKS;
        let mut todo: Vec<String> = path.split('/').rev().map(str::to_owned).collect();
        let mut done = String::new();
        while let Some(part) = todo.pop() {
            let next = normal(&join(&done, &part));
            match self.nodes.get(&next) {
                Some(Node::Link(to)) if left > 0 => {
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
        let dir = |mode| Node::Directory { mode, uid: 0, gid: 0 };
        rootfs.apply_node("usr".to_owned(), dir(0o755));
        rootfs.apply_node("usr/bin".to_owned(), dir(0o755));
        rootfs.apply_node("tmp".to_owned(), dir(0o1777));
        rootfs.apply_node("bin".to_owned(), Node::Link("usr/bin".to_owned()));
        rootfs.apply_node("loop".to_owned(), Node::Link("/loop".to_owned()));
        rootfs.apply_node("gone/x".to_owned(), Node::Other);
        rootfs.apply_node("file".to_owned(), Node::Other);
        rootfs.apply_node(".wh.gone".to_owned(), Node::Other);
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
        rootfs.apply(&builder.into_inner().unwrap()[..]).unwrap();
        assert!(rootfs.is_directory("/root"));
        assert!(!rootfs.is_directory("/rooted"));
    }
}
