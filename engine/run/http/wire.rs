//! Sends one request once, and reads its answer: bodies from and to files, digests on the way.
//! Does not know credentials, and repeats nothing.

use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use forge_schemas::{Body, Digest, Digester, Failure, FailureClass, HttpRequest, HttpResponse, Method};
use futures_util::TryStreamExt as _;
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Response};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};
use tokio_util::io::ReaderStream;
use url::Url;

use super::site::{Site, Sites, in_words};

const INLINE_LIMIT: usize = 4 << 20;
const ERROR_LIMIT: usize = 64 << 10;
const CHUNK: usize = 256 << 10;

/// Sends requests.
pub struct Wire {
    /// Whom it has spoken to.
    pub sites: Sites,
    /// How long nothing may move. A registry is silent while it hashes what it was sent.
    pub patience: Duration,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Trouble {
    /// The request did not reach the server: anything may be tried again.
    Unreached(Failure),
    /// The server may have seen the request: what may be done twice may be tried again.
    Broken(Failure),
    /// Trying again is of no use.
    Final(Failure),
}

/// When something moved last.
#[derive(Clone)]
struct Pulse(Arc<Mutex<Instant>>);

impl Wire {
    /// The head of the answer. The body is read by `read`.
    pub async fn exchange(
        &self,
        request: &HttpRequest,
        url: &Url,
        authorization: Option<&HeaderValue>,
    ) -> Result<Response, Trouble> {
        let site = self.sites.at(url);
        let client = self.sites.client(&site).map_err(Trouble::Final)?;
        let mut answer = Err(Trouble::Final(Failure::bug("a host without a scheme")));
        for scheme in site.schemes() {
            let mut url = url.clone();
            let _ = url.set_scheme(scheme);
            answer = self.try_once(&client, request, &url, authorization, &site).await;
            match &answer {
                Err(Trouble::Unreached(_)) => {}
                Err(_) => break,
                Ok(_) => {
                    site.answered_by(scheme);
                    break;
                }
            }
        }
        answer
    }

    /// The whole answer. A body goes to `request.to_file` if the status is a success, and comes back inline otherwise.
    pub async fn read(&self, mut response: Response, request: &HttpRequest) -> Result<HttpResponse, Trouble> {
        let mut answer = HttpResponse {
            status: response.status().as_u16(),
            headers: in_text(response.headers()),
            body: String::new(),
        };
        match &request.to_file {
            _ if request.method == Method::Head => {}
            Some(path) if answer.is_success() => self.to_file(&mut response, request, path).await?,
            _ if answer.is_success() => answer.body = self.inline(&mut response, request).await?,
            _ => answer.body = self.reason(&mut response, request).await?,
        }
        Ok(answer)
    }

    async fn try_once(
        &self,
        client: &Client,
        request: &HttpRequest,
        url: &Url,
        authorization: Option<&HeaderValue>,
        site: &Site,
    ) -> Result<Response, Trouble> {
        let pulse = Pulse::new();
        let mut head = headers(request).map_err(Trouble::Final)?;
        if let Some(value) = authorization {
            head.insert(AUTHORIZATION, value.clone());
        }
        let (body, size) = open(&request.body, &pulse).await.map_err(Trouble::Final)?;
        if size > 0 || !matches!(request.method, Method::Head | Method::Get | Method::Delete) {
            head.insert(CONTENT_LENGTH, HeaderValue::from(size));
        }
        let sending = client.request(method(request.method), url.clone()).headers(head).body(body).send();
        tokio::select! {
            answer = sending => answer.map_err(|error| trouble(&error, request, site)),
            () = pulse.stops(self.patience) => Err(Trouble::Broken(self.stalled(request))),
        }
    }

    async fn chunk(&self, response: &mut Response, request: &HttpRequest) -> Result<Option<bytes::Bytes>, Trouble> {
        match tokio::time::timeout(self.patience, response.chunk()).await {
            Ok(Ok(chunk)) => Ok(chunk),
            Ok(Err(error)) => Err(Trouble::Broken(cut_off(request, &error))),
            Err(_) => Err(Trouble::Broken(self.stalled(request))),
        }
    }

