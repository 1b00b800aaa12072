//! Buckets: files in an object store, sent in parts that nobody sees, and put together when all of them are there.
//! Does not know whose bucket it is, or what opens it.

pub mod courier;
mod mistakes;
mod store;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::sync::{Arc, Mutex, PoisonError};

use forge_plugin::schemas::kind::{Kind as _, Publication};
use forge_plugin::schemas::{
    Artifact, Change, Digest, Effect, Emit, Failure, FailureClass, Finding, Level, Memory, Place as Named, Problem,
    Resource, SecretNeed, Step,
};
use forge_plugin::{Given, Host, Template};
use object_store::path::Path;
use object_store::{Attribute, Attributes, GetOptions};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::courier::{Courier, failure};
pub use self::mistakes::{bad_endpoint, secret};
pub use self::store::Bucket;
use super::files::{self, FileNames, Placed};
use super::patience::Patience;
use super::{receipt, typed};

/// Whose bucket it is.
pub trait Site: Serialize + DeserializeOwned + Clone + Sync {
    /// The bucket, asked through this courier, with secrets that the host reveals.
    fn open(&self, courier: Courier, host: &dyn Host) -> Result<Arc<dyn Bucket>, Failure>;
    /// As people write where something lies in it: `s3://downloads/hello/1.2.3/hello.zip`.
    fn url(&self, key: &str) -> String;
}

/// What is to be in a bucket.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Wanted<S> {
    /// Where.
    pub site: S,
    /// The files, each with its key.
    pub files: Vec<Placed>,
    /// What browsers and caches are told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum What<S> {
    /// All parts, which nobody sees.
    Stage(Wanted<S>),
    /// Puts them together.
    Publish(Wanted<S>),
}

/// An upload that was begun, and those of its parts that the store has acknowledged, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Upload {
    id: String,
    parts: Vec<String>,
}

/// By key.
type Uploads = BTreeMap<String, Upload>;

/// What lies at a key.
struct There {
    size: u64,
    /// What it hashes to, where forge has put it.
    sha256: Option<String>,
}

/// Where files go in a bucket if nobody says.
const DEFAULT_PATH: &str = "{{ name }}/{{ version }}/{{ artifact }}";
/// What it hashes to is told beside each object: an object store itself hashes parts, or in ways of its own.
const SHA256: &str = "sha256";
/// Where uploads are remembered that were begun.
const BEGUN: &str = "uploads";
/// How often it is tried to put an object together.
const TRIES: u32 = 5;
const MIB: u64 = 1 << 20;
/// What an object may consist of at most (Amazon S3, "Multipart upload limits").
const MOST_PARTS: u64 = 10_000;

/// The two steps, or what is wrong with a key. `place` is what receipts are called by.
pub fn steps<S: Site>(
    wanted: &Wanted<S>,
    place: &str,
    secrets: &[SecretNeed],
    given: &Given<'_>,
) -> Result<Vec<Step>, Vec<Problem>> {
    let problems = mistakes::of(wanted);
    if !problems.is_empty() {
        return Err(problems);
    }
    let takes: Vec<String> = wanted.files.iter().map(|it| it.artifact.clone()).collect();
    let staged = receipt::name(&given.table.id, place, "parts");
    let shown = receipt::name(&given.table.id, place, "objects");
    let url = wanted.site.url("");
    let step = |name: &str, receipt: &str, what: What<S>| Step {
        name: name.to_owned(),
        makes: vec![receipt::output(receipt.to_owned(), url.clone(), name, None)],
        resource: Resource::Network,
        params: serde_json::to_value(what).unwrap_or_default(),
        secrets: secrets.to_vec(),
        place: Named::Key("to".to_owned()),
        ..Step::default()
    };
    let stage =
        Step { takes: takes.clone(), effect: Effect::Stage, ..step("parts", &staged, What::Stage(wanted.clone())) };
    let publish = Step {
        takes: takes.into_iter().chain([staged]).collect(),
        effect: Effect::Publish,
        memory: Memory::Never,
        ..step("objects", &shown, What::Publish(wanted.clone()))
    };
    Ok(vec![stage, publish])
}

/// The files, each with its key, by what the user says of it.
pub fn placed(path: Option<&Template<FileNames>>, given: &Given<'_>) -> Result<Vec<Placed>, Vec<Problem>> {
    let default = Template::new(DEFAULT_PATH);
    files::placed("path", path.unwrap_or(&default), key, given)
}

