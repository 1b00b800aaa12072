//! What files hash to, remembered by size, times and inode, so that a file that has not changed is not read again; and the
//! fingerprints of tasks, by all that they are made of, so that of a task that has not changed none is taken again.
//! Knows the racy-git rule: a file changed as late as it was read, or as the memory was written, is read again (git, "racy-git").

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use forge_schemas::{Digest, DigestMap, Failure};
use serde::{Deserialize, Serialize};

use super::sealed::{read_sealed, write_sealed};
use super::{Fingerprint, Stat};

/// What files hash to, and what tasks were seen to be made of.
pub struct Hashes {
    path: PathBuf,
    /// What was remembered, as bytes, and when that was written, in nanoseconds since 1970.
    bytes: Vec<u8>,
    written: i64,
    opened: Duration,
    /// Where the tasks stand in the bytes. They are read there, when they are asked for.
    tasks: Range<usize>,
    /// Which of them it is, by what names the task.
    places: DigestMap<usize>,
    /// The files, each in the bunch of its path: where nothing has changed, hardly any is asked for.
    bunches: Vec<Bunch>,
    learned: Mutex<Learned>,
}

/// By path. One that is no UTF-8 is read every time.
type Files = HashMap<String, Known>;

/// Some of the files: where in the bytes they stand, and what they say there when somebody has asked for one of them.
struct Bunch {
    place: Range<usize>,
    files: OnceLock<Files>,
}

/// How many bunches there are.
const BUNCHES: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Known {
    stat: Stat,
    digest: Digest,
}

/// A task as it was seen, and the fingerprint that was taken then.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Seen {
    sight: Digest,
    fingerprint: Fingerprint,
}

/// A task in the bytes: what names it, how it was seen, and its fingerprint.
type Row = [[u8; 32]; 3];

#[derive(Debug, Default)]
struct Learned {
    /// By what names the task.
    tasks: BTreeMap<Digest, Seen>,
    files: Files,
}

/// The form of the file. Behind it stand the tasks, and the bunches, each as long as it says.
#[derive(Serialize, Deserialize, Default)]
struct Written {
    tasks: u32,
    bunches: Vec<usize>,
}

/// A file's content and whether it may be executed: what a task sees of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileHash {
    /// The sha256 of its content.
    pub digest: Digest,
    /// What the file system said of it before it was read.
    pub stat: Stat,
}

impl Hashes {
    /// What is remembered in this file; nothing where it is missing or unreadable.
    pub fn open(path: PathBuf) -> Hashes {
        let bytes = read_sealed(&path).unwrap_or_default();
        let (written, rest): (Written, &[u8]) = postcard::take_from_bytes(&bytes).unwrap_or_default();
        let start = bytes.len() - rest.len();
        let tasks = start..start + size_of::<Row>() * written.tasks as usize;
        let bunches = bunches(tasks.end, &written.bunches);
        let names = rows(&bytes, &tasks).iter().map(|[name, ..]| Digest::from(*name));
        let mut places = DigestMap::with_capacity_and_hasher(names.len(), Default::default());
        places.extend(names.zip(0..));
        let written = std::fs::metadata(&path).map_or(0, |it| Stat::of(&it).modified());
        Hashes { path, bytes, written, opened: now(), tasks, places, bunches, learned: Mutex::default() }
    }

    /// What a file hashes to. Any number of threads may ask.
    pub fn of(&self, path: &Path) -> io::Result<FileHash> {
        self.of_file(path, Stat::of(&std::fs::metadata(path)?))
    }

    /// The same, where it is known what the file system says of the file.
    pub fn of_file(&self, path: &Path, stat: Stat) -> io::Result<FileHash> {
        let name = path.to_str();
        let known = name.and_then(|it| self.known(it)).filter(|it| it.stat == stat && self.is_settled(&stat));
        if let Some(known) = known {
            return Ok(FileHash { digest: known.digest, stat });
        }
        let began = now();
        let stat = Stat::of(&std::fs::metadata(path)?);
        let (digest, _) = super::blobs::hash(path)?;
        // Changed a moment ago, it may be changed once more within the same tick, and show it by nothing.
        if let Some(name) = name.filter(|_| stat.is_settled(began)) {
            self.learned().files.insert(name.to_owned(), Known { stat, digest });
        }
        Ok(FileHash { digest, stat })
    }