    async fn to_file(&self, response: &mut Response, request: &HttpRequest, path: &Path) -> Result<(), Trouble> {
        let failed = |error: &std::io::Error| Trouble::Final(Failure::file("write", path, error));
        let dir = path.parent().unwrap_or(Path::new("."));
        let beside = tempfile::Builder::new().prefix(".part-").tempfile_in(dir).map_err(|error| failed(&error))?;
        let mut file = tokio::fs::File::from_std(beside.reopen().map_err(|error| failed(&error))?);
        let mut digester = Digester::default();
        while let Some(chunk) = self.chunk(response, request).await? {
            let _ = digester.write_all(&chunk);
            file.write_all(&chunk).await.map_err(|error| failed(&error))?;
        }
        file.flush().await.map_err(|error| failed(&error))?;
        check_digest(request, digester.finish().0)?;
        beside.persist(path).map_err(|error| failed(&error.error))?;
        Ok(())
    }

    async fn inline(&self, response: &mut Response, request: &HttpRequest) -> Result<String, Trouble> {
        let bytes = self.bytes(response, request, INLINE_LIMIT + 1).await?;
        let refuse = |reason: &str| Trouble::Final(broken(request, reason));
        if bytes.len() > INLINE_LIMIT {
            return Err(refuse("the answer is longer than 4 MiB and was asked for inline"));
        }
        check_digest(request, Digest::of(&bytes))?;
        String::from_utf8(bytes).map_err(|_| refuse("the answer is not UTF-8 and was asked for inline"))
    }

    async fn reason(&self, response: &mut Response, request: &HttpRequest) -> Result<String, Trouble> {
        let bytes = self.bytes(response, request, ERROR_LIMIT).await?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    async fn bytes(&self, response: &mut Response, request: &HttpRequest, limit: usize) -> Result<Vec<u8>, Trouble> {
        let mut bytes = Vec::new();
        while bytes.len() < limit
            && let Some(chunk) = self.chunk(response, request).await?
        {
            bytes.extend_from_slice(&chunk[..chunk.len().min(limit - bytes.len())]);
        }
        Ok(bytes)
    }

    fn stalled(&self, request: &HttpRequest) -> Failure {
        broken(request, &format!("nothing has moved for {} s", self.patience.as_secs_f64()))
    }
}

impl Trouble {
    /// The failure, for a caller that gives up.
    pub fn into_failure(self) -> Failure {
        match self {
            Trouble::Unreached(failure) | Trouble::Broken(failure) | Trouble::Final(failure) => failure,
        }
    }
}

impl Pulse {
    fn new() -> Pulse {
        Pulse(Arc::new(Mutex::new(Instant::now())))
    }