/// A key, from what a template says: where a part of it is empty, as the `os` of checksums is, there is one `/` less.
fn key(text: &str) -> String {
    text.split('/').filter(|it| !it.is_empty()).collect::<Vec<_>>().join("/")
}

/// What lies now where the files will be.
pub fn probe<S: Site>(params: &Value, host: &dyn Host) -> Result<Vec<Finding>, Failure> {
    let wanted = match typed::<What<S>>(params)? {
        What::Publish(wanted) => wanted,
        // Where parts get to is seen by nobody, and what stands in the way of both is told by the other.
        What::Stage(_) => return Ok(Vec::new()),
    };
    if host.inputs().is_empty() {
        return wanted.greet(host);
    }
    let finding = |(key, ours): (&str, &Artifact)| {
        let change = match wanted.look(key, host)? {
            None => Change::New,
            Some(there) if there.is(ours) => Change::None,
            Some(there) => Change::Conflict { because: there.differs(ours) },
        };
        Ok(wanted.finding(key, Some(ours.digest), change))
    };
    files::made(&wanted.files, host).map(finding).collect()
}

/// Does one step.
pub fn run<S: Site>(params: &Value, step: &Step, host: &dyn Host) -> Result<(), Failure> {
    match typed::<What<S>>(params)? {
        What::Stage(wanted) => wanted.stage(step, host),
        What::Publish(wanted) => wanted.publish(step, host),
    }
}

impl There {
    fn is(&self, ours: &Artifact) -> bool {
        self.size == ours.size && self.sha256.as_ref().is_some_and(|it| *it == ours.digest.hex())
    }

    fn differs(&self, ours: &Artifact) -> String {
        match &self.sha256 {
            None => "an object is there that forge has not put there".to_owned(),
            Some(sha256) => format!("`sha256:{sha256}` is there, and `{}` is what was made", ours.digest),
        }
    }
}

impl<S: Site> Wanted<S> {
    fn finding(&self, key: &str, ours: Option<Digest>, change: Change) -> Finding {
        let there = if change == Change::None { ours } else { None };
        Finding { place: self.site.url(key), there, ours, change }
    }

    /// Whether there is a bucket that can be used at all, before anything is made to be put there.
    fn greet(&self, host: &dyn Host) -> Result<Vec<Finding>, Failure> {
        let Some(key) = self.files.first().map(|it| it.address.as_str()) else { return Ok(Vec::new()) };
        if self.look(key, host)?.is_none() {
            // That an object is not there is told in the same way as that there is no bucket; who lists, is told which.
            let listed = courier::with(host, async |courier| {
                let bucket = self.site.open(courier, host)?;
                bucket.store().list_with_delimiter(Some(&path_of(key))).await.map_err(|error| failure(&error))
            });
            // Not everyone who may write may list.
            if let Err(failure) = listed
                && failure.message.contains("NoSuchBucket")
            {
                return Err(failure);
            }
        }
        Ok(vec![self.finding(key, None, Change::Unknown)])
    }

    fn look(&self, key: &str, host: &dyn Host) -> Result<Option<There>, Failure> {
        courier::with(host, async |courier| there(&*self.site.open(courier, host)?, key).await)
    }

    fn stage(&self, step: &Step, host: &dyn Host) -> Result<(), Failure> {
        self.give_up_what_was_begun(host);
        let uploads = Mutex::new(Uploads::new());
        files::each(&self.files, host, "sending parts", |key, ours| {
            let upload = courier::with(host, async |courier| {
                let bucket = self.site.open(courier, host)?;
                match there(&*bucket, key).await? {
                    Some(there) if there.is(ours) => Ok(None),
                    _ => self.send(&*bucket, key, ours, |id| note(&uploads, key, id, host)).await.map(Some),
                }
            })?;
            let mut uploads = uploads.lock().unwrap_or_else(PoisonError::into_inner);
            uploads.extend(upload.map(|it| (key.to_owned(), it)));
            Ok(())
        })?;
        let uploads = uploads.into_inner().unwrap_or_else(PoisonError::into_inner);
        self.emit(step, json!({ "uploads": uploads }), host)
    }

