//! Files of another image, for a copy: of a stage before, or of one that a registry holds.
//! Does not know where they go.

use std::fs::File;
use std::io::{self, BufWriter, Read as _, Write as _};
use std::path::PathBuf;

use forge_plugin::Host;
use forge_plugin::schemas::{Artifact, Failure};

use crate::docker::laying::interrupted;
use crate::docker::sources::{Found, Thing};
use crate::oci::held::{Held, damaged};
use crate::oci::layer::Content;
use crate::oci::rootfs::{Node, Rootfs, What, normal};

/// An image that files are taken from.
pub struct Foreign<'a> {
    host: &'a dyn Host,
    held: Held<'a>,
    rootfs: Rootfs,
}

impl<'a> Foreign<'a> {
    /// Looks into all layers of an image.
    pub fn open(host: &'a dyn Host, artifact: &'a Artifact) -> Result<Foreign<'a>, Failure> {
        let held = Held::open(artifact)?;
        let mut rootfs = Rootfs::default();
        for (at, layer) in held.manifest.layers.iter().enumerate() {
            rootfs.apply(at, held.tar(layer)?).map_err(|error| damaged(layer, &error))?;
        }
        Ok(Foreign { host, held, rootfs })
    }

    /// What a path or a glob names in it. `called` is what users call the image by.
    pub fn find(&self, called: &str, path: &str) -> Result<Vec<Thing>, Failure> {
        let named = self.rootfs.named(path);
        if named.is_empty() {
            return Err(Failure::input(format!("nothing in `{called}` is `{path}`")));
        }
        named.iter().map(|it| self.thing(called, path, it)).collect()
    }

    fn thing(&self, called: &str, asked: &str, path: &str) -> Result<Thing, Failure> {
        let at = self.rootfs.follow(path);
        match self.rootfs.node(&at) {
            Some(node) if node.what != What::Directory => {
                // A link is followed, and keeps its name.
                let asked = normal(asked);
                let by_name = if self.rootfs.follow(&asked) == at { &asked } else { path };
                let name = by_name.rsplit('/').next().unwrap_or_default();
                Ok(Thing::File(self.found(called, name, node)?))
            }
            _ => {
                let below = self.rootfs.below(&at);
                Ok(Thing::Directory(
                    below.map(|(path, node)| self.found(called, path, node)).collect::<Result<_, _>>()?,
                ))
            }
        }
    }

    fn found(&self, called: &str, path: &str, node: &Node) -> Result<Found, Failure> {
        let content = match &node.what {
            What::Directory => Content::Directory,
            What::Link(to) => Content::Link(to.clone()),
            What::Placed(content) => content.clone(),
            What::Layered { layer, offset, size } => {
                Content::Part { file: self.tar(*layer)?, offset: *offset, size: *size }
            }
            What::Special => {
                let message = format!("`{path}` of `{called}` is neither a file nor a directory nor a link");
                return Err(Failure::input(message));
            }
        };
        Ok(Found { path: path.to_owned(), mode: node.mode, content, owner: Some(node.owner) })
    }

    /// The tar of a layer as a file, which stays until the step ends.
    fn tar(&self, layer: usize) -> Result<PathBuf, Failure> {
        let layer = &self.held.manifest.layers[layer];
        let path = self.host.dir().join(format!("layer-{}.tar", layer.digest.hex()));
        if path.exists() {
            return Ok(path);
        }
        let mut tar = self.held.tar(layer)?;
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

const CHUNK: u64 = 1 << 20;
