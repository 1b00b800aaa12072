//! The record of tasks: what a task of this fingerprint has made. An append-only log; each entry carries its length and checksum.
//! Does not know what a fingerprint is made of.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use forge_schemas::{Artifact, Blob, Digest, DigestMap, Failure, Platform, TableName};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::{Blobs, Dist, write_beside};

/// What decides what a task makes, as one digest.
pub type Fingerprint = Digest;

/// What tasks have made, by fingerprint.
#[derive(Debug)]
pub struct Record {
    file: File,
    path: PathBuf,
    /// All of it. Entries are read from it when they are asked for.
    log: Vec<u8>,
    /// The bytes of the log that hold the artifacts.
    entries: DigestMap<Range<usize>>,
    /// How long each task ran last, in milliseconds, by a digest of its id. Read when somebody asks: where nothing runs,
    /// nobody does.
    took: OnceLock<HashMap<u64, u64>>,
    /// Whether something was noted that may not be durable yet.
    has_noted: AtomicBool,
    damaged: Option<PathBuf>,
    is_torn: bool,
}

/// What a task made, found again: all of it is in the store.
#[derive(Debug)]
pub struct Remembered<'r> {
    /// The artifacts, each with whether it lies under `dist/`.
    made: Vec<(Made<'r>, Shown)>,
}

/// Whether an artifact lies under its name, where people look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// It does.
    Yes,
    /// Nothing lies there, or something else.
    No,
}

/// An artifact as it is recorded: without paths, for the folder may move.
#[derive(Debug, Serialize, Deserialize)]
struct Made<'a> {
    name: &'a str,
    kind: &'a str,
    #[serde(borrow)]
    platform: Option<Cow<'a, str>>,
    /// Pipe and id.
    table: (&'a str, &'a str),
    digest: Digest,
    size: u64,
    executable: bool,
    blobs: Vec<(Digest, u64)>,
    /// JSON: the form of the log can't hold a value whose type it does not know.
    #[serde(borrow)]
    detail: Cow<'a, str>,
}

