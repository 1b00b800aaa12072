//! Removes what nobody needs any more: by reachability, from the record, the lists and the journal.
//! Does not know when a run was: names of runs sort by it. Its callers hold the lock, so that no forge runs meanwhile.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use forge_schemas::{Digest, Failure, Outcome, RunReport};

use super::atomic::is_left_over;
use super::reach::{named_in, reachable};
use super::record::{Standing, task_key};
use super::{Blobs, Dist, Folder, Record};

/// What was removed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Files of the store.
    pub content: usize,
    /// Entries of the record.
    pub entries: usize,
    /// Folders of runs.
    pub runs: usize,
    /// Other files and directories.
    pub others: usize,
    /// How much room that has made, in bytes.
    pub bytes: u64,
}

impl Removed {
    /// Whether there was nothing to remove.
    pub fn is_nothing(&self) -> bool {
        *self == Removed::default()
    }
}

/// Removes what earlier states of the project have made and the present one has not: entries of the record that a later one of
/// the same task has superseded, content that nothing names, and what was left over or set aside. Given the name of a run,
/// also the runs before it, and what no run since then has used.
pub fn clean(folder: &Folder, dist: &Dist, first_run: Option<&str>) -> Result<Removed, Failure> {
    let mut removed = Removed::default();
    let blobs = Blobs::open(folder.store())?;
    let record = Record::open(folder.file("record"))?;
    let kept = kept(&record, &blobs, first_run.and_then(|first| used_since(folder, first)).as_ref());
    let all = record.standing().count();
    // The record first: killed after this, some content has no name. The other way round, some names would have no content.
    if kept.len() < all {
        record.rewrite(&kept)?;
        removed.entries = all - kept.len();
    }
    let named = kept.iter().flat_map(|it| &it.content).map(|(digest, _)| *digest);
    let needed = reachable(named.chain(named_outside(folder, dist)), &blobs);
    removed.remove_content(&blobs, &needed)?;
    for run in first_run.map_or_else(Vec::new, |first| runs(folder, |name| name < first)) {
        removed.runs += usize::from(removed.remove(&run)?);
    }
    for path in useless(folder, dist) {
        removed.others += usize::from(removed.remove(&path)?);
    }
    Ok(removed)
}

/// Removes the folder, and what forge has put under `dist/`. What others put there stays.
pub fn clean_all(folder: &Folder, dist: &Dist) -> Result<Removed, Failure> {
    let mut removed = Removed::default();
    for path in dist.shown().into_iter().chain(dist.left_over()) {
        removed.others += usize::from(removed.remove(&path)?);
        dist.prune(&path);
    }
    let blobs = Blobs::open(folder.store())?;
    removed.entries = Record::open(folder.file("record"))?.standing().count();
    removed.remove_content(&blobs, &HashSet::new())?;
    for run in runs(folder, |_| true) {
        removed.runs += usize::from(removed.remove(&run)?);
    }
    let root = folder.file("");
    let lock = folder.file("lock");
    for path in entries(&root).into_iter().filter(|it| *it != lock) {
        removed.remove(&path)?;
    }
    // The lock last: until then nobody else is here.
    removed.remove(&lock)?;
    let _ = std::fs::remove_dir(&root);
    Ok(removed)
}

// The last entry of each task, if it was used and all that it names is there.
fn kept<'r>(record: &'r Record, blobs: &Blobs, used: Option<&HashSet<u64>>) -> Vec<Standing<'r>> {
    let last: HashMap<u64, usize> = record.standing().enumerate().map(|(at, entry)| (entry.task, at)).collect();
    let is_there = |(digest, size): &(Digest, u64)| {
        std::fs::metadata(blobs.path(digest)).is_ok_and(|it| it.is_file() && it.len() == *size)
    };
    let is_kept = |at: usize, entry: &Standing<'_>| {
        last.get(&entry.task) == Some(&at)
            && used.is_none_or(|used| used.contains(&entry.task))
            && entry.content.iter().all(is_there)
    };
    record.standing().enumerate().filter(|(at, entry)| is_kept(*at, entry)).map(|(_, entry)| entry).collect()
}

// The tasks that were done or fresh in this run or a later one. None if that is not known of one of them: it was killed.
fn used_since(folder: &Folder, first: &str) -> Option<HashSet<u64>> {
    let mut used = HashSet::new();
    for run in runs(folder, |name| name >= first) {
        let report: RunReport = serde_json::from_slice(&std::fs::read(run.join("report.json")).ok()?).ok()?;
        let good = report.tasks.iter().filter(|it| matches!(it.outcome, Outcome::Done | Outcome::Fresh));
        used.extend(good.map(|it| task_key(&it.task)));
    }
    Some(used)
}

// What is named by others than the record: by the lists, and by what was announced to registries.
fn named_outside(folder: &Folder, dist: &Dist) -> Vec<Digest> {
    let lists = [folder.store().join("index.json"), dist.artifacts_json()];
    let journals = entries(&folder.file("")).into_iter().filter(|it| file_name(it).starts_with("journal"));
    lists.into_iter().chain(journals).flat_map(|it| named_in(&it)).collect()
}

// What is there although no forge runs, or was set aside for people to look at.
fn useless(folder: &Folder, dist: &Dist) -> Vec<PathBuf> {
    let mut useless = entries(&folder.work());
    useless.extend(entries(&folder.file("")).into_iter().filter(|it| file_name(it).starts_with("record.damaged")));
    useless.extend(entries(&folder.damaged()));
    let half_written = runs(folder, |_| true).into_iter().flat_map(|it| entries(&it));
    useless.extend(half_written.filter(|it| it.file_name().is_some_and(is_left_over)));
    useless.extend(dist.left_over());
    useless
}

/// Folders of runs whose names are so, sorted by when they began.
fn runs(folder: &Folder, is_so: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let is_run =
        |name: &str| matches!(name.as_bytes(), [day @ .., b'T', _, _, _, _, _, _, b'Z', b'-'] if day.len() == 8);
    let runs = entries(&folder.runs()).into_iter();
    runs.filter(|it| file_name(it).get(..17).is_some_and(is_run) && is_so(&file_name(it))).collect()
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|it| it.path()).collect();
    paths.sort_unstable();
    paths
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

impl Removed {
    fn remove_content(&mut self, blobs: &Blobs, needed: &HashSet<Digest>) -> Result<(), Failure> {
        for (digest, path) in blobs.all()? {
            if !needed.contains(&digest) {
                self.content += usize::from(self.remove(&path)?);
            }
        }
        Ok(())
    }

    // Answers whether there was anything.
    fn remove(&mut self, path: &Path) -> Result<bool, Failure> {
        let failure = |error: std::io::Error| Failure::file("remove", path, &error);
        let metadata = match std::fs::symlink_metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(failure(error)),
        };
        self.bytes += room(path, &metadata);
        match metadata.is_dir() {
            true => std::fs::remove_dir_all(path).map_err(failure)?,
            false => std::fs::remove_file(path).map_err(failure)?,
        }
        Ok(true)
    }
}

// A file that has another name as well makes no room when it goes.
fn room(path: &Path, metadata: &std::fs::Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let mut waiting = vec![(path.to_path_buf(), metadata.clone())];
    let mut bytes = 0;
    while let Some((path, metadata)) = waiting.pop() {
        match metadata.is_dir() {
            true => {
                let inside = entries(&path).into_iter();
                waiting.extend(inside.filter_map(|it| std::fs::symlink_metadata(&it).ok().map(|stat| (it, stat))));
            }
            false if metadata.nlink() == 1 => bytes += metadata.len(),
            false => {}
        }
    }
    bytes
}
