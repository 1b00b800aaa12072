//! The source files of a project: what a step reads, as paths and as one digest.
//! Knows which files are never sources: `.git`, `.forge`, `dist`, and what git ignores.

use std::collections::HashMap;
use std::io::{self, Write as _};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use forge_schemas::{Digest, Digester, Failure, FailureClass};
use globset::GlobBuilder;
use ignore::WalkBuilder;

use crate::store::Hashes;

/// The source files below a directory.
pub struct Sources {
    root: PathBuf,
    /// What patterns name. A run looks once: sources do not change under it.
    found: Mutex<HashMap<String, Arc<[PathBuf]>>>,
    digests: Mutex<HashMap<String, Digest>>,
}

/// Directories at the top that are never sources.
const NEVER: &[&str] = &[".git", ".forge", "dist"];

impl Sources {
    /// Those of the project in this directory.
    pub fn of_project(root: &Path) -> Sources {
        Sources { root: root.to_path_buf(), found: Mutex::default(), digests: Mutex::default() }
    }

    /// The files that `pattern` names: a file, all of a directory, or what a glob matches. Sorted, relative to the project.
    pub fn files(&self, pattern: &str) -> io::Result<Arc<[PathBuf]>> {
        let known = self.found.lock().unwrap_or_else(PoisonError::into_inner).get(pattern).cloned();
        if let Some(files) = known {
            return Ok(files);
        }
        let files: Arc<[PathBuf]> = self.find(pattern)?.into();
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.insert(pattern.to_owned(), files.clone());
        Ok(files)
    }

    /// One digest of all that `pattern` names: paths, contents, and who may execute them.
    pub fn digest(&self, pattern: &str, hashes: &Hashes) -> Result<Digest, Failure> {
        let known = self.digests.lock().unwrap_or_else(PoisonError::into_inner).get(pattern).copied();
        if let Some(digest) = known {
            return Ok(digest);
        }
        let digest = self.read_digest(pattern, hashes).map_err(|error| {
            Failure::new(FailureClass::Machine, format!("can't read the source `{pattern}`: {error}"))
        })?;
        let mut digests = self.digests.lock().unwrap_or_else(PoisonError::into_inner);
        digests.insert(pattern.to_owned(), digest);
        Ok(digest)
    }

    fn find(&self, pattern: &str) -> io::Result<Vec<PathBuf>> {
        let path = normal(pattern);
        match std::fs::metadata(self.root.join(&path)) {
            Ok(it) if it.is_dir() => self.walk(&path),
            Ok(_) => Ok(vec![path]),
            Err(_) if is_glob(pattern) => self.matching(&path),
            Err(error) => Err(error),
        }
    }

    fn read_digest(&self, pattern: &str, hashes: &Hashes) -> io::Result<Digest> {
        let mut digester = Digester::default();
        for path in self.files(pattern)?.iter() {
            let whole = self.root.join(path);
            let metadata = std::fs::symlink_metadata(&whole)?;
            // A link is what it says where that is no file: it may lead anywhere.
            if metadata.is_symlink() && !whole.is_file() {
                writeln!(digester, "link {} {}", path.display(), std::fs::read_link(&whole)?.display())?;
                continue;
            }
            let hash = if metadata.is_symlink() { hashes.of(&whole)? } else { hashes.of_file(&whole, &metadata)? };
            let mode = if hash.executable { "x" } else { "-" };
            writeln!(digester, "{mode} {} {}", hash.digest, path.display())?;
        }
        Ok(digester.finish().0)
    }

    fn walk(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        let top = self.root.clone();
        let walk = WalkBuilder::new(self.root.join(directory))
            .hidden(false)
            .git_global(false)
            .require_git(false)
            .filter_entry(move |entry| {
                let relative = entry.path().strip_prefix(&top).unwrap_or(entry.path());
                !NEVER.iter().any(|never| relative == Path::new(never)) && entry.file_name() != ".git"
            })
            .build();
        for entry in walk {
            let entry = entry.map_err(io::Error::other)?;
            if !entry.file_type().is_some_and(|it| it.is_dir()) {
                let relative = entry.path().strip_prefix(&self.root).unwrap_or(entry.path());
                files.push(relative.to_path_buf());
            }
        }
        files.sort();
        Ok(files)
    }

    fn matching(&self, pattern: &Path) -> io::Result<Vec<PathBuf>> {
        let glob = GlobBuilder::new(&pattern.to_string_lossy())
            .literal_separator(true)
            .build()
            .map_err(io::Error::other)?
            .compile_matcher();
        // Only the part of the tree that the pattern can match is walked.
        let fixed: PathBuf =
            pattern.components().take_while(|part| !is_glob(&part.as_os_str().to_string_lossy())).collect();
        let start = if fixed.as_os_str() == pattern.as_os_str() { PathBuf::new() } else { fixed };
        if !self.root.join(&start).is_dir() {
            return Ok(Vec::new());
        }
        let mut files = self.walk(&start)?;
        files.retain(|path| glob.is_match(path));
        Ok(files)
    }
}

fn is_glob(pattern: &str) -> bool {
    pattern.contains(['*', '?', '[', '{'])
}

fn normal(pattern: &str) -> PathBuf {
    Path::new(pattern).components().filter(|part| !matches!(part, Component::CurDir)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, expect: &str) {
        let directory = tempfile::tempdir().unwrap();
        for file in ["a.txt", "src/main.rs", "src/deep/x.rs", "target/out", ".git/HEAD", ".forge/store/x", "dist/y"] {
            let path = directory.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, file).unwrap();
        }
        std::fs::write(directory.path().join(".gitignore"), "/target\n").unwrap();
        let files = Sources::of_project(directory.path()).files(pattern);
        let actual = match files {
            Ok(files) => files.iter().map(|it| it.display().to_string()).collect::<Vec<_>>().join(" "),
            Err(error) => error.kind().to_string(),
        };
        assert_eq!(actual, expect);
    }

    #[test]
    fn files_directories_and_globs() {
        check("a.txt", "a.txt");
        check(".", ".gitignore a.txt src/deep/x.rs src/main.rs");
        check("./src", "src/deep/x.rs src/main.rs");
        check("src/*.rs", "src/main.rs");
        check("src/**/*.rs", "src/deep/x.rs src/main.rs");
        check("nothing", "entity not found");
        check("no/*.rs", "");
    }
}