    /// The fingerprint that was taken of a task when it was last seen, if it was seen like this. `sight` is a digest of all
    /// that the fingerprint is made of, where of each of `files` it has what the file system says in place of its content.
    pub fn fingerprint(
        &self,
        task: &Digest,
        sight: &Digest,
        mut files: impl Iterator<Item = Stat>,
    ) -> Option<Fingerprint> {
        let seen = self.seen(task).filter(|it| it.sight == *sight)?;
        files.all(|stat| self.is_settled(&stat)).then_some(seen.fingerprint)
    }

    /// Remembers that this fingerprint was taken of a task that was seen like this, if the files tell whether they change.
    pub fn learn(&self, task: &Digest, sight: Digest, mut files: impl Iterator<Item = Stat>, fingerprint: Fingerprint) {
        if files.all(|stat| stat.is_settled(self.opened)) {
            self.learned().tasks.insert(*task, Seen { sight, fingerprint });
        }
    }

    /// Writes what was learned.
    pub fn save(self) -> Result<(), Failure> {
        let learned = std::mem::take(&mut *self.learned());
        if learned.files.is_empty() && learned.tasks.is_empty() {
            return Ok(());
        }
        let mut tasks: BTreeMap<Digest, Seen> = self.tasks().iter().map(from_row).collect();
        tasks.extend(learned.tasks);
        let mut bunches = vec![Files::new(); BUNCHES];
        let known = self.bunches.iter().flat_map(|bunch| self.files(bunch));
        for (name, known) in known.map(|(name, known)| (name.clone(), *known)).chain(learned.files) {
            bunches[bunch_of(&name)].insert(name, known);
        }
        let bytes = written(&tasks, &bunches).map_err(|error| Failure::bug(error.to_string()))?;
        write_sealed(&self.path, bytes).map_err(|error| Failure::file("write", &self.path, &error))
    }

    fn tasks(&self) -> &[Row] {
        rows(&self.bytes, &self.tasks)
    }

    fn seen(&self, task: &Digest) -> Option<Seen> {
        self.tasks().get(*self.places.get(task)?).map(|row| from_row(row).1)
    }

    fn known(&self, name: &str) -> Option<&Known> {
        self.bunches.get(bunch_of(name)).and_then(|bunch| self.files(bunch).get(name))
    }

    fn files<'a>(&self, bunch: &'a Bunch) -> &'a Files {
        bunch.files.get_or_init(|| {
            let bytes = self.bytes.get(bunch.place.clone()).unwrap_or_default();
            postcard::from_bytes(bytes).unwrap_or_default()
        })
    }

    // Whether whoever has written to the file since the memory was written has marked it by another time.
    fn is_settled(&self, stat: &Stat) -> bool {
        stat.is_before(self.written)
    }

    fn learned(&self) -> MutexGuard<'_, Learned> {
        self.learned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn written(tasks: &BTreeMap<Digest, Seen>, bunches: &[Files]) -> postcard::Result<Vec<u8>> {
    let bunches = bunches.iter().map(postcard::to_stdvec).collect::<postcard::Result<Vec<_>>>()?;
    let lengths = bunches.iter().map(Vec::len).collect();
    let mut bytes = postcard::to_stdvec(&Written { tasks: tasks.len() as u32, bunches: lengths })?;
    bytes.extend(tasks.iter().flat_map(to_row).flatten());
    bytes.extend(bunches.concat());
    Ok(bytes)
}

fn rows<'b>(bytes: &'b [u8], place: &Range<usize>) -> &'b [Row] {
    bytes.get(place.clone()).unwrap_or_default().as_chunks().0.as_chunks().0
}

fn to_row((task, seen): (&Digest, &Seen)) -> Row {
    [*task.bytes(), *seen.sight.bytes(), *seen.fingerprint.bytes()]
}

fn from_row([task, sight, fingerprint]: &Row) -> (Digest, Seen) {
    (Digest::from(*task), Seen { sight: Digest::from(*sight), fingerprint: Digest::from(*fingerprint) })
}

/// The bunches of these lengths, one behind the other.
fn bunches(mut start: usize, lengths: &[usize]) -> Vec<Bunch> {
    let place = |length: &usize| {
        let begin = start;
        start = start.saturating_add(*length);
        Bunch { place: begin..start, files: OnceLock::new() }
    };
    lengths.iter().map(place).collect()
}

