//! What an image stands on: nothing, an image in a registry, in an OCI layout or a docker archive on disk, or of the Docker daemon.
//! Does not know the image that will stand on it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use forge_plugin::Host;
use forge_plugin::schemas::kind::Kind;
use forge_plugin::schemas::{
    AnsweredBy, Change, Digest, Emit, EmitBlob, Failure, FailureClass, Finding, HttpRequest, Method, Platform,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::docker::archived;
use crate::oci::choice::{compatible, image_for};
use crate::oci::config::Config;
use crate::oci::layout::Layout;
use crate::oci::manifest::{ACCEPT, Descriptor, Document, Manifest};
use crate::oci::reference::Reference;

/// What an image stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Base {
    /// Nothing.
    Scratch,
    /// An image in a registry.
    Registry(Reference),
    /// An image in an OCI layout, in a directory of the project; with a name, that one.
    Layout {
        /// Relative to the project file.
        dir: String,
        /// Its name in the layout.
        name: Option<String>,
    },
    /// An image in a docker archive, a file of the project; with a name, that one.
    Archive {
        /// Relative to the project file.
        file: String,
        /// What it is tagged with.
        name: Option<String>,
    },
    /// An image that the Docker daemon of this machine has.
    Daemon {
        /// Its name there.
        name: String,
    },
}

/// `base_image`: an image that others stand on. The content is its manifest; `blobs` are config and layers. It is no
/// `image`, so that nothing takes it for one of the project's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BaseImage {
    /// What it is called where it comes from.
    pub name: String,
    /// The repositories that hold its blobs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<String>,
}

impl Kind for BaseImage {
    const NAME: &'static str = "base_image";
}

/// `base_manifest`: what the name of a base means now, for one platform. The content is the manifest; of the Docker daemon, an id. Asking for it is
/// cheap and is done in every run; the base is fetched again only when the answer is another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BaseManifest {
    /// What it is called where it comes from.
    pub name: String,
}

impl Kind for BaseManifest {
    const NAME: &'static str = "base_manifest";
}

/// What the steps that find and fetch a base must know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fetch {
    /// As the user named it.
    pub base: String,
    /// For which platform.
    pub platform: Platform,
}

/// Why a text names no base: a phrase, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadBase {
    /// What is wrong.
    pub message: String,
    /// What to write instead, where that is known.
    pub help: Option<String>,
}

impl Base {
    /// From `scratch`, `oci:DIR`, `oci:DIR:NAME`, the same of `docker-archive`, `docker-daemon:NAME`, or an image reference.
    pub fn parse(text: &str) -> Result<Base, BadBase> {
        match text.split_once(':') {
            None if text == "scratch" => Ok(Base::Scratch),
            Some(("oci", rest)) => {
                let (dir, name) = in_project(rest, "a directory")?;
                Ok(Base::Layout { dir, name })
            }
            Some(("docker-archive", rest)) => {
                let (file, name) = in_project(rest, "a file")?;
                Ok(Base::Archive { file, name })
            }
            Some(("docker-daemon", name)) => match reference(name) {
                Ok(_) => Ok(Base::Daemon { name: name.to_owned() }),
                Err(bad) => Err(bad),
            },
            _ => reference(text).map(Base::Registry),
        }
    }
}

fn reference(text: &str) -> Result<Reference, BadBase> {
    text.parse::<Reference>().map_err(|bad| BadBase { message: bad.to_string(), help: bad.help })
}

/// A path below the project file, and a name in what lies there.
fn in_project(text: &str, what: &str) -> Result<(String, Option<String>), BadBase> {
    let (path, name) = match text.split_once(':') {
        Some((path, name)) => (path, Some(name.to_owned())),
        None => (text, None),
    };
    let inside = Path::new(path).components().all(|it| matches!(it, Component::Normal(_) | Component::CurDir));
    match inside && !path.is_empty() {
        true => Ok((path.to_owned(), name)),
        false => Err(BadBase {
            message: format!("`{path}` is not {what} in the project"),
            help: Some("write its path relative to the project file".to_owned()),
        }),
    }
}

