//! The one HTTP client of forge: what `Host::http` promises, with credentials, retries and redirects.
//! Does not know what a request is for, but for one: starting an upload to a registry may be done twice.

mod challenge;
mod site;
mod token;
mod wire;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use forge_schemas::{Failure, FailureClass, HttpRequest, HttpResponse, Method};
use reqwest::header::LOCATION;
use reqwest::{Response, StatusCode};
use url::Url;

use self::challenge::{Challenge, Scopes};
use self::site::Sites;
use self::token::{Door, Keys};
pub use self::wire::in_short;
use self::wire::{Trouble, Wire, broken};
use crate::registries::Registries;
use crate::run::credentials::{Credentials, Variables};
use crate::run::mask::Mask;

const ATTEMPTS: u32 = 5;
const REDIRECTS: usize = 10;
const LONGEST_WAIT: Duration = Duration::from_secs(5);
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60);
/// A registry hashes gigabytes before it answers the end of an upload.
const PATIENCE: Duration = Duration::from_secs(300);

/// Sends requests of pipes. Shared by all tasks of a run: it keeps connections, tokens and what it learned of hosts.
pub struct Http {
    wire: Wire,
    keys: Keys,
    first_wait: Duration,
}

impl Http {
    /// With the project file's settings. `root` is the directory of the project file, where a relative `ca` starts;
    /// `variables` is the environment. Nothing is read, and nobody spoken to, before the first request.
    pub fn new(registries: Registries, root: &Path, variables: Variables) -> Http {
        let keys = Keys::new(Credentials::new(registries.clone(), variables));
        let wire = Wire { sites: Sites::new(registries, root), patience: PATIENCE };
        Http { wire, keys, first_wait: Duration::from_millis(200) }
    }

    /// The same; `mask` learns of every password that is found.
    #[must_use]
    pub fn masked_by(mut self, mask: Arc<Mask>) -> Http {
        self.keys = self.keys.masked_by(mask);
        self
    }

    /// Sends `request` and answers what came back, whatever its status, but for two: 401 is a failure that says where
    /// credentials could come from, and 408, 429 and 5xx are tried again first. Ends early when `cancelled` does, and
    /// leaves no file behind then.
    pub async fn send(
        &self,
        request: &HttpRequest,
        cancelled: impl Future<Output = ()>,
    ) -> Result<HttpResponse, Failure> {
        tokio::select! {
            biased;
            () = cancelled => Err(Failure::new(FailureClass::Cancelled, "the run was interrupted")),
            answer = self.patiently(request) => answer,
        }
    }

    async fn patiently(&self, request: &HttpRequest) -> Result<HttpResponse, Failure> {
        let url = parse(request)?;
        let site = self.wire.sites.at(&url);
        let _permit = site.permits.acquire().await;
        let mut attempt = 1;
        loop {
            let outcome = self.once(request, &url).await;
            if attempt == ATTEMPTS || !may_repeat(request, &outcome) {
                return outcome.map_err(|trouble| with_attempts(trouble.into_failure(), attempt));
            }
            tokio::time::sleep(wait(self.first_wait, attempt, &outcome)).await;
            attempt += 1;
        }
    }

    /// One attempt, with the redirects that it leads to.
    async fn once(&self, request: &HttpRequest, url: &Url) -> Result<HttpResponse, Trouble> {
        let home = self.wire.sites.at(url);
        let mut url = url.clone();
        for _ in 0..=REDIRECTS {
            // Who is redirected to gets no credentials, not even its own: it was the first host that chose it.
            let response = match self.wire.sites.at(&url).name == home.name {
                true => self.authorized(request, &url).await?,
                false => self.wire.exchange(request, &url, None).await?,
            };
            match redirect(request, &url, &response) {
                Some(next) => url = next,
                None => return self.wire.read(response, request).await,
            }
        }
        Err(Trouble::Final(broken(request, &format!("more than {REDIRECTS} redirects"))))
    }

    async fn authorized(&self, request: &HttpRequest, url: &Url) -> Result<Response, Trouble> {
        let site = self.wire.sites.at(url);
        let scopes = Scopes::parse(request.scopes.iter().map(String::as_str));
        let door = Door { site: &site, url, scopes };
        let key = self.keys.beforehand(&door, &self.wire).await?;
        let response = self.wire.exchange(request, url, key.as_ref()).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        let challenge = Challenge::of(response.headers());
        // A body that was read to its end leaves the connection fit for the next request.
        let _ = self.wire.read(response, request).await;
        let key = self.keys.answer(&door, challenge, key.as_ref(), &self.wire).await?;
        let response = self.wire.exchange(request, url, Some(&key)).await?;
        match response.status() {
            StatusCode::UNAUTHORIZED => {
                let asked = in_short(request.method, &request.url);
                Err(Trouble::Final(self.keys.refusal(&door).await.cause(asked)))
            }
            _ => Ok(response),
        }
    }
}

