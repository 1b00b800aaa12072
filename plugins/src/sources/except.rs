//! What a `.dockerignore` leaves out: its patterns, to the letter as Docker's builders read and match them.
//! Does not look at files.

use std::fmt;
use std::ops::Range;
use std::path::Path;

use regex::Regex;

/// Patterns of what is left out. The last that matches a path, or a directory above it, counts; one that begins with `!`
/// takes it in again.
#[derive(Debug, Clone, Default)]
pub struct Except {
    patterns: Vec<Pattern>,
}

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadPattern {
    /// The pattern.
    pub pattern: String,
    /// What is wrong with it.
    pub message: &'static str,
}

#[derive(Debug, Clone)]
struct Pattern {
    way: Way,
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Out,
    In,
}

/// How a pattern is matched. That these differ is seen by users: `a/**` is not `a`, and `**/a` is.
#[derive(Debug, Clone)]
enum Form {
    Exact(String),
    Prefix(String),
    Suffix(String),
    Regex(Regex),
}

/// The patterns of a `.dockerignore`, each with the bytes that its line has in the text.
pub fn lines(text: &str) -> Vec<(Range<usize>, String)> {
    let mut start = 0;
    let mut patterns = Vec::new();
    for line in text.split_inclusive('\n') {
        let content = if start == 0 { line.trim_start_matches('\u{feff}') } else { line };
        if let Some(pattern) = of_line(content) {
            let trimmed = content.trim();
            let at = start + line.len() - content.len() + content.find(trimmed).unwrap_or(0);
            patterns.push((at..at + trimmed.len(), pattern));
        }
        start += line.len();
    }
    patterns
}

fn of_line(line: &str) -> Option<String> {
    let text = line.trim();
    if line.starts_with('#') || text.is_empty() {
        return None;
    }
    let (sign, path) = match text.strip_prefix('!') {
        Some(rest) => ("!", rest.trim()),
        None => ("", text),
    };
    let path = if path.is_empty() { String::new() } else { clean(path) };
    let path = if path.len() > 1 { path.strip_prefix('/').unwrap_or(&path) } else { &path };
    Some(format!("{sign}{path}"))
}

impl Except {
    /// From patterns.
    pub fn new<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<Except, BadPattern> {
        let patterns = patterns.into_iter().map(str::trim).filter(|it| !it.is_empty());
        Ok(Except { patterns: patterns.map(Pattern::new).collect::<Result<_, _>>()? })
    }

    /// Whether nothing is left out.
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Whether it leaves out what lies at this path, which is relative.
    pub fn leaves_out(&self, path: &Path) -> bool {
        if self.is_empty() {
            return false;
        }
        let path = path.to_string_lossy();
        let ends = path.match_indices('/').map(|(end, _)| end).chain([path.len()]);
        // What a directory is matched by, all in it is; a pattern that changes nothing is not looked at.
        let mut matched = vec![false; self.patterns.len()];
        let mut out = false;
        for end in ends {
            out = false;
            for (pattern, matched) in self.patterns.iter().zip(&mut matched) {
                *matched = *matched || (pattern.way == Way::In) == out && pattern.form.matches(&path[..end]);
                if *matched {
                    out = pattern.way == Way::Out;
                }
            }
        }
        out
    }

    /// Whether something in a directory that it leaves out may be taken in again.
    pub fn has_exceptions(&self) -> bool {
        self.patterns.iter().any(|it| it.way == Way::In)
    }
}

impl Pattern {
    fn new(text: &str) -> Result<Pattern, BadPattern> {
        let bad = |message| BadPattern { pattern: text.to_owned(), message };
        let text = clean(text);
        let (way, path) = match text.strip_prefix('!') {
            Some("") => return Err(bad("a `!` needs a pattern behind it")),
            Some(path) => (Way::In, path),
            None => (Way::Out, text.as_str()),
        };
        check(path).map_err(bad)?;
        let form = Form::new(path).ok_or_else(|| bad("the characters in its brackets are no set"))?;
        Ok(Pattern { way, form })
    }
}

