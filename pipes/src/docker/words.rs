//! Words of a Dockerfile: quotes, escapes and variables (Docker's "Environment replacement").
//! Does not know which instruction a word belongs to.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::docker::nearest::nearest;
use crate::docker::substitution::{Taken, Times, replaced, without_prefix, without_suffix};

/// Variables that have a value as soon as an `ARG` names them.
pub const AUTOMATIC: &[&str] = &[
    "TARGETPLATFORM",
    "TARGETOS",
    "TARGETARCH",
    "TARGETVARIANT",
    "BUILDPLATFORM",
    "BUILDOS",
    "BUILDARCH",
    "BUILDVARIANT",
];
/// `${a:-${a:-…` deeper than this is nobody's Dockerfile.
const DEEPEST: usize = 32;

/// A text, as far as it is known while planning: what only the base image can tell is filled in later.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Text(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Piece {
    Known(String),
    /// A variable of the base's environment.
    OfBase(String),
    /// What depends on whether the base's environment has a variable.
    Choice(Choice),
}

/// `${name:-text}`, `${name:+text}` and the same without a colon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Choice {
    name: String,
    when: When,
    /// Whether a variable that is set but empty counts as set.
    counts_empty: bool,
    text: Text,
}

/// When the text of a choice is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum When {
    Unset,
    Set,
}

impl Choice {
    fn with_env(&self, env: &[(String, String)]) -> String {
        let value = env.iter().find(|(it, value)| *it == self.name && (self.counts_empty || !value.is_empty()));
        match (self.when, value) {
            (When::Unset, Some((_, value))) => value.clone(),
            (When::Unset, None) | (When::Set, Some(_)) => self.text.with_env(env),
            (When::Set, None) => String::new(),
        }
    }
}

/// Which variables there are.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// By name; none for an `ARG` without a value.
    pub known: BTreeMap<String, Option<String>>,
    /// What a name means that is not known.
    pub unknown: Unknown,
}

/// What a name means that is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unknown {
    /// A mistake.
    #[default]
    Mistake,
    /// A variable that the base image may have.
    OfBase,
    /// The same, where it must be known now: a mistake.
    OnlyOfBase,
}

/// What is wrong with a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Which bytes of the word.
    pub bytes: Range<usize>,
    /// A phrase for the user.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// A word without its quotes and escapes, variables replaced.
pub fn expand(word: &str, escape: char, scope: &Scope) -> Result<Text, Vec<Mistake>> {
    expand_with(word, escape, Quotes::Quote, scope)
}

/// A text between `<<EOF` and `EOF`, variables replaced.
pub fn expand_lines(text: &str, scope: &Scope) -> Result<Text, Vec<Mistake>> {
    expand_with(text, '\\', Quotes::Stand, scope)
}

/// What quotes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quotes {
    /// They quote.
    Quote,
    /// They stand for themselves.
    Stand,
}

fn expand_with(word: &str, escape: char, quotes: Quotes, scope: &Scope) -> Result<Text, Vec<Mistake>> {
    let mut expander = Expander { word, at: 0, escape, quotes, scope, depth: 0, mistakes: Vec::new() };
    let text = expander.until(None);
    if expander.mistakes.is_empty() { Ok(text) } else { Err(expander.mistakes) }
}

/// Splits at blanks outside of quotes; quotes and escapes stay. With each word the bytes it has in `line`.
pub fn split(line: &str, escape: char) -> Vec<(Range<usize>, &str)> {
    let (mut words, mut start, mut quote, mut escaped) = (Vec::new(), None, None, false);
    for (at, char) in line.char_indices() {
        let is_blank = char.is_whitespace() && quote.is_none() && !escaped;
        match (start, is_blank) {
            (Some(from), true) => {
                words.push((from..at, &line[from..at]));
                start = None;
            }
            (None, false) => start = Some(at),
            _ => {}
        }
        match char {
            _ if escaped => escaped = false,
            _ if char == escape && quote != Some('\'') => escaped = true,
            '"' | '\'' if quote.is_none() => quote = Some(char),
            _ if quote == Some(char) => quote = None,
            _ => {}
        }
    }
    words.extend(start.map(|from| (from..line.len(), &line[from..])));
    words
}

impl Text {
    /// What it says, where all of it is known.
    pub fn known(&self) -> Option<String> {
        self.0.iter().map(|piece| if let Piece::Known(text) = piece { Some(text.as_str()) } else { None }).collect()
    }

