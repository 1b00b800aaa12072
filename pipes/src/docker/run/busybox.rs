//! `adduser` and `addgroup` of busybox (loginutils/adduser.c, addgroup.c, libbb/update_passwd.c).
//! Does not know those of Debian, which are other programs.

use serde::{Deserialize, Serialize};

use crate::docker::run::Wrong;
use crate::docker::run::commands::{Kept, Reach};
use crate::docker::run::files::Running;
use crate::docker::run::options::Known;
use crate::docker::run::tools::Maker;
use crate::docker::run::tree::missing;
use crate::oci::rootfs::What;

/// The numbers that are given when none are asked for, as busybox and Alpine are built.
const SYSTEM: std::ops::RangeInclusive<u64> = 100..=999;
const OTHERS: std::ops::RangeInclusive<u64> = 1000..=60000;
/// Where homes lie.
const HOMES: &str = "/home";
const DAY: i64 = 24 * 60 * 60;

const PASSWD: &str = "etc/passwd";
const SHADOW: &str = "etc/shadow";
const GROUP: &str = "etc/group";
const GSHADOW: &str = "etc/gshadow";

/// A new user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adduser {
    name: String,
    uid: Option<u64>,
    /// A group that is there; else one of the same name is made.
    group: Option<String>,
    home: Option<String>,
    gecos: Option<String>,
    shell: Option<String>,
    sort: Sort,
    makes_home: bool,
}

/// A new group, or a member of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Addgroup {
    /// A group.
    New {
        /// Its name.
        name: String,
        /// Its number.
        gid: Option<u64>,
        /// Which numbers it may have.
        sort: Sort,
    },
    /// A user becomes a member.
    Member {
        /// Who.
        user: String,
        /// Of what.
        group: String,
    },
}

/// Which numbers are free to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    /// Those of the system.
    System,
    /// Those of people.
    Other,
}

impl Adduser {
    /// From what follows the name of the command.
    pub fn read(words: &[&str]) -> Result<Adduser, String> {
        let known = Known {
            short: "h:g:s:G:DSHu:",
            long: &[
                ("home", 'h'),
                ("gecos", 'g'),
                ("shell", 's'),
                ("ingroup", 'G'),
                ("disabled-password", 'D'),
                ("empty-password", 'D'),
                ("system", 'S'),
                ("no-create-home", 'H'),
                ("uid", 'u'),
            ],
        };
        let given = known.read(words.iter().copied())?;
        let [name] = given.operands.as_slice() else { return Err("it is given more or less than one name".to_owned()) };
        let sort = if given.has('S') { Sort::System } else { Sort::Other };
        if sort == Sort::Other && !given.has('D') {
            return Err("it asks for a password; `-D` leaves that".to_owned());
        }
        let text = |option| given.value(option).map(field).transpose();
        let (home, gecos, shell) = (text('h')?, text('g')?, text('s')?);
        Ok(Adduser {
            name: account(name)?,
            uid: given.value('u').map(number).transpose()?,
            group: given.value('G').map(account).transpose()?,
            home,
            gecos,
            shell,
            sort,
            makes_home: !given.has('H'),
        })
    }
}

impl Addgroup {
    /// From what follows the name of the command.
    pub fn read(words: &[&str]) -> Result<Addgroup, String> {
        let given = Known { short: "g:S", long: &[("gid", 'g'), ("system", 'S')] }.read(words.iter().copied())?;
        let gid = given.value('g').map(number).transpose()?;
        let sort = if given.has('S') { Sort::System } else { Sort::Other };
        match given.operands.as_slice() {
            [name] => Ok(Addgroup::New { name: account(name)?, gid, sort }),
            [user, group] if gid.is_none() => Ok(Addgroup::Member { user: account(user)?, group: account(group)? }),
            _ => Err("it is given no name, or too many".to_owned()),
        }
    }
}

/// A name that accounts may have.
pub fn account(name: &str) -> Result<String, String> {
    let is_good =
        |(at, char): (usize, char)| char.is_ascii_alphanumeric() || char == '_' || at > 0 && "-.".contains(char);
    let is_number = name.bytes().all(|it| it.is_ascii_digit());
    match !name.is_empty() && !is_number && name.len() < 32 && name.char_indices().all(is_good) {
        true => Ok(name.to_owned()),
        false => Err(format!("`{name}` is no name for an account")),
    }
}

/// A number that accounts may have.
pub fn number(text: &str) -> Result<u64, String> {
    let number = text.parse::<u64>().ok().filter(|it| OTHERS.end() >= it && !text.starts_with('+'));
    number.ok_or_else(|| format!("`{text}` is no number from 0 to {}", OTHERS.end()))
}

