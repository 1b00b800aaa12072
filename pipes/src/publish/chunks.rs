//! A large blob, sent in chunks (distribution-spec 1.1, "Pushing a blob in chunks"): after a cut it goes on where the registry says,
//! in a later run too. Does not know how an upload is started.

use forge_plugin::schemas::{Blob, Body, Failure, FailureClass, HttpRequest, HttpResponse, Method};
use serde_json::Value;
use url::Url;

use super::remote::Remote;
use super::upload::{Sent, Session, finish, location, not_sent};

/// How often in a row a chunk may bring nothing through.
const ATTEMPTS: u32 = 10;

/// What came of a chunk.
enum Chunk {
    /// The registry has taken it, and says how far it is.
    Taken(HttpResponse),
    /// It has taken none of it, and will not.
    Refused(HttpResponse),
    /// Nobody here knows how much of it has come through: the registry does.
    Unknown,
}

/// Sends what the registry does not have yet. A failure leaves a note of where to go on.
pub fn in_chunks(remote: &Remote<'_>, blob: &Blob, session: Session) -> Result<Sent, Failure> {
    let sent = go_on(remote, blob, session)?;
    note(remote, blob, Value::Null)?;
    Ok(sent)
}

fn go_on(remote: &Remote<'_>, blob: &Blob, mut session: Session) -> Result<Sent, Failure> {
    let mut failed = 0;
    while session.offset < blob.size {
        note(remote, blob, Value::from(session.url.as_str()))?;
        let end = session.offset + session.chunk.min(blob.size - session.offset);
        let (answer, reached) = match send(remote, blob, &session, end)? {
            Chunk::Refused(answer) => return not_sent(remote, &answer),
            Chunk::Taken(answer) => {
                let reached = received(&answer).unwrap_or(end);
                if reached <= session.offset {
                    return Ok(Sent::Lost(interrupted(remote)));
                }
                (answer, reached)
            }
            Chunk::Unknown => {
                failed += 1;
                let Some(answer) = progress(remote, &session.url, failed)?.filter(|_| failed < ATTEMPTS) else {
                    return Ok(Sent::Lost(interrupted(remote)));
                };
                let reached = received(&answer).unwrap_or(session.offset);
                (answer, reached)
            }
        };
        if reached > session.offset {
            failed = 0;
        }
        session.url = location(remote, session.url.as_str(), &answer)?;
        session.offset = reached;
    }
    finish(remote, blob.digest, &session.url, Body::Empty)
}

/// The upload of this blob that an earlier run has begun and not ended, if the registry still knows it.
pub fn begun(remote: &Remote<'_>, blob: &Blob, chunk: u64) -> Result<Option<Session>, Failure> {
    let noted = remote.host.recall(&key(blob))?;
    let Some(url) = noted.as_str().and_then(|it| Url::parse(it).ok()) else { return Ok(None) };
    // It is offered once: what can't be gone on with is begun anew.
    note(remote, blob, Value::Null)?;
    let Some(answer) = progress(remote, &url, 0)? else { return Ok(None) };
    let offset = received(&answer).unwrap_or(0);
    let url = location(remote, url.as_str(), &answer)?;
    Ok((offset <= blob.size).then_some(Session { url, chunk, offset }))
}

fn note(remote: &Remote<'_>, blob: &Blob, value: Value) -> Result<(), Failure> {
    remote.host.remember(&key(blob), &value)
}

fn key(blob: &Blob) -> String {
    format!("upload of {}", blob.digest)
}

fn send(remote: &Remote<'_>, blob: &Blob, session: &Session, end: u64) -> Result<Chunk, Failure> {
    let Session { url, offset, .. } = session;
    let request = remote
        .request_to(Method::Patch, url.as_str())
        .header("content-type", "application/octet-stream")
        .header("content-range", format!("{offset}-{}", end - 1))
        .body(Body::File { path: blob.path.clone(), offset: *offset, size: Some(end - offset) });
    match remote.host.http(&request) {
        Ok(answer) if answer.status == 202 || answer.status == 204 => Ok(Chunk::Taken(answer)),
        Ok(answer) if answer.status == 416 || answer.status >= 500 => Ok(Chunk::Unknown),
        Ok(answer) => Ok(Chunk::Refused(answer)),
        Err(failure) if failure.class == FailureClass::Network => Ok(Chunk::Unknown),
        Err(failure) => Err(failure),
    }
}

