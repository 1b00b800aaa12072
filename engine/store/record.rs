//! The record of tasks: what a task of this fingerprint has made. An append-only log; each entry carries its length and checksum.
//! Does not know what a fingerprint is made of.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
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
    entries: HashMap<Fingerprint, Entry>,
    /// How long each task ran last, in milliseconds.
    took: HashMap<String, u64>,
}

/// What a task made, found again.
#[derive(Debug, Clone, PartialEq)]
pub struct Remembered {
    /// The artifacts.
    pub artifacts: Vec<Artifact>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Entry {
    fingerprint: Fingerprint,
    task: String,
    took: u64,
    artifacts: Vec<Made>,
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
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(failure(error)),
        };
        let (list, whole) = read_entries(&bytes);
        let file = OpenOptions::new().create(true).append(true).open(&path).map_err(failure)?;
        if whole < bytes.len() {
            file.set_len(whole as u64).map_err(failure)?;
        }
        let mut record = Record { file, path, entries: HashMap::new(), took: HashMap::new() };
        for entry in list {
            record.index(entry);
        }
        Ok(record)
    }

    /// What a task of this fingerprint has made, if all of it is still in the store.
    pub fn recall(&self, fingerprint: &Fingerprint, blobs: &Blobs) -> Option<Remembered> {
        let entry = self.entries.get(fingerprint)?;
        let artifacts = entry.artifacts.iter().map(|made| made.found(blobs)).collect::<Option<_>>()?;
        Some(Remembered { artifacts })
    }

    /// How long a task ran last, in milliseconds.
    pub fn took(&self, task: &str) -> Option<u64> {
        self.took.get(task).copied()
    }

    /// Notes what a task made.
    pub fn note(
        &mut self,
        fingerprint: Fingerprint,
        task: &str,
        took: u64,
        artifacts: &[Artifact],
    ) -> Result<(), Failure> {
        let artifacts = artifacts.iter().map(Made::from).collect();
        let entry = Entry { fingerprint, task: task.to_owned(), took, artifacts };
        let body = postcard::to_stdvec(&entry).map_err(|error| Failure::bug(error.to_string()))?;
        let mut bytes = Vec::with_capacity(body.len() + HEADER);
        bytes.extend((body.len() as u32).to_le_bytes());
        bytes.extend(checksum(&body));
        bytes.extend(body);
        self.file.write_all(&bytes).map_err(|error| Failure::file("write", &self.path, &error))?;
        self.index(entry);
        Ok(())
    }

    /// Makes durable what was noted.
    pub fn sync(&self) -> Result<(), Failure> {
        self.file.sync_data().map_err(|error| Failure::file("sync", &self.path, &error))
    }

    fn index(&mut self, entry: Entry) {
        self.took.insert(entry.task.clone(), entry.took);
        self.entries.insert(entry.fingerprint, entry);
    }
}

impl Made {
    fn found(&self, blobs: &Blobs) -> Option<Artifact> {
        if !blobs.holds(&self.digest, self.size) {
            return None;
        }
        let refers = self.blobs.iter().map(|(digest, size)| {
            blobs.holds(digest, *size).then(|| Blob { digest: *digest, size: *size, path: blobs.path(digest) })
        });
        Some(Artifact {
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
        })
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

/// Length and checksum, before each entry.
const HEADER: usize = 12;

fn read_entries(bytes: &[u8]) -> (Vec<Entry>, usize) {
    let mut entries = Vec::new();
    let mut at = 0;
    while let Some((entry, next)) = read_entry(bytes, at) {
        entries.push(entry);
        at = next;
    }
    (entries, at)
}

fn read_entry(bytes: &[u8], at: usize) -> Option<(Entry, usize)> {
    let length = u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?) as usize;
    let start = at + HEADER;
    let body = bytes.get(start..start.checked_add(length)?)?;
    if bytes.get(at + 4..start)? != checksum(body) {
        return None;
    }
    Some((postcard::from_bytes(body).ok()?, start + length))
}

fn checksum(body: &[u8]) -> [u8; HEADER - 4] {
    let mut sum = [0; HEADER - 4];
    sum.copy_from_slice(&Digest::of(body).bytes()[..HEADER - 4]);
    sum
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
