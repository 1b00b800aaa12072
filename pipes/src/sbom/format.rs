//! The formats of these documents: a table.
//! Does not know what one of them looks like: each is a file.

use forge_plugin::schemas::Digest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::software::Software;
use super::{cyclonedx, spdx};

/// The format of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// SPDX 2.3 (ISO/IEC 5962 is 2.2.1), as JSON.
    Spdx,
    /// CycloneDX 1.6 (ECMA-424), as JSON.
    Cyclonedx,
}

/// What one format is.
struct Line {
    name: &'static str,
    ending: &'static str,
    media_type: &'static str,
    /// The member by which a document of it is known, and how its value begins.
    mark: (&'static str, &'static str),
    write: fn(&Document<'_>, &str) -> Value,
}

/// All of them, in the order of [`Format`].
const FORMATS: [Line; 2] = [
    Line {
        name: "spdx",
        ending: "spdx.json",
        media_type: "application/spdx+json",
        mark: ("spdxVersion", "SPDX-2."),
        write: spdx::write,
    },
    Line {
        name: "cyclonedx",
        ending: "cdx.json",
        media_type: "application/vnd.cyclonedx+json",
        mark: ("bomFormat", "CycloneDX"),
        write: cyclonedx::write,
    },
];

/// What a document says.
pub struct Document<'a> {
    /// What it is called.
    pub name: &'a str,
    /// When what it is about was made: RFC 3339, UTC.
    pub created: &'a str,
    /// What that consists of.
    pub software: &'a Software,
}

impl Format {
    fn line(self) -> &'static Line {
        &FORMATS[self as usize]
    }

    /// What stands in the project file.
    pub fn name(self) -> &'static str {
        self.line().name
    }

    /// How file names end.
    pub fn ending(self) -> &'static str {
        self.line().ending
    }

    /// Its media type.
    pub fn media_type(self) -> &'static str {
        self.line().media_type
    }

    /// Whether a document is of this format.
    pub fn is_of(self, document: &Value) -> bool {
        let (member, begin) = self.line().mark;
        document[member].as_str().is_some_and(|it| it.starts_with(begin))
    }

    /// A document. What tells it from all others, it has from what it says: the same again is the same document.
    pub fn write(self, document: &Document<'_>) -> String {
        let write = self.line().write;
        let said = write(document, "").to_string();
        let text = format!("{:#}", write(document, &uuid(Digest::of(said.as_bytes()))));
        text + "\n"
    }
}

/// A UUID of version 8 (RFC 9562): as a digest wants it.
fn uuid(digest: Digest) -> String {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.bytes()[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|it| format!("{it:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