fn parse(request: &HttpRequest) -> Result<Url, Failure> {
    let bad =
        || Failure::bug(format!("`{}` is no address to send a request to", in_short(request.method, &request.url)));
    let url = Url::parse(&request.url).map_err(|_| bad())?;
    let is_web = matches!(url.scheme(), "http" | "https") && url.has_host();
    let is_open = url.username().is_empty() && url.password().is_none();
    if is_web && is_open { Ok(url) } else { Err(bad()) }
}

/// Where the answer sends us. Requests that carry something are sent nowhere else than where they were meant to go.
fn redirect(request: &HttpRequest, url: &Url, response: &Response) -> Option<Url> {
    let moves = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
    if !moves || !matches!(request.method, Method::Get | Method::Head) {
        return None;
    }
    let location = response.headers().get(LOCATION)?.to_str().ok()?;
    url.join(location).ok().filter(|next| matches!(next.scheme(), "http" | "https") && next.has_host())
}

fn may_repeat(request: &HttpRequest, outcome: &Result<HttpResponse, Trouble>) -> bool {
    match outcome {
        Ok(answer) if answer.status == 429 => true,
        Ok(answer) => matches!(answer.status, 408 | 500 | 502 | 503 | 504) && may_be_done_twice(request),
        Err(Trouble::Unreached(_)) => true,
        Err(Trouble::Broken(_)) => may_be_done_twice(request),
        Err(Trouble::Final(_)) => false,
    }
}

/// An upload that was started and never used is seen by nobody, and the registry throws it away.
fn may_be_done_twice(request: &HttpRequest) -> bool {
    let path = request.url.split('?').next().unwrap_or_default();
    let starts_upload = request.method == Method::Post && path.ends_with("/blobs/uploads/");
    request.method.is_idempotent() || starts_upload
}

/// How long to wait after this attempt: as long as the server says, else twice as long as the last time.
fn wait(first: Duration, attempt: u32, outcome: &Result<HttpResponse, Trouble>) -> Duration {
    let asked = outcome.as_ref().ok().and_then(retry_after);
    match asked {
        Some(asked) => asked.min(LONGEST_RETRY_AFTER),
        None => (first * 2_u32.pow(attempt - 1)).min(LONGEST_WAIT),
    }
}

/// `Retry-After`: seconds, or a date (RFC 9110, 10.2.3), which is counted from the date of the answer: the server's clock
/// may not be ours.
fn retry_after(answer: &HttpResponse) -> Option<Duration> {
    let value = answer.header("retry-after")?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = |text: &str| Some(jiff::fmt::rfc2822::parse(text.trim()).ok()?.timestamp());
    let wait = date(value)?.duration_since(date(answer.header("date")?)?);
    Some(Duration::try_from(wait).unwrap_or_default())
}

fn with_attempts(failure: Failure, attempts: u32) -> Failure {
    match attempts {
        1 => failure,
        _ => failure.cause(format!("tried {attempts} times")),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn check_wait(attempt: u32, retry_after: Option<&str>, expect: Duration) {
        let mut answer = HttpResponse { status: 503, ..HttpResponse::default() };
        answer.headers.insert("date".to_owned(), "Wed, 21 Oct 2015 07:28:00 GMT".to_owned());
        answer.headers.extend(retry_after.map(|value| ("retry-after".to_owned(), value.to_owned())));
        assert_eq!(wait(Duration::from_millis(200), attempt, &Ok(answer)), expect);
    }

    #[test]
    fn waits_are_bounded() {
        check_wait(1, None, Duration::from_millis(200));
        check_wait(4, None, Duration::from_millis(1600));
        check_wait(9, None, LONGEST_WAIT);
        check_wait(1, Some("3"), Duration::from_secs(3));
        check_wait(1, Some("86400"), LONGEST_RETRY_AFTER);
        check_wait(1, Some("Wed, 21 Oct 2015 07:28:07 GMT"), Duration::from_secs(7));
        check_wait(1, Some("Wed, 21 Oct 2015 07:00:00 GMT"), Duration::ZERO);
        check_wait(1, Some("Wed, 21 Oct 2015 08:28:00 GMT"), LONGEST_RETRY_AFTER);
        check_wait(1, Some("soon"), Duration::from_millis(200));
    }

    #[test]
    fn a_server_that_says_nothing() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut http = Http::new(Registries::new(), Path::new("/"), Arc::new(|_| None));
        http.wire.patience = Duration::from_millis(50);
        let request = HttpRequest::new(Method::Post, format!("https://{}/", listener.local_addr().unwrap()));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let failure = runtime.block_on(http.send(&request, std::future::pending())).unwrap_err();
        assert_eq!(failure.message, "nothing has moved for 0.05 s");
    }
}
