//! Tree to project: the pipes' tables, named, their templates resolved, their settings checked.
//! Does not know what a setting means: the pipe's schema says what it must look like.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use forge_schemas::{Facts, PipeInfo, TableName};
use serde_json::{Map, Value};

use super::Soundness;
use super::keypath::Segment;
use super::parse::{Entry, Form};
use super::resolve::{Names, Resolver};
use super::schema::{Schema, Settings};
use super::{Document, Environment, Head, Neighbour, Project, Renderer, Switch, Table, Turn};
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::secrets::hidden;
use crate::source::{Source, Span};

/// The engine's own keys in every table of a pipe.
pub(super) const OWN_KEYS: &[&str] = &[ID, IF, SECRETS, REVEAL, BEFORE, AFTER];
const ID: &str = "id";
const IF: &str = "if";
pub(super) const SECRETS: &str = "secrets";
pub(super) const REVEAL: &str = "reveal";
const BEFORE: &str = "before";
const AFTER: &str = "after";

/// The project that `document` means, as far as it can be told, and all that is wrong with it.
/// `environment` is the process environment; templates see it as `env.NAME`, behind `[env]`.
pub fn lower(
    document: &Document,
    mut head: Head,
    pipes: &[&PipeInfo],
    facts: &Facts,
    environment: &Environment,
) -> (Project, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let hidden = hidden(&head.secrets, &head.registries);
    let outside = Renderer::new(facts, &BTreeMap::new(), environment, &hidden);
    head.env = resolve_env(document, head.env, &outside, &mut diagnostics);
    let renderer = Renderer::new(facts, &head.env, environment, &hidden);
    let schemas = compile(pipes, &mut diagnostics);
    let secrets = document.entries.iter().filter(|entry| entry.name == SECRETS).filter_map(|it| it.value.as_object());
    // One that is declared wrongly is told at its declaration.
    let secrets = secrets.flat_map(Map::keys).map(String::as_str).collect();
    let mut lowering = Lowering { source: document.source(), schemas, renderer: &renderer, secrets, diagnostics };
    let entries = document.entries.iter().filter(|entry| !Head::NAMES.contains(&entry.name.as_str()));
    let (entries, others): (Vec<&Entry>, Vec<&Entry>) = entries.partition(|entry| lowering.is_table_of_a_pipe(entry));
    let soundness = Soundness::of(others.is_empty() && !document.is_broken());
    let ids = lowering.ids(&entries, &head.project.name);
    let tables = entries.into_iter().zip(ids).map(|(entry, id)| lowering.table(entry, id)).collect();
    let diagnostics = lowering.diagnostics;
    let environment = renderer.environment().union(&outside.environment()).cloned().collect();
    let source = document.source().clone();
    let goals = document.entries.iter().find(|entry| entry.name == "goals").map(|entry| entry.places.clone());
    (Project { head, tables, soundness, goals, environment, source }, diagnostics)
}

/// The values of `[env]` may name facts and what is set outside.
fn resolve_env(
    document: &Document,
    env: BTreeMap<String, String>,
    renderer: &Renderer,
    diagnostics: &mut Vec<Diagnostic>,
) -> BTreeMap<String, String> {
    let entry = document.entries.iter().find(|entry| entry.name == "env");
    let Some(entry) = entry else { return env };
    let mut resolver = Resolver::new(renderer, document.source(), diagnostics);
    let resolve = |(name, text): (String, String)| {
        let place = entry.places.step(Segment::Key(&name)).unwrap_or(&entry.places);
        let text = resolver.text(text, place, None);
        (name, text)
    };
    env.into_iter().map(resolve).collect()
}

fn compile(pipes: &[&PipeInfo], diagnostics: &mut Vec<Diagnostic>) -> BTreeMap<String, Option<Schema>> {
    let mut schemas = BTreeMap::new();
    for pipe in pipes {
        let schema = Schema::compile(&pipe.name, &pipe.settings).map_err(|words| bad_schema(pipe, &words));
        schemas.insert(pipe.name.clone(), schema.map_err(|diagnostic| diagnostics.push(diagnostic)).ok());
    }
    schemas
}

fn bad_schema(pipe: &PipeInfo, words: &str) -> Diagnostic {
    Diagnostic::error(format!("the settings of the pipe `{}` can not be checked: {words}", pipe.name))
        .help("its plugin describes them by a JSON Schema that is none; ask its author")
}

struct Lowering<'a> {
    source: &'a Arc<Source>,
    /// By pipe; none for one whose schema can not be used.
    schemas: BTreeMap<String, Option<Schema>>,
    renderer: &'a Renderer,
    /// The names of `[secrets]`.
    secrets: BTreeSet<&'a str>,
    diagnostics: Vec<Diagnostic>,
}

