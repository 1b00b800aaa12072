//! The files of packages in the tree of an image: whose they are, what they may replace, and what goes with them.
//! Does not know which packages come and go.

use std::collections::{BTreeMap, BTreeSet};

use crate::apk::archive::{Archive, Entry, What as Packed};
use crate::apk::database::{Access, Database, Dir, File, Installed};
use crate::apk::package::Package;
use crate::apk::scripts::Script;
use crate::apk::signature::checksum;
use crate::docker::packages::Unpacked;
use crate::docker::run::Wrong;
use crate::docker::run::apk::check_script;
use crate::docker::run::apk::triggers::Touched;
use crate::docker::run::apk::words::Changed;
use crate::docker::run::tree::Tree;
use crate::oci::accounts::Accounts;
use crate::oci::layer::Content;
use crate::oci::rootfs::{Node, What};

/// Below this, what was changed by others stays.
const PROTECTED: &str = "etc";

/// Packages under way.
pub(super) struct Laying<'t, 'l, 'h> {
    tree: &'t mut Tree<'l, 'h>,
    accounts: &'t Accounts,
    database: &'t mut Database,
    /// Directories that were looked at, and whether they get the permissions of their packages.
    prepared: BTreeMap<String, Managed>,
    touched: Touched,
}

/// Whether a directory has the permissions that packages give it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Managed {
    Yes,
    /// Others gave it its own.
    No,
}

impl<'t, 'l, 'h> Laying<'t, 'l, 'h> {
    pub(super) fn new(tree: &'t mut Tree<'l, 'h>, accounts: &'t Accounts, database: &'t mut Database) -> Self {
        Laying { tree, accounts, database, prepared: BTreeMap::new(), touched: Touched::default() }
    }

    /// The directories whose packages have come or gone.
    pub(super) fn touched(self) -> Touched {
        self.touched
    }

    /// Lays a package, and notes it down. One of no size is never opened.
    pub(super) fn install(&mut self, package: &Package, archive: Option<Unpacked>) -> Result<(), Wrong> {
        let mut new = Installed { package: package.clone(), ..Installed::default() };
        if let Some(Unpacked { archive, tar }) = archive {
            for script in [Script::PreInstall, Script::PostInstall] {
                if let Some(text) = archive.scripts.get(&script) {
                    check_script(self.tree, &package.name, script, text)?;
                }
            }
            for entry in &archive.entries {
                self.lay(&mut new, &archive, entry, &tar)?;
            }
            if !archive.triggers.is_empty() {
                self.database.triggers.push(package.checksum.clone());
            }
            self.touched.modified.extend(new.dirs.iter().map(|it| it.path.clone()));
            let Archive { replaces, replaces_priority, triggers, scripts, .. } = archive;
            new = Installed { replaces, replaces_priority, triggers, scripts, ..new };
        }
        self.touched.new.insert(package.name.clone());
        self.database.installed.push(new);
        Ok(())
    }

    fn lay(
        &mut self,
        new: &mut Installed,
        archive: &Archive,
        entry: &Entry,
        tar: &std::path::Path,
    ) -> Result<(), Wrong> {
        let access = Access { mode: entry.mode, owner: self.owner(entry) };
        if entry.what == Packed::Directory {
            self.prepare(&entry.path, Some(entry.mode))?;
            match new.dirs.iter_mut().find(|it| it.path == entry.path) {
                Some(dir) => dir.access = access,
                None => new.dirs.push(Dir { path: entry.path.clone(), access, files: Vec::new() }),
            }
            return Ok(());
        }
        let (dir, name) = entry.path.rsplit_once('/').unwrap_or(("", &entry.path));
        if !new.dirs.iter().any(|it| it.path == dir) {
            if !dir.is_empty() {
                let message = format!("`{}` has `{}`, and not the directory", new.package.title(), entry.path);
                return Err(Wrong::Fails(message));
            }
            new.dirs.push(Dir { path: String::new(), access: Access::DIR, files: Vec::new() });
        }
        if !self.takes_over(&new.package, archive, dir, name)? {
            return Ok(());
        }
        let (what, sum) = match &entry.what {
            Packed::Directory => return Ok(()),
            Packed::Link { to, checksum } => (What::Link(to.clone()), checksum),
            Packed::File { offset, size, checksum } => {
                let part = Content::Part { file: tar.to_owned(), offset: *offset, size: *size };
                (What::Placed(part), checksum)
            }
        };
        self.check_unprotected(dir, name)?;
        self.disown(dir, name);
        let at = self.tree.locate(&format!("/{}", entry.path))?;
        if self.tree.is_directory(&at) {
            return Err(Wrong::Fails(format!("`/{at}` is a directory, and a file of `{}`", new.package.title())));
        }
        let mode = if matches!(what, What::Link(_)) { 0o777 } else { access.mode };
        self.tree.put(&at, Node { mode, owner: access.owner, what, peculiar: None })?;
        let file = File { name: name.to_owned(), access, checksum: Some(sum.clone()) };
        let Some(dir) = new.dirs.iter_mut().find(|it| it.path == dir) else { return Ok(()) };
        dir.files.retain(|it| it.name != name);
        dir.files.push(file);
        Ok(())
    }

