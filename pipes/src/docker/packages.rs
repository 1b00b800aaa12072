//! Packages for `apk add`: what the repositories of a base have now, and those of it that a stage needs.
//! Does not lay them: `run/apk.rs` does.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use forge_plugin::Host;
use forge_plugin::schemas::kind::Kind;
use forge_plugin::schemas::{Artifact, Digest, Emit, EmitBlob, Failure, FailureClass, HttpRequest, Method, Platform};
use forge_plugin::sources::Except;
use ring::digest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::apk::archive::{self, Archive};
use crate::apk::index;
use crate::apk::package::Package;
use crate::apk::transaction::Transaction;
use crate::docker::layers::Layers;
use crate::docker::laying::{Laying, interrupted};
use crate::docker::run::{Apk, Bound, Sources, Tree, Wrong, group_version};
use crate::oci::held::Held;

/// `package_index`: what the package repositories of a base have now. The content says which they are; `blobs` are their
/// indexes, whose signatures were checked. Asking for them is done in every run; packages are fetched, and images made again, only
/// when the answer is another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PackageIndex {
    /// What they are called that have them: `x86_64`.
    pub arch: String,
}

impl Kind for PackageIndex {
    const NAME: &'static str = "package_index";
}

/// `package_set`: the packages that a stage adds. The content says which they are; `blobs` are they.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PackageSet {
    /// The stage.
    pub stage: String,
}

impl Kind for PackageSet {
    const NAME: &'static str = "package_set";
}

/// What the step that fetches packages must know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fetch {
    /// The stage that adds them.
    pub stage: String,
    /// What is asked of apk in the stages below.
    pub before: Vec<Apk>,
    /// What is asked of it in this one.
    pub commands: Vec<Apk>,
    /// The time of all that is made, in seconds since 1970.
    pub timestamp: i64,
}

/// What the repositories are, as an artifact has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Indexes {
    arch: String,
    repositories: Vec<Repository>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Repository {
    /// As the base names it.
    url: String,
    /// Its index.
    digest: Digest,
}

/// Which packages there are, as an artifact has it: by checksum.
type Set = BTreeMap<String, Digest>;

/// Alpine's name for the machines of a platform.
pub fn arch(platform: &Platform) -> Option<&'static str> {
    Some(match (platform.arch(), platform.variant()) {
        ("amd64", _) => "x86_64",
        ("arm64", _) => "aarch64",
        ("386", _) => "x86",
        ("arm", Some("v6")) => "armhf",
        ("arm", _) => "armv7",
        ("ppc64le", _) => "ppc64le",
        ("s390x", _) => "s390x",
        ("riscv64", _) => "riscv64",
        ("loong64", _) => "loongarch64",
        _ => return None,
    })
}

/// Asks the repositories of the base, which is the first input, what they have.
pub fn ask(platform: &Platform, name: &str, host: &dyn Host) -> Result<(), Failure> {
    let mut laying = base(host, host.inputs())?;
    let sources = Sources::of(&Tree::new(&mut laying, &Bound::default())).map_err(of_base)?;
    if arch(platform) != Some(sources.arch.as_str()) {
        let message = format!("its packages are for `{}`, and it is for `{platform}`", sources.arch);
        return Err(of_base(Wrong::Untold(message)));
    }
    let mut repositories = Vec::new();
    for url in &sources.repositories {
        let path = host.dir().join(format!("index-{}", repositories.len()));
        let address = index_url(url, &sources.arch);
        get(host, &address, &path, "the repository does not give its index")?;
        let bytes = read(&path)?;
        index::open(&bytes, &sources.keys)
            .map_err(|why| bad(&format!("the index `{address}` can't be trusted"), why))?;
        repositories.push((path, Repository { url: url.clone(), digest: Digest::of(&bytes) }));
    }
    let (paths, repositories): (Vec<PathBuf>, Vec<Repository>) = repositories.into_iter().unzip();
    let content = Indexes { arch: sources.arch.clone(), repositories };
    emit(host, name, &content, &PackageIndex { arch: sources.arch }, paths)
}

