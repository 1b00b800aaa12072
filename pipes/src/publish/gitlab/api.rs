//! The part of GitLab's REST API that releases need (docs.gitlab.com/api: "Releases", "Release links", "Packages", "GitLab generic
//! packages repository"). Does not know what a release should be: it is told.

use forge_plugin::Host;
use forge_plugin::schemas::{
    Artifact, Authorization, Body, Failure, FailureClass, HttpRequest, HttpResponse, Method, Repeat,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::Wanted;
use crate::publish::page::api::escaped;

/// One project's releases of one tag.
pub struct Api<'a> {
    wanted: &'a Wanted,
    /// Who sends.
    pub host: &'a dyn Host,
}

/// A file of the package: the newest of its name, which is the one that is given out.
#[derive(Debug, Clone, Deserialize)]
pub struct Stored {
    id: u64,
    /// What it is called.
    #[serde(rename = "file_name")]
    pub name: String,
    size: u64,
    file_sha256: Option<String>,
}

/// What a release links to.
#[derive(Debug, Clone, Deserialize)]
pub struct Link {
    id: u64,
    /// What it is called.
    pub name: String,
    /// Where it leads.
    pub url: String,
}

/// How often a file is sent whose fate nobody knows.
const TRIES: u32 = 5;
const PAGE: usize = 100;
/// From this on a member may make releases: a developer.
const DEVELOPER: u64 = 30;

impl Stored {
    /// Whether it is this artifact, all of it.
    pub fn is(&self, ours: &Artifact) -> bool {
        self.size == ours.size && self.file_sha256.as_ref().is_none_or(|it| *it == ours.digest.hex())
    }
}

