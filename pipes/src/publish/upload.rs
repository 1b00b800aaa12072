//! Brings one blob to a repository (distribution-spec 1.1, "Pushing blobs"): asks, mounts, uploads it whole.
//! Does not know what is in it; `chunks` sends what is too large for that.

use std::fs;

use forge_plugin::Host;
use forge_plugin::schemas::{
    Artifact, Blob, Body, Digest, Failure, FailureClass, HttpRequest, HttpResponse, Method, Repeat,
};
use url::Url;

use super::chunks::{begun, in_chunks};
use super::patience::Patience;
use super::remote::Remote;
use super::turn::Turn;
use crate::docker::elsewhere;
use crate::docker::fetching::file_of;
use crate::oci::manifest::Descriptor;
use crate::oci::reference::Reference;

/// How often a blob is begun anew, when a connection broke, or a registry has forgotten the upload or lost its place.
const ATTEMPTS: u32 = 10;

/// Whether to ask before an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// Ask whether the blob is there.
    First,
    /// Upload in any case: the answer was wrong before.
    Nothing,
}

/// How an upload can end that has not failed for good.
pub(super) enum Sent {
    Done,
    /// The registry has forgotten the upload, or disagrees on how far it is.
    Lost(Failure),
}

/// Where an upload goes on.
pub(super) struct Session {
    /// Where to send the next chunk.
    pub url: Url,
    /// How long each is, but for the last.
    pub chunk: u64,
    /// How much the registry has.
    pub offset: u64,
}

/// A part of an image.
#[derive(Debug, Clone, Copy)]
pub enum Part<'a> {
    /// A file.
    Held(&'a Blob),
    /// A layer of this artifact, which is brought here only if it has to be sent.
    Elsewhere(&'a Artifact, &'a Descriptor),
}

impl Part<'_> {
    /// In bytes.
    pub fn size(&self) -> u64 {
        match self {
            Part::Held(blob) => blob.size,
            Part::Elsewhere(_, layer) => layer.size,
        }
    }

    /// As a file that may not be there yet.
    fn blob(&self, host: &dyn Host) -> Blob {
        match self {
            Part::Held(blob) => (*blob).clone(),
            Part::Elsewhere(_, layer) => {
                Blob { digest: layer.digest, size: layer.size, path: file_of(host, layer.digest) }
            }
        }
    }

    /// The same, which is there.
    fn brought(&self, host: &dyn Host) -> Result<Blob, Failure> {
        match self {
            Part::Held(blob) => Ok((*blob).clone()),
            Part::Elsewhere(artifact, layer) => {
                Ok(Blob { path: elsewhere::bring(artifact, layer, host)?, ..self.blob(host) })
            }
        }
    }
}

/// Makes sure that a part is in the repository. `mounts` are repositories that may hold it.
pub fn upload(remote: &Remote<'_>, part: &Part<'_>, mounts: &[String], ask: Ask) -> Result<(), Failure> {
    let blob = part.blob(remote.host);
    let _turn = Turn::wait(remote.repository(), blob.digest);
    let sent = send(remote, part, &blob, mounts, ask);
    // What was fetched to be sent on is in no store, and might be large.
    if let Part::Elsewhere(..) = part {
        drop(fs::remove_file(&blob.path));
    }
    sent
}

fn send(remote: &Remote<'_>, part: &Part<'_>, blob: &Blob, mounts: &[String], ask: Ask) -> Result<(), Failure> {
    let mut last = None;
    let mut patience = Patience::default();
    for failed in 0..ATTEMPTS {
        // Of an upload that ended without an answer, asking tells whether it succeeded.
        if (ask == Ask::First || failed > 0) && is_there(remote, blob.digest, failed)? {
            return Ok(());
        }
        let session = match blob.size > remote.chunk() {
            true => begun(remote, blob, remote.chunk())?,
            false => None,
        };
        let Some(session) = session.map_or_else(|| start(remote, blob.digest, mounts), |it| Ok(Some(it)))? else {
            return Ok(());
        };
        let blob = part.brought(remote.host)?;
        let sent = match blob.size <= session.chunk {
            true => whole(remote, &blob, &session),
            false => in_chunks(remote, &blob, session),
        };
        match sent {
            Ok(Sent::Done) => return Ok(()),
            Ok(Sent::Lost(failure)) => last = Some(failure),
            Err(failure) if patience.bears(&failure) => last = Some(failure),
            Err(failure) => return Err(failure),
        }
    }
    let failure = last.unwrap_or_else(|| Failure::bug("no attempt to upload was made"));
    Err(failure.cause(format!("the upload of `{}` was begun {ATTEMPTS} times", blob.digest)))
}

/// Whether the repository has the blob. `failed` is how often its upload has failed so far.
fn is_there(remote: &Remote<'_>, digest: Digest, failed: u32) -> Result<bool, Failure> {
    let request = remote.request(Method::Head, &format!("blobs/{digest}"));
    let answer = remote.host.http(&HttpRequest { failed, ..request })?;
    match answer.status {
        200..300 => Ok(true),
        404 => Ok(false),
        _ => Err(remote.refused(&answer, &format!("does not say whether it has `{digest}`"))),
    }
}

