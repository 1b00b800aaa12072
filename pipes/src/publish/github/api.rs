//! The part of GitHub's REST API that releases need (docs.github.com, "REST API endpoints for releases", version 2022-11-28).
//! Does not know what a release should be: it is told.

use forge_plugin::Host;
use forge_plugin::schemas::{
    Artifact, Authorization, Body, Failure, FailureClass, HttpRequest, HttpResponse, Method, Repeat,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Wanted;

/// One repository's releases of one tag.
pub struct Api<'a> {
    wanted: &'a Wanted,
    /// Who sends.
    pub host: &'a dyn Host,
}

/// What a release begins with. The names are GitHub's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    pub tag_name: String,
    pub target_commitish: String,
    pub name: String,
    pub body: String,
    pub draft: bool,
    pub prerelease: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub make_latest: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discussion_category_name: Option<String>,
}

/// A release that is there.
#[derive(Debug, Clone, Deserialize)]
pub struct Release {
    /// By which it is asked for.
    pub id: u64,
    tag_name: String,
    /// Whether others do not see it yet.
    pub draft: bool,
    upload_url: String,
    /// Its files.
    #[serde(default)]
    pub assets: Vec<Asset>,
}

/// A file of a release.
#[derive(Debug, Clone, Deserialize)]
pub struct Asset {
    id: u64,
    /// What it is called.
    pub name: String,
    state: String,
    size: u64,
    /// What it hashes to; GitHub says it of what was uploaded since 2025.
    digest: Option<String>,
}

/// How often a file is sent whose fate nobody knows.
const TRIES: u32 = 5;
/// How many releases are asked for at once: their notes may be long, and an answer may not.
const PAGE: usize = 30;
/// How many pages are looked through for a draft. GitHub tells drafts first.
const PAGES: usize = 10;

impl Asset {
    /// Whether it is this artifact, all of it.
    pub fn is(&self, ours: &Artifact) -> bool {
        let is_equal = self.digest.as_ref().is_none_or(|it| *it == ours.digest.to_string());
        self.state == "uploaded" && self.size == ours.size && is_equal
    }
}

