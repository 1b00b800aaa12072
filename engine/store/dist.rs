//! `dist/`: what a person wants to look at, by readable names, as hard links into the store (copies where links can't be).
//! What forge put there and no run makes any more is removed; what others put there stays.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};

use forge_schemas::{Artifact, ArtifactEntry, ArtifactList, BlobEntry, Digest, Facts, Failure, Metadata};

use super::atomic::{clear_left_over, is_left_over, set_mode, write_beside};
use super::elsewhere::elsewhere;
use super::{Blobs, Directory, Folder, Stat};

/// The directory `dist/` of a project.
#[derive(Debug)]
pub struct Dist {
    root: Directory,
}

/// What becomes of artifacts of earlier runs that this one has not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Earlier {
    /// They stay: only a part of the plan ran, or not all went well.
    Keep,
    /// Nobody makes them any more.
    Forget,
}

/// What the lists are to say.
pub struct Lists<'a> {
    /// A digest of all that can be said of the artifacts.
    pub artifacts: Digest,
    /// The facts.
    pub facts: &'a Facts,
    /// What becomes of earlier artifacts.
    pub earlier: Earlier,
}

impl Dist {
    /// That of the project in this directory.
    pub fn of_project(directory: &Path) -> Dist {
        Dist { root: Directory::at(directory.join("dist")) }
    }

    /// Shows an artifact under its name.
    pub fn show(&self, artifact: &Artifact) -> Result<(), Failure> {
        let file = std::fs::metadata(&artifact.path);
        let file = Stat::of(&file.map_err(|error| Failure::file("read", &artifact.path, &error))?);
        match self.shown_as(&artifact.name).is_some_and(|it| it.is_same_file(&file)) {
            true => Ok(()),
            false => self.show_file(artifact, &file),
        }
    }

    /// The file system that it is on; none where it is not there.
    pub fn device(&self) -> Option<u64> {
        self.root.device()
    }

    /// What lies there under the name of an artifact.
    pub fn shown_as(&self, name: &str) -> Option<Stat> {
        self.root.stat_link(name).ok()
    }

    fn show_file(&self, artifact: &Artifact, file: &Stat) -> Result<(), Failure> {
        let path = self.path(&artifact.name)?;
        link(artifact, file, &path).map_err(|error| Failure::file("write", &path, &error))
    }

