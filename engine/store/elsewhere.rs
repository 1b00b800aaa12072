//! Content that an artifact leads to and that the store does not have: layers which lie in a registry.
//! Knows of content what the image layout says of it: which members of a manifest or an index lead to other content.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use forge_schemas::{Artifact, BlobEntry, Digest};
use serde::Deserialize;

/// What leads to other content (image-spec, "Image Manifest" and "Image Index").
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Leads {
    schema_version: u8,
    #[serde(default)]
    config: Option<BlobEntry>,
    #[serde(default)]
    layers: Vec<BlobEntry>,
    #[serde(default)]
    manifests: Vec<BlobEntry>,
}

/// As long as a manifest may be that a registry takes, in bytes (distribution-spec, "Pushing Manifests").
const LONGEST: u64 = 4 << 20;

/// What this artifact leads to and the store lacks, in the order in which it is named.
pub fn elsewhere(artifact: &Artifact) -> Vec<BlobEntry> {
    let held = artifact.blobs.iter().filter(|it| it.size <= LONGEST).map(|it| &it.path);
    let named = std::iter::once(&artifact.path).chain(held).flat_map(|path| named_in(path));
    let (mut seen, mut elsewhere) = (BTreeSet::new(), Vec::new());
    for blob in named {
        let is_new = seen.insert(blob.digest);
        if is_new && !is_held(artifact, &blob.digest) {
            elsewhere.push(blob);
        }
    }
    elsewhere
}

fn is_held(artifact: &Artifact, digest: &Digest) -> bool {
    artifact.blobs.iter().any(|it| it.digest == *digest) || artifact.path.with_file_name(digest.hex()).exists()
}

fn named_in(path: &Path) -> Vec<BlobEntry> {
    let Some(Leads { config, layers, manifests, .. }) = read(path).filter(|it| it.schema_version == 2) else {
        return Vec::new();
    };
    config.into_iter().chain(layers).chain(manifests).collect()
}

/// None for what is not JSON, or leads nowhere.
fn read(path: &Path) -> Option<Leads> {
    let mut file = File::open(path).ok()?;
    let mut bytes = vec![0];
    file.read_exact(&mut bytes).ok().filter(|()| bytes == *b"{")?;
    file.take(LONGEST).read_to_end(&mut bytes).ok()?;
    serde_json::from_slice(&bytes).ok()
}

#[cfg(test)]
mod tests {
    use forge_schemas::{Blob, TableName};
    use serde_json::json;

    use super::*;

    #[test]
    fn what_manifests_name_and_nobody_holds() {
        let store = tempfile::tempdir().unwrap();
        let blob = |content: &str| {
            let digest = Digest::of(content.as_bytes());
            Blob { digest, size: content.len() as u64, path: store.path().join(digest.hex()) }
        };
        let put = |content: &str| {
            let blob = blob(content);
            std::fs::write(&blob.path, content).unwrap();
            blob
        };
        let entry = |blob: &Blob| json!({ "mediaType": "any", "digest": blob.digest, "size": blob.size });
        let (config, own, beside, far) = (put("{\"os\":\"linux\"}"), put("own"), put("beside"), blob("far away"));
        let layers = [&far, &beside, &own].map(entry);
        let manifest = put(&json!({ "schemaVersion": 2, "config": entry(&config), "layers": layers }).to_string());
        let index = put(&json!({ "schemaVersion": 2, "manifests": [entry(&manifest)] }).to_string());
        let check = |whole: &Blob, blobs: &[&Blob], expect: &[&Blob]| {
            let artifact = Artifact {
                name: "it".to_owned(),
                kind: "any".to_owned(),
                platform: None,
                table: TableName::new("pipe", "table"),
                digest: whole.digest,
                size: whole.size,
                path: whole.path.clone(),
                executable: false,
                blobs: blobs.iter().map(|it| (*it).clone()).collect(),
                detail: json!({}),
            };
            let expect: Vec<BlobEntry> =
                expect.iter().map(|it| BlobEntry { digest: it.digest, size: it.size }).collect();
            assert_eq!(elsewhere(&artifact), expect);
        };
        check(&manifest, &[&config, &own], &[&far]);
        check(&index, &[&manifest, &config, &own], &[&far]);
        check(&index, &[&manifest, &config, &own, &far], &[]);
        check(&own, &[], &[]);
    }
}
