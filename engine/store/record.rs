//! The record of tasks: what a task of this fingerprint has made. An append-only log; each entry carries its length and checksum.
//! Does not know what a fingerprint is made of.

use std::collections::HashMap;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Write as _};
use std::ops::Range;
use std::path::PathBuf;

use forge_schemas::{Artifact, Blob, Digest, Failure, Platform, TableName};
use serde::{Deserialize, Serialize};

use super::Blobs;

/// What decides what a task makes, as one digest.
pub type Fingerprint = Digest;

/// What tasks have made, by fingerprint.
pub struct Record {
    file: File,
    path: PathBuf,
    /// The log as it was when it was opened. Entries are read from it when they are asked for.
    log: Vec<u8>,
    entries: HashMap<Fingerprint, Entry>,
    /// How long each task ran last, in milliseconds, by a digest of its id.
    took: HashMap<u64, u64>,
}

/// What a task made, found again.
#[derive(Debug, Clone)]
pub struct Remembered {
    /// The artifacts, and the files that hold them.
    pub artifacts: Vec<(Artifact, Metadata)>,
}

enum Entry {
    /// The bytes of the log that hold its artifacts.
    Written(Range<usize>),
    /// Noted since the log was opened.
    Noted(Vec<Made>),
}

/// An artifact as it is recorded: without paths, for the folder may move.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Made {
    name: String,
    kind: String,
    platform: Option<Platform>,
    table: TableName,
    digest: Digest,
    size: u64,
    executable: bool,
    blobs: Vec<(Digest, u64)>,
    /// JSON: the form of the log can't hold a value whose type it does not know.
    detail: String,
}

impl Record {
    /// The record in this file. What a crash has torn off its end is cut away.
    pub fn open(path: PathBuf) -> Result<Record, Failure> {
        let failure = |error: io::Error| Failure::file("open", &path, &error);
        let log = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(failure(error)),
        };
        let file = OpenOptions::new().create(true).append(true).open(&path).map_err(failure)?;
        let (mut entries, mut took, mut whole) = (HashMap::new(), HashMap::new(), 0);
        while let Some(header) = Header::read(&log, whole) {
            whole = header.artifacts.end;
            took.insert(header.task, header.took);
            entries.insert(header.fingerprint, Entry::Written(header.artifacts));
        }
        if whole < log.len() {
            file.set_len(whole as u64).map_err(failure)?;
        }
        Ok(Record { file, path, log, entries, took })
    }

    /// What a task of this fingerprint has made, if all of it is still in the store.
    pub fn recall(&self, fingerprint: &Fingerprint, blobs: &Blobs) -> Option<Remembered> {
        let found = |list: &[Made]| list.iter().map(|made| made.found(blobs)).collect::<Option<_>>();
        let artifacts = match self.entries.get(fingerprint)? {
            Entry::Written(bytes) => found(&postcard::from_bytes::<Vec<Made>>(&self.log[bytes.clone()]).ok()?)?,
            Entry::Noted(list) => found(list)?,
        };
        Some(Remembered { artifacts })
    }

    /// Whether a task of this fingerprint has ever been done, whatever became of what it made.
    pub fn knows(&self, fingerprint: &Fingerprint) -> bool {
        self.entries.contains_key(fingerprint)
    }

    /// How long a task ran last, in milliseconds.
    pub fn took(&self, task: &str) -> Option<u64> {
        self.took.get(&task_key(task)).copied()
    }

    /// Notes what a task made.
    pub fn note(
        &mut self,
        fingerprint: Fingerprint,
        task: &str,
        took: u64,
        artifacts: &[Artifact],
    ) -> Result<(), Failure> {
        let list: Vec<Made> = artifacts.iter().map(Made::from).collect();
        let body = postcard::to_stdvec(&list).map_err(|error| Failure::bug(error.to_string()))?;
        let bytes = Header::write(fingerprint, task_key(task), took, &body);
        self.file.write_all(&bytes).map_err(|error| Failure::file("write", &self.path, &error))?;
        self.took.insert(task_key(task), took);
        self.entries.insert(fingerprint, Entry::Noted(list));
        Ok(())
    }

    /// Makes durable what was noted.
    pub fn sync(&self) -> Result<(), Failure> {
        self.file.sync_data().map_err(|error| Failure::file("sync", &self.path, &error))
    }
}

fn task_key(task: &str) -> u64 {
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

    fn read(log: &[u8], at: usize) -> Option<Header> {
        let rest = log.get(at..)?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let (sum, rest) = rest.split_first_chunk::<8>()?;
        let body = rest.get(..u32::from_le_bytes(*length) as usize)?;
        if *sum != checksum(body) {
            return None;
        }
        let (fingerprint, rest) = body.split_first_chunk::<32>()?;
        let (task, rest) = rest.split_first_chunk::<8>()?;
        let (took, _) = rest.split_first_chunk::<8>()?;
        let start = at + PREFIX;
        Some(Header {
            fingerprint: Digest::from(*fingerprint),
            task: u64::from_le_bytes(*task),
            took: u64::from_le_bytes(*took),
            artifacts: start + FIXED..start + body.len(),
        })
    }
}

fn checksum(body: &[u8]) -> [u8; 8] {
    Digest::of(body).bytes().first_chunk().copied().unwrap_or_default()
}

impl Made {
    fn found(&self, blobs: &Blobs) -> Option<(Artifact, Metadata)> {
        let metadata = blobs.find(&self.digest, self.size)?;
        let refers = self.blobs.iter().map(|(digest, size)| {
            blobs.holds(digest, *size).then(|| Blob { digest: *digest, size: *size, path: blobs.path(digest) })
        });
        let artifact = Artifact {
            name: self.name.clone(),
            kind: self.kind.clone(),
            platform: self.platform.clone(),
            table: self.table.clone(),
            digest: self.digest,
            size: self.size,
            path: blobs.path(&self.digest),
            executable: self.executable,
            blobs: refers.collect::<Option<_>>()?,
            detail: serde_json::from_str(&self.detail).ok()?,
        };
        Some((artifact, metadata))
    }
}

impl From<&Artifact> for Made {
    fn from(artifact: &Artifact) -> Made {
        Made {
            name: artifact.name.clone(),
            kind: artifact.kind.clone(),
            platform: artifact.platform.clone(),
            table: artifact.table.clone(),
            digest: artifact.digest,
            size: artifact.size,
            executable: artifact.executable,
            blobs: artifact.blobs.iter().map(|blob| (blob.digest, blob.size)).collect(),
            detail: artifact.detail.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_torn_tail_is_cut_to_the_last_whole_entry() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("record");
        let mut record = Record::open(path.clone()).unwrap();
        let mut ends = vec![0];
        for task in ["a", "b", "c"] {
            record.note(Digest::of(task.as_bytes()), task, 7, &[]).unwrap();
            ends.push(std::fs::metadata(&path).unwrap().len() as usize);
        }
        let bytes = std::fs::read(&path).unwrap();
        for length in 0..=bytes.len() {
            std::fs::write(&path, &bytes[..length]).unwrap();
            let record = Record::open(path.clone()).unwrap();
            let whole = ends.iter().filter(|end| **end <= length && **end > 0).count();
            assert_eq!(record.entries.len(), whole, "cut at {length}");
            assert_eq!(std::fs::metadata(&path).unwrap().len() as usize, ends[whole], "cut at {length}");
        }
    }
}
