//! The JSON Schema of a whole project file, for editors.
//! Does not check anything: the engine checks each table by its pipe's schema, and says more.

use forge_schemas::PipeInfo;
use schemars::schema_for;
use serde_json::{Map, Value, json};

use super::Head;

/// The schema, draft 2020-12, of a file in which these pipes have tables.
pub fn file_schema(pipes: &[&PipeInfo]) -> Value {
    let mut schema = schema_for!(Head).to_value();
    let mut definitions = take(&mut schema, "$defs");
    let mut tables = take(&mut schema, "properties");
    for pipe in pipes {
        let mut settings = pipe.settings.clone();
        move_references(&mut settings, &pipe.name);
        let own = take(&mut settings, "$defs");
        definitions.extend(own.into_iter().map(|(name, definition)| (format!("{}.{name}", pipe.name), definition)));
        allow_own_keys(&mut settings);
        let table = json!({ "type": "array", "description": pipe.summary, "items": settings });
        tables.insert(pipe.name.clone(), table);
    }
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("title".to_owned(), json!("forge.toml"));
        schema.insert("$defs".to_owned(), Value::Object(definitions));
        schema.insert("properties".to_owned(), Value::Object(tables));
    }
    schema
}

fn take(schema: &mut Value, key: &str) -> Map<String, Value> {
    match schema.as_object_mut().and_then(|schema| schema.remove(key)) {
        Some(Value::Object(map)) => map,
        _ => Map::new(),
    }
}

/// Two pipes may call different things by one name.
fn move_references(schema: &mut Value, pipe: &str) {
    match schema {
        Value::Object(map) => {
            for (key, value) in map {
                match value {
                    Value::String(reference) if key == "$ref" => {
                        *reference = reference.replacen("#/$defs/", &format!("#/$defs/{pipe}."), 1);
                    }
                    value => move_references(value, pipe),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| move_references(item, pipe)),
        _ => {}
    }
}

/// `id`, `if`, `secrets`, `reveal`, `before` and `after` are the engine's keys: where a table takes no unknown keys, it takes these.
fn allow_own_keys(settings: &mut Value) {
    let Some(settings) = settings.as_object_mut() else { return };
    settings.remove("$schema");
    for variants in ["oneOf", "anyOf", "allOf"] {
        settings.get_mut(variants).and_then(Value::as_array_mut).into_iter().flatten().for_each(allow_own_keys);
    }
    if let Some(properties) = settings.entry("properties").or_insert_with(|| json!({})).as_object_mut() {
        let id = json!({ "type": "string", "pattern": "^[A-Za-z0-9._-]+$", "description": "What others name it by" });
        properties.insert("id".to_owned(), id);
        let condition = json!({
            "type": ["boolean", "string"],
            "description": "Whether it makes anything at all: what comes to `false`, `0` or nothing turns it off, and with it what takes from it alone. Default: `true`",
        });
        properties.insert("if".to_owned(), condition);
        let secrets = json!({
            "type": "array",
            "items": { "type": "string" },
            "description": "The names of `[secrets]` that its programs may see",
        });
        properties.insert("secrets".to_owned(), secrets);
        let reveal = json!({ "type": "boolean", "description": "Whether its plugin may see these secrets itself" });
        properties.insert("reveal".to_owned(), reveal);
        let names = |what: &str| json!({ "type": "array", "items": { "type": "string" }, "description": what });
        let before =
            names("Pipes (`build`) and tables (`build:hello`) that wait for it, besides those that take what it makes");
        properties.insert("before".to_owned(), before);
        let after = names("Pipes and tables that it waits for, besides those that it takes from");
        properties.insert("after".to_owned(), after);
    }
}
