//! A real registry for one test, on a free loopback port, that tells what it was asked.
//! Does not know images.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::program::run;

/// The registry; it ends with its owner.
pub struct Registry {
    child: Child,
    address: String,
    access: BufReader<File>,
    directory: TempDir,
}

impl Registry {
    /// Starts one.
    pub fn start() -> Registry {
        let directory =
            tempfile::Builder::new().prefix("forge-test-registry-").tempdir().expect("a temporary directory");
        let at = |name: &str| directory.path().join(name);
        let blobs = at("blobs").display().to_string();
        fs::write(at("config.yml"), config(&blobs)).expect("the registry's config can be written");
        let access = File::create(at("access.log")).expect("the access log can be made");
        // It must not outlive a test that is killed.
        let mut child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "docker-registry", "serve"])
            .arg(at("config.yml"))
            .env("OTEL_TRACES_EXPORTER", "none")
            .stdin(Stdio::null())
            .stdout(access)
            .stderr(Stdio::piped())
            .spawn()
            .expect("`setpriv` starts");
        let address = listening(&mut child);
        let access = BufReader::new(File::open(at("access.log")).expect("the access log can be read"));
        Registry { child, address, access, directory }
    }

    /// Host and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Where it keeps what it was sent, and its log.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// What it was asked since the last time that this was asked: `HEAD /v2/hello/manifests/latest 200`.
    pub fn requests(&mut self) -> Vec<String> {
        // Requests are written down as they are answered; the last of them is ours.
        self.get("/v2/the/end/tags/list");
        let mut requests = Vec::new();
        loop {
            let mut line = String::new();
            self.access.read_line(&mut line).expect("the access log can be read");
            match request(&line) {
                Some(request) if request.contains("/v2/the/end/") => return requests,
                Some(request) => requests.push(request),
                None => std::thread::yield_now(),
            }
        }
    }

    /// The manifest that a reference names, as it is.
    pub fn manifest(&self, reference: &str) -> Value {
        let place = format!("docker://{}/{reference}", self.address);
        let text = run(["skopeo", "inspect", "--raw", "--tls-verify=false", &place]);
        serde_json::from_str(&text).expect("a manifest is JSON")
    }

    fn get(&self, path: &str) {
        let mut stream = TcpStream::connect(&self.address).expect("the registry listens");
        let asked = write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address);
        asked.and_then(|()| stream.read_to_end(&mut Vec::new())).expect("the registry answers");
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(self.directory.path());
    }
}

fn config(blobs: &str) -> String {
    format!(
        "version: 0.1\n\
         log: {{level: info, formatter: text, accesslog: {{disabled: false}}}}\n\
         storage: {{filesystem: {{rootdirectory: {blobs}}}, cache: {{blobdescriptor: inmemory}}, delete: {{enabled: true}}}}\n\
         http: {{addr: '127.0.0.1:0'}}\n"
    )
}

/// Waits for the registry to say which port it has got.
fn listening(child: &mut Child) -> String {
    let mut stderr = BufReader::new(child.stderr.take().expect("standard error is a pipe"));
    let mut said = String::new();
    while stderr.read_line(&mut said).expect("the registry's log can be read") > 0 {
        let last = said.lines().last().unwrap_or_default();
        if let Some((_, rest)) = last.split_once("listening on ") {
            let address = rest.split(['"', ',']).next().unwrap_or_default().to_owned();
            // It goes on to write its log, and must find a reader.
            std::thread::spawn(move || std::io::copy(&mut stderr, &mut std::io::sink()));
            return address;
        }
    }
    panic!("the registry does not start: `./tests/run` installs `docker-registry`\n{said}")
}

/// From a line of the access log, in the form that web servers have in common.
fn request(line: &str) -> Option<String> {
    let mut parts = line.trim_end().split('"');
    let (_, asked, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let asked = asked.strip_suffix(" HTTP/1.1")?;
    Some(format!("{asked} {}", rest.split_whitespace().next()?))
}
