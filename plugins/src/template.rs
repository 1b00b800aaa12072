//! A value of the project file that may name more than facts, because it is resolved once a platform.
//! Does not render: the engine does, for every pipe alike.

use std::borrow::Cow;
use std::marker::PhantomData;

use forge_schemas::{Failure, Platform};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Host;

/// The key of a JSON Schema under which a template says which names it may use beside the facts.
pub const NAMES_KEY: &str = "x-forge-names";

/// A text that may name the facts and the names of `N`. Any other text of the project file may name facts alone, and
/// arrives at the pipe resolved.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent, bound = "")]
pub struct Template<N = PlatformNames> {
    text: String,
    #[serde(skip)]
    names: PhantomData<fn() -> N>,
}

/// A template that waits for names which only `run` knows, and the facts that it names: what
/// [`Given::later`](crate::Given::later) gives to a step's params.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Later<N = PlatformNames> {
    template: String,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    facts: Map<String, Value>,
    #[serde(skip)]
    names: PhantomData<fn() -> N>,
}

/// Which names a template may use beside the facts. Its `Serialize` form gives their values.
pub trait Names {
    /// All of them.
    const NAMES: &'static [&'static str];
}

/// The names of a platform.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PlatformNames {
    /// `linux`.
    pub os: String,
    /// `arm`.
    pub arch: String,
    /// `v7`, or empty.
    pub variant: String,
    /// `linux/arm/v7`.
    pub platform: String,
    /// `.exe` on Windows, else empty.
    pub ext: String,
}

impl<N> Template<N> {
    /// A template of this text.
    pub fn new(text: impl Into<String>) -> Template<N> {
        Template { text: text.into(), names: PhantomData }
    }

    /// As it stands in the project file.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether there is anything to resolve.
    pub fn is_template(&self) -> bool {
        is_template(&self.text)
    }
}

impl<N: Names + Serialize> Later<N> {
    pub(crate) fn new(template: &str, facts: Map<String, Value>) -> Later<N> {
        Later { template: template.to_owned(), facts, names: PhantomData }
    }

    /// What it becomes with these names.
    pub fn render(&self, host: &dyn Host, names: &N) -> Result<String, Failure> {
        if !is_template(&self.template) {
            return Ok(self.template.clone());
        }
        let names = serde_json::to_value(names).map_err(|error| Failure::bug(error.to_string()))?;
        let mut all = self.facts.clone();
        all.extend(names.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())));
        host.render(&self.template, &Value::Object(all))
    }
}

/// Whether there is anything to resolve in `text`.
pub fn is_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%") || text.contains("{#")
}

impl Names for PlatformNames {
    const NAMES: &'static [&'static str] = &["os", "arch", "variant", "platform", "ext"];
}

impl From<&Platform> for PlatformNames {
    fn from(platform: &Platform) -> PlatformNames {
        PlatformNames {
            os: platform.os().to_owned(),
            arch: platform.arch().to_owned(),
            variant: platform.variant().unwrap_or_default().to_owned(),
            platform: platform.to_string(),
            ext: if platform.os() == "windows" { ".exe".to_owned() } else { String::new() },
        }
    }
}

impl<N: Names> JsonSchema for Template<N> {
    fn schema_name() -> Cow<'static, str> {
        format!("Template_{}", N::NAMES.join("_")).into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", NAMES_KEY: N::NAMES })
    }
}