    fn beat(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Ends when it has not beaten for `patience`.
    async fn stops(&self, patience: Duration) {
        loop {
            let quiet = self.0.lock().unwrap_or_else(PoisonError::into_inner).elapsed();
            match patience.checked_sub(quiet) {
                Some(rest) if !rest.is_zero() => tokio::time::sleep(rest).await,
                _ => return,
            }
        }
    }
}

/// Method and address, for people. What follows `?` is left out, for the addresses of uploads carry keys there; so is
/// what stands before `@`.
pub fn in_short(method: Method, url: &str) -> String {
    let (shown, query) = url.split_once('?').map_or((url, ""), |(shown, _)| (shown, "?…"));
    let (scheme, rest) = shown.split_once("//").unwrap_or(("", shown));
    let end = rest.find('/').unwrap_or(rest.len());
    let start = rest[..end].rfind('@').map_or(0, |at| at + 1);
    format!("{} {scheme}//{}{query}", method.as_str(), &rest[start..])
}

/// A failure of the network, and what was asked.
pub fn broken(request: &HttpRequest, reason: &str) -> Failure {
    Failure::new(FailureClass::Network, reason).cause(in_short(request.method, &request.url))
}

fn check_digest(request: &HttpRequest, actual: Digest) -> Result<(), Trouble> {
    match request.digest {
        Some(expected) if expected != actual => {
            let reason = format!("the answer's digest is `{actual}` instead of `{expected}`");
            Err(Trouble::Final(Failure { class: FailureClass::Refused, ..broken(request, &reason) }))
        }
        _ => Ok(()),
    }
}

fn headers(request: &HttpRequest) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    for (name, value) in &request.headers {
        let bad = || Failure::bug(format!("`{name}` is not a header that a pipe may send, or has a bad value"));
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
        if [AUTHORIZATION, CONTENT_LENGTH].contains(&name) {
            return Err(bad());
        }
        headers.insert(name, HeaderValue::from_str(value).map_err(|_| bad())?);
    }
    Ok(headers)
}

/// The body and its size. A file is opened here, for this attempt alone.
async fn open(body: &Body, pulse: &Pulse) -> Result<(reqwest::Body, u64), Failure> {
    let (path, offset, size) = match body {
        Body::Empty => return Ok((reqwest::Body::default(), 0)),
        Body::Text(text) => return Ok((text.clone().into(), text.len() as u64)),
        Body::File { path, offset, size } => (path, *offset, *size),
    };
    let failed = |error: std::io::Error| Failure::file("read", path, &error);
    let mut file = tokio::fs::File::open(path).await.map_err(failed)?;
    let rest = file.metadata().await.map_err(failed)?.len().saturating_sub(offset);
    let size = size.unwrap_or(rest);
    if size > rest {
        return Err(Failure::input(format!("`{}` is shorter than it should be", path.display())));
    }
    file.seek(std::io::SeekFrom::Start(offset)).await.map_err(failed)?;
    let pulse = pulse.clone();
    let stream = ReaderStream::with_capacity(file.take(size), CHUNK).inspect_ok(move |_| pulse.beat());
    Ok((reqwest::Body::wrap_stream(stream), size))
}

fn method(method: Method) -> reqwest::Method {
    match method {
        Method::Head => reqwest::Method::HEAD,
        Method::Get => reqwest::Method::GET,
        Method::Post => reqwest::Method::POST,
        Method::Put => reqwest::Method::PUT,
        Method::Patch => reqwest::Method::PATCH,
        Method::Delete => reqwest::Method::DELETE,
    }
}

/// Names in lower case; values of one name joined as RFC 9110, 5.3 says.
fn in_text(headers: &HeaderMap) -> std::collections::BTreeMap<String, String> {
    let text = |name: &HeaderName| {
        let values = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
        values.collect::<Vec<_>>().join(", ")
    };
    headers.keys().map(|name| (name.as_str().to_owned(), text(name))).collect()
}

fn trouble(error: &reqwest::Error, request: &HttpRequest, site: &Site) -> Trouble {
    if !error.is_connect() {
        return Trouble::Broken(cut_off(request, error));
    }
    let reason = in_words(error);
    let failure = broken(request, &format!("can't connect to `{}`: {reason}", site.name));
    // Who does not speak TLS, or shows a certificate that nobody vouches for, will do so again.
    let settings = format!("`[registries.\"{}\"]`", site.name);
    if reason.contains("certificate") {
        let help =
            format!("name the file of its authority's certificate as `ca` in {settings}, or set `insecure = true`");
        return last_unless_plain(failure.help(help), site);
    }
    if reason.contains("corrupt message") {
        return last_unless_plain(
            failure.help(format!("if it speaks plain http, set `insecure = true` in {settings}")),
            site,
        );
    }
    let help = match reason.contains("lookup") {
        true => format!("is `{}` the right name, and is there a network?", site.name),
        false => format!("is `{}` up, and is that its port?", site.name),
    };
    Trouble::Unreached(failure.help(help))
}

fn cut_off(request: &HttpRequest, error: &reqwest::Error) -> Failure {
    broken(request, &format!("the connection was cut off: {}", in_words(error)))
}

fn last_unless_plain(failure: Failure, site: &Site) -> Trouble {
    if site.may_be_plain() { Trouble::Unreached(failure) } else { Trouble::Final(failure) }
}