    /// What it says, with the environment of the base. A variable that it lacks is empty, as Docker has it.
    pub fn with_env(&self, env: &[(String, String)]) -> String {
        let value = |name: &str| env.iter().find(|(it, _)| it == name).map_or("", |(_, value)| value);
        self.0
            .iter()
            .map(|piece| match piece {
                Piece::Known(text) => text.clone(),
                Piece::OfBase(name) => value(name).to_owned(),
                Piece::Choice(choice) => choice.with_env(env),
            })
            .collect()
    }

    fn push(&mut self, char: char) {
        match self.0.last_mut() {
            Some(Piece::Known(text)) => text.push(char),
            _ => self.0.push(Piece::Known(char.to_string())),
        }
    }

    fn append(&mut self, other: Text) {
        for piece in other.0 {
            match piece {
                Piece::Known(text) => text.chars().for_each(|char| self.push(char)),
                Piece::OfBase(_) | Piece::Choice(_) => self.0.push(piece),
            }
        }
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Text {
        Text(if text.is_empty() { Vec::new() } else { vec![Piece::Known(text.to_owned())] })
    }
}

struct Expander<'a> {
    word: &'a str,
    at: usize,
    escape: char,
    quotes: Quotes,
    scope: &'a Scope,
    depth: usize,
    mistakes: Vec<Mistake>,
}