/// Fetches what a stage adds: of the first input, the index, what the second needs, the base.
pub fn fetch(fetch: &Fetch, name: &str, host: &dyn Host) -> Result<(), Failure> {
    let mut laying = base(host, host.inputs().get(1..).unwrap_or_default())?;
    let mut database = Sources::database(&Tree::new(&mut laying, &Bound::default())).map_err(of_base)?;
    let indexes = Indexes::of(input::<PackageIndex>(host)?)?;
    let available = indexes.packages(host)?;
    let offered: Vec<Package> = available.iter().flat_map(|(_, all)| all.iter().cloned()).collect();
    let mut set = BTreeMap::new();
    for (at, command) in fetch.before.iter().chain(&fetch.commands).enumerate() {
        let Some(request) = command.request() else { continue };
        let offered = if command.needs_index() { offered.as_slice() } else { &[] };
        let transaction = Transaction::plan(&database, offered, &request, &group_version(fetch.timestamp));
        let transaction = transaction.map_err(|it| Wrong::from(it).of(&command.to_string()))?;
        let own = transaction.install.iter().filter(|it| it.installed_size > 0 && at >= fetch.before.len());
        for package in own {
            let digest = fetch_package(host, package, &available)?;
            set.insert(package.checksum.clone(), digest);
        }
        database = transaction.apply(&database);
    }
    let paths = set.values().map(|digest| host.dir().join(digest.hex())).collect();
    emit(host, name, &set, &PackageSet { stage: fetch.stage.clone() }, paths)
}

fn fetch_package(host: &dyn Host, package: &Package, from: &[(Address, Vec<Package>)]) -> Result<Digest, Failure> {
    if host.cancelled() {
        return Err(interrupted());
    }
    let found = from.iter().find(|(_, all)| all.iter().any(|it| it.checksum == package.checksum));
    let Some((address, _)) = found else {
        return Err(Failure::bug(format!("`{}` is in no repository", package.title())));
    };
    let arch = package.arch.as_deref().unwrap_or(&address.arch);
    let url = format!("{}/{arch}/{}", address.url.trim_end_matches('/'), package.file());
    let path = host.dir().join("package.apk");
    host.progress(0, package.size, &format!("fetch {}", package.title()));
    get(host, &url, &path, "the repository does not give a package that its index has")?;
    let checked = Archive::check(&path, &package.checksum);
    checked.map_err(|why| bad(&format!("the package `{url}` can't be used"), why))?;
    let digest = Digest::of(&read(&path)?);
    let stored = host.dir().join(digest.hex());
    fs::rename(&path, &stored).map_err(|error| Failure::file("move", &path, &error))?;
    Ok(digest)
}

/// Where packages are.
struct Address {
    url: String,
    arch: String,
}

impl Indexes {
    fn of(artifact: &Artifact) -> Result<Indexes, Failure> {
        serde_json::from_slice(&read(&artifact.path)?).map_err(|error| Failure::bug(error.to_string()))
    }

    /// The packages of each repository.
    fn packages(&self, host: &dyn Host) -> Result<Vec<(Address, Vec<Package>)>, Failure> {
        let artifact = input::<PackageIndex>(host)?;
        let open = |it: &Repository| {
            let bytes = read(blob(artifact, it.digest)?)?;
            let packages =
                index::read(&bytes).map_err(|why| bad(&format!("the index of `{}` can't be read", it.url), why))?;
            Ok((Address { url: it.url.clone(), arch: self.arch.clone() }, packages))
        };
        self.repositories.iter().map(open).collect()
    }
}

/// What a stage may add: what was asked and fetched before.
pub struct Stock {
    arch: String,
    repositories: Vec<String>,
    /// The files of indexes, as apk calls them, and where they lie.
    indexes: Vec<(String, PathBuf)>,
    packages: Vec<Package>,
    files: BTreeMap<String, PathBuf>,
    dir: PathBuf,
}

/// A package, and where its files are.
pub struct Unpacked {
    /// What it says of itself, and what is in it.
    pub archive: Archive,
    /// Its files, as a tar.
    pub tar: PathBuf,
}

impl Stock {
    /// That of the step, if it has one.
    pub fn of(host: &dyn Host) -> Result<Option<Stock>, Failure> {
        let (Ok(artifact), Ok(set)) = (input::<PackageIndex>(host), input::<PackageSet>(host)) else { return Ok(None) };
        let indexes = Indexes::of(artifact)?;
        let packages = indexes.packages(host)?.into_iter().flat_map(|(_, all)| all).collect();
        let digests: Set =
            serde_json::from_slice(&read(&set.path)?).map_err(|error| Failure::bug(error.to_string()))?;
        let files = digests.into_iter().map(|(checksum, digest)| Ok((checksum, blob(set, digest)?.to_owned())));
        let kept = |it: &Repository| Ok((cached(&it.url, &indexes.arch), blob(artifact, it.digest)?.to_owned()));
        Ok(Some(Stock {
            repositories: indexes.repositories.iter().map(|it| it.url.clone()).collect(),
            indexes: indexes.repositories.iter().map(kept).collect::<Result<_, Failure>>()?,
            packages,
            files: files.collect::<Result<_, Failure>>()?,
            dir: host.dir().to_owned(),
            arch: indexes.arch,
        }))
    }

