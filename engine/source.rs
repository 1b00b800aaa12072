//! A text of the user, and where things are in it.
//! Does not know what the text means.

use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// A text, and the path under which the user knows it.
#[derive(Debug)]
pub struct Source {
    /// As shown to the user: `forge.toml`.
    pub path: PathBuf,
    /// All of it.
    pub text: String,
    line_starts: OnceLock<Vec<usize>>,
    /// The texts that it was put together from, and where each begins. None for the text of one file.
    parts: Vec<(usize, Arc<Source>)>,
}

/// Some bytes of a source: from the first to the one after the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

/// A line and a column, both from 1; the column counts characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
}

/// Why there is no source.
#[derive(Debug, Clone)]
pub struct Unreadable {
    /// As shown to the user.
    pub path: PathBuf,
    /// What stands in the way.
    pub cause: Cause,
}

/// What stands in the way of reading a source.
#[derive(Debug, Clone)]
pub enum Cause {
    /// There is no such file in this directory.
    Missing(PathBuf),
    /// It is a directory.
    Directory,
    /// It is not UTF-8.
    NotUtf8 {
        /// The text with what is wrong replaced.
        readable: Arc<Source>,
        /// The first replacement in it.
        span: Span,
        /// The bad byte.
        byte: u8,
        /// Where it is in the file, from 0.
        offset: usize,
    },
    /// The system says no, in these words.
    System(String),
}

impl Unreadable {
    /// Whether there is no such file.
    pub fn is_missing(&self) -> bool {
        matches!(self.cause, Cause::Missing(_))
    }
}

impl Source {
    /// A text under this path.
    pub fn new(path: impl Into<PathBuf>, text: impl Into<String>) -> Arc<Source> {
        Arc::new(Source { path: path.into(), text: text.into(), line_starts: OnceLock::new(), parts: Vec::new() })
    }

    /// These texts, one after the other, under the path of the first. A place in it is one number for all of them, as in a compiler
    /// that reads many files; [`Source::locate`] tells the file again.
    pub fn joined(first: Arc<Source>, others: impl IntoIterator<Item = Arc<Source>>) -> Arc<Source> {
        let (path, mut text) = (first.path.clone(), first.text.clone());
        let mut parts = vec![(0, first)];
        for other in others {
            // Between them, so that the end of one is not the start of the next.
            text.push('\n');
            parts.push((text.len(), other.clone()));
            text.push_str(&other.text);
        }
        Arc::new(Source { path, text, line_starts: OnceLock::new(), parts })
    }

    /// The files that it is made of, each with where it begins.
    pub fn parts(self: &Arc<Source>) -> Vec<(usize, Arc<Source>)> {
        if self.parts.is_empty() { vec![(0, self.clone())] } else { self.parts.clone() }
    }

    /// The file that a place lies in, and where it is there.
    pub fn locate(self: &Arc<Source>, span: Span) -> (Arc<Source>, Span) {
        match self.parts.iter().rev().find(|(start, _)| *start <= span.start) {
            Some((start, part)) => {
                (part.clone(), part.within(Span::new(span.start - start, span.end.max(span.start) - start)))
            }
            None => (self.clone(), span),
        }
    }

    /// Reads the file at `path`, relative to `root`; the user knows it as `path`.
    pub fn read(root: &Path, path: &Path) -> Result<Arc<Source>, Unreadable> {
        let unreadable = |cause| Unreadable { path: path.to_owned(), cause };
        let file = root.join(path);
        if file.is_dir() {
            return Err(unreadable(Cause::Directory));
        }
        match fs::read(&file) {
            Ok(bytes) => Source::from_bytes(path, bytes),
            Err(error) => Err(unreadable(cause(&file, &error))),
        }
    }

    fn from_bytes(path: &Path, bytes: Vec<u8>) -> Result<Arc<Source>, Unreadable> {
        String::from_utf8(bytes).map(|text| Source::new(path, text)).map_err(|error| {
            let offset = error.utf8_error().valid_up_to();
            let byte = error.as_bytes()[offset];
            let readable = Source::new(path, String::from_utf8_lossy(error.as_bytes()).into_owned());
            let span = Span::new(offset, offset + char::REPLACEMENT_CHARACTER.len_utf8());
            Unreadable { path: path.to_owned(), cause: Cause::NotUtf8 { readable, span, byte, offset } }
        })
    }