/// Asks a registry what the name of a base means for all platforms, and emits that under the name that the step declares: an
/// index, or a manifest.
pub fn pin(base: &str, name: &str, host: &dyn Host) -> Result<(), Failure> {
    let Ok(Base::Registry(reference)) = Base::parse(base) else {
        return Err(Failure::bug(format!("`{base}` is in no registry")));
    };
    let bytes = meaning(&reference, host)?;
    Document::parse(&bytes).map_err(|message| Problem::Text(message).of(base))?;
    emit(host, name, &bytes, Vec::new(), &BaseManifest { name: base.to_owned() })
}

/// Asks a registry, or the Docker daemon, what the name of a base means, and emits that under the name that the step declares.
pub fn resolve(fetch: &Fetch, name: &str, host: &dyn Host) -> Result<(), Failure> {
    let reference = match Base::parse(&fetch.base) {
        Ok(Base::Registry(reference)) => reference,
        Ok(Base::Daemon { name: asked }) => {
            let id = archived::id(&asked, host)?;
            return emit(host, name, id.as_bytes(), Vec::new(), &BaseManifest { name: fetch.base.clone() });
        }
        _ => return Err(Failure::bug(format!("`{}` has no name that could mean another image later", fetch.base))),
    };
    let first = meaning(&reference, host)?;
    let read = |descriptor: &Descriptor| {
        let target = descriptor.digest.to_string();
        manifest_bytes(&reference, &target, Some(descriptor.digest), host).map_err(Problem::Failure)
    };
    let (_, bytes) = image_for(&fetch.platform, first, read).map_err(|problem| problem.of(&fetch.base))?;
    emit(host, name, &bytes, Vec::new(), &BaseManifest { name: fetch.base.clone() })
}

/// What a reference means: what is locked of it, else what the registry says now.
fn meaning(reference: &Reference, host: &dyn Host) -> Result<Vec<u8>, Failure> {
    let name = reference.to_string();
    let locked = host.found().iter().find(|it| it.place == name).and_then(|it| it.there);
    match locked.or(reference.digest()) {
        Some(digest) => manifest_bytes(reference, &digest.to_string(), Some(digest), host),
        None => manifest_bytes(reference, &reference.target(), None, host),
    }
}

/// The names of a base that may mean another image later, as they are locked.
pub fn names(base: &Base) -> Vec<String> {
    match base {
        Base::Registry(reference) if reference.digest().is_none() => vec![reference.to_string()],
        _ => Vec::new(),
    }
}

/// What the name of a base means now.
pub fn probe(base: &str, host: &dyn Host) -> Result<Vec<Finding>, Failure> {
    let Ok(Base::Registry(reference)) = Base::parse(base) else { return Ok(Vec::new()) };
    let url = format!("{}/manifests/{}", reference.api(), reference.target());
    let ask = |method| host.http(&HttpRequest::new(method, url.clone()).header("Accept", ACCEPT));
    let answer = ask(Method::Head)?;
    let there = match answer.header("docker-content-digest").map(str::parse) {
        _ if answer.status == 404 => None,
        _ if !answer.is_success() => return Err(refused(&format!("`{reference}`"), answer.status)),
        Some(Ok(digest)) => Some(digest),
        // Some registries do not say, and some only to GET.
        _ => Some(Digest::of(ask(Method::Get)?.body.as_bytes())),
    };
    Ok(vec![Finding { place: reference.to_string(), there, ours: None, change: Change::Unknown }])
}

