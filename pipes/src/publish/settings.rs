//! The settings of a `[[publish]]` table: `to`, `ids`, and the keys of all destinations in one schema, each with whose it is.
//! Does not know what any of those means.

use std::borrow::Cow;

use forge_plugin::schemas::Problem;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::DESTINATIONS;
use crate::table::variants::{self, Variant};

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
        variants::own(&self.own, &self.to.0, &all())
    }
}

fn all() -> Vec<Variant> {
    DESTINATIONS.iter().map(|it| Variant { name: it.name, about: it.about, schema: it.schema }).collect()
}

impl JsonSchema for Settings {
    fn schema_name() -> Cow<'static, str> {
        "Settings".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let shared = Shared::json_schema(generator);
        variants::schema(shared, "to", "Where to:", &all(), generator)
    }
}

impl JsonSchema for To {
    fn schema_name() -> Cow<'static, str> {
        "Destination".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        variants::names(&all())
    }
}
