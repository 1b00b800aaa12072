//! Destination `http`: files at URLs, by PUT or POST: Artifactory, Nexus, WebDAV, a web server.
//! Does not know any of these by name: each file is asked for, sent, and read back.

mod post;

use std::collections::BTreeMap;

use forge_plugin::schemas::{
    Artifact, Body, Change, Digest, Effect, Failure, FailureClass, Finding, HttpRequest, HttpResponse, Level, Memory,
    Method, Place, Problem, Repeat, Resource, Selector, Step,
};
use forge_plugin::{Given, Host, Template};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use self::post::once;
use super::files::{self, FileNames, Placed};
use super::{Destination, Planned, Settings, receipt, typed};
use crate::table::{address, headers};

pub(super) const DESTINATION: Destination = Destination {
    name: "http",
    about: "sends archives, packages, checksums and what else users get to a server by PUT or POST (Artifactory, Nexus, WebDAV) when all else \
            is there, checksums and signatures last, and reads them back.",
    schema: Own::json_schema,
    takes,
    plan,
    probe,
    run,
};

/// What it wants to know.
#[derive(Debug, Deserialize, JsonSchema)]
struct Own {
    /// Where each file goes: `https://files.example.org/{{ name }}/{{ version }}/`. Behind a `/` at the end comes the name of the file;
    /// `{{ artifact }}` is that name, for other places. Credentials are those of the host: `[registries."files.example.org"]`, with `username`
    /// and `secret`.
    url: Template<FileNames>,
    /// `PUT` or `POST`. What is sent by POST to a server that shows nothing is sent once: where its answer was lost, the run fails, and the next takes
    /// it as sent, with a warning to look.
    #[serde(default)]
    method: Verb,
    /// Further headers.
    #[serde(default)]
    headers: BTreeMap<String, Template<FileNames>>,
    /// A header that tells the server what the file hashes to, by SHA-256, in hexadecimal: `X-Checksum-Sha256` for Artifactory.
    checksum_header: Option<String>,
    /// Further kinds of files that go there: `binary` for programs as they are. What users download, what is said about that, what it hashes
    /// to and its signatures go there in any case.
    #[serde(default)]
    kinds: Vec<String>,
}

