//! A registry in memory for the tests of `publish`: it checks what it is sent, as a real one does.
//! Does not know authorization, and speaks no HTTP.

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Arc, Mutex};

use forge_plugin::schemas::{Body, Digest, HttpRequest, HttpResponse, Method};
use serde_json::json;

use crate::oci::manifest::Document;

/// A registry. Clones are the same one.
#[derive(Clone, Default)]
pub struct FakeRegistry(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// By `<registry>/<repository>`.
    repositories: BTreeMap<String, Repository>,
    faults: Vec<(String, HttpResponse)>,
    trace: Vec<String>,
}

#[derive(Default)]
struct Repository {
    blobs: BTreeMap<Digest, Vec<u8>>,
    manifests: BTreeMap<String, Vec<u8>>,
}

impl FakeRegistry {
    /// Answers the first request whose trace starts with `prefix` otherwise.
    pub fn fault(&self, prefix: &str, status: u16, headers: &[(&str, &str)]) {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let response = HttpResponse { status, headers, body: String::new() };
        self.0.lock().unwrap().faults.push((prefix.to_owned(), response));
    }

    /// A blob that is there already.
    pub fn hold(&self, repository: &str, content: &[u8]) {
        let mut state = self.0.lock().unwrap();
        let repository = state.repositories.entry(repository.to_owned()).or_default();
        repository.blobs.insert(Digest::of(content), content.to_vec());
    }

    /// A manifest that is there already, by digest.
    pub fn hold_manifest(&self, repository: &str, manifest: &[u8]) {
        let mut state = self.0.lock().unwrap();
        let repository = state.repositories.entry(repository.to_owned()).or_default();
        repository.manifests.insert(Digest::of(manifest).to_string(), manifest.to_vec());
    }

    /// Loses everything.
    pub fn forget(&self) {
        self.0.lock().unwrap().repositories.clear();
    }

    /// What was asked since the last time, and each answer's status; sorted, for uploads go side by side.
    pub fn trace(&self) -> String {
        let mut trace = std::mem::take(&mut self.0.lock().unwrap().trace);
        trace.sort();
        trace.iter().map(|line| format!("{line}\n")).collect()
    }

    /// Answers a request.
    pub fn answer(&self, request: &HttpRequest) -> HttpResponse {
        let state = &mut *self.0.lock().unwrap();
        let path = request.url.strip_prefix("https://").unwrap();
        let (registry, path) = path.split_once("/v2/").unwrap();
        let end = ["/blobs/", "/manifests/", "/referrers/"].iter().find_map(|part| path.find(part)).unwrap();
        let (name, path) = (format!("{registry}/{}", &path[..end]), &path[end + 1..]);
        let line = format!("{} {name} {path}", request.method.as_str());
        let fault = state.faults.iter().position(|(prefix, _)| line.starts_with(prefix));
        let answer = match fault {
            Some(at) => state.faults.remove(at).1,
            None => state.serve(request, &name, path),
        };
        state.trace.push(format!("{line} = {}", answer.status));
        answer
    }
}

impl State {
    fn serve(&mut self, request: &HttpRequest, name: &str, path: &str) -> HttpResponse {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let query: BTreeMap<_, _> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let body = content(&request.body);
        let (registry, _) = name.split_once('/').unwrap();
        let mounted = query.get("mount").and_then(|digest| {
            let source = self.repositories.get(&format!("{registry}/{}", query["from"]))?;
            let digest: Digest = digest.parse().unwrap();
            Some((digest, source.blobs.get(&digest)?.clone()))
        });
        let repository = self.repositories.entry(name.to_owned()).or_default();
        let last = path.rsplit('/').next().unwrap();
        match (request.method, path.split('/').next().unwrap()) {
            (Method::Head, "blobs") => {
                status(if repository.blobs.contains_key(&last.parse().unwrap()) { 200 } else { 404 })
            }
            (Method::Post, _) => match mounted {
                Some((digest, bytes)) => {
                    repository.blobs.insert(digest, bytes);
                    status(201)
                }
                None => with(status(202), "location", "1?_state=s"),
            },
            (Method::Put, "blobs") => {
                let digest: Digest = query["digest"].parse().unwrap();
                let taken = digest == Digest::of(&body);
                repository.blobs.extend(taken.then_some((digest, body)));
                status(if taken { 201 } else { 400 })
            }
            (Method::Head, _) => match repository.manifests.get(last) {
                Some(bytes) => with(status(200), "docker-content-digest", &Digest::of(bytes).to_string()),
                None => status(404),
            },
            (Method::Get, "referrers") => status(404),
            (Method::Get, "blobs") => found(repository.blobs.get(&last.parse().unwrap())),
            (Method::Get, _) => found(repository.manifests.get(last)),
            (Method::Put, _) => repository.put_manifest(last, body, &request.headers["content-type"]),
            _ => status(405),
        }
    }
}

impl Repository {
    fn put_manifest(&mut self, target: &str, body: Vec<u8>, media_type: &str) -> HttpResponse {
        let (told, missing) = match Document::parse(&body).unwrap() {
            Document::Index(index) => {
                let there = |digest: Digest| self.manifests.contains_key(&digest.to_string());
                (index.media_type, index.manifests.iter().any(|it| !there(it.digest)))
            }
            Document::Manifest(manifest) => {
                let mut blobs = manifest.layers.iter().chain([&manifest.config]);
                (manifest.media_type, blobs.any(|it| !self.blobs.contains_key(&it.digest)))
            }
        };
        assert_eq!(told, media_type);
        if missing {
            let body =
                json!({ "errors": [{ "code": "MANIFEST_BLOB_UNKNOWN", "message": "blob unknown to registry" }] });
            return HttpResponse { body: body.to_string(), ..status(400) };
        }
        let digest = Digest::of(&body).to_string();
        self.manifests.insert(target.to_owned(), body.clone());
        self.manifests.insert(digest.clone(), body);
        with(status(201), "docker-content-digest", &digest)
    }
}

fn content(body: &Body) -> Vec<u8> {
    match body {
        Body::Empty => Vec::new(),
        Body::Text(text) => text.clone().into_bytes(),
        Body::File { path, offset, size } => {
            let bytes = fs::read(path).unwrap();
            let start = usize::try_from(*offset).unwrap();
            let end = size.map_or(bytes.len(), |size| start + usize::try_from(size).unwrap());
            bytes[start..end].to_vec()
        }
    }
}

fn status(status: u16) -> HttpResponse {
    HttpResponse { status, ..HttpResponse::default() }
}

fn found(bytes: Option<&Vec<u8>>) -> HttpResponse {
    let text = |bytes: &Vec<u8>| String::from_utf8(bytes.clone()).unwrap();
    bytes.map_or_else(|| status(404), |bytes| HttpResponse { body: text(bytes), ..status(200) })
}

fn with(mut response: HttpResponse, name: &str, value: &str) -> HttpResponse {
    response.headers.insert(name.to_owned(), value.to_owned());
    response
}