    /// Writes `artifacts.json`, `metadata.json` and the index of the store, unless the last run wrote the same. The artifacts
    /// are asked for where it did not.
    pub fn write_lists<'a>(
        &self,
        lists: &Lists<'_>,
        folder: &Folder,
        artifacts: impl FnOnce(&Blobs) -> Vec<&'a Artifact>,
    ) -> Result<(), Failure> {
        let (said, memory) = (lists.said()?, folder.file("lists"));
        if std::fs::read_to_string(&memory).is_ok_and(|it| self.note(&said, folder).is_some_and(|note| note == it)) {
            return Ok(());
        }
        let blobs = Blobs::open(folder.store())?;
        let artifacts = artifacts(&blobs);
        blobs.write_index(&artifacts)?;
        self.write_own_lists(lists, &artifacts)?;
        let note = self.note(&said, folder).unwrap_or_default();
        write_beside(&memory, note.as_bytes()).map_err(|error| Failure::file("write", &memory, &error))
    }

    fn write_own_lists(&self, lists: &Lists<'_>, artifacts: &[&Artifact]) -> Result<(), Failure> {
        let root = self.root.path();
        std::fs::create_dir_all(root).map_err(|error| Failure::file("make", root, &error))?;
        // What a kill has left there: the lists of whoever was killed are to be written again.
        clear_left_over(root);
        let mut entries: Vec<ArtifactEntry> = artifacts.iter().map(|it| self.entry(it)).collect();
        let made: BTreeSet<String> = entries.iter().map(|it| it.name.clone()).collect();
        for old in self.list().artifacts.into_iter().filter(|old| !made.contains(&old.name)) {
            match lists.earlier {
                Earlier::Forget => self.hide(&old.name),
                Earlier::Keep => entries.push(old),
            }
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        let metadata = Metadata { facts: lists.facts.clone(), forge: env!("CARGO_PKG_VERSION").to_owned() };
        self.write(ARTIFACTS, &ArtifactList { artifacts: entries })?;
        self.write(METADATA, &metadata)
    }

    /// What earlier runs have made; nothing where the list is missing or not ours.
    pub fn list(&self) -> ArtifactList {
        self.read_list().unwrap_or(ArtifactList { artifacts: Vec::new() })
    }

    fn write(&self, name: &str, value: &impl serde::Serialize) -> Result<(), Failure> {
        let path = self.root.path().join(name);
        let mut bytes = serde_json::to_vec_pretty(value).map_err(|error| Failure::bug(error.to_string()))?;
        bytes.push(b'\n');
        if std::fs::read(&path).is_ok_and(|old| old == bytes) {
            return Ok(());
        }
        write_beside(&path, &bytes).map_err(|error| Failure::file("write", &path, &error))
    }

    // What the lists say, and which files say it. None where these are not there.
    fn note(&self, said: &Digest, folder: &Folder) -> Option<String> {
        let mut note = said.to_string();
        for path in [self.artifacts_json(), self.root.path().join(METADATA), folder.store().join("index.json")] {
            let stat = std::fs::metadata(path).ok()?;
            note += &format!(" {} {} {}.{}", stat.ino(), stat.len(), stat.mtime(), stat.mtime_nsec());
        }
        Some(note)
    }

    fn entry(&self, artifact: &Artifact) -> ArtifactEntry {
        ArtifactEntry {
            name: artifact.name.clone(),
            kind: artifact.kind.clone(),
            platform: artifact.platform.clone(),
            path: format!("dist/{}", artifact.name),
            digest: artifact.digest,
            size: artifact.size,
            size_in_all: artifact.size_in_all(),
            table: artifact.table.clone(),
            blobs: artifact.blobs.iter().map(|it| BlobEntry { digest: it.digest, size: it.size }).collect(),
            elsewhere: elsewhere(artifact),
            detail: artifact.detail.clone(),
        }
    }

    fn path(&self, name: &str) -> Result<PathBuf, Failure> {
        let relative = Path::new(name);
        let inside = relative.components().all(|it| matches!(it, Component::Normal(_)));
        match inside && !name.is_empty() {
            true => Ok(self.root.path().join(relative)),
            false => Err(Failure::bug(format!("an artifact can't be called `{name}`: names are relative paths"))),
        }
    }

    fn hide(&self, name: &str) {
        let Ok(path) = self.path(name) else { return };
        let _ = std::fs::remove_file(&path);
        self.prune(&path);
    }

    /// Removes the directories around a file that is gone, as far as they are empty now.
    pub fn prune(&self, path: &Path) {
        let around = path.ancestors().skip(1).take_while(|it| it.starts_with(self.root.path()));
        // The first that is not empty ends the walk.
        for directory in around {
            if std::fs::remove_dir(directory).is_err() {
                break;
            }
        }
    }

    /// Where the list of artifacts lies.
    pub fn artifacts_json(&self) -> PathBuf {
        self.root.path().join(ARTIFACTS)
    }

    /// What forge has put there: what its list names, and the lists. Nothing where the list is not ours.
    pub fn shown(&self) -> Vec<PathBuf> {
        let Some(list) = self.read_list() else { return Vec::new() };
        let artifacts = list.artifacts.iter().filter_map(|it| self.path(&it.name).ok());
        artifacts.chain([ARTIFACTS, METADATA].map(|it| self.root.path().join(it))).collect()
    }

    /// What a kill has left beside what is shown.
    pub fn left_over(&self) -> Vec<PathBuf> {
        let (mut found, mut waiting) = (Vec::new(), vec![self.root.path().to_path_buf()]);
        while let Some(directory) = waiting.pop() {
            for entry in std::fs::read_dir(&directory).into_iter().flatten().flatten() {
                match entry.file_type().is_ok_and(|it| it.is_dir()) {
                    true => waiting.push(entry.path()),
                    false if is_left_over(&entry.file_name()) => found.push(entry.path()),
                    false => {}
                }
            }
        }
        found
    }

    fn read_list(&self) -> Option<ArtifactList> {
        serde_json::from_slice(&std::fs::read(self.artifacts_json()).ok()?).ok()
    }
}

const ARTIFACTS: &str = "artifacts.json";
const METADATA: &str = "metadata.json";

impl Lists<'_> {
    fn said(&self) -> Result<Digest, Failure> {
        let Lists { artifacts, facts, earlier } = self;
        let facts = serde_json::to_string(facts).map_err(|error| Failure::bug(error.to_string()))?;
        Ok(Digest::of(format!("{artifacts} {facts} {earlier:?} {}", env!("CARGO_PKG_VERSION")).as_bytes()))
    }
}

/// Whether the owner may execute a file.
pub fn is_executable(path: &Path) -> io::Result<bool> {
    Ok(std::fs::metadata(path)?.permissions().mode() & 0o100 != 0)
}

fn link(artifact: &Artifact, source: &Stat, path: &Path) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    let beside = path.with_file_name(format!(".forge-{}", artifact.digest.short()));
    let _ = std::fs::remove_file(&beside);
    let shown = place(artifact, source, &beside).and_then(|()| std::fs::rename(&beside, path));
    if shown.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    shown
}

fn place(artifact: &Artifact, source: &Stat, beside: &Path) -> io::Result<()> {
    let shares_mode = source.is_executable() == artifact.executable;
    if shares_mode && std::fs::hard_link(&artifact.path, beside).is_ok() {
        return Ok(());
    }
    std::fs::copy(&artifact.path, beside)?;
    set_mode(beside, if artifact.executable { 0o755 } else { 0o644 })
}