/// Fetches a base and emits it as an image of its own, under the name that the step declares. One of a registry is that
/// of the manifest which the step takes.
pub fn fetch(fetch: &Fetch, name: &str, host: &dyn Host) -> Result<(), Failure> {
    let base = Base::parse(&fetch.base).map_err(|bad| Failure::bug(bad.message))?;
    let (manifest, bytes, mounts) = match &base {
        Base::Scratch => return Err(Failure::bug("nothing is to be fetched for `scratch`")),
        Base::Registry(reference) => from_registry(reference, host)?,
        Base::Layout { dir, name } => from_layout(dir, name.as_deref(), fetch, host)?,
        Base::Archive { file, name } => archived::of_archive(&host.root().join(file), name.as_deref(), host)?
            .map_err(|message| Problem::Text(message).of(&fetch.base))?,
        Base::Daemon { .. } => archived::of_daemon(&of_input(host)?, host)?,
    };
    check_platform(fetch, &manifest, host)?;
    let digests: BTreeSet<Digest> = parts(&manifest).map(|descriptor| descriptor.digest).collect();
    let blobs = digests.into_iter().map(|digest| EmitBlob::File(file_of(host, digest))).collect();
    emit(host, name, &bytes, blobs, &BaseImage { name: fetch.base.clone(), mounts })
}

pub(crate) fn emit<K: Kind>(
    host: &dyn Host,
    name: &str,
    manifest: &[u8],
    blobs: Vec<EmitBlob>,
    detail: &K,
) -> Result<(), Failure> {
    let path = host.dir().join("manifest.json");
    fs::write(&path, manifest).map_err(|error| Failure::file("write", &path, &error))?;
    let detail = serde_json::to_value(detail).map_err(|error| Failure::bug(error.to_string()))?;
    host.emit(&Emit { name: name.to_owned(), path, blobs, detail })?;
    Ok(())
}

/// A base whose config and layers lie in the step's directory: its manifest, the bytes of that, and where its blobs can be
/// mounted from.
pub type Found = (Manifest, Vec<u8>, Vec<String>);

/// What the step before has found out.
fn of_input(host: &dyn Host) -> Result<String, Failure> {
    let missing = || Failure::bug("what the name of the base means is not among the inputs");
    let input = host.inputs().first().ok_or_else(missing)?;
    fs::read_to_string(&input.path).map_err(|error| Failure::file("read", &input.path, &error))
}

fn from_registry(reference: &Reference, host: &dyn Host) -> Result<Found, Failure> {
    let input =
        host.inputs().first().ok_or_else(|| Failure::bug("the manifest of the base is not among the inputs"))?;
    let bytes = fs::read(&input.path).map_err(|error| Failure::file("read", &input.path, &error))?;
    let Ok(Document::Manifest(manifest)) = Document::parse(&bytes) else {
        return Err(Failure::bug(format!("`{}` is not a manifest", input.name)));
    };
    for descriptor in parts(&manifest) {
        fetch_blob(reference, descriptor, host)?;
    }
    Ok((manifest, bytes, vec![reference.name()]))
}

/// What a registry has under a target, a tag or a digest: an index or a manifest, checked.
pub(crate) fn manifest_bytes(
    reference: &Reference,
    target: &str,
    digest: Option<Digest>,
    host: &dyn Host,
) -> Result<Vec<u8>, Failure> {
    let url = format!("{}/manifests/{target}", reference.api());
    let path = host.dir().join("document.json");
    let request = HttpRequest { to_file: Some(path.clone()), digest, ..asked(url) };
    let answer = host.http(&request.header("Accept", ACCEPT))?;
    if !answer.is_success() {
        return Err(refused(&format!("`{reference}`"), answer.status));
    }
    let bytes = fs::read(&path).map_err(|error| Failure::file("read", &path, &error))?;
    let came = Digest::of(&bytes);
    match answer.header("docker-content-digest").map(str::parse::<Digest>) {
        Some(Ok(told)) if told != came => Err(Failure::new(
            FailureClass::Refused,
            format!("the registry says that `{reference}` is `{told}`, and gives `{came}`"),
        )),
        _ => Ok(bytes),
    }
}

