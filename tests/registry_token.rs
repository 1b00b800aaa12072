//! A token server for the tests of HTTP (distribution-spec's `auth/token`, and its form of OAuth 2).
//! Does not know the registry: that checks the tokens.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// Gives everything to `anna` with password `pw`, or with the identity token `t0`, and to nobody else.
pub struct TokenServer {
    /// Host and port.
    pub address: String,
    asked: mpsc::Receiver<String>,
}

/// How many seconds a token lives unless said otherwise.
const LIFE: u64 = 300;
/// For how many seconds a registry takes one that has expired: its clock may not be the server's.
const LEEWAY: u64 = 60;

impl TokenServer {
    /// Signs with `key.pem`, which `cert.pem` in `dir` vouches for.
    pub fn start(dir: &Path) -> TokenServer {
        TokenServer::start_with(dir, LIFE, LIFE)
    }

    /// The same, with tokens that are good for so many seconds, and said to be good for so many.
    pub fn start_with(dir: &Path, good: u64, said: u64) -> TokenServer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (sender, asked) = mpsc::channel();
        let dir = dir.to_owned();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (dir, sender) = (dir.clone(), sender.clone());
                thread::spawn(move || serve(stream.unwrap(), &dir, (good, said), &sender));
            }
        });
        TokenServer { address, asked }
    }

    /// What it was asked for since the last time: method and scopes.
    pub fn asked(&self) -> Vec<String> {
        self.asked.try_iter().collect()
    }
}

fn serve(mut stream: TcpStream, dir: &Path, (good, said): (u64, u64), asked: &mpsc::Sender<String>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let head: Vec<String> = reader.by_ref().lines().map_while(Result::ok).take_while(|it| !it.is_empty()).collect();
    let header = |name: &str| {
        head.iter().find_map(|line| line.split_once(": ").filter(|it| it.0.eq_ignore_ascii_case(name)).map(|it| it.1))
    };
    let size = header("content-length").map_or(0, |size| size.parse().unwrap());
    let mut body = String::new();
    reader.take(size).read_to_string(&mut body).unwrap();
    let (method, target) = head[0].split_once(' ').unwrap();
    let query = target.split(' ').next().unwrap().split_once('?').map_or("", |it| it.1);
    let text = if method == "POST" { &body } else { query };
    let pairs: Vec<(String, String)> = url::form_urlencoded::parse(text.as_bytes()).into_owned().collect();
    let scopes: Vec<&str> = pairs.iter().filter(|it| it.0 == "scope").flat_map(|it| it.1.split(' ')).collect();
    asked.send(format!("{method} {}", scopes.join(" "))).unwrap();
    let password = format!("Basic {}", STANDARD.encode("anna:pw"));
    let knows_password = method == "GET" && header("authorization") == Some(&password);
    let knows_token = method == "POST" && pairs.contains(&("refresh_token".to_owned(), "t0".to_owned()));
    let (status, answer) = match knows_password || knows_token {
        true => ("200 OK", json!({ "access_token": token(dir, &scopes, good), "expires_in": said })),
        false => ("401 Unauthorized", json!({ "errors": [] })),
    };
    let answer = answer.to_string();
    let head = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", answer.len());
    stream.write_all((head + &answer).as_bytes()).unwrap();
}

/// A JSON web token (RFC 7519) for these scopes, which a registry takes for so many seconds.
fn token(dir: &Path, scopes: &[&str], good: u64) -> String {
    let pem = fs::read_to_string(dir.join("cert.pem")).unwrap();
    let certificate: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let claims: BTreeMap<&str, Value> = [
        ("iss", json!("test")),
        ("sub", json!("anna")),
        ("aud", json!("test")),
        ("exp", json!(now + good - LEEWAY)),
        ("nbf", json!(now - LEEWAY)),
        ("iat", json!(now)),
        ("jti", json!("1")),
        ("access", scopes.iter().map(|scope| access(scope)).collect()),
    ]
    .into();
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = json!({ "typ": "JWT", "alg": "RS256", "x5c": [certificate] });
    let signed = format!("{}.{}", part(&header), part(&json!(claims)));
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(sign(dir, &signed)))
}

fn access(scope: &str) -> Value {
    let mut parts = scope.splitn(3, ':');
    let (kind, name, actions) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
    json!({ "type": kind, "name": name, "actions": actions.split(',').collect::<Vec<_>>() })
}

fn sign(dir: &Path, text: &str) -> Vec<u8> {
    let mut child = Command::new("openssl")
        .args(["dgst", "-sha256", "-sign", "key.pem"])
        .current_dir(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    child.wait_with_output().unwrap().stdout
}
