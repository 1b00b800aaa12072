//! What commands do to files: of busybox and of coreutils the same, and refused where they differ.
//! Does not know accounts, but for whose numbers names are.

use crate::docker::run::apk;
use crate::docker::run::commands::{Above, Does, Group, Kept, Links, Missing, Owner, Reach, There};
use crate::docker::run::line::Written;
use crate::docker::run::mode::{Mode, Of};
use crate::docker::run::tools::Maker;
use crate::docker::run::tree::{Tree, missing};
use crate::docker::run::{Place, Wrong};
use crate::oci::accounts::Accounts;
use crate::oci::layer::Content;
use crate::oci::rootfs::{Node, Peculiar, What};

/// What umask leaves.
const NEW: u32 = 0o755;
const NEW_FILE: u32 = 0o644;
const PERMISSIONS: u32 = 0o777;

/// A command under way.
pub(super) struct Running<'r, 'l, 'h> {
    pub(super) tree: &'r mut Tree<'l, 'h>,
    /// Who is who by now.
    pub(super) accounts: &'r mut Accounts,
    /// Who made the program.
    pub(super) maker: Maker,
    pub(super) place: &'r Place<'r>,
}

impl Running<'_, '_, '_> {
    pub(super) fn run(&mut self, does: &Does) -> Result<(), Wrong> {
        match does {
            Does::Nothing => Ok(()),
            Does::Print { text, to, written } => self.print(text, to, *written),
            Does::MakeDirectory { paths, above, mode } => {
                paths.iter().try_for_each(|path| self.make_directory(path, *above, mode.as_ref()))
            }
            Does::ChangeMode { paths, reach, mode } => {
                paths.iter().try_for_each(|path| self.change_mode(path, *reach, mode))
            }
            Does::ChangeOwner { paths, reach, owner } => {
                let owner = self.numbers(owner)?;
                paths.iter().try_for_each(|path| self.change_owner(path, *reach, owner))
            }
            Does::Link { to, at, there, links } => self.links(to, at.as_deref(), *there, *links),
            Does::Copy { from, to, reach, kept } => self.copies(from, to, *reach, *kept),
            Does::Move { from, to } => self.moves(from, to),
            Does::Remove { paths, reach, missing } => paths.iter().try_for_each(|it| self.remove(it, *reach, *missing)),
            Does::Touch { paths } => paths.iter().try_for_each(|path| self.touch(path)),
            Does::Adduser(adduser) => self.adduser(adduser),
            Does::Addgroup(addgroup) => self.addgroup(addgroup),
            Does::Useradd(useradd) => self.useradd_of_shadow(useradd),
            Does::Groupadd(groupadd) => self.groupadd_of_shadow(groupadd),
            Does::Apk(apk) => apk::run(apk, self.tree, self.accounts, self.place),
        }
    }

    fn make_directory(&mut self, path: &str, above: Above, mode: Option<&Mode>) -> Result<(), Wrong> {
        if above == Above::Made {
            for (end, _) in path.match_indices('/').filter(|(end, _)| *end > 0) {
                self.make_missing(&path[..end])?;
            }
            if self.make_missing(path)? == Made::No {
                return Ok(());
            }
        } else {
            let at = self.tree.locate(path)?;
            if self.tree.node(&at).is_some() {
                return Err(Wrong::Fails(format!("`/{at}` is there already")));
            }
            self.tree.make(&at, NEW, What::Directory)?;
        }
        match mode {
            Some(mode) => self.change_mode_at(&self.tree.locate(path)?, mode),
            None => Ok(()),
        }
    }

    fn make_missing(&mut self, path: &str) -> Result<Made, Wrong> {
        if self.tree.is_directory(&self.tree.follow(path)) {
            return Ok(Made::No);
        }
        let at = self.tree.locate(path)?;
        match self.tree.node(&at) {
            Some(_) => Err(Wrong::Fails(format!("`/{at}` is no directory"))),
            None => self.tree.make(&at, NEW, What::Directory).map(|()| Made::Yes),
        }
    }

    fn change_mode(&mut self, path: &str, reach: Reach, mode: &Mode) -> Result<(), Wrong> {
        let named = self.tree.locate(path)?;
        let at = self.tree.locate_through(path)?;
        if reach == Reach::Named {
            return self.change_mode_at(&at, mode);
        }
        self.check_no_link(&named)?;
        for below in self.tree.below(&at).into_iter().chain([at]) {
            let is_link = self.tree.node(&below).is_some_and(|it| matches!(it.what, What::Link(_)));
            if !is_link {
                self.change_mode_at(&below, mode)?;
            }
        }
        Ok(())
    }

    fn change_mode_at(&mut self, at: &str, mode: &Mode) -> Result<(), Wrong> {
        let node = self.tree.node(at).ok_or_else(|| missing(at))?;
        let of = if node.what == What::Directory { Of::Directory } else { Of::File };
        let owner = node.owner;
        let mode = mode.apply(node.mode, of).ok_or_else(|| {
            Wrong::Untold(format!("whether the directory `/{at}` keeps its set-id bits depends on the program"))
        })?;
        self.tree.change(at, mode, owner)
    }

    /// The user, and the group, as far as they are to be others.
    fn numbers(&self, owner: &Owner) -> Result<(Option<u64>, Option<u64>), Wrong> {
        let user = owner.user.as_deref();
        let own = user.map(|it| self.accounts.owner(it)).transpose().map_err(Wrong::Fails)?;
        let group = match &owner.group {
            Group::Same => None,
            Group::OfUser => own.map(|(_, group)| group),
            Group::Named(group) => Some(self.accounts.owner(&format!("0:{group}")).map_err(Wrong::Fails)?.1),
        };
        Ok((own.map(|(user, _)| user), group))
    }

    fn change_owner(&mut self, path: &str, reach: Reach, owner: (Option<u64>, Option<u64>)) -> Result<(), Wrong> {
        let named = self.tree.locate(path)?;
        let at = self.tree.locate_through(path)?;
        if reach == Reach::Named {
            return self.change_owner_at(&at, owner);
        }
        self.check_no_link(&named)?;
        self.tree.below(&at).into_iter().chain([at]).try_for_each(|below| self.change_owner_at(&below, owner))
    }

    /// A file loses its set-id bits when its owner is set, even to the same: so does Linux.
    fn change_owner_at(&mut self, at: &str, (user, group): (Option<u64>, Option<u64>)) -> Result<(), Wrong> {
        let node = self.tree.node(at).ok_or_else(|| missing(at))?;
        let owner = (user.unwrap_or(node.owner.0), group.unwrap_or(node.owner.1));
        let mode = match node.what {
            What::Directory | What::Link(_) => node.mode,
            _ if node.mode & 0o010 != 0 => node.mode & !0o6000,
            _ => node.mode & !0o4000,
        };
        self.tree.change(at, mode, owner)
    }

    /// Programs do not agree on what lies behind a link.
    fn check_no_link(&self, at: &str) -> Result<(), Wrong> {
        match self.tree.node(at) {
            Some(Node { what: What::Link(_), .. }) => {
                Err(Wrong::Untold(format!("whether the link `/{at}` is followed depends on the program")))
            }
            _ => Ok(()),
        }
    }

    fn links(&mut self, to: &[String], at: Option<&str>, there: There, links: Links) -> Result<(), Wrong> {
        let last = at.unwrap_or(".");
        let into = self.tree.follow(last);
        let is_link = |it: &Self| {
            matches!(it.tree.locate(last).ok().and_then(|at| it.tree.node(&at)), Some(Node { what: What::Link(_), .. }))
        };
        let is_into = self.tree.is_directory(&into) && !(links == Links::Themselves && is_link(self));
        if to.len() > 1 && !is_into {
            return Err(Wrong::Fails(format!("`{last}` is no directory")));
        }
        for to in to {
            let at = match is_into {
                true => self.tree.locate(&format!("{last}/{}", base_name(to)?))?,
                false => self.tree.locate(no_slash(last)?)?,
            };
            match (self.tree.node(&at), there) {
                (None, _) => {}
                (Some(Node { what: What::Directory, .. }), _) => {
                    return Err(Wrong::Fails(format!("`/{at}` is a directory")));
                }
                (Some(_), There::Kept) => return Err(Wrong::Fails(format!("`/{at}` is there already"))),
                // Itself, under another name.
                (Some(_), There::Replaced) if self.tree.follow(&format!("/{at}/../{to}")) == at => {
                    return Err(Wrong::Untold(format!("`/{at}` would be a link to itself")));
                }
                (Some(_), There::Replaced) => self.tree.take(&at)?,
            }
            self.tree.make(&at, PERMISSIONS, What::Link(to.clone()))?;
        }
        Ok(())
    }

    /// Where each goes: into a directory, or to the name itself.
    fn goals(&self, from: &[String], to: &str) -> Result<Vec<String>, Wrong> {
        let is_into = self.tree.is_directory(&self.tree.follow(to));
        if from.len() > 1 && !is_into {
            return Err(Wrong::Fails(format!("`{to}` is no directory")));
        }
        let goal = |from: &String| match is_into {
            true => {
                let at = self.tree.follow(to);
                self.tree.locate(&format!("/{at}/{}", base_name(from)?))
            }
            false => self.tree.locate(no_slash(to)?),
        };
        from.iter().map(goal).collect()
    }

    fn copies(&mut self, from: &[String], to: &str, reach: Reach, kept: Kept) -> Result<(), Wrong> {
        let from = self.with_contents(from, to, reach, kept);
        for (from, to) in from.iter().zip(self.goals(&from, to)?) {
            let mut source = self.tree.locate(no_slash(from)?)?;
            let is_link = matches!(self.tree.node(&source), Some(Node { what: What::Link(_), .. }));
            if is_link && kept != Kept::All {
                if reach == Reach::Below {
                    self.check_no_link(&source)?;
                }
                source = self.tree.locate_through(from)?;
            }
            if self.tree.node(&to).is_some() {
                return Err(Wrong::Untold(format!("what becomes of `/{to}`, which is there, depends on the program")));
            }
            if self.tree.is_directory(&source) && reach == Reach::Named {
                return Err(Wrong::Fails(format!("`/{source}` is a directory")));
            }
            if is_within(&to, &source) {
                return Err(Wrong::Fails(format!("`/{to}` lies in `/{source}`")));
            }
            self.copy(&source, &to, kept)?;
        }
        Ok(())
    }

    /// What `DIR/.` means where it goes into a directory that is there: all that lies in it.
    fn with_contents(&self, from: &[String], to: &str, reach: Reach, kept: Kept) -> Vec<String> {
        let is_into = self.tree.is_directory(&self.tree.follow(to)) && reach == Reach::Below && kept == Kept::Content;
        let contents = |from: &String| {
            let dir = self.tree.follow(from.strip_suffix("/.").filter(|_| is_into)?);
            let is_whole = self.tree.is_directory(&dir) && self.tree.check_all_own(&dir, |_| true).is_ok();
            is_whole.then(|| self.tree.names_in(&dir).iter().map(|name| format!("/{dir}/{name}")).collect())
        };
        from.iter().flat_map(|it| contents(it).unwrap_or_else(|| vec![it.clone()])).collect()
    }

    fn copy(&mut self, from: &str, to: &str, kept: Kept) -> Result<(), Wrong> {
        let all = self.tree.below(from);
        for directory in all.iter().map(String::as_str).chain([from]).filter(|it| self.tree.is_directory(it)) {
            self.tree.check_all_own(directory, |_| true)?;
        }
        let is_linked = |path: &&String| self.tree.node(path).is_some_and(|it| it.peculiar == Some(Peculiar::HardLink));
        let linked: Vec<&String> = all.iter().filter(is_linked).collect();
        if let ([one, _, ..], true) = (linked.as_slice(), kept == Kept::All || self.maker == Maker::Busybox) {
            return Err(Wrong::Untold(format!("`/{one}` is a file of several names, and its copies may be, too")));
        }
        for path in std::iter::once(from.to_owned()).chain(all) {
            let at = format!("{to}{}", &path[from.len()..]);
            let node = self.tree.node(&path).cloned().ok_or_else(|| missing(&path))?;
            self.copy_one(&path, &at, node, kept)?;
        }
        Ok(())
    }

    fn copy_one(&mut self, from: &str, to: &str, node: Node, kept: Kept) -> Result<(), Wrong> {
        // The content of a file of several names is that of any file.
        self.tree.check_whole(
            from,
            &Node { peculiar: node.peculiar.filter(|it| *it == Peculiar::Attributes), ..node.clone() },
        )?;
        let is_link = matches!(node.what, What::Link(_));
        match kept {
            Kept::Content if !is_link && node.mode & !PERMISSIONS != 0 => {
                Err(Wrong::Untold(format!("which bits of `/{from}` a copy of it has depends on the program")))
            }
            Kept::Content => self.tree.make(to, node.mode & NEW, node.what),
            Kept::Owner | Kept::All => self.tree.put(to, Node { peculiar: None, ..node }),
        }
    }

    fn moves(&mut self, from: &[String], to: &str) -> Result<(), Wrong> {
        for (from, to) in from.iter().zip(self.goals(from, to)?) {
            let source = self.tree.locate(no_slash(from)?)?;
            let node = self.tree.node(&source).cloned().ok_or_else(|| missing(&source))?;
            let is_directory = node.what == What::Directory;
            match self.tree.node(&to) {
                _ if source == to || is_within(&to, &source) => {
                    return Err(Wrong::Fails(format!("`/{to}` lies in `/{source}`")));
                }
                Some(there) if is_directory || there.what == What::Directory => {
                    return Err(Wrong::Untold(format!("`/{to}` is there already")));
                }
                _ => {}
            }
            let below = self.tree.below(&source);
            for path in std::iter::once(source.clone()).chain(below.clone()) {
                let at = format!("{to}{}", &path[source.len()..]);
                let node = self.tree.node(&path).cloned().ok_or_else(|| missing(&path))?;
                self.tree.check_whole(
                    &path,
                    &Node { peculiar: node.peculiar.filter(|it| *it == Peculiar::Attributes), ..node.clone() },
                )?;
                self.tree.put(&at, Node { peculiar: None, ..node })?;
            }
            self.take_all(&source, below)?;
        }
        Ok(())
    }

    fn remove(&mut self, path: &str, reach: Reach, missing_is: Missing) -> Result<(), Wrong> {
        let at = match self.tree.locate(path) {
            // What lies nowhere is missing, too.
            Err(Wrong::Fails(_)) if missing_is == Missing::Ignored => return Ok(()),
            at => at?,
        };
        if path.ends_with('/') {
            self.check_no_link(&at)?;
        }
        match (self.tree.node(&at).map(|it| it.what == What::Directory), reach) {
            (None, _) if missing_is == Missing::Ignored => Ok(()),
            (None, _) => Err(missing(&at)),
            (Some(true), Reach::Named) => Err(Wrong::Fails(format!("`/{at}` is a directory"))),
            (Some(_), _) if matches!(base_name(path), Err(_) | Ok("." | "..")) => {
                Err(Wrong::Fails(format!("`{path}` can't be removed under this name")))
            }
            (Some(_), _) => {
                let below = self.tree.below(&at);
                self.take_all(&at, below)
            }
        }
    }

    fn take_all(&mut self, at: &str, below: Vec<String>) -> Result<(), Wrong> {
        for path in below.iter().rev() {
            self.tree.locate(&format!("/{path}"))?;
            self.tree.take(path)?;
        }
        self.tree.take(at)
    }

    fn print(&mut self, text: &str, to: &str, written: Written) -> Result<(), Wrong> {
        let at = self.tree.locate_through(no_slash(to)?)?;
        let Some(node) = self.tree.node(&at).cloned() else {
            // A link that leads nowhere makes what it leads to.
            let at = self.tree.locate(&format!("/{at}"))?;
            return self.tree.make(&at, NEW_FILE, What::Placed(Content::Text(text.as_bytes().to_vec())));
        };
        if node.what == What::Directory {
            return Err(Wrong::Fails(format!("`/{at}` is a directory")));
        }
        if text.is_empty() {
            return Err(Wrong::Untold(format!("whether `/{at}`, which is there, has another time is not known here")));
        }
        self.tree.check_unbound(&at)?;
        self.tree.check_whole(&at, &node)?;
        let text = match written {
            Written::Anew => text.to_owned(),
            Written::Behind => self.tree.read(&at)? + text,
        };
        self.accounts.note(&at, text.as_bytes());
        self.tree.write(&at, &node, text);
        Ok(())
    }

    fn touch(&mut self, path: &str) -> Result<(), Wrong> {
        let at = self.tree.locate_through(no_slash(path)?)?;
        match self.tree.node(&at) {
            Some(_) => self.tree.renew(&at),
            None => {
                // A link that leads nowhere makes what it leads to.
                let at = self.tree.locate(&format!("/{at}"))?;
                self.tree.make(&at, NEW_FILE, What::Placed(Content::Text(Vec::new())))
            }
        }
    }
}

#[derive(PartialEq, Eq)]
enum Made {
    Yes,
    No,
}

fn is_within(path: &str, dir: &str) -> bool {
    path == dir || path.strip_prefix(dir).is_some_and(|rest| rest.starts_with('/'))
}

fn base_name(path: &str) -> Result<&str, Wrong> {
    match path.trim_end_matches('/').rsplit('/').next() {
        None | Some("" | "." | "..") => Err(Wrong::Untold(format!("`{path}` has no name of its own"))),
        Some(name) => Ok(name),
    }
}

/// A name for what is no directory, or not there.
fn no_slash(path: &str) -> Result<&str, Wrong> {
    match path.ends_with('/') {
        true => Err(Wrong::Untold(format!("what the `/` at the end of `{path}` means depends on the program"))),
        false => Ok(path),
    }
}
