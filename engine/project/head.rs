//! The tables of the project file that the engine itself knows: what is not one of these is a pipe's.
//! Does not know facts: the name of the project is needed to have them.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use schemars::{JsonSchema, schema_for};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Document;
use super::keypath::{Inside, Places};
use super::parse::{Entry, Form};
use super::schema::{Schema, Settings};
use crate::diagnostic::Diagnostic;
use crate::plugins::Wanted;
use crate::registries::Registries;
use crate::secrets::Declared;
use crate::source::Span;

/// `[project]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProjectTable {
    /// What the project is called.
    #[schemars(regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"))]
    pub name: String,
    /// One line for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where people find it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub homepage: Option<String>,
    /// Its licence, an SPDX expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
}

/// `[include]`: further files of the same form, whose tables are read as if they stood at the end of this one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Include {
    /// The files: paths and globs, relative to this file. Those of a glob are read in the order of their names. Paths in them are relative to this
    /// file as well. A table that both have (`[env]`, `[secrets]`) has the keys of both; none may stand twice. They include no others.
    pub files: Vec<String>,
}

/// `[run]`: how many steps run side by side.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RunLimits {
    /// Steps that compute. Default: one more than there are processors.
    #[schemars(range(min = 1))]
    pub jobs: Option<u32>,
    /// Steps that each may want all the memory there is. Default: 1.
    #[schemars(range(min = 1))]
    pub memory: Option<u32>,
    /// Steps that wait for others. Default: 8.
    #[schemars(range(min = 1))]
    pub network: Option<u32>,
}

/// All of the engine's own tables.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// What the project is.
    pub project: ProjectTable,
    /// Further files whose tables are read as well.
    #[serde(default)]
    pub include: Include,
    /// Variables for templates and for every program that is started.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Names for what is run together: each for pipes, tables, tasks or other goals.
    #[serde(default)]
    pub goals: BTreeMap<String, Vec<String>>,
    /// How many steps run side by side.
    #[serde(default)]
    pub run: RunLimits,
    /// How registries are spoken to, by host.
    #[serde(default)]
    pub registries: Registries,
    /// Where secrets come from, by name. A table is granted some with `secrets = ["name"]`: its programs, and no others,
    /// see each as an environment variable, the name in capitals.
    #[serde(default)]
    #[schemars(extend("propertyNames" = { "pattern": "^[a-z][a-z0-9_]*$" }))]
    pub secrets: Declared,
    /// Plugins of third parties, by the name that each gives itself. Every other top-level table is that of a pipe.
    #[serde(default)]
    #[schemars(extend("propertyNames" = { "pattern": "^[a-z0-9][a-z0-9-]*$" }))]
    pub plugins: Wanted,
}

impl Head {
    /// Their names.
    pub const NAMES: &'static [&'static str] =
        &["project", "include", "env", "goals", "run", "registries", "secrets", "plugins"];
}

impl Head {
    /// What the engine's own tables of `document` say, as far as it can be told, and all that is wrong with them.
    pub fn read(document: &Document) -> (Head, Vec<Diagnostic>) {
        let mut diagnostics = Vec::new();
        let mut tables = Map::new();
        let mut places = BTreeMap::new();
        for entry in document.entries.iter().filter(|entry| Head::NAMES.contains(&entry.name.as_str())) {
            match entry.form {
                Form::Item => diagnostics.push(written_as_list(document, entry)),
                _ => drop(tables.insert(entry.name.clone(), entry.value.clone())),
            }
            places.insert(entry.name.clone(), entry.places.clone());
        }
        if !tables.contains_key("project") {
            if !document.is_broken() && !document.entries.is_empty() && !places.contains_key("project") {
                diagnostics.push(nameless(document));
            }
            tables.insert("project".to_owned(), json!({ "name": UNNAMED }));
        }
        let places = Places { key: Span::default(), value: Span::default(), inside: Inside::Keys(places) };
        diagnostics.extend(check(document, &Value::Object(tables.clone()), &places));
        (read_all(tables), diagnostics)
    }
}

/// What a project is called whose name can not be told.
const UNNAMED: &str = "unnamed";

/// Each table by itself, so that a mistake in one does not hide the others.
fn read_all(mut tables: Map<String, Value>) -> Head {
    let project = read(&mut tables, "project");
    Head {
        project: project.unwrap_or_else(|| ProjectTable { name: UNNAMED.to_owned(), ..ProjectTable::default() }),
        include: read(&mut tables, "include").unwrap_or_default(),
        env: read(&mut tables, "env").unwrap_or_default(),
        goals: read(&mut tables, "goals").unwrap_or_default(),
        run: read(&mut tables, "run").unwrap_or_default(),
        registries: read(&mut tables, "registries").unwrap_or_default(),
        secrets: read_each(&mut tables, "secrets"),
        plugins: read_each(&mut tables, "plugins"),
    }
}

/// Each by itself as well: what one of them hides stays hidden when another is wrong.
fn read_each<T: DeserializeOwned>(tables: &mut Map<String, Value>, name: &str) -> BTreeMap<String, T> {
    let Some(Value::Object(entries)) = tables.remove(name) else { return BTreeMap::new() };
    entries.into_iter().filter_map(|(name, entry)| Some((name, serde_json::from_value(entry).ok()?))).collect()
}

/// The schema has told what is wrong with it.
fn read<T: DeserializeOwned>(tables: &mut Map<String, Value>, name: &str) -> Option<T> {
    tables.remove(name).and_then(|table| serde_json::from_value(table).ok())
}

fn check(document: &Document, value: &Value, places: &Places) -> Vec<Diagnostic> {
    static SCHEMA: LazyLock<Result<Schema, String>> =
        LazyLock::new(|| Schema::compile("", &schema_for!(Head).to_value()));
    match SCHEMA.as_ref() {
        Ok(_) if document.is_broken() => Vec::new(),
        Ok(schema) => schema.check(&Settings { value, places, source: document.source() }),
        Err(words) => vec![Diagnostic::error(format!("the engine's own tables can not be checked: {words}"))],
    }
}

fn written_as_list(document: &Document, entry: &Entry) -> Diagnostic {
    Diagnostic::error(format!("`{}` is one table", entry.name))
        .at(document.source(), entry.places.key)
        .help(format!("write `[{}]`", entry.name))
}

fn nameless(document: &Document) -> Diagnostic {
    Diagnostic::error("the project has no name")
        .at(document.source(), Span::default())
        .help("begin with `[project]` and `name = \"…\"`")
}
