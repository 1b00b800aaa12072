//! An image as an artifact holds it: manifest, config and layers, to be read. Of layers, it may only say which they are.
//! Does not know what it is an image of.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use forge_plugin::schemas::kind::Kind;
use forge_plugin::schemas::{Artifact, Digest, Failure};
use serde::de::DeserializeOwned;

use crate::oci::config::Config;
use crate::oci::manifest::{Descriptor, Document, Manifest};

/// An image, opened.
pub struct Held<'a> {
    artifact: &'a Artifact,
    /// Its manifest.
    pub manifest: Manifest,
    /// Its config.
    pub config: Config,
}

impl<'a> Held<'a> {
    /// Opens the image that an artifact is.
    pub fn open(artifact: &'a Artifact) -> Result<Held<'a>, Failure> {
        let Ok(Document::Manifest(manifest)) = Document::parse(&read(&artifact.path)?) else {
            return Err(Failure::bug(format!("`{}` is not a manifest", artifact.name)));
        };
        let config = read(file(artifact, manifest.config.digest)?)?;
        let config = Config::parse(&config).map_err(Failure::input)?;
        if config.layer_count() != manifest.layers.len() {
            let (layers, ids) = (manifest.layers.len(), config.layer_count());
            return Err(Failure::input(format!("the base is damaged: {layers} layers, and {ids} in its config")));
        }
        Ok(Held { artifact, manifest, config })
    }

    /// The artifact.
    pub fn artifact(&self) -> &'a Artifact {
        self.artifact
    }

    /// Whether it holds content, rather than to refer to it alone.
    pub fn holds(&self, digest: Digest) -> bool {
        self.artifact.blobs.iter().any(|blob| blob.digest == digest)
    }

    /// What is known of it, where it is of this kind.
    pub fn detail<K: Kind + DeserializeOwned>(&self) -> Option<K> {
        self.artifact.detail()
    }

    /// What users call it by, as its artifact is called.
    pub fn name(&self) -> &str {
        &self.artifact.name
    }
}

/// The tar of a layer that lies in a file, in clear. The failure is one of this layer.
pub fn tar(layer: &Descriptor, path: &Path) -> Result<Box<dyn Read>, Failure> {
    let file = File::open(path).map_err(|error| Failure::file("read", path, &error))?;
    let file = io::BufReader::with_capacity(1 << 16, file);
    match layer.media_type.as_str() {
        it if it.ends_with("gzip") => Ok(Box::new(flate2::bufread::MultiGzDecoder::new(file))),
        it if it.ends_with("zstd") => match zstd::Decoder::with_buffer(file) {
            Ok(plain) => Ok(Box::new(plain)),
            Err(error) => Err(damaged(layer, &error)),
        },
        it if it.ends_with("tar") => Ok(Box::new(file)),
        it => Err(Failure::input(format!("the base has a layer of type `{it}`, which can't be read"))
            .help("take a base whose layers are tars, compressed by gzip or zstd or not at all")),
    }
}

/// The failure that a layer can't be read to its end.
pub fn damaged(layer: &Descriptor, error: &io::Error) -> Failure {
    Failure::input(format!("the layer `{}` of the base is damaged", layer.digest)).cause(error.to_string())
}

fn file(artifact: &Artifact, digest: Digest) -> Result<&Path, Failure> {
    let found = artifact.blobs.iter().find(|blob| blob.digest == digest);
    let found = found.ok_or_else(|| Failure::bug(format!("`{}` lacks its blob `{digest}`", artifact.name)))?;
    Ok(&found.path)
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| Failure::file("read", path, &error))
}
