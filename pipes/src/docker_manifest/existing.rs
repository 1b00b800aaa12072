//! Members of a list that lie in a registry already: what their references mean, their manifests, and their layers where they are wanted.
//! Does not know the list.

use std::collections::{BTreeMap, BTreeSet};

use forge_plugin::schemas::kind::Kind as _;
use forge_plugin::schemas::{Artifact, EmitBlob, Failure, Memory, Output, Place, Problem, Resource, Step, Wanted};
use forge_plugin::{Given, Host};

use super::{Described, Found, Params, describe, json, read};
use crate::docker::base::{self, BaseImage, BaseManifest};
use crate::docker::fetching;
use crate::oci::manifest::{Descriptor, Document, Manifest};
use crate::oci::reference::Reference;

/// The steps that ask what each reference means, find its images, and bring their layers.
pub(super) fn steps(references: &[String], given: &Given<'_>) -> Result<Vec<Step>, Vec<Problem>> {
    let (mut steps, mut problems) = (Vec::new(), Vec::new());
    for (at, text) in references.iter().enumerate() {
        let key = format!("existing[{at}]");
        match text.parse::<Reference>() {
            Ok(reference) => steps.extend(three_steps(at, &reference, &key, given)),
            Err(bad) => problems.push(Problem { help: bad.help.clone(), ..Problem::at_key(key, bad.to_string()) }),
        }
    }
    if problems.is_empty() { Ok(steps) } else { Err(problems) }
}

/// The artifact with the images that a step finds; none of one that does something else.
pub(super) fn found(step: &Step) -> Option<String> {
    let output = step.makes.iter().find(|it| it.kind == BaseImage::NAME && step.wanted.is_always());
    output.map(|it| it.name.clone())
}

fn three_steps(at: usize, reference: &Reference, key: &str, given: &Given<'_>) -> [Step; 3] {
    let id = &given.table.id;
    let base = reference.to_string();
    let manifest = format!("{id}.existing{at}_manifest.json");
    let output = |name: &str, kind: &str, detail| Output {
        name: name.to_owned(),
        kind: kind.to_owned(),
        platform: None,
        detail,
    };
    let step = Step { resource: Resource::Network, place: Place::Key(key.to_owned()), ..Step::default() };
    let resolve = Step {
        name: format!("existing{at}/manifest"),
        makes: vec![output(&manifest, BaseManifest::NAME, json(&BaseManifest { name: base.clone() }))],
        memory: if reference.digest().is_some() { Memory::Content } else { Memory::Never },
        names: base::names(&base::Base::Registry(reference.clone())),
        params: json(&Params::Resolve(base.clone())),
        ..step.clone()
    };
    let (images, detail) = (format!("{id}.existing{at}_images.json"), json(&detail(&base, reference)));
    let find = Step {
        name: format!("existing{at}/images"),
        takes: vec![manifest],
        makes: vec![output(&images, BaseImage::NAME, detail.clone())],
        params: json(&Params::Find(base.clone())),
        ..step.clone()
    };
    let bring = Step {
        name: format!("existing{at}"),
        takes: vec![images],
        makes: vec![output(&format!("{id}.existing{at}.json"), BaseImage::NAME, detail)],
        wanted: Wanted::Here,
        params: json(&Params::Bring(base)),
        ..step
    };
    [resolve, find, bring]
}

fn detail(name: &str, reference: &Reference) -> BaseImage {
    BaseImage { name: name.to_owned(), mounts: vec![reference.name()], tree: None }
}