impl Form {
    fn new(pattern: &str) -> Option<Form> {
        let mut chars = pattern.chars().peekable();
        let mut regex = "^".to_owned();
        let (mut is_exact, mut is_suffix, mut is_prefix, mut at_start, mut in_set) = (true, false, false, true, false);
        while let Some(char) = chars.next() {
            let was_start = std::mem::take(&mut at_start);
            match char {
                '*' if chars.next_if_eq(&'*').is_some() => {
                    chars.next_if_eq(&'/');
                    let is_last = chars.peek().is_none();
                    is_prefix = is_last && is_exact;
                    regex += if is_last { ".*" } else { "(.*/)?" };
                    // Of the first one that has stood alone, the rest is compared as it is.
                    is_suffix = was_start;
                    is_exact = was_start;
                    continue;
                }
                '*' => regex += "[^/]*",
                '?' => regex += "[^/]",
                '\\' => regex += &regex::escape(&chars.next().unwrap_or('\\').to_string()),
                '[' | ']' if in_set == (char == ']') => {
                    regex.push(char);
                    in_set = !in_set;
                    if in_set && chars.next_if_eq(&'^').is_some() {
                        regex.push('^');
                    }
                }
                // What these would mean in a set is nothing that Docker knows.
                '[' | '&' | '~' if in_set => regex.extend(['\\', char]),
                _ if in_set => regex.push(char),
                _ => {
                    regex += &regex::escape(&char.to_string());
                    continue;
                }
            }
            (is_exact, is_suffix, is_prefix) = (false, false, false);
        }
        Some(match (is_suffix, is_prefix, is_exact) {
            (true, ..) => Form::Suffix(pattern[2..].to_owned()),
            (_, true, _) => Form::Prefix(pattern[..pattern.len() - 2].to_owned()),
            (_, _, true) => Form::Exact(pattern.to_owned()),
            _ => Form::Regex(Regex::new(&format!("{regex}$")).ok()?),
        })
    }

    fn matches(&self, path: &str) -> bool {
        match self {
            Form::Exact(pattern) => path == pattern,
            Form::Prefix(prefix) => path.starts_with(prefix),
            Form::Suffix(suffix) => path.ends_with(suffix) || suffix.strip_prefix('/') == Some(path),
            Form::Regex(regex) => regex.is_match(path),
        }
    }
}

/// What Go's `filepath.Match` says of a pattern.
fn check(pattern: &str) -> Result<(), &'static str> {
    let mut chars = pattern.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' if chars.next().is_none() => return Err("nothing follows its `\\`"),
            '[' => {
                let mut set = chars.as_str().strip_prefix('^').unwrap_or(chars.as_str());
                let mut is_first = true;
                loop {
                    let mut rest = set.chars();
                    match rest.next() {
                        Some(']') if !is_first => break chars = rest,
                        Some('\\') if rest.next().is_some() => {}
                        Some(']' | '-' | '\\') => return Err("the characters in its brackets are no set"),
                        Some(_) => {}
                        None => return Err("its `[` is not closed"),
                    }
                    if let Some(after) = rest.as_str().strip_prefix('-') {
                        rest = after.chars();
                        match rest.next() {
                            Some('\\') if rest.next().is_some() => {}
                            Some(']' | '-' | '\\') | None => return Err("the characters in its brackets are no set"),
                            Some(_) => {}
                        }
                    }
                    is_first = false;
                    set = rest.as_str();
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// A path without `.`, `..` and doubled slashes, as far as that goes by its text.
fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let is_rooted = path.starts_with('/');
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|it| *it != "..") => drop(parts.pop()),
            ".." if is_rooted => {}
            _ => parts.push(part),
        }
    }
    match (is_rooted, parts.is_empty()) {
        (true, _) => format!("/{}", parts.join("/")),
        (false, true) => ".".to_owned(),
        (false, false) => parts.join("/"),
    }
}

impl fmt::Display for BadPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a pattern: {}", self.pattern, self.message)
    }
}