    /// Whether the image still asks the repositories that were asked.
    pub fn check(&self, sources: &Sources) -> Result<(), Wrong> {
        match sources.repositories == self.repositories && sources.arch == self.arch {
            true => Ok(()),
            false => Err(Wrong::Untold(
                "`/etc/apk/repositories` is another here than in the base, which alone is asked".to_owned(),
            )),
        }
    }

    /// All that the repositories have.
    pub fn packages(&self) -> &[Package] {
        &self.packages
    }

    /// The indexes: how apk calls the files, and where they are.
    pub fn indexes(&self) -> impl Iterator<Item = (&str, &Path)> {
        self.indexes.iter().map(|(name, path)| (name.as_str(), path.as_path()))
    }

    /// One of these files.
    pub fn read(&self, path: &Path) -> Result<Vec<u8>, Wrong> {
        Ok(read(path)?)
    }

    /// A package, opened.
    pub fn archive(&self, package: &Package) -> Result<Unpacked, Wrong> {
        let Some(path) = self.files.get(&package.checksum) else {
            let message =
                format!("`{}` was not fetched: other instructions have changed the database of apk", package.title());
            return Err(Wrong::Untold(message));
        };
        let tar = archive::tar_path(&self.dir, &package.checksum);
        let opened = Archive::open(path, &package.checksum, &tar);
        let archive = opened.map_err(|why| Wrong::Untold(format!("of `{}`: {why}", package.title())))?;
        Ok(Unpacked { archive, tar })
    }
}

/// The files of the base that is the first of these.
fn base<'h>(host: &'h dyn Host, inputs: &'h [Artifact]) -> Result<Laying<'h>, Failure> {
    let base = inputs.first().ok_or_else(|| Failure::bug("the base is not among the inputs"))?;
    let mut laying = Laying::new(host, Except::default());
    laying.on(Layers::new(host, Held::open(base)?))?;
    Ok(laying)
}

fn of_base(wrong: Wrong) -> Failure {
    wrong.of("apk")
}

fn input<K: Kind>(host: &dyn Host) -> Result<&Artifact, Failure> {
    let found = host.inputs().iter().find(|it| it.kind == K::NAME);
    found.ok_or_else(|| Failure::bug(format!("no `{}` is among the inputs", K::NAME)))
}

fn blob(artifact: &Artifact, digest: Digest) -> Result<&Path, Failure> {
    let found = artifact.blobs.iter().find(|it| it.digest == digest);
    found.map(|it| it.path.as_path()).ok_or_else(|| Failure::bug(format!("`{}` lacks `{digest}`", artifact.name)))
}

fn index_url(url: &str, arch: &str) -> String {
    format!("{}/{arch}/APKINDEX.tar.gz", url.strip_suffix('/').unwrap_or(url))
}

/// How apk calls the index of a repository: by the beginning of a SHA-1 of its address.
fn cached(url: &str, arch: &str) -> String {
    let sha1 = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, index_url(url, arch).as_bytes());
    let hex: String = sha1.as_ref().iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("APKINDEX.{hex}.tar.gz")
}

fn get(host: &dyn Host, url: &str, path: &Path, problem: &str) -> Result<(), Failure> {
    let request = HttpRequest { to_file: Some(path.to_owned()), ..HttpRequest::new(Method::Get, url) };
    let answer = host.http(&request)?;
    match answer.status {
        _ if answer.is_success() => Ok(()),
        500.. | 429 => {
            Err(Failure::new(FailureClass::Network, format!("{problem}: `{url}`: status {}", answer.status)))
        }
        status => Err(Failure::new(FailureClass::Refused, format!("{problem}: `{url}`: status {status}")).help(
            "the index may just be replaced: run it again; or the version of the base is too old to be kept there",
        )),
    }
}

fn bad(message: &str, why: String) -> Failure {
    Failure::new(FailureClass::Refused, message).cause(why)
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| Failure::file("read", path, &error))
}

fn emit<C: Serialize, K: Kind>(
    host: &dyn Host,
    name: &str,
    content: &C,
    detail: &K,
    blobs: Vec<PathBuf>,
) -> Result<(), Failure> {
    let path = host.dir().join("content.json");
    let json = serde_json::to_vec(content).map_err(|error| Failure::bug(error.to_string()))?;
    fs::write(&path, json).map_err(|error| Failure::file("write", &path, &error))?;
    let detail = serde_json::to_value(detail).map_err(|error| Failure::bug(error.to_string()))?;
    host.emit(&Emit { name: name.to_owned(), path, blobs: blobs.into_iter().map(EmitBlob::File).collect(), detail })?;
    Ok(())
}