/// How far the registry is with an upload; none where it has forgotten it. `failed` is how often in a row nothing came through.
fn progress(remote: &Remote<'_>, url: &Url, failed: u32) -> Result<Option<HttpResponse>, Failure> {
    let request = HttpRequest { failed, ..remote.request_to(Method::Get, url.as_str()) };
    let answer = remote.host.http(&request)?;
    Ok((answer.status == 204).then_some(answer))
}

/// How many bytes the registry has: `Range: 0-1023` are 1024. `0-0` is how some say that there are none, for no chunk has one byte.
fn received(answer: &HttpResponse) -> Option<u64> {
    let last: u64 = answer.header("range")?.trim_start_matches("bytes=").strip_prefix("0-")?.parse().ok()?;
    Some(if last == 0 { 0 } else { last + 1 })
}

fn interrupted(remote: &Remote<'_>) -> Failure {
    Failure::new(FailureClass::Network, format!("`{}` has lost its place in an upload", remote.registry()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::{Arc, Mutex};

    use expect_test::{Expect, expect};
    use forge_plugin::Host as _;
    use forge_plugin::schemas::Digest;
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
        let session = Session { url: "https://x.example/v2/a/u".parse().unwrap(), chunk: 4, offset: 0 };
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
    fn what_has_not_come_through_is_sent_again() {
        check(
            &[(202, "0-3"), (503, ""), (204, "0-3"), (202, "0-7"), (500, ""), (204, "0-8"), (202, "0-9"), (201, "")],
            expect![[r#"
                PATCH u 0-3 = 202
                PATCH ux 4-7 = 503
                GET ux  = 204
                PATCH uxx 4-7 = 202
                PATCH uxxx 8-9 = 500
                GET uxxx  = 204
                PATCH uxxxx 9-9 = 202
                PUT uxxxxx?digest=<blob>  = 201
                done
            "#]],
        );
        // It says of nothing that it is the first byte.
        check(
            &[(503, ""), (204, "0-0"), (202, "0-3"), (202, "0-7"), (202, "0-9"), (201, "")],
            expect![[r#"
            PATCH u 0-3 = 503
            GET u  = 204
            PATCH ux 0-3 = 202
            PATCH uxx 4-7 = 202
            PATCH uxxx 8-9 = 202
            PUT uxxxx?digest=<blob>  = 201
            done
        "#]],
        );
    }

    #[test]
    fn an_upload_of_an_earlier_run_is_asked_for_once() {
        let answers = Mutex::new(vec![(204, "0-3"), (404, "")]);
        let host = FakeHost::new().on_http(move |_| {
            let (status, range) = answers.lock().unwrap().pop().unwrap();
            let headers = [("location", "/v2/a/next"), ("range", range)].map(|(name, it)| (name.into(), it.into()));
            HttpResponse { status, headers: headers.into(), body: String::new() }
        });
        let remote = Remote::new(&host, "x.example/a").unwrap();
        let blob = Blob { digest: Digest::of(b""), size: 10, path: "/blob".into() };
        let begun = || begun(&remote, &blob, 4).unwrap().map(|it| (it.url.to_string(), it.offset));
        assert_eq!(begun(), None, "nothing is noted");
        note(&remote, &blob, Value::from("https://x.example/v2/a/u")).unwrap();
        assert_eq!(begun(), None, "the registry has forgotten it");
        note(&remote, &blob, Value::from("https://x.example/v2/a/u")).unwrap();
        assert_eq!(begun(), Some(("https://x.example/v2/a/next".to_owned(), 4)));
        assert_eq!(begun(), None, "it was asked for");
    }

    #[test]
    fn few_chunks_and_each_of_a_known_size() {
        // 64 MiB are too small: 8.6 GiB in 135 requests are more than some registries take from one user.
        let (size, host) = (8_600_u64 << 20, FakeHost::new());
        let chunks = size.div_ceil(Remote::new(&host, "x.example/a").unwrap().chunk());
        assert!(chunks < 40, "{chunks}");
        let session = Session { url: "https://x.example/v2/a/u".parse().unwrap(), chunk: 4, offset: 4 };
        let sent = Arc::new(Mutex::new(None));
        let seen = Arc::clone(&sent);
        let host = FakeHost::new().on_http(move |request| {
            *seen.lock().unwrap() = Some(request.body.clone());
            HttpResponse { status: 202, ..HttpResponse::default() }
        });
        let blob = Blob { digest: Digest::of(b""), size: 10, path: "/blob".into() };
        send(&Remote::new(&host, "x.example/a").unwrap(), &blob, &session, 8).unwrap();
        let body = sent.lock().unwrap().take().unwrap();
        assert_eq!(body, Body::File { path: "/blob".into(), offset: 4, size: Some(4) });
    }
}
