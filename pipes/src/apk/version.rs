//! Versions of packages, ordered as apk orders them: `1.2.3a_rc1-r4`.
//! Does not know packages.

use std::cmp::Ordering;

/// Suffixes of what comes before the version itself, and of what comes behind it.
const BEFORE: &[&str] = &["alpha", "beta", "pre", "rc"];
const BEHIND: &[&str] = &["cvs", "svn", "git", "hg", "p"];
/// Longer numbers are none to apk.
const MOST_DIGITS: usize = 17;

/// What a part of a version is. Of two versions that are the same so far, the one that goes on with the lesser kind is the later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Invalid,
    /// Digits behind a point, which may begin with zeros.
    Point,
    Digits,
    Letter,
    Suffix,
    SuffixNumber,
    Revision,
    End,
}

/// A part, as a number, and which kind follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    value: i64,
    next: Kind,
}

/// Which of two versions is the later.
pub fn compare(one: &str, other: &str) -> Ordering {
    ordered(one, other, Length::Matters)
}

/// Whether `version` begins as `start` does, by whole parts: what `~` asks.
pub fn begins(version: &str, start: &str) -> bool {
    ordered(version, start, Length::Ignored) == Ordering::Equal
}

/// Whether it is a version at all.
pub fn is_valid(version: &str) -> bool {
    parts(version).last().is_some_and(|part| part.next == Kind::End)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Length {
    Matters,
    Ignored,
}

fn ordered(one: &str, other: &str, length: Length) -> Ordering {
    let (ours, theirs) = (parts(one), parts(other));
    for (at, (a, b)) in ours.iter().zip(&theirs).enumerate() {
        if a.value != b.value {
            return a.value.cmp(&b.value);
        }
        if a.next == b.next {
            continue;
        }
        let is_before = |parts: &[Part], kind| kind == Kind::Suffix && parts.get(at + 1).is_some_and(|it| it.value < 0);
        return match () {
            () if length == Length::Ignored => Ordering::Equal,
            () if is_before(&ours, a.next) => Ordering::Less,
            () if is_before(&theirs, b.next) => Ordering::Greater,
            () => b.next.cmp(&a.next),
        };
    }
    Ordering::Equal
}

/// All parts; the last is followed by nothing, or by what is none.
fn parts(version: &str) -> Vec<Part> {
    let mut lexer = Lexer { rest: version, kind: Kind::Digits };
    let mut parts = Vec::new();
    loop {
        let value = lexer.part();
        parts.push(Part { value, next: lexer.kind });
        if matches!(lexer.kind, Kind::End | Kind::Invalid) {
            return parts;
        }
    }
}

struct Lexer<'v> {
    rest: &'v str,
    /// What comes next.
    kind: Kind,
}

impl Lexer<'_> {
    fn part(&mut self) -> i64 {
        let zeros = self.rest.bytes().take_while(|it| *it == b'0').count();
        let value = match self.kind {
            _ if self.rest.is_empty() => {
                self.kind = Kind::End;
                return 0;
            }
            Kind::Point if zeros > 0 => {
                // The zeros count by themselves, and then the number that they begin.
                self.rest = &self.rest[zeros - 1..];
                self.kind = Kind::Digits;
                return 1 - i64::try_from(zeros).unwrap_or(0);
            }
            Kind::Point | Kind::Digits | Kind::SuffixNumber | Kind::Revision => self.number(),
            Kind::Letter => self.letter(),
            Kind::Suffix => self.suffix(),
            Kind::Invalid | Kind::End => None,
        };
        match value {
            Some(value) => {
                self.follow();
                value
            }
            None => {
                self.kind = Kind::Invalid;
                -1
            }
        }
    }

    fn number(&mut self) -> Option<i64> {
        let count = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.rest.split_at(count);
        self.rest = rest;
        match count {
            0 => Some(0),
            1..=MOST_DIGITS => digits.parse().ok(),
            _ => None,
        }
    }

    fn letter(&mut self) -> Option<i64> {
        let letter = self.rest.chars().next()?;
        self.rest = &self.rest[letter.len_utf8()..];
        Some(i64::from(u32::from(letter)))
    }

    fn suffix(&mut self) -> Option<i64> {
        let starts = |names: &[&str]| names.iter().position(|name| self.rest.starts_with(name));
        let (at, name, value) = match (starts(BEFORE), starts(BEHIND)) {
            (Some(at), _) => (at, BEFORE[at], -i64::try_from(BEFORE.len()).unwrap_or(0)),
            (None, Some(at)) => (at, BEHIND[at], 0),
            (None, None) => return None,
        };
        self.rest = &self.rest[name.len()..];
        Some(value + i64::try_from(at).unwrap_or(0))
    }

    /// Finds out which kind follows.
    fn follow(&mut self) {
        let was = self.kind;
        let Some(first) = self.rest.chars().next() else {
            self.kind = Kind::End;
            return;
        };
        let (next, length) = match (was, first) {
            (Kind::Digits | Kind::Point, 'a'..='z') => (Kind::Letter, 0),
            (Kind::Letter, '0'..='9') => (Kind::Digits, 0),
            (Kind::Suffix, '0'..='9') => (Kind::SuffixNumber, 0),
            (_, '.') => (Kind::Point, 1),
            (_, '_') => (Kind::Suffix, 1),
            (_, '-') if self.rest.starts_with("-r") => (Kind::Revision, 2),
            _ => (Kind::Invalid, 0),
        };
        let goes_back = matches!(
            (was, next),
            (Kind::Digits, Kind::Point) | (Kind::SuffixNumber, Kind::Suffix) | (Kind::Letter, Kind::Digits)
        );
        self.kind = if next < was && !goes_back { Kind::Invalid } else { next };
        self.rest = &self.rest[length..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(one: &str, expect: &str, other: &str) {
        let actual = match compare(one, other) {
            Ordering::Less => "<",
            Ordering::Equal => "=",
            Ordering::Greater => ">",
        };
        assert_eq!(actual, expect, "of {one} and {other}");
    }

    #[test]
    fn which_is_later() {
        check("1.2-r0", "=", "1.2-r0");
        check("1.2-r10", ">", "1.2-r9");
        check("1.2", "<", "1.2-r0");
        check("1.10", ">", "1.9");
        check("1.2_rc1", "<", "1.2");
        check("1.2_p1", ">", "1.2");
        check("1.2_alpha", "<", "1.2_beta");
        check("1.2a", ">", "1.2");
        check("1.2.3", ">", "1.2a");
        check("1.05", "<", "1.5");
        check("1.00", "<", "1.0");
        check("20240705-r0", "<", "20241121-r1");
        check("9.7_p1-r4", ">", "9.3_p2-r3");
    }

    #[test]
    fn what_is_a_version() {
        let check = |text: &str, expect: bool| assert_eq!(is_valid(text), expect, "of {text}");
        check("1", true);
        check("2.14.10-r0", true);
        check("1_git20240101-r0", true);
        check("0", true);
        check("", true);
        // A letter may stand where digits may.
        check("x", true);
        check("xy", false);
        check("1.2dev", false);
        check("1-2", false);
        check("1.2-r0.1", false);
        check("123456789012345678", false);
    }

    #[test]
    fn beginnings() {
        let check =
            |one: &str, other: &str, expect: bool| assert_eq!(begins(one, other), expect, "of {one} and {other}");
        check("9.3_p2-r3", "9.3", true);
        check("9.3", "9.3.1", true);
        check("9.30", "9.3", false);
        check("9.4", "9.3", false);
    }
}