impl std::error::Error for BadPattern {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of some paths are left out by the lines of a file, which stand here between `|`.
    fn check(file: &str, paths: &str, expect: &str) {
        let text = file.replace('|', "\n");
        let patterns = lines(&text);
        let actual = match Except::new(patterns.iter().map(|(_, it)| it.as_str())) {
            Ok(except) => {
                let out = paths.split(' ').filter(|path| except.leaves_out(Path::new(path)));
                out.collect::<Vec<_>>().join(" ")
            }
            Err(bad) => bad.to_string(),
        };
        assert_eq!(actual, expect, "of {file}");
    }

    #[test]
    fn lines_of_a_file() {
        check("# a|a", "a #", "a");
        check(" #a", "a #a", "#a");
        check("\u{feff}a|  b\t|", "a b c", "a b");
        check("/a|./b|c/|d//e|f/../g", "a b c d d/e f g", "a b c d/e g");
        check("*|! a|!/b|!./c/", "a b c d", "d");
        check("..|../a|.|/", "a ..a", "");
        check("!", "a", "`!` is not a pattern: a `!` needs a pattern behind it");
        let text = "\u{feff}  a \n#\n!b";
        let shown: Vec<_> = lines(text).into_iter().map(|(bytes, it)| (text[bytes].to_owned(), it)).collect();
        assert_eq!(shown, [("a".to_owned(), "a".to_owned()), ("!b".to_owned(), "!b".to_owned())]);
    }

    #[test]
    fn what_is_left_out() {
        check("a", "a a/b a/b/c b/a aa", "a a/b a/b/c");
        check("a/b", "a a/b a/b/c b", "a/b a/b/c");
        check("*", "a .a a/b", "a .a a/b");
        check("*/*", "a a/b a/b/c", "a/b a/b/c");
        check("*.go", "x.go a/x.go x.gox", "x.go");
        check("**/*.go", "x.go a/x.go a/b/x.go x.gox", "x.go a/x.go a/b/x.go");
        check("**", "a a/b .c", "a a/b .c");
        check("a/**", "a a/b a/b/c ab", "a/b a/b/c");
        check("**/a", "a b/a b/c/a ba b/a/x", "a b/a b/c/a b/a/x");
        check("**a", "a ba b/ca ab", "a ba b/ca");
        check("a/**/b", "a/b a/x/b a/x/y/b a b", "a/b a/x/b a/x/y/b");
        check("a**", "a ab a/b b", "a ab a/b");
        check("a?c", "abc a/c ac", "abc");
        check("[a-c]x|[^a]y", "ax dx by ay", "ax by");
        check("[&~]x|[a[]y", "&x ~x ax [y ay", "&x ~x [y ay");
        check("a.b|(x)|{y}|$z|+", "a.b aXb (x) x {y} y $z +", "a.b (x) {y} $z +");
        check("a\\*b|c\\d", "a*b axb cd", "a*b cd");
        check("ä?", "äö a", "äö");
    }

    #[test]
    fn what_is_taken_in_again() {
        check("*|!a", "a a/b c", "c");
        check("a|!a/b", "a a/b a/b/c a/d", "a a/d");
        check("a|!a/b|a/b/c", "a/b a/b/c a/b/d", "a/b/c");
        check("!a|a", "a a/b", "a a/b");
        check("*.md|!README*.md|README-x.md", "a.md README.md README-x.md", "a.md README-x.md");
        check("**|!**/*.go", "a/x.go a/x.c y.go", "a/x.c");
        check("*|!a/*.go", "a/x.go a/x.c a/b/x.go", "a/x.c a/b/x.go");
    }

    #[test]
    fn what_is_no_pattern() {
        check("a[", "a", "`a[` is not a pattern: its `[` is not closed");
        check("a\\", "a", "`a\\` is not a pattern: nothing follows its `\\`");
        check("[]a]", "a", "`[]a]` is not a pattern: the characters in its brackets are no set");
        check("[a-]", "a", "`[a-]` is not a pattern: the characters in its brackets are no set");
    }
}