impl Record {
    /// The record in this file. What a crash has torn off its end is cut away; a record that is damaged before its end is set
    /// aside, and another begun.
    pub fn open(path: PathBuf) -> Result<Record, Failure> {
        let failure = |error: io::Error| Failure::file("open", &path, &error);
        let mut damaged = None;
        let mut log = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(failure(error)),
        };
        let number = spans(&log).count();
        let mut entries = DigestMap::with_capacity_and_hasher(number, Default::default());
        let mut whole = 0;
        for header in headers(&log) {
            whole = header.artifacts.end;
            entries.insert(header.fingerprint, header.artifacts);
        }
        if has_entry_after(&log, whole) {
            damaged = Some(set_aside(&path)?);
            (entries, whole) = Default::default();
            log.clear();
        }
        let file = OpenOptions::new().create(true).append(true).open(&path).map_err(failure)?;
        let is_torn = whole < log.len();
        if is_torn {
            file.set_len(whole as u64).map_err(failure)?;
            log.truncate(whole);
        }
        let (took, has_noted) = (OnceLock::new(), AtomicBool::new(false));
        Ok(Record { file, path, log, entries, took, has_noted, damaged, is_torn })
    }

    /// Where a record was set aside whose content can't be trusted.
    pub fn damaged(&self) -> Option<&Path> {
        self.damaged.as_deref()
    }

    /// Whether a crash had torn its last entry.
    pub fn is_torn(&self) -> bool {
        self.is_torn
    }

    /// What a task of this fingerprint has made, if all of it is still in the store.
    pub fn recall(&self, fingerprint: &Fingerprint, blobs: &Blobs, dist: &Dist) -> Option<Remembered<'_>> {
        let mut found = Vec::new();
        for made in self.entry(fingerprint)? {
            let shown = made.find(blobs, dist)?;
            found.push((made, shown));
        }
        found.iter().all(|(made, _)| made.is_sound()).then_some(Remembered { made: found })
    }

    /// The artifacts of a task of this fingerprint, for one who has found that all of them are in the store.
    pub fn artifacts(&self, fingerprint: &Fingerprint, blobs: &Blobs) -> Vec<Artifact> {
        let made = self.entry(fingerprint).unwrap_or_default();
        made.iter().filter_map(|made| made.artifact(blobs)).collect()
    }

    /// The bytes that say what a task of this fingerprint has made: equal artifacts, equal bytes.
    pub fn words(&self, fingerprint: &Fingerprint) -> &[u8] {
        self.entries.get(fingerprint).map_or(&[], |place| &self.log[place.clone()])
    }

    /// The names and digests of what a task of this fingerprint has made, whether it is still in the store or not.
    pub fn made(&self, fingerprint: &Fingerprint) -> Vec<(String, Digest)> {
        let made = self.entry(fingerprint).unwrap_or_default();
        made.iter().map(|made| (made.name.to_owned(), made.digest)).collect()
    }

    fn entry(&self, fingerprint: &Fingerprint) -> Option<Vec<Made<'_>>> {
        postcard::from_bytes(self.words(fingerprint)).ok()
    }

    /// Whether a task of this fingerprint has ever been done, whatever became of what it made.
    pub fn knows(&self, fingerprint: &Fingerprint) -> bool {
        self.entries.contains_key(fingerprint)
    }

    /// How long a task ran last, in milliseconds.
    pub fn took(&self, task: &str) -> Option<u64> {
        let read = || spans(&self.log).filter_map(|span| Header::read(&self.log, span)).map(|it| (it.task, it.took));
        self.took.get_or_init(|| read().collect()).get(&task_key(task)).copied()
    }

    /// Notes what a task made.
    pub fn note(
        &mut self,
        fingerprint: Fingerprint,
        task: &str,
        took: u64,
        artifacts: &[Artifact],
    ) -> Result<(), Failure> {
        let list: Vec<Made<'_>> = artifacts.iter().map(Made::from).collect();
        let body = postcard::to_stdvec(&list).map_err(|error| Failure::bug(error.to_string()))?;
        let bytes = Header::write(fingerprint, task_key(task), took, &body);
        self.append(&bytes).map_err(|error| Failure::file("write", &self.path, &error))?;
        if let Some(all) = self.took.get_mut() {
            all.insert(task_key(task), took);
        }
        self.entries.insert(fingerprint, self.log.len() - body.len()..self.log.len());
        Ok(())
    }

    // All of it or nothing: what is appended behind half of an entry would be lost with it.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Err(error) = self.file.write_all(bytes) {
            let _ = self.file.set_len(self.log.len() as u64);
            return Err(error);
        }
        self.log.extend_from_slice(bytes);
        self.has_noted.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Makes durable what was noted, and before it the content that it names. An entry that the system has written by itself
    /// earlier than that content does no harm: what is recalled is looked for.
    pub fn sync(&self, blobs: &Blobs) -> Result<(), Failure> {
        blobs.sync()?;
        match self.has_noted.swap(false, Ordering::Relaxed) {
            true => self.file.sync_data().map_err(|error| Failure::file("sync", &self.path, &error)),
            false => Ok(()),
        }
    }
}

/// An entry as it stands in the log.
pub struct Standing<'a> {
    /// What decided what the task made.
    pub fingerprint: Fingerprint,
    /// The key of the task.
    pub task: u64,
    /// The content that it names, each with its size.
    pub content: Vec<(Digest, u64)>,
    /// All of it, as the log has it.
    pub bytes: &'a [u8],
}

impl Record {
    /// Every entry, the oldest first, but for those that can't be read.
    pub fn standing(&self) -> impl Iterator<Item = Standing<'_>> {
        headers(&self.log).filter_map(|header| {
            let made: Vec<Made<'_>> = postcard::from_bytes(&self.log[header.artifacts.clone()]).ok()?;
            let content = made.iter().flat_map(Made::content).collect();
            let bytes = &self.log[header.artifacts.start - PREFIX - FIXED..header.artifacts.end];
            Some(Standing { fingerprint: header.fingerprint, task: header.task, content, bytes })
        })
    }

    /// Writes a record of these entries in its place.
    pub fn rewrite(&self, entries: &[Standing<'_>]) -> Result<(), Failure> {
        let bytes: Vec<u8> = entries.iter().flat_map(|it| it.bytes).copied().collect();
        write_beside(&self.path, &bytes).map_err(|error| Failure::file("write", &self.path, &error))
    }
}