impl<'a> Api<'a> {
    /// For this release.
    pub fn of(wanted: &'a Wanted, host: &'a dyn Host) -> Api<'a> {
        Api { wanted, host }
    }

    /// Whether we may write there.
    pub fn check_access(&self) -> Result<(), Failure> {
        #[derive(Deserialize)]
        struct Repository {
            permissions: Option<Permissions>,
        }
        #[derive(Deserialize)]
        struct Permissions {
            push: bool,
        }
        let answer = self.send(self.request(Method::Get, ""))?;
        let repository = &self.wanted.repository;
        if answer.status == 404 {
            let message = format!("there is no repository `{repository}` on GitHub, or it is not shown to us");
            return Err(Failure::new(FailureClass::Refused, message).help(self.how_to_log_in()));
        }
        let found: Repository = self.read(&answer)?;
        match found.permissions {
            Some(Permissions { push: false }) => {
                let message = format!("the token may not write to `{repository}` on GitHub");
                Err(Failure::new(FailureClass::Refused, message).help("it needs the right `contents: write` there"))
            }
            _ => Ok(()),
        }
    }

    /// The release of the tag that others see.
    pub fn released(&self) -> Result<Option<Release>, Failure> {
        let tag = escaped(&self.wanted.draft.tag_name);
        let answer = self.send(self.request(Method::Get, &format!("/releases/tags/{tag}")))?;
        if answer.status == 404 { Ok(None) } else { self.read(&answer).map(Some) }
    }

    /// The drafts for the tag: one can't ask for them by it.
    pub fn drafts(&self) -> Result<Vec<Release>, Failure> {
        let mut found = Vec::new();
        for page in 1..=PAGES {
            let path = format!("/releases?per_page={PAGE}&page={page}");
            let releases: Vec<Release> = self.read(&self.send(self.request(Method::Get, &path))?)?;
            let is_last = releases.len() < PAGE;
            found.extend(releases.into_iter().filter(|it| it.draft && it.tag_name == self.wanted.draft.tag_name));
            if is_last {
                break;
            }
        }
        Ok(found)
    }

    /// The release with this id.
    pub fn release(&self, id: u64) -> Result<Release, Failure> {
        self.read(&self.send(self.request(Method::Get, &format!("/releases/{id}")))?)
    }

    /// Begins a draft. Where nobody knows whether it was begun, it is looked for.
    pub fn begin(&self, draft: &Draft) -> Result<Release, Failure> {
        let body = serde_json::to_string(draft).map_err(|error| Failure::bug(error.to_string()))?;
        let request = self.request(Method::Post, "/releases").body(Body::Text(body));
        match self.send(HttpRequest { repeat: Repeat::Never, ..request }) {
            Ok(answer) if answer.status < 500 => self.read(&answer),
            unknown => match self.drafts()?.into_iter().next() {
                Some(draft) => Ok(draft),
                None => unknown.and_then(|answer| self.read(&answer)),
            },
        }
    }

    /// Puts a file where it is not there. Where nobody knows what came of an upload, it is looked for; a part of one is
    /// removed, for GitHub takes no second file of a name (status 422).
    pub fn put(&self, release: &Release, name: &str, ours: &Artifact) -> Result<(), Failure> {
        let mut there = release.assets.iter().find(|it| it.name == name).cloned();
        for failed in 0.. {
            match &there {
                Some(asset) if asset.is(ours) => return Ok(()),
                Some(asset) => self.remove(asset)?,
                None => {}
            }
            let outcome = self.upload(release, name, ours, failed);
            if matches!(&outcome, Ok(answer) if answer.is_success()) {
                return Ok(());
            }
            there = self.release(release.id)?.assets.into_iter().find(|it| it.name == name);
            if there.as_ref().is_some_and(|it| it.is(ours)) {
                return Ok(());
            }
            let is_unknown = match &outcome {
                Ok(answer) => answer.status >= 500 || (answer.status == 422 && there.is_some()),
                Err(failure) => failure.class == FailureClass::Network,
            };
            if !is_unknown || failed + 1 == TRIES {
                return outcome.and_then(|answer| self.read::<Value>(&answer)).map(drop);
            }
        }
        Ok(())
    }

    fn upload(&self, release: &Release, name: &str, ours: &Artifact, failed: u32) -> Result<HttpResponse, Failure> {
        // A template: `https://uploads.github.com/repos/acme/hello/releases/1/assets{?name,label}`.
        let url = release.upload_url.split('{').next().unwrap_or_default();
        let request = self.request_to(Method::Post, format!("{url}?name={}", escaped(name)));
        let request = request.header("content-type", "application/octet-stream").body(Body::File {
            path: ours.path.clone(),
            offset: 0,
            size: None,
        });
        self.send(HttpRequest { repeat: Repeat::Never, failed, ..request })
    }

    fn remove(&self, asset: &Asset) -> Result<(), Failure> {
        let answer = self.send(self.request(Method::Delete, &format!("/releases/assets/{}", asset.id)))?;
        if answer.status == 404 || answer.is_success() { Ok(()) } else { self.read::<Value>(&answer).map(drop) }
    }

    /// Makes a draft visible. Where nobody knows what came of it, the caller asks for it by its tag.
    pub fn publish(&self, id: u64) -> Result<(), Failure> {
        let Draft { make_latest, discussion_category_name, prerelease, .. } = &self.wanted.draft;
        let mut body = json!({ "draft": false, "prerelease": prerelease });
        if let Some(latest) = make_latest {
            body["make_latest"] = json!(latest);
        }
        if let Some(category) = discussion_category_name {
            body["discussion_category_name"] = json!(category);
        }
        let request = self.request(Method::Patch, &format!("/releases/{id}")).body(Body::Text(body.to_string()));
        match self.send(HttpRequest { repeat: Repeat::Never, ..request }) {
            Ok(answer) if answer.status < 500 => self.read::<Value>(&answer).map(drop),
            unknown => match self.released()? {
                Some(_) => Ok(()),
                None => unknown.and_then(|answer| self.read::<Value>(&answer)).map(drop),
            },
        }
    }

    fn request(&self, method: Method, path: &str) -> HttpRequest {
        let Wanted { api, repository, .. } = self.wanted;
        self.request_to(method, format!("{api}/repos/{repository}{path}"))
    }

    fn request_to(&self, method: Method, url: String) -> HttpRequest {
        let request = HttpRequest { authorization: Authorization::Bearer, ..HttpRequest::new(method, url) };
        request.header("accept", "application/vnd.github+json").header("x-github-api-version", "2022-11-28")
    }

    fn send(&self, request: HttpRequest) -> Result<HttpResponse, Failure> {
        self.host.http(&request)
    }

    /// An answer that is no success is a failure with what GitHub says.
    fn read<T: DeserializeOwned>(&self, answer: &HttpResponse) -> Result<T, Failure> {
        if answer.is_success() {
            return serde_json::from_str(&answer.body).map_err(|error| {
                Failure::new(FailureClass::Network, format!("GitHub answers something that is no release: {error}"))
            });
        }
        let class = if answer.status >= 500 { FailureClass::Network } else { FailureClass::Refused };
        let failure = Failure::new(class, format!("GitHub answers {}: {}", answer.status, said(&answer.body)));
        Err(match answer.status {
            401 | 403 | 404 => failure.help(self.how_to_log_in()),
            _ => failure,
        })
    }

    fn how_to_log_in(&self) -> String {
        let api = &self.wanted.api;
        let name = api.split("://").nth(1).and_then(|it| it.split('/').next()).unwrap_or(api);
        format!(
            "name a token that may write there (`contents: write`): `[registries.\"{name}\"]` with `secret = \"GITHUB_TOKEN\"`"
        )
    }
}

/// `{"message": "Validation Failed", "errors": [{"code": "already_exists", "field": "name"}]}`, in words.
fn said(body: &str) -> String {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let mut words = vec![body["message"].as_str().unwrap_or("nothing more").to_owned()];
    for error in body["errors"].as_array().into_iter().flatten() {
        let of = |key: &str| error[key].as_str().unwrap_or_default();
        words.push(match of("message") {
            "" => format!("{} {}", of("field"), of("code")),
            message => message.to_owned(),
        });
    }
    words.join("; ")
}

fn escaped(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}
