//! Sends one request once, and reads its answer: bodies from and to files, digests on the way.
//! Does not know credentials, and repeats nothing.

use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use forge_schemas::{Authorization, Body, Digest, Digester, Failure, FailureClass, HttpRequest, HttpResponse, Method};
use futures_util::TryStreamExt as _;
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Response};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};
use tokio_util::io::ReaderStream;
use url::Url;

use super::pace::{self, Pace};
use super::site::{Site, Sites, in_words};

const INLINE_LIMIT: usize = 4 << 20;
const ERROR_LIMIT: usize = 64 << 10;
const CHUNK: usize = 256 << 10;

/// Sends requests.
pub struct Wire {
    /// Whom it has spoken to.
    pub sites: Sites,
    /// How slow others may be.
    pub pace: Pace,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Trouble {
    /// The request did not reach the server: anything may be tried again.
    Unreached(Failure),
    /// The server may have seen the request: what may be done twice may be tried again.
    Broken(Failure),
    /// The same, but it took long to find out.
    Slow(Failure),
    /// Nothing was sent, for a reason of our own: trying again is of no use.
    Unsent(Failure),
    /// Trying again is of no use.
    Final(Failure),
}

/// The body of an answer, which must not come too slowly: neither silence nor a trickle holds up a run for ever.
struct Flow<'a> {
    response: &'a mut Response,
    request: &'a HttpRequest,
    site: Arc<Site>,
    pace: Pace,
    since: Instant,
    came: u64,
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
        let client = self.sites.client(&site).map_err(Trouble::Unsent)?;
        let mut answer = Err(Trouble::Unsent(Failure::bug("a host without a scheme")));
        site.budget.turn().await;
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
        if answer.is_success() && is_page(request, &response) {
            return Err(Trouble::Final(page(request)));
        }
        match &request.to_file {
            _ if request.method == Method::Head || request.head_only && answer.is_success() => {}
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
        let mut head = headers(request).map_err(Trouble::Unsent)?;
        if let Some(value) = authorization {
            head.insert(AUTHORIZATION, value.clone());
        }
        let (body, size) = open(&request.body, &pulse).await.map_err(Trouble::Unsent)?;
        if size > 0 || !matches!(request.method, Method::Head | Method::Get | Method::Delete) {
            head.insert(CONTENT_LENGTH, HeaderValue::from(size));
        }
        let sending = client.request(method(request.method), url.clone()).headers(head).body(body).send();
        let silence = self.pace.with_patience(site.patience).silence;
        tokio::select! {
            answer = sending => answer.map_err(|error| trouble(&error, request, site)),
            () = pulse.stops(silence) => {
                let reason = format!("nothing has moved for {}", pace::in_words(silence));
                Err(Trouble::Slow(silent(request, site, &reason)))
            }
        }
    }

    fn flow<'a>(&self, response: &'a mut Response, request: &'a HttpRequest) -> Flow<'a> {
        let site = self.sites.at(response.url());
        let pace = self.pace.with_patience(site.patience);
        Flow { response, request, site, pace, since: Instant::now(), came: 0 }
    }

    async fn to_file(&self, response: &mut Response, request: &HttpRequest, path: &Path) -> Result<(), Trouble> {
        let failed = |error: &std::io::Error| Trouble::Final(Failure::file("write", path, error));
        let dir = path.parent().unwrap_or(Path::new("."));
        let beside = tempfile::Builder::new().prefix(".part-").tempfile_in(dir).map_err(|error| failed(&error))?;
        let mut file = tokio::fs::File::from_std(beside.reopen().map_err(|error| failed(&error))?);
        let mut digester = Digester::default();
        let mut flow = self.flow(response, request);
        while let Some(chunk) = flow.next().await? {
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
        let refuse = |reason: &str| Trouble::Final(refused(request, reason));
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
        let mut flow = self.flow(response, request);
        let mut bytes = Vec::new();
        while bytes.len() < limit
            && let Some(chunk) = flow.next().await?
        {
            bytes.extend_from_slice(&chunk[..chunk.len().min(limit - bytes.len())]);
        }
        Ok(bytes)
    }
}

impl Flow<'_> {
    /// The next bytes; none at the end.
    async fn next(&mut self) -> Result<Option<bytes::Bytes>, Trouble> {
        loop {
            let rest = self.pace.stretch.saturating_sub(self.since.elapsed());
            match tokio::time::timeout(rest, self.response.chunk()).await {
                Ok(Ok(chunk)) => {
                    self.came += chunk.as_ref().map_or(0, |it| it.len() as u64);
                    return Ok(chunk);
                }
                Ok(Err(error)) => return Err(Trouble::Broken(cut_off(self.request, &error))),
                Err(_) if self.came < self.pace.least => {
                    let stretch = pace::in_words(self.pace.stretch);
                    let reason = format!("fewer than {} bytes have come in {stretch}", self.pace.least);
                    return Err(Trouble::Slow(silent(self.request, &self.site, &reason)));
                }
                Err(_) => (self.since, self.came) = (Instant::now(), 0),
            }
        }
    }
}

