//! The journal of publication: what was about to be done to the world, and what is known to be done. Lines of text, each
//! with a checksum, synced as they are written.
//! Does not know what became of an intent that has no end: who asks the other side does.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use forge_schemas::{Digest, Effect, Failure, FailureClass, Finding};
use serde::{Deserialize, Serialize};

use super::atomic::sync_directory;

/// The first line; the number grows when an older forge could not read what follows.
const HEADER: &str = "forge-journal-";
const FORMAT: u32 = 1;

/// The journal of a project.
pub struct Journal {
    path: PathBuf,
    /// Opened when the first line is written: who publishes nothing has no journal.
    file: Option<File>,
    /// The release that was begun last, unless it came to its end.
    begun: Option<Begun>,
    /// What was cut off, for people.
    torn: Option<String>,
    /// Whether a line could not be written. What the disk has then is not known, and a later line that it takes would say
    /// nothing of this one.
    is_lost: bool,
}

/// A release that was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begun {
    /// What it was to be.
    pub release: Release,
    /// Tasks that were about to act.
    pub intents: BTreeMap<String, Intent>,
    /// Those of them that have.
    pub done: BTreeSet<String>,
}

/// What a release is to be. Two that are equal end equal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// The project's version.
    pub version: String,
    /// The commit.
    pub commit: String,
    /// Of all tasks of the plan.
    pub plan: Digest,
    /// What says which tables have changed: a digest each.
    pub tables: BTreeMap<String, String>,
}

/// A task that was about to act, and what it had found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// Whether anybody can see what it does.
    pub effect: Effect,
    /// What lay where it was to put something.
    pub found: Vec<Finding>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
enum Entry {
    Begin { release: Release },
    Intent { task: String, intent: Intent },
    Done { task: String },
    End,
}

impl Journal {
    /// The journal in this file, if there is one. What a crash has torn off its end is cut away by the next line that is
    /// written; anything else that is wrong with it is a failure, for it is all that is known of what the world has seen.
    pub fn open(path: PathBuf) -> Result<Journal, Failure> {
        let text = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(Failure::file("read", &path, &error)),
        };
        let mut journal = Journal { path, file: None, begun: None, torn: None, is_lost: false };
        journal.read(&text)?;
        Ok(journal)
    }

    /// The release that was begun and has not come to its end.
    pub fn begun(&self) -> Option<&Begun> {
        self.begun.as_ref()
    }

    /// What a crash has torn off its end, for people.
    pub fn torn(&self) -> Option<&str> {
        self.torn.as_deref()
    }

    /// From now on it is this release that is spoken of.
    pub fn begin(&mut self, release: &Release) -> Result<(), Failure> {
        if self.begun.as_ref().is_some_and(|begun| begun.release == *release) {
            return Ok(());
        }
        self.write(&Entry::Begin { release: release.clone() })
    }

    /// The task is about to act. Durable when this returns.
    pub fn intend(&mut self, task: &str, effect: Effect, found: &[Finding]) -> Result<(), Failure> {
        self.write(&Entry::Intent { task: task.to_owned(), intent: Intent { effect, found: found.to_vec() } })
    }

    /// The task has acted, and what it did was seen. Durable when this returns.
    pub fn done(&mut self, task: &str) -> Result<(), Failure> {
        self.write(&Entry::Done { task: task.to_owned() })
    }

    /// All is done.
    pub fn end(&mut self) -> Result<(), Failure> {
        match self.begun {
            Some(_) => self.write(&Entry::End),
            None => Ok(()),
        }
    }

    fn read(&mut self, text: &[u8]) -> Result<(), Failure> {
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        if whole < text.len() {
            self.torn = Some(format!("the last line of `{}` was cut short; it is left out", self.path.display()));
        }
        let mut lines = text[..whole].split_inclusive(|byte| *byte == b'\n').map(|line| &line[..line.len() - 1]);
        match lines.next().map(format_of) {
            None | Some(Some(FORMAT)) => {}
            Some(Some(other)) => return Err(newer(&self.path, other)),
            Some(None) => return Err(damaged(&self.path, 1)),
        }
        for (at, line) in lines.enumerate() {
            let entry = parse(line).ok_or_else(|| damaged(&self.path, at + 2))?;
            self.tell(entry);
        }
        Ok(())
    }

    fn tell(&mut self, entry: Entry) {
        match (entry, &mut self.begun) {
            (Entry::Begin { release }, begun) => {
                *begun = Some(Begun { release, intents: BTreeMap::new(), done: BTreeSet::new() });
            }
            (Entry::Intent { task, intent }, Some(begun)) => {
                begun.done.remove(&task);
                begun.intents.insert(task, intent);
            }
            (Entry::Done { task }, Some(begun)) => drop(begun.done.insert(task)),
            (Entry::End, begun) => *begun = None,
            (_, None) => {}
        }
    }

    fn write(&mut self, entry: &Entry) -> Result<(), Failure> {
        if self.is_lost {
            return Err(lost(&self.path));
        }
        self.is_lost = true;
        self.append(entry)?;
        self.is_lost = false;
        Ok(())
    }

    fn append(&mut self, entry: &Entry) -> Result<(), Failure> {
        let failure = |path: &Path, error: io::Error| Failure::file("write", path, &error);
        let body = serde_json::to_string(entry).map_err(|error| Failure::bug(error.to_string()))?;
        let line = format!("{} {body}\n", checksum(body.as_bytes()));
        let mut file = match self.file.take() {
            Some(file) => file,
            None => append_to(&self.path).map_err(|error| failure(&self.path, error))?,
        };
        append(&mut file, line.as_bytes()).map_err(|error| failure(&self.path, error))?;
        self.file = Some(file);
        self.tell(serde_json::from_str(&body).map_err(|error| Failure::bug(error.to_string()))?);
        Ok(())
    }
}

