//! `useradd` and `groupadd` of shadow, as Debian packs them (src/useradd.c, src/groupadd.c): what they are asked.
//! Does not know the image, nor what they do to it.

#[cfg(test)]
mod checks;
mod defaults;
mod doing;
mod numbers;
mod table;

use serde::{Deserialize, Serialize};

use crate::docker::run::busybox::{Sort, account, field};
use crate::docker::run::options::{Given, Known};

/// What `-K` may say otherwise than `/etc/login.defs`.
const SETTINGS: &[&str] = &[
    "CREATE_HOME",
    "GID_MAX",
    "GID_MIN",
    "HOME_MODE",
    "PASS_MAX_DAYS",
    "PASS_MIN_DAYS",
    "PASS_WARN_AGE",
    "SUB_GID_COUNT",
    "SUB_GID_MAX",
    "SUB_GID_MIN",
    "SUB_UID_COUNT",
    "SUB_UID_MAX",
    "SUB_UID_MIN",
    "SYS_GID_MAX",
    "SYS_GID_MIN",
    "SYS_UID_MAX",
    "SYS_UID_MIN",
    "UID_MAX",
    "UID_MIN",
    "UMASK",
    "USERGROUPS_ENAB",
];

/// A new user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Useradd {
    name: String,
    uid: Option<u64>,
    twice: Twice,
    own: Own,
    /// The groups that it is a member of besides: names or numbers.
    groups: Vec<String>,
    sort: Sort,
    password: Option<String>,
    comment: String,
    shell: Option<String>,
    /// The directory, and where it lies if only that is said.
    home: Option<String>,
    homes: Option<String>,
    makes_home: Makes,
    skel: Option<String>,
    subordinate: Subordinate,
    logs: Logs,
    settings: Vec<(String, String)>,
}

/// A new group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Groupadd {
    name: String,
    gid: Option<u64>,
    twice: Twice,
    sort: Sort,
    password: Option<String>,
    settings: Vec<(String, String)>,
}

/// What becomes of a number or a name that is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Twice {
    /// It fails.
    Fails,
    /// The number is taken twice (`-o`).
    Shared,
    /// A group that is there is enough, and a number that is taken is not (`groupadd -f`).
    Avoided,
}

/// The group that a user has itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Own {
    /// This one, by name or number.
    Named(String),
    /// A new one of the same name.
    New,
    /// The one that all have.
    Common,
    /// As `USERGROUPS_ENAB` says.
    AsSet,
}

/// Whether a home directory is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Makes {
    Yes,
    No,
    /// As `CREATE_HOME` says.
    AsSet,
}

/// Which users get numbers that they may give to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Subordinate {
    OfPeople,
    OfAll,
}

/// Whether what is logged of a number is forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Logs {
    Kept,
    Reset,
}

impl Useradd {
    /// From what follows the name of the command.
    pub fn read(words: &[&str]) -> Result<Useradd, String> {
        let known = Known {
            short: "b:c:d:Fg:G:k:K:lmMNop:rs:u:U",
            long: &[
                ("base-dir", 'b'),
                ("comment", 'c'),
                ("home-dir", 'd'),
                ("home", 'd'),
                ("add-subids-for-system", 'F'),
                ("gid", 'g'),
                ("groups", 'G'),
                ("skel", 'k'),
                ("key", 'K'),
                ("no-log-init", 'l'),
                ("create-home", 'm'),
                ("no-create-home", 'M'),
                ("no-user-group", 'N'),
                ("non-unique", 'o'),
                ("password", 'p'),
                ("system", 'r'),
                ("shell", 's'),
                ("uid", 'u'),
                ("user-group", 'U'),
            ],
        };
        let given = known.read(words.iter().copied())?;
        conflicts(&given)?;
        let text = |option| given.value(option).map(field).transpose();
        let path = |option| given.value(option).map(directory).transpose();
        Ok(Useradd {
            name: only_name(&given)?,
            uid: given.value('u').map(number).transpose()?,
            twice: if given.has('o') { Twice::Shared } else { Twice::Fails },
            own: match given.value('g') {
                Some(group) => Own::Named(group.to_owned()),
                None if given.has('U') => Own::New,
                None if given.has('N') => Own::Common,
                None => Own::AsSet,
            },
            groups: groups(given.value('G').unwrap_or_default()),
            sort: sort(&given),
            password: text('p')?,
            comment: text('c')?.unwrap_or_default(),
            shell: text('s')?.map(shell).transpose()?,
            home: path('d')?,
            homes: path('b')?,
            makes_home: match (given.has('M'), given.has('m')) {
                (true, _) => Makes::No,
                (false, true) => Makes::Yes,
                (false, false) => Makes::AsSet,
            },
            skel: path('k')?,
            subordinate: if given.has('F') { Subordinate::OfAll } else { Subordinate::OfPeople },
            logs: if given.has('l') { Logs::Kept } else { Logs::Reset },
            settings: settings(&given)?,
        })
    }
}

