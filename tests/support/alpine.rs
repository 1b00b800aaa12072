//! A repository of Alpine's form, with real packages and a signed index, served on loopback; and a base that trusts it.
//! Does not know what is made of them.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::bufread::GzEncoder;
use forge_plugin::schemas::Digest;
use ring::digest;
use serde_json::json;
use tar::{Builder, EntryType, Header};
use tempfile::TempDir;

use super::program::output;

/// The key that packages and indexes are signed with.
pub const KEY: &str = "acme@example.org-4a6a0840.rsa.pub";

/// What is in a package.
#[derive(Debug, Clone, Default)]
pub struct Made {
    /// Lines of `.PKGINFO` besides name and version: `depend = so:libc.so`.
    pub info: Vec<&'static str>,
    /// Scripts by name: `.post-install`.
    pub scripts: Vec<(&'static str, &'static str)>,
    /// Files, in order.
    pub files: Vec<Packed>,
}

/// A file of a package: its path, permissions, owner, and what it is.
pub type Packed = (&'static str, u32, u64, What);

/// What a file of a package is.
#[derive(Debug, Clone, Copy)]
pub enum What {
    /// A directory.
    Dir,
    /// A file.
    File(&'static str),
    /// A link.
    Link(&'static str),
}

/// A repository, and the server before it.
pub struct Repository {
    place: TempDir,
    address: String,
    requests: Arc<Mutex<Vec<String>>>,
    /// The records of the index, by machine.
    records: BTreeMap<&'static str, Vec<String>>,
    /// What signatures say that they are by.
    signer: &'static str,
}

impl Repository {
    /// An empty one.
    pub fn start() -> Repository {
        let place = tempfile::Builder::new().prefix("forge-test-apk-").tempdir().expect("a temporary directory");
        let openssl = |words: &str| output(Command::new("openssl").args(words.split(' ')).current_dir(place.path()));
        openssl("genrsa -out key.pem 2048");
        openssl("rsa -in key.pem -pubout -out key.pub");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let (root, requests) = (place.path().to_owned(), Arc::default());
        let log = Arc::clone(&requests);
        thread::spawn(move || listener.incoming().flatten().for_each(|stream| serve(stream, &root, &log)));
        Repository { place, address, requests, records: BTreeMap::new(), signer: KEY }
    }

    /// Its address, as `/etc/apk/repositories` has it.
    pub fn url(&self) -> String {
        format!("http://{}/main", self.address)
    }

    /// What was asked for since the last time.
    pub fn requests(&self) -> Vec<String> {
        std::mem::take(&mut *self.requests.lock().expect("a lock"))
    }

    /// The public key.
    pub fn key(&self) -> String {
        fs::read_to_string(self.place.path().join("key.pub")).expect("a key")
    }

    /// Where a package lies.
    pub fn package(&self, arch: &str, file: &str) -> PathBuf {
        self.place.path().join("main").join(arch).join(file)
    }

    /// Puts a package there for a machine; the record of it, as databases have it.
    pub fn add(&mut self, arch: &'static str, name: &str, version: &str, made: &Made) -> String {
        let data = gzip(&data(&made.files));
        let size: usize =
            made.files.iter().map(|(_, _, _, what)| if let What::File(it) = what { it.len() } else { 0 }).sum();
        let hash = Digest::of(&data).hex();
        let mut info = format!("pkgname = {name}\npkgver = {version}\nsize = {}\narch = {arch}\n", size.max(1));
        made.info.iter().for_each(|line| info += &format!("{line}\n"));
        info += &format!("datahash = {hash}\n");
        let scripts = made.scripts.iter().map(|(name, text)| (*name, text.as_bytes()));
        let control = gzip(&plain(std::iter::once((".PKGINFO", info.as_bytes())).chain(scripts)));
        let package = [self.signature(&control), control.clone(), data].concat();
        let path = self.package(arch, &format!("{name}-{version}.apk"));
        fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        fs::write(&path, &package).expect("a package");
        let record = record(name, version, arch, (package.len(), size.max(1)), &sum(&control), &made.info);
        self.records.entry(arch).or_default().push(record.clone());
        record
    }

    /// Writes and signs the indexes.
    pub fn publish(&self) {
        for (arch, records) in &self.records {
            let text: String = records.iter().map(|it| format!("{it}\n")).collect();
            let mut tar = plain([("DESCRIPTION", &b"main"[..]), ("APKINDEX", text.as_bytes())].into_iter());
            tar.resize(tar.len() + 1024, 0);
            let content = gzip(&tar);
            let path = self.package(arch, "APKINDEX.tar.gz");
            fs::write(path, [self.signature(&content), content].concat()).expect("an index");
        }
    }

    /// Signs the indexes anew, under another name.
    pub fn sign_as(&mut self, signer: &'static str) {
        self.signer = signer;
        self.publish();
    }

    /// Takes another key from now on; what is there was signed by the one before.
    pub fn change_key(&mut self) {
        let openssl =
            |words: &str| output(Command::new("openssl").args(words.split(' ')).current_dir(self.place.path()));
        openssl("genrsa -out key.pem 2048");
        openssl("rsa -in key.pem -pubout -out key.pub");
    }

    fn signature(&self, content: &[u8]) -> Vec<u8> {
        fs::write(self.place.path().join("signed"), content).expect("a file");
        let sign = "dgst -sha1 -sign key.pem -out signature signed";
        output(Command::new("openssl").args(sign.split(' ')).current_dir(self.place.path()));
        let bytes = fs::read(self.place.path().join("signature")).expect("a signature");
        gzip(&plain(std::iter::once((format!(".SIGN.RSA.{}", self.signer).as_str(), bytes.as_slice()))))
    }
}

/// Serves files, one request a connection.
fn serve(mut stream: TcpStream, root: &Path, log: &Mutex<Vec<String>>) {
    let mut lines = BufReader::new(stream.try_clone().expect("a stream")).lines().map_while(Result::ok);
    let line = lines.next().unwrap_or_default();
    lines.take_while(|it| !it.is_empty()).for_each(drop);
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let found = fs::read(root.join(path.trim_start_matches('/')));
    log.lock().expect("a lock").push(path);
    let (status, body) = found.map_or(("404 Not Found", Vec::new()), |body| ("200 OK", body));
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
}

fn record(name: &str, version: &str, arch: &str, sizes: (usize, usize), checksum: &str, info: &[&str]) -> String {
    let all = |field: &str| {
        let values = info.iter().filter_map(|it| it.strip_prefix(field)?.strip_prefix(" = "));
        values.collect::<Vec<_>>().join(" ")
    };
    let (size, installed) = sizes;
    let mut record =
        format!("C:{checksum}\nP:{name}\nV:{version}\nA:{arch}\nS:{size}\nI:{installed}\nT:{name}\nU:\nL:MIT\n");
    for (field, letter) in [
        ("origin", 'o'),
        ("builddate", 't'),
        ("provider_priority", 'k'),
        ("depend", 'D'),
        ("provides", 'p'),
        ("install_if", 'i'),
    ] {
        if !all(field).is_empty() {
            record += &format!("{letter}:{}\n", all(field));
        }
    }
    record
}

/// A tar without an end, as segments are.
fn plain<'f>(files: impl Iterator<Item = (&'f str, &'f [u8])>) -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    for (name, text) in files {
        tar.append_data(&mut header(EntryType::Regular, 0o644, 0, text.len()), name, text).expect("a tar");
    }
    without_end(tar)
}

fn data(files: &[Packed]) -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    for (path, mode, owner, what) in files {
        let (kind, text, checksum) = match what {
            What::Dir => (EntryType::Directory, "", None),
            What::File(text) => (EntryType::Regular, *text, Some(hex(text.as_bytes()))),
            What::Link(to) => (EntryType::Symlink, "", Some(hex(to.as_bytes()))),
        };
        if let Some(checksum) = checksum {
            let length = " APK-TOOLS.checksum.SHA1=\n".len() + checksum.len() + 2;
            let record = format!("{length} APK-TOOLS.checksum.SHA1={checksum}\n");
            let mut header = header(EntryType::XHeader, 0o644, 0, record.len());
            tar.append_data(&mut header, "PaxHeaders/x", record.as_bytes()).expect("a tar");
        }
        let mut header = header(kind, *mode, *owner, text.len());
        match what {
            What::Link(to) => tar.append_link(&mut header, path, to).expect("a tar"),
            _ => tar.append_data(&mut header, path, text.as_bytes()).expect("a tar"),
        }
    }
    tar.into_inner().expect("a tar")
}

