//! What the fingerprints of tasks were made of, when they ran last and the time before: so that one can be told what changed.
//! Read by nobody but who asks why; a run that finds all fresh does not touch it. Does not know what the parts mean.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::ops::Range;
use std::path::PathBuf;

use forge_schemas::{Digest, Failure};
use serde::{Deserialize, Serialize};

use super::atomic::write_beside;

/// The first bytes of a digest: enough to tell two of one name apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Mark([u8; 6]);

/// Parts by what they are called.
type Marks = BTreeMap<String, Mark>;

/// What a fingerprint is made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parts {
    /// All but source files, by what it is called.
    pub words: Marks,
    /// The source files by path.
    pub files: Marks,
}

/// One part that is not what it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// What it is called.
    pub part: String,
    /// What it was; none where it is new.
    pub before: Option<Mark>,
    /// What it is; none where it is gone.
    pub now: Option<Mark>,
}

/// The parts of tasks that ran, in the order in which they ended. An append-only log, cut down to what is asked for when it
/// has grown large.
pub struct PartsLog {
    path: PathBuf,
    file: File,
    bytes: Vec<u8>,
    entries: Vec<Range<usize>>,
    /// Lists of files that are in the log already.
    known: HashSet<Sum>,
}

/// An entry of the log. Tasks that read the same files share the list of them.
#[derive(Debug, Serialize, Deserialize)]
enum Entry {
    Files(Marks),
    Task { task: String, words: Marks, files: Sum },
}

/// A checksum: it guards an entry, and names a list of files.
type Sum = [u8; 8];

/// Length and checksum of an entry.
const PREFIX: usize = 4 + 8;
/// In bytes: beyond this the log is cut down when it is opened.
const LARGE: usize = 32 << 20;
/// How many times a task ran are kept.
const KEPT: usize = 2;

impl Parts {
    /// What differs from `before`: what is not a source file first, each by name.
    pub fn changed_since(&self, before: &Parts) -> Vec<Changed> {
        let words = changes(&before.words, &self.words, "");
        words.chain(changes(&before.files, &self.files, "source ")).collect()
    }
}

fn changes<'p>(before: &'p Marks, now: &'p Marks, prefix: &'p str) -> impl Iterator<Item = Changed> + 'p {
    let names: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    names.into_iter().filter(|name| before.get(*name) != now.get(*name)).map(move |name| Changed {
        part: format!("{prefix}{name}"),
        before: before.get(name).copied(),
        now: now.get(name).copied(),
    })
}

impl PartsLog {
    /// The log in this file. What a crash has torn off its end is cut away.
    pub fn open(path: PathBuf) -> Result<PartsLog, Failure> {
        let log = PartsLog::read(&path).map_err(|error| Failure::file("read", &path, &error))?;
        match log.bytes.len() > LARGE {
            true => log.cut_down().map_err(|error| Failure::file("write", &path, &error)),
            false => Ok(log),
        }
    }

    fn read(path: &std::path::Path) -> io::Result<PartsLog> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let mut bytes = std::fs::read(path)?;
        let (mut entries, mut known, mut whole) = (Vec::new(), HashSet::new(), 0);
        while let Some(body) = entry(&bytes, whole) {
            whole = body.end;
            known.insert(sum(&bytes[body.clone()]));
            entries.push(body);
        }
        if whole < bytes.len() {
            file.set_len(whole as u64)?;
            bytes.truncate(whole);
        }
        Ok(PartsLog { path: path.to_path_buf(), file, bytes, entries, known })
    }

    /// Notes what a task was that has just run.
    pub fn note(&mut self, task: &str, parts: Parts) -> Result<(), Failure> {
        let files = encode(&Entry::Files(parts.files));
        let key = sum(&files);
        let task = encode(&Entry::Task { task: task.to_owned(), words: parts.words, files: key });
        let mut bytes = Vec::with_capacity(files.len() + task.len() + 2 * PREFIX);
        if self.known.insert(key) {
            frame(&mut bytes, &files);
        }
        frame(&mut bytes, &task);
        self.file.write_all(&bytes).map_err(|error| Failure::file("write", &self.path, &error))
    }

    /// What tasks were the last times that they ran, as far as the log knew when it was opened: the last first.
    pub fn last(&self) -> HashMap<String, Vec<Parts>> {
        let mut files: HashMap<Sum, Marks> = HashMap::new();
        let mut tasks: HashMap<String, Vec<(Marks, Sum)>> = HashMap::new();
        for (sum, entry) in self.decoded() {
            match entry {
                Entry::Files(list) => drop(files.insert(sum, list)),
                Entry::Task { task, words, files } => tasks.entry(task).or_default().push((words, files)),
            }
        }
        let whole = |(words, sum)| Parts { words, files: files.get(&sum).cloned().unwrap_or_default() };
        let kept = |runs: Vec<_>| runs.into_iter().rev().take(KEPT).map(whole).collect();
        tasks.into_iter().map(|(task, runs)| (task, kept(runs))).collect()
    }

    fn decoded(&self) -> impl Iterator<Item = (Sum, Entry)> {
        let bodies = self.entries.iter().map(|range| &self.bytes[range.clone()]);
        bodies.filter_map(|body| Some((sum(body), postcard::from_bytes(body).ok()?)))
    }

    fn cut_down(self) -> io::Result<PartsLog> {
        let mut left: HashMap<String, usize> = HashMap::new();
        let mut wanted = HashSet::new();
        let mut kept: Vec<Vec<u8>> = Vec::new();
        let entries: Vec<(Sum, Entry)> = self.decoded().collect();
        for (sum, entry) in entries.iter().rev() {
            let is_kept = match entry {
                // A list stands before the first task that shares it: it is met after all of them.
                Entry::Files(_) => wanted.remove(sum),
                Entry::Task { task, files, .. } => {
                    let runs = left.entry(task.clone()).or_default();
                    *runs += 1;
                    if *runs <= KEPT {
                        wanted.insert(*files);
                    }
                    *runs <= KEPT
                }
            };
            if is_kept {
                kept.push(encode(entry));
            }
        }
        let mut bytes = Vec::new();
        kept.iter().rev().for_each(|body| frame(&mut bytes, body));
        write_beside(&self.path, &bytes)?;
        PartsLog::read(&self.path)
    }
}

