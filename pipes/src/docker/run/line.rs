//! A script for `/bin/sh`, as far as it is nothing but simple commands one after the other: into words, as the shell makes them.
//! Does not know any command, and no file that a wildcard could mean.

use std::collections::BTreeMap;
use std::iter::{Copied, Peekable};
use std::ops::Range;
use std::slice::Iter;

use serde::{Deserialize, Serialize};

use crate::docker::words::Mistake;

/// Variables that a shell sets itself, whatever the image says.
const OF_SHELL: &[&str] = &["IFS", "OLDPWD", "OPTIND", "PPID", "PS1", "PS2", "PS4", "PWD", "SHLVL", "_"];

/// A word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// What the command is given, where no file is what a wildcard says.
    pub text: String,
    /// The same with a `\\` before all that is meant as it stands, where there is a wildcard.
    pub pattern: Option<String>,
    /// Where it stands.
    pub bytes: Range<usize>,
}

/// A command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Simple {
    /// Its name and what it is given.
    pub words: Vec<Word>,
    /// Where what it prints goes, if that is a file.
    pub output: Option<(Written, Word)>,
}

/// How a file is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Written {
    /// From its beginning.
    Anew,
    /// At its end.
    Behind,
}

/// What a script stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stands {
    /// In an instruction, whose lines are continued by this.
    InLine(char),
    /// Between `<<EOF` and `EOF`.
    InText,
}

/// The commands that are run, one after the other, as long as none fails. `variables` are those of the environment, as far
/// as they are known.
pub fn commands(
    script: &str,
    stands: Stands,
    variables: &BTreeMap<String, Option<String>>,
) -> Result<Vec<Simple>, Mistake> {
    let chars = match stands {
        Stands::InLine(escape) => joined(script, escape),
        Stands::InText => script.char_indices().collect(),
    };
    let mut lexer = Lexer { chars: chars.iter().copied().peekable(), end: script.len(), stands, variables };
    let mut commands = Vec::new();
    lexer.blank_lines()?;
    loop {
        commands.push(lexer.command()?);
        if lexer.next()? == Next::End {
            return Ok(commands);
        }
    }
}

/// What follows on a command.
#[derive(PartialEq, Eq)]
enum Next {
    Command,
    End,
}

/// The characters that the shell sees, each with its place in the file: lines are joined, and comments between them left out.
fn joined(text: &str, escape: char) -> Vec<(usize, char)> {
    let (mut chars, mut start) = (Vec::new(), 0);
    for line in text.split_inclusive('\n') {
        let is_left_out = start > 0 && (line.trim().is_empty() || line.trim_start().starts_with('#'));
        let content = line.trim_end_matches(['\n', '\r']);
        let trimmed = content.trim_end_matches([' ', '\t']);
        let content = trimmed.strip_suffix(escape).unwrap_or(content);
        if !is_left_out {
            chars.extend(content.char_indices().map(|(at, char)| (start + at, char)));
        }
        start += line.len();
    }
    chars
}

struct Lexer<'a> {
    chars: Peekable<Copied<Iter<'a, (usize, char)>>>,
    end: usize,
    stands: Stands,
    variables: &'a BTreeMap<String, Option<String>>,
}

/// What is known of the word that is read.
#[derive(Default)]
struct Open {
    text: String,
    pattern: String,
    is_pattern: bool,
}

impl Open {
    fn push(&mut self, char: char) {
        self.text.push(char);
        self.pattern.extend(['\\', char]);
    }

    fn extend(&mut self, text: &str) {
        text.chars().for_each(|char| self.push(char));
    }

    fn wild(&mut self, char: char) {
        self.text.push(char);
        self.pattern.push(char);
        self.is_pattern = true;
    }
}

