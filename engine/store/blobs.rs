//! Content by digest: the `blobs/sha256` of an OCI image layout (image-layout spec, "Blobs"), and its `index.json`.
//! Does not know what the content means, but for the `mediaType` of what refers to further content.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use forge_schemas::{Artifact, Blob, Digest, DigestMap, Digester, Failure};
use rustix::fs::DirEntry;
use serde_json::{Value, json};

use super::atomic::{set_mode, sync_directory, write_beside};
use super::{Directory, Dist, Stat};

/// The content of the store.
#[derive(Debug)]
pub struct Blobs {
    root: PathBuf,
    folder: Directory,
    /// The inodes of what was there when the names were read.
    names: DigestMap<u64>,
    /// Whether it holds files whose names may not be durable yet.
    has_taken: AtomicBool,
}

impl Blobs {
    /// The layout in this directory; its marker is written where it is missing, or is another.
    pub fn open(root: PathBuf) -> Result<Blobs, Failure> {
        let marker = root.join("oci-layout");
        if std::fs::read(&marker).ok().as_deref() != Some(MARKER) {
            write_beside(&marker, MARKER).map_err(|error| Failure::file("write", &marker, &error))?;
        }
        let folder = Directory::at(root.join("blobs/sha256"));
        let blobs = Blobs { root, folder, names: DigestMap::default(), has_taken: AtomicBool::new(false) };
        if !blobs.root.join("index.json").exists() {
            blobs.write_index(&[])?;
        }
        Ok(blobs)
    }

    /// Reads the names of what is there, for one who will ask for `wanted` of them by links to it under `dist/`: one list costs
    /// less than many questions. Nothing is read of a store that holds much more, or whose links would be copies.
    pub fn with_names(self, wanted: usize, dist: &Dist) -> Blobs {
        if dist.device().is_none_or(|it| self.folder.device() != Some(it)) {
            return self;
        }
        let named = |entry: DirEntry| Some((Digest::from_hex(entry.file_name().to_str().ok()?)?, entry.ino()));
        let mut entries = self.folder.entries().filter_map(named);
        let mut names = DigestMap::with_capacity_and_hasher(wanted, Default::default());
        names.extend(entries.by_ref().take(wanted.saturating_mul(MUCH_MORE)));
        let is_all = entries.next().is_none();
        drop(entries);
        if is_all { Blobs { names, ..self } } else { self }
    }

