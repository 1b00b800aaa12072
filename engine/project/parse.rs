//! Text to tree: every value with its place, and every syntax error of the file.
//! Does not know what any key means.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Number, Value};
use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

use super::keypath::{Inside, Places, Segment};
use super::lower::{REVEAL, SECRETS};
use crate::diagnostic::Diagnostic;
use crate::source::{Source, Span};

/// A project file as it was typed.
#[derive(Debug, Clone)]
pub struct Document {
    pub(super) source: Arc<Source>,
    pub(super) entries: Vec<Entry>,
    /// Where the syntax errors are.
    broken: Vec<Span>,
}

/// One top-level table of the file, or one top-level key.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// The name: `docker`.
    pub name: String,
    /// How it was written.
    pub form: Form,
    /// All that is in it.
    pub value: Value,
    /// Where that stands. The key is the header; for what has none, the key.
    pub places: Places,
    /// Whether a syntax error stands between this header and the next, so that a key may be missing from it or be too much.
    pub broken: bool,
}

/// How a top-level entry was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `[docker]`
    Table,
    /// `[[docker]]`
    Item,
    /// `docker = 1`
    Other,
}

impl Document {
    /// What stands in `source`, and all that is wrong with its syntax.
    pub fn parse(source: Arc<Source>) -> (Document, Vec<Diagnostic>) {
        let (mut entries, mut broken, mut diagnostics) = (Vec::new(), Vec::new(), Vec::new());
        for (start, file) in source.parts() {
            let (tree, errors) = DeTable::parse_recoverable(&file.text);
            let errors = first_per_line(&file, errors);
            diagnostics.extend(errors.iter().map(|(span, message)| syntax_error(&file, *span, message)));
            broken.extend(errors.into_iter().map(|(span, _)| span.moved(start)));
            let before = entries.len();
            for (key, value) in tree.get_ref() {
                enter(key, value, &mut entries);
            }
            entries[before..].iter_mut().for_each(|entry| entry.places.shift(start));
        }
        if entries.is_empty() && diagnostics.is_empty() {
            diagnostics.push(nothing_to_do(&source));
        }
        entries.sort_by_key(|entry| entry.places.key);
        mark_broken(&mut entries, &broken);
        let (entries, twice) = join(entries, &source);
        diagnostics.extend(twice);
        (Document { source, entries, broken }, diagnostics)
    }

    /// The file.
    pub fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// Where a top-level table stands, and all that is in it. The first, if there are several.
    pub fn table(&self, name: &str) -> Option<&Places> {
        self.entries.iter().find(|entry| entry.name == name).map(|entry| &entry.places)
    }

    /// How many keys a top-level table has.
    pub fn keys(&self, table: &str) -> usize {
        let entry = self.entries.iter().find(|entry| entry.name == table);
        entry.and_then(|entry| entry.value.as_object()).map_or(0, Map::len)
    }

    /// The secrets that the tables of a pipe ask to be granted, as they were typed, and where.
    pub fn granted(&self, pipe: &str) -> Vec<(String, Span)> {
        self.granted_by(pipe, |_| true)
    }

    /// Those of them that the tables reveal to the pipe.
    pub fn revealed(&self, pipe: &str) -> Vec<(String, Span)> {
        self.granted_by(pipe, |entry| entry.value.get(REVEAL) == Some(&Value::Bool(true)))
    }

    fn granted_by(&self, pipe: &str, which: impl Fn(&Entry) -> bool) -> Vec<(String, Span)> {
        let tables = self.entries.iter().filter(|entry| entry.name == pipe && which(entry));
        let of_table = |entry: &Entry| {
            let names = entry.value.get(SECRETS).and_then(Value::as_array).into_iter().flatten().enumerate();
            let span = |at| entry.places.get([Segment::Key(SECRETS), Segment::Item(at)]).map(|it| it.value);
            names.filter_map(|(at, name)| Some((name.as_str()?.to_owned(), span(at)?))).collect::<Vec<_>>()
        };
        tables.flat_map(of_table).collect()
    }

    /// Whether there are syntax errors: what is missing may stand where one is.
    pub fn is_broken(&self) -> bool {
        !self.broken.is_empty()
    }
}

/// A broken line breaks the next one too; that tells nothing new, but one message a line does.
fn first_per_line(source: &Source, errors: Vec<toml::de::Error>) -> Vec<(Span, String)> {
    let mut errors: Vec<(Span, String)> = errors
        .into_iter()
        .map(|error| (error.span().map_or(Span::default(), Span::from), error.message().to_owned()))
        .collect();
    errors.sort_by_key(|(span, _)| span.start);
    errors.dedup_by_key(|(span, _)| source.position(span.start).line);
    errors
}

fn syntax_error(source: &Arc<Source>, span: Span, message: &str) -> Diagnostic {
    let (message, help) = match message.split_once('\n') {
        Some((message, help)) => (message, help.trim()),
        None => (message, ""),
    };
    let message = message.trim_end_matches(',');
    let diagnostic = Diagnostic::error(format!("not TOML: {message}")).at(source, span);
    match help {
        "" => diagnostic.help(syntax_help(message)),
        help => diagnostic.help(help),
    }
}

/// What to do about the commonest mistakes.
fn syntax_help(message: &str) -> &'static str {
    match message {
        it if it.contains("duplicate key") => "a key stands once in a table; for one more table write `[[NAME]]`",
        it if it.contains("table") => "a table begins with `[NAME]` or `[[NAME]]`, on a line of its own",
        it if it.contains("string") => "texts stand in double quotes: `name = \"hello\"`",
        it if it.contains("array") => "lists are written `[\"one\", \"two\"]`",
        _ => "a line is `key = value`, `[table]` or `[[table]]`",
    }
}