impl Lexer<'_> {
    /// A command, with where its output goes.
    fn command(&mut self) -> Result<Simple, Mistake> {
        let mut simple = Simple { words: Vec::new(), output: None };
        loop {
            self.blanks()?;
            match self.peek() {
                None | Some('&' | '|' | ';' | '\n') => break,
                Some('<' | '>') => self.redirection(1, &mut simple)?,
                Some('1') if self.is_next('>') => {
                    self.chars.next();
                    self.redirection(1, &mut simple)?;
                }
                Some('2') if self.is_next('>') => {
                    self.chars.next();
                    self.redirection(2, &mut simple)?;
                }
                Some(char) if char.is_ascii_digit() && (self.is_next('>') || self.is_next('<')) => {
                    let here = self.here();
                    return Err(mistake(here, "this redirection needs a shell"));
                }
                Some(_) => simple.words.push(self.word()?),
            }
        }
        match simple.words.is_empty() {
            true => Err(mistake(self.here(), "a command is missing")),
            false => Ok(simple),
        }
    }

    /// What joins two commands. Where one fails, nothing else is done, whatever joins it to the next: so what stands behind
    /// `||` never is.
    fn next(&mut self) -> Result<Next, Mistake> {
        let start = self.here();
        let Some(char) = self.peek() else { return Ok(Next::End) };
        self.chars.next();
        let is_doubled = self.peek() == Some(char);
        match char {
            '&' | '|' if is_doubled => {
                self.chars.next();
                self.blank_lines()?;
                if char == '|' {
                    self.command()?;
                    return self.next();
                }
                Ok(Next::Command)
            }
            '&' => Err(mistake(start, "a command in the background needs a shell")),
            '|' => Err(mistake(start, "a pipe needs a shell")),
            _ => {
                self.blank_lines()?;
                Ok(if self.peek().is_none() { Next::End } else { Next::Command })
            }
        }
    }

    /// Blanks, the ends of lines, and comments.
    fn blank_lines(&mut self) -> Result<(), Mistake> {
        loop {
            self.blanks()?;
            match self.peek() {
                Some('\n') => drop(self.chars.next()),
                _ => return Ok(()),
            }
        }
    }

    /// Blanks, a line that goes on, and a comment.
    fn blanks(&mut self) -> Result<(), Mistake> {
        loop {
            match self.peek() {
                Some(char) if is_blank(char) => drop(self.chars.next()),
                Some('\\') if self.is_next('\n') => drop((self.chars.next(), self.chars.next())),
                // In an instruction it would go on for all the lines that follow.
                Some('#') if !self.has_lines() => {
                    return Err(mistake(self.here(), "a comment in a command needs a shell"));
                }
                Some('#') => while self.chars.next_if(|(_, char)| *char != '\n').is_some() {},
                _ => return Ok(()),
            }
        }
    }

    fn redirection(&mut self, stream: u8, simple: &mut Simple) -> Result<(), Mistake> {
        let start = self.here();
        let unknown = |to: usize| mistake(start.start..to, "this redirection needs a shell");
        if self.chars.next().is_some_and(|(_, it)| it == '<') {
            return Err(unknown(start.end));
        }
        let written = match self.chars.next_if(|(_, it)| *it == '>') {
            Some(_) => Written::Behind,
            None => Written::Anew,
        };
        if self.chars.next_if(|(_, it)| *it == '&').is_some() {
            // To where the output goes, which nobody sees.
            let is_output =
                stream == 2 && simple.output.is_none() && self.chars.next_if(|(_, it)| *it == '1').is_some();
            let end = self.at();
            return if is_output { Ok(()) } else { Err(unknown(end)) };
        }
        self.blanks()?;
        if self.peek().is_none_or(ends_word) {
            return Err(unknown(start.end));
        }
        let to = self.word()?;
        match (to.text.as_str(), stream) {
            ("/dev/null", _) if to.pattern.is_none() && (stream == 2 || simple.output.is_none()) => Ok(()),
            (_, 1) if to.pattern.is_none() && simple.output.is_none() => {
                simple.output = Some((written, to));
                Ok(())
            }
            _ => Err(unknown(to.bytes.end)),
        }
    }

    fn word(&mut self) -> Result<Word, Mistake> {
        let (start, mut open) = (self.here().start, Open::default());
        while let Some(char) = self.peek().filter(|it| !ends_word(*it)) {
            match char {
                '\'' => self.single_quoted(&mut open)?,
                '"' => self.double_quoted(&mut open)?,
                '\\' => self.escaped(&mut open)?,
                '$' => {
                    let here = self.here();
                    let value = self.variable()?;
                    let is_split =
                        value.is_empty() || value.contains(|it: char| it.is_whitespace() || is_glob(it) || it == '\\');
                    if is_split {
                        let message = "a variable that is empty, or has blanks or wildcards, needs quotes around it";
                        return Err(mistake(here.start..self.at(), message));
                    }
                    open.extend(&value);
                }
                '*' | '?' => {
                    open.wild(char);
                    self.chars.next();
                }
                _ => {
                    self.check_plain(char, open.text.is_empty())?;
                    open.push(char);
                    self.chars.next();
                }
            }
        }
        let pattern = open.is_pattern.then_some(open.pattern);
        Ok(Word { text: open.text, pattern, bytes: start..self.at() })
    }

    /// Refuses what means something to a shell.
    fn check_plain(&mut self, char: char, is_first: bool) -> Result<(), Mistake> {
        let what = match char {
            '(' | ')' | '{' | '}' => "a group of commands needs a shell",
            '`' => "what a command prints needs a shell",
            '~' if is_first => "a home directory by `~` needs a shell",
            '[' => "a wildcard in brackets needs a shell",
            _ => return Ok(()),
        };
        let here = self.here();
        Err(mistake(here.start..here.start + char.len_utf8(), what))
    }

    fn single_quoted(&mut self, open: &mut Open) -> Result<(), Mistake> {
        let start = self.here();
        self.chars.next();
        loop {
            match self.chars.next() {
                Some((_, '\'')) => return Ok(()),
                Some((_, char)) => open.push(char),
                None => return Err(mistake(start, "a quote is not closed")),
            }
        }
    }

    fn double_quoted(&mut self, open: &mut Open) -> Result<(), Mistake> {
        let start = self.here();
        self.chars.next();
        while let Some(char) = self.peek() {
            match char {
                '"' => {
                    self.chars.next();
                    return Ok(());
                }
                '$' => open.extend(&self.variable()?),
                '`' => self.check_plain(char, false)?,
                _ => {
                    self.chars.next();
                    match self.peek().filter(|next| char == '\\' && matches!(next, '"' | '$' | '\\' | '`' | '\n')) {
                        Some('\n') => drop(self.chars.next()),
                        Some(next) => {
                            self.chars.next();
                            open.push(next);
                        }
                        None => open.push(char),
                    }
                }
            }
        }
        Err(mistake(start, "a quote is not closed"))
    }

    fn escaped(&mut self, open: &mut Open) -> Result<(), Mistake> {
        let start = self.here();
        self.chars.next();
        match self.chars.next() {
            Some((_, '\n')) => {}
            Some((_, char)) => open.push(char),
            None => return Err(mistake(start, "nothing follows a `\\`")),
        }
        Ok(())
    }

    fn variable(&mut self) -> Result<String, Mistake> {
        let start = self.here().start;
        self.chars.next();
        let is_braced = self.peek() == Some('{');
        if is_braced {
            self.chars.next();
        }
        let mut name = String::new();
        while let Some(char) = self.peek().filter(|it| it.is_ascii_alphanumeric() || *it == '_') {
            name.push(char);
            self.chars.next();
        }
        let is_name = !name.is_empty() && !name.starts_with(|it: char| it.is_ascii_digit());
        let is_closed = !is_braced || self.chars.next().is_some_and(|(_, it)| it == '}');
        let bytes = start..self.at();
        if !is_name || !is_closed {
            return Err(mistake(bytes, "this form of `$` needs a shell"));
        }
        match self.variables.get(&name) {
            Some(Some(value)) if !OF_SHELL.contains(&name.as_str()) => Ok(value.clone()),
            _ => Err(mistake(bytes, format!("what `{name}` is in a shell is not known here"))),
        }
    }

    fn peek(&mut self) -> Option<char> {
        self.chars.peek().map(|(_, char)| *char)
    }

    fn is_next(&mut self, char: char) -> bool {
        self.chars.clone().nth(1).is_some_and(|(_, it)| it == char)
    }

    /// Whether it has ends of lines.
    fn has_lines(&self) -> bool {
        self.stands == Stands::InText
    }

    fn at(&mut self) -> usize {
        let end = self.end;
        self.chars.peek().map_or(end, |(at, _)| *at)
    }

    fn here(&mut self) -> Range<usize> {
        let end = self.end;
        self.chars.peek().map_or(end.saturating_sub(1)..end, |(at, char)| *at..at + char.len_utf8())
    }
}

