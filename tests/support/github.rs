//! A server that behaves as GitHub does for releases, as far as its documentation says it ("REST API endpoints for releases",
//! "…for release assets", version 2022-11-28; "Immutable releases").
//! Does not know git: a release is for a tag, whether there is one or not.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// Who may write, and by what token.
pub const TOKEN: &str = "gh-token-of-the-tests";

/// The server. It has one repository, `acme/hello`.
pub struct GitHub {
    address: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    next: u64,
    releases: BTreeMap<u64, Value>,
    assets: BTreeMap<u64, Asset>,
    is_immutable: bool,
    log: Vec<String>,
}

struct Asset {
    release: u64,
    about: Value,
}

/// What was asked.
struct Asked {
    method: String,
    path: String,
    query: BTreeMap<String, String>,
    host: String,
    is_known: bool,
    body: Vec<u8>,
    is_whole: bool,
}

type Answer = (u16, Value);

impl GitHub {
    /// With no releases.
    pub fn start() -> GitHub {
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
        GitHub { address, state }
    }

    /// Host and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Releases that are published from now on can't be changed ("Immutable releases").
    pub fn is_immutable(&self) {
        self.state().is_immutable = true;
    }

    /// What was asked since the last time, and how it was answered.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.state().log)
    }

    /// Every release: its tag, whether it is a draft, its notes, and its files with their content.
    pub fn releases(&self) -> Vec<String> {
        let state = self.state();
        let mut all = Vec::new();
        for (id, release) in &state.releases {
            let is = if release["draft"] == true { "draft" } else { "release" };
            all.push(format!("{is} {} {}: {}", release["tag_name"], release["name"], release["body"]));
            let mut files: Vec<String> =
                state.of(*id).map(|it| format!("  {} {}", it.about["name"], it.about["digest"])).collect();
            files.sort();
            all.extend(files);
        }
        all
    }

    /// A draft or release that somebody else has made, with a file.
    pub fn has(&self, release: Value, file: &str) {
        let mut state = self.state();
        let id = state.begin(&release);
        state.add(id, file, b"theirs".to_vec(), true);
    }

    /// Takes a file away.
    pub fn lose(&self, file: &str) {
        self.state().assets.retain(|_, it| it.about["name"] != file);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic")
    }
}

impl State {
    fn of(&self, release: u64) -> impl Iterator<Item = &Asset> {
        self.assets.values().filter(move |it| it.release == release)
    }

