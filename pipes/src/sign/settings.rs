//! The settings of a `[[sign]]` table: what is signed, and the keys of all signers in one schema, each with whose it is.
//! Does not know what any of those means.

use std::borrow::Cow;

use forge_plugin::schemas::kind::{Image, Kind as _, ManifestList, Role};
use forge_plugin::schemas::{Problem, Selector};
use forge_plugin::{Names, PlatformNames, Template};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::SIGNERS;
use crate::table::variants::{self, Variant};

/// What is signed where nothing is said: what files hash to, and where nobody makes that, the files.
const ROLES: &[Role] = &[Role::Delivery, Role::About, Role::Sums];

/// A table.
#[derive(Debug, Clone, Deserialize)]
pub struct Settings {
    /// The signer.
    pub by: By,
    /// Which tables.
    #[serde(default)]
    pub ids: Vec<String>,
    /// Which kinds.
    #[serde(default)]
    pub kinds: Vec<String>,
    /// What a signature is called.
    pub name: Option<Template<SignNames>>,
    /// What else there is: for the signer to read.
    #[serde(flatten)]
    own: Map<String, Value>,
}

/// The name of a signer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct By(pub String);

/// Signs files, and images by their digest. A file's signature goes where archives go: onto the release page. An image's lies beside it in the
/// registry, where `publish` puts it before any tag moves. Without `ids` and `kinds`, the files with checksums are signed, which vouch for all
/// that they list; where there are none, archives, packages and what is about them. What is signed stays so: another key under the same name of
/// `[secrets]` signs nothing anew (`forge clean --all` forgets all that was made).
#[derive(JsonSchema)]
#[schemars(rename = "Settings")]
#[expect(dead_code, reason = "the part of the schema that all signers have")]
struct Shared {
    /// Who signs:
    by: By,
    /// The tables of which all is signed that users get, by id.
    #[serde(default)]
    ids: Vec<String>,
    /// The kinds that are signed: `archive`, `binary`, `package`, and with `cosign` `image` and `manifest_list`.
    #[serde(default)]
    kinds: Vec<String>,
    /// What a signature is called. `{{ artifact }}` is the name of what is signed. Default: that with the signer's ending.
    name: Option<Template<SignNames>>,
}

/// The names of a signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SignNames {
    /// `hello_1.2.3_checksums.txt`.
    pub artifact: String,
    #[serde(flatten)]
    pub platform: Option<PlatformNames>,
}

impl Names for SignNames {
    const NAMES: &'static [&'static str] = &["artifact", "os", "arch", "variant", "platform", "ext"];
}

impl Settings {
    /// By role and kind. What a key names must be there.
    pub fn selectors(&self) -> Vec<Selector> {
        let of_table = |(at, id): (usize, &String)| {
            let of_kinds = match self.kinds.is_empty() {
                true => Selector {
                    kinds: vec![Image::NAME.to_owned(), ManifestList::NAME.to_owned()],
                    ..Selector::of_roles(ROLES)
                },
                false => Selector { kinds: self.kinds.clone(), ..Selector::default() },
            };
            Selector { tables: vec![id.clone()], key: format!("ids[{at}]"), ..of_kinds }
        };
        let of_kind =
            |(at, kind): (usize, &String)| Selector { key: format!("kinds[{at}]"), ..Selector::of_kind(kind) };
        match (self.ids.is_empty(), self.kinds.is_empty()) {
            (false, _) => self.ids.iter().enumerate().map(of_table).collect(),
            (true, false) => self.kinds.iter().enumerate().map(of_kind).collect(),
            (true, true) => vec![Selector::of_roles(ROLES)],
        }
    }

    /// What the signer wants to know. Keys of other signers are mistakes, and say whose they are.
    pub fn own<T: DeserializeOwned + JsonSchema>(&self) -> Result<T, Vec<Problem>> {
        variants::own(&self.own, &self.by.0, &all())
    }
}

fn all() -> Vec<Variant> {
    SIGNERS.iter().map(|it| Variant { name: it.name, about: it.about, schema: it.schema }).collect()
}

impl JsonSchema for Settings {
    fn schema_name() -> Cow<'static, str> {
        "Settings".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let shared = Shared::json_schema(generator);
        variants::schema(shared, "by", "Who signs:", &all(), generator)
    }
}

impl JsonSchema for By {
    fn schema_name() -> Cow<'static, str> {
        "By".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        variants::names(&all())
    }
}