fn nothing_to_do(source: &Arc<Source>) -> Diagnostic {
    Diagnostic::error("the file says nothing to do")
        .at(source, Span::default())
        .help("write what to do: `[project]` with `name = \"hello\"`, then a table, such as `[[build]]` with `tool = \"cargo\"`")
}

fn enter(key: &Spanned<std::borrow::Cow<'_, str>>, value: &Spanned<DeValue<'_>>, entries: &mut Vec<Entry>) {
    let name = key.get_ref().to_string();
    match value.get_ref() {
        DeValue::Array(items) if items.iter().all(|item| item.get_ref().is_table()) && !items.is_empty() => {
            for item in items.iter() {
                let header = Span::from(item.span());
                entries.push(entry(&name, Form::Item, header, item));
            }
        }
        DeValue::Table(_) => entries.push(entry(&name, Form::Table, Span::from(value.span()), value)),
        _ => entries.push(entry(&name, Form::Other, Span::from(key.span()), value)),
    }
}

fn entry(name: &str, form: Form, header: Span, value: &Spanned<DeValue<'_>>) -> Entry {
    let (value, places) = convert(header, value);
    Entry { name: name.to_owned(), form, value, places, broken: false }
}

/// A table that several files have is one with the keys of all. What stands in two of them is told, and is what the first says.
fn join(entries: Vec<Entry>, source: &Arc<Source>) -> (Vec<Entry>, Vec<Diagnostic>) {
    let (mut joined, mut diagnostics): (Vec<Entry>, Vec<Diagnostic>) = (Vec::new(), Vec::new());
    let mut first: BTreeMap<String, usize> = BTreeMap::new();
    for entry in entries {
        match first.get(&entry.name) {
            Some(at) if entry.form == Form::Table => diagnostics.extend(joined[*at].take_in(entry, source)),
            _ => {
                if entry.form == Form::Table {
                    first.insert(entry.name.clone(), joined.len());
                }
                joined.push(entry);
            }
        }
    }
    (joined, diagnostics)
}

impl Entry {
    /// The keys of `other` as well.
    fn take_in(&mut self, other: Entry, source: &Arc<Source>) -> Vec<Diagnostic> {
        self.broken |= other.broken;
        let (Value::Object(values), Inside::Keys(places)) = (&mut self.value, &mut self.places.inside) else {
            return Vec::new();
        };
        let (Value::Object(more), Inside::Keys(mut at)) = (other.value, other.places.inside) else { return Vec::new() };
        let mut twice = Vec::new();
        for (key, value) in more {
            let Some(place) = at.remove(&key) else { continue };
            match places.get(&key) {
                Some(first) => twice.push(
                    Diagnostic::error(format!("`{key}` of `[{}]` stands in two files", self.name))
                        .at(source, place.key)
                        .label(source, first.key, "the first")
                        .help("leave one of them out"),
                ),
                None => {
                    values.insert(key.clone(), value);
                    places.insert(key, place);
                }
            }
        }
        twice
    }
}

/// Both are sorted: one pass.
fn mark_broken(entries: &mut [Entry], broken: &[Span]) {
    let mut ends: Vec<usize> = entries.iter().skip(1).map(|entry| entry.places.key.start).collect();
    ends.push(usize::MAX);
    for (entry, end) in entries.iter_mut().zip(ends) {
        let next = broken.partition_point(|span| span.end < entry.places.key.start);
        entry.broken = broken.get(next).is_some_and(|span| span.start <= end);
    }
}

fn convert(key: Span, value: &Spanned<DeValue<'_>>) -> (Value, Places) {
    let (json, inside) = match value.get_ref() {
        DeValue::Array(items) => convert_list(items.iter()),
        DeValue::Table(table) => convert_table(table),
        leaf => (convert_leaf(leaf), Inside::Nothing),
    };
    (json, Places { key, value: Span::from(value.span()), inside })
}

fn convert_list<'a, 'i: 'a>(items: impl Iterator<Item = &'a Spanned<DeValue<'i>>>) -> (Value, Inside) {
    let (values, places) = items.map(|item| convert(Span::from(item.span()), item)).unzip();
    (Value::Array(values), Inside::Items(places))
}

fn convert_table(table: &DeTable<'_>) -> (Value, Inside) {
    let mut values = Map::new();
    let mut places = BTreeMap::new();
    for (key, value) in table {
        let (json, place) = convert(Span::from(key.span()), value);
        values.insert(key.get_ref().to_string(), json);
        places.insert(key.get_ref().to_string(), place);
    }
    (Value::Object(values), Inside::Keys(places))
}

/// What JSON has no word for, a date or an infinite number, becomes a string; where a number was wanted the schema says so.
fn convert_leaf(leaf: &DeValue<'_>) -> Value {
    match leaf {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Boolean(yes) => Value::Bool(*yes),
        DeValue::Integer(integer) => convert_integer(integer),
        DeValue::Float(float) => match float.as_str().parse().ok().and_then(Number::from_f64) {
            Some(number) => Value::Number(number),
            None => Value::String(float.as_str().to_owned()),
        },
        DeValue::Datetime(datetime) => Value::String(datetime.to_string()),
        DeValue::Array(_) | DeValue::Table(_) => Value::Null,
    }
}

fn convert_integer(integer: &DeInteger<'_>) -> Value {
    let (digits, radix) = (integer.as_str(), integer.radix());
    if let Ok(number) = i64::from_str_radix(digits, radix) {
        return Value::from(number);
    }
    let number = i128::from_str_radix(digits, radix).map_or(f64::INFINITY, |number| number as f64);
    Number::from_f64(number).map_or_else(|| Value::String(integer.to_string()), Value::Number)
}