impl<'a> Api<'a> {
    /// For this release.
    pub fn of(wanted: &'a Wanted, host: &'a dyn Host) -> Api<'a> {
        Api { wanted, host }
    }

    /// Whether we may write there. A project's token is no member by itself: where nothing is said, it is tried.
    pub fn check_access(&self) -> Result<(), Failure> {
        let answer = self.send(self.request(Method::Get, ""))?;
        let repository = &self.wanted.page.repository;
        if answer.status == 404 {
            let message = format!("there is no project `{repository}` on GitLab, or it is not shown to us");
            return Err(Failure::new(FailureClass::Refused, message).help(self.how_to_log_in()));
        }
        let project: Value = self.read(&answer)?;
        let level = |key: &str| project["permissions"][key]["access_level"].as_u64();
        match level("project_access").max(level("group_access")) {
            Some(level) if level < DEVELOPER => {
                let message = format!("the token may not make releases of `{repository}` on GitLab");
                Err(Failure::new(FailureClass::Refused, message)
                    .help("it needs the role Developer there, or a higher one"))
            }
            _ => Ok(()),
        }
    }

    /// What the release of the tag links to, where there is one.
    pub fn released(&self) -> Result<Option<Vec<Link>>, Failure> {
        #[derive(Deserialize)]
        struct Release {
            assets: Assets,
        }
        #[derive(Deserialize)]
        struct Assets {
            links: Vec<Link>,
        }
        let answer = self.send(self.request(Method::Get, &self.of_tag("")))?;
        if answer.status == 404 {
            return Ok(None);
        }
        self.read::<Release>(&answer).map(|it| Some(it.assets.links))
    }

    /// The files that the package has.
    pub fn stored(&self) -> Result<Vec<Stored>, Failure> {
        #[derive(Deserialize)]
        struct Package {
            id: u64,
            name: String,
            version: String,
        }
        let Wanted { package, version, .. } = self.wanted;
        // The name is searched for, and others may have it as a part.
        let query =
            format!("package_type=generic&package_name={}&package_version={}", escaped(package), escaped(version));
        let packages: Vec<Package> = self.all(&format!("/packages?{query}"))?;
        let mut files: Vec<Stored> = Vec::new();
        for found in packages.iter().filter(|it| it.name == *package && it.version == *version) {
            files.extend(self.all::<Stored>(&format!("/packages/{}/package_files?order_by=id", found.id))?);
        }
        files.sort_by_key(|it| std::cmp::Reverse(it.id));
        Ok(files)
    }

    /// Where a file of the package is given out.
    pub fn place(&self, name: &str) -> String {
        let Wanted { package, version, .. } = self.wanted;
        self.url(&format!("/packages/generic/{}/{}/{}", escaped(package), escaped(version), escaped(name)))
    }

    /// Puts a file. GitLab takes a second one of a name and has two then, so where nobody knows what came of it, it is looked for.
    pub fn put(&self, name: &str, ours: &Artifact) -> Result<(), Failure> {
        for failed in 0.. {
            let body = Body::File { path: ours.path.clone(), offset: 0, size: None };
            let request = self.request_to(Method::Put, self.place(name)).body(body);
            let request = request.header("content-type", "application/octet-stream");
            let outcome = self.send(HttpRequest { repeat: Repeat::Never, failed, ..request });
            if matches!(&outcome, Ok(answer) if answer.is_success()) {
                return Ok(());
            }
            let is_unknown = match &outcome {
                Ok(answer) => answer.status >= 500,
                Err(failure) => failure.class == FailureClass::Network,
            };
            if self.stored()?.iter().find(|it| it.name == name).is_some_and(|it| it.is(ours)) {
                return Ok(());
            }
            if !is_unknown || failed + 1 == TRIES {
                return outcome.and_then(|answer| self.read::<Value>(&answer)).map(drop);
            }
        }
        Ok(())
    }

    /// Makes the release, with all links. Where nobody knows what came of it, it is asked for.
    pub fn release(&self) -> Result<(), Failure> {
        let page = &self.wanted.page;
        let links: Vec<Value> = page.files(self.host).map(|(name, _)| self.link_to(name)).collect();
        let mut body = json!({
            "tag_name": page.tag,
            "ref": page.commit,
            "name": page.title,
            "description": page.notes(self.host)?,
            "assets": { "links": links },
        });
        if !self.wanted.milestones.is_empty() {
            body["milestones"] = json!(self.wanted.milestones);
        }
        let request = self.with_json(Method::Post, "/releases", &body);
        match self.send(HttpRequest { repeat: Repeat::Never, ..request }) {
            Ok(answer) if answer.status < 500 => self.read::<Value>(&answer).map(drop),
            unknown => match self.released()? {
                Some(_) => Ok(()),
                None => unknown.and_then(|answer| self.read::<Value>(&answer)).map(drop),
            },
        }
    }

    /// Adds a link to a release that has not got it, or leads one of its name to the file.
    pub fn link(&self, name: &str, links: &[Link]) -> Result<(), Failure> {
        let request = match links.iter().find(|it| it.name == name) {
            Some(link) if link.url == self.place(name) => return Ok(()),
            Some(link) => {
                let path = self.of_tag(&format!("/assets/links/{}", link.id));
                self.with_json(Method::Put, &path, &self.link_to(name))
            }
            None => self.with_json(Method::Post, &self.of_tag("/assets/links"), &self.link_to(name)),
        };
        let answer = self.send(request)?;
        self.read::<Value>(&answer).map(drop)
    }

    fn link_to(&self, name: &str) -> Value {
        json!({ "name": name, "url": self.place(name), "link_type": "package", "direct_asset_path": format!("/{name}") })
    }

    fn of_tag(&self, rest: &str) -> String {
        format!("/releases/{}{rest}", escaped(&self.wanted.page.tag))
    }

    /// All that a list has, page by page.
    fn all<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, Failure> {
        let mut found = Vec::new();
        let sign = if path.contains('?') { '&' } else { '?' };
        for page in 1.. {
            let path = format!("{path}{sign}per_page={PAGE}&page={page}");
            let more: Vec<T> = self.read(&self.send(self.request(Method::Get, &path))?)?;
            let is_last = more.len() < PAGE;
            found.extend(more);
            if is_last {
                break;
            }
        }
        Ok(found)
    }

    fn url(&self, path: &str) -> String {
        let page = &self.wanted.page;
        format!("{}/projects/{}{path}", page.api, escaped(&page.repository))
    }

    fn with_json(&self, method: Method, path: &str, body: &Value) -> HttpRequest {
        self.request(method, path).header("content-type", "application/json").body(Body::Text(body.to_string()))
    }

    fn request(&self, method: Method, path: &str) -> HttpRequest {
        self.request_to(method, self.url(path))
    }

    fn request_to(&self, method: Method, url: String) -> HttpRequest {
        HttpRequest { authorization: Authorization::Bearer, ..HttpRequest::new(method, url) }
    }

    fn send(&self, request: HttpRequest) -> Result<HttpResponse, Failure> {
        self.host.http(&request)
    }

    /// An answer that is no success is a failure with what GitLab says.
    fn read<T: DeserializeOwned>(&self, answer: &HttpResponse) -> Result<T, Failure> {
        if answer.is_success() {
            return serde_json::from_str(&answer.body).map_err(|error| {
                Failure::new(FailureClass::Network, format!("GitLab answers something that is not its API's: {error}"))
            });
        }
        let class = if answer.status >= 500 { FailureClass::Network } else { FailureClass::Refused };
        let body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        let said = match (&body["message"], &body["error"]) {
            (Value::String(words), _) | (Value::Null, Value::String(words)) => words.clone(),
            (Value::Null, _) => "nothing more".to_owned(),
            (words, _) => words.to_string(),
        };
        let failure = Failure::new(class, format!("GitLab answers {}: {said}", answer.status));
        Err(match answer.status {
            401 | 403 | 404 => failure.help(self.how_to_log_in()),
            _ => failure,
        })
    }

    fn how_to_log_in(&self) -> String {
        let api = &self.wanted.page.api;
        let name = api.split("://").nth(1).and_then(|it| it.split('/').next()).unwrap_or(api);
        format!("name a token with the right `api`: `[registries.\"{name}\"]` with `secret = \"GITLAB_TOKEN\"`")
    }
}
