//! Settings against the JSON Schema of a pipe: each mistake in our words, at its key or value.
//! Does not know the settings' meaning, nor the pipe.

use std::sync::Arc;

use forge_plugin::NAMES_KEY;
use jsonschema::error::ValidationErrorKind as Kind;
use jsonschema::paths::{Location, LocationSegment};
use jsonschema::{ValidationError, Validator};
use serde_json::Value;

use super::keypath::{Places, Segment};
use super::lower::OWN_KEYS;
use super::words::{self, Wanted, is_what};
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::source::{Source, Span};

/// References and alternatives within each other, further than any honest schema goes.
const DEPTH: usize = 32;

/// A compiled schema, and whose it is.
pub(super) struct Schema {
    /// Whose settings: `docker`; empty for the file itself.
    of: String,
    root: Value,
    validator: Validator,
}

/// Settings to be checked, and where they stand.
pub(super) struct Settings<'a> {
    pub value: &'a Value,
    pub places: &'a Places,
    pub source: &'a Arc<Source>,
}

/// A step from a value into it, owned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Item(usize),
}

impl Schema {
    /// Compiles `root`, the settings of `of`. The words of the error are those of the schema's author.
    pub fn compile(of: &str, root: &Value) -> Result<Schema, String> {
        let validator = jsonschema::options().offline().build(root).map_err(|error| error.to_string())?;
        Ok(Schema { of: of.to_owned(), root: root.clone(), validator })
    }

    /// All that is wrong with `settings`.
    pub fn check(&self, settings: &Settings<'_>) -> Vec<Diagnostic> {
        if self.validator.is_valid(settings.value) {
            return Vec::new();
        }
        let mut found = Vec::new();
        for error in self.validator.iter_errors(settings.value) {
            self.tell(settings, &error, &mut found);
        }
        found.sort_by(|one, other| (one.span, &one.message).cmp(&(other.span, &other.message)));
        found.dedup();
        found.into_iter().map(|found| found.diagnostic(settings.source)).collect()
    }

    /// The names beside the facts that the template at `path` may use; none where it may use facts alone.
    pub fn names_at(&self, path: &[Step]) -> Option<Vec<&str>> {
        let names = self.at(path).into_iter().find_map(|schema| schema.get(NAMES_KEY)?.as_array())?;
        Some(names.iter().filter_map(Value::as_str).collect())
    }

    /// All that the schema says of the value at `path`.
    fn at(&self, path: &[Step]) -> Vec<&Value> {
        let mut here = self.expand(&self.root, 0);
        for step in path {
            here =
                here.into_iter().filter_map(|schema| enter(schema, step)).flat_map(|it| self.expand(it, 0)).collect();
        }
        here
    }

    /// `schema`, and all that it refers to or is made of.
    fn expand<'s>(&'s self, schema: &'s Value, depth: usize) -> Vec<&'s Value> {
        let mut all = vec![schema];
        if depth == DEPTH {
            return all;
        }
        let reference = schema.get("$ref").and_then(Value::as_str).and_then(|it| it.strip_prefix('#'));
        let referred = reference.and_then(|pointer| self.root.pointer(pointer));
        let parts = ["allOf", "anyOf", "oneOf"].into_iter().filter_map(|key| schema.get(key)?.as_array()).flatten();
        for part in referred.into_iter().chain(parts) {
            all.extend(self.expand(part, depth + 1));
        }
        all
    }

    fn wanted<'s>(&'s self, schemas: &[&'s Value]) -> Wanted {
        Wanted::of(schemas, &|schema| self.expand(schema, 0))
    }

