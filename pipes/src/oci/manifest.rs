//! Manifests, indexes and descriptors, of OCI (image-spec 1.1) and of Docker (image manifest 2.2): same fields, other media types.
//! Does not know what the content it points at says; the config is in `config`.

use std::collections::BTreeMap;

use forge_plugin::schemas::{Digest, Platform};
use serde::{Deserialize, Serialize};

use crate::oci::compression::Compression;

/// All media types of manifests and indexes that we read, as an `Accept` header lists them.
pub const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

/// Whose media types an image carries. One image never mixes them: registries and runtimes refuse some mixtures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// Those of OCI.
    #[default]
    Oci,
    /// Docker's own.
    Docker,
}

/// Points at content (image-spec, "OCI Content Descriptors").
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What the content is.
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
    /// In bytes.
    pub size: u64,
    /// Where else it lies: foreign layers of Windows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
    /// Annotations of the content.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// In an index: where the image runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<PlatformFields>,
    /// In an index: what a manifest is that is no image's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
}

/// The platform of a descriptor, as it is written there; `unknown` where something is no image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlatformFields {
    /// The architecture, in the words of GOARCH.
    pub architecture: String,
    /// The operating system, in the words of GOOS.
    pub os: String,
    /// The build of Windows that it needs.
    #[serde(default, rename = "os.version", skip_serializing_if = "Option::is_none")]
    pub os_version: Option<String>,
    /// The variant of the architecture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

/// The manifest of an image (image-spec, "OCI Image Manifest Specification").
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Always 2.
    pub schema_version: u32,
    /// Its own media type; OCI lets it out.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub media_type: String,
    /// What it is, where it is no image's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The config.
    pub config: Descriptor,
    /// The layers, the lowest first.
    pub layers: Vec<Descriptor>,
    /// The manifest that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// Annotations of the manifest.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// A list of images for several platforms (image-spec, "OCI Image Index Specification").
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// Always 2.
    pub schema_version: u32,
    /// Its own media type; OCI lets it out.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub media_type: String,
    /// Its members.
    pub manifests: Vec<Descriptor>,
    /// Annotations of the index.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// What lies behind a reference.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "there are never many of them")]
pub enum Document {
    /// One image.
    Manifest(Manifest),
    /// Several.
    Index(Index),
}

impl Family {
    /// The media type of an image's manifest.
    pub fn manifest(self) -> &'static str {
        match self {
            Family::Oci => "application/vnd.oci.image.manifest.v1+json",
            Family::Docker => "application/vnd.docker.distribution.manifest.v2+json",
        }
    }

    /// The media type of an index, or of a manifest list.
    pub fn index(self) -> &'static str {
        match self {
            Family::Oci => "application/vnd.oci.image.index.v1+json",
            Family::Docker => "application/vnd.docker.distribution.manifest.list.v2+json",
        }
    }

    /// The media type of an image's config.
    pub fn config(self) -> &'static str {
        match self {
            Family::Oci => "application/vnd.oci.image.config.v1+json",
            Family::Docker => "application/vnd.docker.container.image.v1+json",
        }
    }

    /// The media type of a layer that is a gzipped tar.
    pub fn layer(self) -> &'static str {
        match self {
            Family::Oci => "application/vnd.oci.image.layer.v1.tar+gzip",
            Family::Docker => "application/vnd.docker.image.rootfs.diff.tar.gzip",
        }
    }

    /// The same, compressed so; none where this family has none for it.
    pub fn layer_in(self, compression: Compression) -> Option<&'static str> {
        match (self, compression) {
            (_, Compression::Gzip) => Some(self.layer()),
            (Family::Oci, Compression::Zstd) => Some("application/vnd.oci.image.layer.v1.tar+zstd"),
            (Family::Docker, Compression::Zstd) => None,
        }
    }

    /// The family of a manifest or an index of this media type; none where it is neither.
    pub fn of(media_type: &str) -> Option<Family> {
        [Family::Oci, Family::Docker].into_iter().find(|it| [it.manifest(), it.index()].contains(&media_type))
    }
}

impl Descriptor {
    /// Of content of this media type.
    pub fn new(media_type: impl Into<String>, digest: Digest, size: u64) -> Descriptor {
        let media_type = media_type.into();
        let (urls, annotations) = (Vec::new(), BTreeMap::new());
        Descriptor { media_type, digest, size, urls, annotations, platform: None, artifact_type: None }
    }

    /// Of these bytes.
    pub fn of(media_type: impl Into<String>, content: &[u8]) -> Descriptor {
        Descriptor::new(media_type, Digest::of(content), content.len() as u64)
    }
}

impl PlatformFields {
    /// The platform, where it is one that we know.
    pub fn platform(&self) -> Option<Platform> {
        Platform::from_parts(&self.os, &self.architecture, self.variant.as_deref()).ok()
    }
}

impl From<&Platform> for PlatformFields {
    fn from(platform: &Platform) -> PlatformFields {
        PlatformFields {
            architecture: platform.arch().to_owned(),
            os: platform.os().to_owned(),
            os_version: None,
            variant: platform.variant().map(str::to_owned),
        }
    }
}