    fn id(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn begin(&mut self, asked: &Value) -> u64 {
        let id = self.id();
        let mut release = asked.clone();
        release["id"] = json!(id);
        self.releases.insert(id, release);
        id
    }

    fn add(&mut self, release: u64, name: &str, bytes: Vec<u8>, is_whole: bool) -> Value {
        let id = self.id();
        let hex: String = Sha256::digest(&bytes).iter().map(|it| format!("{it:02x}")).collect();
        let state = if is_whole { "uploaded" } else { "starter" };
        let digest = is_whole.then(|| format!("sha256:{hex}"));
        let about = json!({ "id": id, "name": name, "state": state, "size": bytes.len(), "digest": digest });
        self.assets.insert(id, Asset { release, about: about.clone() });
        about
    }

    fn shown(&self, id: u64, host: &str) -> Value {
        let mut release = self.releases[&id].clone();
        release["assets"] = self.of(id).map(|it| it.about.clone()).collect();
        let upload = format!("http://{host}/uploads/repos/acme/hello/releases/{id}/assets{{?name,label}}");
        release["upload_url"] = json!(upload);
        release
    }

    fn answer(&mut self, asked: &Asked) -> Answer {
        let path = asked.path.trim_start_matches("/uploads").trim_start_matches("/repos/acme/hello");
        let parts: Vec<&str> = path.split('/').filter(|it| !it.is_empty()).collect();
        let id = |text: &str| text.parse::<u64>().unwrap_or_default();
        match (asked.method.as_str(), parts.as_slice()) {
            _ if !asked.path.contains("/repos/acme/hello") => missing(),
            ("GET", []) => (200, json!({ "full_name": "acme/hello", "permissions": { "push": asked.is_known } })),
            ("GET", ["releases", "tags", tag]) => {
                let found = self.releases.iter().find(|(_, it)| it["tag_name"] == *tag && it["draft"] == false);
                found.map(|(id, _)| *id).map_or_else(missing, |id| (200, self.shown(id, &asked.host)))
            }
            // Drafts are shown to those who may write.
            ("GET", ["releases"]) => {
                let number =
                    |key: &str, default| asked.query.get(key).and_then(|it| it.parse().ok()).unwrap_or(default);
                let (size, page): (usize, usize) = (number("per_page", 30), number("page", 1));
                let is_shown = |id: &&u64| asked.is_known || self.releases[id]["draft"] == false;
                let ids = self.releases.keys().rev().filter(is_shown).skip(size * (page - 1)).take(size);
                (200, ids.map(|id| self.shown(*id, &asked.host)).collect())
            }
            ("GET", ["releases", number]) if self.releases.contains_key(&id(number)) => {
                (200, self.shown(id(number), &asked.host))
            }
            _ if !asked.is_known => missing(),
            ("POST", ["releases"]) => self.create(asked),
            ("POST", ["releases", number, "assets"]) => self.upload(id(number), asked),
            ("PATCH", ["releases", number]) => self.change(id(number), asked),
            ("DELETE", ["releases", "assets", number]) => self.delete(id(number)),
            _ => missing(),
        }
    }

    fn create(&mut self, asked: &Asked) -> Answer {
        let Ok(release) = serde_json::from_slice::<Value>(&asked.body) else {
            return (400, json!({ "message": "Problems parsing JSON" }));
        };
        if self.releases.values().any(|it| it["tag_name"] == release["tag_name"] && it["draft"] == false) {
            return exists("Release", "tag_name");
        }
        let id = self.begin(&release);
        (201, self.shown(id, &asked.host))
    }

    fn upload(&mut self, release: u64, asked: &Asked) -> Answer {
        // "GitHub renames asset filenames that have special characters".
        let shown = |it: char| if it.is_ascii_alphanumeric() || "-_.+".contains(it) { it } else { '.' };
        let name: String = asked.query.get("name").map(|it| it.chars().map(shown).collect()).unwrap_or_default();
        match self.releases.get(&release) {
            None => return missing(),
            Some(it) if it["immutable"] == true => return immutable(),
            Some(_) => {}
        }
        // "If you upload an asset with the same filename as another uploaded asset, you'll receive an error".
        if self.of(release).any(|it| it.about["name"] == name) {
            return exists("ReleaseAsset", "name");
        }
        // "When an upstream failure occurs … an empty asset with a state of `starter`": it must be deleted first.
        let about = self.add(release, &name, asked.body.clone(), asked.is_whole);
        if asked.is_whole { (201, about) } else { (502, json!({ "message": "Bad Gateway" })) }
    }

    fn change(&mut self, id: u64, asked: &Asked) -> Answer {
        let is_immutable = self.is_immutable;
        let Some(release) = self.releases.get_mut(&id) else { return missing() };
        let change: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
        for (key, value) in change.as_object().into_iter().flatten() {
            release[key] = value.clone();
        }
        if release["draft"] == false && is_immutable {
            release["immutable"] = json!(true);
        }
        (200, self.shown(id, &asked.host))
    }

    fn delete(&mut self, id: u64) -> Answer {
        let Some(asset) = self.assets.get(&id) else { return missing() };
        if self.releases[&asset.release]["immutable"] == true {
            return immutable();
        }
        self.assets.remove(&id);
        (204, Value::Null)
    }
}

fn missing() -> Answer {
    (404, json!({ "message": "Not Found" }))
}

fn immutable() -> Answer {
    (422, json!({ "message": "Cannot change the assets of an immutable release." }))
}

fn exists(resource: &str, field: &str) -> Answer {
    let error = json!({ "resource": resource, "code": "already_exists", "field": field });
    (422, json!({ "message": "Validation Failed", "errors": [error] }))
}

fn serve(mut stream: TcpStream, state: &Mutex<State>) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    while let Some(asked) = read(&mut reader)? {
        let mut state = state.lock().expect("no panic");
        let (status, body) = state.answer(&asked);
        let query: String = asked.query.iter().map(|(key, value)| format!(" {key}={value}")).collect();
        state.log.push(format!("{} {}{query} = {status}", asked.method, asked.path));
        drop(state);
        let body = if status == 204 { String::new() } else { body.to_string() };
        write!(
            stream,
            "HTTP/1.1 {status} .\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )?;
    }
    Ok(())
}

fn read(reader: &mut BufReader<TcpStream>) -> io::Result<Option<Asked>> {
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        match line.trim_end() {
            "" => break,
            line => head.push(line.to_owned()),
        }
    }
    let header = |name: &str| {
        let lines = head.iter().filter_map(|line| line.split_once(':'));
        lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned()).next()
    };
    let mut words = head[0].split(' ');
    let (method, target) = (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let size: u64 = header("content-length").and_then(|it| it.parse().ok()).unwrap_or(0);
    let mut body = Vec::new();
    let _ = reader.take(size).read_to_end(&mut body);
    Ok(Some(Asked {
        method,
        path: path.to_owned(),
        query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        host: header("host").unwrap_or_default(),
        is_known: header("authorization").is_some_and(|it| it == format!("Bearer {TOKEN}")),
        is_whole: body.len() as u64 == size,
        body,
    }))
}
