//! A server that behaves as GitHub does for releases, as far as its documentation says it ("REST API endpoints for releases",
//! "…for release assets", version 2022-11-28; "Immutable releases"), or as Gitea does: its API was made after GitHub's, and where it
//! differs is what `routers/api/v1/repo/release*.go` of its version 1.27 do.
//! Does not know git: a release is for a tag, whether there is one or not.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::asked::Asked;

/// Who may write, and by what token.
pub const TOKEN: &str = "gh-token-of-the-tests";

/// The server. It has one repository, `acme/hello`.
pub struct GitHub {
    address: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    is_gitea: bool,
    next: u64,
    releases: BTreeMap<u64, Value>,
    assets: BTreeMap<u64, Asset>,
    is_immutable: bool,
    log: Vec<String>,
}

struct Asset {
    release: u64,
    about: Value,
    bytes: Vec<u8>,
}

type Answer = (u16, Value);

impl GitHub {
    /// With no releases.
    pub fn start() -> GitHub {
        GitHub::with(State::default())
    }

    /// A Gitea with no releases.
    pub fn start_as_gitea() -> GitHub {
        GitHub::with(State { is_gitea: true, ..State::default() })
    }

    fn with(state: State) -> GitHub {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let state = Arc::new(Mutex::new(state));
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

    /// Puts a second file of the same name beside one, as Gitea lets everyone do.
    pub fn double(&self, file: &str) {
        let mut state = self.state();
        let found = state.assets.values().find(|it| it.about["name"] == file).map(|it| (it.release, it.bytes.clone()));
        let (release, bytes) = found.expect("a file of that name");
        state.add(release, file, bytes, true);
    }

    /// Changes a byte of a file, so that nothing but the byte tells.
    pub fn spoil(&self, file: &str) {
        let mut state = self.state();
        for asset in state.assets.values_mut().filter(|it| it.about["name"] == file) {
            asset.bytes[0] ^= 1;
            asset.about["digest"] = json!(sha256(&asset.bytes));
        }
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
        let state = if is_whole { "uploaded" } else { "starter" };
        let digest = is_whole.then(|| sha256(&bytes));
        let about = json!({ "id": id, "name": name, "state": state, "size": bytes.len(), "digest": digest });
        self.assets.insert(id, Asset { release, about: about.clone(), bytes });
        about
    }

    fn shown(&self, id: u64, host: &str) -> Value {
        let mut release = self.releases[&id].clone();
        release["assets"] = self.of(id).map(|it| self.told(&it.about)).collect();
        let upload = format!("http://{host}/uploads/repos/acme/hello/releases/{id}/assets{{?name,label}}");
        release["upload_url"] = json!(upload);
        release
    }

    /// Gitea says neither a state nor a digest.
    fn told(&self, about: &Value) -> Value {
        match self.is_gitea {
            false => about.clone(),
            true => {
                json!({ "id": about["id"], "name": about["name"], "size": about["size"], "uuid": format!("u{}", about["id"]) })
            }
        }
    }

    fn by_tag(&self, tag: &str, asked: &Asked) -> Answer {
        // Gitea's `GetReleaseByTag` tells of drafts, too.
        let is_shown = |it: &Value| it["draft"] == false || (self.is_gitea && asked.is_by(TOKEN));
        let found = self.releases.iter().find(|(_, it)| it["tag_name"] == tag && is_shown(it));
        found.map(|(id, _)| *id).map_or_else(missing, |id| (200, self.shown(id, &asked.host)))
    }

    fn answer(&mut self, asked: &Asked) -> Answer {
        let path = asked
            .path
            .trim_start_matches("/api/v1")
            .trim_start_matches("/uploads")
            .trim_start_matches("/repos/acme/hello");
        let parts: Vec<&str> = path.split('/').filter(|it| !it.is_empty()).collect();
        let id = |text: &str| text.parse::<u64>().unwrap_or_default();
        match (asked.method.as_str(), parts.as_slice()) {
            _ if !asked.path.contains("/repos/acme/hello") => missing(),
            ("GET", []) => (200, json!({ "full_name": "acme/hello", "permissions": { "push": asked.is_by(TOKEN) } })),
            ("GET", ["releases", "tags", tag]) => self.by_tag(tag, asked),
            // Drafts are shown to those who may write.
            ("GET", ["releases"]) => {
                let number =
                    |key: &str, default| asked.query.get(key).and_then(|it| it.parse().ok()).unwrap_or(default);
                let (size, page): (usize, usize) =
                    (number(if self.is_gitea { "limit" } else { "per_page" }, 30), number("page", 1));
                let is_shown = |id: &&u64| asked.is_by(TOKEN) || self.releases[id]["draft"] == false;
                let ids = self.releases.keys().rev().filter(is_shown).skip(size * (page - 1)).take(size);
                (200, ids.map(|id| self.shown(*id, &asked.host)).collect())
            }
            ("GET", ["releases", number]) if self.releases.contains_key(&id(number)) => {
                (200, self.shown(id(number), &asked.host))
            }
            _ if !asked.is_by(TOKEN) => missing(),
            ("POST", ["releases"]) => self.create(asked),
            ("POST", ["releases", number, "assets"]) => self.upload(id(number), asked),
            ("PATCH", ["releases", number]) => self.change(id(number), asked),
            ("DELETE", ["releases", "assets", number]) if !self.is_gitea => self.delete(id(number)),
            ("DELETE", ["releases", _, "assets", number]) if self.is_gitea => self.delete(id(number)),
            _ => missing(),
        }
    }

    fn create(&mut self, asked: &Asked) -> Answer {
        let Ok(release) = serde_json::from_slice::<Value>(&asked.body) else {
            return (400, json!({ "message": "Problems parsing JSON" }));
        };
        if self
            .releases
            .values()
            .any(|it| it["tag_name"] == release["tag_name"] && (self.is_gitea || it["draft"] == false))
        {
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
            // Gitea keeps names as they are, takes a second file of a name, and nothing of one that did not come whole.
            Some(_) if self.is_gitea && !asked.is_whole => return (500, json!({ "message": "unexpected EOF" })),
            Some(_) if self.is_gitea => {
                let name = asked.query.get("name").cloned().unwrap_or_default();
                let about = self.add(release, &name, asked.body.clone(), true);
                return (201, self.told(&about));
            }
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

fn sha256(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|it| format!("{it:02x}")).collect();
    format!("sha256:{hex}")
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
    while let Some(asked) = Asked::read(&mut reader)? {
        let mut state = state.lock().expect("no panic");
        let attached = asked.path.strip_prefix("/attachments/u").and_then(|it| it.parse::<u64>().ok());
        let attached = attached.and_then(|id| state.assets.get(&id)).map(|it| it.bytes.clone());
        let (status, body) = if attached.is_some() { (200, Value::Null) } else { state.answer(&asked) };
        let query: String = asked.query.iter().map(|(key, value)| format!(" {key}={value}")).collect();
        state.log.push(format!("{} {}{query} = {status}", asked.method, asked.path));
        drop(state);
        let body = match attached {
            Some(bytes) => bytes,
            None if status == 204 => Vec::new(),
            None => body.to_string().into_bytes(),
        };
        write!(
            stream,
            "HTTP/1.1 {status} .\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        )?;
        stream.write_all(&body)?;
    }
    Ok(())
}
