//! acme_upload: puts artifacts on an HTTP server, one PUT each, where they are not there yet.
//! Does not know credentials: the project file names them for the host, and forge adds them to the requests.

use forge_plugin::schemas::{
    Artifact, Body, Change, Digest, Effect, Failure, FailureClass, Finding, HttpRequest, HttpResponse, KindInfo, Level,
    Method, Problem, Resource, Selector, Step,
};
use forge_plugin::{Given, Host, Pipe, Wants};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// The header that says what a file is. A server that keeps it can be asked what it has without a download.
const DIGEST: &str = "x-checksum-sha256";

/// Pipe `acme_upload`.
pub struct Upload;

/// Puts artifacts on an HTTP server, below a folder of their version.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The folder: `https://files.example.org/hello/{{ version }}`.
    pub url: String,
    /// Which kinds to put there. Default: programs.
    #[serde(default = "programs")]
    pub kinds: Vec<String>,
    /// Which tables to take from, by id. Default: all.
    #[serde(default)]
    pub ids: Vec<String>,
}

/// What `plan` tells `run`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Params {
    /// Where the artifact goes.
    url: String,
}

fn programs() -> Vec<String> {
    vec!["binary".to_owned()]
}

impl Pipe for Upload {
    const NAME: &'static str = "acme_upload";
    const SUMMARY: &'static str = "Puts artifacts on an HTTP server";
    type Settings = Settings;
    type Params = Params;

    fn makes() -> Vec<KindInfo> {
        Vec::new()
    }

    fn takes(settings: &Settings) -> Result<Wants, Vec<Problem>> {
        if !settings.url.starts_with("https://") && !settings.url.starts_with("http://") {
            let problem = Problem::at_key("url", format!("`{}` is not the address of a folder", settings.url));
            return Err(vec![problem.help("write it like `https://files.example.org/{{ version }}`")]);
        }
        let selector = Selector {
            kinds: settings.kinds.clone(),
            tables: settings.ids.clone(),
            key: "kinds".to_owned(),
            ..Selector::default()
        };
        Ok(Wants { selectors: vec![selector], sources: Vec::new() })
    }

    /// A step an artifact, so that one that fails does not hold up the others, and what is there is not put again.
    fn plan(settings: &Settings, given: &Given<'_>) -> Result<Vec<Step>, Vec<Problem>> {
        let folder = settings.url.trim_end_matches('/');
        let step = |name: &String| Step {
            name: name.clone(),
            takes: vec![name.clone()],
            effect: Effect::Publish,
            resource: Resource::Network,
            params: json!({ "url": format!("{folder}/{}", escaped(name)) }),
            ..Step::default()
        };
        Ok(given.offers.iter().map(|offer| step(&offer.name)).collect())
    }

    fn probe(params: &Params, _: &Step, host: &dyn Host) -> Result<Vec<Finding>, Failure> {
        let there = ask(&params.url, host)?;
        let ours = host.inputs().first().map(|input| input.digest);
        let change = match (there, ours) {
            (_, None) => Change::Unknown,
            (There::Nothing, Some(_)) => Change::New,
            (There::File(Some(digest)), Some(ours)) if digest == ours => Change::None,
            (There::File(_), Some(_)) => Change::Conflict { because: "what was released stays as it is".to_owned() },
        };
        Ok(vec![Finding { place: params.url.clone(), there: there.digest(), ours, change }])
    }

    fn run(params: &Params, _: &Step, host: &dyn Host) -> Result<(), Failure> {
        if host.found().iter().all(Finding::is_there) && !host.found().is_empty() {
            host.log(Level::Info, "it is there");
            return Ok(());
        }
        let input = host.inputs().first().ok_or_else(|| Failure::bug("there is nothing to put"))?;
        host.progress(0, input.size, "uploading");
        let response = host.http(&put(&params.url, input))?;
        check("PUT", &params.url, &response)?;
        host.progress(input.size, input.size, "uploaded");
        Ok(())
    }
}

/// What lies somewhere.
#[derive(Clone, Copy)]
enum There {
    Nothing,
    /// A file, and what it is if the server says so.
    File(Option<Digest>),
}

impl There {
    fn digest(self) -> Option<Digest> {
        match self {
            There::Nothing => None,
            There::File(digest) => digest,
        }
    }
}

fn ask(url: &str, host: &dyn Host) -> Result<There, Failure> {
    let response = host.http(&HttpRequest::new(Method::Head, url))?;
    if response.status == 404 {
        return Ok(There::Nothing);
    }
    check("HEAD", url, &response)?;
    Ok(There::File(response.header(DIGEST).and_then(|hex| format!("sha256:{hex}").parse().ok())))
}

