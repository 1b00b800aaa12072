//! An image whose layers are made: it gets a manifest, and becomes an artifact.
//! Does not know who made the layers.

use std::fs;
use std::path::PathBuf;

use forge_plugin::Host;
use forge_plugin::schemas::kind;
use forge_plugin::schemas::{Artifact, Emit, EmitBlob, Failure};

use crate::docker::base::BaseImage;
use crate::docker::elsewhere;
use crate::docker::recipe::Made;
use crate::oci::compression::Compression;
use crate::oci::config::Config;
use crate::oci::held::Held;
use crate::oci::layer::Layer;
use crate::oci::manifest::{Descriptor, Family, Manifest};

/// An image that is being made.
pub struct Image {
    /// Whose media types it carries.
    pub family: Family,
    /// How it starts, and what it consists of.
    pub config: Config,
    /// The repositories that hold some of its blobs.
    pub mounts: Vec<String>,
    layers: Vec<Descriptor>,
    blobs: Vec<EmitBlob>,
}

impl Image {
    /// One without layers.
    pub fn new(family: Family, config: Config) -> Image {
        Image { family, config, mounts: Vec::new(), layers: Vec::new(), blobs: Vec::new() }
    }

    /// One with the layers of its base, and the config `config`. Of layers that the base does not hold it says no more than which they are.
    pub fn on(base: &Held<'_>, config: Config) -> Image {
        let mut image = Image::new(base.manifest.family(), config);
        image.mounts = elsewhere::repositories(base.artifact());
        for layer in &base.manifest.layers {
            match base.holds(layer.digest) {
                true => image.add(layer.clone(), EmitBlob::Held(layer.digest)),
                false => image.layers.push(layer.clone()),
            }
        }
        image
    }

    /// How many layers it has.
    pub fn layer_count(&self) -> usize {
        self.layers.len()
    }

    /// Adds a layer that was written, compressed so. Its config is not told.
    pub fn add_written(&mut self, layer: &Layer, compression: Compression, path: PathBuf) -> Result<(), Failure> {
        let media_type = self.family.layer_in(compression).ok_or_else(|| {
            Failure::input("the base has a manifest of Docker's form, which has no layers in zstd")
                .help("leave out `compression`, or take a base with an OCI manifest")
        })?;
        self.add(Descriptor::new(media_type, layer.digest, layer.size), EmitBlob::File(path));
        Ok(())
    }

    /// Adds a layer on top. Its config is not told.
    fn add(&mut self, layer: Descriptor, blob: EmitBlob) {
        self.layers.push(layer);
        if !self.blobs.contains(&blob) {
            self.blobs.push(blob);
        }
    }

    /// Writes config and manifest, and emits it all under `name`.
    pub fn emit(self, made: &Made, name: &str, host: &dyn Host) -> Result<Artifact, Failure> {
        let config = self.config.to_bytes();
        let descriptor = Descriptor::of(self.family.config(), &config);
        let config = EmitBlob::File(write("config.json", &config, host)?);
        let mut manifest = Manifest::new(self.family, descriptor, self.layers);
        let detail = match made {
            Made::Stage(stage) => serde_json::to_value(BaseImage { mounts: self.mounts, ..stage.clone() }),
            Made::Image { annotations, detail } => {
                manifest.annotations = annotations.clone();
                let media_type = Some(manifest.media_type.clone());
                serde_json::to_value(kind::Image { media_type, mounts: self.mounts, ..detail.clone() })
            }
        };
        let detail = detail.map_err(|error| Failure::bug(error.to_string()))?;
        let path = write("manifest.json", &manifest.to_bytes(), host)?;
        let blobs = std::iter::once(config).chain(self.blobs).collect();
        host.emit(&Emit { name: name.to_owned(), path, blobs, detail })
    }
}

fn write(name: &str, bytes: &[u8], host: &dyn Host) -> Result<PathBuf, Failure> {
    let path = host.dir().join(name);
    fs::write(&path, bytes).map_err(|error| Failure::file("write", &path, &error))?;
    Ok(path)
}
