//! What `chmod` makes of permissions: in octal, or in letters as POSIX has them.
//! Does not know files.

use serde::{Deserialize, Serialize};

const SET_IDS: u32 = 0o6000;

/// How permissions become others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// They become these.
    Exact(u32),
    /// They become others by clauses, one after the other.
    Clauses(Vec<Clause>),
}

/// One of `u+x,go-w`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clause {
    /// All that it may change.
    who: u32,
    action: Action,
    bits: u32,
    /// Whether `X` is among the letters.
    executable_too: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Action {
    Add,
    Remove,
    Set,
}

/// Which sort of thing it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// A directory.
    Directory,
    /// Anything else.
    File,
}

impl Mode {
    /// From the word that `chmod` is given. A phrase, where what it does depends on more than POSIX says.
    pub fn parse(text: &str) -> Result<Mode, String> {
        let bad = || format!("what the mode `{text}` does is not known here");
        if let Ok(mode) = crate::docker::values::mode(text) {
            return if text.starts_with('+') { Err(bad()) } else { Ok(Mode::Exact(mode)) };
        }
        let clauses: Option<Vec<Vec<Clause>>> = text.split(',').map(clauses).collect();
        clauses.map(|all| Mode::Clauses(all.concat())).ok_or_else(bad)
    }

    /// From the value of `--chmod`, whose letters know no umask.
    pub fn of_option(text: &str) -> Result<Mode, String> {
        let mode = Mode::parse(text).map_err(|_| format!("`{text}` is not a mode"))?;
        let has_umask = |clause: &str| !clause.starts_with(['u', 'g', 'o', 'a']) && clause.contains('w');
        match (&mode, text.split(',').any(has_umask)) {
            (Mode::Clauses(_), true) => Err(format!("whose permissions `{text}` changes is not said")),
            _ => Ok(mode),
        }
    }

    /// What `mode` becomes. Nothing, where programs differ.
    pub fn apply(&self, mode: u32, of: Of) -> Option<u32> {
        // Some keep these bits of a directory, unless the new mode is written with five digits.
        let differs = of == Of::Directory && mode & SET_IDS != 0;
        match self {
            Mode::Exact(_) if differs => None,
            Mode::Exact(exact) => Some(*exact),
            Mode::Clauses(clauses) => clauses.iter().try_fold(mode, |mode, clause| match clause.action {
                Action::Set if differs => None,
                _ => Some(clause.apply(mode, of)),
            }),
        }
    }
}

impl Clause {
    fn apply(self, mode: u32, of: Of) -> u32 {
        let executable = self.executable_too && (of == Of::Directory || mode & 0o111 != 0);
        let bits = (self.bits | if executable { 0o111 } else { 0 }) & self.who;
        match self.action {
            Action::Add => mode | bits,
            Action::Remove => mode & !bits,
            // What is set leaves the sticky bit alone, but for all.
            Action::Set => mode & !self.who | bits,
        }
    }
}

/// `go+r-w` as its clauses.
fn clauses(text: &str) -> Option<Vec<Clause>> {
    let start = text.find(['+', '-', '='])?;
    let (who, mut rest) = text.split_at(start);
    let mask = who.chars().try_fold(0, |mask, char| {
        Some(
            mask | match char {
                'u' => 0o4700,
                'g' => 0o2070,
                'o' => 0o0007,
                'a' => 0o7777,
                _ => return None,
            },
        )
    })?;
    let mut clauses = Vec::new();
    while let Some(sign) = rest.chars().next() {
        let end = rest[1..].find(['+', '-', '=']).map_or(rest.len(), |at| at + 1);
        clauses.push(clause(mask, sign, &rest[1..end])?);
        rest = &rest[end..];
    }
    Some(clauses)
}

fn clause(mask: u32, sign: char, letters: &str) -> Option<Clause> {
    let action = match sign {
        '+' => Action::Add,
        '-' => Action::Remove,
        _ => Action::Set,
    };
    let (mut bits, mut executable_too) = (0, false);
    for letter in letters.chars() {
        match letter {
            'r' => bits |= 0o444,
            'w' => bits |= 0o222,
            'x' => bits |= 0o111,
            'X' => executable_too = true,
            's' if mask & SET_IDS != 0 && mask != 0o7777 => bits |= SET_IDS,
            't' if mask == 0o7777 => bits |= 0o1000,
            _ => return None,
        }
    }
    // For nobody in particular the umask counts, which takes nothing of these.
    let is_plain = action == Action::Add && bits & 0o222 == 0;
    match mask {
        0 if !is_plain => None,
        0 => Some(Clause { who: 0o777, action, bits, executable_too }),
        who => Some(Clause { who, action, bits, executable_too }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, mode: u32, of: Of, expect: &str) {
        let actual = match Mode::parse(text) {
            Ok(parsed) => parsed.apply(mode, of).map_or_else(|| "differs".to_owned(), |it| format!("{it:o}")),
            Err(message) => message,
        };
        assert_eq!(actual, expect, "of {text} on {mode:o}");
    }

    #[test]
    fn modes() {
        use Of::{Directory, File};
        check("755", 0o644, File, "755");
        check("04755", 0o644, File, "4755");
        check("755", 0o2755, Directory, "differs");
        check("755", 0o4755, File, "755");
        check("+x", 0o644, File, "755");
        check("a+x", 0o600, File, "711");
        check("u+x,go-r", 0o644, File, "700");
        check("u=rwx,g=rx,o=", 0o644, File, "750");
        check("u=rw", 0o2755, Directory, "differs");
        check("g+w", 0o2755, Directory, "2775");
        check("a+rX", 0o600, File, "644");
        check("a+rX", 0o700, File, "755");
        check("go=u", 0o700, File, "what the mode `go=u` does is not known here");
        check("u+s,g+s", 0o755, File, "6755");
        check("u=rx", 0o6755, File, "2555");
        check("a+t", 0o777, Directory, "1777");
        check("+w", 0o444, File, "what the mode `+w` does is not known here");
        check("+t", 0o777, Directory, "what the mode `+t` does is not known here");
        check("8", 0o777, File, "what the mode `8` does is not known here");
        check("+7", 0o777, File, "what the mode `+7` does is not known here");
        check("u", 0o777, File, "what the mode `u` does is not known here");
        check("ug+rw-x", 0o755, File, "665");
    }
}
