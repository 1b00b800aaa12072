//! The file system that layers make up, as far as a further layer must know it: directories, links, and what is neither.
//! Does not hold content.

use std::collections::BTreeMap;
use std::io::{self, Read};

use tar::{Archive, EntryType};

use crate::oci::layer::{Content, Entry};

/// As many links as Linux follows in one path.
const MOST_LINKS: usize = 40;
const WHITEOUT: &str = ".wh.";
const OPAQUE: &str = ".wh..wh..opq";

/// What lies where.
#[derive(Debug, Clone, Default)]
pub struct Rootfs {
    nodes: BTreeMap<String, Node>,
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
            let entry = entry?;
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

    /// The entries that put `content` at `path`: directories above it where they are missing (mode 0755, owner 0) or as
    /// they are, and itself. Links to directories above it are followed, so that a layer does not hide them.
    pub fn place(&mut self, path: &str, mode: u32, (uid, gid): (u64, u64), content: Content) -> Vec<Entry> {
        let path = normal(path);
        let (dir, name) = path.rsplit_once('/').unwrap_or(("", &path));
        let path = join(&self.follow(dir), name);
        let path = if content == Content::Directory { self.follow(&path) } else { path };
        let mut entries = self.directories_above(&path);
        if path.is_empty() {
            return entries;
        }
        let entry = match (&content, self.nodes.get(&path)) {
            (Content::Directory, Some(&Node::Directory { mode, uid, gid })) => Entry { path, mode, uid, gid, content },
            _ => Entry { path, mode, uid, gid, content },
        };
        let node = match &entry.content {
            Content::Directory => Node::Directory { mode: entry.mode, uid: entry.uid, gid: entry.gid },
            Content::Link(to) => Node::Link(to.clone()),
            Content::File(_) | Content::Text(_) => Node::Other,
        };
        self.apply_node(entry.path.clone(), node);
        entries.push(entry);
        entries
    }

    fn directories_above(&mut self, path: &str) -> Vec<Entry> {
        let mut entries = Vec::new();
        for (end, _) in path.match_indices('/') {
            let dir = &path[..end];
            let (mode, uid, gid) = match self.nodes.get(dir) {
                Some(&Node::Directory { mode, uid, gid }) => (mode, uid, gid),
                _ => (0o755, 0, 0),
            };
            self.nodes.insert(dir.to_owned(), Node::Directory { mode, uid, gid });
            entries.push(Entry { path: dir.to_owned(), mode, uid, gid, content: Content::Directory });
        }
        entries
    }

    /// `path` with every link in it followed. What does not exist stands for itself.
    fn follow(&self, path: &str) -> String {
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
        rootfs.apply_node(".wh.gone".to_owned(), Node::Other);
        rootfs
    }

    fn check(path: &str, expect: Expect) {
        let mut rootfs = base();
        let entries = rootfs.place(path, 0o644, (0, 0), Content::Text(Vec::new()));
        let lines: Vec<String> = entries.iter().map(|it| format!("{:o} {}", it.mode, it.path)).collect();
        expect.assert_eq(&lines.join(", "));
    }

    #[test]
    fn directories_and_links_above() {
        check("/bin/hello", expect!["755 usr, 755 usr/bin, 644 usr/bin/hello"]);
        check("tmp/x", expect!["1777 tmp, 644 tmp/x"]);
        check("/opt/../opt/acme/x", expect!["755 opt, 755 opt/acme, 644 opt/acme/x"]);
        check("/loop/x", expect!["755 loop, 644 loop/x"]);
        check("../../x", expect!["644 x"]);
        check("gone/y", expect!["755 gone, 644 gone/y"]);
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
