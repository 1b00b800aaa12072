//! The settings of a `[[publish]]` table: `to`, `ids`, and the keys of all destinations in one schema, each with whose it is.
//! Does not know what any of those means.

use std::borrow::Cow;

use forge_plugin::schemas::Problem;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::DESTINATIONS;

/// A table.
#[derive(Debug, Clone, Deserialize)]
pub struct Settings {
    /// The destination.
    pub to: To,
    /// Which tables to publish.
    #[serde(default)]
    pub ids: Vec<String>,
    /// What else there is: for the destination to read.
    #[serde(flatten)]
    own: Map<String, Value>,
}

/// The name of a destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct To(pub String);

/// Publishes images and manifest lists, and files: to where users get them.
#[derive(JsonSchema)]
#[schemars(rename = "Settings")]
#[expect(dead_code, reason = "the part of the schema that all destinations have")]
struct Shared {
    /// Where to:
    to: To,
    /// Which tables to publish, by id; all of them where none is given. Of images: ids of `docker` and `docker_manifest` tables;
    /// where an image and a list that holds it have one reference, the list gets it.
    #[serde(default)]
    ids: Vec<String>,
}

impl Settings {
    /// What the destination wants to know. Keys of other destinations are mistakes, and say whose they are.
    pub fn own<T: DeserializeOwned + JsonSchema>(&self) -> Result<T, Vec<Problem>> {
        let known = keys_of(&schemars::schema_for!(T));
        let strangers: Vec<Problem> =
            self.own.keys().filter(|key| !known.contains_key(*key)).map(|key| stranger(key, &self.to.0)).collect();
        if !strangers.is_empty() {
            return Err(strangers);
        }
        T::deserialize(Value::Object(self.own.clone())).map_err(|error| vec![Problem::at_key("", error.to_string())])
    }
}

fn stranger(key: &str, to: &str) -> Problem {
    let whose: Vec<String> = DESTINATIONS
        .iter()
        .filter(|it| keys_of(&(it.schema)(&mut SchemaGenerator::default())).contains_key(key))
        .map(|it| format!("`{}`", it.name))
        .collect();
    Problem::at_key(key, format!("`{key}` means nothing to `{to}`"))
        .help(format!("leave it out: it is for {}", whose.join(" and ")))
}

fn keys_of(schema: &Schema) -> Map<String, Value> {
    schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default()
}

impl JsonSchema for Settings {
    fn schema_name() -> Cow<'static, str> {
        "Settings".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = Shared::json_schema(generator);
        let mut all = keys_of(&schema);
        let whereto = DESTINATIONS.iter().map(|it| format!(" `{}` {}", it.name, it.about));
        all["to"]["description"] = format!("Where to:{}", whereto.collect::<String>()).into();
        for destination in DESTINATIONS {
            for (key, mut value) in keys_of(&(destination.schema)(generator)) {
                let about = value["description"].as_str().unwrap_or_default().to_owned();
                let about = match all.get(&key).and_then(|it| it["description"].as_str()) {
                    Some(before) => format!("{before} For `{}`: {about}", destination.name),
                    None => format!("For `{}`: {about}", destination.name),
                };
                if let Some(value) = value.as_object_mut() {
                    value.insert("description".to_owned(), about.into());
                }
                all.insert(key, value);
            }
        }
        schema.insert("properties".to_owned(), Value::Object(all));
        schema.insert("additionalProperties".to_owned(), json!(false));
        schema
    }
}

impl JsonSchema for To {
    fn schema_name() -> Cow<'static, str> {
        "Destination".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<&str> = DESTINATIONS.iter().map(|it| it.name).collect();
        schemars::json_schema!({ "type": "string", "enum": names })
    }
}
