//! A registry of crates that behaves as The Cargo Book says it ("Registry Index", "Registry Web API"): a sparse index, publishing, downloads.
//! Does not know cargo.

use std::io::{self, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::asked::Asked;

/// Who may publish.
pub const TOKEN: &str = "crates-token-of-the-tests";

/// The registry.
pub struct Crates {
    address: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    crates: Vec<Crate>,
    log: Vec<String>,
}

struct Crate {
    name: String,
    version: String,
    /// Its line of the index.
    line: Value,
    bytes: Vec<u8>,
}

type Answer = (u16, Vec<u8>);

impl Crates {
    /// With no crates.
    pub fn start() -> Crates {
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
        Crates { address, state }
    }

    /// Host and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What was asked since the last time, and how it was answered.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.state().log)
    }

    /// Every version of every crate, in the order in which they came.
    pub fn has(&self) -> Vec<String> {
        self.state().crates.iter().map(|it| format!("{} {}", it.name, it.version)).collect()
    }

    /// A version that somebody else has published.
    pub fn is_published(&self, name: &str, version: &str) {
        let meta = json!({ "name": name, "vers": version, "deps": [], "features": {} });
        self.state().store(&meta, b"theirs".to_vec());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic")
    }
}

impl State {
    fn answer(&mut self, asked: &Asked) -> Answer {
        let parts: Vec<&str> = asked.path.split('/').filter(|it| !it.is_empty()).collect();
        match (asked.method.as_str(), parts.as_slice()) {
            ("GET", ["index", "config.json"]) => {
                let here = format!("http://{}", asked.host);
                (200, json!({ "dl": format!("{here}/dl"), "api": here }).to_string().into_bytes())
            }
            ("GET", ["index", .., name]) => self.index(name, &asked.path),
            ("GET", ["dl", name, version, "download"]) => {
                self.find(name, version).map_or((404, Vec::new()), |it| (200, it.bytes.clone()))
            }
            ("PUT", ["api", "v1", "crates", "new"]) if asked.authorization != TOKEN => error(403, "must be logged in"),
            ("PUT", ["api", "v1", "crates", "new"]) => self.publish(asked),
            _ => error(404, "Not Found"),
        }
    }

    fn find(&self, name: &str, version: &str) -> Option<&Crate> {
        self.crates.iter().find(|it| it.name == name && it.version == version)
    }

    /// "Index files": a line a version, at a path that the name says.
    fn index(&self, name: &str, path: &str) -> Answer {
        let place = match name.len() {
            1 | 2 => format!("/index/{}/{name}", name.len()),
            3 => format!("/index/3/{}/{name}", &name[..1]),
            _ => format!("/index/{}/{}/{name}", &name[..2], &name[2..4]),
        };
        let lines: String =
            self.crates.iter().filter(|it| it.name == name).map(|it| format!("{}\n", it.line)).collect();
        if lines.is_empty() || place != path {
            return (404, Vec::new());
        }
        (200, lines.into_bytes())
    }

    /// "Publish": two numbers of 32 bits, little-endian, each before what it counts: metadata as JSON, and the `.crate`.
    fn publish(&mut self, asked: &Asked) -> Answer {
        let take = |bytes: &[u8]| -> Option<(Vec<u8>, Vec<u8>)> {
            let (size, rest) = bytes.split_first_chunk::<4>()?;
            let (taken, rest) = rest.split_at_checked(u32::from_le_bytes(*size) as usize)?;
            Some((taken.to_vec(), rest.to_vec()))
        };
        let parts = take(&asked.body).and_then(|(meta, rest)| Some((meta, take(&rest)?.0)));
        let Some((meta, bytes)) = parts.filter(|_| asked.is_whole) else { return error(400, "cut short") };
        let meta: Value = serde_json::from_slice(&meta).expect("JSON");
        let (name, version) = (meta["name"].as_str().expect("a name"), meta["vers"].as_str().expect("a version"));
        if self.find(name, version).is_some() {
            return error(400, &format!("crate version `{version}` is already uploaded"));
        }
        self.store(&meta, bytes);
        (
            200,
            json!({ "warnings": { "invalid_categories": [], "invalid_badges": [], "other": [] } })
                .to_string()
                .into_bytes(),
        )
    }

    /// "The JSON of the index is like that of the publish API, with these differences": `req`, `package`, `registry`.
    fn store(&mut self, meta: &Value, bytes: Vec<u8>) {
        let dep = |it: &Value| {
            let renamed = it["explicit_name_in_toml"].as_str();
            json!({
                "name": renamed.unwrap_or(it["name"].as_str().expect("a name")),
                "req": it["version_req"], "features": it["features"], "optional": it["optional"],
                "default_features": it["default_features"], "target": it["target"], "kind": it["kind"],
                "registry": it["registry"], "package": renamed.map(|_| it["name"].clone()),
            })
        };
        let sum: String = Sha256::digest(&bytes).iter().map(|it| format!("{it:02x}")).collect();
        let deps: Vec<Value> = meta["deps"].as_array().expect("a list").iter().map(dep).collect();
        let line = json!({
            "name": meta["name"], "vers": meta["vers"], "deps": deps, "cksum": sum, "features": meta["features"], "yanked": false,
        });
        let text = |key: &str| meta[key].as_str().expect("a text").to_owned();
        self.crates.push(Crate { name: text("name"), version: text("vers"), line, bytes });
    }
}

fn error(status: u16, detail: &str) -> Answer {
    (status, json!({ "errors": [{ "detail": detail }] }).to_string().into_bytes())
}

fn serve(mut stream: TcpStream, state: &Mutex<State>) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    while let Some(asked) = Asked::read(&mut reader)? {
        let mut state = state.lock().expect("no panic");
        let (status, body) = state.answer(&asked);
        state.log.push(format!("{} {} = {status}", asked.method, asked.path));
        drop(state);
        let head =
            format!("HTTP/1.1 {status} .\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.write_all(&[head.as_bytes(), &body].concat())?;
    }
    Ok(())
}
