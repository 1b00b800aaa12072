//! The part of a REST API that releases need: GitHub's (docs.github.com, "REST API endpoints for releases", version 2022-11-28), and
//! Gitea's, which was made after it (docs.gitea.com/api; Forgejo has the same). Does not know what a release should be: it is told.

use std::cell::RefCell;
use std::collections::BTreeMap;

use forge_plugin::Host;
use forge_plugin::schemas::{
    Artifact, Authorization, Body, Failure, FailureClass, HttpRequest, HttpResponse, Level, Method, Repeat,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Page;
use super::draft::Wanted;
use crate::publish::files::hashed;

/// One repository's releases of one tag.
pub struct Api<'a> {
    wanted: &'a Wanted,
    page: &'a Page,
    /// Who sends.
    pub host: &'a dyn Host,
    /// What files hash to that were fetched because nobody says it.
    hashes: RefCell<BTreeMap<u64, Option<String>>>,
    /// Who only asks what is there may store nothing, and compares sizes where nobody says a digest.
    may_store: bool,
}

/// Who is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Service {
    /// GitHub, by itself or as one's own.
    GitHub,
    /// Gitea, Forgejo, Codeberg.
    Gitea,
}

/// A release that is there.
#[derive(Debug, Clone, Deserialize)]
pub struct Release {
    /// By which it is asked for.
    pub id: u64,
    tag_name: String,
    /// Whether others do not see it yet.
    pub draft: bool,
    #[serde(default)]
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
    /// GitHub's alone.
    state: Option<String>,
    size: u64,
    /// What it hashes to; GitHub says it of what was uploaded since 2025.
    digest: Option<String>,
    /// By which Gitea gives it out.
    uuid: Option<String>,
}

/// How often a file is sent whose fate nobody knows.
const TRIES: u32 = 5;
/// How many releases are asked for at once: their notes may be long, and an answer may not.
const PAGE: usize = 30;
/// How many pages are looked through for a draft. GitHub tells drafts first.
const PAGES: usize = 10;

impl Service {
    /// As people call it.
    pub fn name(self) -> &'static str {
        match self {
            Service::GitHub => "GitHub",
            Service::Gitea => "Gitea",
        }
    }

    /// The right that a token needs, in the service's own words.
    fn right(self) -> &'static str {
        match self {
            Service::GitHub => "contents: write",
            Service::Gitea => "write:repository",
        }
    }
}

impl Release {
    /// All files of a name: Gitea takes more than one.
    pub fn named<'r>(&'r self, name: &'r str) -> impl Iterator<Item = &'r Asset> {
        self.assets.iter().filter(move |it| it.name == name)
    }
}

impl Asset {
    /// Whether it is this artifact, all of it.
    pub fn is(&self, ours: &Artifact) -> bool {
        let is_equal = self.digest.as_ref().is_none_or(|it| *it == ours.digest.to_string());
        self.state.as_ref().is_none_or(|it| it == "uploaded") && self.size == ours.size && is_equal
    }
}