/// The key of a task in the record: a digest of its id.
pub fn task_key(task: &str) -> u64 {
    Digest::of(task.as_bytes()).bytes().first_chunk().map_or(0, |first| u64::from_le_bytes(*first))
}

/// An entry of the log: length and checksum of what follows, fingerprint, task, time, and then the artifacts.
struct Header {
    fingerprint: Fingerprint,
    task: u64,
    took: u64,
    artifacts: Range<usize>,
}

/// Length and checksum.
const PREFIX: usize = 12;
/// Fingerprint, task and time.
const FIXED: usize = 32 + 8 + 8;

impl Header {
    fn write(fingerprint: Fingerprint, task: u64, took: u64, artifacts: &[u8]) -> Vec<u8> {
        let mut body = Vec::with_capacity(FIXED + artifacts.len());
        body.extend(fingerprint.bytes());
        body.extend(task.to_le_bytes());
        body.extend(took.to_le_bytes());
        body.extend(artifacts);
        let mut bytes = Vec::with_capacity(PREFIX + body.len());
        bytes.extend((body.len() as u32).to_le_bytes());
        bytes.extend(checksum(&body));
        bytes.extend(body);
        bytes
    }

    // That of an entry that is known to be one.
    fn read(log: &[u8], span: Range<usize>) -> Option<Header> {
        let body = log.get(span.start + PREFIX..span.end)?;
        let (fingerprint, rest) = body.split_first_chunk::<32>()?;
        let (task, rest) = rest.split_first_chunk::<8>()?;
        let (took, _) = rest.split_first_chunk::<8>()?;
        Some(Header {
            fingerprint: Digest::from(*fingerprint),
            task: u64::from_le_bytes(*task),
            took: u64::from_le_bytes(*took),
            artifacts: span.start + PREFIX + FIXED..span.end,
        })
    }

    // None where no whole entry begins.
    fn check(log: &[u8], at: usize) -> Option<Header> {
        let span = span(log, at)?;
        let (sum, body) = log.get(span.start + 4..span.end)?.split_first_chunk::<8>()?;
        (*sum == checksum(body)).then(|| Header::read(log, span)).flatten()
    }
}

/// Where the entries of a log lie, as their lengths have it.
fn spans(log: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let span = span(log, at)?;
        at = span.end;
        Some(span)
    })
}

/// Where the entry lies that begins here, if it is not longer than the log.
fn span(log: &[u8], at: usize) -> Option<Range<usize>> {
    let (length, _) = log.get(at..)?.split_first_chunk::<4>()?;
    let end = at + PREFIX + u32::from_le_bytes(*length) as usize;
    (end <= log.len()).then_some(at..end)
}

/// The entries of a log up to the first that is none.
fn headers(log: &[u8]) -> impl Iterator<Item = Header> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let header = Header::check(log, at)?;
        at = header.artifacts.end;
        Some(header)
    })
}

// A crash tears off the end of the log: no whole entry follows. Where one does, what is before it has changed since.
fn has_entry_after(log: &[u8], whole: usize) -> bool {
    (whole + 1..log.len()).any(|at| Header::check(log, at).is_some())
}

fn set_aside(path: &Path) -> Result<PathBuf, Failure> {
    let names = std::iter::once("damaged".to_owned()).chain((2..).map(|number| format!("damaged.{number}")));
    let free = names.map(|name| path.with_extension(name)).find(|it| !it.exists());
    let aside = free.unwrap_or_else(|| path.with_extension("damaged"));
    std::fs::rename(path, &aside).map_err(|error| Failure::file("set aside", path, &error))?;
    Ok(aside)
}

fn checksum(body: &[u8]) -> [u8; 8] {
    Digest::of(body).bytes().first_chunk().copied().unwrap_or_default()
}

