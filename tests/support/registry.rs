//! A real registry for one test, on a free loopback port, that tells what it was asked.
//! Does not know images.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use sha2::{Digest as _, Sha256};
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
        Registry::start_with(|_| {}, &[])
    }

    /// Starts one with these variables (`REGISTRY_AUTH`, …), where `{dir}` is its directory, which was prepared before.
    pub fn start_with(prepare: impl FnOnce(&Path), variables: &[(&str, &str)]) -> Registry {
        let directory =
            tempfile::Builder::new().prefix("forge-test-registry-").tempdir().expect("a temporary directory");
        prepare(directory.path());
        let root = directory.path().to_str().expect("temporary directories have names in UTF-8");
        let at = |name: &str| directory.path().join(name);
        let blobs = at("blobs").display().to_string();
        fs::write(at("config.yml"), config(&blobs)).expect("the registry's config can be written");
        let access = File::create(at("access.log")).expect("the access log can be made");
        // It must not outlive a test that is killed.
        let mut child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "docker-registry", "serve"])
            .arg(at("config.yml"))
            .env("OTEL_TRACES_EXPORTER", "none")
            .envs(variables.iter().map(|(name, value)| (*name, value.replace("{dir}", root))))
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

    /// Its directory; below `blobs` is all that it has.
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

    /// All that it holds: manifests, blobs, what each repository refers to, and what each tag names and ever named. By the
    /// path of the file, the content or its digest.
    pub fn contents(&self) -> Contents {
        let blobs = self.directory().join("blobs");
        // There is nothing before the first upload.
        let walk = ignore::WalkBuilder::new(&blobs).standard_filters(false).build().take_while(|_| blobs.exists());
        let files = walk.map(|it| it.expect("the registry's files can be listed"));
        let files = files.filter(|it| it.file_type().is_some_and(|it| it.is_file()));
        let content = |path: &Path| {
            let bytes = fs::read(path).expect("a file of the registry can be read");
            let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
            String::from_utf8(bytes).ok().filter(|it| it.starts_with("sha256:")).unwrap_or(digest)
        };
        let name = |path: &Path| path.strip_prefix(&blobs).expect("below").to_string_lossy().into_owned();
        // Uploads that were begun and given up are seen by nobody.
        let paths = files.map(|it| it.into_path()).filter(|it| !name(it).contains("/_uploads/"));
        Contents(paths.map(|path| (name(&path), content(&path))).collect())
    }

    /// The tags of a repository, as it lies on disk.
    pub fn tags(&self, repository: &str) -> Vec<String> {
        let entries = fs::read_dir(self.manifests(repository).join("tags")).into_iter().flatten();
        let names = entries.map(|it| it.expect("an entry").file_name().into_string().expect("a tag"));
        names.collect()
    }

    /// The digest that a tag names, as it lies on disk.
    pub fn digest(&self, repository: &str, tag: &str) -> String {
        let link = self.manifests(repository).join("tags").join(tag).join("current/link");
        fs::read_to_string(&link).unwrap_or_else(|error| panic!("{}: {error}", link.display()))
    }

    fn manifests(&self, repository: &str) -> PathBuf {
        let repositories = self.directory.path().join("blobs/docker/registry/v2/repositories");
        repositories.join(repository).join("_manifests")
    }

    fn get(&self, path: &str) {
        let mut stream = TcpStream::connect(&self.address).expect("the registry listens");
        let asked = write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address);
        asked.and_then(|()| stream.read_to_end(&mut Vec::new())).expect("the registry answers");
    }
}

/// What a registry holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents(BTreeMap<String, String>);

impl Contents {
    /// What differs from what another one holds, a line each; nothing if both hold the same.
    pub fn differences(&self, other: &Contents) -> Vec<String> {
        let paths: BTreeSet<&String> = self.0.keys().chain(other.0.keys()).collect();
        let pairs = paths.into_iter().map(|path| (path, self.0.get(path), other.0.get(path)));
        pairs.filter(|(_, one, two)| one != two).map(|(path, one, two)| format!("{path}: {one:?}, {two:?}")).collect()
    }

    /// The tags, with their repositories.
    pub fn tags(&self) -> Vec<&str> {
        let tags = self.0.keys().filter_map(|path| path.strip_suffix("/current/link"));
        tags.filter_map(|path| path.strip_prefix("docker/registry/v2/repositories/")).collect()
    }
}

/// How often a registry has carried out each change, by what was changed. An upload is known by the digest at its end.
pub fn changes(requests: &[String]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for request in requests.iter().filter(|it| it.starts_with("PUT ") && it.ends_with(" 201")) {
        let (path, query) = request.split_once('?').unwrap_or((request, ""));
        let digest = query.split(['&', ' ']).find_map(|it| it.strip_prefix("digest="));
        let repository = path.split("/blobs/uploads/").next().unwrap_or_default();
        let what = digest.map_or_else(|| path.to_owned(), |digest| format!("{repository} {digest}"));
        *counts.entry(what).or_default() += 1;
    }
    counts
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
         storage: {{filesystem: {{rootdirectory: {blobs}}}, delete: {{enabled: true}}}}\n\
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
