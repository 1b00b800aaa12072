//! What `useradd` and `groupadd` of shadow do to an image.
//! Does not do what depends on the machine: mail, logs, hooks, and names that come from elsewhere are refused.

use crate::docker::run::Wrong;
use crate::docker::run::busybox::Sort;
use crate::docker::run::files::Running;
use crate::docker::run::shadow::defaults::Defaults;
use crate::docker::run::shadow::table::{self, File, Table};
use crate::docker::run::shadow::{Groupadd, Logs, Makes, Own, Subordinate, Twice, Useradd, numbers};
use crate::docker::run::tools::Maker;
use crate::docker::run::tree::join;
use crate::oci::layer::Content;
use crate::oci::rootfs::{Node, What};

const DAY: i64 = 24 * 60 * 60;
/// What is left of the permissions of a file that is written anew.
const KEPT: u32 = 0o664;
/// What the C library locks.
const LOCK: &str = "etc/.pwd.lock";
/// Who is asked for names.
const SOURCES: &str = "etc/nsswitch.conf";
/// What is run besides, where it is there.
const HOOKS: &[&str] = &["etc/shadow-maint/useradd-pre.d", "etc/shadow-maint/useradd-post.d"];
const PROGRAMS: &[&str] = &["/usr/sbin/nscd", "/usr/sbin/sss_cache", "/sbin/pam_tally2"];
/// What is logged of each number, and how many bytes at least.
const LOGGED: &[(&str, u64)] = &[("var/log/faillog", 24), ("var/log/lastlog", 292)];

