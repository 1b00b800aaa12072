//! Tables of which one key says which of several things they are (`to = "github"`), each with keys of its own: all of these in one schema,
//! each with whose it is. Does not know what any of them means.

use forge_plugin::schemas::{Failure, Problem};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// One of them.
pub struct Variant {
    /// As the key says it.
    pub name: &'static str,
    /// What it does, in sentences of which the name is the subject.
    pub about: &'static str,
    /// The keys of its own.
    pub schema: fn(&mut SchemaGenerator) -> Schema,
}

/// The parameters of a step, typed.
pub fn typed<T: DeserializeOwned>(params: &Value) -> Result<T, Failure> {
    T::deserialize(params).map_err(|error| Failure::bug(format!("a step's parameters do not read: {error}")))
}

/// What the variant of this name wants to know. Keys of others are mistakes, and say whose they are; so are those that are missing.
pub fn own<T: DeserializeOwned + JsonSchema>(
    keys: &Map<String, Value>,
    name: &str,
    all: &[Variant],
) -> Result<T, Vec<Problem>> {
    let schema = schemars::schema_for!(T);
    let known = keys_of(&schema);
    let strangers = keys.keys().filter(|key| !known.contains_key(*key)).map(|key| stranger(key, name, all));
    let required = schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    let required = required.iter().filter_map(Value::as_str).filter(|key| !keys.contains_key(*key));
    let missing = required.map(|key| missing(key, &known, name));
    let problems: Vec<Problem> = strangers.chain(missing).collect();
    if !problems.is_empty() {
        return Err(problems);
    }
    T::deserialize(Value::Object(keys.clone())).map_err(|error| vec![Problem::at_key("", error.to_string())])
}

/// The schema of a table: what all variants have, and what each has of its own. `key` says which it is, and `about` begins what is said of
/// that.
pub fn schema(
    mut shared: Schema,
    key: &str,
    about: &str,
    variants: &[Variant],
    generator: &mut SchemaGenerator,
) -> Schema {
    let mut all = keys_of(&shared);
    let each = variants.iter().map(|it| format!(" `{}` {}", it.name, it.about));
    all[key]["description"] = format!("{about}{}", each.collect::<String>()).into();
    for variant in variants {
        for (key, mut value) in keys_of(&(variant.schema)(generator)) {
            let about = value["description"].as_str().unwrap_or_default().to_owned();
            let about = match all.get(&key).and_then(|it| it["description"].as_str()) {
                Some(before) => format!("{before} For `{}`: {about}", variant.name),
                None => format!("For `{}`: {about}", variant.name),
            };
            if let Some(value) = value.as_object_mut() {
                value.insert("description".to_owned(), about.into());
            }
            all.insert(key, value);
        }
    }
    shared.insert("properties".to_owned(), Value::Object(all));
    shared.insert("additionalProperties".to_owned(), json!(false));
    shared
}

/// The schema of the key that says which it is.
pub fn names(variants: &[Variant]) -> Schema {
    let names: Vec<&str> = variants.iter().map(|it| it.name).collect();
    schemars::json_schema!({ "type": "string", "enum": names })
}

fn missing(key: &str, known: &Map<String, Value>, name: &str) -> Problem {
    let about = known[key]["description"].as_str().unwrap_or_default().to_owned();
    // A `url` is spoken with a consonant.
    let article = if key.starts_with(['a', 'e', 'i', 'o']) { "an" } else { "a" };
    Problem::at_key("", format!("`{name}` wants {article} `{key}`")).help(about)
}

fn stranger(key: &str, name: &str, all: &[Variant]) -> Problem {
    let whose: Vec<String> = all
        .iter()
        .filter(|it| keys_of(&(it.schema)(&mut SchemaGenerator::default())).contains_key(key))
        .map(|it| format!("`{}`", it.name))
        .collect();
    Problem::at_key(key, format!("`{key}` means nothing to `{name}`"))
        .help(format!("leave it out: it is for {}", whose.join(" and ")))
}

fn keys_of(schema: &Schema) -> Map<String, Value> {
    schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default()
}
