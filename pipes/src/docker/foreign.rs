//! Files of another image, for a copy: of a stage before, or of one that a registry holds.
//! Does not know where they go.

use std::collections::BTreeMap;

use forge_plugin::Host;
use forge_plugin::schemas::{Artifact, Failure};

use crate::docker::layers::Layers;
use crate::docker::sources::{Found, Thing};
use crate::oci::held::Held;
use crate::oci::layer::Content;
use crate::oci::rootfs::{Node, Rootfs, What, normal};

/// An image that files are taken from.
pub struct Foreign<'a> {
    layers: Layers<'a>,
    rootfs: Rootfs,
}

impl<'a> Foreign<'a> {
    /// Looks into all layers of an image.
    pub fn open(host: &'a dyn Host, artifact: &'a Artifact) -> Result<Foreign<'a>, Failure> {
        let layers = Layers::new(host, Held::open(artifact)?);
        let rootfs = layers.rootfs()?;
        Ok(Foreign { layers, rootfs })
    }

    /// What a path or a glob names in it. `called` is what users call the image by.
    pub fn find(&self, called: &str, path: &str) -> Result<Vec<Thing>, Failure> {
        let named = self.rootfs.named(path);
        if named.is_empty() {
            return Err(Failure::input(format!("nothing in `{called}` is `{path}`")));
        }
        named.iter().map(|it| self.thing(called, path, it)).collect()
    }

    /// The permissions and the owner of what lies at a path.
    pub fn own(&self, path: &str) -> Option<(u32, (u64, u64))> {
        self.rootfs.node(&self.rootfs.follow(path)).map(|node| (node.mode, node.owner))
    }

    /// What a path or a glob names in it, with the directories that it lies in below one of them.
    pub fn find_with_parents(&self, called: &str, above: &str, path: &str) -> Result<Vec<Thing>, Failure> {
        let top = self.rootfs.follow(above);
        let named: Vec<String> = self.rootfs.named(path).into_iter().filter(|it| !it.is_empty()).collect();
        if named.is_empty() {
            return Err(Failure::input(format!("nothing in `{called}` is `{path}`")));
        }
        let mut found = BTreeMap::new();
        for it in named {
            let below = it.strip_prefix(&top).map(|it| it.trim_start_matches('/')).filter(|it| !it.is_empty());
            let Some(kept) = below else {
                return Err(Failure::input(format!("`{path}` of `{called}` leads through a link, out of `/{top}`")));
            };
            let parents = kept.match_indices('/').map(|(end, _)| &it[..it.len() - kept.len() + end]);
            let inside = self.rootfs.below(&it).map(|(below, _)| format!("{it}/{below}"));
            for path in parents.map(str::to_owned).chain([it.clone()]).chain(inside) {
                if let Some(node) = self.rootfs.node(&path) {
                    let kept = path[top.len()..].trim_start_matches('/');
                    found.insert(kept.to_owned(), self.found(called, kept, node)?);
                }
            }
        }
        Ok(vec![Thing::Directory(found.into_values().collect())])
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
            What::Layered { layer, offset, size } => self.layers.content(*layer, *offset, *size)?,
            What::Special => {
                let message = format!("`{path}` of `{called}` is neither a file nor a directory nor a link");
                return Err(Failure::input(message));
            }
        };
        Ok(Found { path: path.to_owned(), mode: node.mode, content, owner: Some(node.owner) })
    }
}