impl Running<'_, '_, '_> {
    pub(in crate::docker::run) fn useradd_of_shadow(&mut self, new: &Useradd) -> Result<(), Wrong> {
        self.check_shadow()?;
        let login = Defaults::of_login(self.tree, &new.settings)?;
        let usual = Defaults::of_useradd(self.tree)?;
        new.check_defaults(&usual)?;
        let users = Table::read(self.tree, table::PASSWD)?;
        let groups = Table::read(self.tree, table::GROUP)?;
        let others = new.groups.iter().map(|it| groups.find(it).map(|(name, _)| name).ok_or_else(|| no_group(it)));
        let others: Vec<String> = others.collect::<Result<_, _>>()?;
        if users.named(&new.name).is_some() {
            return Err(Wrong::Fails(format!("the user `{}` is there already", new.name)));
        }
        let uid = new.number(&users, &login)?;
        if new.logs == Logs::Reset && usual.text("LOG_INIT") != Some("no") && !users.numbers().contains(&uid) {
            self.check_logs(uid)?;
        }
        let (gid, makes_group) = new.own_group(uid, &groups, &login, &usual)?;
        let homes = new.homes.as_deref().or(usual.text("HOME")).unwrap_or("/home");
        let home = new.home.clone().unwrap_or_else(|| format!("{homes}/{}", new.name));
        let shell = new.shell.as_deref().or(usual.text("SHELL")).unwrap_or("/bin/bash");
        self.lock()?;
        self.write_groups(&new.name, makes_group.then_some(gid), &others)?;
        self.write_user(new, &format!("{uid}:{gid}:{}:{home}:{shell}", new.comment), &login)?;
        if new.has_subordinates(&login)? {
            self.write_subordinates((&new.name, uid), &login)?;
        }
        match new.makes_home {
            Makes::No => Ok(()),
            Makes::AsSet if new.sort == Sort::System || !login.is_on("CREATE_HOME") => Ok(()),
            _ => self.make_home_of_shadow(&home, new.skel.as_deref().or(usual.text("SKEL")), (uid, gid), &login),
        }
    }

    pub(in crate::docker::run) fn groupadd_of_shadow(&mut self, new: &Groupadd) -> Result<(), Wrong> {
        self.check_shadow()?;
        let login = Defaults::of_login(self.tree, &new.settings)?;
        let groups = Table::read(self.tree, table::GROUP)?;
        if groups.named(&new.name).is_some() {
            return match new.twice {
                Twice::Avoided => Ok(()),
                _ => Err(Wrong::Fails(format!("the group `{}` is there already", new.name))),
            };
        }
        let taken = groups.numbers();
        let gid = match new.gid {
            Some(gid) if !taken.contains(&gid) || new.twice == Twice::Shared => gid,
            Some(gid) if new.twice == Twice::Fails => return Err(Wrong::Fails(format!("the number {gid} is taken"))),
            _ => numbers::free("GID", new.sort, None, &taken, &login)?,
        };
        self.lock()?;
        let has_shadow = self.tree.node(table::GSHADOW.path).is_some();
        let password = new.password.as_deref();
        let shown = if has_shadow { "x" } else { password.unwrap_or("x") };
        self.add_line_of_shadow(table::GROUP, format!("{}:{shown}:{gid}:", new.name))?;
        match has_shadow {
            true => self.add_line_of_shadow(table::GSHADOW, format!("{}:{}::", new.name, password.unwrap_or("!"))),
            false => Ok(()),
        }
    }

    fn check_shadow(&self) -> Result<(), Wrong> {
        if self.maker != Maker::Shadow {
            return Err(Wrong::Untold("it is not shadow's".to_owned()));
        }
        let elsewhere = |line: &str| {
            let (of, sources) = line.split('#').next()?.split_once(':')?;
            let is_ours = ["passwd", "group", "shadow", "gshadow"].contains(&of.trim());
            sources.split_whitespace().find(|it| is_ours && *it != "files").map(str::to_owned)
        };
        let sources = if self.tree.node(SOURCES).is_some() { self.tree.read(SOURCES)? } else { String::new() };
        if let Some(source) = sources.lines().find_map(elsewhere) {
            return Err(Wrong::Untold(format!("`/{SOURCES}` has names come from `{source}` too")));
        }
        if let Some(hooks) = HOOKS.iter().find(|dir| !self.tree.below(dir).is_empty()) {
            return Err(Wrong::Untold(format!("it would run what lies in `/{hooks}`")));
        }
        match PROGRAMS.iter().find(|it| self.tree.node(&self.tree.follow(it)).is_some()) {
            Some(program) => Err(Wrong::Untold(format!("it would run `{program}`"))),
            None => Ok(()),
        }
    }

    /// Programs do not agree on what is forgotten of one who had a number before.
    fn check_logs(&self, uid: u64) -> Result<(), Wrong> {
        for (log, size) in LOGGED {
            let logged = match self.tree.node(log).map(|it| &it.what) {
                None => 0,
                Some(What::Layered { size, .. }) => *size,
                Some(What::Placed(Content::Text(text))) => text.len() as u64,
                Some(_) => u64::MAX,
            };
            if logged > size * uid {
                return Err(Wrong::Untold(format!("`/{log}` may have been written for {uid}; `-l` leaves that")));
            }
        }
        Ok(())
    }

    fn lock(&mut self) -> Result<(), Wrong> {
        match self.tree.node(LOCK) {
            Some(_) => Ok(()),
            None => self.tree.make(LOCK, 0o600, What::Placed(Content::Text(Vec::new()))),
        }
    }

    fn write_groups(&mut self, user: &str, new: Option<u64>, others: &[String]) -> Result<(), Wrong> {
        let has_shadow = self.tree.node(table::GSHADOW.path).is_some();
        if new.is_none() && others.is_empty() {
            return Ok(());
        }
        let shown = if has_shadow { "x" } else { "!" };
        let lines = [(table::GROUP, new.map(|gid| format!("{user}:{shown}:{gid}:")))];
        let of_shadow = has_shadow.then(|| (table::GSHADOW, new.map(|_| format!("{user}:!::"))));
        for (file, line) in lines.into_iter().chain(of_shadow) {
            let mut table = Table::read(self.tree, file)?;
            let is_same = |table: &Table| line.is_none() && !others.iter().any(|it| table.named(it).is_some());
            if is_same(&table) {
                continue;
            }
            check_missing(&table, user, line.is_some())?;
            table.lines.extend(line);
            table.add_member(user, others);
            self.write_table(&table)?;
        }
        Ok(())
    }

    fn write_user(&mut self, new: &Useradd, rest: &str, login: &Defaults) -> Result<(), Wrong> {
        let (name, password) = (&new.name, new.password.as_deref().unwrap_or("!"));
        if self.tree.node(table::SHADOW.path).is_none() {
            return self.add_line_of_shadow(table::PASSWD, format!("{name}:{password}:{rest}"));
        }
        self.add_line_of_shadow(table::PASSWD, format!("{name}:x:{rest}"))?;
        let day = self.day()?;
        let mut ages = [String::new(), String::new(), String::new()];
        if new.sort == Sort::Other {
            for (age, name) in ages.iter_mut().zip(["PASS_MIN_DAYS", "PASS_MAX_DAYS", "PASS_WARN_AGE"]) {
                *age = login.number(name)?.map(|it| it.to_string()).unwrap_or_default();
            }
        }
        self.add_line_of_shadow(table::SHADOW, format!("{name}:{password}:{day}:{}:::", ages.join(":")))
    }

    /// The day that passwords are as old as: that of the commit, or the one that the image says it is.
    fn day(&self) -> Result<i64, Wrong> {
        let said = self.place.env.iter().find(|(name, _)| name == "SOURCE_DATE_EPOCH").map(|(_, it)| it.parse::<i64>());
        match said.unwrap_or(Ok(self.place.timestamp)) {
            Ok(time) if time >= DAY => Ok(time / DAY),
            _ => Err(Wrong::Untold("what day it is, is not known here".to_owned())),
        }
    }

    fn write_subordinates(&mut self, user: (&str, u64), login: &Defaults) -> Result<(), Wrong> {
        for (file, of) in [(table::SUBUID, "UID"), (table::SUBGID, "GID")] {
            let is_wanted = login.number_or(&format!("SUB_{of}_COUNT"), 65536)? > 0;
            if is_wanted && self.tree.node(file.path).is_some() {
                let mut table = Table::read(self.tree, file)?;
                numbers::subordinate(&mut table, of, user, login)?;
                self.write_table(&table)?;
            }
        }
        Ok(())
    }

    fn add_line_of_shadow(&mut self, file: File, line: String) -> Result<(), Wrong> {
        let mut table = Table::read(self.tree, file)?;
        check_missing(&table, table::name(&line), true)?;
        table.lines.push(line);
        self.write_table(&table)
    }

    /// A file is written beside, the old one kept with a `-` behind its name.
    fn write_table(&mut self, table: &Table) -> Result<(), Wrong> {
        let path = table.file.path;
        let old = self.tree.node(path).cloned().ok_or_else(|| crate::docker::run::tree::missing(path))?;
        if let What::Link(_) | What::Directory | What::Special = old.what {
            return Err(Wrong::Untold(format!("`/{path}` is no file")));
        }
        self.tree.check_whole(path, &old)?;
        let text: String = table.lines.iter().map(|line| format!("{line}\n")).collect();
        self.accounts.note(path, text.as_bytes());
        let old = Node { mode: old.mode & KEPT, ..old };
        self.keep(&format!("{path}-"), &old)?;
        self.tree.write(path, &old, text);
        Ok(())
    }

    /// One that is the same already stays: only its time could be another.
    fn keep(&mut self, backup: &str, old: &Node) -> Result<(), Wrong> {
        let is_same = match self.tree.node(backup) {
            Some(Node { what: What::Link(_) | What::Directory | What::Special, .. }) => {
                return Err(Wrong::Untold(format!("`/{backup}` is no file")));
            }
            Some(there) => {
                self.tree.check_whole(backup, there)?;
                let is_alike = (there.mode, there.owner) == (old.mode, old.owner);
                is_alike && self.tree.bytes(backup)? == self.tree.bytes(backup.trim_end_matches('-'))?
            }
            None => false,
        };
        if !is_same {
            self.tree.put_account_file(backup, old.clone());
        }
        Ok(())
    }

    /// A directory that is there stays as it is.
    fn make_home_of_shadow(
        &mut self,
        home: &str,
        skel: Option<&str>,
        owner: (u64, u64),
        login: &Defaults,
    ) -> Result<(), Wrong> {
        let mut path = String::new();
        let parts: Vec<&str> = home.split('/').filter(|part| !part.is_empty()).collect();
        if parts.iter().any(|part| [".", ".."].contains(part)) {
            return Err(Wrong::Untold(format!("`{home}` is not written from the root on")));
        }
        let followed = self.tree.follow(home);
        if followed.is_empty() || self.tree.node(&followed).is_some() {
            return Ok(());
        }
        for part in &parts {
            path = format!("{path}/{part}");
            let at = self.tree.locate(&path)?;
            match self.tree.node(&at).map(|it| &it.what) {
                None => {
                    let what = What::Directory;
                    self.tree.put(&at, Node { mode: 0o755, owner: (0, 0), what, peculiar: None })?;
                }
                Some(What::Link(_)) if self.tree.node(&self.tree.follow(&path)).is_none() => {
                    return Err(Wrong::Fails(format!("`/{at}` is a link that leads nowhere")));
                }
                Some(_) => {}
            }
        }
        let at = self.tree.locate(home)?;
        let mode = match login.number("HOME_MODE")? {
            Some(mode) => mode,
            None => 0o777 & !login.number_or("UMASK", 0o022)?,
        };
        let mode = u32::try_from(mode & 0o7777).unwrap_or_default();
        self.tree.change(&at, mode, owner)?;
        if !self.tree.below("usr/etc/skel").is_empty() {
            return Err(Wrong::Untold("whether `/usr/etc/skel` is copied depends on the version".to_owned()));
        }
        self.fill_home_of_shadow(&at, home, skel.unwrap_or("/etc/skel"), owner)
    }

    fn fill_home_of_shadow(&mut self, at: &str, home: &str, skel: &str, owner: (u64, u64)) -> Result<(), Wrong> {
        let from = self.tree.locate(skel)?;
        match self.tree.node(&from).map(|it| &it.what) {
            None => return Ok(()),
            Some(What::Directory) => {}
            Some(_) => return Err(Wrong::Untold(format!("`{skel}` is no directory"))),
        }
        for path in self.tree.below(&from) {
            let node = self.tree.node(&path).cloned().ok_or_else(|| crate::docker::run::tree::missing(&path))?;
            self.tree.check_whole(&path, &node)?;
            if node.what != What::Directory && !matches!(node.what, What::Link(_)) && node.mode & 0o7000 != 0 {
                return Err(Wrong::Untold(format!("whether a copy of `/{path}` keeps its set-id bits is not known")));
            }
            let what = match node.what {
                // So that it leads to the copy.
                What::Link(to) if to.starts_with(skel) => What::Link(format!("{home}{}", &to[skel.len()..])),
                what => what,
            };
            self.tree.put(&join(at, &path[from.len() + 1..]), Node { owner, what, ..node })?;
        }
        Ok(())
    }
}