fn header(kind: EntryType, mode: u32, owner: u64, size: usize) -> Header {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(owner);
    header.set_gid(owner);
    header.set_mtime(1_600_000_000);
    header.set_size(size as u64);
    header
}

fn without_end(tar: Builder<Vec<u8>>) -> Vec<u8> {
    let mut bytes = tar.into_inner().expect("a tar");
    bytes.truncate(bytes.len() - 1024);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut zipped = Vec::new();
    GzEncoder::new(bytes, Compression::default()).read_to_end(&mut zipped).expect("gzip");
    zipped
}

fn sha1(bytes: &[u8]) -> digest::Digest {
    digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, bytes)
}

fn hex(bytes: &[u8]) -> String {
    sha1(bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The name that apk has for content.
pub fn sum(bytes: &[u8]) -> String {
    format!("Q1{}", STANDARD.encode(sha1(bytes)))
}

/// An image that is made by hand: its files, as tar has them.
pub struct Base {
    tar: Builder<Vec<u8>>,
}

impl Base {
    /// Of nothing.
    pub fn new() -> Base {
        Base { tar: Builder::new(Vec::new()) }
    }

    /// A directory.
    pub fn dir(&mut self, path: &str, mode: u32) {
        let mut header = header(EntryType::Directory, mode, 0, 0);
        self.tar.append_data(&mut header, path, &[][..]).expect("a tar");
    }

    /// A file.
    pub fn file(&mut self, path: &str, mode: u32, content: &[u8]) {
        self.tar.append_data(&mut header(EntryType::Regular, mode, 0, content.len()), path, content).expect("a tar");
    }

    /// A link.
    pub fn link(&mut self, path: &str, to: &str) {
        self.tar.append_link(&mut header(EntryType::Symlink, 0o777, 0, 0), path, to).expect("a tar");
    }

    /// The layer.
    pub fn tar(self) -> Vec<u8> {
        self.tar.into_inner().expect("a tar")
    }
}

/// An OCI layout of images of one layer each, for these architectures.
pub fn layout(dir: &Path, images: &[(&str, Vec<u8>)]) {
    let blobs = dir.join("blobs/sha256");
    fs::create_dir_all(&blobs).expect("a directory");
    let put = |kind: &str, content: &[u8]| {
        let digest = Digest::of(content);
        fs::write(blobs.join(digest.hex()), content).expect("a blob");
        json!({ "mediaType": format!("application/vnd.oci.image.{kind}"), "digest": digest, "size": content.len() })
    };
    let manifests: Vec<serde_json::Value> = images
        .iter()
        .map(|(arch, tar)| {
            let env = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"];
            let config = json!({ "os": "linux", "architecture": arch, "config": { "Env": env, "Cmd": ["/bin/sh"] },
                "rootfs": { "type": "layers", "diff_ids": [Digest::of(tar)] }, "history": [{ "created_by": "the base" }] });
            let (layer, config) = (put("layer.v1.tar", tar), put("config.v1+json", config.to_string().as_bytes()));
            let manifest = json!({ "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": config, "layers": [layer] });
            let mut descriptor = put("manifest.v1+json", manifest.to_string().as_bytes());
            descriptor["platform"] = json!({ "os": "linux", "architecture": arch });
            descriptor
        })
        .collect();
    let index = json!({ "schemaVersion": 2, "manifests": manifests }).to_string();
    fs::write(dir.join("index.json"), index).expect("an index");
    fs::write(dir.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).expect("a layout");
}
