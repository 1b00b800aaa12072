//! Layers that an image refers to and does not hold: where they are, and how they come here once somebody reads them.
//! Does not know what they are read for.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;

use forge_plugin::Host;
use forge_plugin::schemas::kind::{Image, ManifestList};
use forge_plugin::schemas::{Artifact, Digester, Failure, FailureClass};

use crate::docker::base::BaseImage;
use crate::docker::fetching::{fetch_blob, file_of};
use crate::oci::manifest::Descriptor;
use crate::oci::reference::Reference;

/// The repositories that have what an artifact refers to and does not hold.
pub fn repositories(artifact: &Artifact) -> Vec<String> {
    let of_image = artifact.detail::<Image>().map(|it| it.mounts);
    let of_list = || artifact.detail::<ManifestList>().map(|it| it.mounts);
    let of_base = || artifact.detail::<BaseImage>().map(|it| it.mounts);
    of_image.or_else(of_list).or_else(of_base).unwrap_or_default()
}

/// The file with a layer of an artifact: one that it holds, else one that an earlier step has brought, else one that is fetched now.
pub fn bring(artifact: &Artifact, layer: &Descriptor, host: &dyn Host) -> Result<PathBuf, Failure> {
    let held = artifact.blobs.iter().find(|blob| blob.digest == layer.digest).map(|blob| blob.path.clone());
    if let Some(here) = held.or_else(|| beside(artifact, layer)) {
        return Ok(here);
    }
    let mut first = None;
    for repository in repositories(artifact).iter().filter_map(|it| it.parse::<Reference>().ok()) {
        match fetch_blob(&repository, layer, host) {
            Ok(()) => return Ok(file_of(host, layer.digest)),
            Err(failure) if failure.class == FailureClass::Cancelled => return Err(failure),
            Err(failure) => first = first.or(Some(failure)),
        }
    }
    let (name, digest) = (&artifact.name, layer.digest);
    Err(match first {
        Some(failure) => failure
            .cause(format!("`{name}` stands on a base that was never fetched, for nobody has read it"))
            .help("its layers are where the base was: is that still there, and may one read it?"),
        None => Failure::input(format!("`{name}` refers to `{digest}`, which it does not hold")),
    })
}

/// The store is an OCI layout: what was brought lies beside the manifest, under its digest. It is looked at, for it is nothing that the
/// step takes.
fn beside(artifact: &Artifact, layer: &Descriptor) -> Option<PathBuf> {
    let path = artifact.path.with_file_name(layer.digest.hex());
    let is_there = fs::metadata(&path).is_ok_and(|it| it.is_file() && it.len() == layer.size);
    let mut digester = Digester::default();
    let is_read = is_there && io::copy(&mut File::open(&path).ok()?, &mut digester).is_ok();
    (is_read && digester.finish().0 == layer.digest).then_some(path)
}
