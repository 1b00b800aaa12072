//! Brings one blob to a repository (distribution-spec 1.1, "Pushing blobs"): asks, mounts, uploads whole or in chunks.
//! Does not know what is in it.

use forge_plugin::schemas::{Blob, Body, Digest, Failure, FailureClass, HttpRequest, HttpResponse, Method, Repeat};
use url::{Host, Url};

use super::patience::Patience;
use super::remote::Remote;
use crate::oci::reference::Reference;

/// Up to this size a blob goes in one request, and above it in chunks of this size. Smaller chunks are slower
/// everywhere, and so many of them that some registries refuse them.
const CHUNK: u64 = 256 << 20;
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
enum Sent {
    Done,
    /// The registry has forgotten the upload, or disagrees on how far it is.
    Lost(Failure),
}

/// Where an upload goes on.
struct Session {
    url: Url,
    /// How long a chunk must be at least.
    chunk: u64,
}

/// Makes sure that `blob` is in the repository. `mounts` are repositories that may hold it.
pub fn upload(remote: &Remote<'_>, blob: &Blob, mounts: &[String], ask: Ask) -> Result<(), Failure> {
    let mut last = None;
    let mut patience = Patience::default();
    for failed in 0..ATTEMPTS {
        // Of an upload that ended without an answer, asking tells whether it succeeded.
        if (ask == Ask::First || failed > 0) && is_there(remote, blob.digest, failed)? {
            return Ok(());
        }
        let Some(session) = start(remote, blob.digest, mounts)? else { return Ok(()) };
        let sent = match blob.size <= session.chunk {
            true => whole(remote, blob, &session),
            false => in_chunks(remote, blob, session),
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
    Ok(Session { url: location(remote, &request.url, answer)?, chunk: CHUNK.max(least) })
}

fn whole(remote: &Remote<'_>, blob: &Blob, session: &Session) -> Result<Sent, Failure> {
    let body = Body::File { path: blob.path.clone(), offset: 0, size: Some(blob.size) };
    finish(remote, blob.digest, &session.url, body)
}

fn in_chunks(remote: &Remote<'_>, blob: &Blob, mut session: Session) -> Result<Sent, Failure> {
    let mut offset = 0;
    while offset < blob.size {
        let size = session.chunk.min(blob.size - offset);
        let request = remote
            .request_to(Method::Patch, session.url.as_str())
            .header("content-type", "application/octet-stream")
            .header("content-range", format!("{offset}-{}", offset + size - 1))
            .body(Body::File { path: blob.path.clone(), offset, size: Some(size) });
        let outcome = remote.host.http(&request);
        let answer = match outcome {
            Ok(answer) if answer.status == 202 || answer.status == 204 => answer,
            Ok(answer) if answer.status != 416 => return not_sent(remote, &answer),
            Err(failure) if failure.class != FailureClass::Network => return Err(failure),
            // The registry knows how much of it has come through.
            Ok(_) | Err(_) => match progress(remote, &session.url)? {
                Some(answer) => answer,
                None => return Ok(Sent::Lost(interrupted(remote))),
            },
        };
        let reached = received(&answer).unwrap_or(offset + size);
        if reached <= offset {
            return Ok(Sent::Lost(interrupted(remote)));
        }
        offset = reached;
        session.url = location(remote, session.url.as_str(), &answer)?;
    }
    finish(remote, blob.digest, &session.url, Body::Empty)
}

fn progress(remote: &Remote<'_>, url: &Url) -> Result<Option<HttpResponse>, Failure> {
    let request = HttpRequest { failed: 1, ..remote.request_to(Method::Get, url.as_str()) };
    let answer = remote.host.http(&request)?;
    Ok((answer.status == 204).then_some(answer))
}

/// How many bytes the registry has: `Range: 0-1023` are 1024.
fn received(answer: &HttpResponse) -> Option<u64> {
    let last: u64 = answer.header("range")?.trim_start_matches("bytes=").strip_prefix("0-")?.parse().ok()?;
    Some(last + 1)
}

/// Ends an upload, once: when the reply is lost, the whole body need not be sent again to find out what came of it.
fn finish(remote: &Remote<'_>, digest: Digest, url: &Url, body: Body) -> Result<Sent, Failure> {
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
fn not_sent(remote: &Remote<'_>, answer: &HttpResponse) -> Result<Sent, Failure> {
    let failure = remote.refused(answer, "does not take an upload");
    match answer.status {
        400 | 404 | 408 | 409 | 416 | 500.. => Ok(Sent::Lost(failure)),
        _ => Err(failure),
    }
}

fn interrupted(remote: &Remote<'_>) -> Failure {
    Failure::new(FailureClass::Network, format!("`{}` has lost its place in an upload", remote.registry()))
}

/// Where an answer says that the upload goes on.
fn location(remote: &Remote<'_>, base: &str, answer: &HttpResponse) -> Result<Url, Failure> {
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
        Some(Host::Ipv4(ip)) => ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_unspecified(),
        Some(Host::Ipv6(ip)) => {
            ip.is_loopback() || ip.is_unspecified() || ip.is_unique_local() || ip.is_unicast_link_local()
        }
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::{Arc, Mutex};

    use expect_test::{Expect, expect};
    use forge_plugin::Host as _;
    use forge_plugin::testing::FakeHost;

    use super::*;

    /// An upload of ten bytes in chunks of four, at a registry that answers with these statuses and ranges in turn.
    fn check(answers: &[(u16, &'static str)], expect: Expect) {
        let trace = Arc::new(Mutex::new(String::new()));
        let (told, answers) = (Arc::clone(&trace), Mutex::new(answers.to_vec()));
        let host = FakeHost::new().on_http(move |request| {
            let (status, range) = answers.lock().unwrap().remove(0);
            let (method, url) = (request.method.as_str(), request.url.replace("https://x.example/v2/a/", ""));
            let sent = request.headers.get("content-range").cloned().unwrap_or_default();
            *told.lock().unwrap() += &format!("{method} {url} {sent} = {status}\n");
            let next = format!("{}x", request.url.split('?').next().unwrap());
            let headers =
                [("location", next.as_str()), ("range", range)].map(|(name, it)| (name.to_owned(), it.to_owned()));
            HttpResponse { status, headers: headers.into(), body: String::new() }
        });
        let path = host.root().join("blob");
        fs::write(&path, "0123456789").unwrap();
        let blob = Blob { digest: Digest::of(b"0123456789"), size: 10, path };
        let session = Session { url: "https://x.example/v2/a/u".parse().unwrap(), chunk: 4 };
        let outcome = match in_chunks(&Remote::new(&host, "x.example/a").unwrap(), &blob, session) {
            Ok(Sent::Done) => "done".to_owned(),
            Ok(Sent::Lost(failure)) => format!("lost: {failure}"),
            Err(failure) => format!("failed: {failure}"),
        };
        let digest = format!("sha256%3A{}", blob.digest.hex());
        expect.assert_eq(&format!("{}{outcome}\n", trace.lock().unwrap().replace(&digest, "<blob>")));
    }

    #[test]
    fn chunk_by_chunk() {
        check(
            &[(202, "0-3"), (202, "0-7"), (202, "0-9"), (201, "")],
            expect![[r#"
            PATCH u 0-3 = 202
            PATCH ux 4-7 = 202
            PATCH uxx 8-9 = 202
            PUT uxxx?digest=<blob>  = 201
            done
        "#]],
        );
        // Fewer bytes came through than were sent.
        check(
            &[(202, "0-1"), (202, "0-5"), (202, "0-9"), (201, "")],
            expect![[r#"
            PATCH u 0-3 = 202
            PATCH ux 2-5 = 202
            PATCH uxx 6-9 = 202
            PUT uxxx?digest=<blob>  = 201
            done
        "#]],
        );
    }

    #[test]
    fn the_registry_knows_better_how_far_it_is() {
        check(
            &[(202, "0-3"), (416, ""), (204, "0-7"), (202, "0-9"), (201, "")],
            expect![[r#"
            PATCH u 0-3 = 202
            PATCH ux 4-7 = 416
            GET ux  = 204
            PATCH uxx 8-9 = 202
            PUT uxxx?digest=<blob>  = 201
            done
        "#]],
        );
        check(
            &[(202, "0-3"), (416, ""), (404, "")],
            expect![[r#"
            PATCH u 0-3 = 202
            PATCH ux 4-7 = 416
            GET ux  = 404
            lost: `x.example` has lost its place in an upload
        "#]],
        );
        check(
            &[(202, "0-3"), (202, "0-3")],
            expect![[r#"
            PATCH u 0-3 = 202
            PATCH ux 4-7 = 202
            lost: `x.example` has lost its place in an upload
        "#]],
        );
        check(
            &[(202, "0-3"), (404, "")],
            expect![[r#"
            PATCH u 0-3 = 202
            PATCH ux 4-7 = 404
            lost: `x.example` does not take an upload: status 404
        "#]],
        );
        check(
            &[(202, "0-3"), (403, "")],
            expect![[r#"
            PATCH u 0-3 = 202
            PATCH ux 4-7 = 403
            failed: `x.example` does not take an upload: status 403
        "#]],
        );
    }

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