/// Where to upload to; none where a mount has made that unnecessary.
fn start(remote: &Remote<'_>, digest: Digest, mounts: &[String]) -> Result<Option<Session>, Failure> {
    if let Some(request) = mount(remote, digest, mounts) {
        // Who may not read the other repository, and registries that know no mounts, answer in many ways. All of them
        // mean: upload it.
        match remote.host.http(&request) {
            Ok(answer) if answer.status == 201 => return Ok(None),
            Ok(answer) if answer.status == 202 => return session(remote, &request, &answer).map(Some),
            Err(failure) if failure.class == FailureClass::Cancelled => return Err(failure),
            _ => {}
        }
    }
    let request = start_of(remote, "blobs/uploads/");
    let answer = remote.host.http(&request)?;
    match answer.status {
        201 => Ok(None),
        202 => session(remote, &request, &answer).map(Some),
        _ => Err(remote.refused(&answer, "does not start an upload")),
    }
}

/// The request that mounts the blob from the first repository on the same registry.
fn mount(remote: &Remote<'_>, digest: Digest, mounts: &[String]) -> Option<HttpRequest> {
    let sources = mounts.iter().filter_map(|mount| mount.parse::<Reference>().ok());
    let source =
        sources.filter(|source| source.host() == remote.registry()).map(|it| it.repository().to_owned()).next()?;
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("mount", &digest.to_string()).append_pair("from", &source);
    let mut request = start_of(remote, &format!("blobs/uploads/?{}", query.finish()));
    request.scopes.push(format!("repository:{source}:pull"));
    Some(request)
}

/// An upload that was started and never used is seen by nobody, and the registry throws it away; a blob that is mounted
/// twice is there once.
fn start_of(remote: &Remote<'_>, path: &str) -> HttpRequest {
    HttpRequest { repeat: Repeat::Always, ..remote.request(Method::Post, path) }
}

fn session(remote: &Remote<'_>, request: &HttpRequest, answer: &HttpResponse) -> Result<Session, Failure> {
    let least: u64 = answer.header("oci-chunk-min-length").and_then(|it| it.parse().ok()).unwrap_or(0);
    Ok(Session { url: location(remote, &request.url, answer)?, chunk: remote.chunk().max(least), offset: 0 })
}

fn whole(remote: &Remote<'_>, blob: &Blob, session: &Session) -> Result<Sent, Failure> {
    let body = Body::File { path: blob.path.clone(), offset: 0, size: Some(blob.size) };
    finish(remote, blob.digest, &session.url, body)
}

/// Ends an upload, once: when the reply is lost, the whole body need not be sent again to find out what came of it.
pub(super) fn finish(remote: &Remote<'_>, digest: Digest, url: &Url, body: Body) -> Result<Sent, Failure> {
    let mut url = url.clone();
    url.query_pairs_mut().append_pair("digest", &digest.to_string());
    let request =
        remote.request_to(Method::Put, url.as_str()).header("content-type", "application/octet-stream").body(body);
    let answer = remote.host.http(&HttpRequest { repeat: Repeat::Never, ..request })?;
    match answer.status {
        200..300 => Ok(Sent::Done),
        _ => not_sent(remote, &answer),
    }
}

/// Whether it is worth while to begin again: what fails half-way leaves an upload that is no longer empty, or is over.
pub(super) fn not_sent(remote: &Remote<'_>, answer: &HttpResponse) -> Result<Sent, Failure> {
    let failure = remote.refused(answer, "does not take an upload");
    match answer.status {
        400 | 404 | 408 | 409 | 416 | 500.. => Ok(Sent::Lost(failure)),
        _ => Err(failure),
    }
}

/// Where an answer says that the upload goes on.
pub(super) fn location(remote: &Remote<'_>, base: &str, answer: &HttpResponse) -> Result<Url, Failure> {
    let refuse = |reason: &str| {
        let message = format!("`{}` takes an upload and {reason}", remote.registry());
        Err(Failure::new(FailureClass::Refused, message))
    };
    let Some(location) = answer.header("location") else { return refuse("does not say where (no `Location`)") };
    let Ok(base) = Url::parse(base) else { return refuse("was asked at no address") };
    match base.join(location) {
        Ok(url) if url.host().is_none() => refuse("names no host to send it to"),
        Ok(url) if is_inward(&base, &url) => refuse("sends it to a private address"),
        Ok(url) => Ok(url),
        Err(_) => refuse("says where in a way that is no address"),
    }
}

/// Whether a registry outside sends us to an address inside of our own network.
fn is_inward(from: &Url, to: &Url) -> bool {
    from.host() != to.host() && is_private(to) && !is_private(from)
}

fn is_private(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_unspecified(),
        Some(url::Host::Ipv6(ip)) => {
            ip.is_loopback() || ip.is_unspecified() || ip.is_unique_local() || ip.is_unicast_link_local()
        }
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_send_us_where() {
        let inward = |from: &str, to: &str| is_inward(&from.parse().unwrap(), &to.parse().unwrap());
        assert!(inward("https://ghcr.io/v2/", "http://192.168.1.1/upload"));
        assert!(inward("https://ghcr.io/v2/", "http://[::1]/upload"));
        assert!(inward("https://ghcr.io/v2/", "http://localhost:5000/upload"));
        assert!(!inward("https://ghcr.io/v2/", "https://uploads.ghcr.io/upload"));
        assert!(!inward("https://localhost:5000/v2/", "http://127.0.0.1:5000/upload"));
        assert!(!inward("https://10.0.0.1/v2/", "http://10.0.0.1:81/upload"));
    }
}