impl Manifest {
    /// An image of this family.
    pub fn new(family: Family, config: Descriptor, layers: Vec<Descriptor>) -> Manifest {
        let media_type = family.manifest().to_owned();
        let (artifact_type, subject, annotations) = (None, None, BTreeMap::new());
        Manifest { schema_version: 2, media_type, artifact_type, config, layers, subject, annotations }
    }

    /// Its bytes: the same for the same manifest.
    pub fn to_bytes(&self) -> Vec<u8> {
        to_bytes(self)
    }

    /// Whose media types it carries.
    pub fn family(&self) -> Family {
        match self.media_type.is_empty() {
            false => Family::of(&self.media_type).unwrap_or_default(),
            true if self.config.media_type == Family::Docker.config() => Family::Docker,
            true => Family::Oci,
        }
    }
}

impl Index {
    /// An index of this family.
    pub fn new(family: Family, manifests: Vec<Descriptor>) -> Index {
        Index { schema_version: 2, media_type: family.index().to_owned(), manifests, annotations: BTreeMap::new() }
    }

    /// Its bytes: the same for the same index.
    pub fn to_bytes(&self) -> Vec<u8> {
        to_bytes(self)
    }
}

impl Document {
    /// Reads a manifest or an index. Which it is says the document itself, whatever a server calls it.
    pub fn parse(bytes: &[u8]) -> Result<Document, String> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Outline {
            #[serde(default)]
            schema_version: u32,
            manifests: Option<serde::de::IgnoredAny>,
            config: Option<serde::de::IgnoredAny>,
        }
        let in_words = |error: serde_json::Error| format!("not a manifest: {error}");
        let outline: Outline = serde_json::from_slice(bytes).map_err(in_words)?;
        match outline {
            Outline { schema_version: 1, .. } => {
                Err("a manifest of Docker's schema 1, which is no longer in use".to_owned())
            }
            Outline { manifests: Some(_), config: Some(_), .. } => {
                Err("neither a manifest nor an index: it has both `manifests` and `config`".to_owned())
            }
            Outline { manifests: Some(_), .. } => serde_json::from_slice(bytes).map(Document::Index).map_err(in_words),
            Outline { .. } => serde_json::from_slice(bytes).map(Document::Manifest).map_err(in_words),
        }
    }

    /// Its media type, said or not.
    pub fn media_type(&self) -> &str {
        match self {
            Document::Index(index) if index.media_type.is_empty() => Family::Oci.index(),
            Document::Index(index) => &index.media_type,
            Document::Manifest(manifest) if manifest.media_type.is_empty() => manifest.family().manifest(),
            Document::Manifest(manifest) => &manifest.media_type,
        }
    }
}

/// Compact JSON. Structs keep the order of their fields and maps are sorted, so equal values give equal bytes.
fn to_bytes<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(text: &str, expect: Expect) {
        let actual = match Document::parse(text.as_bytes()) {
            Ok(Document::Manifest(manifest)) => String::from_utf8(manifest.to_bytes()).unwrap(),
            Ok(Document::Index(index)) => String::from_utf8(index.to_bytes()).unwrap(),
            Err(message) => message,
        };
        expect.assert_eq(&actual);
    }

    #[test]
    fn read_and_written() {
        let zeros = "0".repeat(64);
        check(
            &format!(
                r#"{{"layers": [], "config": {{"size": 2, "digest": "sha256:{zeros}", "mediaType": "c"}}, "schemaVersion": 2,
                "annotations": {{"b": "2", "a": "1"}}, "whatever": 1}}"#
            ),
            expect![[
                r#"{"schemaVersion":2,"config":{"mediaType":"c","digest":"sha256:0000000000000000000000000000000000000000000000000000000000000000","size":2},"layers":[],"annotations":{"a":"1","b":"2"}}"#
            ]],
        );
        check(
            &format!(
                r#"{{"schemaVersion": 2, "manifests": [{{"mediaType": "m", "digest": "sha256:{zeros}", "size": 3,
                "platform": {{"os": "linux", "architecture": "arm", "variant": "v6"}}}}]}}"#
            ),
            expect![[
                r#"{"schemaVersion":2,"manifests":[{"mediaType":"m","digest":"sha256:0000000000000000000000000000000000000000000000000000000000000000","size":3,"platform":{"architecture":"arm","os":"linux","variant":"v6"}}]}"#
            ]],
        );
    }

    #[test]
    fn what_is_no_manifest() {
        check("", expect!["not a manifest: EOF while parsing a value at line 1 column 0"]);
        check(r#"{"schemaVersion": 1}"#, expect!["a manifest of Docker's schema 1, which is no longer in use"]);
        check(
            r#"{"manifests": [], "config": {}}"#,
            expect!["neither a manifest nor an index: it has both `manifests` and `config`"],
        );
        check(r#"{"schemaVersion": 2}"#, expect!["not a manifest: missing field `config` at line 1 column 20"]);
    }
}