/// How a file is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
enum Verb {
    #[default]
    Put,
    Post,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Wanted {
    files: Vec<Placed>,
    method: Verb,
    /// By URL.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<String, BTreeMap<String, String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    checksum_header: Option<String>,
}

/// What is at a URL.
#[derive(Debug, PartialEq, Eq)]
enum There {
    Nothing,
    /// What was made.
    Same,
    /// Something of that size.
    Perhaps,
    /// Something else, in words.
    Other(String),
    /// The server takes files and shows none.
    Untold,
}

const EXAMPLE: &str = "url = \"https://files.example.org/{{ name }}/{{ version }}/\"";
/// How often a file is sent whose fate nobody knows.
const TRIES: u32 = 5;

fn takes(settings: &Settings) -> Vec<Selector> {
    files::takes(settings, &settings.own::<Own>().map(|own| own.kinds).unwrap_or_default())
}

fn plan(settings: &Settings, given: &Given<'_>) -> Planned {
    let own: Own = settings.own()?;
    let mut problems: Vec<Problem> =
        own.headers.keys().filter_map(|name| headers::bad_name(&format!("headers.{name}"), name)).collect();
    problems.extend(own.checksum_header.iter().filter_map(|name| headers::bad_name("checksum_header", name)));
    let url = match own.url.text().ends_with('/') {
        true => Template::new(format!("{}{{{{ artifact }}}}", own.url.text())),
        false => own.url.clone(),
    };
    let files = files::placed("url", &url, str::to_owned, given);
    let files = files.map_err(|more| problems.extend(more)).unwrap_or_default();
    let bad = files.iter().find_map(|it| address::web(&it.address).err());
    problems.extend(bad.map(|it| it.problem("url", "a web server", EXAMPLE)));
    let mut all = BTreeMap::new();
    for (name, template) in &own.headers {
        let key = format!("headers.{name}");
        let said = files::said(&files, &key, template, given);
        let said = said.map_err(|problem| problems.push(problem)).unwrap_or_default();
        problems.extend(said.iter().find_map(|(_, value)| headers::bad_value(&key, value)));
        for (url, value) in said {
            all.entry(url).or_insert_with(BTreeMap::new).insert(name.to_lowercase(), value);
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let wanted = Wanted { files, method: own.method, headers: all, checksum_header: own.checksum_header };
    Ok(wanted.step(given).into_iter().collect())
}

impl Wanted {
    fn step(&self, given: &Given<'_>) -> Option<Step> {
        let first = self.files.first()?;
        let place = Url::parse(&first.address).ok()?;
        let place = receipt::name(&given.table.id, &format!("http/{}", place.authority()), "files");
        Some(Step {
            name: "files".to_owned(),
            takes: self.files.iter().map(|it| it.artifact.clone()).collect(),
            makes: vec![receipt::output(place, common_part(&self.files), "files", None)],
            effect: Effect::Publish,
            memory: Memory::Never,
            resource: Resource::Network,
            params: serde_json::to_value(self).unwrap_or_default(),
            place: Place::Key("to".to_owned()),
            ..Step::default()
        })
    }

    /// Some servers tell people what they have taken, by a page; but who asks what is there wants no page, unless that is the file.
    fn request(&self, method: Method, url: &str) -> HttpRequest {
        let mut headers = self.headers.get(url).cloned().unwrap_or_default();
        let path = url.split(['?', '#']).next().unwrap_or(url);
        if matches!(method, Method::Put | Method::Post) || path.ends_with(".html") || path.ends_with(".htm") {
            headers.entry("accept".to_owned()).or_insert_with(|| "*/*".to_owned());
        }
        HttpRequest { headers, ..HttpRequest::new(method, url) }
    }

    /// What is there, by its head, or by its first byte: some servers give files to who gets them, and to nobody else (Gitea's packages).
    fn look(&self, url: &str, ours: Option<&Artifact>, host: &dyn Host) -> Result<There, Failure> {
        let mut answer = host.http(&self.request(Method::Head, url))?;
        if let 405 | 501 = answer.status {
            let first = self.request(Method::Get, url).header("range", "bytes=0-0");
            answer = host.http(&HttpRequest { head_only: true, ..first })?;
        }
        match (answer.status, ours) {
            (404 | 410, _) => Ok(There::Nothing),
            // What is empty has no first byte.
            (200..300 | 416, Some(ours)) => Ok(judged(&answer, ours)),
            (200..300 | 416, None) => Ok(There::Perhaps),
            (405 | 501, _) => Ok(There::Untold),
            _ => Err(refusal(&answer)),
        }
    }

    /// What is there, all of it.
    fn read_back(&self, url: &str, ours: &Artifact, host: &dyn Host) -> Result<There, Failure> {
        match self.look(url, Some(ours), host)? {
            There::Perhaps => {}
            told => return Ok(told),
        }
        let path = host.dir().join(format!("read-back-{}", Digest::of(url.as_bytes()).short()));
        let answer = host.http(&HttpRequest { to_file: Some(path.clone()), ..self.request(Method::Get, url) })?;
        match answer.status {
            200..300 => {}
            404 | 410 => return Ok(There::Nothing),
            _ => return Err(refusal(&answer)),
        }
        let there = files::hashed(&path)?;
        let _ = std::fs::remove_file(&path);
        Ok(if there == ours.digest { There::Same } else { There::Other(format!("`{there}` is there")) })
    }

    fn send(&self, url: &str, ours: &Artifact, failed: u32, host: &dyn Host) -> Result<HttpResponse, Failure> {
        let method = match self.method {
            Verb::Put => Method::Put,
            Verb::Post => Method::Post,
        };
        let mut request = self.request(method, url);
        request.headers.entry("content-type".to_owned()).or_insert_with(|| "application/octet-stream".to_owned());
        if let Some(name) = &self.checksum_header {
            request.headers.insert(name.to_lowercase(), ours.digest.hex());
        }
        let body = Body::File { path: ours.path.clone(), offset: 0, size: None };
        host.http(&HttpRequest { repeat: Repeat::Never, failed, ..request.body(body) })
    }

    /// Sends a file, unless it is there. What is there and other was to be replaced, or it is left alone.
    fn put(&self, url: &str, ours: &Artifact, host: &dyn Host) -> Result<(), Failure> {
        if once(url).is_over(&ours.digest, host)? {
            return Ok(());
        }
        let mut last = None;
        for failed in 0..=TRIES {
            match self.read_back(url, ours, host)? {
                There::Same => return Ok(()),
                There::Other(_) if failed == 0 && !may_replace(url, host) => return Err(same_size(url)),
                There::Untold if failed > 0 && last.is_none() => return trust(url, ours, host),
                There::Untold if self.method == Verb::Post => return self.post_unseen(url, ours, host),
                // A place that takes what others look for elsewhere: what it has taken must not be sent to it twice.
                There::Nothing if self.method == Verb::Post && failed > 0 && last.is_none() => {
                    return trust(url, ours, host);
                }
                _ if failed == TRIES => break,
                _ => {}
            }
            last = match self.send(url, ours, failed, host) {
                Ok(answer) if answer.is_success() => None,
                Ok(answer) if answer.status >= 500 => Some(refusal(&answer)),
                Ok(answer) => return Err(refusal(&answer)),
                Err(failure) if failure.class == FailureClass::Network => Some(failure),
                Err(failure) => return Err(failure),
            };
        }
        let unseen =
            || Failure::new(FailureClass::Network, format!("`{url}` was sent, and is not there when it is asked for"));
        Err(last.unwrap_or_else(unseen))
    }
}

/// The server has said that it took it.
fn trust(url: &str, ours: &Artifact, host: &dyn Host) -> Result<(), Failure> {
    warn_unseen(url, host);
    once(url).said(&ours.digest, host)
}

fn warn_unseen(url: &str, host: &dyn Host) {
    host.log(Level::Warn, &format!("`{url}` was sent, and can't be read back"));
}

/// By what the server tells of it: its size, and as Artifactory does, what it hashes to.
fn judged(answer: &HttpResponse, ours: &Artifact) -> There {
    let size = match answer.status {
        // Of a part it tells how large the whole is (RFC 9110, 14.4): `bytes 0-0/1234`.
        206 | 416 => answer.header("content-range").and_then(|it| it.rsplit_once('/')).map(|(_, size)| size),
        _ => answer.header("content-length"),
    };
    let size = size.and_then(|it| it.parse::<u64>().ok());
    match (answer.header("x-checksum-sha256"), size) {
        (Some(sha256), _) if sha256.eq_ignore_ascii_case(&ours.digest.hex()) => There::Same,
        (Some(sha256), _) => There::Other(format!("`sha256:{sha256}` is there")),
        (None, Some(size)) if size != ours.size => There::Other(format!("a file of {size} bytes is there")),
        (None, _) => There::Perhaps,
    }
}

fn refusal(answer: &HttpResponse) -> Failure {
    let said = answer.body.lines().map(str::trim).find(|it| !it.is_empty()).unwrap_or_default();
    let said: String = said.chars().take(200).collect();
    let said = if said.is_empty() { said } else { format!(": {said}") };
    let class = if answer.status >= 500 { FailureClass::Network } else { FailureClass::Refused };
    let failure = Failure::new(class, format!("the server answers {}{said}", answer.status));
    match (answer.status, answer.header("location")) {
        (300..=399, Some(location)) => {
            failure.help(format!("it wants the file at `{location}`: write that address in `url`"))
        }
        (401 | 403, _) => {
            failure.help("credentials are those of the host: `[registries.\"HOST\"]`, with `username` and `secret`")
        }
        _ => failure,
    }
}

/// Whether the user was asked about what is there, and has said that it goes.
fn may_replace(url: &str, host: &dyn Host) -> bool {
    host.found().iter().any(|it| it.place == url && matches!(it.change, Change::Conflict { .. }))
}

/// Only its bytes tell that it is another, so that nobody was asked.
fn same_size(url: &str) -> Failure {
    Failure::new(FailureClass::Refused, format!("another file of the same size is at `{url}`"))
        .help("delete it there, and run this again")
}

/// What all addresses begin with, up to a `/`.
fn common_part(files: &[Placed]) -> String {
    let mut urls = files.iter().map(|it| it.address.as_str());
    let first = urls.next().unwrap_or_default();
    let shared = urls.fold(first.len(), |shared, url| {
        first.bytes().zip(url.bytes()).take(shared).take_while(|(one, other)| one == other).count()
    });
    let end = first.as_bytes()[..shared].iter().rposition(|it| *it == b'/').map_or(0, |at| at + 1);
    first[..end].to_owned()
}

fn probe(params: &Value, host: &dyn Host) -> Result<Vec<Finding>, Failure> {
    let wanted: Wanted = typed(params)?;
    let finding = |url: &str, ours, change| {
        let there = if change == Change::None { ours } else { None };
        Finding { place: url.to_owned(), there, ours, change }
    };
    if host.inputs().is_empty() {
        let first = wanted.files.iter().take(1).map(|it| it.address.as_str());
        return first.map(|url| wanted.look(url, None, host).map(|_| finding(url, None, Change::Unknown))).collect();
    }
    let found = |(url, ours): (&str, &Artifact)| {
        let change = match wanted.look(url, Some(ours), host)? {
            There::Nothing | There::Untold if !once(url).is_said(&ours.digest, host)? => Change::New,
            There::Nothing | There::Untold | There::Same | There::Perhaps => Change::None,
            There::Other(because) => Change::Conflict { because },
        };
        Ok(finding(url, Some(ours.digest), change))
    };
    files::made(&wanted.files, host).map(found).collect()
}

fn run(params: &Value, step: &Step, host: &dyn Host) -> Result<(), Failure> {
    let wanted: Wanted = typed(params)?;
    files::each(&wanted.files, host, "sending", |url, ours| wanted.put(url, ours, host))?;
    receipt::emit_about(host, step, &common_part(&wanted.files), "files", files::ours(&wanted.files, host))
}