    /// Uploads of a run that has died are in nobody's way, but somebody pays for them.
    fn give_up_what_was_begun(&self, host: &dyn Host) {
        let begun: Uploads = host.recall(BEGUN).ok().and_then(|it| serde_json::from_value(it).ok()).unwrap_or_default();
        for (key, upload) in begun {
            self.give_up(&key, &upload, host);
        }
    }

    fn give_up(&self, key: &str, upload: &Upload, host: &dyn Host) {
        let given_up = courier::with(host, async |courier| {
            let bucket = self.site.open(courier, host)?;
            bucket.give_up(&path_of(key), &upload.id).await
        });
        if let Err(failure) = given_up {
            host.log(
                Level::Debug,
                &format!("an upload for `{key}` that nobody wants any more stays: {}", failure.message),
            );
        }
    }

    /// Sends all parts of a file. `begun` is told before the first.
    async fn send(
        &self,
        bucket: &dyn Bucket,
        key: &str,
        ours: &Artifact,
        begun: impl Fn(&str) -> Result<(), Failure>,
    ) -> Result<Upload, Failure> {
        let path = path_of(key);
        let id = bucket.begin(&path, self.attributes(key, ours)).await?;
        begun(&id)?;
        let unread = |error: &std::io::Error| Failure::file("read", &ours.path, error);
        let mut file = File::open(&ours.path).map_err(|error| unread(&error))?;
        let size = ours.size.div_ceil(MOST_PARTS).next_multiple_of(MIB).max(8 * MIB);
        let mut parts = Vec::new();
        // What is empty has one part, too.
        while parts.is_empty() || parts.len() as u64 * size < ours.size {
            let mut part = Vec::new();
            (&mut file).take(size).read_to_end(&mut part).map_err(|error| unread(&error))?;
            parts.push(bucket.send(&path, &id, parts.len(), part).await?);
        }
        Ok(Upload { id, parts })
    }

    fn attributes(&self, key: &str, ours: &Artifact) -> Attributes {
        let mut attributes = Attributes::from_iter([
            (Attribute::Metadata(SHA256.into()), ours.digest.hex()),
            (Attribute::ContentType, content_type(key).to_owned()),
        ]);
        if let Some(told) = &self.cache_control {
            attributes.insert(Attribute::CacheControl, told.clone().into());
        }
        attributes
    }

    fn publish(&self, step: &Step, host: &dyn Host) -> Result<(), Failure> {
        let uploads = uploads(host)?;
        files::each(&self.files, host, "putting objects together", |key, ours| {
            self.put_together(key, ours, uploads.get(key), host)
        })?;
        self.emit(step, Value::Null, host)
    }

    /// Makes an object of what was sent. Uploads do not last for ever: where one is gone, its parts are sent again, once.
    fn put_together(&self, key: &str, ours: &Artifact, sent: Option<&Upload>, host: &dyn Host) -> Result<(), Failure> {
        let mut upload = sent.cloned();
        let mut is_the_last = upload.is_none();
        let mut patience = Patience::default();
        let mut last = None;
        for failed in 0..TRIES {
            if self.look(key, host)?.is_some_and(|it| it.is(ours)) {
                return Ok(());
            }
            let known = match upload.take() {
                Some(known) => known,
                None => self.send_again(key, ours, host)?,
            };
            last = match self.complete(key, ours, &known, failed, host) {
                Err(failure) if failure.class == FailureClass::Refused && !is_the_last => {
                    is_the_last = true;
                    self.give_up(key, &known, host);
                    Some(failure)
                }
                Err(failure) if !patience.bears(&failure) => return Err(failure),
                outcome => {
                    upload = Some(known);
                    outcome.err()
                }
            };
        }
        let is_there = self.look(key, host)?.is_some_and(|it| it.is(ours));
        let unseen = || {
            let message = format!("`{}` was put together, and is not there when it is asked for", self.site.url(key));
            Failure::new(FailureClass::Network, message)
        };
        if is_there { Ok(()) } else { Err(last.unwrap_or_else(unseen)) }
    }

    fn send_again(&self, key: &str, ours: &Artifact, host: &dyn Host) -> Result<Upload, Failure> {
        courier::with(host, async |courier| {
            let bucket = self.site.open(courier, host)?;
            self.send(&*bucket, key, ours, |_| Ok(())).await
        })
    }

