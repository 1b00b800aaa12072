//! The source files of a project: what a step reads, as paths, as one tree, and whether it is still what it was.
//! Does not know which files a path names: that is said where pipes can ask it too.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use forge_plugin::sources::{self, Except};
use forge_schemas::{Digest, Failure, FailureClass, Read};
use rayon::prelude::*;

use super::action::{self, Content, Executable, Node};
use crate::store::{Directory, Hashes, Stat, hash};

/// The source files below a directory.
pub struct Sources {
    root: Directory,
    /// What reads name. A run looks once: sources do not change under it.
    found: Seen,
    /// What steps read, where that is more than one file.
    trees: RwLock<HashMap<Vec<Named>, Arc<Tree>>>,
}

/// What reads were seen to name, in bunches by their patterns: many threads look at once.
struct Seen(Vec<RwLock<Patterns>>);

/// What each pattern names, by what is left out of it.
type Patterns = HashMap<Vec<String>, HashMap<String, Found>>;

/// How many bunches there are.
const BUNCHES: usize = 64;

/// What decides which files are read: the pattern, and those of what is left out.
type Named = (String, Vec<String>);

/// What a pattern names.
#[derive(Clone)]
enum Found {
    /// One file, which is no link: that of the pattern itself.
    File(Stat),
    /// Any number of them, sorted.
    Files(Arc<[PathBuf]>),
}

/// All that a step reads, as it was when it was looked at.
#[derive(Debug, Default)]
pub struct Tree {
    /// The files and links, by their own paths.
    pub source: Option<Content>,
    /// The files that links lead to, by the paths of the links.
    pub linked: Option<Content>,
    leaves: Vec<Leaf>,
}

/// A file or link of a tree.
#[derive(Debug)]
struct Leaf {
    path: PathBuf,
    stat: Stat,
    what: What,
}

#[derive(Debug, PartialEq, Eq)]
enum What {
    File(Content, Executable),
    Link(PathBuf),
    /// What the link of this path leads to, where that is a file.
    Linked(Content, Executable),
}

impl Sources {
    /// Those of the project in this directory.
    pub fn of_project(root: &Path) -> Sources {
        Sources { root: Directory::at(root.to_path_buf()), found: Seen::nothing(), trees: RwLock::default() }
    }

    /// The files that are read: a file, all of a directory, or what a glob matches. Sorted, relative to the project.
    pub fn files(&self, read: &Read) -> io::Result<Arc<[PathBuf]>> {
        Ok(match self.look(read)? {
            Found::File(_) => Arc::new([PathBuf::from(&read.path)]),
            Found::Files(paths) => paths,
        })
    }

