//! Answers what a server asks for before it serves: a password, or a token of its token server, kept until it expires.
//! Does not know what the request is about.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use forge_schemas::{Body, Failure, FailureClass, HttpRequest, HttpResponse, Method};
use reqwest::header::HeaderValue;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::challenge::{Challenge, Scopes};
use super::site::{Site, authority};
use super::wire::{Trouble, Wire, broken, refused};
use crate::run::credentials::{Credential, Credentials, Login};
use crate::run::mask::Mask;
use crate::run::secrets::Secret;

/// What a token server means that says nothing (distribution-spec's `auth/token`).
const DEFAULT_LIFE: u64 = 60;
/// What lives longer outlives the run.
const LONGEST_LIFE: u64 = 24 * 60 * 60;

/// All tokens of a run, and what they were asked for with.
pub struct Keys {
    credentials: Credentials,
    /// What was asked for, by the part of the host it was asked for in.
    challenges: Mutex<HashMap<String, Challenge>>,
    tokens: Mutex<HashMap<Ask, Slot>>,
}

/// Where a request goes, and which scopes it wants beyond those that it is asked for.
pub struct Door<'a> {
    /// The host.
    pub site: &'a Site,
    /// The address.
    pub url: &'a Url,
    /// What the pipe asks for.
    pub scopes: Scopes,
}

/// One token; whoever holds the lock fetches it for all that wait.
type Slot = Arc<tokio::sync::Mutex<Option<Token>>>;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Ask {
    host: String,
    realm: Url,
    service: String,
    scopes: Scopes,
}

struct Token {
    value: HeaderValue,
    expires: Instant,
}

/// What a token server answers.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Granted {
    token: Option<Secret>,
    access_token: Option<Secret>,
    expires_in: Option<Value>,
}

impl Keys {
    /// With these credentials.
    pub fn new(credentials: Credentials) -> Keys {
        Keys { credentials, challenges: Mutex::default(), tokens: Mutex::default() }
    }

    /// The same; `mask` learns of every password that is found.
    #[must_use]
    pub fn masked_by(mut self, mask: Arc<Mask>) -> Keys {
        self.credentials = self.credentials.masked_by(mask);
        self
    }

    /// What to send without being asked, from what was asked for in the same part of the host before. A body that is
    /// sent only to be refused costs its whole size.
    pub async fn beforehand(&self, door: &Door<'_>, wire: &Wire) -> Result<Option<HeaderValue>, Trouble> {
        let known = {
            let challenges = self.challenges.lock().unwrap_or_else(PoisonError::into_inner);
            challenges.get(&area(door.url)).or_else(|| challenges.get(&authority(door.url))).cloned()
        };
        match known {
            Some(challenge) => self.meet(door, &challenge, None, wire).await.map(Some),
            None => Ok(None),
        }
    }

    /// The host's secret as a bearer token, where there is one.
    pub async fn bearer(&self, door: &Door<'_>) -> Result<Option<HeaderValue>, Trouble> {
        let credential = self.credentials.of(&door.site.name).await.map_err(Trouble::Unsent)?;
        Ok(credential.and_then(|it| bearer(it.login.secret().reveal())))
    }

    /// What to send now that the server has asked, having been sent `refused`.
    pub async fn answer(
        &self,
        door: &Door<'_>,
        challenge: Option<Challenge>,
        refused: Option<&HeaderValue>,
        wire: &Wire,
    ) -> Result<HeaderValue, Trouble> {
        let Some(challenge) = challenge else { return Err(Trouble::Final(self.refusal(door).await)) };
        let place = match &challenge {
            Challenge::Basic => authority(door.url),
            Challenge::Bearer { .. } => area(door.url),
        };
        let challenge = {
            let mut challenges = self.challenges.lock().unwrap_or_else(PoisonError::into_inner);
            let joined = match challenges.get(&place) {
                Some(earlier) => challenge.and(earlier),
                None => challenge,
            };
            challenges.insert(place, joined.clone());
            joined
        };
        self.meet(door, &challenge, refused, wire).await
    }

    /// Why a host does not let us in, and what to do.
    pub async fn refusal(&self, door: &Door<'_>) -> Failure {
        match self.credentials.of(&door.site.name).await {
            Ok(credential) => refusal(door.site, credential.as_ref()),
            Err(failure) => failure,
        }
    }

    async fn meet(
        &self,
        door: &Door<'_>,
        challenge: &Challenge,
        refused: Option<&HeaderValue>,
        wire: &Wire,
    ) -> Result<HeaderValue, Trouble> {
        let credential = self.credentials.of(&door.site.name).await.map_err(Trouble::Unsent)?;
        match challenge {
            Challenge::Basic => {
                let value = credential.as_ref().and_then(|credential| basic(&credential.login));
                value
                    .filter(|value| Some(value) != refused)
                    .ok_or_else(|| Trouble::Final(refusal(door.site, credential.as_ref())))
            }
            Challenge::Bearer { realm, service, scopes } => {
                let mut scopes = scopes.clone();
                scopes.add(&door.scopes);
                let (realm, service) = (realm.clone(), service.clone());
                let ask = Ask { host: authority(door.url), realm, service, scopes };
                self.token(&ask, door.site, credential.as_ref(), refused, wire).await
            }
        }
    }

    async fn token(
        &self,
        ask: &Ask,
        site: &Site,
        credential: Option<&Credential>,
        refused: Option<&HeaderValue>,
        wire: &Wire,
    ) -> Result<HeaderValue, Trouble> {
        let slot = {
            let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(tokens.entry(ask.clone()).or_default())
        };
        let mut held = slot.lock().await;
        let good = |token: &&Token| token.expires > Instant::now() && Some(&token.value) != refused;
        if let Some(token) = held.as_ref().filter(good) {
            return Ok(token.value.clone());
        }
        let token = fetch(ask, site, credential, wire).await?;
        let value = token.value.clone();
        *held = Some(token);
        Ok(value)
    }
}

