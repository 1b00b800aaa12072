//! Brings what an image stands on: manifest and config for one platform, and layers where somebody wants them.
//! Does not know the image that will stand on it, nor what the name of a base means now.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use forge_plugin::Host;
use forge_plugin::schemas::kind::Kind;
use forge_plugin::schemas::{AnsweredBy, Artifact, Digest, Emit, EmitBlob, Failure, FailureClass, HttpRequest, Method};

use crate::docker::archived;
use crate::docker::base::{Base, BaseImage, Fetch};
use crate::docker::layers::made_up;
use crate::oci::choice::{compatible, image_for};
use crate::oci::config::Config;
use crate::oci::held::tar;
use crate::oci::layout::Layout;
use crate::oci::manifest::{ACCEPT, Descriptor, Document, Manifest};
use crate::oci::reference::Reference;

/// Finds the image for one platform in what the first input says that the name of a base means, and emits its manifest and its
/// config under the name that the step declares. Its layers stay where they are.
pub fn find(fetch: &Fetch, name: &str, host: &dyn Host) -> Result<(), Failure> {
    let reference = in_registry(fetch)?;
    let read = |descriptor: &Descriptor| {
        let target = descriptor.digest.to_string();
        manifest_bytes(&reference, &target, Some(descriptor.digest), host).map_err(Problem::Failure)
    };
    let document = read_input(first_input(host)?)?;
    let found = image_for(&fetch.platform, document, read);
    let (manifest, bytes) = found.map_err(|problem| problem.of(&fetch.base))?;
    fetch_blob(&reference, &manifest.config, host)?;
    check_platform(fetch, &manifest, host)?;
    let config = EmitBlob::File(file_of(host, manifest.config.digest));
    let detail = BaseImage { name: fetch.base.clone(), mounts: vec![reference.name()], tree: None };
    emit(host, name, &bytes, vec![config], &detail)
}

/// Brings a base here with all that it consists of, and emits it under the name that the step declares. One of a registry is
/// that which was found before.
pub fn fetch(fetch: &Fetch, name: &str, host: &dyn Host) -> Result<(), Failure> {
    let base = Base::parse(&fetch.base).map_err(|bad| Failure::bug(bad.message))?;
    let (manifest, bytes) = match &base {
        Base::Scratch | Base::Table(_) => return Err(Failure::bug("there is nothing to fetch")),
        Base::Registry(reference) => return layers(reference, fetch, name, host),
        Base::Layout { dir, name } => from_layout(dir, name.as_deref(), fetch, host)?,
        Base::Archive { file, name } => archived::of_archive(&host.root().join(file), name.as_deref(), host)?
            .map_err(|message| unfit(&fetch.base, message))?,
        Base::Daemon { .. } => {
            let id = read_input(first_input(host)?)?;
            archived::of_daemon(&String::from_utf8_lossy(&id), host)?
        }
    };
    check_platform(fetch, &manifest, host)?;
    let config = EmitBlob::File(file_of(host, manifest.config.digest));
    let detail = BaseImage { name: fetch.base.clone(), mounts: Vec::new(), tree: None };
    emit_whole(host, name, (&manifest, &bytes), config, detail)
}

/// The layers of the image that was found.
fn layers(reference: &Reference, fetch: &Fetch, name: &str, host: &dyn Host) -> Result<(), Failure> {
    let found = first_input(host)?;
    let bytes = read_input(found)?;
    let Ok(Document::Manifest(manifest)) = Document::parse(&bytes) else {
        return Err(Failure::bug(format!("`{}` is not a manifest", found.name)));
    };
    manifest.layers.iter().try_for_each(|layer| fetch_blob(reference, layer, host))?;
    let config = EmitBlob::Held(manifest.config.digest);
    let detail = BaseImage { name: fetch.base.clone(), mounts: vec![reference.name()], tree: None };
    emit_whole(host, name, (&manifest, &bytes), config, detail)
}

/// Emits a base whose layers lie in the step's directory, with the list of what they make up: whoever wants to know need not unpack
/// them. Layers that can't be read are told of by whoever has to read them.
fn emit_whole(
    host: &dyn Host,
    name: &str,
    (manifest, bytes): (&Manifest, &[u8]),
    config: EmitBlob,
    detail: BaseImage,
) -> Result<(), Failure> {
    let layers: BTreeSet<Digest> = manifest.layers.iter().map(|layer| layer.digest).collect();
    let mut blobs: Vec<EmitBlob> = layers.into_iter().map(|digest| EmitBlob::File(file_of(host, digest))).collect();
    blobs.insert(0, config);
    let rootfs = made_up(&manifest.layers, |layer| tar(layer, &file_of(host, layer.digest)));
    let Some(list) = rootfs.ok().and_then(|it| postcard::to_stdvec(&it).ok()) else {
        return emit(host, name, bytes, blobs, &detail);
    };
    let path = host.dir().join("tree");
    fs::write(&path, &list).map_err(|error| Failure::file("write", &path, &error))?;
    blobs.push(EmitBlob::File(path));
    emit(host, name, bytes, blobs, &BaseImage { tree: Some(Digest::of(&list)), ..detail })
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

/// A base whose config and layers lie in the step's directory: its manifest, and the bytes of that.
pub type Found = (Manifest, Vec<u8>);

fn in_registry(fetch: &Fetch) -> Result<Reference, Failure> {
    match Base::parse(&fetch.base) {
        Ok(Base::Registry(reference)) => Ok(reference),
        _ => Err(Failure::bug(format!("`{}` is in no registry", fetch.base))),
    }
}

/// What the step before has found out.
fn first_input(host: &dyn Host) -> Result<&Artifact, Failure> {
    host.inputs().first().ok_or_else(|| Failure::bug("what the name of the base means is not among the inputs"))
}

fn read_input(input: &Artifact) -> Result<Vec<u8>, Failure> {
    fs::read(&input.path).map_err(|error| Failure::file("read", &input.path, &error))
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

pub(crate) fn refused(what: &str, status: u16) -> Failure {
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
    let (manifest, bytes) = found.map_err(|message| unfit(&fetch.base, message))?;
    for descriptor in parts(&manifest) {
        let copied = layout.copy(descriptor.digest, &file_of(host, descriptor.digest));
        copied.map_err(|message| unfit(&fetch.base, message))?;
    }
    Ok((manifest, bytes))
}

fn check_platform(fetch: &Fetch, manifest: &Manifest, host: &dyn Host) -> Result<(), Failure> {
    let path = file_of(host, manifest.config.digest);
    let bytes = fs::read(&path).map_err(|error| Failure::file("read", &path, &error))?;
    let config = Config::parse(&bytes).map_err(|message| unfit(&fetch.base, message))?;
    match config.platform() {
        Some(platform) if compatible(&fetch.platform).contains(&platform) => Ok(()),
        Some(platform) => Err(unfit(&fetch.base, format!("it is for `{platform}`, not for `{}`", fetch.platform))),
        None => Err(unfit(&fetch.base, "its config names no platform that forge knows".to_owned())),
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

/// The failure that something can't be a base.
pub(crate) fn unfit(base: &str, why: String) -> Failure {
    Failure::input(format!("`{base}` can't be the base")).cause(why)
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
            Problem::Text(text) => unfit(base, text),
            Problem::Failure(failure) => failure,
        }
    }
}
