//! Manifests that are about another one (image-spec 1.1, "Guidelines for Artifact Usage"): files, said to be of some type, with a `subject`.
//! Does not know what the files say.

use std::collections::BTreeMap;

use crate::oci::manifest::{Descriptor, Family, Manifest};

/// The content of what stands where there is nothing to say.
pub const EMPTY: &[u8] = b"{}";

/// The annotation of a file that says what it is called.
pub const TITLE: &str = "org.opencontainers.image.title";

/// The manifest that attaches these files to `subject`. Its config, and where there are no files its only layer, is `EMPTY`.
pub fn manifest(
    subject: Descriptor,
    artifact_type: &str,
    files: Vec<Descriptor>,
    annotations: BTreeMap<String, String>,
) -> Manifest {
    let empty = Descriptor::of("application/vnd.oci.empty.v1+json", EMPTY);
    let layers = if files.is_empty() { vec![empty.clone()] } else { files };
    Manifest {
        artifact_type: Some(artifact_type.to_owned()),
        subject: Some(subject),
        annotations,
        ..Manifest::new(Family::Oci, empty, layers)
    }
}