fn bunch_of(name: &str) -> usize {
    usize::from(Digest::of(name.as_bytes()).bytes()[0]) % BUNCHES
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

impl FileHash {
    /// Whether it may be executed.
    pub fn is_executable(&self) -> bool {
        self.stat.is_executable()
    }

    /// How many bytes it has.
    pub fn size(&self) -> u64 {
        self.stat.size()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_file_is_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("source");
        let memory = directory.path().join("memory");
        std::fs::write(&file, b"one").unwrap();
        let hashes = Hashes::open(memory.clone());
        assert_eq!(hashes.of(&file).unwrap().digest, Digest::of(b"one"));
        hashes.save().unwrap();
        std::fs::write(&file, b"two").unwrap();
        let hashes = Hashes::open(memory.clone());
        assert_eq!(hashes.of(&file).unwrap().digest, Digest::of(b"two"));
        hashes.save().unwrap();
        assert_eq!(Hashes::open(memory).of(&file).unwrap().digest, Digest::of(b"two"));
    }

    /// What is remembered of a task whose file was changed this many milliseconds before the memory was opened to learn of it,
    /// and this many before it was written.
    fn check_task(before_opened: i64, before_written: i64, expect: bool) {
        let directory = tempfile::tempdir().unwrap();
        let memory = directory.path().join("memory");
        let (task, sight, fingerprint) = (Digest::of(b"task"), Digest::of(b"sight"), Digest::of(b"fingerprint"));
        let hashes = Hashes::open(memory.clone());
        let at = |time: i64, before: i64| Stat::at(time - before * 1_000_000);
        let stat = at(hashes.opened.as_nanos() as i64, before_opened);
        hashes.learn(&task, sight, [stat].into_iter(), fingerprint);
        hashes.learn(&Digest::of(b"another"), sight, [].into_iter(), fingerprint);
        hashes.save().unwrap();
        let hashes = Hashes::open(memory);
        let is_known = before_opened > 20;
        let stat = at(hashes.written, before_written);
        let known = |task: &Digest, sight: &Digest| hashes.fingerprint(task, sight, [Stat::at(0), stat].into_iter());
        assert_eq!(known(&task, &sight), expect.then_some(fingerprint), "{before_opened} {before_written}");
        assert_eq!(known(&task, &Digest::of(b"another")), None);
        assert_eq!(known(&Digest::of(b"third"), &sight), None);
        assert_eq!(hashes.fingerprint(&task, &sight, [].into_iter()).is_some(), is_known);
    }

    #[test]
    fn a_task_is_known_by_all_that_was_seen_of_it() {
        check_task(1000, 1000, true);
        check_task(21, 1, true);
        // It may have been changed once more within the tick in which it was read, or the memory was written.
        check_task(19, 1000, false);
        check_task(-1000, 1000, false);
        check_task(1000, 0, false);
        check_task(1000, -1000, false);
    }

    #[test]
    fn what_is_learned_stands_beside_what_was_known() {
        let directory = tempfile::tempdir().unwrap();
        let memory = directory.path().join("memory");
        let digest = Digest::of(b"digest");
        let known = |hashes: &Hashes| ["one", "two", "three", "four"].iter().filter_map(|it| hashes.known(it)).count();
        for (number, names) in [["one", "two"], ["three", "four"]].iter().enumerate() {
            let hashes = Hashes::open(memory.clone());
            assert_eq!((hashes.tasks().len(), known(&hashes)), (2 * number, 2 * number));
            for name in names {
                hashes.learn(&Digest::of(name.as_bytes()), digest, [].into_iter(), digest);
                hashes.learned().files.insert((*name).to_owned(), Known { stat: Stat::at(0), digest });
            }
            hashes.save().unwrap();
        }
        let hashes = Hashes::open(memory);
        assert_eq!((hashes.tasks().len(), known(&hashes)), (4, 4));
    }

    #[test]
    fn garbage_is_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let memory = directory.path().join("memory");
        std::fs::write(&memory, [0xff; 64]).unwrap();
        std::fs::write(directory.path().join("source"), b"one").unwrap();
        let hashes = Hashes::open(memory);
        assert_eq!(hashes.of(&directory.path().join("source")).unwrap().digest, Digest::of(b"one"));
    }
}