impl Trouble {
    /// Whether others will have it too who ask the same host.
    pub fn is_down(&self) -> bool {
        matches!(self, Trouble::Unreached(_) | Trouble::Slow(_))
    }

    /// Whether the server has seen nothing of the request, for sure.
    pub fn is_before_all(&self) -> bool {
        matches!(self, Trouble::Unreached(_) | Trouble::Unsent(_))
    }

    /// The failure, for a caller that gives up.
    pub fn into_failure(self) -> Failure {
        match self {
            Trouble::Unreached(failure)
            | Trouble::Broken(failure)
            | Trouble::Slow(failure)
            | Trouble::Unsent(failure)
            | Trouble::Final(failure) => failure,
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

fn silent(request: &HttpRequest, site: &Site, reason: &str) -> Failure {
    let help = format!(
        "run it again when `{0}` answers; for how long it may be silent says `patience` in `[registries.\"{0}\"]`",
        site.name
    );
    Failure::new(FailureClass::Silent, reason).cause(in_short(request.method, &request.url)).help(help)
}

/// Whether people are answered rather than programs: by a login page, say. What has a digest is judged by that, and who asks for pages,
/// or for anything at all, gets them.
fn is_page(request: &HttpRequest, response: &Response) -> bool {
    let is_html = |value: &str| {
        let value = value.trim_start().to_ascii_lowercase();
        value.starts_with("text/html") || value.starts_with("*/*")
    };
    let told = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let wanted = request.headers.iter().any(|(name, value)| name.eq_ignore_ascii_case("accept") && is_html(value));
    let is_empty = response.headers().get(CONTENT_LENGTH).is_some_and(|size| size == "0");
    told.is_some_and(is_html) && !wanted && !is_empty && request.digest.is_none()
}

fn page(request: &HttpRequest) -> Failure {
    let failure = refused(request, "a web page has come instead of an answer");
    failure.help("is there a proxy or a network in between that wants a login? is the address a registry's?")
}

/// A failure where trying again is of no use, and what was asked.
pub fn refused(request: &HttpRequest, reason: &str) -> Failure {
    Failure { class: FailureClass::Refused, ..broken(request, reason) }
}

fn check_digest(request: &HttpRequest, actual: Digest) -> Result<(), Trouble> {
    match request.digest {
        Some(expected) if expected != actual => {
            let reason = format!("the answer's digest is `{actual}` instead of `{expected}`");
            Err(Trouble::Final(refused(request, &reason)))
        }
        _ => Ok(()),
    }
}

fn headers(request: &HttpRequest) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    for (name, value) in &request.headers {
        let bad = || Failure::bug(format!("`{name}` is not a header that a pipe may send, or has a bad value"));
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
        let is_its_own = name == AUTHORIZATION && request.authorization == Authorization::Own;
        if [AUTHORIZATION, CONTENT_LENGTH].contains(&name) && !is_its_own {
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
    if is_bad_certificate(error) {
        let help =
            format!("name the file of its authority's certificate as `ca` in {settings}, or set `insecure = true`");
        return last_unless_plain(failure.help(help), site);
    }
    if speaks_no_tls(error) {
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

fn is_bad_certificate(error: &reqwest::Error) -> bool {
    matches!(of_tls(error), Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented))
}

fn speaks_no_tls(error: &reqwest::Error) -> bool {
    matches!(of_tls(error), Some(rustls::Error::InvalidMessage(_)))
}

/// What TLS has to say. It is wrapped in errors of input and output, which do not count what they wrap as their source.
fn of_tls(error: &reqwest::Error) -> Option<&rustls::Error> {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(tls) = error.downcast_ref() {
            return Some(tls);
        }
        next = match error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

fn cut_off(request: &HttpRequest, error: &reqwest::Error) -> Failure {
    broken(request, &format!("the connection was cut off: {}", in_words(error)))
}

fn last_unless_plain(failure: Failure, site: &Site) -> Trouble {
    if site.may_be_plain() {
        return Trouble::Unreached(failure);
    }
    Trouble::Final(Failure { class: FailureClass::Refused, ..failure })
}