    /// Where content of this digest lies, or would lie.
    pub fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.path().join(digest.hex())
    }

    /// Whether the content is there and whole.
    pub fn holds(&self, digest: &Digest, size: u64) -> bool {
        self.find(digest, size).is_some()
    }

    /// The file that holds the content, if it is there and whole. A file that somebody has written to since it was stored
    /// (through a link under `dist/`, say) is looked into, and thrown away if it holds other content now.
    pub fn find(&self, digest: &Digest, size: u64) -> Option<Stat> {
        let name = digest.hex();
        let stat = self.folder.stat(&name).ok().filter(Stat::is_file)?;
        if is_untouched(&stat, size) {
            return Some(stat);
        }
        let path = self.path(digest);
        match hash(&path) {
            Ok((found, length)) if found == *digest => {
                mark(&path).ok()?;
                self.folder.stat(&name).ok().filter(|_| length == size)
            }
            _ => {
                let _ = std::fs::remove_file(&path);
                None
            }
        }
    }

    /// The same, where a link to the content was seen under `dist/`: if it is one, it is the file that lies here.
    pub fn find_linked(&self, digest: &Digest, size: u64, link: Option<&Stat>) -> Option<Stat> {
        let is_it = |link: &&Stat| self.names.get(digest) == Some(&link.inode()) && is_untouched(link, size);
        link.filter(is_it).copied().or_else(|| self.find(digest, size))
    }

    /// Moves a file into the store. The file must be on the same file system, and nobody may write to it any more.
    pub fn take(&self, file: &Path) -> Result<Blob, Failure> {
        let (digest, size) = hash(file).map_err(|error| Failure::file("read", file, &error))?;
        let path = self.path(&digest);
        if !self.holds(&digest, size) {
            self.settle(file, &path).map_err(|error| Failure::file("store", file, &error))?;
        } else {
            std::fs::remove_file(file).map_err(|error| Failure::file("remove", file, &error))?;
        }
        // Also where it was there: a run that was killed may have put it there, and not made its name durable.
        self.has_taken.store(true, Ordering::Relaxed);
        Ok(Blob { digest, size, path })
    }

    /// Everything that lies there under the name of a digest, sorted.
    pub fn all(&self) -> Result<Vec<(Digest, PathBuf)>, Failure> {
        let entries = std::fs::read_dir(self.folder.path()).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let entries = entries.map_err(|error| Failure::file("read", self.folder.path(), &error))?;
        let named =
            entries.iter().filter_map(|entry| Some((Digest::from_hex(entry.file_name().to_str()?)?, entry.path())));
        let mut all: Vec<(Digest, PathBuf)> = named.collect();
        all.sort_unstable();
        Ok(all)
    }

    /// Makes durable the names of all that was taken so far; their content is already.
    pub fn sync(&self) -> Result<(), Failure> {
        match self.has_taken.swap(false, Ordering::Relaxed) {
            true => {
                sync_directory(self.folder.path()).map_err(|error| Failure::file("sync", self.folder.path(), &error))
            }
            false => Ok(()),
        }
    }

    /// Writes `index.json`: what refers to further content, under its artifact's name, so that `skopeo` and `oras` find it.
    pub fn write_index(&self, artifacts: &[&Artifact]) -> Result<(), Failure> {
        let manifests: Vec<Value> =
            artifacts.iter().filter(|it| !it.blobs.is_empty()).filter_map(|it| descriptor(it)).collect();
        let index = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": manifests,
        });
        let path = self.root.join("index.json");
        let bytes = format!("{index}\n");
        if std::fs::read(&path).is_ok_and(|old| old == bytes.as_bytes()) {
            return Ok(());
        }
        write_beside(&path, bytes.as_bytes()).map_err(|error| Failure::file("write", &path, &error))
    }

    fn settle(&self, file: &Path, path: &Path) -> io::Result<()> {
        // Readable by all and writable by none: hard links under `dist/` share these bits.
        let executable = super::dist::is_executable(file)?;
        set_mode(file, if executable { 0o555 } else { 0o444 })?;
        mark(file)?;
        File::open(file)?.sync_data()?;
        std::fs::rename(file, path)
    }
}

/// What says that a directory is an image layout.
const MARKER: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// When every file of the store was changed last: what is written to later shows by another time.
const STORED: SystemTime = SystemTime::UNIX_EPOCH;

/// A store with this many times the names that are wanted is not read as a whole.
const MUCH_MORE: usize = 2;

fn is_untouched(stat: &Stat, size: u64) -> bool {
    stat.is_file() && stat.size() == size && stat.modified() == 0
}

fn mark(path: &Path) -> io::Result<()> {
    File::open(path)?.set_modified(STORED)
}

/// The digest and size of a file.
pub fn hash(path: &Path) -> io::Result<(Digest, u64)> {
    let mut file = File::open(path)?;
    let mut digester = Digester::default();
    let mut buffer = vec![0; 128 * 1024];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(digester.finish());
        }
        io::Write::write_all(&mut digester, &buffer[..read])?;
    }
}

