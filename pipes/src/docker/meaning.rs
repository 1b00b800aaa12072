//! What the name of a base means now: one question a run, and what it answers is fetched only where that is new.
//! Does not know what stands on it, nor for which platforms.

use forge_plugin::Host;
use forge_plugin::schemas::{AnsweredBy, Change, Digest, Failure, Finding, HttpRequest, Method};

use crate::docker::archived;
use crate::docker::base::{Base, BaseManifest};
use crate::docker::fetching::{emit, manifest_bytes, refused, unfit};
use crate::oci::manifest::{ACCEPT, Document};
use crate::oci::reference::Reference;

/// What a name meant last time: the text of an index or a manifest.
const DOCUMENT: &str = "document";
/// Longer ones are fetched again rather than remembered.
const LONGEST: usize = 1 << 20;

/// Finds out what the name of a base means for all platforms, and emits that under the name that the step declares: an index
/// or a manifest of a registry, or the id of an image of the Docker daemon.
pub fn ask(base: &str, name: &str, host: &dyn Host) -> Result<(), Failure> {
    let content = match Base::parse(base) {
        Ok(Base::Registry(reference)) => {
            let document = meaning(&reference, host)?;
            Document::parse(document.as_bytes()).map_err(|message| unfit(base, message))?;
            document
        }
        Ok(Base::Daemon { name: asked }) => archived::id(&asked, host)?,
        _ => return Err(Failure::bug(format!("`{base}` has no name that could mean another image later"))),
    };
    emit(host, name, content.as_bytes(), Vec::new(), &BaseManifest { name: base.to_owned() })
}

/// What lies at the digest of the reference, or at the one that is locked, or at the one that the registry tells now. What it was
/// last time is not fetched again.
fn meaning(reference: &Reference, host: &dyn Host) -> Result<String, Failure> {
    let name = reference.to_string();
    let locked = host.found().iter().find(|it| it.place == name).and_then(|it| it.there);
    let digest = match locked.or(reference.digest()) {
        Some(digest) => Some(digest),
        None => told(&head(reference, host)?),
    };
    let known = || {
        let before = host.recall(DOCUMENT).ok()?;
        before.as_str().filter(|it| Some(Digest::of(it.as_bytes())) == digest).map(str::to_owned)
    };
    if let Some(known) = known() {
        return Ok(known);
    }
    // Some registries do not say, and some only to GET.
    let target = digest.map_or_else(|| reference.target(), |it| it.to_string());
    let bytes = manifest_bytes(reference, &target, digest, host)?;
    let document = String::from_utf8(bytes).map_err(|_| unfit(&name, "it is no text".to_owned()))?;
    if document.len() <= LONGEST {
        host.remember(DOCUMENT, &document.clone().into())?;
    }
    Ok(document)
}

/// What the name of a base means now, for one who only wants to know.
pub fn probe(base: &str, host: &dyn Host) -> Result<Vec<Finding>, Failure> {
    let Ok(Base::Registry(reference)) = Base::parse(base) else { return Ok(Vec::new()) };
    let answer = head(&reference, host)?;
    let there = match told(&answer) {
        _ if answer.status == 404 => None,
        _ if !answer.is_success() => return Err(refused(&format!("`{reference}`"), answer.status)),
        Some(digest) => Some(digest),
        None => Some(Digest::of(host.http(&request(Method::Get, &reference))?.body.as_bytes())),
    };
    Ok(vec![Finding { place: reference.to_string(), there, ours: None, change: Change::Unknown }])
}

fn head(reference: &Reference, host: &dyn Host) -> Result<forge_plugin::schemas::HttpResponse, Failure> {
    host.http(&request(Method::Head, reference))
}

/// What an image stands on is only read, and so a mirror may say what it is.
fn request(method: Method, reference: &Reference) -> HttpRequest {
    let url = format!("{}/manifests/{}", reference.api(), reference.target());
    HttpRequest { by: AnsweredBy::Mirror, ..HttpRequest::new(method, url).header("Accept", ACCEPT) }
}

/// The digest that a registry tells of a manifest.
fn told(answer: &forge_plugin::schemas::HttpResponse) -> Option<Digest> {
    answer.header("docker-content-digest").filter(|_| answer.is_success())?.parse().ok()
}
