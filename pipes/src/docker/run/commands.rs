//! Commands and their options, from words to what they do. All that programs of one name do not agree on is refused.
//! Does not know the image.

use std::borrow::Cow;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::docker::run::apk::Apk;
use crate::docker::run::busybox::{Addgroup, Adduser};
use crate::docker::run::line::{Simple, Word, Written};
use crate::docker::run::mode::Mode;
use crate::docker::run::options::{Given, Known};
use crate::docker::run::shadow::{Groupadd, Useradd};
use crate::docker::run::tree::Tree;
use crate::docker::run::{Wrong, printing, wildcards};
use crate::docker::words::Mistake;

/// A command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Command {
    /// As users know it.
    pub text: String,
    /// What it is called by.
    pub program: String,
    /// What it does, where no file is what a wildcard says.
    pub does: Does,
    /// Its words, where there is a wildcard in one.
    words: Vec<Argument>,
}

/// A word of a command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Argument {
    text: String,
    pattern: Option<String>,
}

/// What a command does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Does {
    /// `true`, or `set`, which decides what becomes of failures.
    Nothing,
    /// `echo` or `printf`, to a file.
    Print { text: String, to: String, written: Written },
    /// `mkdir`
    MakeDirectory { paths: Vec<String>, above: Above, mode: Option<Mode> },
    /// `chmod`
    ChangeMode { paths: Vec<String>, reach: Reach, mode: Mode },
    /// `chown`
    ChangeOwner { paths: Vec<String>, reach: Reach, owner: Owner },
    /// `ln -s`
    Link { to: Vec<String>, at: Option<String>, there: There, links: Links },
    /// `cp`
    Copy { from: Vec<String>, to: String, reach: Reach, kept: Kept },
    /// `mv`
    Move { from: Vec<String>, to: String },
    /// `rm`
    Remove { paths: Vec<String>, reach: Reach, missing: Missing },
    /// `touch`
    Touch { paths: Vec<String> },
    /// `adduser` of busybox.
    Adduser(Adduser),
    /// `addgroup` of busybox.
    Addgroup(Addgroup),
    /// `useradd` of shadow.
    Useradd(Box<Useradd>),
    /// `groupadd` of shadow.
    Groupadd(Groupadd),
    /// `apk`, of Alpine.
    Apk(Apk),
}

/// What becomes of directories above one that is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Above {
    /// They must be there.
    Required,
    /// They are made, and all of them may be there.
    Made,
}

/// How far it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// What is named.
    Named,
    /// And all that lies in it.
    Below,
}

/// What becomes of something that is in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum There {
    /// It stays.
    Kept,
    /// It is replaced.
    Replaced,
}

/// Whether a link to a directory stands for the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Links {
    /// It does.
    Followed,
    /// It is itself.
    Themselves,
}

/// What a copy has of what it is copied from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// Content.
    Content,
    /// And owner, group and permissions.
    Owner,
    /// And links are copied as links, wherever they are named.
    All,
}

/// Whether something may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// It may.
    Ignored,
    /// It may not.
    Fails,
}

/// Who something is to belong to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// A name or a number; else the user stays.
    pub user: Option<String>,
    /// The group.
    pub group: Group,
}

/// Which group something is to belong to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// The one that it belongs to.
    Same,
    /// That of the user.
    OfUser,
    /// A name or a number.
    Named(String),
}

impl Command {
    /// From its words; one at least.
    pub fn read(simple: &Simple) -> Result<Command, Mistake> {
        let words = &simple.words;
        let (Some(first), Some(last)) = (words.first(), words.last()) else {
            return Err(mistake(0..0, "a command is missing"));
        };
        let whole = first.bytes.start..last.bytes.end;
        let texts: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
        let program = first.text.as_str();
        if reader(program).is_none() && printer(program).is_none() || first.pattern.is_some() {
            let message = format!("`{program}` needs an engine that runs programs");
            return Err(mistake(first.bytes.clone(), &message));
        }
        let does = match &simple.output {
            Some((written, to)) => print(&texts, &to.text, *written),
            None => does(&texts),
        };
        let does = does.map_err(|message| mistake(whole.clone(), &format!("`{program}`: {message}")))?;
        let argument = |word: &Word| Argument { text: word.text.clone(), pattern: word.pattern.clone() };
        let is_wild = words.iter().any(|word| word.pattern.is_some());
        if is_wild && simple.output.is_some() {
            return Err(mistake(whole, "a wildcard in what is printed needs a shell"));
        }
        let words = if is_wild { words.iter().map(argument).collect() } else { Vec::new() };
        let sign = |written| if written == Written::Anew { ">" } else { ">>" };
        let output = simple.output.as_ref().map(|(written, to)| format!(" {} {}", sign(*written), to.text));
        let text = texts.join(" ") + &output.unwrap_or_default();
        Ok(Command { text, program: program.to_owned(), does, words })
    }

