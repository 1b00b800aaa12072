//! What a table offers, and what a task has made of it.
//! Knows no kind: what is special about one stands in its `detail`, typed in `kind`.

use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::kind::Kind;
use crate::{Digest, Platform};

/// A table of the project file, by its pipe and id: `docker:image`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct TableName {
    /// The pipe, `docker`.
    pub pipe: String,
    /// The id, unique a pipe.
    pub id: String,
}

/// An artifact that a table has declared but not yet made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Offer {
    /// Unique in the plan; also its path under `dist/`.
    pub name: String,
    /// Which sort.
    pub kind: String,
    /// Where it runs; none for what runs nowhere or everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// The table that makes it.
    pub table: TableName,
    /// What it is made of: the artifacts that its step takes, and those that steps of the same table before that one take.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub made_of: Vec<String>,
    /// What is known of it beforehand.
    #[serde(default)]
    pub detail: Value,
}

/// What a task has made. Never changes once it is in the store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Artifact {
    /// Unique in the plan; also its path under `dist/`.
    pub name: String,
    /// Which sort.
    pub kind: String,
    /// Where it runs; none for what runs nowhere or everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// The table that made it.
    pub table: TableName,
    /// The sha256 of its content.
    pub digest: Digest,
    /// The size of its content, in bytes.
    pub size: u64,
    /// The file that holds its content; absolute.
    pub path: PathBuf,
    /// Whether the file may be executed.
    #[serde(default)]
    pub executable: bool,
    /// Further content that the artifact refers to: an image's config and layers, a list's members with all of theirs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blobs: Vec<Blob>,
    /// What is known of it, as its kind's schema says.
    #[serde(default)]
    pub detail: Value,
}

/// Some content, and the file that holds it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Blob {
    /// Its sha256.
    pub digest: Digest,
    /// In bytes.
    pub size: u64,
    /// Where it lies; absolute.
    pub path: PathBuf,
}

impl TableName {
    /// From its two parts.
    pub fn new(pipe: impl Into<String>, id: impl Into<String>) -> TableName {
        TableName { pipe: pipe.into(), id: id.into() }
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.pipe, self.id)
    }
}

impl Offer {
    /// What is known of it, typed. None where it is of another kind, or not of that kind's form.
    pub fn detail<K: Kind + DeserializeOwned>(&self) -> Option<K> {
        (self.kind == K::NAME).then(|| K::deserialize(&self.detail).ok()).flatten()
    }
}

impl Artifact {
    /// What is known of it, typed. None where it is of another kind, or not of that kind's form.
    pub fn detail<K: Kind + DeserializeOwned>(&self) -> Option<K> {
        (self.kind == K::NAME).then(|| K::deserialize(&self.detail).ok()).flatten()
    }

    /// What it offers: the same before it was made. Of what it was made is not known any more.
    pub fn offer(&self) -> Offer {
        Offer {
            name: self.name.clone(),
            kind: self.kind.clone(),
            platform: self.platform.clone(),
            table: self.table.clone(),
            made_of: Vec::new(),
            detail: self.detail.clone(),
        }
    }

    /// The size of its content and of all that it refers to, in bytes.
    pub fn size_in_all(&self) -> u64 {
        self.size + self.blobs.iter().map(|blob| blob.size).sum::<u64>()
    }

    /// The last part of its name: `hello` of `hello_linux_amd64/hello`.
    pub fn file_name(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or(&self.name)
    }
}
