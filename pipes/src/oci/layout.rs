//! Reads an OCI image layout on disk (image-spec, "OCI Image Layout Specification").
//! Does not write one: the store does.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use forge_plugin::schemas::{Digest, Digester, Platform};

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
                false => Err(damaged(descriptor.digest)),
            }
        })
    }

    /// Copies some content to the file `to`, if it is what its digest says.
    pub fn copy(&self, digest: Digest, to: &Path) -> Result<(), String> {
        let from = self.blob(digest);
        let copied = || -> io::Result<Digest> {
            fs::copy(&from, to)?;
            let mut digester = Digester::default();
            io::copy(&mut fs::File::open(to)?, &mut digester)?;
            Ok(digester.finish().0)
        };
        match copied() {
            Ok(actual) if actual == digest => Ok(()),
            Ok(_) => Err(damaged(digest)),
            Err(error) => Err(format!("can't copy `{}`: {error}", from.display())),
        }
    }

    fn blob(&self, digest: Digest) -> PathBuf {
        self.dir.join("blobs/sha256").join(digest.hex())
    }
}

fn damaged(digest: Digest) -> String {
    format!("the content of `{digest}` is damaged")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_that_is_not_what_its_digest_says_is_not_copied() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = dir.path().join("blobs/sha256");
        fs::create_dir_all(&blobs).unwrap();
        let (good, bad) = (Digest::of(b"good"), Digest::of(b"bad"));
        for digest in [good, bad] {
            fs::write(blobs.join(digest.hex()), "good").unwrap();
        }
        let to = dir.path().join("to");
        assert_eq!(Layout::new(dir.path()).copy(good, &to), Ok(()));
        assert_eq!(Layout::new(dir.path()).copy(bad, &to), Err(format!("the content of `{bad}` is damaged")));
    }
}