    /// Whether each of these names a file. All of them are looked at, side by side.
    pub fn are_there<'r>(&self, reads: impl Iterator<Item = &'r Read>) -> bool {
        let reads: Vec<&Read> = reads.collect();
        reads.par_iter().all(|read| self.look(read).is_ok_and(|found| found.is_any()))
    }

    /// What the file system says of what these name, where each names one file, and no link.
    pub fn stats<'r>(&self, reads: &'r [Read]) -> Result<Option<Vec<(&'r str, Stat)>>, Failure> {
        let mut stats = Vec::with_capacity(reads.len());
        for read in reads {
            match self.look(read).map_err(|error| unreadable(Path::new(&read.path), &error))? {
                Found::File(stat) => stats.push((read.path.as_str(), stat)),
                Found::Files(_) => return Ok(None),
            }
        }
        Ok(Some(stats))
    }

    /// Nothing is known of them any more: a task has written some.
    pub fn forget(&self) {
        self.found.0.iter().for_each(|it| it.write().unwrap_or_else(PoisonError::into_inner).clear());
        self.trees.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// All that these name, as one tree: paths, contents, and who may execute them.
    pub fn tree(&self, reads: &[Read], hashes: &Hashes) -> Result<Arc<Tree>, Failure> {
        let mut found = Vec::with_capacity(reads.len());
        for read in reads {
            let path = Path::new(&read.path);
            found.push((path, self.look(read).map_err(|error| unreadable(path, &error))?));
        }
        if let [] | [(_, Found::File(_))] = found.as_slice() {
            return self.grow(found, hashes).map(Arc::new);
        }
        let key: Vec<Named> = reads.iter().map(named).collect();
        let known = self.trees.read().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(tree) = known {
            return Ok(tree);
        }
        let tree = Arc::new(self.grow(found, hashes)?);
        self.trees.write().unwrap_or_else(PoisonError::into_inner).insert(key, tree.clone());
        Ok(tree)
    }

    fn grow(&self, found: Vec<(&Path, Found)>, hashes: &Hashes) -> Result<Tree, Failure> {
        let mut leaves = Vec::with_capacity(found.len());
        for (path, found) in found {
            match found {
                Found::File(stat) => {
                    leaves.push(self.file(path, stat, hashes).map_err(|error| unreadable(path, &error))?);
                }
                Found::Files(paths) => {
                    for path in &*paths {
                        self.leaves(path, hashes, &mut leaves).map_err(|error| unreadable(path, &error))?;
                    }
                }
            }
        }
        Ok(Tree::of(leaves))
    }

    fn file(&self, path: &Path, stat: Stat, hashes: &Hashes) -> io::Result<Leaf> {
        let file = hashes.of_file(&self.root.path().join(path), stat)?;
        let content = Content { digest: file.digest, size: file.size() };
        let what = What::File(content, file.is_executable().into());
        Ok(Leaf { path: path.to_path_buf(), stat: file.stat, what })
    }

    fn leaves(&self, path: &Path, hashes: &Hashes, leaves: &mut Vec<Leaf>) -> io::Result<()> {
        let whole = self.root.path().join(path);
        let metadata = std::fs::symlink_metadata(&whole)?;
        if !metadata.is_symlink() {
            leaves.push(self.file(path, Stat::of(&metadata), hashes)?);
            return Ok(());
        }
        let path = path.to_path_buf();
        // A link is what it says, and the file that it leads to; where that is no file it may lead anywhere.
        let what = What::Link(std::fs::read_link(&whole)?);
        leaves.push(Leaf { path: path.clone(), stat: Stat::of(&metadata), what });
        if whole.is_file() {
            let file = hashes.of(&whole)?;
            let content = Content { digest: file.digest, size: file.size() };
            leaves.push(Leaf { path, stat: file.stat, what: What::Linked(content, file.is_executable().into()) });
        }
        Ok(())
    }

    fn look(&self, read: &Read) -> io::Result<Found> {
        if let Some(found) = self.found.get(read) {
            return Ok(found);
        }
        let found = match self.find(&read.path, &read.except) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !read.presence.is_required() => {
                Found::Files(Arc::new([]))
            }
            found => found?,
        };
        self.found.insert(read, found.clone());
        Ok(found)
    }

    fn find(&self, pattern: &str, except: &[String]) -> io::Result<Found> {
        let except = Except::new(except.iter().map(String::as_str)).map_err(io::Error::other)?;
        if let Ok(stat) = self.root.stat_link(pattern)
            && stat.is_file()
            && except.is_empty()
        {
            return Ok(Found::File(stat));
        }
        let root = self.root.path();
        let tops = sources::matches(root, pattern, &except)?;
        let files: io::Result<Vec<Vec<PathBuf>>> = tops.iter().map(|top| sources::files(root, top, &except)).collect();
        Ok(Found::Files(files?.concat().into()))
    }
}

impl Seen {
    fn nothing() -> Seen {
        Seen(std::iter::repeat_with(RwLock::default).take(BUNCHES).collect())
    }

    fn get(&self, read: &Read) -> Option<Found> {
        let known = self.bunch(read).read().unwrap_or_else(PoisonError::into_inner);
        known.get(&read.except)?.get(&read.path).cloned()
    }

    fn insert(&self, read: &Read, found: Found) {
        let mut known = self.bunch(read).write().unwrap_or_else(PoisonError::into_inner);
        // Of most that is read, nothing is left out.
        let patterns = match known.get_mut(&read.except) {
            Some(patterns) => patterns,
            None => known.entry(read.except.clone()).or_default(),
        };
        patterns.insert(read.path.clone(), found);
    }

    fn bunch(&self, read: &Read) -> &RwLock<Patterns> {
        let sum = read.path.bytes().fold(0_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(byte)));
        &self.0[sum % BUNCHES]
    }
}

