//! The layers of an image that is held: what they make up, and where the content of their files is.
//! Does not know what becomes of that.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write as _};
use std::path::PathBuf;

use forge_plugin::Host;
use forge_plugin::schemas::Failure;

use crate::docker::base::BaseImage;
use crate::docker::elsewhere;
use crate::docker::laying::interrupted;
use crate::oci::held::{Held, damaged, tar};
use crate::oci::layer::Content;
use crate::oci::manifest::Descriptor;
use crate::oci::rootfs::Rootfs;

const CHUNK: u64 = 1 << 20;

/// What layers make up, the lowest first. `open` gives the tar of each.
pub fn made_up(
    layers: &[Descriptor],
    open: impl Fn(&Descriptor) -> Result<Box<dyn Read>, Failure>,
) -> Result<Rootfs, Failure> {
    let mut rootfs = Rootfs::default();
    for (at, layer) in layers.iter().enumerate() {
        rootfs.apply(at, open(layer)?).map_err(|error| damaged(layer, &error))?;
    }
    Ok(rootfs)
}

/// The layers of an image, lowest first.
pub struct Layers<'a> {
    host: &'a dyn Host,
    held: Held<'a>,
}

impl<'a> Layers<'a> {
    /// Those of this image.
    pub fn new(host: &'a dyn Host, held: Held<'a>) -> Layers<'a> {
        Layers { host, held }
    }

    /// What they make up.
    pub fn rootfs(&self) -> Result<Rootfs, Failure> {
        match self.listed() {
            Some(rootfs) => Ok(rootfs),
            None => made_up(&self.held.manifest.layers, |layer| self.open(layer)),
        }
    }

    /// What is known of it since they were fetched.
    fn listed(&self) -> Option<Rootfs> {
        let list = self.held.detail::<BaseImage>()?.tree?;
        let blob = self.held.artifact().blobs.iter().find(|blob| blob.digest == list)?;
        postcard::from_bytes(&fs::read(&blob.path).ok()?).ok()
    }

    /// So many bytes of the tar of a layer, as the content of a file.
    pub fn content(&self, layer: usize, offset: u64, size: u64) -> Result<Content, Failure> {
        Ok(Content::Part { file: self.tar(layer)?, offset, size })
    }

    /// One that is not here is fetched.
    fn open(&self, layer: &Descriptor) -> Result<Box<dyn Read>, Failure> {
        let path = elsewhere::bring(self.held.artifact(), layer, self.host)?;
        tar(layer, &path)
    }

    /// The tar of a layer as a file, which stays until the step ends.
    fn tar(&self, layer: usize) -> Result<PathBuf, Failure> {
        let layer = &self.held.manifest.layers[layer];
        let path = self.host.dir().join(format!("layer-{}.tar", layer.digest.hex()));
        if path.exists() {
            return Ok(path);
        }
        let mut tar = self.open(layer)?;
        let failed = |error: io::Error| Failure::file("write", &path, &error);
        let mut file = BufWriter::new(File::create(&path).map_err(failed)?);
        while io::copy(&mut tar.by_ref().take(CHUNK), &mut file).map_err(|error| damaged(layer, &error))? > 0 {
            if self.host.cancelled() {
                return Err(interrupted());
            }
        }
        file.flush().map_err(failed)?;
        Ok(path)
    }
}
