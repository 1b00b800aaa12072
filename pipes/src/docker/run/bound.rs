//! What is mounted while commands run, put into the tree of the image before them, and taken out after them.
//! Does not know commands. Whoever changes the tree asks whether that is the image's own.

use crate::docker::laying::Laying;
use crate::docker::run::mounts::Mount;
use crate::docker::run::{Run, Wrong};
use crate::docker::sources::{Found, Thing};
use crate::oci::layer::Content;
use crate::oci::rootfs::{Node, What};

/// Where programs and accounts lie, which must be those of the image.
const OF_IMAGE: &[&str] =
    &["bin", "dev", "etc", "lib", "lib64", "proc", "sbin", "sys", "usr/bin", "usr/lib", "usr/lib64", "usr/sbin"];

/// What is mounted, and what lay there.
#[derive(Default)]
pub struct Bound {
    /// Where something is that nobody knows.
    pub(super) unknown: Vec<String>,
    /// Where files are that can be read.
    pub(super) files: Vec<String>,
    hidden: Vec<(String, Node)>,
    /// Directories that are there only for mounts.
    stubs: Vec<String>,
}

impl Bound {
    pub(super) fn mount(run: &Run, laying: &mut Laying<'_>) -> Result<Bound, Wrong> {
        let mut bound = Bound::default();
        for mount in &run.mounts {
            bound.add(mount, laying)?;
        }
        Ok(bound)
    }

    fn add(&mut self, mount: &Mount, laying: &mut Laying<'_>) -> Result<(), Wrong> {
        let at = laying.rootfs.follow(&laying.absolute(&mount.target));
        let is_in = |path: &str, dir: &str| path == dir || path.starts_with(&format!("{dir}/"));
        let mut others = self.unknown.iter().chain(&self.files);
        if at.is_empty() || others.any(|it| is_in(it, &at) || is_in(&at, it)) {
            return Err(untold(&at, "is mounted over what is mounted"));
        }
        if mount.holds.is_some() && OF_IMAGE.iter().any(|it| is_in(&at, it) || is_in(it, &at)) {
            return Err(untold(&at, "must be the image's own"));
        }
        self.make_above(&at, laying)?;
        let Some(sources) = &mount.holds else {
            self.make(&at, laying)?;
            self.unknown.push(at);
            return Ok(());
        };
        let mut things = Vec::new();
        for source in sources {
            things.extend(laying.find(source)?);
        }
        match things.pop() {
            Some(Thing::File(file)) if things.is_empty() => self.put_file(&at, file, laying)?,
            Some(Thing::Directory(all)) if things.is_empty() => {
                let own = laying.own(&sources[0])?;
                self.put_directory(&at, own, all, laying)?;
            }
            _ => return Err(untold(&at, "is not one file or one directory")),
        }
        self.files.push(at);
        Ok(())
    }

    /// Whoever runs commands makes what is missing, and takes it away where nothing came into it.
    fn make_above(&mut self, at: &str, laying: &mut Laying<'_>) -> Result<(), Wrong> {
        at.match_indices('/').try_for_each(|(end, _)| self.make(&at[..end], laying))
    }

    fn make(&mut self, at: &str, laying: &mut Laying<'_>) -> Result<(), Wrong> {
        match laying.rootfs.node(at).map(|it| &it.what) {
            Some(What::Directory) => {}
            Some(_) => return Err(untold(at, "is no directory")),
            None => {
                laying.rootfs.put(at, directory((0o755, (0, 0))));
                self.stubs.push(at.to_owned());
            }
        }
        Ok(())
    }

    fn put_file(&mut self, at: &str, file: Found, laying: &mut Laying<'_>) -> Result<(), Wrong> {
        if let Some(node) = laying.rootfs.take(at) {
            if node.what == What::Directory {
                return Err(untold(at, "is a directory"));
            }
            self.hidden.push((at.to_owned(), node));
        }
        laying.rootfs.put(at, node(file));
        Ok(())
    }

    fn put_directory(
        &mut self,
        at: &str,
        own: (u32, (u64, u64)),
        all: Vec<Found>,
        laying: &mut Laying<'_>,
    ) -> Result<(), Wrong> {
        self.make(at, laying)?;
        let below: Vec<String> = laying.rootfs.below(at).map(|(path, _)| format!("{at}/{path}")).collect();
        for path in below.into_iter().chain([at.to_owned()]) {
            self.hidden.extend(laying.rootfs.take(&path).map(|node| (path, node)));
        }
        laying.rootfs.put(at, directory(own));
        for found in all {
            laying.rootfs.put(&format!("{at}/{}", found.path), node(found));
        }
        Ok(())
    }

    pub(super) fn unmount(self, laying: &mut Laying<'_>) {
        for at in &self.files {
            let below: Vec<String> = laying.rootfs.below(at).map(|(path, _)| format!("{at}/{path}")).collect();
            below.iter().chain([at]).for_each(|path| drop(laying.rootfs.take(path)));
        }
        let mut hidden = self.hidden;
        hidden.sort_by(|one, other| one.0.cmp(&other.0));
        hidden.into_iter().for_each(|(path, node)| laying.rootfs.put(&path, node));
        for stub in self.stubs.iter().rev() {
            if laying.rootfs.below(stub).next().is_none() {
                laying.rootfs.take(stub);
            }
        }
    }
}

fn directory((mode, owner): (u32, (u64, u64))) -> Node {
    Node { mode, owner, what: What::Directory, peculiar: None }
}

fn node(found: Found) -> Node {
    let what = match found.content {
        Content::Directory => What::Directory,
        Content::Link(to) => What::Link(to),
        content => What::Placed(content),
    };
    Node { mode: found.mode, owner: found.owner.unwrap_or((0, 0)), what, peculiar: None }
}

fn untold(at: &str, why: &str) -> Wrong {
    Wrong::Untold(format!("`/{at}` {why}"))
}