    /// What it does, where the files that its wildcards mean lie in this tree.
    pub(super) fn with_files(&self, tree: &Tree<'_, '_>) -> Result<Cow<'_, Does>, Wrong> {
        if self.words.is_empty() {
            return Ok(Cow::Borrowed(&self.does));
        }
        let mut words = Vec::new();
        for Argument { text, pattern } in &self.words {
            let found = pattern.as_ref().map_or(Ok(Vec::new()), |pattern| wildcards::expand(tree, pattern))?;
            words.extend(if found.is_empty() { vec![text.clone()] } else { found });
        }
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        does(&words).map(Cow::Owned).map_err(Wrong::Fails)
    }
}

fn does(words: &[&str]) -> Result<Does, String> {
    let Some((program, rest)) = words.split_first() else { return Err("a command is missing".to_owned()) };
    match reader(program) {
        Some(read) => read(rest),
        // Nobody reads what is printed.
        None => print(words, "/dev/null", Written::Anew).map(|_| Does::Nothing),
    }
}

fn print(words: &[&str], to: &str, written: Written) -> Result<Does, String> {
    let Some((program, rest)) = words.split_first() else { return Err("a command is missing".to_owned()) };
    match printer(program) {
        Some(print) => Ok(Does::Print { text: print(rest)?, to: to.to_owned(), written }),
        None => Err("what it prints to a file is not known here".to_owned()),
    }
}

fn mistake(bytes: Range<usize>, message: &str) -> Mistake {
    Mistake { bytes, message: message.to_owned(), help: None }
}

type Read = fn(&[&str]) -> Result<Does, String>;

fn reader(program: &str) -> Option<Read> {
    Some(match program {
        "true" | ":" => |_| Ok(Does::Nothing),
        "set" => set,
        "mkdir" => mkdir,
        "chmod" => chmod,
        "chown" => chown,
        "ln" => ln,
        "cp" => cp,
        "mv" => mv,
        "rm" => rm,
        "touch" => touch,
        "adduser" => |words| Adduser::read(words).map(Does::Adduser),
        "addgroup" => |words| Addgroup::read(words).map(Does::Addgroup),
        "useradd" => |words| Useradd::read(words).map(Box::new).map(Does::Useradd),
        "groupadd" => |words| Groupadd::read(words).map(Does::Groupadd),
        "apk" => |words| Apk::read(words).map(Does::Apk),
        _ => return None,
    })
}

type Print = fn(&[&str]) -> Result<String, String>;

/// A command that does nothing but print.
fn printer(program: &str) -> Option<Print> {
    match program {
        "echo" => Some(printing::echo),
        "printf" => Some(printing::printf),
        _ => None,
    }
}

/// Options of the shell; but for `-e`, which is how it is done anyway, they change what is said, not what is done.
fn set(words: &[&str]) -> Result<Does, String> {
    let is_known = |word: &&&str| {
        word.strip_prefix('-').is_some_and(|it| !it.is_empty() && it.chars().all(|it| "eux".contains(it)))
    };
    match words.iter().find(|word| !is_known(word)) {
        Some(word) => Err(format!("what `{word}` changes is not known here")),
        None if words.is_empty() => Err("it is given nothing".to_owned()),
        None => Ok(Does::Nothing),
    }
}

fn mkdir(words: &[&str]) -> Result<Does, String> {
    let known = Known { short: "pm:v", long: &[("parents", 'p'), ("mode", 'm'), ("verbose", 'v')] };
    let given = known.read(words.iter().copied())?;
    let above = if given.has('p') { Above::Made } else { Above::Required };
    let mode = given.value('m').map(Mode::parse).transpose()?;
    if let Some(Mode::Clauses(_)) = mode {
        return Err("its mode is not in octal".to_owned());
    }
    Ok(Does::MakeDirectory { paths: some(given.operands)?, above, mode })
}

fn chmod(words: &[&str]) -> Result<Does, String> {
    let known = Known { short: "Rv", long: &[("recursive", 'R'), ("verbose", 'v')] };
    let given = known.read(words.iter().copied())?;
    let reach = reach(&given, 'R');
    let (mode, paths) = first(given.operands)?;
    Ok(Does::ChangeMode { paths, reach, mode: Mode::parse(&mode)? })
}