    fn complete(
        &self,
        key: &str,
        ours: &Artifact,
        upload: &Upload,
        failed: u32,
        host: &dyn Host,
    ) -> Result<(), Failure> {
        courier::after(failed, host, async |courier| {
            let bucket = self.site.open(courier, host)?;
            bucket.complete(&path_of(key), &upload.id, upload.parts.clone(), self.attributes(key, ours)).await
        })
    }

    /// The receipt, with what the next step wants to know.
    fn emit(&self, step: &Step, more: Value, host: &dyn Host) -> Result<(), Failure> {
        let output = step.makes.first().ok_or_else(|| Failure::bug("a step that makes no receipt"))?;
        let (reference, digest) = (self.site.url(""), files::ours(&self.files, host));
        let objects: BTreeMap<String, String> =
            files::made(&self.files, host).map(|(key, it)| (self.site.url(key), it.digest.to_string())).collect();
        let mut receipt =
            json!({ "reference": reference, "artifact": step.name, "digest": digest, "objects": objects });
        if let (Some(receipt), Value::Object(more)) = (receipt.as_object_mut(), more) {
            receipt.extend(more);
        }
        let path = host.dir().join("receipt.json");
        std::fs::write(&path, format!("{receipt:#}\n")).map_err(|error| Failure::file("write", &path, &error))?;
        let detail = Publication { reference, artifact: step.name.clone(), digest };
        let detail = serde_json::to_value(detail).unwrap_or_default();
        host.emit(&Emit { name: output.name.clone(), path, blobs: Vec::new(), detail }).map(drop)
    }
}

/// Keeps which upload was begun, for a run after one that dies.
fn note(uploads: &Mutex<Uploads>, key: &str, id: &str, host: &dyn Host) -> Result<(), Failure> {
    let mut uploads = uploads.lock().unwrap_or_else(PoisonError::into_inner);
    uploads.insert(key.to_owned(), Upload { id: id.to_owned(), parts: Vec::new() });
    host.remember(BEGUN, &serde_json::to_value(&*uploads).unwrap_or_default())
}

/// What the step before has sent.
fn uploads(host: &dyn Host) -> Result<Uploads, Failure> {
    #[derive(Deserialize)]
    struct Receipt {
        uploads: Uploads,
    }
    let receipt = host.inputs().iter().find(|it| it.kind == Publication::NAME);
    let receipt = receipt.ok_or_else(|| Failure::bug("what was sent is not among the inputs"))?;
    let text = std::fs::read(&receipt.path).map_err(|error| Failure::file("read", &receipt.path, &error))?;
    let receipt: Receipt = serde_json::from_slice(&text).map_err(|error| Failure::bug(error.to_string()))?;
    Ok(receipt.uploads)
}

/// A key as it is: `Path::from` would write a `~` as `%7E`.
fn path_of(key: &str) -> Path {
    Path::parse(key).unwrap_or_else(|_| Path::from(key))
}

async fn there(bucket: &dyn Bucket, key: &str) -> Result<Option<There>, Failure> {
    let options = GetOptions { head: true, ..GetOptions::default() };
    match bucket.store().get_opts(&path_of(key), options).await {
        Ok(found) => {
            let sha256 = found.attributes.get(&Attribute::Metadata(SHA256.into())).map(|it| it.to_string());
            Ok(Some(There { size: found.meta.size, sha256 }))
        }
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(failure(&error)),
    }
}

/// What browsers do with it: show texts, and keep the rest.
fn content_type(key: &str) -> &'static str {
    let endings = [
        ("gz", "application/gzip"),
        ("tgz", "application/gzip"),
        ("zip", "application/zip"),
        ("xz", "application/x-xz"),
        ("zst", "application/zstd"),
        ("json", "application/json"),
        ("txt", "text/plain; charset=utf-8"),
        ("sha256", "text/plain; charset=utf-8"),
        ("asc", "text/plain; charset=utf-8"),
        ("minisig", "text/plain; charset=utf-8"),
        ("pem", "text/plain; charset=utf-8"),
    ];
    let ending = key.rsplit_once('.').map_or("", |(_, it)| it);
    endings.iter().find(|(it, _)| *it == ending).map_or("application/octet-stream", |(_, it)| it)
}
