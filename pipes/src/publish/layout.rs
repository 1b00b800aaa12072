//! Destination `layout`: an OCI image layout on this machine (image-spec, "Image Layout"), as a directory or as a tar.
//! Does not know registries. Where it may write is decided in docs/decisions/0004-publish-layout.md.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::{Component, Path, PathBuf};

use forge_plugin::schemas::kind::Kind;
use forge_plugin::schemas::{Blob, Digest, Emit, Failure, Level, Memory, Offer, Output, Place, Problem, Step};
use forge_plugin::{Given, Host};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::choice::{self, Item, attached};
use super::push::Content;
use super::{Destination, Planned, Settings, typed};
use crate::oci::manifest::{Family, Index};

pub(super) const DESTINATION: Destination = Destination {
    name: "layout",
    about: "writes an OCI image layout on this machine.",
    schema: Own::json_schema,
    takes: |settings| choice::selectors(&settings.ids),
    plan,
    probe: |_, _| Ok(Vec::new()),
    run,
};

/// What it wants to know.
#[derive(Debug, Deserialize, JsonSchema)]
struct Own {
    /// The directory to write, relative to the project file (`dist/oci`), or a file under `dist/` whose name ends in
    /// `.tar`. Default: `dist/oci`.
    path: Option<String>,
}

const DEFAULT_PATH: &str = "dist/oci";
const REF_NAME: &str = "org.opencontainers.image.ref.name";
const OCI_LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// `layout`: an OCI image layout. The content is its `index.json`, or the whole of it as a tar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Layout {
    /// Where it lies, relative to the project file.
    pub path: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum What {
    /// A directory below the project file.
    Directory { path: String, names: Vec<Names> },
    /// A tar, whose entries all have this time, in seconds since 1970.
    Tar { path: String, names: Vec<Names>, timestamp: i64 },
}

/// What an artifact is called in the layout; in the order of the step's inputs.
#[derive(Debug, Serialize, Deserialize)]
struct Names(Vec<String>);

/// What is written: files by their path in the layout.
struct Plan {
    index: Vec<u8>,
    blobs: BTreeMap<Digest, Blob>,
}

impl Kind for Layout {
    const NAME: &'static str = "layout";
}

fn plan(settings: &Settings, given: &Given<'_>) -> Planned {
    let own: Own = settings.own()?;
    let items = &choice::choose(&settings.ids, given.offers)?;
    let path = own.path.unwrap_or_else(|| DEFAULT_PATH.to_owned());
    let path = checked(&path).map_err(|problem| vec![problem])?;
    // A member without a name of its own is in the layout with its list.
    let shown: Vec<&Item<'_>> = items.iter().filter(|it| !it.references.is_empty() || !it.is_member).collect();
    let names = shown.iter().map(|it| Names(it.references.iter().map(ToString::to_string).collect()));
    // What is attached is found by what it says that it is about.
    let attached: Vec<&Offer> = items.iter().flat_map(|it| attached(it, given.offers)).collect();
    let names = names.chain(attached.iter().map(|_| Names(Vec::new()))).collect();
    let (name, memory, what) = match path.strip_prefix("dist/").filter(|it| it.ends_with(".tar")) {
        Some(inside) => {
            let timestamp = given.facts.commit_timestamp;
            (inside.to_owned(), Memory::Content, What::Tar { path: path.clone(), names, timestamp })
        }
        None => {
            let receipt = format!("published/{}/index.json", given.table.id);
            (receipt, Memory::Never, What::Directory { path: path.clone(), names })
        }
    };
    let detail = serde_json::to_value(Layout { path }).unwrap_or_default();
    Ok(vec![Step {
        takes: shown.iter().map(|it| it.offer).chain(attached).map(|it| it.name.clone()).collect(),
        makes: vec![Output { name, kind: Layout::NAME.to_owned(), platform: None, detail }],
        memory,
        params: serde_json::to_value(what).unwrap_or_default(),
        place: Place::Key("to".to_owned()),
        ..Step::default()
    }])
}

/// The path in normal form, with slashes.
fn checked(path: &str) -> Result<String, Problem> {
    let mut parts = Vec::new();
    for component in Path::new(path).components() {
        match component {
            Component::Normal(part) => parts.push(part.to_string_lossy().into_owned()),
            Component::CurDir => {}
            _ => {
                let problem = Problem::at_key("path", format!("`{path}` leads out of the project"));
                return Err(problem.help("write a path below the project file, as in `dist/oci`"));
            }
        }
    }
    let normal = parts.join("/");
    if normal.is_empty() {
        let problem = Problem::at_key("path", format!("`{path}` is the project itself"));
        return Err(problem.help("write a directory of its own, as in `dist/oci`"));
    }
    if normal.ends_with(".tar") && !normal.starts_with("dist/") {
        let problem = Problem::at_key("path", format!("`{path}` is a tar outside of `dist/`"));
        return Err(problem.help("a tar is an artifact, and those lie under `dist/`: write `dist/…`"));
    }
    Ok(normal)
}

