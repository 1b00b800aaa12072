//! A server that behaves as GitLab does for releases and generic packages, as far as its documentation says it (docs.gitlab.com/api:
//! "Releases", "Release links", "Packages", "GitLab generic packages repository"). Does not know git.

use std::io::{self, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::asked::Asked;

/// Who may write, and by what token.
pub const TOKEN: &str = "gl-token-of-the-tests";

/// The server. It has one project, `acme/tools/hello`, and one package in it at most.
pub struct GitLab {
    address: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    next: u64,
    package: Option<(String, String)>,
    files: Vec<Value>,
    releases: Vec<Value>,
    log: Vec<String>,
}

type Answer = (u16, Value);

const PROJECT: &str = "/api/v4/projects/acme%2Ftools%2Fhello";

impl GitLab {
    /// With no releases.
    pub fn start() -> GitLab {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = state.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = shared.clone();
                thread::spawn(move || serve(stream, &state));
            }
        });
        GitLab { address, state }
    }

    /// Host and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What was asked since the last time, and how it was answered.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.state().log)
    }

    /// The files of the package with what they hash to, then every release with the names that it links to.
    pub fn has(&self) -> Vec<String> {
        let state = self.state();
        let file = |it: &Value| format!("{} {}", it["file_name"], it["file_sha256"]).replace('"', "");
        let mut all: Vec<String> = state.files.iter().map(file).collect();
        for release in &state.releases {
            let links = release["assets"]["links"].as_array().into_iter().flatten();
            let mut names: Vec<String> = links.map(|it| it["name"].to_string()).collect();
            names.sort();
            let line = format!("{} {}: {}", release["tag_name"], release["description"], names.join(" "));
            all.push(line.replace('"', ""));
        }
        all
    }

    /// A release that somebody else has made, with no file.
    pub fn is_released(&self, tag: &str) {
        self.state().releases.push(json!({ "tag_name": tag, "description": "theirs", "assets": { "links": [] } }));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic")
    }
}

impl State {
    fn id(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn answer(&mut self, asked: &Asked) -> Answer {
        let is_known = asked.is_by(TOKEN);
        let Some(path) = asked.path.strip_prefix(PROJECT) else { return missing() };
        let parts: Vec<&str> = path.split('/').filter(|it| !it.is_empty()).collect();
        match (asked.method.as_str(), parts.as_slice()) {
            // A member of the group is one of its projects, too.
            ("GET", []) => {
                let level = if is_known { 30 } else { 20 };
                let group = json!({ "access_level": level });
                (200, json!({ "permissions": { "project_access": null, "group_access": group } }))
            }
            ("GET", ["releases", tag]) => {
                self.releases.iter().find(|it| it["tag_name"] == *tag).map_or_else(missing, |it| (200, it.clone()))
            }
            ("GET", ["packages"]) => {
                let package = |(name, version): &(String, String)| json!({ "id": 7, "name": name, "version": version });
                (200, self.package.iter().map(package).collect())
            }
            ("GET", ["packages", "7", "package_files"]) => (200, self.files.iter().cloned().collect()),
            _ if !is_known => (401, json!({ "message": "401 Unauthorized" })),
            ("PUT", ["packages", "generic", package, version, name]) => self.store([package, version, name], asked),
            ("POST", ["releases"]) => self.release(asked),
            ("POST", ["releases", tag, "assets", "links"]) => self.link(tag, asked),
            _ => missing(),
        }
    }

    /// "When you publish a package with the same name and version as an existing package, the files are added", also those of
    /// a name that is there; the most recent one is given out.
    fn store(&mut self, [package, version, name]: [&str; 3], asked: &Asked) -> Answer {
        if !asked.is_whole {
            return (500, json!({ "message": "500 Internal Server Error" }));
        }
        let id = self.id();
        let hash: String = Sha256::digest(&asked.body).iter().map(|it| format!("{it:02x}")).collect();
        self.package = Some((package.to_owned(), version.to_owned()));
        let name = name.replace("%7E", "~");
        self.files.push(json!({ "id": id, "file_name": name, "size": asked.body.len(), "file_sha256": hash }));
        (201, json!({ "message": "201 Created" }))
    }

    fn release(&mut self, asked: &Asked) -> Answer {
        let mut release: Value = serde_json::from_slice(&asked.body).expect("JSON");
        if self.releases.iter().any(|it| it["tag_name"] == release["tag_name"]) {
            return (409, json!({ "message": "Release already exists" }));
        }
        for link in release["assets"]["links"].as_array_mut().into_iter().flatten() {
            link["id"] = json!(self.id());
        }
        self.releases.push(release.clone());
        (201, release)
    }

    /// "`name`: must be unique within the release".
    fn link(&mut self, tag: &str, asked: &Asked) -> Answer {
        let mut link: Value = serde_json::from_slice(&asked.body).expect("JSON");
        link["id"] = json!(self.id());
        let Some(release) = self.releases.iter_mut().find(|it| it["tag_name"] == tag) else { return missing() };
        let links = release["assets"]["links"].as_array_mut().expect("links");
        if links.iter().any(|it| it["name"] == link["name"]) {
            return (400, json!({ "message": { "name": ["has already been taken"] } }));
        }
        links.push(link.clone());
        (201, link)
    }
}

fn missing() -> Answer {
    (404, json!({ "message": "404 Not Found" }))
}

fn serve(mut stream: TcpStream, state: &Mutex<State>) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    while let Some(asked) = Asked::read(&mut reader)? {
        let mut state = state.lock().expect("no panic");
        let (status, body) = state.answer(&asked);
        state.log.push(format!("{} {} = {status}", asked.method, asked.path));
        drop(state);
        let body = body.to_string();
        write!(
            stream,
            "HTTP/1.1 {status} .\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )?;
    }
    Ok(())
}