impl Made<'_> {
    fn content(&self) -> impl Iterator<Item = (Digest, u64)> {
        std::iter::once((self.digest, self.size)).chain(self.blobs.iter().copied())
    }

    // Whether it lies under `dist/`, if all of it is in the store.
    fn find(&self, blobs: &Blobs, dist: &Dist) -> Option<Shown> {
        let link = dist.shown_as(self.name);
        let file = blobs.find_linked(&self.digest, self.size, link.as_ref())?;
        let is_whole = self.blobs.iter().all(|(digest, size)| blobs.holds(digest, *size));
        let shown = if link.is_some_and(|it| it.is_same_file(&file)) { Shown::Yes } else { Shown::No };
        is_whole.then_some(shown)
    }

    // Whether it can be read. Few are asked for more: that is seen before, and costs less than to read it.
    fn is_sound(&self) -> bool {
        let is_platform = |it: &Cow<'_, str>| it.parse::<Platform>().is_ok();
        self.platform.as_ref().is_none_or(is_platform) && serde_json::from_str::<IgnoredAny>(&self.detail).is_ok()
    }

    fn artifact(&self, blobs: &Blobs) -> Option<Artifact> {
        let blob = |(digest, size): &(Digest, u64)| Blob { digest: *digest, size: *size, path: blobs.path(digest) };
        Some(Artifact {
            name: self.name.to_owned(),
            kind: self.kind.to_owned(),
            platform: self.platform.as_ref().map(|it| it.parse()).transpose().ok()?,
            table: TableName::new(self.table.0, self.table.1),
            digest: self.digest,
            size: self.size,
            path: blobs.path(&self.digest),
            executable: self.executable,
            blobs: self.blobs.iter().map(blob).collect(),
            detail: serde_json::from_str(&self.detail).ok()?,
        })
    }
}

impl<'a> From<&'a Artifact> for Made<'a> {
    fn from(artifact: &'a Artifact) -> Made<'a> {
        Made {
            name: &artifact.name,
            kind: &artifact.kind,
            platform: artifact.platform.as_ref().map(|it| it.to_string().into()),
            table: (&artifact.table.pipe, &artifact.table.id),
            digest: artifact.digest,
            size: artifact.size,
            executable: artifact.executable,
            blobs: artifact.blobs.iter().map(|blob| (blob.digest, blob.size)).collect(),
            detail: artifact.detail.to_string().into(),
        }
    }
}