impl Begun {
    /// What a task had found when it was about to act, if it was.
    pub fn intent(&self, task: &str) -> Option<&Intent> {
        self.intents.get(task)
    }

    /// Whether a task was about to publish, and nobody knows yet what became of that.
    pub fn is_open(&self) -> bool {
        self.intents.iter().any(|(task, it)| it.effect == Effect::Publish && !self.done.contains(task))
    }

    /// Whether anything was begun that the world can see.
    pub fn is_visible(&self) -> bool {
        self.intents.values().any(|it| it.effect == Effect::Publish)
    }
}

impl Release {
    /// How `self` differs from what was begun, for people, a line each.
    pub fn differences(&self, begun: &Release) -> Vec<String> {
        let mut lines = Vec::new();
        let mut differ = |what: &str, was: &str, is: &str| {
            if was != is {
                lines.push(format!("{what} was {was}, and is {is}"));
            }
        };
        differ("the version", &begun.version, &self.version);
        differ("the commit", &begun.commit, &self.commit);
        let names: BTreeSet<&String> = begun.tables.keys().chain(self.tables.keys()).collect();
        for name in names {
            match (begun.tables.get(name), self.tables.get(name)) {
                (Some(_), None) => lines.push(format!("`{name}` is gone")),
                (None, Some(_)) => lines.push(format!("`{name}` is new")),
                (was, is) if was != is => lines.push(format!("`{name}` has other steps")),
                _ => {}
            }
        }
        lines
    }
}

/// Opens the journal to write at its end, behind its last whole line.
fn append_to(path: &Path) -> io::Result<File> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
    let text = std::fs::read(path)?;
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    file.set_len(whole as u64)?;
    if whole == 0 {
        writeln!(file, "{HEADER}{FORMAT}")?;
        sync_directory(path.parent().unwrap_or(Path::new(".")))?;
    }
    Ok(file)
}

// Durable, or not there: what is written behind half a line would make the journal one that is damaged. Where it can't be
// taken back now, it is cut away before the next run writes.
fn append(file: &mut File, line: &[u8]) -> io::Result<()> {
    let end = file.metadata()?.len();
    let written = file.write_all(line).and_then(|()| file.sync_data());
    if written.is_err() {
        let _ = file.set_len(end);
    }
    written
}

fn format_of(line: &[u8]) -> Option<u32> {
    std::str::from_utf8(line).ok()?.strip_prefix(HEADER)?.parse().ok()
}

fn parse(line: &[u8]) -> Option<Entry> {
    let (sum, body) = line.split_at_checked(8)?;
    let body = body.strip_prefix(b" ")?;
    (checksum(body).as_bytes() == sum).then(|| serde_json::from_slice(body).ok()).flatten()
}

fn checksum(body: &[u8]) -> String {
    Digest::of(body).hex()[..8].to_owned()
}

fn newer(path: &Path, format: u32) -> Failure {
    let message = format!("`{}` is of a newer forge (format {format}, not {FORMAT})", path.display());
    Failure::new(FailureClass::Machine, message).help("go on with that forge; nothing was touched")
}

fn lost(path: &Path) -> Failure {
    let message = format!("nothing is published any more: a line of `{}` could not be written", path.display());
    Failure::new(FailureClass::Machine, message)
        .help("see to the disk, and run it again: it asks what became of what was begun")
}

fn damaged(path: &Path, line: usize) -> Failure {
    Failure::new(FailureClass::Machine, format!("`{}` is damaged at line {line}", path.display())).help(
        "it says what was published of a release that was not finished: look there, move the file away, and run again; \
         what is there already is not done twice",
    )
}

#[cfg(test)]
mod tests {
    use forge_schemas::Change;