/// Fetches some content into the step's directory, once.
pub(crate) fn fetch_blob(reference: &Reference, descriptor: &Descriptor, host: &dyn Host) -> Result<(), Failure> {
    let path = file_of(host, descriptor.digest);
    if path.exists() {
        return Ok(());
    }
    host.progress(0, descriptor.size, &format!("fetch {}", descriptor.digest.short()));
    let url = format!("{}/blobs/{}", reference.api(), descriptor.digest);
    let digest = Some(descriptor.digest);
    let request = HttpRequest { to_file: Some(path), digest, ..asked(url) };
    match host.http(&request)? {
        answer if answer.is_success() => Ok(()),
        answer => Err(refused(&format!("`{}` of `{}`", descriptor.digest, reference.name()), answer.status)),
    }
}

/// What an image stands on is only read, and so may come from a mirror.
fn asked(url: String) -> HttpRequest {
    HttpRequest { by: AnsweredBy::Mirror, ..HttpRequest::new(Method::Get, url) }
}

fn refused(what: &str, status: u16) -> Failure {
    let message = format!("the registry does not give {what}: status {status}");
    match status {
        404 => Failure::new(FailureClass::Refused, message).help("is the name of the base right, and its tag?"),
        401 | 403 => Failure::new(FailureClass::Refused, message)
            .help("the base may be private, or not exist: log in to the registry, or set `registries`"),
        500.. | 429 => Failure::new(FailureClass::Network, message),
        _ => Failure::new(FailureClass::Refused, message),
    }
}

fn from_layout(dir: &str, name: Option<&str>, fetch: &Fetch, host: &dyn Host) -> Result<Found, Failure> {
    let dir = host.root().join(dir);
    let layout = Layout::new(&dir);
    let found = layout.image(name, &fetch.platform);
    let (manifest, bytes) = found.map_err(|message| Problem::Text(message).of(&fetch.base))?;
    for descriptor in parts(&manifest) {
        let copied = layout.copy(descriptor.digest, &file_of(host, descriptor.digest));
        copied.map_err(|message| Problem::Text(message).of(&fetch.base))?;
    }
    Ok((manifest, bytes, Vec::new()))
}

fn check_platform(fetch: &Fetch, manifest: &Manifest, host: &dyn Host) -> Result<(), Failure> {
    let path = file_of(host, manifest.config.digest);
    let bytes = fs::read(&path).map_err(|error| Failure::file("read", &path, &error))?;
    let config = Config::parse(&bytes).map_err(|message| Problem::Text(message).of(&fetch.base))?;
    match config.platform() {
        Some(platform) if compatible(&fetch.platform).contains(&platform) => Ok(()),
        Some(platform) => {
            Err(Problem::Text(format!("it is for `{platform}`, not for `{}`", fetch.platform)).of(&fetch.base))
        }
        None => Err(Problem::Text("its config names no platform that forge knows".to_owned()).of(&fetch.base)),
    }
}

/// The config and the layers of an image.
pub(crate) fn parts(manifest: &Manifest) -> impl Iterator<Item = &Descriptor> {
    std::iter::once(&manifest.config).chain(&manifest.layers)
}

/// Where config and layers lie until they are emitted.
pub fn file_of(host: &dyn Host, digest: Digest) -> PathBuf {
    host.dir().join(digest.hex())
}

/// What went wrong between the documents of a base: with them, or on the way to them.
enum Problem {
    Text(String),
    Failure(Failure),
}

impl From<String> for Problem {
    fn from(text: String) -> Problem {
        Problem::Text(text)
    }
}

impl Problem {
    fn of(self, base: &str) -> Failure {
        match self {
            Problem::Text(text) => Failure::input(format!("`{base}` can't be the base")).cause(text),
            Problem::Failure(failure) => failure,
        }
    }
}
