//! The one HTTP client of forge: what `Host::http` promises, with credentials, retries and redirects.
//! Does not know what a request is for.

mod budget;
mod challenge;
mod mirror;
mod pace;
mod site;
mod token;
mod wire;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use forge_schemas::{AnsweredBy, Authorization, Failure, FailureClass, HttpRequest, HttpResponse, Method, Repeat};
use reqwest::header::LOCATION;
use reqwest::{Response, StatusCode};
use url::Url;

use self::challenge::{Challenge, Scopes};
pub use self::pace::Pace;
use self::site::{Site, Sites};
use self::token::{Door, Keys};
pub use self::wire::in_short;
use self::wire::{Trouble, Wire, refused};
use crate::registries::Registries;
use crate::run::credentials::{Credentials, Variables};
use crate::run::mask::Mask;

const REDIRECTS: usize = 8;

/// Sends requests of pipes. Shared by all tasks of a run: it keeps connections, tokens and what it learned of hosts.
pub struct Http {
    wire: Wire,
    keys: Keys,
}

impl Http {
    /// With the project file's settings. `root` is the directory of the project file, where a relative `ca` starts;
    /// `variables` is the environment. Nothing is read, and nobody spoken to, before the first request.
    pub fn new(registries: Registries, root: &Path, variables: Variables) -> Http {
        let keys = Keys::new(Credentials::new(registries.clone(), variables));
        let wire = Wire { sites: Sites::new(registries, root), pace: Pace::default() };
        Http { wire, keys }
    }

    /// The same, as patient as this.
    #[must_use]
    pub fn with_pace(mut self, pace: Pace) -> Http {
        self.wire.pace = pace;
        self
    }

    /// The same; `mask` learns of every password that is found.
    #[must_use]
    pub fn masked_by(mut self, mask: Arc<Mask>) -> Http {
        self.keys = self.keys.masked_by(mask);
        self
    }

    /// Sends `request` and answers what came back, whatever its status, but for two: 401 is a failure that says where
    /// credentials could come from, and 408, 429, a 403 that says when to come again, and 5xx are tried again first. A
    /// server that wants us to wait for longer than a run should is a failure, too. Ends early when `cancelled` does, and leaves no file behind then.
    pub async fn send(
        &self,
        request: &HttpRequest,
        cancelled: impl Future<Output = ()>,
    ) -> Result<HttpResponse, Failure> {
        tokio::select! {
            biased;
            () = cancelled => Err(Failure::new(FailureClass::Cancelled, "the run was interrupted")),
            answer = self.by_anyone(request) => answer,
        }
    }

    /// Of a mirror, where one may answer and does; else of the host itself, whose failure tells of the mirrors too.
    async fn by_anyone(&self, request: &HttpRequest) -> Result<HttpResponse, Failure> {
        let url = parse(request)?;
        if request.by == AnsweredBy::ItsHost {
            return self.patiently(request, &url).await;
        }
        let mut passed_over = Vec::new();
        for mirror in &self.wire.sites.at(&url).mirrors {
            let Some(at_mirror) = mirror.in_place_of(&url) else { continue };
            match self.once(request, &at_mirror).await {
                Ok(answer) if answer.is_success() => return Ok(answer),
                Ok(answer) => passed_over.push(format!("the mirror `{}` answers {}", mirror.name, answer.status)),
                Err(trouble) => {
                    if trouble.is_down() {
                        mirror.mark_down();
                    }
                    passed_over.push(format!("the mirror `{}`: {}", mirror.name, trouble.into_failure()));
                }
            }
        }
        let answer = self.patiently(request, &url).await;
        answer.map_err(|failure| passed_over.into_iter().fold(failure, Failure::cause))
    }

    async fn patiently(&self, request: &HttpRequest, url: &Url) -> Result<HttpResponse, Failure> {
        let pace = &self.wire.pace;
        if request.failed > 0 {
            tokio::time::sleep(pace.wait(request.failed)).await;
        }
        let site = self.wire.sites.at(url);
        let _permit = site.budget.permit().await;
        let (mut attempt, mut unreached) = (1, true);
        loop {
            let outcome = self.once(request, url).await;
            unreached &= outcome.as_ref().is_err_and(Trouble::is_before_all);
            if attempt >= tries(pace, request, &site, &outcome) {
                let failure =
                    |trouble: Trouble| Failure { unreached, ..with_attempts(trouble.into_failure(), attempt) };
                return outcome.map_err(failure);
            }
            let asked = outcome.as_ref().ok().and_then(pace::asked);
            if let Some(asked) = asked.filter(|asked| *asked > pace.longest_asked) {
                return Err(wants_peace(request, &site, asked));
            }
            match asked {
                // Who has asked for that does not mean this request alone.
                Some(asked) => site.budget.keep_quiet(asked),
                None => tokio::time::sleep(pace.wait(attempt)).await,
            }
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
            let Some(next) = redirect(request, &url, &response) else {
                return self.wire.read(response, request).await;
            };
            if is_downgrade(&home, &self.wire.sites.at(&next)) {
                return Err(Trouble::Final(downgraded(request, &home, &next)));
            }
            url = next;
        }
        Err(Trouble::Final(refused(request, &format!("more than {REDIRECTS} redirects"))))
    }

