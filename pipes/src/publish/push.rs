//! What an artifact stands for, and how all of it comes to a repository: blobs side by side, children before parents.
//! Does not know requests.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use forge_plugin::Host;
use forge_plugin::schemas::{Artifact, Blob, Digest, Failure, FailureClass};

use super::remote::{Manifest, Put, Remote};
use super::upload::{Ask, Part, upload};
use crate::docker::elsewhere;
use crate::oci::manifest::{Descriptor, Document, Manifest as Parsed, PlatformFields};

/// As many as hide the latency of a registry; more, and some registries count them as abuse.
const SIDE_BY_SIDE: usize = 4;

/// An image or a list, with all that it refers to. Layers of a base may be elsewhere.
pub struct Content<'a> {
    artifact: &'a Artifact,
    blobs: BTreeMap<Digest, Blob>,
}

impl<'a> Content<'a> {
    /// Of the first input of the step.
    pub fn of_step(host: &'a dyn Host) -> Result<Content<'a>, Failure> {
        host.inputs().first().map(Content::of).ok_or_else(|| Failure::bug("a step that takes nothing to publish"))
    }

    /// Of an artifact.
    pub fn of(artifact: &'a Artifact) -> Content<'a> {
        let own = Blob { digest: artifact.digest, size: artifact.size, path: artifact.path.clone() };
        let blobs = artifact.blobs.iter().cloned().chain([own]).map(|blob| (blob.digest, blob)).collect();
        Content { artifact, blobs }
    }

    /// The artifact.
    pub fn artifact(&self) -> &'a Artifact {
        self.artifact
    }

    /// The digest of its manifest or index.
    pub fn digest(&self) -> Digest {
        self.artifact.digest
    }

    /// Its manifest or index.
    pub fn root(&self) -> Result<Manifest, Failure> {
        Ok(self.read(self.digest())?.0)
    }

    /// How others point at it: with what its kind and its manifest say of it.
    pub fn descriptor(&self) -> Result<Descriptor, Failure> {
        let (Manifest { blob, media_type }, document) = self.read(self.digest())?;
        let descriptor = Descriptor::new(media_type, blob.digest, blob.size);
        Ok(match document {
            Document::Manifest(Parsed { artifact_type: artifact_type @ Some(_), annotations, .. }) => {
                Descriptor { artifact_type, annotations, ..descriptor }
            }
            _ => Descriptor { platform: self.artifact.platform.as_ref().map(PlatformFields::from), ..descriptor },
        })
    }

    /// Every file. Layers that are elsewhere are brought here.
    pub fn files(&self, host: &dyn Host) -> Result<Vec<Blob>, Failure> {
        let mut files: Vec<Blob> = self.blobs.values().cloned().collect();
        for (_, document) in self.documents()? {
            let Document::Manifest(manifest) = document else { continue };
            for layer in layers(&manifest).filter(|it| !self.blobs.contains_key(&it.digest)) {
                let path = elsewhere::bring(self.artifact, layer, host)?;
                files.push(Blob { digest: layer.digest, size: layer.size, path });
            }
        }
        Ok(files)
    }

    fn blob(&self, digest: Digest) -> Result<&Blob, Failure> {
        let name = &self.artifact.name;
        self.blobs
            .get(&digest)
            .ok_or_else(|| Failure::input(format!("`{name}` refers to `{digest}`, which it does not hold")))
    }

    fn read(&self, digest: Digest) -> Result<(Manifest, Document), Failure> {
        let blob = self.blob(digest)?;
        let bytes = fs::read(&blob.path).map_err(|error| Failure::file("read", &blob.path, &error))?;
        let document = Document::parse(&bytes)
            .map_err(|message| Failure::input(format!("`{}`: `{digest}` is {message}", self.artifact.name)))?;
        let media_type = document.media_type().to_owned();
        Ok((Manifest { blob: blob.clone(), media_type }, document))
    }

    /// All manifests and indexes, children before parents.
    fn documents(&self) -> Result<Vec<(Manifest, Document)>, Failure> {
        let mut parents_first = Vec::new();
        let mut rest = vec![self.digest()];
        while let Some(digest) = rest.pop() {
            let (manifest, document) = self.read(digest)?;
            if let Document::Index(index) = &document {
                rest.extend(index.manifests.iter().map(|descriptor| descriptor.digest));
            }
            parents_first.push((manifest, document));
        }
        // What has several parents stands behind each of them, and is kept where it stands last.
        let mut seen = BTreeSet::new();
        let children_first = parents_first.into_iter().rev();
        Ok(children_first.filter(|(manifest, _)| seen.insert(manifest.blob.digest)).collect())
    }
}

/// Puts everything there by digest, unless the registry has what stands above it: then it has all of it.
pub fn push_missing(content: &Content<'_>, remote: &Remote<'_>, mounts: &[String]) -> Result<(), Failure> {
    let digest = content.digest();
    match remote.digest_of(&digest.to_string())? == Some(digest) {
        true => Ok(()),
        false => push_all(content, remote, mounts),
    }
}

/// Puts everything there by digest, the blobs that are missing and all manifests.
pub fn push_all(content: &Content<'_>, remote: &Remote<'_>, mounts: &[String]) -> Result<(), Failure> {
    // Now that it is made, more is known than when it was planned.
    let mounts = [mounts, &elsewhere::repositories(content.artifact)].concat();
    for (manifest, document) in content.documents()? {
        let parts = match &document {
            Document::Manifest(manifest) => parts_of(content, manifest)?,
            Document::Index(_) => Vec::new(),
        };
        upload_all(&parts, remote, &mounts, Ask::First)?;
        let target = manifest.blob.digest.to_string();
        if let Put::Missing(_) = remote.put(&target, &manifest)? {
            // It said that it has a blob which it does not have.
            upload_all(&parts, remote, &mounts, Ask::Nothing)?;
            remote.put(&target, &manifest)?.or_fail(remote, &target)?;
        }
    }
    Ok(())
}

/// What an image consists of, each once: config and layers.
fn parts_of<'c>(content: &'c Content<'_>, manifest: &'c Parsed) -> Result<Vec<Part<'c>>, Failure> {
    let mut seen = BTreeSet::from([manifest.config.digest]);
    let config = Part::Held(content.blob(manifest.config.digest)?);
    let layers = layers(manifest).filter(|layer| seen.insert(layer.digest)).map(|layer| {
        let held = content.blobs.get(&layer.digest);
        held.map_or(Part::Elsewhere(content.artifact, layer), Part::Held)
    });
    Ok(std::iter::once(config).chain(layers).collect())
}