    /// Where byte `offset` is; the end of the text for what lies behind it.
    pub fn position(&self, offset: usize) -> Position {
        let offset = boundary_before(&self.text, offset);
        let line = self.line_of(offset);
        let column = self.text[self.line_starts()[line]..offset].chars().count() + 1;
        Position { line: line + 1, column }
    }

    /// The bytes of the lines on which `span` lies, without the last line's end.
    pub fn lines_around(&self, span: Span) -> Span {
        let starts = self.line_starts();
        let start = starts[self.line_of(span.start)];
        let end = match starts.get(self.line_of(span.end.max(span.start)) + 1) {
            Some(next) => next - 1,
            None => self.text.len(),
        };
        Span::new(start, start + self.text[start..end].trim_end_matches('\r').len())
    }

    /// The text at `span`, as far as there is one.
    pub fn at(&self, span: Span) -> &str {
        let span = self.within(span);
        &self.text[span.start..span.end]
    }

    /// `span`, cut to what the text has, and never in the middle of a character.
    pub fn within(&self, span: Span) -> Span {
        within(&self.text, span)
    }

    /// The line of a byte, from 0.
    fn line_of(&self, offset: usize) -> usize {
        self.line_starts().partition_point(|start| *start <= offset) - 1
    }

    fn line_starts(&self) -> &[usize] {
        self.line_starts.get_or_init(|| {
            let newlines = self.text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
            std::iter::once(0).chain(newlines.map(|(at, _)| at + 1)).collect()
        })
    }
}

impl Span {
    /// From the first byte to the one after the last.
    pub fn new(start: usize, end: usize) -> Span {
        Span { start, end }
    }

    /// The same, so many bytes further on.
    #[must_use]
    pub fn moved(self, by: usize) -> Span {
        Span::new(self.start + by, self.end + by)
    }

    /// As a range.
    pub fn range(self) -> Range<usize> {
        self.start..self.end
    }

    /// Whether `other` lies in it.
    pub fn contains(self, other: Span) -> bool {
        self.start <= other.start && other.end <= self.end
    }
}

impl From<Range<usize>> for Span {
    fn from(range: Range<usize>) -> Span {
        Span::new(range.start, range.end)
    }
}

/// `span`, cut to what `text` has, and never in the middle of a character.
pub fn within(text: &str, span: Span) -> Span {
    let start = boundary_before(text, span.start);
    let end = (span.end.min(text.len())..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    Span::new(start, end.max(start))
}

fn boundary_before(text: &str, offset: usize) -> usize {
    (0..=offset.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

fn cause(file: &Path, error: &io::Error) -> Cause {
    match error.kind() {
        io::ErrorKind::NotFound => Cause::Missing(file.parent().unwrap_or(Path::new("")).to_owned()),
        io::ErrorKind::IsADirectory => Cause::Directory,
        _ => Cause::System(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, offset: usize, expect: (usize, usize)) {
        let position = Source::new("forge.toml", text).position(offset);
        assert_eq!((position.line, position.column), expect, "{text:?} at {offset}");
    }

    #[test]
    fn positions_count_lines_and_characters() {
        check("", 0, (1, 1));
        check("a\nb", 2, (2, 1));
        check("a\n", 2, (2, 1));
        check("é = 1", 2, (1, 2));
        check("é = 1", 1, (1, 1));
        check("a\nb", 99, (2, 2));
    }

    #[test]
    fn places_lie_in_files() {
        let other = Source::new("b.toml", "two\n");
        let both = Source::joined(Source::new("a.toml", "one"), [other]);
        let check = |span: Span, expect: (&str, &str)| {
            let (source, span) = both.locate(span);
            assert_eq!((source.path.to_str(), source.at(span)), (Some(expect.0), expect.1));
        };
        check(Span::new(0, 3), ("a.toml", "one"));
        check(Span::new(3, 3), ("a.toml", ""));
        check(Span::new(4, 7), ("b.toml", "two"));
        check(Span::new(1, 7), ("a.toml", "ne"));
    }

    #[test]
    fn lines_around_a_span() {
        let source = Source::new("forge.toml", "one\ntwo\nthree\n");
        assert_eq!(source.at(source.lines_around(Span::new(5, 6))), "two");
        assert_eq!(source.at(source.lines_around(Span::new(1, 9))), "one\ntwo\nthree");
        assert_eq!(source.at(source.lines_around(Span::new(14, 14))), "");
    }
}