fn chown(words: &[&str]) -> Result<Does, String> {
    let known = Known { short: "Rv", long: &[("recursive", 'R'), ("verbose", 'v')] };
    let given = known.read(words.iter().copied())?;
    let reach = reach(&given, 'R');
    let (owner, paths) = first(given.operands)?;
    Ok(Does::ChangeOwner { paths, reach, owner: Owner::parse(&owner)? })
}

impl Owner {
    fn parse(text: &str) -> Result<Owner, String> {
        let (user, group) = match text.split_once(':') {
            None => (text, Group::Same),
            Some((user, "")) => (user, Group::OfUser),
            Some((user, group)) => (user, Group::Named(group.to_owned())),
        };
        let is_known =
            |it: &str| !it.is_empty() && it.chars().all(|it| it.is_ascii_alphanumeric() || "_-".contains(it));
        let is_group = match &group {
            Group::Named(group) => is_known(group),
            Group::OfUser => !user.is_empty() && !user.starts_with(|it: char| it.is_ascii_digit()),
            Group::Same => true,
        };
        let is_user = is_known(user) || user.is_empty() && matches!(group, Group::Named(_));
        match is_user && is_group {
            true => Ok(Owner { user: Some(user.to_owned()).filter(|it| !it.is_empty()), group }),
            false => Err(format!("who `{text}` is, is not known here")),
        }
    }
}

fn ln(words: &[&str]) -> Result<Does, String> {
    let known =
        Known { short: "sfnv", long: &[("symbolic", 's'), ("force", 'f'), ("no-dereference", 'n'), ("verbose", 'v')] };
    let given = known.read(words.iter().copied())?;
    if !given.has('s') {
        return Err("a second name of a file is not made here, only a link by `-s`".to_owned());
    }
    let there = if given.has('f') { There::Replaced } else { There::Kept };
    let links = if given.has('n') { Links::Themselves } else { Links::Followed };
    let mut to = some(given.operands)?;
    let at = if to.len() > 1 { to.pop() } else { None };
    match to.iter().any(String::is_empty) {
        true => Err("a link leads nowhere".to_owned()),
        false => Ok(Does::Link { to, at, there, links }),
    }
}

fn cp(words: &[&str]) -> Result<Does, String> {
    let known =
        Known { short: "rRapfvd", long: &[("recursive", 'r'), ("archive", 'a'), ("force", 'f'), ("verbose", 'v')] };
    let given = known.read(words.iter().copied())?;
    let is_deep = ['r', 'R', 'a'].iter().any(|it| given.has(*it));
    let kept = match (given.has('a'), given.has('d'), given.has('p')) {
        (true, _, _) | (_, true, true) => Kept::All,
        (false, false, true) => Kept::Owner,
        (false, false, false) => Kept::Content,
        (false, true, false) => return Err("`-d` without `-p` is not done here".to_owned()),
    };
    let (from, to) = last(given.operands)?;
    Ok(Does::Copy { from, to, reach: if is_deep { Reach::Below } else { Reach::Named }, kept })
}

fn mv(words: &[&str]) -> Result<Does, String> {
    let known = Known { short: "fv", long: &[("force", 'f'), ("verbose", 'v')] };
    let (from, to) = last(known.read(words.iter().copied())?.operands)?;
    Ok(Does::Move { from, to })
}

fn rm(words: &[&str]) -> Result<Does, String> {
    let known = Known { short: "rRfv", long: &[("recursive", 'r'), ("force", 'f'), ("verbose", 'v')] };
    let given = known.read(words.iter().copied())?;
    let reach = if given.has('r') { Reach::Below } else { reach(&given, 'R') };
    let missing = if given.has('f') { Missing::Ignored } else { Missing::Fails };
    Ok(Does::Remove { paths: some(given.operands)?, reach, missing })
}

fn touch(words: &[&str]) -> Result<Does, String> {
    let given = Known { short: "", long: &[] }.read(words.iter().copied())?;
    Ok(Does::Touch { paths: some(given.operands)? })
}

fn reach(given: &Given, option: char) -> Reach {
    if given.has(option) { Reach::Below } else { Reach::Named }
}

fn some(operands: Vec<String>) -> Result<Vec<String>, String> {
    match operands.iter().any(String::is_empty) {
        true => Err("a path is empty".to_owned()),
        false if operands.is_empty() => Err("it is given nothing".to_owned()),
        false => Ok(operands),
    }
}

fn first(operands: Vec<String>) -> Result<(String, Vec<String>), String> {
    let mut operands = some(operands)?;
    let first = operands.remove(0);
    Ok((first, some(operands)?))
}