    fn tell(&self, settings: &Settings<'_>, error: &ValidationError<'_>, found: &mut Vec<Found>) {
        let path = steps(error.instance_path());
        let value = error.instance().as_ref();
        match error.kind() {
            Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
                found.extend(unexpected.iter().map(|key| self.unknown_key(settings, &path, key)));
            }
            Kind::Required { property } => found.push(self.missing_key(settings, &path, property)),
            Kind::Type { .. } => found.push(self.wrong_type(settings, &path, value)),
            Kind::AnyOf { context } | Kind::OneOfNotValid { context } => {
                self.tell_nearest(settings, &path, value, context, found);
            }
            Kind::PropertyNames { error } => {
                let key = error.instance().as_str().unwrap_or_default().to_owned();
                let place = Found::at_key(settings, &join(&path, &key));
                let message = format!("`{key}` can not be a key of `{}`", self.name(&path));
                found.push(place.says(message, Some(self.help(&path, error.kind(), error.instance()))));
            }
            kind => {
                let message = format!("{} {}", self.subject(&path), words::wrong_value(kind, value));
                found.push(Found::at_value(settings, &path).says(message, Some(self.help(&path, kind, value))));
            }
        }
    }

    fn unknown_key(&self, settings: &Settings<'_>, path: &[Step], key: &str) -> Found {
        // In another variant of the table the key may be known.
        let known = self.keys_at(path).into_iter().filter(|known| *known != key);
        let message = match self.name(path).as_str() {
            "" => format!("unknown key `{key}`"),
            of => format!("unknown key `{key}` of `{of}`"),
        };
        let help = did_you_mean(key, "the keys are", known);
        Found::at_key(settings, &join(path, key)).says(message, Some(help))
    }

    /// The keys that a table at `path` may have.
    fn keys_at(&self, path: &[Step]) -> Vec<&str> {
        let schemas = self.at(path).into_iter();
        let tables = schemas.filter_map(|schema| schema.get("properties")?.as_object());
        let keys = tables.flat_map(|keys| keys.keys().map(String::as_str));
        // The engine takes these for itself before it asks the schema.
        let own = OWN_KEYS.iter().copied().filter(|_| path.is_empty() && !self.of.is_empty());
        keys.chain(own).collect()
    }

    fn missing_key(&self, settings: &Settings<'_>, path: &[Step], property: &Value) -> Found {
        let key = property.as_str().unwrap_or_default();
        let message = match self.name(path).as_str() {
            "" => format!("missing key `{key}`"),
            of => format!("missing key `{key}` of `{of}`"),
        };
        let path_of_key = join(path, key);
        let schemas = self.at(&path_of_key);
        let wanted = self.wanted(&schemas);
        let choices = words::choices(&schemas);
        let example = choices.first().map_or_else(|| wanted.example(), |word| format!("\"{word}\""));
        let help = format!("add `{key} = {example}`{}", words::description(&schemas));
        Found::at_key(settings, path).says(message, Some(help))
    }

    fn wrong_type(&self, settings: &Settings<'_>, path: &[Step], value: &Value) -> Found {
        let schemas = self.at(path);
        let wanted = self.wanted(&schemas);
        let message = format!("{} wants {wanted}, this is {}", self.subject(path), is_what(value));
        let found = Found::at_value(settings, path);
        let typed = settings.source.at(found.span);
        let choices = words::choices(&schemas);
        let help = match wanted.instead_of(value, typed) {
            _ if !choices.is_empty() => did_you_mean("", "it is one of", choices),
            Some(instead) => format!("write `{instead}`"),
            None => format!("it is written `{}`", wanted.example()),
        };
        found.says(message, Some(format!("{help}{}", words::description(&schemas))))
    }

    /// Of alternatives that all fail, what is wrong by the one that was most likely meant.
    fn tell_nearest(
        &self,
        settings: &Settings<'_>,
        path: &[Step],
        value: &Value,
        context: &[Vec<ValidationError<'static>>],
        found: &mut Vec<Found>,
    ) {
        if let (Some(word), false) = (value.as_str(), words::choices(&self.at(path)).is_empty()) {
            return found.push(self.no_choice(settings, path, word));
        }
        if let Some(table) = value.as_object().filter(|_| context.iter().flatten().any(is_unknown_key)) {
            let known = self.keys_at(path);
            let unknown: Vec<&String> = table.keys().filter(|key| !known.contains(&key.as_str())).collect();
            if !unknown.is_empty() && !known.is_empty() {
                return found.extend(unknown.into_iter().map(|key| self.unknown_key(settings, path, key)));
            }
        }
        if let Some(tag) = tag_of_all(context, path.len()) {
            let word = tag.last().and_then(|step| value.get(step.as_key()?)).map(words::literal).unwrap_or_default();
            return found.push(self.no_choice(settings, &tag, &word));
        }
        let of_this_form =
            |errors: &&Vec<ValidationError<'static>>| !errors.iter().any(|error| is_of_another_form(error, path.len()));
        let likely = |errors: &&Vec<ValidationError<'static>>| (tag(errors, path.len()).is_some(), errors.len());
        match context.iter().filter(of_this_form).min_by_key(likely) {
            Some(errors) => errors.iter().for_each(|error| self.tell(settings, error, found)),
            None => found.push(self.wrong_type(settings, path, value)),
        }
    }

    fn no_choice(&self, settings: &Settings<'_>, path: &[Step], word: &str) -> Found {
        let message = format!("{} can not be `{word}`", self.subject(path));
        let help = did_you_mean(word, "it is one of", words::choices(&self.at(path)));
        Found::at_value(settings, path).says(message, Some(help))
    }

    /// What to do about a value that is wrong: what it may be, and what it is for.
    fn help(&self, path: &[Step], kind: &Kind, value: &Value) -> String {
        let schemas = self.at(path);
        let description = words::description(&schemas);
        match kind {
            Kind::Pattern { pattern } => format!("it must match `{pattern}`{description}"),
            Kind::Enum { options } => {
                let options: Vec<String> = options.as_array().into_iter().flatten().map(words::literal).collect();
                did_you_mean(&words::literal(value), "it is one of", options.iter().map(String::as_str))
            }
            Kind::Constant { expected_value } => format!("it can only be `{}`", words::literal(expected_value)),
            _ => format!("it wants {}{description}", self.wanted(&schemas)),
        }
    }

    /// `` `platforms[1]` ``, or the table itself.
    fn subject(&self, path: &[Step]) -> String {
        match path {
            [] => format!("`{}`", self.of),
            path => format!("`{}`", dotted(path)),
        }
    }

    /// The name of the table at `path`: `docker`, `docker.build`.
    fn name(&self, path: &[Step]) -> String {
        match (self.of.as_str(), path) {
            (of, []) => of.to_owned(),
            ("", path) => dotted(path),
            (of, path) => format!("{of}.{}", dotted(path)),
        }
    }
}

