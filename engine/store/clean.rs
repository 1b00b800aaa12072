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
    removed.entries = all - kept.len();
    let named = kept.iter().flat_map(|it| &it.content).map(|(digest, _)| *digest);
    let needed = reachable(named.chain(named_outside(folder, dist)), &blobs);
    // The record first: killed after this, some content has no name. The other way round, some names would have no content.
    let shrink = || if kept.len() < all { record.rewrite(&kept) } else { Ok(()) };
    let shrunk = shrink();
    removed.remove_content(&blobs, &needed)?;
    // Where the disk was too full for it, there is room now.
    shrunk.or_else(|_| shrink())?;
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

// The tasks that were done or fresh in this run or a later one. None if that is not known of one of them: it was killed, or
// could not go on.
fn used_since(folder: &Folder, first: &str) -> Option<HashSet<u64>> {
    let mut used = HashSet::new();
    for run in runs(folder, |name| name >= first) {
        let report: RunReport = serde_json::from_slice(&std::fs::read(run.join("report.json")).ok()?).ok()?;
        if report.tasks.is_empty() {
            return None;
        }
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

#[cfg(test)]
mod tests {
    use forge_schemas::{Artifact, TableName, TaskEntry};

    use super::*;

    /// A project in which tasks were done by hand.
    struct Made {
        directory: tempfile::TempDir,
        folder: Folder,
        dist: Dist,
        blobs: Blobs,
    }

    impl Made {
        fn new() -> Made {
            let directory = tempfile::tempdir().unwrap();
            let folder = Folder::of_project(directory.path()).unwrap();
            let blobs = Blobs::open(folder.store()).unwrap();
            Made { dist: Dist::of_project(directory.path()), directory, folder, blobs }
        }

        fn content(&self, content: &str) -> forge_schemas::Blob {
            let file = self.directory.path().join("made");
            std::fs::write(&file, content).unwrap();
            self.blobs.take(&file).unwrap()
        }

        /// The task has made this, and a layer that all tasks share.
        fn task(&self, task: &str, content: &str) {
            let blob = self.content(content);
            let artifact = Artifact {
                name: task.to_owned(),
                kind: "x".to_owned(),
                platform: None,
                table: TableName::new("x", task),
                digest: blob.digest,
                size: blob.size,
                path: blob.path,
                executable: false,
                blobs: vec![self.content("shared")],
                detail: serde_json::Value::Null,
            };
            let mut record = Record::open(self.folder.file("record")).unwrap();
            record.note(Digest::of(content.as_bytes()), task, 1, &[artifact]).unwrap();
        }

        fn run(&self, name: &str, tasks: &[(&str, Outcome)]) {
            let entry = |(task, outcome): &(&str, Outcome)| TaskEntry {
                task: (*task).to_owned(),
                outcome: outcome.clone(),
                took: 1,
            };
            let tasks: Vec<TaskEntry> = tasks.iter().map(entry).collect();
            let report = serde_json::json!({ "version": "1", "tasks": tasks });
            self.write(&format!(".forge/runs/{name}/report.json"), &serde_json::to_string(&report).unwrap());
        }

        fn write(&self, path: &str, text: &str) {
            let path = self.directory.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }

        fn holds(&self, content: &str) -> bool {
            self.blobs.path(&Digest::of(content.as_bytes())).exists()
        }

        /// Removes what is useless, and then must hold these contents and no others of `all`.
        #[track_caller]
        fn check(&self, first_run: Option<&str>, all: &[&str], expect: &[&str]) -> Removed {
            let removed = clean(&self.folder, &self.dist, first_run).unwrap();
            let held: Vec<&str> = all.iter().copied().filter(|it| self.holds(it)).collect();
            assert_eq!(held, expect);
            assert!(missing(self).is_empty(), "an entry without its content");
            assert_eq!(
                clean(&self.folder, &self.dist, first_run).unwrap(),
                Removed::default(),
                "all was removed at once"
            );
            removed
        }
    }

    /// Content that the record names and the store has not.
    fn missing(made: &Made) -> Vec<Digest> {
        let record = Record::open(made.folder.file("record")).unwrap();
        let content = record.standing().flat_map(|it| it.content);
        content.map(|(digest, _)| digest).filter(|it| !made.blobs.path(it).exists()).collect()
    }

    #[test]
    fn an_entry_without_its_content_is_found_and_removed() {
        let made = Made::new();
        made.task("a", "one");
        assert!(missing(&made).is_empty());
        std::fs::remove_file(made.blobs.path(&Digest::of(b"one"))).unwrap();
        assert_eq!(missing(&made), [Digest::of(b"one")]);
        let removed = made.check(None, &["one", "shared"], &[]);
        assert_eq!((removed.entries, removed.content), (1, 1));
    }

    #[test]
    fn what_a_later_entry_has_superseded_goes_with_its_content() {
        let made = Made::new();
        for (task, content) in [("a", "one"), ("b", "two"), ("a", "three"), ("c", "one")] {
            made.task(task, content);
        }
        let all = ["one", "two", "three", "shared"];
        let removed = made.check(None, &all, &all);
        assert_eq!((removed.entries, removed.content), (1, 0), "another task has made the same");
        made.task("c", "four");
        let removed = made.check(None, &["one", "two", "three", "four", "shared"], &["two", "three", "four", "shared"]);
        assert_eq!((removed.entries, removed.content, removed.bytes), (1, 1, 3));
    }

    #[test]
    fn what_the_lists_and_the_journal_name_stays_with_all_that_it_leads_to() {
        for path in [".forge/journal", ".forge/journal.damaged", ".forge/store/index.json", "dist/artifacts.json"] {
            let made = Made::new();
            let layer = made.content("layer");
            let manifest = made.content(&format!("{{\"layers\":[\"{}\"]}}", layer.digest));
            made.content("nobody's");
            made.write(path, &format!("{{\"digest\": \"{}\"}}", manifest.digest));
            made.check(None, &["layer", "nobody's"], &["layer"]);
            assert!(manifest.path.exists());
        }
    }

    const RUNS: [&str; 3] = ["20240101T000000Z-1", "20240201T000000Z-1", "20240301T000000Z-1"];

    fn three_runs() -> Made {
        let made = Made::new();
        let failed = || Outcome::Failed { failure: Failure::input("no") };
        for (task, content) in [("a", "one"), ("b", "two"), ("c", "three")] {
            made.task(task, content);
        }
        made.run(RUNS[0], &[("a", Outcome::Done), ("b", Outcome::Done), ("c", Outcome::Done)]);
        made.run(RUNS[1], &[("a", Outcome::Fresh), ("b", failed())]);
        made.run(RUNS[2], &[("c", Outcome::Fresh), ("b", Outcome::Skipped { because: String::new() })]);
        made
    }

    #[test]
    fn what_no_run_has_used_for_long_goes_with_the_runs() {
        let check = |first: &str, expect: &[&str], runs_left: usize| {
            let made = three_runs();
            let removed = made.check(Some(first), &["one", "two", "three", "shared"], expect);
            assert_eq!(removed.runs, 3 - runs_left);
            assert_eq!(runs(&made.folder, |_| true).len(), runs_left);
        };
        check("20230101T000000Z", &["one", "two", "three", "shared"], 3);
        check("20240115T000000Z", &["one", "three", "shared"], 2);
        check("20240215T000000Z", &["three", "shared"], 1);
        check("20250101T000000Z", &[], 0);
    }

    #[test]
    fn after_a_run_of_which_nothing_is_known_all_counts_as_used() {
        for report in ["", "{}", r#"{"version":"1","tasks":[]}"#] {
            let made = three_runs();
            made.write(&format!(".forge/runs/{}/report.json", RUNS[2]), report);
            made.check(Some("20240215T000000Z"), &["one", "two", "three"], &["one", "two", "three"]);
        }
    }

    #[test]
    fn what_is_left_over_goes_and_what_is_not_ours_stays() {
        let made = three_runs();
        let left =
            ["work/0/x", "damaged/abc", "record.damaged", "record.damaged.2", "runs/20240101T000000Z-1/.forge-x"];
        for path in left {
            made.write(&format!(".forge/{path}"), "12345");
        }
        made.write("dist/sub/.forge-y", "12345");
        let ours =
            ["runs/notes/x", "runs/20240101/x", "store/blobs/sha256/README", "cargo/x", "notes/x.json", "hashes"];
        for path in ours {
            made.write(&format!(".forge/{path}"), "");
        }
        let removed = made.check(Some("20230101T000000Z"), &[], &[]);
        assert_eq!((removed.others, removed.runs, removed.bytes), (6, 0, 30));
        let is_there = |path: &&str| made.folder.file(path).exists();
        assert!(!left.iter().any(is_there));
        assert!(ours.iter().all(is_there));
    }

    #[test]
    fn a_file_that_others_have_too_makes_no_room() {
        let made = Made::new();
        let blob = made.content("nobody's");
        std::fs::hard_link(&blob.path, made.directory.path().join("mine")).unwrap();
        let removed = made.check(None, &["nobody's"], &[]);
        assert_eq!((removed.content, removed.bytes), (1, 0));
    }
}
