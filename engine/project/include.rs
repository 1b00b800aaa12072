//! Which files a project file includes, and where it says so.
//! Does not read them, nor know what stands in them.

use std::sync::Arc;

use serde_json::Value;

use super::Document;
use super::keypath::Segment;
use super::parse::Entry;
use crate::diagnostic::Diagnostic;
use crate::source::{Source, Span};

/// A path or glob of `[include]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Included {
    /// As it was typed.
    pub pattern: String,
    /// Where that stands.
    pub span: Span,
}

/// What the file `source` includes. What is wrong with the table itself is told where all tables are checked.
pub fn included(source: &Arc<Source>) -> Vec<Included> {
    // Most files include nothing, and need not be parsed twice.
    if !source.text.contains(INCLUDE) {
        return Vec::new();
    }
    let (document, _) = Document::parse(source.clone());
    document.entries.iter().filter(|entry| entry.name == INCLUDE).flat_map(of_entry).collect()
}

/// What to say of an included file that includes others: which files there are must be seen in one place.
pub fn nested(source: &Arc<Source>) -> Option<Diagnostic> {
    let first = included(source).into_iter().next()?;
    let message = "an included file can't include others";
    Some(Diagnostic::error(message).at(source, first.span).help("name it in the `[include]` of the project file"))
}

const INCLUDE: &str = "include";

fn of_entry(entry: &Entry) -> Vec<Included> {
    let files = entry.value.get("files").and_then(Value::as_array);
    let of_item = |(at, item): (usize, &Value)| {
        let place = entry.places.get([Segment::Key("files"), Segment::Item(at)])?;
        Some(Included { pattern: item.as_str()?.to_owned(), span: place.value })
    };
    files.into_iter().flatten().enumerate().filter_map(of_item).collect()
}