impl Groupadd {
    /// From what follows the name of the command.
    pub fn read(words: &[&str]) -> Result<Groupadd, String> {
        let known = Known {
            short: "fg:K:op:r",
            long: &[
                ("force", 'f'),
                ("gid", 'g'),
                ("key", 'K'),
                ("non-unique", 'o'),
                ("password", 'p'),
                ("system", 'r'),
            ],
        };
        let given = known.read(words.iter().copied())?;
        if given.has('o') && !given.has('g') {
            return Err("`-o` is about a number, which `-g` gives".to_owned());
        }
        Ok(Groupadd {
            name: only_name(&given)?,
            gid: given.value('g').map(number).transpose()?,
            twice: match (given.has('o'), given.has('f')) {
                (true, true) => return Err("`-o` and `-f` together are not done here".to_owned()),
                (true, false) => Twice::Shared,
                (false, true) => Twice::Avoided,
                (false, false) => Twice::Fails,
            },
            sort: sort(&given),
            password: given.value('p').map(field).transpose()?,
            settings: settings(&given)?,
        })
    }
}

fn conflicts(given: &Given) -> Result<(), String> {
    let both = |one, other| given.has(one) && given.has(other);
    let conflict = [('U', 'g'), ('U', 'N'), ('m', 'M')].into_iter().find(|(one, other)| both(*one, *other));
    match conflict {
        Some((one, other)) => Err(format!("`-{one}` and `-{other}` exclude each other")),
        None if given.has('o') && !given.has('u') => Err("`-o` is about a number, which `-u` gives".to_owned()),
        None if given.has('k') && !given.has('m') => Err("`-k` is about a home, which `-m` makes".to_owned()),
        None => Ok(()),
    }
}

fn only_name(given: &Given) -> Result<String, String> {
    match given.operands.as_slice() {
        [name] => account(name),
        _ => Err("it is given more or less than one name".to_owned()),
    }
}

fn sort(given: &Given) -> Sort {
    if given.has('r') { Sort::System } else { Sort::Other }
}

fn groups(text: &str) -> Vec<String> {
    if text.is_empty() { Vec::new() } else { text.split(',').map(str::to_owned).collect() }
}

/// A number that is one for each of its versions. The last means that there is none.
fn number(text: &str) -> Result<u64, String> {
    let is_plain = text == "0" || !text.starts_with(['0', '+']);
    let number = text.parse::<u32>().ok().filter(|it| is_plain && *it != u32::MAX);
    number.map(u64::from).ok_or_else(|| format!("`{text}` is no number of an account"))
}

fn directory(text: &str) -> Result<String, String> {
    match text.starts_with('/') {
        true => field(text),
        false => Err(format!("`{text}` does not begin with a `/`")),
    }
}

fn shell(text: String) -> Result<String, String> {
    match text.is_empty() || text.starts_with(['/', '*']) {
        true => Ok(text),
        false => Err(format!("the shell `{text}` does not begin with a `/`")),
    }
}

fn settings(given: &Given) -> Result<Vec<(String, String)>, String> {
    let setting = |text: &str| match text.split_once('=') {
        Some((name, value)) if SETTINGS.contains(&name) => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("what `-K {text}` changes is not known here")),
    };
    given.values('K').map(setting).collect()
}
