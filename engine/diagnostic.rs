//! A mistake of the user: what is wrong, where, and what to do about it.
//! Does not know how it is shown.

use std::fmt::Write as _;
use std::sync::Arc;

use crate::source::{Cause, Source, Span, Unreadable};

/// What is wrong, where, and what to do about it. All are gathered, then told together.
#[derive(Debug, Clone)]
pub struct Diagnostic {
    /// Whether it stands in the way.
    pub severity: Severity,
    /// A phrase, lower case, no full stop, backticks around what the user typed.
    pub message: String,
    /// Where: the first has the caret, the others explain. None for what has no place in a text.
    pub labels: Vec<Label>,
    /// What to do about it.
    pub help: Option<String>,
}

/// Whether a diagnostic stands in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing is built.
    Error,
    /// To be told, no more.
    Warning,
}

/// A place in a source, and what is to be said of it.
#[derive(Debug, Clone)]
pub struct Label {
    /// The source.
    pub source: Arc<Source>,
    /// The place.
    pub span: Span,
    /// What is to be said of it; may be empty.
    pub text: String,
}

impl Diagnostic {
    /// An error that has no place in a text.
    pub fn error(message: impl Into<String>) -> Diagnostic {
        Diagnostic { severity: Severity::Error, message: message.into(), labels: Vec::new(), help: None }
    }

    /// A warning that has no place in a text.
    pub fn warning(message: impl Into<String>) -> Diagnostic {
        Diagnostic { severity: Severity::Warning, ..Diagnostic::error(message) }
    }

    /// The same at one more place.
    #[must_use]
    pub fn at(self, source: &Arc<Source>, span: Span) -> Diagnostic {
        self.label(source, span, "")
    }

    /// The same at one more place, of which something is to be said.
    #[must_use]
    pub fn label(mut self, source: &Arc<Source>, span: Span, text: impl Into<String>) -> Diagnostic {
        let (source, span) = source.locate(span);
        self.labels.push(Label { source, span, text: text.into() });
        self
    }

    /// The same, with what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help = Some(help.into());
        self
    }

    /// Whether it stands in the way.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl From<Unreadable> for Diagnostic {
    fn from(unreadable: Unreadable) -> Diagnostic {
        let path = unreadable.path.display();
        match unreadable.cause {
            Cause::Missing(directory) => Diagnostic::error(format!("`{path}` does not exist"))
                .help(format!("it was looked for in {}", directory_in_words(&directory))),
            Cause::Directory => Diagnostic::error(format!("`{path}` is a directory"))
                .help(format!("name the file in it: `{}`", unreadable.path.join("FILE").display())),
            Cause::NotUtf8 { readable, span, byte, offset } => {
                Diagnostic::error(format!("`{path}` is not UTF-8: byte {offset} is 0x{byte:02x}"))
                    .at(&readable, span)
                    .help("save the file as UTF-8")
            }
            Cause::System(words) => Diagnostic::error(format!("`{path}` can not be read: {words}"))
                .help("look at the file's owner and permissions"),
        }
    }
}

fn directory_in_words(directory: &std::path::Path) -> String {
    match directory.as_os_str().is_empty() || directory == "." {
        true => "the current directory".to_owned(),
        false => format!("`{}`", directory.display()),
    }
}

/// The names that `word` was probably meant to be, the nearest first.
pub fn nearest<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let limit = (word.chars().count() / 3).max(1);
    let lower = word.to_lowercase();
    let mut near: Vec<(usize, usize, &str)> = names
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&lower, &name.to_lowercase()), name.len().abs_diff(word.len()), name))
        .filter(|(distance, ..)| *distance <= limit)
        .collect();
    near.sort_unstable();
    near.dedup();
    near.into_iter().take(3).map(|(.., name)| name).collect()
}

/// Help for an unknown `word`: the nearest names, then all `names` there are, which `they` introduces (`known keys are`).
pub fn did_you_mean<'a>(word: &str, they: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    let mut names: Vec<&str> = names.into_iter().collect();
    names.sort_unstable();
    names.dedup();
    let near = nearest(word, names.iter().copied());
    let mut help = String::new();
    if !near.is_empty() {
        let _ = write!(help, "did you mean {}? ", list(near, " or "));
    }
    match names.is_empty() {
        true => help.push_str("there are none"),
        false => {
            let _ = write!(help, "{they} {}", list(names, ", "));
        }
    }
    help
}

/// Names in backticks: `` `a`, `b` ``; of many the first thirty.
pub fn list<'a>(names: impl IntoIterator<Item = &'a str>, between: &str) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match names.len() {
        0..=32 => names.join(between),
        many => format!("{} and {} more", names[..30].join(between), many - 30),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use expect_test::{Expect, expect};

    use super::*;
    use crate::report::diagnostics::{Colour, render};

    /// A file of these bytes, or none, or a directory.
    fn check_read(name: &str, content: Option<&[u8]>, expect: Expect) {
        let directory = tempfile::tempdir().unwrap();
        if let Some(content) = content {
            fs::write(directory.path().join("forge.toml"), content).unwrap();
        }
        let unreadable = Source::read(directory.path(), Path::new(name)).unwrap_err();
        let rendered = render(&[unreadable.into()], Colour::Plain);
        expect.assert_eq(&rendered.replace(&directory.path().display().to_string(), "/DIR"));
    }

    #[test]
    fn what_can_not_be_read() {
        check_read(
            "forge.toml",
            None,
            expect![[r#"
            error: `forge.toml` does not exist
             |
             = help: it was looked for in `/DIR`

        "#]],
        );
        check_read(
            ".",
            None,
            expect![[r#"
            error: `.` is a directory
             |
             = help: name the file in it: `./FILE`

        "#]],
        );
        check_read(
            "forge.toml",
            Some(b"[project]\nname = \"h\xe9llo\" # \xff\n"),
            expect![[r#"
            error: `forge.toml` is not UTF-8: byte 19 is 0xe9
             --> forge.toml:2:10
              |
            2 | name = "h�llo" # �
              |          ^
              |
              = help: save the file as UTF-8

        "#]],
        );
        check_read(
            "forge.toml",
            Some(b"\xff\xfea\0"),
            expect![[r#"
            error: `forge.toml` is not UTF-8: byte 0 is 0xff
             --> forge.toml:1:1
              |
            1 | ��a␀
              | ^
              |
              = help: save the file as UTF-8

        "#]],
        );
        check_read(
            "forge.toml/x",
            Some(b""),
            expect![[r#"
            error: `forge.toml/x` can not be read: Not a directory (os error 20)
             |
             = help: look at the file's owner and permissions

        "#]],
        );
    }

    fn check_nearest(word: &str, expect: &str) {
        assert_eq!(did_you_mean(word, "known are", ["image", "images", "tags", "platforms"]), expect);
    }

    #[test]
    fn nearest_names_first() {
        check_nearest("imagse", "did you mean `images` or `image`? known are `image`, `images`, `platforms`, `tags`");
        check_nearest("tag", "did you mean `tags`? known are `image`, `images`, `platforms`, `tags`");
        check_nearest("Tags", "did you mean `tags`? known are `image`, `images`, `platforms`, `tags`");
        check_nearest("zzz", "known are `image`, `images`, `platforms`, `tags`");
        check_nearest("", "known are `image`, `images`, `platforms`, `tags`");
    }
}