impl Remembered<'_> {
    /// The names of the artifacts.
    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.made.iter().map(|(made, _)| made.name)
    }

    /// The artifacts that do not lie under `dist/`.
    pub fn unshown(&self, blobs: &Blobs) -> Vec<Artifact> {
        let unshown = self.made.iter().filter(|(_, shown)| *shown == Shown::No);
        unshown.filter_map(|(made, _)| made.artifact(blobs)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifact(blobs: &Blobs, directory: &Path, content: &str) -> Artifact {
        let take = |content: &str| {
            let file = directory.join("made");
            std::fs::write(&file, content).unwrap();
            blobs.take(&file).unwrap()
        };
        let (layer, blob) = (take("a layer"), take(content));
        Artifact {
            name: format!("{content}/file"),
            kind: "x".to_owned(),
            platform: "linux/arm64".parse().ok(),
            table: TableName::new("x", content),
            digest: blob.digest,
            size: blob.size,
            path: blob.path,
            executable: false,
            blobs: vec![layer],
            detail: serde_json::json!({ "says": content }),
        }
    }

    const TASKS: [&str; 4] = ["a", "b", "c", "d"];

    fn fingerprint(task: &str) -> Fingerprint {
        Digest::of(task.as_bytes())
    }

    /// A record of four tasks with artifacts: where it lies, its bytes, and where each entry ends.
    fn four(directory: &Path) -> (Blobs, PathBuf, Vec<u8>, Vec<usize>) {
        std::fs::create_dir_all(directory.join("store/blobs/sha256")).unwrap();
        let blobs = Blobs::open(directory.join("store")).unwrap();
        let path = directory.join("record");
        let mut record = Record::open(path.clone()).unwrap();
        let mut ends = vec![0];
        for task in TASKS {
            record.note(fingerprint(task), task, 7, &[artifact(&blobs, directory, task)]).unwrap();
            ends.push(std::fs::metadata(&path).unwrap().len() as usize);
        }
        let bytes = std::fs::read(&path).unwrap();
        (blobs, path, bytes, ends)
    }

    /// Which tasks are recalled, each as it was noted.
    fn recalled(record: &Record, blobs: &Blobs) -> Vec<&'static str> {
        let dist = Dist::of_project(Path::new("nowhere"));
        let known = TASKS.into_iter().filter(|task| {
            if record.recall(&fingerprint(task), blobs, &dist).is_none() {
                return false;
            }
            let found = record.artifacts(&fingerprint(task), blobs);
            let [artifact] = found.as_slice() else { panic!("{task}: {found:?}") };
            assert_eq!((&*artifact.name, artifact.blobs.len()), (&*format!("{task}/file"), 1));
            assert_eq!(artifact.detail, serde_json::json!({ "says": task }));
            true
        });
        known.collect()
    }

    #[test]
    fn a4_every_prefix_of_the_record() {
        let directory = tempfile::tempdir().unwrap();
        let (blobs, path, bytes, ends) = four(directory.path());
        for length in 0..=bytes.len() {
            std::fs::write(&path, &bytes[..length]).unwrap();
            let mut record = Record::open(path.clone()).unwrap();
            let whole = ends.iter().filter(|end| **end <= length && **end > 0).count();
            assert_eq!(recalled(&record, &blobs), TASKS[..whole], "cut at {length}");
            assert_eq!(record.damaged(), None, "cut at {length}");
            assert_eq!(record.is_torn(), !ends.contains(&length), "cut at {length}");
            assert_eq!(std::fs::metadata(&path).unwrap().len() as usize, ends[whole], "cut at {length}");
            // What is noted next is not lost behind what was cut.
            record.note(fingerprint("e"), "e", 1, &[]).unwrap();
            let again = Record::open(path.clone()).unwrap();
            assert_eq!(again.entries.len(), whole + 1, "cut at {length}");
        }
    }

    #[test]
    fn a5_every_flipped_byte_of_the_record() {
        let directory = tempfile::tempdir().unwrap();
        let (blobs, path, bytes, ends) = four(directory.path());
        let aside = path.with_extension("damaged");
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x10;
            std::fs::write(&path, &flipped).unwrap();
            let record = Record::open(path.clone()).unwrap();
            // The last entry can't be told from one that was torn. Before it, nothing is trusted.
            let is_last = at >= ends[3];
            assert_eq!(recalled(&record, &blobs), if is_last { &TASKS[..3] } else { &[] }, "flipped at {at}");
            assert_eq!(record.damaged(), (!is_last).then_some(&*aside), "flipped at {at}");
            if !is_last {
                assert_eq!(std::fs::read(&aside).unwrap(), flipped, "flipped at {at}");
                std::fs::remove_file(&aside).unwrap();
            }
        }
    }

    #[test]
    fn a5_what_was_set_aside_stays_beside_what_is_set_aside_next() {
        let directory = tempfile::tempdir().unwrap();
        let (_, path, mut bytes, _) = four(directory.path());
        bytes[50] ^= 1;
        for name in ["record.damaged", "record.damaged.2", "record.damaged.3"] {
            std::fs::write(&path, &bytes).unwrap();
            let record = Record::open(path.clone()).unwrap();
            assert_eq!(record.damaged(), Some(&*directory.path().join(name)));
        }
    }

    #[test]
    fn a_record_is_rewritten_without_some_entries() {
        let directory = tempfile::tempdir().unwrap();
        let (blobs, path, _, _) = four(directory.path());
        let record = Record::open(path.clone()).unwrap();
        let kept: Vec<Standing<'_>> = record.standing().filter(|it| it.task != task_key("b")).collect();
        record.rewrite(&kept).unwrap();
        assert_eq!(recalled(&Record::open(path).unwrap(), &blobs), ["a", "c", "d"]);
    }
}