fn run(what: &Value, step: &Step, host: &dyn Host) -> Result<(), Failure> {
    let (path, file) = match typed(what)? {
        What::Directory { path, names } => {
            let plan = Plan::of(host, &names)?;
            let dir = host.root().join(&path);
            write_directory(&plan, &dir, host)?;
            let receipt = host.dir().join("index.json");
            fs::write(&receipt, &plan.index).map_err(|error| Failure::file("write", &receipt, &error))?;
            (path, receipt)
        }
        What::Tar { path, names, timestamp } => {
            let plan = Plan::of(host, &names)?;
            let file = host.dir().join("layout.tar");
            write_tar(&plan, &file, timestamp).map_err(|error| Failure::file("write", &file, &error))?;
            (path, file)
        }
    };
    host.log(Level::Info, &format!("`{path}` is an OCI layout"));
    let output = step.makes.first().ok_or_else(|| Failure::bug("a step that makes no layout"))?;
    let detail = serde_json::to_value(Layout { path }).unwrap_or_default();
    host.emit(&Emit { name: output.name.clone(), path: file, blobs: Vec::new(), detail })?;
    Ok(())
}

impl Plan {
    fn of(host: &dyn Host, names: &[Names]) -> Result<Plan, Failure> {
        let mut descriptors = Vec::new();
        let mut blobs = BTreeMap::new();
        for (artifact, Names(names)) in host.inputs().iter().zip(names) {
            let content = Content::of(artifact);
            let descriptor = content.descriptor()?;
            let named = names.iter().map(|name| {
                let mut named = descriptor.clone();
                named.annotations.insert(REF_NAME.to_owned(), name.clone());
                named
            });
            descriptors.extend(named);
            if names.is_empty() {
                descriptors.push(descriptor);
            }
            blobs.extend(content.files(host)?.into_iter().map(|blob| (blob.digest, blob)));
        }
        Ok(Plan { index: Index::new(Family::Oci, descriptors).to_bytes(), blobs })
    }
}

/// Blobs that are there are left alone, and `index.json` comes last: who reads meanwhile sees the old layout or the new.
fn write_directory(plan: &Plan, dir: &Path, host: &dyn Host) -> Result<(), Failure> {
    let is_ours =
        dir.join("oci-layout").exists() || fs::read_dir(dir).map_or(true, |mut entries| entries.next().is_none());
    if !is_ours {
        return Err(Failure::input(format!("`{}` is there, and is no OCI layout", dir.display()))
            .help("remove it, or write another `path`"));
    }
    let blobs = dir.join("blobs/sha256");
    fs::create_dir_all(&blobs).map_err(|error| Failure::file("create", &blobs, &error))?;
    let total = plan.blobs.values().map(|blob| blob.size).sum();
    let mut done = 0;
    for blob in plan.blobs.values() {
        let target = blobs.join(blob.digest.hex());
        if !fs::metadata(&target).is_ok_and(|meta| meta.is_file() && meta.len() == blob.size) {
            replace(&target, |beside| fs::copy(&blob.path, beside).map(drop))?;
        }
        done += blob.size;
        host.progress(done, total, "writing");
    }
    replace(&dir.join("oci-layout"), |beside| fs::write(beside, OCI_LAYOUT))?;
    replace(&dir.join("index.json"), |beside| fs::write(beside, &plan.index))
}

/// Writes a file beside `target`, and puts it in its place when it is whole.
fn replace(target: &Path, write: impl FnOnce(&Path) -> io::Result<()>) -> Result<(), Failure> {
    let beside = beside(target);
    let written = write(&beside).and_then(|()| fs::rename(&beside, target));
    written.map_err(|error| {
        drop(fs::remove_file(&beside));
        Failure::file("write", target, &error)
    })
}

fn beside(target: &Path) -> PathBuf {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    target.with_file_name(format!(".{name}.{}", std::process::id()))
}

/// The same bytes for the same content and time: sorted, owned by 0, of one mode.
fn write_tar(plan: &Plan, path: &Path, timestamp: i64) -> io::Result<()> {
    let mut tar = tar::Builder::new(BufWriter::new(File::create(path)?));
    let time = u64::try_from(timestamp).unwrap_or(0);
    add(&mut tar, "oci-layout", time, OCI_LAYOUT.len() as u64, OCI_LAYOUT)?;
    add(&mut tar, "index.json", time, plan.index.len() as u64, plan.index.as_slice())?;
    for directory in ["blobs/", "blobs/sha256/"] {
        let mut header = header(time, 0);
        header.set_entry_type(tar::EntryType::Directory);
        header.set_mode(0o755);
        tar.append_data(&mut header, directory, io::empty())?;
    }
    for blob in plan.blobs.values() {
        let name = format!("blobs/sha256/{}", blob.digest.hex());
        add(&mut tar, &name, time, blob.size, File::open(&blob.path)?)?;
    }
    tar.into_inner()?.flush()
}

fn add<R: io::Read>(
    tar: &mut tar::Builder<impl io::Write>,
    name: &str,
    time: u64,
    size: u64,
    content: R,
) -> io::Result<()> {
    tar.append_data(&mut header(time, size), name, content)
}

fn header(time: u64, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(time);
    header.set_size(size);
    header
}
