//! The templates of a table: those that name facts alone become text, the others are checked and stay.
//! Does not know which is which: the schema says so.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use forge_plugin::is_template;
use serde_json::Value;

use super::keypath::{Places, Segment};
use super::schema::{Schema, Step};
use super::template::Mistake;
use super::{Renderer, Switch};
use crate::diagnostic::Diagnostic;
use crate::source::{Source, Span};

/// Resolves texts, and gathers what is wrong with them.
pub(super) struct Resolver<'a> {
    pub renderer: &'a Renderer,
    pub source: &'a Arc<Source>,
    pub diagnostics: &'a mut Vec<Diagnostic>,
    /// The values that could not be resolved: what they are worth is not known.
    pub failed: HashSet<Span>,
    switch: Switch,
}

/// Which names the templates below a value may use beside the facts.
pub(super) struct Names<'a> {
    schema: &'a Schema,
    path: Vec<Step>,
}

impl<'a> Names<'a> {
    /// From the top of a table.
    pub fn new(schema: &'a Schema) -> Names<'a> {
        Names { schema, path: Vec::new() }
    }

    fn step(&self, step: Step) -> Names<'a> {
        Names { schema: self.schema, path: self.path.iter().cloned().chain([step]).collect() }
    }
}

impl<'a> Resolver<'a> {
    /// Of texts that are needed.
    pub fn new(renderer: &'a Renderer, source: &'a Arc<Source>, diagnostics: &'a mut Vec<Diagnostic>) -> Resolver<'a> {
        Resolver { renderer, source, diagnostics, failed: HashSet::new(), switch: Switch::On }
    }

    /// Of a table's. In one that is off, values may be missing: an `if` often asks whether a variable is set that others name.
    pub fn of_table(self, switch: Switch) -> Resolver<'a> {
        Resolver { switch, ..self }
    }

    /// `value`, its templates of facts resolved.
    pub fn value(&mut self, value: Value, places: &Places, names: &Names<'_>) -> Value {
        match value {
            Value::String(text) if is_template(&text) => {
                Value::String(self.text(text, places, names.schema.names_at(&names.path)))
            }
            Value::Array(items) => {
                let items = items.into_iter().enumerate();
                let resolve = |(index, item)| {
                    let place = places.step(Segment::Item(index)).unwrap_or(places);
                    self.value(item, place, &names.step(Step::Item(index)))
                };
                Value::Array(items.map(resolve).collect())
            }
            Value::Object(keys) => {
                let resolve = |(key, value): (String, Value)| {
                    let place = places.step(Segment::Key(&key)).unwrap_or(places);
                    let value = self.value(value, place, &names.step(Step::Key(key.clone())));
                    (key, value)
                };
                Value::Object(keys.into_iter().map(resolve).collect())
            }
            other => other,
        }
    }

    /// `text`, resolved; as it is where it may use further `names`, or where something is wrong with it.
    pub fn text(&mut self, text: String, place: &Places, names: Option<Vec<&str>>) -> String {
        let mistakes = match &names {
            Some(names) => self.renderer.check(&text, names),
            None => match self.renderer.resolve(&text) {
                Ok(resolved) => return resolved,
                Err(mistakes) => mistakes,
            },
        };
        if !mistakes.is_empty() {
            self.failed.insert(place.value);
        }
        let is_told = |mistake: &Mistake| self.switch == Switch::On || !mistake.is_unset;
        for mistake in mistakes.into_iter().filter(is_told) {
            let span = within(self.source, place.value, &text, &mistake.place);
            self.diagnostics.push(told(mistake, self.source, span));
        }
        text
    }
}

fn told(mistake: Mistake, source: &Arc<Source>, span: Span) -> Diagnostic {
    Diagnostic { help: mistake.help, ..Diagnostic::error(mistake.message).at(source, span) }
}

/// Where byte `place` of the string `text`, typed at `span`, stands; all of `span` where an escape stands before it.
fn within(source: &Source, span: Span, text: &str, place: &Range<usize>) -> Span {
    let typed = source.at(span);
    let quotes = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quotes| typed.starts_with(quotes));
    let body = typed.strip_prefix(quotes.unwrap_or_default()).unwrap_or(typed);
    // A line end right behind three quotes is no part of the string (TOML, "String").
    let body = match quotes.map_or(0, str::len) {
        3 => body.strip_prefix("\r\n").or(body.strip_prefix('\n')).unwrap_or(body),
        _ => body,
    };
    let start = span.start + (typed.len() - body.len());
    match text.get(..place.end).is_some_and(|before| body.starts_with(before)) {
        true => Span::new(start + place.start, start + place.end),
        false => span,
    }
}