/// A text that may stand in a line of accounts.
pub fn field(text: &str) -> Result<String, String> {
    match text.contains([':', '\n']) {
        true => Err(format!("`{text}` has a `:` in it")),
        false => Ok(text.to_owned()),
    }
}

impl Running<'_, '_, '_> {
    pub(super) fn adduser(&mut self, new: &Adduser) -> Result<(), Wrong> {
        self.check_busybox()?;
        let users = Lines::of(&self.tree.read(PASSWD)?);
        let groups = Lines::of(&self.tree.read(GROUP)?);
        let group = new.group.clone().or_else(|| (new.sort == Sort::System).then(|| "nogroup".to_owned()));
        let shell = new.shell.clone().unwrap_or_else(|| match new.sort {
            Sort::System => "/bin/false".to_owned(),
            Sort::Other => self.default_shell(&users),
        });
        if users.named(&new.name).is_some() {
            return Err(Wrong::Fails(format!("the user `{}` is there already", new.name)));
        }
        let gid = match &group {
            Some(group) => Some(groups.number(group).ok_or_else(|| no_group(group))?),
            None => None,
        };
        let is_taken = |id: u64| users.has_number(id) || gid.is_none() && groups.has_number(id);
        let uid = free(new.uid, new.sort, is_taken)?;
        if gid.is_none() && groups.named(&new.name).is_some() {
            return Err(Wrong::Fails(format!("the group `{}` is there already", new.name)));
        }
        let gid = gid.unwrap_or(uid);
        let home = new.home.clone().unwrap_or_else(|| format!("{HOMES}/{}", new.name));
        let gecos = new.gecos.as_deref().unwrap_or("Linux User,,,");
        self.add_line(PASSWD, &new.name, &format!("x:{uid}:{gid}:{gecos}:{home}:{shell}"))?;
        self.add_line_if_there(SHADOW, &new.name, &format!("!:{}:0:99999:7:::", self.place.timestamp.div_euclid(DAY)))?;
        match &group {
            Some(group) => self.add_member(&new.name, group)?,
            None => self.new_group(&new.name, gid)?,
        }
        if new.makes_home { self.make_home(&home, (uid, gid)) } else { Ok(()) }
    }

    pub(super) fn addgroup(&mut self, new: &Addgroup) -> Result<(), Wrong> {
        self.check_busybox()?;
        let groups = Lines::of(&self.tree.read(GROUP)?);
        match new {
            Addgroup::New { name, .. } if groups.named(name).is_some() => {
                Err(Wrong::Fails(format!("the group `{name}` is there already")))
            }
            Addgroup::New { name, gid, sort } => {
                let gid = free(*gid, *sort, |id| groups.has_number(id))?;
                self.new_group(name, gid)
            }
            Addgroup::Member { user, group } => {
                let users = Lines::of(&self.tree.read(PASSWD)?);
                users.named(user).ok_or_else(|| Wrong::Fails(format!("the image has no user `{user}`")))?;
                groups.named(group).ok_or_else(|| no_group(group))?;
                self.add_member(user, group)
            }
        }
    }

    fn check_busybox(&self) -> Result<(), Wrong> {
        match self.maker {
            Maker::Busybox => Ok(()),
            Maker::Debian | Maker::Shadow | Maker::Shell | Maker::Alpine => {
                Err(Wrong::Untold("it is not busybox's".to_owned()))
            }
        }
    }

    /// That of the environment, and else root's.
    fn default_shell(&self, users: &Lines) -> String {
        let of_env = self.place.env.iter().find(|(name, value)| name == "SHELL" && !value.is_empty());
        let of_root =
            || users.0.iter().map(|line| line.split(':').collect::<Vec<_>>()).find(|it| it.get(2) == Some(&"0"));
        let shell = of_env.map(|(_, value)| value.clone());
        let shell = shell.or_else(|| of_root().and_then(|it| it.get(6).map(|it| (*it).to_owned())));
        shell.filter(|it| !it.is_empty()).unwrap_or_else(|| "/bin/sh".to_owned())
    }

    fn new_group(&mut self, name: &str, gid: u64) -> Result<(), Wrong> {
        self.add_line(GROUP, name, &format!("x:{gid}:"))?;
        self.add_line_if_there(GSHADOW, name, "!::")
    }

    fn add_member(&mut self, user: &str, group: &str) -> Result<(), Wrong> {
        let groups = Lines::of(&self.tree.read(GROUP)?);
        let members = groups.named(group).and_then(|line| line.rsplit(':').next()).unwrap_or_default();
        if members.split(',').any(|it| it == user) {
            return Ok(());
        }
        let with_member = |line: String| match line.split(':').next() == Some(group) {
            true => format!("{line}{}{user}", if line.ends_with(':') { "" } else { "," }),
            false => line,
        };
        for file in [GROUP, GSHADOW] {
            if self.tree.node(file).is_some() {
                let lines = Lines::of(&self.tree.read(file)?);
                self.rewrite(file, lines.0.into_iter().map(with_member).collect())?;
            }
        }
        Ok(())
    }

    fn add_line_if_there(&mut self, file: &str, name: &str, rest: &str) -> Result<(), Wrong> {
        match self.tree.node(file) {
            Some(_) => self.add_line(file, name, rest),
            None => Ok(()),
        }
    }

    /// A line of the same name is replaced, at the end.
    fn add_line(&mut self, file: &str, name: &str, rest: &str) -> Result<(), Wrong> {
        let mut lines = Lines::of(&self.tree.read(file)?);
        lines.0.retain(|line| line.split(':').next() != Some(name));
        lines.0.push(format!("{name}:{rest}"));
        self.rewrite(file, lines.0)
    }

    /// A file is written beside, the old one kept with a `-` behind its name.
    fn rewrite(&mut self, file: &str, lines: Vec<String>) -> Result<(), Wrong> {
        let old = self.tree.node(file).cloned().ok_or_else(|| missing(file))?;
        if let What::Link(_) | What::Directory | What::Special = old.what {
            return Err(Wrong::Untold(format!("`/{file}` is no file")));
        }
        self.tree.check_whole(file, &old)?;
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        if file == PASSWD || file == GROUP {
            self.accounts.note(file, text.as_bytes());
        }
        self.tree.put_account_file(&format!("{file}-"), old.clone());
        self.tree.write(file, &crate::oci::rootfs::Node { mode: old.mode & 0o777, ..old }, text);
        Ok(())
    }

    /// A directory that is there becomes the user's as well; what lies in it does not.
    fn make_home(&mut self, home: &str, owner: (u64, u64)) -> Result<(), Wrong> {
        let at = match self.tree.locate(home) {
            // It says so, and goes on.
            Err(Wrong::Fails(_)) => return Ok(()),
            at => at?,
        };
        match self.tree.node(&at).map(|it| it.what.clone()) {
            None => {
                self.tree.make(&at, 0o755, What::Directory)?;
                if self.tree.is_directory("etc/skel") {
                    self.fill_home(&at)?;
                }
                for path in self.tree.below(&at).into_iter().chain([at.clone()]) {
                    let mode = self.tree.node(&path).map_or(0, |it| it.mode);
                    self.tree.change(&path, mode, owner)?;
                }
            }
            Some(What::Directory) => {}
            Some(_) => return Err(Wrong::Untold(format!("`/{at}` is no directory"))),
        }
        self.tree.change(&at, 0o2755, owner)
    }

    fn fill_home(&mut self, home: &str) -> Result<(), Wrong> {
        let names: Vec<String> = self.tree.below("etc/skel").into_iter().collect();
        let tops = names.iter().filter(|path| path.matches('/').count() == 2);
        let tops: Vec<String> = tops.map(|path| format!("/{path}")).collect();
        let copy = super::commands::Does::Copy {
            from: tops,
            to: format!("/{home}"),
            reach: Reach::Below,
            kept: Kept::Content,
        };
        if names.is_empty() { Ok(()) } else { self.run(&copy) }
    }
}

