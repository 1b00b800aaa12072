//! The kinds that come with forge: a type for what is known of each.
//! A plugin may declare others; the engine treats all alike and names none.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Digest, Platform};

/// A kind of artifact. Its `Serialize` form is the artifact's `detail`.
pub trait Kind: Serialize {
    /// What selectors call it.
    const NAME: &'static str;
    /// What artifacts of it are to users.
    const ROLE: Role = Role::Part;
}

/// What artifacts of a kind are to the users of a release. Who takes what users get (checksums, signatures, a release page)
/// selects by this, and so takes kinds that it has never heard of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Nothing by itself: it becomes part of something else, or says what was done.
    #[default]
    Part,
    /// What they download and install: archives, packages.
    Delivery,
    /// What is said about that: what it consists of, where it comes from.
    About,
    /// What the others hash to.
    Sums,
    /// What shows that another one is genuine.
    Proof,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Part => "part",
            Role::Delivery => "delivery",
            Role::About => "about",
            Role::Sums => "sums",
            Role::Proof => "proof",
        })
    }
}

impl Role {
    /// Whether there is nothing to say.
    pub fn is_part(&self) -> bool {
        *self == Role::Part
    }
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

/// `archive`: files in one, or one as it is, for people to download.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Archive {
    /// The format: `tar.gz`, `zip`, `binary`.
    pub format: String,
    /// The programs in it: their names in the archive.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub binaries: Vec<String>,
    /// The directory that all of it lies in, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
}

/// `package`: what a system's package manager installs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Package {
    /// The format: `deb`, `rpm`, `apk`, `archlinux`.
    pub format: String,
    /// What the package manager calls it.
    pub package: String,
}

/// `checksums`: what files hash to, a line each: the hash in hexadecimal, two blanks, the name. The form of `sha256sum`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Checksums {
    /// The algorithm: `sha256`.
    pub algorithm: String,
    /// The artifact whose hash it is, where it is that of one alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
}

/// `download`: what a program of the project has made for people to download: an installer, a disk image, a manual.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Download {}

/// `signature`: what shows that an artifact is genuine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Signature {
    /// The artifact that was signed.
    pub subject: String,
    /// Who can check it: `minisign`, `cosign`, `gpg`, or the program's name.
    pub by: String,
}

/// `sbom`: what an artifact consists of, for programs that look for what is known of that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sbom {
    /// The format: `spdx`, `cyclonedx`.
    pub format: String,
    /// The artifact that it is about.
    pub subject: String,
    /// Its media type: `application/spdx+json`.
    pub media_type: String,
}

/// `provenance`: where artifacts come from: an in-toto statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Provenance {
    /// What is said: `https://slsa.dev/provenance/v1`.
    pub predicate_type: String,
    /// The artifact that it is about, where it is about one alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Its media type: `application/vnd.in-toto+json`.
    pub media_type: String,
}

/// `release_notes`: what is new in a release, as Markdown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReleaseNotes {}

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

impl Kind for Download {
    const NAME: &'static str = "download";
    const ROLE: Role = Role::Delivery;
}

impl Kind for ManifestList {
    const NAME: &'static str = "manifest_list";
}

impl Kind for Publication {
    const NAME: &'static str = "publication";
}

impl Kind for Archive {
    const NAME: &'static str = "archive";
    const ROLE: Role = Role::Delivery;
}

impl Kind for Package {
    const NAME: &'static str = "package";
    const ROLE: Role = Role::Delivery;
}

impl Kind for Checksums {
    const NAME: &'static str = "checksums";
    const ROLE: Role = Role::Sums;
}

impl Kind for Sbom {
    const NAME: &'static str = "sbom";
    const ROLE: Role = Role::About;
}

impl Kind for Provenance {
    const NAME: &'static str = "provenance";
    const ROLE: Role = Role::About;
}

impl Kind for Signature {
    const NAME: &'static str = "signature";
    const ROLE: Role = Role::Proof;
}

impl Kind for ReleaseNotes {
    const NAME: &'static str = "release_notes";
}