    async fn authorized(&self, request: &HttpRequest, url: &Url) -> Result<Response, Trouble> {
        let site = self.wire.sites.at(url);
        let scopes = Scopes::parse(request.scopes.iter().map(String::as_str));
        let door = Door { site: &site, url, scopes };
        let key = match request.authorization {
            Authorization::WhenAsked => self.keys.beforehand(&door, &self.wire).await?,
            Authorization::Bearer => self.keys.bearer(&door).await?,
            Authorization::Own => return self.wire.exchange(request, url, None).await,
        };
        let response = self.wire.exchange(request, url, key.as_ref()).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        if request.authorization == Authorization::Bearer {
            let asked = in_short(request.method, &request.url);
            return Err(Trouble::Final(self.keys.refusal(&door).await.cause(asked)));
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
    let bad = || {
        let message = format!("`{}` is no address to send a request to", in_short(request.method, &request.url));
        Failure { unreached: true, ..Failure::bug(message) }
    };
    let url = Url::parse(&request.url).map_err(|_| bad())?;
    let is_web = matches!(url.scheme(), "http" | "https") && url.has_host();
    let is_open = url.username().is_empty() && url.password().is_none();
    if is_web && is_open { Ok(url) } else { Err(bad()) }
}

/// Where the answer sends us. Requests that carry something are sent nowhere else than where they were meant to go: content, or a
/// signature.
fn redirect(request: &HttpRequest, url: &Url, response: &Response) -> Option<Url> {
    let moves = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
    let may_move = matches!(request.method, Method::Get | Method::Head) && request.authorization != Authorization::Own;
    if !moves || !may_move {
        return None;
    }
    let location = response.headers().get(LOCATION)?.to_str().ok()?;
    url.join(location).ok().filter(|next| matches!(next.scheme(), "http" | "https") && next.has_host())
}

/// Whether others could hear us there who could not at home, or a service of this machine which is not meant for the
/// host that sends us.
fn is_downgrade(home: &Site, next: &Site) -> bool {
    next.may_be_plain() && !home.may_be_plain()
}

fn downgraded(request: &HttpRequest, home: &Site, next: &Url) -> Failure {
    let reason = format!("`{}` redirects to `{}`, where plain http is spoken", home.name, site::authority(next));
    refused(request, &reason)
}

/// How often to send the request in all, by what came of it now.
fn tries(pace: &Pace, request: &HttpRequest, site: &Site, outcome: &Result<HttpResponse, Trouble>) -> u32 {
    let if_harmless = |tries| if may_be_done_twice(request) { tries } else { 1 };
    match outcome {
        Ok(answer) if pace::is_limited(answer) => pace.tries,
        Ok(answer) if matches!(answer.status, 408 | 500 | 502 | 503 | 504) => if_harmless(pace.tries),
        Err(Trouble::Broken(_)) => if_harmless(pace.tries),
        Err(Trouble::Slow(_)) => if_harmless(pace.silences),
        Err(Trouble::Unreached(_)) if site.has_answered() => pace.tries,
        Err(Trouble::Unreached(_)) => pace.calls,
        Ok(_) | Err(Trouble::Unsent(_) | Trouble::Final(_)) => 1,
    }
}

fn may_be_done_twice(request: &HttpRequest) -> bool {
    match request.repeat {
        Repeat::ByMethod => request.method.is_idempotent(),
        Repeat::Always => true,
        Repeat::Never => false,
    }
}

/// Sleeping for hours would look like a hang, and calling earlier would make the server want more.
fn wants_peace(request: &HttpRequest, site: &Site, asked: Duration) -> Failure {
    let reason = format!("`{}` wants to be left alone for {}", site.name, pace::in_words(asked));
    refused(request, &reason)
        .help("run it again then: it goes on where it has stopped, and repeats nothing that is done")
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

    #[test]
    fn c12_redirects_do_not_lead_to_plain_http() {
        let sites = Sites::new(Registries::new(), Path::new("/"));
        let at = |url: &str| sites.at(&url.parse().unwrap());
        let is_downgrade = |home: &str, next: &str| is_downgrade(&at(home), &at(next));
        assert!(is_downgrade("https://ghcr.io/v2/", "http://localhost:8080/"));
        assert!(is_downgrade("https://ghcr.io/v2/", "http://127.0.0.1/"));
        // Spoken to by https, whatever the address says.
        assert!(!is_downgrade("https://ghcr.io/v2/", "http://storage.example/"));
        assert!(!is_downgrade("http://localhost:5000/v2/", "http://127.0.0.1:9000/"));
    }

    fn failure(method: Method, url: &str) -> Failure {
        let pace = Pace { silence: Duration::from_millis(50), first_wait: Duration::ZERO, ..Pace::default() };
        let http = Http::new(Registries::new(), Path::new("/"), Arc::new(|_| None)).with_pace(pace);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(http.send(&HttpRequest::new(method, url), std::future::pending())).unwrap_err()
    }

    #[test]
    fn a_server_that_says_nothing() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://{}/", listener.local_addr().unwrap());
        assert_eq!(failure(Method::Post, &url).message, "nothing has moved for 0.05 s");
        assert_eq!(failure(Method::Get, &url).causes.last().unwrap(), "tried 2 times");
    }

    #[test]
    fn a_server_that_is_gone_may_have_seen_the_first_attempt() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let served = std::thread::spawn(move || {
            let first = listener.accept();
            drop(listener);
            drop(first);
        });
        let check = |unreached: bool| {
            let failure = failure(Method::Put, &url);
            assert!(failure.message.starts_with("can't connect"), "{failure}");
            assert_eq!(failure.unreached, unreached);
        };
        check(false);
        served.join().unwrap();
        check(true);
    }
}