impl Expander<'_> {
    fn until(&mut self, stop: Option<char>) -> Text {
        let mut text = Text::default();
        while let Some(char) = self.peek().filter(|char| Some(*char) != stop) {
            match char {
                '\'' if self.quotes == Quotes::Quote => self.single_quoted(&mut text),
                '"' if self.quotes == Quotes::Quote => self.double_quoted(&mut text),
                '$' => text.append(self.variable()),
                _ => {
                    self.bump();
                    let next = if char == self.escape { self.bump() } else { None };
                    text.push(next.unwrap_or(char));
                }
            }
        }
        text
    }

    fn single_quoted(&mut self, text: &mut Text) {
        let start = self.at;
        self.bump();
        loop {
            match self.bump() {
                Some('\'') => return,
                Some(char) => text.push(char),
                None => return self.mistake(start, "a quote is not closed"),
            }
        }
    }

    fn double_quoted(&mut self, text: &mut Text) {
        let start = self.at;
        self.bump();
        while let Some(char) = self.peek() {
            match char {
                '"' => {
                    self.bump();
                    return;
                }
                '$' => text.append(self.variable()),
                _ => {
                    self.bump();
                    let escapable = |next: &char| matches!(next, '"' | '$') || *next == self.escape;
                    match self.peek().filter(|next| char == self.escape && escapable(next)) {
                        Some(next) => {
                            self.bump();
                            text.push(next);
                        }
                        None => text.push(char),
                    }
                }
            }
        }
        self.mistake(start, "a quote is not closed");
    }

    fn variable(&mut self) -> Text {
        let start = self.at;
        self.bump();
        if self.peek() == Some('{') {
            self.bump();
            return self.braced(start);
        }
        match self.name() {
            name if name.is_empty() => Text::from("$"),
            name => self.value(name, start),
        }
    }

    fn braced(&mut self, start: usize) -> Text {
        let name = self.name();
        let colon = self.peek() == Some(':');
        if colon {
            self.bump();
        }
        match self.peek() {
            Some('}') if !name.is_empty() && !colon => {
                self.bump();
                self.value(name, start)
            }
            Some(operator @ ('-' | '+' | '?')) if !name.is_empty() && self.depth < DEEPEST => {
                self.bump();
                self.depth += 1;
                let word = self.until(Some('}'));
                self.depth -= 1;
                if self.bump().is_none() {
                    self.mistake(start, "a `${` is not closed");
                }
                if !self.scope.known.contains_key(&name) && self.scope.unknown == Unknown::OfBase {
                    return self.choice(
                        operator,
                        Choice { name, when: When::Unset, counts_empty: !colon, text: word },
                        start,
                    );
                }
                let value = self.scope.known.get(&name).cloned().flatten().filter(|it| !colon || !it.is_empty());
                self.operate(operator, name, value, word, start)
            }
            Some(operator @ ('#' | '%' | '/')) if !name.is_empty() && !colon => {
                self.bump();
                self.part(operator, name, start)
            }
            _ => {
                while self.bump().is_some_and(|char| char != '}') {}
                let shown = self.word[start..self.at].to_owned();
                self.mistake(start, format!("`{shown}` is no form that forge knows"));
                self.help("known are `$X`, `${X}`, `${X:-default}`, `${X:+instead}`, `${X:?message}`, `${X#pattern}`, `${X%pattern}` and `${X/pattern/text}`");
                Text::default()
            }
        }
    }

    /// What a pattern leaves of a value, or makes of it.
    fn part(&mut self, operator: char, name: String, start: usize) -> Text {
        let is_doubled = self.peek() == Some(operator);
        if is_doubled {
            self.bump();
        }
        let pattern = self.operand(if operator == '/' { '/' } else { '}' }, start);
        let with = if operator == '/' { self.operand('}', start) } else { Some(String::new()) };
        let (Some(pattern), Some(with)) = (pattern, with) else { return Text::default() };
        let Some(value) = self.value(name, start).known() else {
            self.mistake(start, "only the base image could say what this is a part of");
            self.help("write an `ARG` of that name with a default before it");
            return Text::default();
        };
        if with.contains(['\\', '$']) {
            self.mistake(start, "a `\\` or a `$` in what stands instead is not supported");
            return Text::default();
        }
        let taken = if is_doubled { Taken::Longest } else { Taken::Shortest };
        Text::from(&*match operator {
            '#' => without_prefix(&value, &pattern, taken).to_owned(),
            '%' => without_suffix(&value, &pattern, taken).to_owned(),
            _ => replaced(&value, &pattern, &with, if is_doubled { Times::All } else { Times::Once }),
        })
    }

    /// A pattern, or what stands instead, up to `stop`: variables replaced, escapes kept.
    fn operand(&mut self, stop: char, start: usize) -> Option<String> {
        let mut operand = String::new();
        loop {
            match self.peek() {
                None => {
                    self.mistake(start, "a `${` is not closed");
                    return None;
                }
                Some(char) if char == stop => {
                    self.bump();
                    return Some(operand);
                }
                Some('\'' | '"') => {
                    self.mistake(start, "a quote in a pattern is not supported");
                    self.help("write a `\\` before what is meant as it stands");
                    return None;
                }
                Some('$') => operand += &self.variable().known()?,
                Some(char) => {
                    self.bump();
                    operand.push(char);
                    operand.extend(if char == self.escape { self.bump() } else { None });
                }
            }
        }
    }

    fn choice(&mut self, operator: char, choice: Choice, start: usize) -> Text {
        let when = match operator {
            '-' => When::Unset,
            '+' => When::Set,
            _ => {
                self.mistake(start, format!("only the base image could say whether `{}` has a value", choice.name));
                self.help("write an `ARG` of that name with a default before it");
                return Text::default();
            }
        };
        Text(vec![Piece::Choice(Choice { when, ..choice })])
    }

    fn operate(&mut self, operator: char, name: String, value: Option<String>, word: Text, start: usize) -> Text {
        match (operator, value) {
            ('-' | '?', Some(value)) => Text::from(value.as_str()),
            ('-', None) | ('+', Some(_)) => word,
            ('?', None) => {
                let message = word.known().filter(|it| !it.is_empty()).unwrap_or_else(|| "it has no value".to_owned());
                self.mistake(start, format!("`{name}`: {message}"));
                Text::default()
            }
            _ => Text::default(),
        }
    }

    fn value(&mut self, name: String, start: usize) -> Text {
        match (self.scope.known.get(&name), self.scope.unknown) {
            (Some(value), _) => Text::from(value.as_deref().unwrap_or_default()),
            (None, Unknown::OfBase) => Text(vec![Piece::OfBase(name)]),
            (None, unknown) => {
                self.mistake(start, format!("no variable `{name}`"));
                let known = nearest(&name, self.scope.known.keys().map(String::as_str));
                let automatic = nearest(&name, AUTOMATIC.iter().copied());
                let help = match (known, automatic, unknown) {
                    (Some(near), _, _) => format!("there is `{near}`"),
                    (_, Some(automatic), _) => format!("write `ARG {automatic}` before it"),
                    (_, _, Unknown::OnlyOfBase) => format!(
                        "what the base image says is not known here: write `ARG {name}` with a default before it"
                    ),
                    _ => format!("write `ARG {name}` before it"),
                };
                self.help(&help);
                Text::default()
            }
        }
    }

    fn name(&mut self) -> String {
        let rest = &self.word[self.at..];
        let is_part = |char: char| char.is_ascii_alphanumeric() || char == '_';
        let size = match rest.starts_with(|char: char| char.is_ascii_digit()) {
            true => 1,
            false => rest.find(|char| !is_part(char)).unwrap_or(rest.len()),
        };
        let name = rest[..size].to_owned();
        self.at += size;
        name
    }

    fn peek(&self) -> Option<char> {
        self.word[self.at..].chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let char = self.peek()?;
        self.at += char.len_utf8();
        Some(char)
    }

    fn mistake(&mut self, start: usize, message: impl Into<String>) {
        self.mistakes.push(Mistake { bytes: start..self.at, message: message.into(), help: None });
    }

    fn help(&mut self, help: &str) {
        if let Some(last) = self.mistakes.last_mut() {
            last.help = Some(help.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope() -> Scope {
        let known = [("X", Some("x")), ("EMPTY", Some("")), ("UNSET", None), ("TARGETARCH", Some("arm64"))];
        let known = known.map(|(name, value)| (name.to_owned(), value.map(str::to_owned)));
        Scope { known: known.into(), unknown: Unknown::Mistake }
    }

    fn check(word: &str, expect: &str) {
        let actual = match expand(word, '\\', &scope()) {
            Ok(text) => text.known().unwrap(),
            Err(mistakes) => mistakes
                .iter()
                .map(|it| format!("{:?} {}; {}", it.bytes, it.message, it.help.clone().unwrap_or_default()))
                .collect::<Vec<_>>()
                .join("\n"),
        };
        assert_eq!(actual, expect, "of {word}");
    }

    #[test]
    fn variables() {
        check("a$X/b", "ax/b");
        check("${X}y", "xy");
        check("${UNSET:-d}${EMPTY:-d}${X:-d}", "ddx");
        check("${EMPTY-d}${UNSET-d}", "d");
        check("${TARGETARCH#a?}-${TARGETARCH%%6*}-${TARGETARCH/m/$X}-${TARGETARCH//\\4/}", "m64-arm-arx64-arm6");
        check("${X:+i}${EMPTY:+i}${EMPTY+j}", "ij");
        check("${NOWHERE:-${X:-y}}", "x");
        check("$UNSET$", "$");
        check("$1", "0..2 no variable `1`; write `ARG 1` before it");
    }

    #[test]
    fn quotes_and_escapes() {
        check(r"\$X", "$X");
        check("'$X'", "$X");
        check(r#""$X \" \n""#, r#"x " \n"#);
        check("a' 'b", "a b");
        check("a\\", "a\\");
    }

    #[test]
    fn mistakes() {
        check("a$TARGETARC", "1..11 no variable `TARGETARC`; there is `TARGETARCH`");
        check("'a", "0..2 a quote is not closed; ");
        check(
            "${X",
            "0..3 `${X` is no form that forge knows; known are `$X`, `${X}`, `${X:-default}`, `${X:+instead}`, `${X:?message}`, `${X#pattern}`, `${X%pattern}` and `${X/pattern/text}`",
        );
        check("${UNSET:?set it}", "0..16 `UNSET`: set it; ");
        check(
            "${X^y}$Q",
            "0..6 `${X^y}` is no form that forge knows; known are `$X`, `${X}`, `${X:-default}`, `${X:+instead}`, `${X:?message}`, `${X#pattern}`, `${X%pattern}` and `${X/pattern/text}`\n\
             6..8 no variable `Q`; write `ARG Q` before it",
        );
        check(&"${X:-".repeat(1000), &{
            let all = "${X:-".repeat(1000);
            let mut lines = vec![format!(
                "{}..5000 `{}` is no form that forge knows; known are `$X`, `${{X}}`, `${{X:-default}}`, `${{X:+instead}}`, `${{X:?message}}`, \
                 `${{X#pattern}}`, `${{X%pattern}}` and `${{X/pattern/text}}`",
                32 * 5,
                &all[32 * 5..]
            )];
            lines.extend((0..32).rev().map(|depth| format!("{}..5000 a `${{` is not closed; ", depth * 5)));
            lines.join("\n")
        });
    }

    #[test]
    fn what_only_the_base_knows() {
        let scope = Scope { unknown: Unknown::OfBase, ..scope() };
        let text = expand("/app:$PATH:$X", '\\', &scope).unwrap();
        assert_eq!(text.known(), None);
        let env = [("PATH".to_owned(), "/bin".to_owned()), ("NONE".to_owned(), String::new())];
        assert_eq!(text.with_env(&env), "/app:/bin:x");
        let choices = "${PATH:-d}${PATH:+i} ${NONE:-d}${NONE:+i} ${NONE-d}${NONE+i} ${AWAY-${PATH}}${AWAY:+i}";
        assert_eq!(expand(choices, '\\', &scope).unwrap().with_env(&env), "/bini d i /bin");
        assert_eq!(
            expand("${PATH:?}", '\\', &scope).unwrap_err()[0].message,
            "only the base image could say whether `PATH` has a value"
        );
    }

    #[test]
    fn words_of_a_line() {
        let words = |line| split(line, '\\').into_iter().map(|(_, word)| word).collect::<Vec<_>>();
        assert_eq!(words(r#"a=1  b="2 3" c=\ d 'e f'"#), ["a=1", r#"b="2 3""#, r"c=\ d", "'e f'"]);
        assert_eq!(words(""), [""; 0]);
    }
}
