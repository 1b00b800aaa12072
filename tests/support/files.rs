//! A server of files: what is put there can be had again, by whoever knows the password.
//! Does not know what is put.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The user that may do everything; nobody else may do anything.
pub const USER: &str = "anna";
/// Her password.
pub const PASSWORD: &str = "correct horse battery";

/// The server. Beside each file it keeps the headers `x-…` that came with it.
pub struct FileServer {
    address: String,
    kept: Arc<Mutex<Kept>>,
}

/// What the server has, and was asked.
#[derive(Default)]
pub struct Kept {
    /// Content and headers, by path.
    pub files: BTreeMap<String, (String, Vec<String>)>,
    /// Method and path of each request that was let in, in order; a POST with its body.
    pub requests: Vec<String>,
}

impl FileServer {
    /// An empty one.
    pub fn start() -> FileServer {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback works");
        let address = listener.local_addr().expect("loopback works").to_string();
        let kept = Arc::new(Mutex::new(Kept::default()));
        let shared = kept.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let kept = shared.clone();
                thread::spawn(move || serve(&stream.expect("loopback works"), &kept));
            }
        });
        FileServer { address, kept }
    }

    /// Host and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What it has and was asked.
    pub fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().expect("the server does not panic")
    }

    /// What it was asked since the last time, sorted.
    pub fn asked(&self) -> Vec<String> {
        let mut requests = std::mem::take(&mut self.kept().requests);
        requests.sort();
        requests
    }
}

/// One request and its answer; then the connection ends.
fn serve(mut stream: &TcpStream, kept: &Mutex<Kept>) {
    let mut reader = BufReader::new(stream);
    let head: Vec<String> = reader.by_ref().lines().map_while(Result::ok).take_while(|it| !it.is_empty()).collect();
    let header = |name: &str| {
        head.iter().find_map(|line| line.split_once(": ").filter(|it| it.0.eq_ignore_ascii_case(name)).map(|it| it.1))
    };
    let size = header("content-length").map_or(0, |size| size.parse().unwrap_or(0));
    let mut body = String::new();
    let _ = reader.take(size).read_to_string(&mut body);
    let known = format!("Basic {}", STANDARD.encode(format!("{USER}:{PASSWORD}")));
    let (status, headers, content) = match header("authorization") == Some(&known) {
        true => answer(&head, body, &mut kept.lock().expect("the server does not panic")),
        false => ("401 Unauthorized", vec!["WWW-Authenticate: Basic realm=\"files\"".to_owned()], String::new()),
    };
    let headers: String = headers.iter().map(|it| format!("{it}\r\n")).collect();
    let length = content.len();
    let content = if head.first().is_some_and(|it| it.starts_with("HEAD ")) { "" } else { &content };
    let _ =
        write!(stream, "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{content}");
}

fn answer(head: &[String], body: String, kept: &mut Kept) -> (&'static str, Vec<String>, String) {
    let mut words = head.first().map_or("", String::as_str).split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    kept.requests.push(format!("{method} {path} {}", if method == "POST" { &body } else { "" }).trim_end().to_owned());
    match (method, kept.files.get(path)) {
        ("PUT", _) => {
            let headers = head.iter().filter(|it| it.to_ascii_lowercase().starts_with("x-")).cloned().collect();
            kept.files.insert(path.to_owned(), (body, headers));
            ("201 Created", Vec::new(), String::new())
        }
        ("POST", _) => ("204 No Content", Vec::new(), String::new()),
        (_, Some((content, headers))) => ("200 OK", headers.clone(), content.clone()),
        (_, None) => ("404 Not Found", Vec::new(), String::new()),
    }
}