/// The lines of a file of accounts.
struct Lines(Vec<String>);

impl Lines {
    fn of(text: &str) -> Lines {
        Lines(text.lines().map(str::to_owned).collect())
    }

    fn named(&self, name: &str) -> Option<&str> {
        self.0.iter().map(String::as_str).find(|line| line.split(':').next() == Some(name))
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.named(name)?.split(':').nth(2)?.parse().ok()
    }

    fn has_number(&self, number: u64) -> bool {
        self.0.iter().any(|line| line.split(':').nth(2).and_then(|it| it.parse().ok()) == Some(number))
    }
}

/// The number that is asked for, if it is free, and else the first that is.
fn free(asked: Option<u64>, sort: Sort, is_taken: impl Fn(u64) -> bool) -> Result<u64, Wrong> {
    match asked {
        Some(id) if is_taken(id) => Err(Wrong::Fails(format!("the number {id} is taken"))),
        Some(id) => Ok(id),
        None => {
            let mut ids = if sort == Sort::System { SYSTEM } else { OTHERS };
            ids.find(|id| !is_taken(*id)).ok_or_else(|| Wrong::Fails("no number is left".to_owned()))
        }
    }
}

fn no_group(group: &str) -> Wrong {
    Wrong::Fails(format!("the image has no group `{group}`"))
}