fn put(url: &str, input: &Artifact) -> HttpRequest {
    let body = Body::File { path: input.path.clone(), offset: 0, size: None };
    HttpRequest::new(Method::Put, url).header(DIGEST, input.digest.hex()).body(body)
}

/// An answer that is no success, as a failure that says what to do.
fn check(method: &str, url: &str, response: &HttpResponse) -> Result<(), Failure> {
    let status = response.status;
    let failure = |class| Failure::new(class, format!("{method} {url} was answered with {status}"));
    match status {
        200..=299 => Ok(()),
        401 | 403 => Err(failure(FailureClass::Refused)
            .help("name the credentials in the project file: `[registries.\"HOST\"]` with `username` and `secret`")),
        500..=599 => Err(failure(FailureClass::Network)),
        _ => Err(failure(FailureClass::Refused)),
    }
}

/// A name as a path of a URL.
fn escaped(name: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    name.bytes().map(|it| if is_plain(it) { char::from(it).to_string() } else { format!("%{it:02X}") }).collect()
}

forge_plugin::export! { name: "acme-upload", pipes: [Upload] }
forge_plugin::entry!(forge_plugin);

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::{Arc, Mutex};

    use forge_plugin::schemas::kind::Binary;
    use forge_plugin::testing::{FakeHost, plan_table, probe_early, run_step, sample_facts};

    use super::*;

    /// A server that keeps the digests of what it is given, by URL; and a project with a program.
    fn server() -> (Arc<Mutex<BTreeMap<String, String>>>, FakeHost) {
        let files = Arc::new(Mutex::new(BTreeMap::<String, String>::new()));
        let kept = files.clone();
        let answer = move |request: &HttpRequest| {
            let mut files = kept.lock().unwrap();
            let found = files.get(&request.url).cloned();
            if request.method == Method::Put {
                files.insert(request.url.clone(), request.headers[DIGEST].clone());
            }
            let headers = found.iter().map(|digest| (DIGEST.to_owned(), digest.clone())).collect();
            let status = if request.method == Method::Put || found.is_some() { 200 } else { 404 };
            HttpResponse { status, headers, ..HttpResponse::default() }
        };
        let hello = Binary { file_name: "hello".to_owned() };
        let host = FakeHost::new().with_input("bin/hello 1", None, &hello, "program").on_http(answer);
        (files, host)
    }

    fn step(host: &FakeHost) -> Step {
        let settings = json!({ "url": "https://files.example.org/1.2.3/" });
        plan_table::<Upload>(&settings, &sample_facts(), &host.offers(), &[]).unwrap().remove(0)
    }

    /// The methods of the requests that a host has seen.
    fn methods(host: &FakeHost) -> Vec<&'static str> {
        host.record().requests.iter().map(|request| request.method.as_str()).collect()
    }

    #[test]
    fn what_is_there_is_not_put_again() {
        let (files, mut host) = server();
        let step = step(&host);
        run_step::<Upload>(&step, &mut host).unwrap();
        assert_eq!(methods(&host), ["HEAD", "PUT"]);
        assert_eq!(files.lock().unwrap().keys().collect::<Vec<_>>(), ["https://files.example.org/1.2.3/bin/hello%201"]);
        run_step::<Upload>(&step, &mut host).unwrap();
        assert_eq!(methods(&host), ["HEAD", "PUT", "HEAD"]);
    }

    #[test]
    fn what_is_something_else_is_a_conflict() {
        let (files, mut host) = server();
        let step = step(&host);
        assert_eq!(probe_early::<Upload>(&step, &mut host).unwrap()[0].change, Change::Unknown);
        files.lock().unwrap().insert("https://files.example.org/1.2.3/bin/hello%201".to_owned(), "00".repeat(32));
        let found = forge_plugin::testing::probe_step::<Upload>(&step, &mut host).unwrap();
        assert!(matches!(found[0].change, Change::Conflict { .. }) && found[0].there.is_some());
    }

    #[test]
    fn a_server_that_says_no() {
        let (_, host) = server();
        let mut host = host.on_http(|_| HttpResponse { status: 403, ..HttpResponse::default() });
        let step = step(&host);
        let failure = run_step::<Upload>(&step, &mut host).unwrap_err();
        assert_eq!(failure.class, FailureClass::Refused);
        assert!(failure.message.starts_with("HEAD https://files") && failure.help.is_some(), "{failure:?}");
    }

    #[test]
    fn an_address_that_is_none() {
        let problems = forge_plugin::testing::takes_table::<Upload>(&json!({ "url": "files" })).unwrap_err();
        assert_eq!(problems[0].message, "`files` is not the address of a folder");
    }
}
