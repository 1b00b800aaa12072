//! The manual of a pipe, as Markdown, from the JSON Schema of its settings.
//! Does not know the pipe: what there is to say stands in its types.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// The manual of one pipe.
pub struct Page<'a> {
    pipe: &'a Value,
    schema: &'a Value,
    facts: Vec<String>,
}

/// A table within the pipe's: its keys are told in a section of their own.
struct Section<'a> {
    title: String,
    schema: &'a Value,
}

impl<'a> Page<'a> {
    /// `pipe` as `forge plugins --json` lists it, `schema` that of the whole project file, `facts` that of the facts.
    pub fn of(pipe: &'a Value, schema: &'a Value, facts: &Value) -> Page<'a> {
        let facts = properties(facts).into_iter().flat_map(Map::keys).map(String::as_str).chain(["env.NAME"]);
        Page { pipe, schema, facts: facts.map(code).collect() }
    }

    /// The pipe's name.
    pub fn name(&self) -> &'a str {
        text_of(self.pipe, "name")
    }

    /// All of it. `example` is a project file, or empty.
    pub fn text(&self, example: &str) -> String {
        let table = &self.schema["properties"][self.name()]["items"];
        let mut page = format!("# `{}`: {}\n\n", self.name(), text_of(self.pipe, "summary"));
        let _ = writeln!(page, "{}\n", text_of(table, "description"));
        let makes: Vec<String> = array(self.pipe, "makes").iter().filter_map(Value::as_str).map(code).collect();
        let _ = writeln!(page, "Makes: {}.\n", makes.join(", "));
        if !example.is_empty() {
            let _ = writeln!(page, "```toml\n{}\n```\n", example.trim());
        }
        let facts = self.facts.join(", ");
        let _ = writeln!(page, "Every text may be a template that names facts: {facts}. Some may name more.\n");
        let mut sections = vec![Section { title: format!("[[{}]]", self.name()), schema: table }];
        let mut at = 0;
        while let Some(section) = sections.get(at) {
            let inner = self.section(section, &mut page);
            sections.extend(inner);
            at += 1;
        }
        page.truncate(page.trim_end().len());
        page + "\n"
    }

    /// Writes the keys of a table. Answers the tables within.
    fn section(&self, section: &Section<'a>, page: &mut String) -> Vec<Section<'a>> {
        let _ = writeln!(page, "## `{}`\n", section.title);
        if section.title.contains('.') {
            let _ = writeln!(page, "{}\n", text_of(section.schema, "description"));
        }
        page.push_str("| key | is | default | |\n|---|---|---|---|\n");
        let required = array(section.schema, "required");
        let mut inner = Vec::new();
        let mut choices = Vec::new();
        for (key, value) in properties(section.schema).into_iter().flatten() {
            let (told, default) = self.told(value);
            let default = if required.iter().any(|it| it == key) { "must be there".to_owned() } else { default };
            let is = self.in_words(value, Number::One);
            let _ = writeln!(page, "| `{key}` | {is} | {default} | {told} |");
            inner.extend(self.table_within(value).map(|schema| Section { title: within(&section.title, key), schema }));
            choices.extend(self.choices(value).map(|it| (key, it)));
        }
        page.push('\n');
        for (key, values) in choices {
            let _ = writeln!(page, "`{key}` is one of\n");
            for value in values {
                let _ =
                    writeln!(page, "- {}: {}", code(text_of(value, "const")), one_line(text_of(value, "description")));
            }
            page.push('\n');
        }
        inner
    }

    /// What is said of a key, with the names that its templates may use, and its default.
    fn told(&self, value: &'a Value) -> (String, String) {
        let description = one_line(text_of(value, "description"));
        let (told, default) = match description.split_once("Default: ") {
            Some((told, words)) => (told.trim_end(), words.trim_end_matches('.').to_owned()),
            None => (description.as_str(), default(value)),
        };
        let mut told = told.to_owned();
        let names: Vec<String> = self.names(value).iter().filter_map(Value::as_str).map(code).collect();
        if !names.is_empty() {
            let _ = write!(told, " Templates may name {}.", names.join(", "));
        }
        (told, default)
    }

    fn names(&self, value: &'a Value) -> &'a [Value] {
        let one_of = self.alternatives(value).into_iter().map(|it| self.names(it)).find(|it| !it.is_empty());
        if let Some(names) = one_of {
            return names;
        }
        let value = self.resolve(value);
        let inside = ["items", "additionalProperties"].into_iter().filter_map(|it| value.get(it));
        match array(value, "x-forge-names") {
            [] => inside.filter(|it| it.is_object()).map(|it| self.names(it)).find(|it| !it.is_empty()).unwrap_or(&[]),
            names => names,
        }
    }

    /// What a value is: `list of strings`.
    fn in_words(&self, value: &'a Value, number: Number) -> String {
        if let several @ [_, _, ..] = self.alternatives(value).as_slice() {
            return several.iter().map(|it| self.in_words(it, number)).collect::<Vec<_>>().join(" or ");
        }
        let value = self.resolve(value);
        if let Some(values) = value.get("enum").and_then(Value::as_array) {
            return values.iter().filter_map(Value::as_str).map(code).collect::<Vec<_>>().join(", ");
        }
        if value.get("oneOf").is_some() {
            return number.of("word", "words");
        }
        let words: Vec<String> = types(value).into_iter().map(|it| self.type_in_words(it, value, number)).collect();
        words.join(" or ")
    }

    fn type_in_words(&self, kind: &str, value: &'a Value, number: Number) -> String {
        match kind {
            "array" => number.of("list of ", "lists of ") + &self.in_words(&value["items"], Number::Many),
            "object" => match value.get("additionalProperties").filter(|it| it.is_object()) {
                Some(inside) => number.of("table of ", "tables of ") + &self.in_words(inside, Number::Many),
                None => number.of("table", "tables"),
            },
            "boolean" => "`true` or `false`".to_owned(),
            "integer" => number.of("integer", "integers"),
            other => number.of(other, &format!("{other}s")),
        }
    }

    /// The table that a value is, or that the items of a list are.
    fn table_within(&self, value: &'a Value) -> Option<&'a Value> {
        let items = self.resolve(value).get("items");
        let tables =
            [Some(value), items].into_iter().flatten().flat_map(|it| self.alternatives(it).into_iter().chain([it]));
        tables.map(|it| self.resolve(it)).find(|it| properties(it).is_some())
    }

    /// What a value may be, where that is one of several things.
    fn alternatives(&self, value: &'a Value) -> Vec<&'a Value> {
        let value = match value.get("$ref").and_then(Value::as_str) {
            Some(path) => self.schema.pointer(path.trim_start_matches('#')).unwrap_or(&Value::Null),
            None => value,
        };
        array(value, "anyOf").iter().filter(|it| it["type"] != "null").collect::<Vec<_>>()
    }

    /// The words that a value may be, where each is told.
    fn choices(&self, value: &'a Value) -> Option<&'a Vec<Value>> {
        let value = self.resolve(value);
        let value = value.get("items").map_or(value, |it| self.resolve(it));
        value.get("oneOf")?.as_array().filter(|it| it.iter().all(|value| value.get("const").is_some()))
    }

    /// What a reference refers to, and of a value that may be absent what it is when it is there.
    fn resolve(&self, value: &'a Value) -> &'a Value {
        let one = value.get("anyOf").and_then(Value::as_array).and_then(|it| it.iter().find(|it| it["type"] != "null"));
        let here = one.unwrap_or(value);
        match here.get("$ref").and_then(Value::as_str) {
            Some(path) => self.resolve(self.schema.pointer(path.trim_start_matches('#')).unwrap_or(&Value::Null)),
            None => here,
        }
    }
}

/// How many of a thing are spoken of.
#[derive(Clone, Copy)]
enum Number {
    One,
    Many,
}

impl Number {
    fn of(self, one: &str, many: &str) -> String {
        match self {
            Number::One => one.to_owned(),
            Number::Many => many.to_owned(),
        }
    }
}

/// `build.hooks` within `[[build]]`, `build.hooks.x` within that.
fn within(title: &str, key: &str) -> String {
    format!("{}.{key}", title.trim_matches(['[', ']']))
}

fn types(value: &Value) -> Vec<&str> {
    match &value["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).filter(|it| *it != "null").collect(),
        one => one.as_str().into_iter().collect(),
    }
}

fn properties(schema: &Value) -> Option<&Map<String, Value>> {
    schema.get("properties")?.as_object()
}

fn array<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text_of<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The default, where it says something.
fn default(value: &Value) -> String {
    match value.get("default") {
        None | Some(Value::Null) => String::new(),
        Some(Value::Array(items)) if items.is_empty() => String::new(),
        Some(Value::Object(keys)) if keys.values().all(|it| it.as_array().is_some_and(Vec::is_empty)) => String::new(),
        Some(Value::String(text)) if text.is_empty() => String::new(),
        Some(value) => code(&value.to_string()),
    }
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

/// In a cell of a table there are no lines, and no bars.
fn one_line(text: &str) -> String {
    text.replace("\n\n", " ").replace('\n', " ").replace('|', "\\|")
}
