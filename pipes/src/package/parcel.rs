//! What lies in a package, once all of it is found: paths in order, each with what it is.
//! Does not know formats.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::about::About;
use super::settings::ContentType;

/// All that a package is made of.
pub struct Parcel<'a> {
    pub about: &'a About,
    /// Sorted by path, with the directories that things lie in.
    pub items: Vec<Item>,
    pub scripts: BTreeMap<Script, Vec<u8>>,
    /// The commit's, in seconds since 1970.
    pub time: u64,
    pub signer: Option<&'a Signer>,
}

/// Something in a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Without the `/` that it begins with: `usr/bin/hello`.
    pub path: String,
    pub mode: u32,
    pub owner: String,
    pub group: String,
    /// In seconds since 1970.
    pub time: u64,
    pub what: What,
}

/// What something is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A directory that something lies in, and that the package does not claim.
    Parent,
    /// A directory of the package.
    Directory,
    Link {
        to: String,
    },
    File {
        from: PathBuf,
        size: u64,
        mark: Mark,
    },
    /// Nothing yet.
    Ghost,
}

/// What a file is to the users of a system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    Plain,
    Config,
    ConfigNoReplace,
    Doc,
    License,
}

/// When a script runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Script {
    PreInstall,
    PostInstall,
    PreRemove,
    PostRemove,
    PreUpgrade,
    PostUpgrade,
}

/// Who signs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signer {
    /// A key that gpg has.
    Gpg { key: String },
    /// A secret that holds an RSA key, and what its public half is called.
    Rsa { secret: String, name: String },
}

impl Parcel<'_> {
    /// The bytes of all files.
    pub fn size(&self) -> u64 {
        self.items.iter().map(Item::size).sum()
    }
}

impl Item {
    /// The bytes of it.
    pub fn size(&self) -> u64 {
        if let What::File { size, .. } = self.what { size } else { 0 }
    }

    /// Whether users change it.
    pub fn is_config(&self) -> bool {
        matches!(self.what, What::File { mark: Mark::Config | Mark::ConfigNoReplace, .. })
    }

    /// Whether it is a directory, of whomever.
    pub fn is_directory(&self) -> bool {
        matches!(self.what, What::Parent | What::Directory)
    }
}

impl Mark {
    /// What files of this type are.
    pub fn of(r#type: ContentType) -> Mark {
        match r#type {
            ContentType::Config => Mark::Config,
            ContentType::ConfigNoReplace => Mark::ConfigNoReplace,
            ContentType::Doc => Mark::Doc,
            ContentType::License => Mark::License,
            _ => Mark::Plain,
        }
    }
}