/// Finds what was resolved: the manifest and the config of an image, or of all images of a list. Their layers stay where they are, and
/// so does what the list attests of them.
pub(super) fn find(text: &str, name: &str, host: &dyn Host) -> Result<(), Failure> {
    let reference = parse(text)?;
    let document = read(&first_input(host)?.path)?;
    let config =
        |manifest: Manifest| fetching::fetch_blob(&reference, &manifest.config, host).map(|()| manifest.config.digest);
    let mut content = BTreeSet::new();
    match parsed(&document, text)? {
        Document::Manifest(manifest) => drop(content.insert(config(manifest)?)),
        Document::Index(index) => {
            for descriptor in index.manifests.iter().filter(|it| is_image(it)) {
                let target = descriptor.digest.to_string();
                let bytes = fetching::manifest_bytes(&reference, &target, Some(descriptor.digest), host)?;
                content.insert(config(image(&bytes, text)?)?);
                let path = fetching::file_of(host, descriptor.digest);
                std::fs::write(&path, &bytes).map_err(|error| Failure::file("write", &path, &error))?;
                content.insert(descriptor.digest);
            }
        }
    }
    let blobs = content.into_iter().map(|digest| EmitBlob::File(fetching::file_of(host, digest))).collect();
    fetching::emit(host, name, &document, blobs, &detail(text, &reference))
}

/// Brings the layers of what was found, but for those that say that they lie at other addresses.
pub(super) fn bring(text: &str, name: &str, host: &dyn Host) -> Result<(), Failure> {
    let reference = parse(text)?;
    let found = first_input(host)?;
    let mut layers = BTreeSet::new();
    for listed in manifests(found, text)? {
        for layer in image(&listed.bytes, text)?.layers.iter().filter(|it| it.urls.is_empty()) {
            fetching::fetch_blob(&reference, layer, host)?;
            layers.insert(layer.digest);
        }
    }
    let held = found.blobs.iter().map(|it| EmitBlob::Held(it.digest));
    let blobs = held.chain(layers.into_iter().map(|digest| EmitBlob::File(fetching::file_of(host, digest)))).collect();
    fetching::emit(host, name, &read(&found.path)?, blobs, &detail(text, &reference))
}

fn parse(text: &str) -> Result<Reference, Failure> {
    text.parse().map_err(|bad| Failure::bug(format!("{bad}")))
}

fn first_input(host: &dyn Host) -> Result<&Artifact, Failure> {
    host.inputs().first().ok_or_else(|| Failure::bug("what it means is not among the inputs"))
}

fn image(bytes: &[u8], called: &str) -> Result<Manifest, Failure> {
    match parsed(bytes, called)? {
        Document::Manifest(manifest) => Ok(manifest),
        Document::Index(_) => Err(Failure::input(format!("`{called}` is a list of lists"))),
    }
}

/// The manifest of an image, and what a list notes of it.
struct Listed {
    annotations: BTreeMap<String, String>,
    bytes: Vec<u8>,
}

/// The images that were found.
fn manifests(found: &Artifact, called: &str) -> Result<Vec<Listed>, Failure> {
    let document = read(&found.path)?;
    let Document::Index(index) = parsed(&document, called)? else {
        return Ok(vec![Listed { annotations: BTreeMap::new(), bytes: document }]);
    };
    let of_member = |descriptor: Descriptor| {
        let blob = found.blobs.iter().find(|it| it.digest == descriptor.digest);
        let blob = blob.ok_or_else(|| Failure::bug(format!("`{called}` lacks `{}`", descriptor.digest)))?;
        Ok(Listed { annotations: descriptor.annotations, bytes: read(&blob.path)? })
    };
    index.manifests.into_iter().filter(is_image).map(of_member).collect()
}

/// The images that were found, described.
pub(super) fn images(found: &Artifact) -> Result<Vec<Described>, Failure> {
    let called = found.detail::<BaseImage>().map_or_else(|| found.name.clone(), |it| it.name);
    let of_image = |Listed { annotations, bytes }| {
        let described = describe(&Found { called: &called, bytes: &bytes }, found)?;
        Ok(Described { descriptor: Descriptor { annotations, ..described.descriptor }, ..described })
    };
    manifests(found, &called)?.into_iter().map(of_image).collect()
}

/// BuildKit puts attestations into a list as images for no platform.
fn is_image(descriptor: &Descriptor) -> bool {
    descriptor.platform.as_ref().is_none_or(|it| it.os != "unknown")
}

fn parsed(bytes: &[u8], called: &str) -> Result<Document, Failure> {
    Document::parse(bytes).map_err(|message| Failure::input(format!("`{called}` can't be read")).cause(message))
}
