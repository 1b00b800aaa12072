//! What a package asks of others, and what it provides: `so:libc.musl-x86_64.so.1`, `git>2.38`, `!openssl<3`.
//! Does not know which packages there are.

use std::cmp::Ordering;
use std::fmt;

use crate::apk::version;

/// A name, and which versions of it are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// Of a package, or of what packages provide.
    pub name: String,
    /// Which versions; none for all.
    pub version: Option<Range>,
    /// Whether it must be there, or must not.
    pub wanted: Wanted,
}

/// Which versions are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// How they compare.
    pub operator: Operator,
    /// To what.
    pub version: String,
}

/// How a version compares to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    Less,
    LessOrEqual,
    Equal,
    GreaterOrEqual,
    Greater,
    /// It begins so.
    Begins,
}

/// Whether something must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    Yes,
    /// `!name`
    Never,
}

impl Dependency {
    /// From one word; a phrase where it is none, or one that is not done here.
    pub fn parse(word: &str) -> Result<Dependency, String> {
        let (wanted, rest) = match word.strip_prefix('!') {
            Some(rest) => (Wanted::Never, rest),
            None => (Wanted::Yes, word),
        };
        let (name, rest) = rest.split_at(rest.find(['<', '>', '=', '~']).unwrap_or(rest.len()));
        if name.contains('@') {
            return Err(format!("`{word}` asks for a repository by its tag"));
        }
        if name.is_empty() || name.contains(['/', '*', '?']) {
            return Err(format!("`{word}` names no package"));
        }
        let version = if rest.is_empty() { None } else { Some(Range::parse(rest, word)?) };
        Ok(Dependency { name: name.to_owned(), version, wanted })
    }

    /// From words with blanks between them.
    pub fn list(text: &str) -> Result<Vec<Dependency>, String> {
        text.split_ascii_whitespace().map(Dependency::parse).collect()
    }

    /// Whether this version of the name is one that is meant; what is provided without a version is none, where one is asked for.
    pub fn matches(&self, version: Option<&str>) -> bool {
        match (&self.version, version) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(range), Some(version)) => range.has(version),
        }
    }

    /// Whether what is there under the name, in this version, is as it should be.
    pub fn allows(&self, version: Option<&str>) -> bool {
        self.matches(version) == (self.wanted == Wanted::Yes)
    }
}

impl Range {
    fn parse(text: &str, word: &str) -> Result<Range, String> {
        let (operator, version) = text.split_at(text.find(|it| !"<>=~".contains(it)).unwrap_or(text.len()));
        let has = |char| operator.contains(char);
        let operator = match (has('<'), has('='), has('>'), has('~')) {
            (true, false, false, false) => Operator::Less,
            (true, true, false, false) => Operator::LessOrEqual,
            (false, true, false, false) => Operator::Equal,
            (false, true, true, false) => Operator::GreaterOrEqual,
            (false, false, true, false) => Operator::Greater,
            (false, _, false, true) => Operator::Begins,
            _ => return Err(format!("what `{operator}` asks in `{word}` is not known here")),
        };
        match version::is_valid(version) && !version.is_empty() {
            true => Ok(Range { operator, version: version.to_owned() }),
            false => Err(format!("`{version}` in `{word}` is no version")),
        }
    }

    fn has(&self, version: &str) -> bool {
        let order = version::compare(version, &self.version);
        match self.operator {
            Operator::Less => order == Ordering::Less,
            Operator::LessOrEqual => order != Ordering::Greater,
            Operator::Equal => order == Ordering::Equal,
            Operator::GreaterOrEqual => order != Ordering::Less,
            Operator::Greater => order == Ordering::Greater,
            Operator::Begins => version::begins(version, &self.version),
        }
    }
}

/// As apk writes it.
impl fmt::Display for Dependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.wanted == Wanted::Never { "!" } else { "" };
        write!(f, "{mark}{}", self.name)?;
        let Some(Range { operator, version }) = &self.version else { return Ok(()) };
        let operator = match operator {
            Operator::Less => "<",
            Operator::LessOrEqual => "<=",
            Operator::Equal => "=",
            Operator::GreaterOrEqual => ">=",
            Operator::Greater => ">",
            Operator::Begins => "~",
        };
        write!(f, "{operator}{version}")
    }
}

/// Words with blanks between them.
pub fn joined(all: &[Dependency]) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(word: &str, expect: &str) {
        let actual = Dependency::parse(word).map_or_else(|message| message, |it| it.to_string());
        assert_eq!(actual, expect, "of {word}");
    }

    #[test]
    fn words() {
        check("git", "git");
        check("git=>2.38", "git>=2.38");
        check("openssh=~9.3", "openssh~9.3");
        check("openssh~=9.3", "openssh~9.3");
        check("!x<1", "!x<1");
        check("so:libc.musl-x86_64.so.1", "so:libc.musl-x86_64.so.1");
        check("git@edge", "`git@edge` asks for a repository by its tag");
        check("git=xy", "`xy` in `git=xy` is no version");
        check("git=", "`` in `git=` is no version");
        check("git><Q1abc=", "what `><` asks in `git><Q1abc=` is not known here");
        check("=1", "`=1` names no package");
        check("/tmp/x.apk", "`/tmp/x.apk` names no package");
    }

    #[test]
    fn versions() {
        let check = |word: &str, version: Option<&str>, expect: bool| {
            assert_eq!(Dependency::parse(word).unwrap().allows(version), expect, "of {word} and {version:?}");
        };
        check("x", None, true);
        check("!x", None, false);
        check("x>1", None, false);
        check("!x>1", None, true);
        check("x>=1", Some("1"), true);
        check("!x<2", Some("1-r0"), false);
        check("!x<2", Some("2-r0"), true);
        check("x~3.1", Some("3.1.4-r0"), true);
    }
}
