//! What an image stands on: nothing, an image in a registry, in an OCI layout or a docker archive on disk, or of the Docker daemon.
//! Does not know the image that will stand on it, nor how a base is had: `meaning` and `fetching` do.

use std::path::{Component, Path};

use forge_plugin::schemas::kind::Kind;
use forge_plugin::schemas::{Digest, Platform};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::oci::reference::Reference;

/// What an image stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Base {
    /// Nothing.
    Scratch,
    /// An image in a registry.
    Registry(Reference),
    /// An image in an OCI layout, in a directory of the project; with a name, that one.
    Layout {
        /// Relative to the project file.
        dir: String,
        /// Its name in the layout.
        name: Option<String>,
    },
    /// An image in a docker archive, a file of the project; with a name, that one.
    Archive {
        /// Relative to the project file.
        file: String,
        /// What it is tagged with.
        name: Option<String>,
    },
    /// An image that the Docker daemon of this machine has.
    Daemon {
        /// Its name there.
        name: String,
    },
    /// The image of another `docker` table, by its id.
    Table(String),
}

/// `base_image`: an image that others stand on. The content is its manifest; `blobs` are its config, and layers as far as they are here. It is no
/// `image`, so that nothing takes it for one of the project's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BaseImage {
    /// What it is called where it comes from.
    pub name: String,
    /// The repositories that hold its blobs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<String>,
    /// One of its blobs, once its layers are here: the list of what they make up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tree: Option<Digest>,
}

impl Kind for BaseImage {
    const NAME: &'static str = "base_image";
}

/// `base_manifest`: what the name of a base means now. The content is what the registry has under it, an index or a manifest; of the Docker
/// daemon, an id. Asking is cheap and is done in every run; the base is fetched again only when the answer is another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BaseManifest {
    /// What it is called where it comes from.
    pub name: String,
}

impl Kind for BaseManifest {
    const NAME: &'static str = "base_manifest";
}

/// What the steps that find and fetch a base must know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fetch {
    /// As the user named it.
    pub base: String,
    /// For which platform.
    pub platform: Platform,
}

/// Why a text names no base: a phrase, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadBase {
    /// What is wrong.
    pub message: String,
    /// What to write instead, where that is known.
    pub help: Option<String>,
}

impl Base {
    /// From `scratch`, `oci:DIR`, `oci:DIR:NAME`, the same of `docker-archive`, `docker-daemon:NAME`, `table:ID`, or an image reference.
    pub fn parse(text: &str) -> Result<Base, BadBase> {
        match text.split_once(':') {
            None if text == "scratch" => Ok(Base::Scratch),
            Some(("oci", rest)) => {
                let (dir, name) = in_project(rest, "a directory")?;
                Ok(Base::Layout { dir, name })
            }
            Some(("docker-archive", rest)) => {
                let (file, name) = in_project(rest, "a file")?;
                Ok(Base::Archive { file, name })
            }
            Some(("docker-daemon", name)) => match reference(name) {
                Ok(_) => Ok(Base::Daemon { name: name.to_owned() }),
                Err(bad) => Err(bad),
            },
            Some(("table", id)) => Ok(Base::Table(id.to_owned())),
            _ => reference(text).map(Base::Registry),
        }
    }
}

fn reference(text: &str) -> Result<Reference, BadBase> {
    text.parse::<Reference>().map_err(|bad| BadBase { message: bad.to_string(), help: bad.help })
}

/// A path below the project file, and a name in what lies there.
fn in_project(text: &str, what: &str) -> Result<(String, Option<String>), BadBase> {
    let (path, name) = match text.split_once(':') {
        Some((path, name)) => (path, Some(name.to_owned())),
        None => (text, None),
    };
    let inside = Path::new(path).components().all(|it| matches!(it, Component::Normal(_) | Component::CurDir));
    match inside && !path.is_empty() {
        true => Ok((path.to_owned(), name)),
        false => Err(BadBase {
            message: format!("`{path}` is not {what} in the project"),
            help: Some("write its path relative to the project file".to_owned()),
        }),
    }
}

/// The names of a base that may mean another image later, as they are locked.
pub fn names(base: &Base) -> Vec<String> {
    match base {
        Base::Registry(reference) if reference.digest().is_none() => vec![reference.to_string()],
        _ => Vec::new(),
    }
}