/// What says that it lies at other addresses is left there.
fn layers(manifest: &Parsed) -> impl Iterator<Item = &Descriptor> {
    manifest.layers.iter().filter(|layer| layer.urls.is_empty())
}

fn upload_all(parts: &[Part<'_>], remote: &Remote<'_>, mounts: &[String], ask: Ask) -> Result<(), Failure> {
    let queue = Mutex::new(parts.iter());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let total = parts.iter().map(Part::size).sum();
    let done = AtomicU64::new(0);
    let work = || -> Result<(), Failure> {
        while let Some(part) = next() {
            if remote.host.cancelled() {
                return Err(Failure::new(FailureClass::Cancelled, "the run was interrupted"));
            }
            upload(remote, part, mounts, ask)?;
            let done = done.fetch_add(part.size(), Ordering::Relaxed) + part.size();
            remote.host.progress(done, total, "pushing");
        }
        Ok(())
    };
    let outcomes: Vec<Result<(), Failure>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..SIDE_BY_SIDE.min(parts.len())).map(|_| scope.spawn(work)).collect();
        let panicked = |_| Err(Failure::bug("an upload panicked"));
        workers.into_iter().map(|worker| worker.join().unwrap_or_else(panicked)).collect()
    });
    outcomes.into_iter().collect()
}
