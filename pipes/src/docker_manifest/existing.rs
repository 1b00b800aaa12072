//! Members of a list that lie in a registry already: what their references mean, and all that they consist of.
//! Does not know the list.

use std::collections::BTreeSet;

use forge_plugin::schemas::kind::Kind as _;
use forge_plugin::schemas::{Artifact, Digest, EmitBlob, Failure, Memory, Output, Place, Problem, Resource, Step};
use forge_plugin::{Given, Host};

use super::{Described, Found, Params, describe, json, read};
use crate::docker::base::{self, BaseImage, BaseManifest};
use crate::docker::fetching;
use crate::oci::manifest::{Descriptor, Document, Manifest};
use crate::oci::reference::Reference;

/// The steps that ask what each reference means, and fetch it.
pub(super) fn steps(references: &[String], given: &Given<'_>) -> Result<Vec<Step>, Vec<Problem>> {
    let (mut steps, mut problems) = (Vec::new(), Vec::new());
    for (at, text) in references.iter().enumerate() {
        let key = format!("existing[{at}]");
        match text.parse::<Reference>() {
            Ok(reference) => steps.extend(two_steps(at, &reference, &key, given)),
            Err(bad) => problems.push(Problem { help: bad.help.clone(), ..Problem::at_key(key, bad.to_string()) }),
        }
    }
    if problems.is_empty() { Ok(steps) } else { Err(problems) }
}

/// The artifact that a step fetches; none of one that asks.
pub(super) fn fetched(step: &Step) -> Option<String> {
    step.makes.iter().find(|it| it.kind == BaseImage::NAME).map(|it| it.name.clone())
}

fn two_steps(at: usize, reference: &Reference, key: &str, given: &Given<'_>) -> [Step; 2] {
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
    let detail = BaseImage { name: base.clone(), mounts: vec![reference.name()], tree: None };
    let fetch = Step {
        name: format!("existing{at}"),
        takes: vec![manifest],
        makes: vec![output(&format!("{id}.existing{at}.json"), BaseImage::NAME, json(&detail))],
        params: json(&Params::Fetch(base.clone())),
        ..step
    };
    [resolve, fetch]
}

/// Fetches what was resolved: an image, or all images of a list. What a list attests of them stays where it is.
pub(super) fn fetch(text: &str, name: &str, host: &dyn Host) -> Result<(), Failure> {
    let reference: Reference = text.parse().map_err(|bad| Failure::bug(format!("{bad}")))?;
    let input = host.inputs().first().ok_or_else(|| Failure::bug("what it means is not among the inputs"))?;
    let document = read(&input.path)?;
    let mut content = BTreeSet::new();
    match parsed(&document, text)? {
        Document::Manifest(manifest) => content.extend(parts(&manifest, &reference, host)?),
        Document::Index(index) => {
            for descriptor in index.manifests.iter().filter(|it| is_image(it)) {
                let target = descriptor.digest.to_string();
                let bytes = fetching::manifest_bytes(&reference, &target, Some(descriptor.digest), host)?;
                let Document::Manifest(manifest) = parsed(&bytes, &target)? else {
                    return Err(Failure::input(format!("`{text}` is a list of lists")));
                };
                let path = fetching::file_of(host, descriptor.digest);
                std::fs::write(&path, &bytes).map_err(|error| Failure::file("write", &path, &error))?;
                content.extend(parts(&manifest, &reference, host)?);
                content.insert(descriptor.digest);
            }
        }
    }
    let blobs = content.into_iter().map(|digest| EmitBlob::File(fetching::file_of(host, digest))).collect();
    fetching::emit(
        host,
        name,
        &document,
        blobs,
        &BaseImage { name: text.to_owned(), mounts: vec![reference.name()], tree: None },
    )
}

/// Fetches what an image consists of.
fn parts(manifest: &Manifest, reference: &Reference, host: &dyn Host) -> Result<Vec<Digest>, Failure> {
    let fetch = |part: &Descriptor| fetching::fetch_blob(reference, part, host).map(|()| part.digest);
    fetching::parts(manifest).map(fetch).collect()
}

/// The images that were fetched, described.
pub(super) fn images(existing: &Artifact) -> Result<Vec<Described>, Failure> {
    let called = existing.detail::<BaseImage>().map_or_else(|| existing.name.clone(), |it| it.name);
    let document = read(&existing.path)?;
    let Document::Index(index) = parsed(&document, &called)? else {
        return Ok(vec![describe(&Found { called: &called, bytes: &document }, existing)?]);
    };
    let of_member = |descriptor: &Descriptor| {
        let blob = existing.blobs.iter().find(|it| it.digest == descriptor.digest);
        let blob = blob.ok_or_else(|| Failure::bug(format!("`{called}` lacks `{}`", descriptor.digest)))?;
        let described = describe(&Found { called: &called, bytes: &read(&blob.path)? }, existing)?;
        let annotations = descriptor.annotations.clone();
        Ok(Described { descriptor: Descriptor { annotations, ..described.descriptor }, ..described })
    };
    index.manifests.iter().filter(|it| is_image(it)).map(of_member).collect()
}

/// BuildKit puts attestations into a list as images for no platform.
fn is_image(descriptor: &Descriptor) -> bool {
    descriptor.platform.as_ref().is_none_or(|it| it.os != "unknown")
}

fn parsed(bytes: &[u8], called: &str) -> Result<Document, Failure> {
    Document::parse(bytes).map_err(|message| Failure::input(format!("`{called}` can't be read")).cause(message))
}
