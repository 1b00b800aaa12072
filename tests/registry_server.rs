//! Servers for the tests of HTTP: a real registry on a free loopback port, and one that answers by a script.
//! Does not know what is tested with them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;

/// `docker-registry`; it ends with this value.
pub struct Registry {
    child: Child,
    address: String,
    dir: tempfile::TempDir,
}

/// A server that answers each request with the next of its answers, and closes the connection.
pub struct Script {
    address: String,
    seen: mpsc::Receiver<String>,
}

impl Registry {
    /// Starts one, with these variables (`REGISTRY_AUTH`, …); `{dir}` in a value is its directory.
    pub fn start(prepare: impl FnOnce(&Path), variables: &[(&str, &str)]) -> Registry {
        let dir = tempfile::tempdir().unwrap();
        prepare(dir.path());
        let config = dir.path().join("config.yml");
        let data = dir.path().join("data");
        let text = format!("version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {}\n", data.display());
        fs::write(&config, text).unwrap();
        let root = dir.path().to_str().unwrap();
        let mut child = Command::new("docker-registry")
            .arg("serve")
            .arg(&config)
            .env("REGISTRY_HTTP_ADDR", "127.0.0.1:0")
            .env("OTEL_TRACES_EXPORTER", "none")
            .envs(variables.iter().map(|(name, value)| (*name, value.replace("{dir}", root))))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("docker-registry is installed");
        let (sender, ready) = mpsc::channel();
        for stream in [read(child.stdout.take().unwrap()), read(child.stderr.take().unwrap())] {
            let sender = sender.clone();
            thread::spawn(move || {
                for line in stream.lines().map_while(Result::ok) {
                    if let Some((_, address)) = line.split_once("listening on ") {
                        let end = address.find([',', '"', ' ']).unwrap_or(address.len());
                        let _ = sender.send(address[..end].to_owned());
                    }
                }
            });
        }
        drop(sender);
        let address = ready.recv().expect("the registry starts");
        Registry { child, address, dir }
    }

    /// Host and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Its directory.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Script {
    /// With these answers, as they go over the wire: head, empty line, body. An empty one is a connection that is
    /// closed when the head of the request has come.
    pub fn start(answers: Vec<String>) -> Script {
        Script::start_with(move |_| answers)
    }

    /// The same, with answers that name the server's own address.
    pub fn start_with(answers: impl FnOnce(&str) -> Vec<String>) -> Script {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let answers = answers(&address);
        let (sender, seen) = mpsc::channel();
        thread::spawn(move || {
            for answer in answers {
                let Ok((mut stream, _)) = listener.accept() else { return };
                let request = request(&mut stream, !answer.is_empty());
                let _ = sender.send(request);
                let _ = stream.write_all(answer.as_bytes());
                let _ = stream.shutdown(std::net::Shutdown::Write);
                if !answer.is_empty() {
                    // Closing while the client still sends would reset the connection before it has read the answer.
                    let _ = std::io::copy(&mut stream, &mut std::io::sink());
                }
            }
        });
        Script { address, seen }
    }

    /// Host and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The next request that came: head and body. Waits for it.
    pub fn next(&self) -> String {
        self.seen.recv().unwrap()
    }

    /// The requests that came and were not taken by `next`.
    pub fn rest(&self) -> Vec<String> {
        self.seen.try_iter().collect()
    }
}

/// An answer that ends the connection.
pub fn answer(status: &str, headers: &[&str], body: &str) -> String {
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len())
}

/// A certificate authority and a certificate of it for 127.0.0.1: `ca.pem`, `cert.pem`, `key.pem` in `dir`.
pub fn make_certificates(dir: &Path) {
    let run = |arguments: &str| {
        let output = Command::new("openssl").args(arguments.split(' ')).current_dir(dir).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    fs::write(dir.join("ext"), "subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n").unwrap();
    run("req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=test-authority");
    run("req -newkey rsa:2048 -nodes -keyout key.pem -out request.pem -subj /CN=127.0.0.1");
    run("x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out cert.pem -extfile ext");
}

fn read(stream: impl std::io::Read + Send + 'static) -> Box<dyn std::io::BufRead + Send> {
    Box::new(BufReader::new(stream))
}

fn request(stream: &mut std::net::TcpStream, with_body: bool) -> String {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|count| count == 1) {
        bytes.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
    let size = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
    if with_body {
        let _ = stream.take(size).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
