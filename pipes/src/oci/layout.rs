//! Reads an OCI image layout on disk (image-spec, "OCI Image Layout Specification").
//! Does not write one: the store does.

use std::fs;
use std::path::{Path, PathBuf};

use forge_plugin::schemas::{Digest, Platform};

use crate::oci::choice::image_for;
use crate::oci::manifest::{Document, Index, Manifest};

const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// A layout: a directory with `oci-layout`, `index.json` and `blobs`.
pub struct Layout<'a> {
    dir: &'a Path,
}

impl Layout<'_> {
    /// The layout in `dir`.
    pub fn new(dir: &Path) -> Layout<'_> {
        Layout { dir }
    }

    /// The image for `platform`, and the bytes of its manifest. With a name, only among those that carry it.
    pub fn image(&self, name: Option<&str>, platform: &Platform) -> Result<(Manifest, Vec<u8>), String> {
        let bytes = read(&self.dir.join("index.json"))?;
        let Document::Index(mut index) = Document::parse(&bytes)? else {
            return Err("its `index.json` is not an index".to_owned());
        };
        if let Some(name) = name {
            keep_named(&mut index, name)?;
        }
        image_for(platform, index.to_bytes(), |descriptor| {
            let bytes = read(&self.blob(descriptor.digest))?;
            match Digest::of(&bytes) == descriptor.digest {
                true => Ok(bytes),
                false => Err(format!("the content of `{}` is damaged", descriptor.digest)),
            }
        })
    }

    /// The file of some content.
    pub fn blob(&self, digest: Digest) -> PathBuf {
        self.dir.join("blobs/sha256").join(digest.hex())
    }
}

fn keep_named(index: &mut Index, name: &str) -> Result<(), String> {
    let is_named = |annotation: &String| annotation == name || annotation.rsplit(':').next() == Some(name);
    let names: Vec<String> = index.manifests.iter().filter_map(|it| it.annotations.get(REF_NAME)).cloned().collect();
    index.manifests.retain(|it| it.annotations.get(REF_NAME).is_some_and(is_named));
    match index.manifests.is_empty() {
        true if names.is_empty() => Err(format!("nothing in it is named `{name}`; nothing has a name")),
        true => Err(format!("nothing in it is named `{name}`, only `{}`", names.join("`, `"))),
        false => Ok(()),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("can't read `{}`: {error}", path.display()))
}