fn encode(entry: &Entry) -> Vec<u8> {
    postcard::to_stdvec(entry).unwrap_or_default()
}

fn frame(bytes: &mut Vec<u8>, body: &[u8]) {
    bytes.extend((body.len() as u32).to_le_bytes());
    bytes.extend(sum(body));
    bytes.extend(body);
}

fn entry(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let (length, rest) = bytes.get(at..)?.split_first_chunk::<4>()?;
    let (expected, rest) = rest.split_first_chunk::<8>()?;
    let body = rest.get(..u32::from_le_bytes(*length) as usize)?;
    (sum(body) == *expected).then(|| at + PREFIX..at + PREFIX + body.len())
}

fn sum(body: &[u8]) -> Sum {
    Digest::of(body).bytes().first_chunk().copied().unwrap_or_default()
}

impl From<Digest> for Mark {
    fn from(digest: Digest) -> Mark {
        Mark(digest.bytes().first_chunk().copied().unwrap_or_default())
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(words: &[(&str, &str)], files: &[(&str, &str)]) -> Parts {
        let list = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, text)| ((*name).to_owned(), Digest::of(text.as_bytes()).into())).collect()
        };
        Parts { words: list(words), files: list(files) }
    }

    #[test]
    fn the_last_two_times_come_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("parts");
        let three = ["1", "2", "3"].map(|it| parts(&[("a", it)], &[("f", "same")]));
        for parts in &three {
            PartsLog::open(path.clone()).unwrap().note("task", parts.clone()).unwrap();
        }
        let log = PartsLog::open(path.clone()).unwrap();
        assert_eq!(log.last()["task"], [three[2].clone(), three[1].clone()]);
        assert_eq!(log.entries.len(), 4, "the list of files is there once");
        let cut = log.cut_down().unwrap();
        assert_eq!(cut.last()["task"], [three[2].clone(), three[1].clone()]);
        assert_eq!(cut.entries.len(), 3);
    }

    #[test]
    fn a_torn_tail_is_cut_and_written_over() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("parts");
        let (one, two) = (parts(&[("a", "1")], &[]), parts(&[("a", "2")], &[]));
        PartsLog::open(path.clone()).unwrap().note("one", one.clone()).unwrap();
        let whole = std::fs::read(&path).unwrap();
        PartsLog::open(path.clone()).unwrap().note("two", two.clone()).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        for length in whole.len()..bytes.len() {
            std::fs::write(&path, &bytes[..length]).unwrap();
            PartsLog::open(path.clone()).unwrap().note("two", two.clone()).unwrap();
            let last = PartsLog::open(path.clone()).unwrap().last();
            assert_eq!(last["one"], std::slice::from_ref(&one), "cut at {length}");
            assert_eq!(last["two"], std::slice::from_ref(&two), "cut at {length}");
        }
    }

    #[test]
    fn what_changed() {
        let before = parts(&[("a", "1"), ("gone", "1"), ("same", "1")], &[("f", "1")]);
        let now = parts(&[("a", "2"), ("new", "1"), ("same", "1")], &[("f", "2")]);
        let changed = now.changed_since(&before);
        let names: Vec<(&str, bool, bool)> =
            changed.iter().map(|it| (it.part.as_str(), it.before.is_some(), it.now.is_some())).collect();
        assert_eq!(names, [("a", true, true), ("gone", true, false), ("new", false, true), ("source f", true, true)]);
        assert_eq!(now.changed_since(&now), []);
    }
}