fn descriptor(artifact: &Artifact) -> Option<Value> {
    let content: Value = serde_json::from_slice(&std::fs::read(&artifact.path).ok()?).ok()?;
    let media_type = content.get("mediaType")?.as_str()?;
    Some(json!({
        "mediaType": media_type,
        "digest": artifact.digest,
        "size": artifact.size,
        "annotations": { "org.opencontainers.image.ref.name": artifact.name },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, Blobs) {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(directory.path().join("store/blobs/sha256")).unwrap();
        let blobs = Blobs::open(directory.path().join("store")).unwrap();
        (directory, blobs)
    }

    #[test]
    fn the_same_content_twice_is_one_file() {
        let (directory, blobs) = store();
        for _ in 0..2 {
            let file = directory.path().join("made");
            std::fs::write(&file, b"hello").unwrap();
            let blob = blobs.take(&file).unwrap();
            assert_eq!(blob.digest, Digest::of(b"hello"));
            assert!(!file.exists());
            assert!(blobs.holds(&blob.digest, 5));
            assert!(!blobs.holds(&blob.digest, 6));
        }
        assert_eq!(std::fs::read_dir(directory.path().join("store/blobs/sha256")).unwrap().count(), 1);
    }

    #[test]
    fn what_a_killed_run_has_stored_is_made_durable_by_the_next_that_makes_it() {
        let (directory, killed) = store();
        let file = directory.path().join("made");
        let take = |blobs: &Blobs| {
            std::fs::write(&file, b"hello").unwrap();
            blobs.take(&file).unwrap()
        };
        take(&killed);
        let next = Blobs::open(directory.path().join("store")).unwrap();
        assert!(!next.has_taken.load(Ordering::Relaxed));
        take(&next);
        assert!(next.has_taken.load(Ordering::Relaxed));
        next.sync().unwrap();
        assert!(!next.has_taken.load(Ordering::Relaxed));
    }

    #[test]
    fn what_was_changed_in_place_is_thrown_away() {
        let (directory, blobs) = store();
        let file = directory.path().join("made");
        std::fs::write(&file, b"hello").unwrap();
        let blob = blobs.take(&file).unwrap();
        set_mode(&blob.path, 0o644).unwrap();
        std::fs::write(&blob.path, b"hello").unwrap();
        assert!(blobs.holds(&blob.digest, 5), "written again, and the same");
        std::fs::write(&blob.path, b"jello").unwrap();
        assert!(!blobs.holds(&blob.digest, 5), "other content of the same size");
        assert!(!blob.path.exists());
    }

    /// Content of a store of three, by the link to it, when one more look is taken after `act`.
    fn check_linked(wanted: usize, act: fn(&Path, &Path), expect: bool) {
        let (directory, blobs) = store();
        let folder = directory.path().join("dist");
        std::fs::create_dir(&folder).unwrap();
        let mut taken = Vec::new();
        for content in ["hello", "jello", "fellow"] {
            let file = directory.path().join("made");
            std::fs::write(&file, content).unwrap();
            taken.push(blobs.take(&file).unwrap());
            std::fs::hard_link(&taken.last().unwrap().path, folder.join(content)).unwrap();
        }
        let dist = Dist::of_project(directory.path());
        let blobs = blobs.with_names(wanted, &dist);
        assert_eq!(blobs.names.len(), if wanted < 2 { 0 } else { 3 });
        act(&taken[0].path, &folder.join("hello"));
        let found = blobs.find_linked(&taken[0].digest, 5, dist.shown_as("hello").as_ref());
        let asked = blobs.find(&taken[0].digest, 5);
        assert_eq!(found, asked, "it is known as well by its link as by its name");
        assert_eq!(found.is_some(), expect);
    }

    #[test]
    fn content_is_known_by_a_link_to_it() {
        for wanted in [1, 2, 100] {
            check_linked(wanted, |_, _| (), true);
            check_linked(wanted, |_, link| std::fs::remove_file(link).unwrap(), true);
            check_linked(wanted, |_, link| std::fs::rename(link.with_file_name("jello"), link).unwrap(), true);
            let write = |_: &Path, link: &Path| {
                set_mode(link, 0o644).unwrap();
                std::fs::write(link, b"cello").unwrap();
            };
            check_linked(wanted, write, false);
            let cut = |content: &Path, _: &Path| {
                set_mode(content, 0o644).unwrap();
                std::fs::write(content, b"hell").unwrap();
            };
            check_linked(wanted, cut, false);
        }
    }

    #[test]
    fn what_was_cut_short_is_replaced() {
        let (directory, blobs) = store();
        std::fs::write(blobs.path(&Digest::of(b"hello")), b"hel").unwrap();
        let file = directory.path().join("made");
        std::fs::write(&file, b"hello").unwrap();
        let blob = blobs.take(&file).unwrap();
        assert_eq!(std::fs::read(blob.path).unwrap(), b"hello");
    }
}
