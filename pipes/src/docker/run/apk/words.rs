//! `apk` and its options, from words to what is asked.
//! Does not know the image.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::apk::dependency::Dependency;
use crate::apk::transaction::Request;
use crate::docker::run::options::{Given, Known};

/// What is asked of apk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Apk {
    /// `apk add`
    Add { words: Vec<String>, group: Option<String>, index: Index },
    /// `apk del`
    Delete { names: Vec<String>, changed: Changed },
    /// `apk update`
    Update { index: Index },
}

/// What becomes of the index of a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Index {
    /// It is forgotten: `--no-cache`.
    Forgotten,
    /// It is kept below `/var/cache/apk`, for some hours.
    Kept,
    /// The same, and it is asked for anew.
    Renewed,
}

/// What becomes of files below `/etc` that are others than those of the package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Changed {
    /// They stay.
    Kept,
    /// They go: `--purge`.
    Removed,
}

const KNOWN: Known = Known {
    short: "qvUt:",
    long: &[
        ("quiet", 'q'),
        ("verbose", 'v'),
        ("no-progress", 'q'),
        ("no-interactive", 'q'),
        ("no-cache", 'n'),
        ("update-cache", 'U'),
        ("update", 'U'),
        ("virtual", 't'),
        ("purge", 'p'),
    ],
};

impl Apk {
    /// From what follows the name of the command.
    pub fn read(words: &[&str]) -> Result<Apk, String> {
        let given = KNOWN.read(words.iter().copied())?;
        let Some((applet, rest)) = given.operands.split_first() else {
            return Err("it is not told what to do".to_owned());
        };
        let rest: Vec<String> = rest.iter().filter(|it| !it.is_empty()).cloned().collect();
        let only = |options: &str| match ['t', 'p'].iter().find(|it| given.has(**it) && !options.contains(**it)) {
            Some(option) => Err(format!("`-{option}` is nothing for `{applet}`")),
            None => Ok(()),
        };
        match applet.as_str() {
            "add" => {
                only("t")?;
                rest.iter().try_for_each(|it| Dependency::parse(it).map(drop))?;
                let group = given.value('t').map(|it| Dependency::parse(it).map(|_| it.to_owned())).transpose()?;
                Ok(Apk::Add { words: rest, group, index: index(&given) })
            }
            "del" => {
                only("p")?;
                rest.iter().try_for_each(|it| Dependency::parse(it).map(drop))?;
                let changed = if given.has('p') { Changed::Removed } else { Changed::Kept };
                Ok(Apk::Delete { names: rest, changed })
            }
            "update" if rest.is_empty() => {
                only("")?;
                let index = if index(&given) == Index::Forgotten { Index::Forgotten } else { Index::Renewed };
                Ok(Apk::Update { index })
            }
            "upgrade" => Err("`apk upgrade` makes another base of the base; take a newer one".to_owned()),
            other => Err(format!("what `apk {other}` does is not known here")),
        }
    }

    /// What it makes of the database.
    pub fn request(&self) -> Option<Request> {
        let parse = |word: &String| Dependency::parse(word).ok();
        match self {
            Apk::Add { words, group, .. } => Some(Request::Add {
                wanted: words.iter().filter_map(parse).collect(),
                group: group.as_ref().and_then(parse),
            }),
            Apk::Delete { names, .. } => Some(Request::Delete(names.clone())),
            Apk::Update { .. } => None,
        }
    }

    /// Whether it asks repositories.
    pub fn needs_index(&self) -> bool {
        !matches!(self, Apk::Delete { .. })
    }
}

/// As one would write it.
impl fmt::Display for Apk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Apk::Add { words, .. } => write!(f, "apk add {}", words.join(" ")),
            Apk::Delete { names, .. } => write!(f, "apk del {}", names.join(" ")),
            Apk::Update { .. } => write!(f, "apk update"),
        }
    }
}

fn index(given: &Given) -> Index {
    match (given.has('n'), given.has('U')) {
        (true, _) => Index::Forgotten,
        (false, true) => Index::Renewed,
        (false, false) => Index::Kept,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expect: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        let actual = Apk::read(&words).map_or_else(|message| message, |it| format!("{it:?}"));
        assert_eq!(actual, expect, "of {line}");
    }

    #[test]
    fn what_is_asked() {
        check("add --no-cache git", r#"Add { words: ["git"], group: None, index: Forgotten }"#);
        check("--no-cache add git=>2.38", r#"Add { words: ["git=>2.38"], group: None, index: Forgotten }"#);
        check("add -U -t .deps gcc", r#"Add { words: ["gcc"], group: Some(".deps"), index: Renewed }"#);
        check("add --update --virtual=.deps gcc", r#"Add { words: ["gcc"], group: Some(".deps"), index: Renewed }"#);
        check("update", "Update { index: Renewed }");
        check("update --no-cache", "Update { index: Forgotten }");
        check("del --purge .deps", r#"Delete { names: [".deps"], changed: Removed }"#);
    }

    #[test]
    fn what_is_not_done() {
        check("add --allow-untrusted /x.apk", "what `--allow-untrusted` does is not known here");
        check("add -X http://x y", "what `-X` does is not known here");
        check("add /x.apk", "`/x.apk` names no package");
        check("add x@edge", "`x@edge` asks for a repository by its tag");
        check("upgrade", "`apk upgrade` makes another base of the base; take a newer one");
        check("info", "what `apk info` does is not known here");
        check("del -t x y", "`-t` is nothing for `del`");
        check("--no-cache", "it is not told what to do");
    }
}