    /// Names of the image go before numbers of the package.
    fn owner(&self, entry: &Entry) -> (u64, u64) {
        let is_name = |name: &str| !name.is_empty() && !name.bytes().all(|it| it.is_ascii_digit());
        let (user, group) = &entry.names;
        let named = |name: &str, text: String| is_name(name).then(|| self.accounts.owner(&text).ok()).flatten();
        let uid = named(user, user.clone()).map_or(entry.owner.0, |(uid, _)| uid);
        let gid = named(group, format!("0:{group}")).map_or(entry.owner.1, |(_, gid)| gid);
        (uid, gid)
    }

    /// Whether a file of a package is laid, which another may have, too.
    fn takes_over(&self, new: &Package, archive: &Archive, dir: &str, name: &str) -> Result<bool, Wrong> {
        let Some(old) = self.owned(dir, name).map(|(it, _)| it) else { return Ok(true) };
        if old.package.origin == new.origin && new.origin.is_some() {
            return Ok(true);
        }
        let names = |replaces: &[crate::apk::dependency::Dependency], package: &Package| {
            replaces.iter().any(|it| it.name == package.name && it.allows(Some(&package.version)))
        };
        let theirs = names(&old.replaces, new).then_some(old.replaces_priority);
        let ours = names(&archive.replaces, &old.package).then_some(archive.replaces_priority);
        match (theirs, ours) {
            (theirs, ours) if theirs > ours => Ok(false),
            (_, Some(_)) => Ok(true),
            _ => {
                let path = format!("{dir}/{name}");
                let (new, old) = (new.title(), old.package.title());
                Err(Wrong::Fails(format!(
                    "`{new}` would overwrite `/{}`, which `{old}` has",
                    path.trim_start_matches('/')
                )))
            }
        }
    }