fn is_blank(char: char) -> bool {
    matches!(char, ' ' | '\t')
}

/// Whether a character ends a word, and means something else.
fn ends_word(char: char) -> bool {
    is_blank(char) || matches!(char, '&' | '|' | ';' | '<' | '>' | '\n')
}

fn is_glob(char: char) -> bool {
    matches!(char, '*' | '?' | '[')
}

fn mistake(bytes: Range<usize>, message: impl Into<String>) -> Mistake {
    Mistake { bytes, message: message.into(), help: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expect: &str) {
        let variables = [("A", Some("x")), ("B", Some("a b")), ("C", None), ("PWD", Some("/"))];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.map(str::to_owned))).into();
        let word = |it: &Word| it.pattern.as_ref().map_or(it.text.clone(), |it| format!("~{it}"));
        let shown = |simple: &Simple| {
            let words = simple.words.iter().map(word).collect::<Vec<_>>().join("|");
            let output = simple.output.as_ref().map(|(how, to)| format!("|{how:?}:{}", word(to)));
            words + &output.unwrap_or_default()
        };
        let (script, stands) = match line.strip_prefix("<<") {
            Some(script) => (script, Stands::InText),
            None => (line, Stands::InLine('\\')),
        };
        let actual = match commands(script, stands, &variables) {
            Ok(commands) => commands.iter().map(shown).collect::<Vec<_>>().join(" && "),
            Err(Mistake { bytes, message, .. }) => format!("`{}`: {message}", &script[bytes]),
        };
        assert_eq!(actual, expect, "of {line}");
    }

    #[test]
    fn words_of_commands() {
        check("mkdir -p /a /b", "mkdir|-p|/a|/b");
        check("a&&b && c", "a && b && c");
        check("a \\\n  # comment\n\n  && b \\  \n c\\\nd", "a && b|cd");
        check("a \\\r\n b", "a|b");
        check(r#"a 'b c' "d \" \$ \n" e\ f '' g"h"'i'"#, "a|b c|d \" $ \\n|e f||ghi");
        check(r#"a $A ${A}b "$B" '$B'"#, "a|x|xb|a b|$B");
        check("a b#c d~e f=g", "a|b#c|d~e|f=g");
        check("a /b/* '*'c? \\*", r"a|~\/\b\/*|~\*\c?|*");
    }

    #[test]
    fn one_after_the_other() {
        check("a;b ; c", "a && b && c");
        check("a; b;", "a && b");
        check("a || b && c || d", "a && c");
        check("a >b && c >> d >/dev/null", "`>/dev/null`: this redirection needs a shell");
        check("a b>c d && e 1>>f", "a|b|d|Anew:c && e|Behind:f");
        check("a >/dev/null 2>&1 && b 2>/dev/null && c >d 2>/dev/null", "a && b && c|Anew:d");
        check("<<\n# why\n  a b # c\n\nd \\\n e\nf 'g\nh' &&\n\ti\n", "a|b && d|e && f|g\nh && i");
        check("<<a\n;b", "`;`: a command is missing");
    }

    #[test]
    fn what_needs_a_shell() {
        check("a|b", "`|`: a pipe needs a shell");
        check("a < b", "`<`: this redirection needs a shell");
        check("a 3>&1", "`3`: this redirection needs a shell");
        check("a 2> b", "`> b`: this redirection needs a shell");
        check("a > b > c", "`> c`: this redirection needs a shell");
        check("a > b 2>&1", "`>&`: this redirection needs a shell");
        check("a > *", "`> *`: this redirection needs a shell");
        check("a >", "`>`: this redirection needs a shell");
        check("a ;; b", "`;`: a command is missing");
        check("a [bc]", "`[`: a wildcard in brackets needs a shell");
        check("a || b | c", "`|`: a pipe needs a shell");
        check("a &", "`&`: a command in the background needs a shell");
        check("(a)", "`(`: a group of commands needs a shell");
        check("a {b,c}", "`{`: a group of commands needs a shell");
        check("a $(b)", "`$`: this form of `$` needs a shell");
        check("a \"`b`\"", "```: what a command prints needs a shell");
        check("a # b", "`#`: a comment in a command needs a shell");
        check("a ~/b", "`~`: a home directory by `~` needs a shell");
        check("a ${B:-x}", "`${B:`: this form of `$` needs a shell");
        check("a $B", "`$B`: a variable that is empty, or has blanks or wildcards, needs quotes around it");
        check("a $C", "`$C`: what `C` is in a shell is not known here");
        check("a $D", "`$D`: what `D` is in a shell is not known here");
        check("a $PWD", "`$PWD`: what `PWD` is in a shell is not known here");
        check("a && ", "` `: a command is missing");
        check("a 'b", "`'`: a quote is not closed");
        check("a \"b", "`\"`: a quote is not closed");
        check("a b$", "`$`: this form of `$` needs a shell");
    }
}