    use super::*;

    fn release(version: &str) -> Release {
        let tables = BTreeMap::from([("publish:publish".to_owned(), version.to_owned())]);
        Release { version: version.to_owned(), commit: "c".to_owned(), plan: Digest::of(version.as_bytes()), tables }
    }

    fn finding() -> Finding {
        Finding { place: "x:1".to_owned(), there: None, ours: Some(Digest::of(b"1")), change: Change::New }
    }

    /// A release that died before its second task was done.
    fn died(path: &Path) {
        let mut journal = Journal::open(path.to_path_buf()).unwrap();
        journal.begin(&release("1")).unwrap();
        journal.intend("a", Effect::Stage, &[]).unwrap();
        journal.done("a").unwrap();
        journal.intend("b", Effect::Publish, &[finding()]).unwrap();
    }

    #[test]
    fn a_release_that_died_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal");
        assert!(Journal::open(path.clone()).unwrap().begun().is_none());
        assert!(!path.exists(), "who publishes nothing has no journal");
        died(&path);
        let mut journal = Journal::open(path.clone()).unwrap();
        let begun = journal.begun().unwrap();
        assert_eq!(begun.release, release("1"));
        assert_eq!(begun.intent("b").unwrap().found, [finding()]);
        assert!(begun.is_visible() && begun.done.contains("a") && !begun.done.contains("b"));
        assert!(begun.is_open());
        journal.done("b").unwrap();
        assert!(!journal.begun().unwrap().is_open());
        journal.end().unwrap();
        assert!(Journal::open(path).unwrap().begun().is_none());
    }

    #[test]
    fn a4_every_prefix_of_the_journal() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal");
        died(&path);
        let bytes = std::fs::read(&path).unwrap();
        for length in 0..=bytes.len() {
            std::fs::write(&path, &bytes[..length]).unwrap();
            let mut journal = Journal::open(path.clone()).unwrap();
            let lines = bytes[..length].iter().filter(|byte| **byte == b'\n').count();
            let begun = journal.begun().map(|it| (it.intents.len(), it.done.len()));
            let expect = [None, None, Some((0, 0)), Some((1, 0)), Some((1, 1)), Some((2, 1))][lines];
            assert_eq!(begun, expect, "cut at {length}");
            let is_torn = length > 0 && bytes[length - 1] != b'\n';
            assert_eq!(journal.torn().is_some(), is_torn, "cut at {length}");
            // It can be written on.
            journal.begin(&release("2")).unwrap();
            assert_eq!(Journal::open(path.clone()).unwrap().begun().unwrap().release, release("2"));
        }
    }

    #[test]
    fn a6_half_a_line_is_not_written_on() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal");
        died(&path);
        let whole = std::fs::read(&path).unwrap();
        let mut journal = Journal::open(path.clone()).unwrap();
        // A disk that was full in the middle of a line: half of it is there, and nothing can be written.
        std::fs::write(&path, [&whole[..], b"0badc0de {\"entry\":\"do"].concat()).unwrap();
        journal.file = Some(File::open(&path).unwrap());
        journal.done("b").unwrap_err();
        assert!(!journal.begun().unwrap().done.contains("b"), "what could not be written is not so");
        // There is room again: not for this run, which may not know what else was lost, but for the next.
        journal.intend("c", Effect::Publish, &[]).unwrap_err();
        let mut next = Journal::open(path.clone()).unwrap();
        next.intend("c", Effect::Publish, &[]).unwrap();
        let again = Journal::open(path).unwrap();
        assert_eq!((again.torn(), again.begun()), (None, next.begun()));
    }

    #[test]
    fn a5_every_flipped_byte_of_the_journal() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal");
        died(&path);
        let bytes = std::fs::read(&path).unwrap();
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            std::fs::write(&path, &flipped).unwrap();
            // The last newline is all of an entry that can look as if it were torn off.
            if at + 1 == bytes.len() {
                assert!(Journal::open(path.clone()).unwrap().torn().is_some());
                continue;
            }
            let Err(failure) = Journal::open(path.clone()) else { panic!("byte {at} is not missed") };
            let words = failure.to_string();
            assert!(words.contains("is damaged at line") || words.contains("is of a newer forge"), "{words}");
            assert_eq!(std::fs::read(&path).unwrap(), flipped, "it is left as it is");
        }
    }

    #[test]
    fn what_has_changed() {
        let (mut was, mut is) = (release("1"), release("2"));
        was.tables.insert("docker:old".to_owned(), String::new());
        is.tables.insert("docker:new".to_owned(), String::new());
        assert_eq!(
            is.differences(&was),
            [
                "the version was 1, and is 2",
                "`docker:new` is new",
                "`docker:old` is gone",
                "`publish:publish` has other steps"
            ]
        );
    }
}
