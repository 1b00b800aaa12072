//! The kinds that come with forge: a type for what is known of each.
//! A plugin may declare others; the engine treats all alike and names none.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Digest, Platform};

/// A kind of artifact. Its `Serialize` form is the artifact's `detail`.
pub trait Kind: Serialize {
    /// What selectors call it.
    const NAME: &'static str;
}

/// `binary`: a program for one platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Binary {
    /// The name of the program, without the platform: `hello`, `hello.exe`.
    pub file_name: String,
}

/// `image`: an OCI image for one platform. The content is its manifest; `blobs` are config and layers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Image {
    /// The references that it is published under, tag and all: `ghcr.io/acme/hello:1.2.3`.
    pub references: Vec<String>,
    /// The media type of its manifest, once it is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// Repositories that hold some of its blobs already, for a cross-repository mount: those of its base.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<String>,
    /// Annotations of its descriptor in a list.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub descriptor_annotations: BTreeMap<String, String>,
    /// Annotations of the lists that it is in.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub list_annotations: BTreeMap<String, String>,
}

/// `manifest_list`: an OCI index, or a Docker manifest list. The content is the index; `blobs` are its members and all of theirs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ManifestList {
    /// The references that it is published under.
    pub references: Vec<String>,
    /// Its members, as far as they are known.
    pub members: Vec<Member>,
    /// The media type of the list, once it is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// Repositories that hold some of its blobs already.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<String>,
}

/// `digests`: what references name, a line each: a sha256 in hexadecimal, two blanks, the reference. The form of `sha256sum`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Digests {}

/// One image of a manifest list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Member {
    /// The artifact it is.
    pub image: String,
    /// Where it runs.
    pub platform: Platform,
    /// Its manifest's digest, once it is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
}

/// `publication`: something that lies in a remote place now, visible or not. The content is a small receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Publication {
    /// Where: `ghcr.io/acme/hello@sha256:…`, or `ghcr.io/acme/hello:1.2.3`.
    pub reference: String,
    /// The artifact that lies there.
    pub artifact: String,
    /// What lies there, once it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
}

/// `attachment`: something about an image or a list, which is found by the digest of that: a signature, an SBOM, a report. The
/// content is a manifest that names it as its `subject`; `blobs` are config and files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Attachment {
    /// The artifact that it is about.
    pub subject: String,
    /// What it is: `application/spdx+json`.
    pub artifact_type: String,
}

impl Kind for Attachment {
    const NAME: &'static str = "attachment";
}

impl Kind for Binary {
    const NAME: &'static str = "binary";
}

impl Kind for Image {
    const NAME: &'static str = "image";
}

impl Kind for Digests {
    const NAME: &'static str = "digests";
}

impl Kind for ManifestList {
    const NAME: &'static str = "manifest_list";
}

impl Kind for Publication {
    const NAME: &'static str = "publication";
}