    fn owned(&self, dir: &str, name: &str) -> Option<(&Installed, &File)> {
        let file = |it: &'_ Installed| {
            let dir = it.dirs.iter().position(|it| it.path == dir)?;
            Some((dir, it.dirs[dir].files.iter().position(|it| it.name == name)?))
        };
        let (it, (dir, at)) = self.database.installed.iter().find_map(|it| Some((it, file(it)?)))?;
        Some((it, &it.dirs[dir].files[at]))
    }

    fn disown(&mut self, dir: &str, name: &str) {
        let dirs = self.database.installed.iter_mut().flat_map(|it| &mut it.dirs).filter(|it| it.path == dir);
        dirs.for_each(|dir| dir.files.retain(|it| it.name != name));
    }

    /// What lies below `/etc` and is not as a package left it is not replaced by apk.
    fn check_unprotected(&self, dir: &str, name: &str) -> Result<(), Wrong> {
        let at = if dir.is_empty() { name.to_owned() } else { format!("{dir}/{name}") };
        if !is_protected(dir) || self.tree.node(&self.tree.locate(&format!("/{at}"))?).is_none() {
            return Ok(());
        }
        let there = self.sum(&at)?;
        let is_owned = self.owned(dir, name).is_some_and(|(_, file)| file.checksum == there);
        match is_owned && there.is_some() {
            true => Ok(()),
            false => Err(Wrong::Untold(format!("`/{at}` is there already, and not as a package left it"))),
        }
    }

    /// The checksum of what lies at a path.
    fn sum(&self, path: &str) -> Result<Option<String>, Wrong> {
        let at = self.tree.locate(&format!("/{path}"))?;
        match self.tree.node(&at).map(|it| it.what.clone()) {
            Some(What::Link(to)) => Ok(Some(checksum(to.as_bytes()))),
            Some(What::Layered { .. } | What::Placed(_)) => self.tree.bytes(&at).map(|it| Some(checksum(&it))),
            _ => Ok(None),
        }
    }

    /// Makes a directory that is not there, and finds out whether packages decide about its permissions.
    fn prepare(&mut self, path: &str, mode: Option<u32>) -> Result<(), Wrong> {
        if path.is_empty() || self.prepared.contains_key(path) {
            return Ok(());
        }
        let at = self.tree.locate(&format!("/{path}"))?;
        let managed = match (self.tree.node(&at), mode) {
            (Some(node), _) => {
                let access = Access { mode: node.mode, owner: node.owner };
                let is_link = !matches!(node.what, What::Directory);
                if !is_link && self.merged(path) == Some(access) { Managed::Yes } else { Managed::No }
            }
            (None, Some(mode)) => {
                self.tree.make(&at, mode, What::Directory)?;
                Managed::Yes
            }
            (None, None) => return Ok(()),
        };
        self.prepared.insert(path.to_owned(), managed);
        Ok(())
    }

    /// What packages say of a directory, together: the lowest owner counts, and what all of that owner allow.
    fn merged(&self, path: &str) -> Option<Access> {
        let all = self.database.installed.iter().flat_map(|it| &it.dirs).filter(|it| it.path == path);
        all.map(|it| it.access).reduce(|one, other| match one.owner.cmp(&other.owner) {
            std::cmp::Ordering::Less => one,
            std::cmp::Ordering::Equal => Access { mode: one.mode & other.mode, ..one },
            std::cmp::Ordering::Greater => other,
        })
    }

    /// Gives directories the permissions that their packages want.
    pub(super) fn settle(&mut self) -> Result<(), Wrong> {
        let managed = self.prepared.iter().filter(|(_, it)| **it == Managed::Yes);
        for path in managed.map(|(path, _)| path.clone()).collect::<Vec<_>>() {
            let at = self.tree.locate(&format!("/{path}"))?;
            let Some(Access { mode, owner }) = self.merged(&path) else { continue };
            if self.tree.node(&at).is_some_and(|it| it.mode != mode || it.owner != owner) {
                self.tree.change(&at, mode, owner)?;
            }
        }
        Ok(())
    }

    /// Takes a package away, with all that only it has.
    pub(super) fn remove(&mut self, name: &str, changed: Changed) -> Result<(), Wrong> {
        let Some(at) = self.database.installed.iter().position(|it| it.package.name == name) else { return Ok(()) };
        for script in [Script::PreDeinstall, Script::PostDeinstall] {
            if let Some(text) = self.database.installed[at].scripts.get(&script) {
                check_script(self.tree, name, script, text)?;
            }
        }
        for dir in &self.database.installed[at].dirs.clone() {
            for file in &dir.files {
                self.remove_file(&dir.path, file, changed)?;
            }
            self.prepare(&dir.path, None)?;
        }
        let gone = self.database.installed.remove(at);
        self.database.triggers.retain(|it| *it != gone.package.checksum);
        self.touched.modified.extend(gone.dirs.iter().map(|it| it.path.clone()));
        let mut dirs: BTreeSet<&str> = BTreeSet::new();
        for dir in &gone.dirs {
            dirs.extend(dir.path.match_indices('/').map(|(end, _)| &dir.path[..end]).chain([dir.path.as_str()]));
        }
        dirs.into_iter().rev().try_for_each(|dir| self.remove_dir(dir))
    }

    fn remove_file(&mut self, dir: &str, file: &File, changed: Changed) -> Result<(), Wrong> {
        let path = if dir.is_empty() { file.name.clone() } else { format!("{dir}/{}", file.name) };
        let Ok(at) = self.tree.locate(&format!("/{path}")) else { return Ok(()) };
        let is_there = self.tree.node(&at).is_some() && !self.tree.is_directory(&at);
        let stays = is_protected(dir) && changed == Changed::Kept && self.sum(&path)? != file.checksum;
        if is_there && !stays { self.tree.take(&at) } else { Ok(()) }
    }

    /// A directory goes when no package has it or anything in it, and nothing lies there.
    fn remove_dir(&mut self, path: &str) -> Result<(), Wrong> {
        let below = format!("{path}/");
        let mut dirs = self.database.installed.iter().flat_map(|it| &it.dirs);
        if path.is_empty() || dirs.any(|it| it.path == path || it.path.starts_with(&below)) {
            return Ok(());
        }
        self.touched.modified.insert(path.to_owned());
        self.prepared.remove(path);
        let Ok(at) = self.tree.locate(&format!("/{path}")) else { return Ok(()) };
        let is_empty = self.tree.is_directory(&at) && self.tree.below(&at).is_empty();
        if is_empty { self.tree.take(&at) } else { Ok(()) }
    }
}

fn is_protected(dir: &str) -> bool {
    dir == PROTECTED || dir.strip_prefix(PROTECTED).is_some_and(|it| it.starts_with('/'))
}