/// The part of a host for which one token is good: a repository of a registry, else all of the host.
fn area(url: &Url) -> String {
    let path = url.path();
    let end = ["/blobs/", "/manifests/", "/tags/", "/referrers/"].iter().filter_map(|part| path.rfind(part)).max();
    format!("{}{}", authority(url), end.map_or("", |end| &path[..end]))
}

async fn fetch(ask: &Ask, site: &Site, credential: Option<&Credential>, wire: &Wire) -> Result<Token, Trouble> {
    let realm = authority(&ask.realm);
    if ask.realm.scheme() == "http" && !wire.sites.at(&ask.realm).may_be_plain() {
        let message = format!("`{}` wants its password sent to `{realm}` in plain http", site.name);
        let help = format!("if that is right, set `insecure = true` in `[registries.\"{realm}\"]`");
        return Err(Trouble::Final(Failure::new(FailureClass::Refused, message).help(help)));
    }
    let (request, authorization) = question(ask, credential);
    let url = request.url.parse().map_err(|_| Trouble::Final(Failure::bug("the token server's address is no URL")))?;
    let response = wire.exchange(&request, &url, authorization.as_ref()).await.map_err(unreached)?;
    let answer = wire.read(response, &request).await.map_err(unreached)?;
    match answer.status {
        200..300 => granted(&answer).ok_or_else(|| {
            let reason = format!("the token server of `{}` answers something that is no token", site.name);
            Trouble::Final(refused(&request, &reason))
        }),
        400 | 401 | 403 | 404 => Err(Trouble::Final(refusal(site, credential))),
        status => Err(Trouble::Unreached(broken(&request, &format!("the token server answers {status}")))),
    }
}

/// Whatever goes wrong on the way to the token, the request itself was not sent.
fn unreached(trouble: Trouble) -> Trouble {
    match trouble {
        Trouble::Final(failure) => Trouble::Unsent(failure),
        other => Trouble::Unreached(other.into_failure()),
    }
}

/// The request for a token: with a password a GET, with an identity token the POST of OAuth 2.
fn question(ask: &Ask, credential: Option<&Credential>) -> (HttpRequest, Option<HeaderValue>) {
    let mut url = ask.realm.clone();
    if let Some(Credential { login: Login::IdentityToken(token), .. }) = credential {
        let scopes: Vec<String> = ask.scopes.written().collect();
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "refresh_token")
            .append_pair("client_id", "forge")
            .append_pair("service", &ask.service)
            .append_pair("scope", &scopes.join(" "))
            .append_pair("refresh_token", token.reveal())
            .finish();
        let request = HttpRequest::new(Method::Post, url)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::Text(form));
        return (request, None);
    }
    if !ask.service.is_empty() {
        url.query_pairs_mut().append_pair("service", &ask.service);
    }
    for scope in ask.scopes.written() {
        url.query_pairs_mut().append_pair("scope", &scope);
    }
    (HttpRequest::new(Method::Get, url), credential.and_then(|credential| basic(&credential.login)))
}

fn granted(answer: &HttpResponse) -> Option<Token> {
    let granted: Granted = serde_json::from_str(&answer.body).ok()?;
    let token = granted.token.or(granted.access_token)?;
    let life = Duration::from_secs(
        granted.expires_in.as_ref().and_then(Value::as_u64).unwrap_or(DEFAULT_LIFE).min(LONGEST_LIFE),
    );
    // A tenth less, so that it does not expire on its way.
    let expires = Instant::now() + life * 9 / 10;
    Some(Token { value: bearer(token.reveal())?, expires })
}

fn bearer(token: &str) -> Option<HeaderValue> {
    sensitive(format!("Bearer {token}"))
}

/// None for an identity token: only a token server takes it.
fn basic(login: &Login) -> Option<HeaderValue> {
    match login {
        Login::Password { username, password } => {
            let pair = STANDARD.encode(format!("{username}:{}", password.reveal()));
            sensitive(format!("Basic {pair}"))
        }
        Login::IdentityToken(_) => None,
    }
}

fn sensitive(text: String) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn refusal(site: &Site, credential: Option<&Credential>) -> Failure {
    let name = &site.name;
    let login = match name.as_str() {
        crate::registries::DOCKER_HUB => "docker login".to_owned(),
        _ => format!("docker login {name}"),
    };
    let settings = format!("`[registries.\"{name}\"]`");
    match credential {
        None => Failure::new(FailureClass::Refused, format!("no credentials for `{name}`"))
            .help(format!("run `{login}`, or name a secret in {settings}")),
        Some(Credential { origin, .. }) => Failure::new(
            FailureClass::Refused,
            format!("`{name}` refuses the credentials from {origin}"),
        )
        .help(format!(
            "are they still good, and do they allow this? `{login}`, or another secret in {settings}, gives new ones"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_lives_as_long_as_it_is_said_to() {
        let check = |expires_in: &str, seconds: u64| {
            let body = format!(r#"{{"token":"t0ken","expires_in":{expires_in}}}"#);
            let granted = granted(&HttpResponse { status: 200, body, ..HttpResponse::default() }).unwrap();
            let life = granted.expires.saturating_duration_since(Instant::now()).as_secs_f64();
            assert!((life - seconds as f64 * 0.9).abs() < 5.0, "{expires_in}: {life}");
        };
        check("3600", 3600);
        check("9223372036854775807", LONGEST_LIFE);
        check("-1", DEFAULT_LIFE);
        check("\"3600\"", DEFAULT_LIFE);
        check("null", DEFAULT_LIFE);
    }
}
