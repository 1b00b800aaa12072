//! A line for `/bin/sh`, as far as it is nothing but simple commands joined by `&&`: into words, as the shell makes them.
//! Does not know any command.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::ops::Range;
use std::vec::IntoIter;

use crate::docker::words::Mistake;

/// Variables that a shell sets itself, whatever the image says.
const OF_SHELL: &[&str] = &["IFS", "OLDPWD", "OPTIND", "PPID", "PS1", "PS2", "PS4", "PWD", "SHLVL", "_"];

/// A word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// What the command is given.
    pub text: String,
    /// Where it stands.
    pub bytes: Range<usize>,
}

/// The commands of a line that may be continued, each as its words. `variables` are those of the environment, as far as they
/// are known.
pub fn commands(
    line: &str,
    escape: char,
    variables: &BTreeMap<String, Option<String>>,
) -> Result<Vec<Vec<Word>>, Mistake> {
    let mut lexer = Lexer { chars: joined(line, escape).into_iter().peekable(), end: line.len(), variables };
    let mut commands = Vec::new();
    loop {
        let words = lexer.command()?;
        if words.is_empty() {
            return Err(mistake(lexer.here(), "a command is missing"));
        }
        commands.push(words);
        if lexer.peek().is_none() {
            return Ok(commands);
        }
        lexer.and()?;
    }
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
    chars: Peekable<IntoIter<(usize, char)>>,
    end: usize,
    variables: &'a BTreeMap<String, Option<String>>,
}

/// What is known of the word that is read.
#[derive(Default)]
struct Open {
    text: String,
    start: Option<usize>,
}

impl Lexer<'_> {
    /// Words up to the end of a command.
    fn command(&mut self) -> Result<Vec<Word>, Mistake> {
        let mut words = Vec::new();
        loop {
            while self.peek().is_some_and(is_blank) {
                self.chars.next();
            }
            match self.peek() {
                None | Some('&') => return Ok(words),
                Some(_) => words.push(self.word()?),
            }
        }
    }

    fn and(&mut self) -> Result<(), Mistake> {
        let start = self.here();
        self.chars.next();
        match self.peek() {
            Some('&') => {
                self.chars.next();
                Ok(())
            }
            _ => Err(mistake(start, "a command in the background needs a shell")),
        }
    }

    fn word(&mut self) -> Result<Word, Mistake> {
        let mut open = Open { start: Some(self.here().start), ..Open::default() };
        while let Some(char) = self.peek().filter(|it| !is_blank(*it) && *it != '&') {
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
                    open.text += &value;
                }
                _ => {
                    self.check_plain(char, open.text.is_empty())?;
                    open.text.push(char);
                    self.chars.next();
                }
            }
        }
        let start = open.start.unwrap_or(self.end);
        Ok(Word { text: open.text, bytes: start..self.at() })
    }

    /// Refuses what means something to a shell.
    fn check_plain(&mut self, char: char, is_first: bool) -> Result<(), Mistake> {
        let what = match char {
            ';' | '\n' => "commands that are not joined by `&&` need a shell",
            '|' => "a pipe, or `||`, needs a shell",
            '<' | '>' => "a redirection needs a shell",
            '(' | ')' | '{' | '}' => "a group of commands needs a shell",
            '`' => "what a command prints needs a shell",
            '#' if is_first => "a comment in a command needs a shell",
            '~' if is_first => "a home directory by `~` needs a shell",
            _ if is_glob(char) => "wildcards need a shell",
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
                Some((_, char)) => open.text.push(char),
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
                '$' => open.text += &self.variable()?,
                '`' => self.check_plain(char, false)?,
                _ => {
                    self.chars.next();
                    match self.peek().filter(|next| char == '\\' && matches!(next, '"' | '$' | '\\' | '`')) {
                        Some(next) => {
                            self.chars.next();
                            open.text.push(next);
                        }
                        None => open.text.push(char),
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
            Some((_, char)) => open.text.push(char),
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
        let shown = |words: &Vec<Word>| words.iter().map(|it| it.text.clone()).collect::<Vec<_>>().join("|");
        let actual = match commands(line, '\\', &variables) {
            Ok(commands) => commands.iter().map(shown).collect::<Vec<_>>().join(" && "),
            Err(Mistake { bytes, message, .. }) => format!("`{}`: {message}", &line[bytes]),
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
    }

    #[test]
    fn what_needs_a_shell() {
        check("a;b", "`;`: commands that are not joined by `&&` need a shell");
        check("a|b", "`|`: a pipe, or `||`, needs a shell");
        check("a || b", "`|`: a pipe, or `||`, needs a shell");
        check("a > b", "`>`: a redirection needs a shell");
        check("a &", "`&`: a command in the background needs a shell");
        check("(a)", "`(`: a group of commands needs a shell");
        check("a {b,c}", "`{`: a group of commands needs a shell");
        check("a $(b)", "`$`: this form of `$` needs a shell");
        check("a \"`b`\"", "```: what a command prints needs a shell");
        check("a # b", "`#`: a comment in a command needs a shell");
        check("a ~/b", "`~`: a home directory by `~` needs a shell");
        check("a /b/*", "`*`: wildcards need a shell");
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