impl<'a> Api<'a> {
    /// For this release.
    pub fn of(wanted: &'a Wanted, host: &'a dyn Host) -> Api<'a> {
        Api { wanted, page: &wanted.page, host, hashes: RefCell::default(), may_store: true }
    }

    /// The same, for who only asks what is there.
    pub fn to_ask(wanted: &'a Wanted, host: &'a dyn Host) -> Api<'a> {
        Api { may_store: false, ..Api::of(wanted, host) }
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
        let (repository, service) = (&self.page.repository, self.wanted.service.name());
        if answer.status == 404 {
            let message = format!("there is no repository `{repository}` on {service}, or it is not shown to us");
            return Err(Failure::new(FailureClass::Refused, message).help(self.how_to_log_in()));
        }
        let found: Repository = self.read(&answer)?;
        match found.permissions {
            Some(Permissions { push: false }) => {
                let message = format!("the token may not write to `{repository}` on {service}");
                let help = format!("it needs the right `{}` there", self.wanted.service.right());
                Err(Failure::new(FailureClass::Refused, message).help(help))
            }
            _ => Ok(()),
        }
    }

    /// The release of the tag that others see.
    pub fn released(&self) -> Result<Option<Release>, Failure> {
        let tag = escaped(&self.page.tag);
        let answer = self.send(self.request(Method::Get, &format!("/releases/tags/{tag}")))?;
        if answer.status == 404 {
            return Ok(None);
        }
        // Gitea tells those who may write of a draft here, too.
        let release = Some(self.read::<Release>(&answer)?).filter(|it| !it.draft);
        release.map(|it| self.hashed(it)).transpose()
    }

    /// The drafts for the tag: one can't ask for them by it.
    pub fn drafts(&self) -> Result<Vec<Release>, Failure> {
        let mut found = Vec::new();
        for page in 1..=PAGES {
            let path = match self.wanted.service {
                Service::GitHub => format!("/releases?per_page={PAGE}&page={page}"),
                Service::Gitea => format!("/releases?draft=true&limit={PAGE}&page={page}"),
            };
            let releases: Vec<Release> = self.read(&self.send(self.request(Method::Get, &path))?)?;
            let is_last = releases.len() < PAGE;
            for draft in releases.into_iter().filter(|it| it.draft && it.tag_name == self.page.tag) {
                found.push(self.hashed(draft)?);
            }
            if is_last {
                break;
            }
        }
        Ok(found)
    }

    /// The release with this id.
    pub fn release(&self, id: u64) -> Result<Release, Failure> {
        self.hashed(self.read(&self.send(self.request(Method::Get, &format!("/releases/{id}")))?)?)
    }

    /// Begins a draft. Where nobody knows whether it was begun, it is looked for.
    pub fn begin(&self) -> Result<Release, Failure> {
        let mut body = self.told()?;
        body["draft"] = json!(true);
        let request = self.request(Method::Post, "/releases").body(Body::Text(body.to_string()));
        match self.send(HttpRequest { repeat: Repeat::Never, ..request }) {
            Ok(answer) if answer.status < 500 => self.read(&answer),
            unknown => match self.drafts()?.into_iter().next() {
                Some(draft) => Ok(draft),
                None => unknown.and_then(|answer| self.read(&answer)),
            },
        }
    }

    /// All that a page says, and how it is shown. A draft that an earlier run has begun may say what was to be said then.
    fn told(&self) -> Result<Value, Failure> {
        let mut body = json!({
            "tag_name": self.page.tag,
            "target_commitish": self.page.commit,
            "name": self.page.title,
            "body": self.page.notes(self.host)?,
            "prerelease": self.page.prerelease,
        });
        if let Some(latest) = self.wanted.latest {
            body["make_latest"] = json!(latest.to_string());
        }
        if let Some(category) = &self.wanted.discussion {
            body["discussion_category_name"] = json!(category);
        }
        Ok(body)
    }

    /// Puts a file where it is not there. Where nobody knows what came of an upload, it is looked for; what has its name and
    /// is another, or a part, is removed: GitHub takes no second file of a name (status 422), and Gitea takes it and has two.
    pub fn put(&self, release: &Release, name: &str, ours: &Artifact) -> Result<(), Failure> {
        let mut there: Vec<Asset> = release.named(name).cloned().collect();
        for failed in 0.. {
            let (good, other): (Vec<Asset>, Vec<Asset>) = there.into_iter().partition(|it| it.is(ours));
            other.iter().chain(good.iter().skip(1)).try_for_each(|it| self.remove(release.id, it))?;
            if !good.is_empty() {
                return Ok(());
            }
            let outcome = self.upload(release, name, ours, failed);
            if matches!(&outcome, Ok(answer) if answer.is_success()) {
                return Ok(());
            }
            there = self.release(release.id)?.named(name).cloned().collect();
            let is_unknown = match &outcome {
                Ok(answer) => answer.status >= 500 || (answer.status == 422 && !there.is_empty()),
                Err(failure) => failure.class == FailureClass::Network,
            };
            let is_there = there.iter().any(|it| it.is(ours));
            if !is_there && (!is_unknown || failed + 1 == TRIES) {
                return outcome.and_then(|answer| self.read::<Value>(&answer)).map(drop);
            }
        }
        Ok(())
    }

    fn upload(&self, release: &Release, name: &str, ours: &Artifact, failed: u32) -> Result<HttpResponse, Failure> {
        // A template: `https://uploads.github.com/repos/acme/hello/releases/1/assets{?name,label}`.
        let url = match self.wanted.service {
            Service::GitHub => release.upload_url.split('{').next().unwrap_or_default().to_owned(),
            Service::Gitea => self.url(&format!("/releases/{}/assets", release.id)),
        };
        let request = self.request_to(Method::Post, format!("{url}?name={}", escaped(name)));
        let request = request.header("content-type", "application/octet-stream").body(Body::File {
            path: ours.path.clone(),
            offset: 0,
            size: None,
        });
        self.send(HttpRequest { repeat: Repeat::Never, failed, ..request })
    }

    fn remove(&self, release: u64, asset: &Asset) -> Result<(), Failure> {
        let path = match self.wanted.service {
            Service::GitHub => format!("/releases/assets/{}", asset.id),
            Service::Gitea => format!("/releases/{release}/assets/{}", asset.id),
        };
        let answer = self.send(self.request(Method::Delete, &path))?;
        if answer.status == 404 || answer.is_success() { Ok(()) } else { self.read::<Value>(&answer).map(drop) }
    }

    /// Makes a draft visible. Where nobody knows what came of it, the caller asks for it by its tag.
    pub fn publish(&self, id: u64) -> Result<(), Failure> {
        let mut body = self.told()?;
        body["draft"] = json!(false);
        let request = self.request(Method::Patch, &format!("/releases/{id}")).body(Body::Text(body.to_string()));
        match self.send(HttpRequest { repeat: Repeat::Never, ..request }) {
            Ok(answer) if answer.status < 500 => self.read::<Value>(&answer).map(drop),
            unknown => match self.released()? {
                Some(_) => Ok(()),
                None => unknown.and_then(|answer| self.read::<Value>(&answer)).map(drop),
            },
        }
    }

    /// The release, with what its files hash to, where nobody says that: each that could be ours is fetched, once a step.
    fn hashed(&self, mut release: Release) -> Result<Release, Failure> {
        if self.wanted.service == Service::GitHub || !self.may_store {
            return Ok(release);
        }
        let sizes: BTreeMap<&str, u64> = self.page.files(self.host).map(|(name, it)| (name, it.size)).collect();
        for asset in release.assets.iter_mut().filter(|it| sizes.get(it.name.as_str()) == Some(&it.size)) {
            let known = self.hashes.borrow().get(&asset.id).cloned();
            asset.digest = match known {
                Some(known) => known,
                None => self.fetch_and_hash(asset)?,
            };
            self.hashes.borrow_mut().insert(asset.id, asset.digest.clone());
        }
        Ok(release)
    }

    fn fetch_and_hash(&self, asset: &Asset) -> Result<Option<String>, Failure> {
        let Some(uuid) = &asset.uuid else { return Ok(None) };
        let path = self.host.dir().join("read-back");
        let url = format!("{}/attachments/{}", self.page.api.trim_end_matches("/api/v1"), escaped(uuid));
        let answer = self.send(HttpRequest { to_file: Some(path.clone()), ..self.request_to(Method::Get, url) })?;
        if !answer.is_success() {
            let words = format!("`{}` can't be read back ({}): only its size is compared", asset.name, answer.status);
            self.host.log(Level::Warn, &words);
            return Ok(None);
        }
        let digest = hashed(&path)?;
        std::fs::remove_file(&path).map_err(|error| Failure::file("remove", &path, &error))?;
        Ok(Some(digest.to_string()))
    }

    fn url(&self, path: &str) -> String {
        let Page { api, repository, .. } = self.page;
        format!("{api}/repos/{repository}{path}")
    }

    fn request(&self, method: Method, path: &str) -> HttpRequest {
        self.request_to(method, self.url(path))
    }

    fn request_to(&self, method: Method, url: String) -> HttpRequest {
        let request = HttpRequest { authorization: Authorization::Bearer, ..HttpRequest::new(method, url) };
        match (self.wanted.service, method) {
            (Service::GitHub, _) => {
                request.header("accept", "application/vnd.github+json").header("x-github-api-version", "2022-11-28")
            }
            (Service::Gitea, Method::Post | Method::Patch) => request.header("content-type", "application/json"),
            (Service::Gitea, _) => request,
        }
    }

    fn send(&self, request: HttpRequest) -> Result<HttpResponse, Failure> {
        self.host.http(&request)
    }

    /// An answer that is no success is a failure with what the service says.
    fn read<T: DeserializeOwned>(&self, answer: &HttpResponse) -> Result<T, Failure> {
        let service = self.wanted.service.name();
        if answer.is_success() {
            return serde_json::from_str(&answer.body).map_err(|error| {
                Failure::new(FailureClass::Network, format!("{service} answers something that is no release: {error}"))
            });
        }
        let class = if answer.status >= 500 { FailureClass::Network } else { FailureClass::Refused };
        let failure = Failure::new(class, format!("{service} answers {}: {}", answer.status, said(&answer.body)));
        Err(match answer.status {
            // That is all GitHub says where it does not say when ("Rate limits for the REST API").
            403 | 429 if answer.body.contains("rate limit") => {
                failure.help("wait for a minute at least, and run it again: it goes on where it has stopped")
            }
            401 | 403 | 404 => failure.help(self.how_to_log_in()),
            _ => failure,
        })
    }

    fn how_to_log_in(&self) -> String {
        let api = &self.page.api;
        let name = api.split("://").nth(1).and_then(|it| it.split('/').next()).unwrap_or(api);
        let (right, variable) = (self.wanted.service.right(), self.wanted.service.name().to_uppercase());
        format!(
            "name a token that may write there (`{right}`): `[registries.\"{name}\"]` with `secret = \"{variable}_TOKEN\"`"
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

/// A text as a part of a path or query.
pub fn escaped(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}