impl Useradd {
    fn check_defaults(&self, usual: &Defaults) -> Result<(), Wrong> {
        let is_no_date = usual.text("EXPIRE").is_none() && usual.text("INACTIVE").is_none_or(|it| it == "-1");
        if self.sort == Sort::Other && !is_no_date {
            return Err(Wrong::Untold("when an account ends, is not known here".to_owned()));
        }
        if self.sort == Sort::Other && usual.is_on("CREATE_MAIL_SPOOL") {
            return Err(Wrong::Untold("it would make a mailbox".to_owned()));
        }
        match usual.text("GROUPS") {
            Some(groups) => Err(Wrong::Untold(format!("whether it gets the groups `{groups}` depends on the version"))),
            None => Ok(()),
        }
    }

    fn number(&self, users: &Table, login: &Defaults) -> Result<u64, Wrong> {
        let taken = users.numbers();
        match self.uid {
            Some(uid) if taken.contains(&uid) && self.twice == Twice::Fails => {
                Err(Wrong::Fails(format!("the number {uid} is taken")))
            }
            Some(uid) => Ok(uid),
            None => numbers::free("UID", self.sort, None, &taken, login),
        }
    }

    /// The number of its own group, and whether that is to be made.
    fn own_group(&self, uid: u64, groups: &Table, login: &Defaults, usual: &Defaults) -> Result<(u64, bool), Wrong> {
        let makes_group = match &self.own {
            Own::Named(group) => {
                let (_, gid) = groups.find(group).ok_or_else(|| no_group(group))?;
                return Ok((gid, false));
            }
            Own::New => true,
            Own::AsSet => login.is_on("USERGROUPS_ENAB"),
            Own::Common => false,
        };
        if !makes_group {
            let usual = usual.text("GROUP").and_then(|group| groups.find(group));
            return Ok((usual.map_or(100, |(_, gid)| gid), false));
        }
        if groups.named(&self.name).is_some() {
            return Err(Wrong::Fails(format!("the group `{}` is there already", self.name)));
        }
        numbers::free("GID", self.sort, Some(uid), &groups.numbers(), login).map(|gid| (gid, true))
    }

    fn has_subordinates(&self, login: &Defaults) -> Result<bool, Wrong> {
        let people = login.number_or("UID_MIN", 1000)?..=login.number_or("UID_MAX", 60000)?;
        let is_one = self.sort == Sort::Other || self.subordinate == Subordinate::OfAll;
        Ok(is_one && self.uid.is_none_or(|uid| uid == 0 || people.contains(&uid)))
    }
}

/// Somebody who is in one file and not in another would have the line replaced.
fn check_missing(table: &Table, name: &str, is_new: bool) -> Result<(), Wrong> {
    match table.named(name).filter(|_| is_new) {
        Some(_) => Err(Wrong::Untold(format!("`{name}` is in `/{}` alone", table.file.path))),
        None => Ok(()),
    }
}

fn no_group(group: &str) -> Wrong {
    Wrong::Fails(format!("the image has no group `{group}`"))
}