fn named(read: &Read) -> Named {
    (read.path.clone(), read.except.clone())
}

impl Found {
    fn is_any(&self) -> bool {
        match self {
            Found::File(_) => true,
            Found::Files(paths) => !paths.is_empty(),
        }
    }
}

impl Tree {
    fn of(leaves: Vec<Leaf>) -> Tree {
        // By far the most frequent.
        if let [Leaf { path, what: What::File(content, executable), .. }] = leaves.as_slice() {
            let source = action::directory(vec![(&text(path), Node::File(*content, *executable))]);
            return Tree { source: Some(source), linked: None, leaves };
        }
        let texts: Vec<(Cow<'_, str>, Cow<'_, str>)> = leaves.iter().map(Leaf::in_words).collect();
        let (mut source, mut linked) = (Vec::with_capacity(leaves.len()), Vec::new());
        for (leaf, (path, target)) in leaves.iter().zip(&texts) {
            match leaf.what {
                What::File(content, executable) => source.push((&**path, Node::File(content, executable))),
                What::Link(_) => source.push((path, Node::Link(target))),
                What::Linked(content, executable) => linked.push((&**path, Node::File(content, executable))),
            }
        }
        let directory = |entries: Vec<_>| (!entries.is_empty()).then(|| action::directory(entries));
        Tree { source: directory(source), linked: directory(linked), leaves }
    }

    /// What the file system said of its files and links before they were read.
    pub fn stats(&self) -> impl Iterator<Item = Stat> {
        self.leaves.iter().map(|leaf| leaf.stat)
    }

    /// The first file that is no longer what it was, but for those that the task itself writes. Only one whose size or times
    /// differ is read again.
    pub fn first_changed(&self, root: &Path, written: &[String]) -> Option<&Path> {
        let is_written = |leaf: &Leaf| written.iter().any(|it| sources::names(it, &leaf.path));
        let changed = self.leaves.iter().find(|it| !it.is_as_it_was(&root.join(&it.path)) && !is_written(it));
        changed.map(|leaf| leaf.path.as_path())
    }

    /// Every file by its path, with what else is to be said of it, and a digest of what is in it.
    pub fn files(&self) -> impl Iterator<Item = (String, Digest)> {
        self.leaves.iter().map(|leaf| {
            let path = leaf.path.display();
            match &leaf.what {
                What::File(content, Executable::No) => (path.to_string(), content.digest),
                What::File(content, Executable::Yes) => (format!("{path} (executable)"), content.digest),
                What::Link(target) => (format!("{path} (a link)"), Digest::of(target.as_os_str().as_encoded_bytes())),
                What::Linked(content, _) => (format!("{path} (where it leads)"), content.digest),
            }
        })
    }
}

impl Leaf {
    // Its path and, of a link, its target, as messages can hold them.
    fn in_words(&self) -> (Cow<'_, str>, Cow<'_, str>) {
        let target = if let What::Link(target) = &self.what { text(target) } else { Cow::Borrowed("") };
        (text(&self.path), target)
    }

    fn is_as_it_was(&self, whole: &Path) -> bool {
        let metadata = match self.what {
            What::Linked(..) => std::fs::metadata(whole),
            _ => std::fs::symlink_metadata(whole),
        };
        let Ok(metadata) = metadata else { return false };
        Stat::of(&metadata) == self.stat || self.read_again(whole, &metadata).is_ok_and(|it| it == self.what)
    }

    fn read_again(&self, whole: &Path, metadata: &Metadata) -> io::Result<What> {
        if metadata.is_symlink() {
            return std::fs::read_link(whole).map(What::Link);
        }
        let (digest, size) = hash(whole)?;
        let (content, executable) = (Content { digest, size }, crate::store::is_executable(whole)?.into());
        Ok(match self.what {
            What::Linked(..) => What::Linked(content, executable),
            _ => What::File(content, executable),
        })
    }
}

// Messages hold UTF-8 only. Two paths that are not must not look the same.
fn text(path: &Path) -> Cow<'_, str> {
    match path.to_str() {
        Some(text) => text.into(),
        None => format!("{} {}", path.display(), Digest::of(path.as_os_str().as_encoded_bytes())).into(),
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::new(FailureClass::Machine, format!("can't read the source `{}`: {error}", path.display()))
}