impl Lowering<'_> {
    fn is_table_of_a_pipe(&mut self, entry: &Entry) -> bool {
        let name = &entry.name;
        if entry.broken && !self.schemas.contains_key(name) {
            return false;
        }
        let is_pipe = self.schemas.contains_key(name);
        let diagnostic = match (is_pipe, entry.form) {
            (true, Form::Item) => return true,
            (true, _) => Diagnostic::error(format!("`{name}` is a list of tables"))
                .help(format!("write `[[{name}]]`, once for each")),
            (false, Form::Other) => Diagnostic::error(format!("unknown key `{name}`")).help(self.known(name)),
            (false, _) => Diagnostic::error(format!("unknown table `{name}`")).help(self.known(name)),
        };
        self.diagnostics.push(diagnostic.at(self.source, entry.places.key));
        is_pipe && entry.form == Form::Table
    }

    /// The engine's own tables may be meant as well, but what can be added is a pipe's.
    fn known(&self, name: &str) -> String {
        let near = crate::diagnostic::nearest(name, Head::NAMES.iter().copied());
        let pipes = self.schemas.keys().map(String::as_str);
        did_you_mean(name, "the tables are", pipes.chain(near))
    }

    /// The id of every entry: given, or the project's name, then `<name>-2`, ….
    fn ids(&mut self, entries: &[&Entry], project: &str) -> Vec<String> {
        let given: Vec<Option<String>> = entries.iter().map(|entry| self.given_id(entry)).collect();
        let mut taken: HashMap<(&str, String), &Entry> = HashMap::new();
        for (entry, id) in entries.iter().zip(&given) {
            let Some(id) = id else { continue };
            match taken.get(&(entry.name.as_str(), id.clone())) {
                Some(first) => self.duplicate(entry, first, id),
                None => drop(taken.insert((&entry.name, id.clone()), entry)),
            }
        }
        let mut counts: HashMap<&str, usize> = HashMap::new();
        let entries = entries.iter().zip(given);
        entries.map(|(entry, id)| id.unwrap_or_else(|| free_id(entry, project, &taken, &mut counts))).collect()
    }

    fn given_id(&mut self, entry: &Entry) -> Option<String> {
        let id = entry.value.get(ID)?;
        let is_id = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let help = "an id is made of letters, digits, `.`, `_` and `-`, as in `id = \"image\"`";
        let message = match id.as_str() {
            Some(text) if !text.is_empty() && text.chars().all(is_id) => return Some(text.to_owned()),
            Some(text) => format!("`{text}` can not be an id"),
            None => "an id is a string".to_owned(),
        };
        self.diagnostics.push(Diagnostic::error(message).at(self.source, place_of(entry, ID)).help(help));
        None
    }

    /// The secrets that a table is granted.
    fn granted(&mut self, entry: &Entry) -> Vec<String> {
        let Some(granted) = entry.value.get(SECRETS) else { return Vec::new() };
        let place = entry.places.step(Segment::Key(SECRETS)).unwrap_or(&entry.places);
        let names: Option<Vec<&str>> = granted.as_array().and_then(|it| it.iter().map(Value::as_str).collect());
        let Some(names) = names else {
            let diagnostic = Diagnostic::error("`secrets` is a list of names").at(self.source, place.value);
            self.diagnostics.push(diagnostic.help("they are those of `[secrets]`: `secrets = [\"npm_token\"]`"));
            return Vec::new();
        };
        for (at, name) in names.iter().enumerate().filter(|(_, name)| !self.secrets.contains(**name)) {
            let place = place.step(Segment::Item(at)).unwrap_or(place);
            let help = match self.secrets.is_empty() {
                true => format!("say where it comes from: `[secrets]` and `{name} = {{ env = \"…\" }}`"),
                false => did_you_mean(name, "the secrets are", self.secrets.iter().copied()),
            };
            let diagnostic = Diagnostic::error(format!("there is no secret `{name}`"));
            self.diagnostics.push(diagnostic.at(self.source, place.value).help(help));
        }
        let names: BTreeSet<&str> = names.into_iter().collect();
        names.into_iter().map(str::to_owned).collect()
    }

    /// Those of them that its pipe may see.
    fn revealed(&mut self, entry: &Entry, granted: &[String]) -> Vec<String> {
        let Some(reveal) = entry.value.get(REVEAL) else { return Vec::new() };
        let (message, help) = match reveal.as_bool() {
            Some(true) if granted.is_empty() => {
                ("`reveal` without `secrets`", "say which: `secrets = [\"npm_token\"]`, or leave it out")
            }
            Some(true) => return granted.to_vec(),
            Some(false) => return Vec::new(),
            None => ("`reveal` is true or false", "with `reveal = true` the table's plugin sees its `secrets`"),
        };
        let diagnostic = Diagnostic::error(message).at(self.source, place_of(entry, REVEAL));
        self.diagnostics.push(diagnostic.help(help));
        Vec::new()
    }

    /// What its `if` comes to; off where that can't be told, so that what would follow from it is not told as well.
    fn switch(&mut self, entry: &Entry) -> Switch {
        let place = entry.places.step(Segment::Key(IF)).unwrap_or(&entry.places);
        let help = "it must come to `true` or `1`, or to `false`, `0` or nothing";
        let (message, help) = match entry.value.get(IF) {
            None | Some(Value::Bool(true)) => return Switch::On,
            Some(Value::Bool(false)) => return Switch::Off,
            Some(Value::String(text)) => {
                let before = self.diagnostics.len();
                let worth =
                    Resolver::new(self.renderer, self.source, &mut self.diagnostics).text(text.clone(), place, None);
                match worth.trim() {
                    // What compares comes to `True` or `False`.
                    _ if self.diagnostics.len() > before => return Switch::Off,
                    "true" | "True" | "1" => return Switch::On,
                    "false" | "False" | "0" | "" => return Switch::Off,
                    worth if worth == text.trim() => (
                        format!("`{worth}` is neither true nor false"),
                        format!("what names facts stands in braces: `if = '{{{{ branch == \"main\" }}}}'`; {help}"),
                    ),
                    worth => (
                        format!("`if` comes to `{worth}`, which is neither true nor false"),
                        format!("compare it, as in `{{{{ branch == \"main\" }}}}`: {help}"),
                    ),
                }
            }
            Some(_) => ("`if` is true, false or a template".to_owned(), help.to_owned()),
        };
        self.diagnostics.push(Diagnostic::error(message).at(self.source, place.value).help(help));
        Switch::Off
    }

    /// What its tasks come before and after.
    fn turn(&mut self, entry: &Entry) -> Turn {
        Turn { before: self.neighbours(entry, BEFORE), after: self.neighbours(entry, AFTER) }
    }

    fn neighbours(&mut self, entry: &Entry, key: &str) -> Vec<Neighbour> {
        let Some(value) = entry.value.get(key) else { return Vec::new() };
        let place = entry.places.step(Segment::Key(key)).unwrap_or(&entry.places);
        let names: Option<Vec<&str>> = value.as_array().and_then(|it| it.iter().map(Value::as_str).collect());
        let Some(names) = names else {
            let diagnostic = Diagnostic::error(format!("`{key}` is a list of names")).at(self.source, place.value);
            let help = format!("pipes and tables: `{key} = [\"build\", \"archive:hello\"]`");
            self.diagnostics.push(diagnostic.help(help));
            return Vec::new();
        };
        let span = |at| place.step(Segment::Item(at)).unwrap_or(place).value;
        names.iter().enumerate().map(|(at, name)| Neighbour { name: (*name).to_owned(), span: span(at) }).collect()
    }

    fn duplicate(&mut self, entry: &Entry, first: &Entry, id: &str) {
        let diagnostic = Diagnostic::error(format!("two `{}` tables have the id `{id}`", entry.name))
            .at(self.source, place_of(entry, ID))
            .label(self.source, place_of(first, ID), "the first")
            .help("give each its own: others name it by this");
        self.diagnostics.push(diagnostic);
    }

    fn table(&mut self, entry: &Entry, id: String) -> Table {
        let mut settings = entry.value.clone();
        if let Value::Object(keys) = &mut settings {
            OWN_KEYS.iter().for_each(|own| drop(keys.remove(*own)));
        }
        let name = TableName::new(&entry.name, id);
        let before = self.diagnostics.len();
        let switch = self.switch(entry);
        let secrets = self.granted(entry);
        let revealed = self.revealed(entry, &secrets);
        let turn = self.turn(entry);
        if let (Some(Some(schema)), false) = (self.schemas.get(&entry.name), entry.broken) {
            let mut resolver = Resolver::new(self.renderer, self.source, &mut self.diagnostics).of_table(switch);
            settings = resolver.value(settings, &entry.places, &Names::new(schema));
            let failed = resolver.failed;
            let checked = Settings { value: &settings, places: &entry.places, source: self.source };
            let is_new = |it: &Diagnostic| !it.labels.iter().any(|label| failed.contains(&label.span));
            self.diagnostics.extend(schema.check(&checked).into_iter().filter(is_new));
        }
        let soundness = Soundness::of(self.diagnostics.len() == before && !entry.broken);
        let (header, places) = (entry.places.key, entry.places.clone());
        Table { name, settings, switch, secrets, revealed, turn, soundness, header, places }
    }
}

fn free_id<'e>(
    entry: &'e Entry,
    project: &str,
    taken: &HashMap<(&str, String), &Entry>,
    counts: &mut HashMap<&'e str, usize>,
) -> String {
    let count = counts.entry(&entry.name).or_default();
    loop {
        *count += 1;
        let id = match *count {
            1 => project.to_owned(),
            count => format!("{project}-{count}"),
        };
        if !taken.contains_key(&(entry.name.as_str(), id.clone())) {
            return id;
        }
    }
}

fn place_of(entry: &Entry, key: &str) -> Span {
    entry.places.step(Segment::Key(key)).map_or(entry.places.key, |places| places.value)
}