fn last(operands: Vec<String>) -> Result<(Vec<String>, String), String> {
    let mut operands = some(operands)?;
    let last = operands.pop().unwrap_or_default();
    Ok((some(operands)?, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expect: &str) {
        let word = |it: &str| Word { text: it.to_owned(), pattern: None, bytes: 0..line.len() };
        let (words, output) = match line.split_once(" > ") {
            Some((words, to)) => (words, Some((Written::Anew, word(to)))),
            None => (line, None),
        };
        let actual = match Command::read(&Simple { words: words.split(' ').map(word).collect(), output }) {
            Ok(command) => format!("{:?}", command.does),
            Err(mistake) => mistake.message,
        };
        assert_eq!(actual, expect, "of {line}");
    }

    #[test]
    fn what_commands_do() {
        check("mkdir -p /a", r#"MakeDirectory { paths: ["/a"], above: Made, mode: None }"#);
        check("mkdir -m 0700 a", r#"MakeDirectory { paths: ["a"], above: Required, mode: Some(Exact(448)) }"#);
        check(
            "chown -R app: /a",
            r#"ChangeOwner { paths: ["/a"], reach: Below, owner: Owner { user: Some("app"), group: OfUser } }"#,
        );
        check(
            "chown :5 /a",
            r#"ChangeOwner { paths: ["/a"], reach: Named, owner: Owner { user: None, group: Named("5") } }"#,
        );
        check("ln -sf a b", r#"Link { to: ["a"], at: Some("b"), there: Replaced, links: Followed }"#);
        check("ln -s a", r#"Link { to: ["a"], at: None, there: Kept, links: Followed }"#);
        check("cp -a a b c", r#"Copy { from: ["a", "b"], to: "c", reach: Below, kept: All }"#);
        check("cp -rf a b", r#"Copy { from: ["a"], to: "b", reach: Below, kept: Content }"#);
        check("rm -rf a", r#"Remove { paths: ["a"], reach: Below, missing: Ignored }"#);
        check("mv a b", r#"Move { from: ["a"], to: "b" }"#);
        check("touch a", r#"Touch { paths: ["a"] }"#);
        check("echo a b > c", r#"Print { text: "a b\n", to: "c", written: Anew }"#);
        check("echo a", "Nothing");
        check("set -eux", "Nothing");
        check(
            "groupadd --system -g 5 us",
            r#"Groupadd(Groupadd { name: "us", gid: Some(5), twice: Fails, sort: System, password: None, settings: [] })"#,
        );
    }

    #[test]
    fn what_is_not_done() {
        check("apt-get update", "`apt-get` needs an engine that runs programs");
        check("X=1 mkdir /a", "`X=1` needs an engine that runs programs");
        check("/bin/mkdir /a", "`/bin/mkdir` needs an engine that runs programs");
        check("mkdir -m u+x a", "`mkdir`: its mode is not in octal");
        check("mkdir -Z a", "`mkdir`: what `-Z` does is not known here");
        check("mkdir -p", "`mkdir`: it is given nothing");
        check("chmod -x a", "`chmod`: what `-x` does is not known here");
        check("chmod 755", "`chmod`: it is given nothing");
        check("chown a.b /x", "`chown`: who `a.b` is, is not known here");
        check("chown 5: /x", "`chown`: who `5:` is, is not known here");
        check("chown : /x", "`chown`: who `:` is, is not known here");
        check("chown -h a /x", "`chown`: what `-h` does is not known here");
        check("ln a b", "`ln`: a second name of a file is not made here, only a link by `-s`");
        check("cp a", "`cp`: it is given nothing");
        check("cp -d a b", "`cp`: `-d` without `-p` is not done here");
        check("set -o pipefail", "`set`: what `-o` changes is not known here");
        check("mkdir a > b", "`mkdir`: what it prints to a file is not known here");
        check("touch -d 1 a", "`touch`: what `-d` does is not known here");
        check("useradd -U -g us me", "`useradd`: `-U` and `-g` exclude each other");
        check("useradd -e 1 me", "`useradd`: what `-e` does is not known here");
        check("useradd -u 010 me", "`useradd`: `010` is no number of an account");
        check("useradd -d home me", "`useradd`: `home` does not begin with a `/`");
        check("useradd -K MAIL_DIR=/x me", "`useradd`: what `-K MAIL_DIR=/x` changes is not known here");
        check("groupadd -o us", "`groupadd`: `-o` is about a number, which `-g` gives");
        check("groupadd", "`groupadd`: it is given more or less than one name");
    }
}