/// A mistake, not yet a diagnostic: these can be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Found {
    span: Span,
    message: String,
    help: Option<String>,
}

impl Found {
    fn at_key(settings: &Settings<'_>, path: &[Step]) -> Found {
        Found { span: place(settings.places, path).key, message: String::new(), help: None }
    }

    fn at_value(settings: &Settings<'_>, path: &[Step]) -> Found {
        Found { span: place(settings.places, path).value, ..Found::at_key(settings, path) }
    }

    fn says(self, message: String, help: Option<String>) -> Found {
        Found { message, help, ..self }
    }

    fn diagnostic(self, source: &Arc<Source>) -> Diagnostic {
        Diagnostic { help: self.help, ..Diagnostic::error(self.message).at(source, self.span) }
    }
}

fn place<'p>(places: &'p Places, path: &[Step]) -> &'p Places {
    let mut here = places;
    for step in path {
        match here.step(step.as_segment()) {
            Some(next) => here = next,
            None => return here,
        }
    }
    here
}

/// What `schema` says of what `step` leads to.
fn enter<'s>(schema: &'s Value, step: &Step) -> Option<&'s Value> {
    match step {
        Step::Key(key) => {
            let named = schema.get("properties").and_then(|keys| keys.get(key));
            named.or_else(|| schema.get("additionalProperties").filter(|any| any.is_object()))
        }
        Step::Item(index) => {
            let named = schema.get("prefixItems").and_then(|items| items.get(index));
            named.or_else(|| schema.get("items").filter(|any| any.is_object()))
        }
    }
}

/// The key that tells the variants of a table apart, when it fits none of them.
fn tag_of_all(context: &[Vec<ValidationError<'static>>], depth: usize) -> Option<Vec<Step>> {
    let first = tag(context.first()?, depth)?;
    context.iter().all(|errors| tag(errors, depth).is_some_and(|tag| tag == first)).then_some(first)
}

/// The key that says that another variant is meant.
fn tag(errors: &[ValidationError<'static>], depth: usize) -> Option<Vec<Step>> {
    let tags = errors.iter().filter(|error| matches!(error.kind(), Kind::Constant { .. }));
    tags.map(|error| steps(error.instance_path())).find(|path| path.len() == depth + 1)
}

fn is_unknown_key(error: &ValidationError<'_>) -> bool {
    matches!(error.kind(), Kind::AdditionalProperties { .. } | Kind::UnevaluatedProperties { .. })
}

/// An alternative for another form of value: it says nothing of this one.
fn is_of_another_form(error: &ValidationError<'_>, depth: usize) -> bool {
    matches!(error.kind(), Kind::Type { .. }) && error.instance_path().segments().count() == depth
}

fn steps(location: &Location) -> Vec<Step> {
    let segments = location.segments();
    segments
        .map(|segment| match segment {
            LocationSegment::Property(key) => Step::Key(key.into_owned()),
            LocationSegment::Index(index) => Step::Item(index),
        })
        .collect()
}

fn join(path: &[Step], key: &str) -> Vec<Step> {
    path.iter().cloned().chain([Step::Key(key.to_owned())]).collect()
}

/// `platforms[1].os`
fn dotted(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Item(index) => text.push_str(&format!("[{index}]")),
            Step::Key(key) if text.is_empty() => text.push_str(key),
            Step::Key(key) => text.push_str(&format!(".{key}")),
        }
    }
    text
}

impl Step {
    fn as_key(&self) -> Option<&str> {
        match self {
            Step::Key(key) => Some(key),
            Step::Item(_) => None,
        }
    }

    fn as_segment(&self) -> Segment<'_> {
        match self {
            Step::Key(key) => Segment::Key(key),
            Step::Item(index) => Segment::Item(*index),
        }
    }
}
