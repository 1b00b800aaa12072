//! Files of the project, for a copy: a path, a directory or a glob becomes a sorted list of what is there.
//! Does not know where they go.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use forge_plugin::schemas::Failure;
use globset::{GlobBuilder, GlobMatcher};

use crate::oci::layer::Content;

/// What a path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Thing {
    /// A file.
    File(Found),
    /// A directory, as all that is in it.
    Directory(Vec<Found>),
}

/// Something to copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Below the destination, when that is a directory.
    pub path: String,
    /// Permissions: 0755 where the owner may execute it, else 0644; whatever the umask was.
    pub mode: u32,
    /// What it is.
    pub content: Content,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    Top,
    Inside,
}

/// What `pattern` names below `root`; one thing at least.
pub fn find(root: &Path, pattern: &str) -> Result<Vec<Thing>, Failure> {
    let paths = match_paths(root, pattern)?;
    if paths.is_empty() {
        return Err(Failure::input(format!("nothing in the project is `{pattern}`")));
    }
    paths.iter().map(|path| thing(path)).collect()
}

fn thing(path: &Path) -> Result<Thing, Failure> {
    let meta = fs::metadata(path).map_err(|error| Failure::file("read", path, &error))?;
    match meta.is_dir() {
        true => below(path).map(Thing::Directory),
        false => Ok(Thing::File(one(path, file_name(path)?, At::Top)?)),
    }
}

fn match_paths(root: &Path, pattern: &str) -> Result<Vec<PathBuf>, Failure> {
    let whole = root.join(pattern);
    if whole.exists() {
        return Ok(vec![whole]);
    }
    let (fixed, rest) = split_pattern(pattern);
    let glob = GlobBuilder::new(rest).literal_separator(true).build();
    let glob = glob.map_err(|error| Failure::input(format!("`{pattern}` is not a pattern: {}", error.kind())))?;
    let depth = if rest.contains("**") { usize::MAX } else { rest.split('/').count() };
    let mut found = Vec::new();
    matches_below(&root.join(fixed), &glob.compile_matcher(), depth, &mut found)?;
    Ok(found)
}

/// The directories before the first part with a wildcard, and what follows.
fn split_pattern(pattern: &str) -> (&str, &str) {
    let wild = pattern.find(['*', '?', '[', '{']).unwrap_or(0);
    match pattern[..wild].rfind('/') {
        Some(at) => (&pattern[..at], &pattern[at + 1..]),
        None => ("", pattern),
    }
}

fn matches_below(dir: &Path, glob: &GlobMatcher, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let mut todo = vec![(dir.to_owned(), 1)];
    while let Some((at, level)) = todo.pop() {
        for path in children(&at)? {
            let is_match = path.strip_prefix(dir).is_ok_and(|relative| glob.is_match(relative));
            if is_match {
                found.push(path);
            } else if level < depth && path.is_dir() && !path.is_symlink() {
                todo.push((path, level + 1));
            }
        }
    }
    found.sort();
    Ok(())
}

fn below(dir: &Path) -> Result<Vec<Found>, Failure> {
    let mut found = Vec::new();
    let mut todo = vec![dir.to_owned()];
    while let Some(at) = todo.pop() {
        for path in children(&at)? {
            let relative = path.strip_prefix(dir).ok().and_then(Path::to_str).ok_or_else(|| not_utf8(&path))?;
            found.push(one(&path, relative.to_owned(), At::Inside)?);
            if path.is_dir() && !path.is_symlink() {
                todo.push(path);
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// A link that was named is followed; one in a directory that was named stays a link.
fn one(from: &Path, path: String, at: At) -> Result<Found, Failure> {
    let failed = |error: io::Error| Failure::file("read", from, &error);
    let meta = fs::symlink_metadata(from).map_err(failed)?;
    if meta.is_symlink() && at == At::Inside {
        let to = fs::read_link(from).map_err(failed)?;
        let to = to.to_str().ok_or_else(|| not_utf8(&to))?.to_owned();
        return Ok(Found { path, mode: 0o777, content: Content::Link(to) });
    }
    let meta = fs::metadata(from).map_err(failed)?;
    if meta.is_dir() {
        return Ok(Found { path, mode: 0o755, content: Content::Directory });
    }
    if !meta.is_file() {
        return Err(Failure::input(format!("`{}` is neither a file nor a directory", from.display())));
    }
    let mode = if meta.permissions().mode() & 0o100 != 0 { 0o755 } else { 0o644 };
    Ok(Found { path, mode, content: Content::File(from.to_owned()) })
}

fn children(dir: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Failure::file("read", dir, &error)),
    };
    let paths: io::Result<Vec<PathBuf>> = entries.map(|entry| entry.map(|it| it.path())).collect();
    let mut paths = paths.map_err(|error| Failure::file("read", dir, &error))?;
    paths.sort();
    Ok(paths)
}

fn file_name(path: &Path) -> Result<String, Failure> {
    path.file_name().and_then(|it| it.to_str()).map(str::to_owned).ok_or_else(|| not_utf8(path))
}

fn not_utf8(path: &Path) -> Failure {
    Failure::input(format!("the name of `{}` is not UTF-8, which images need", path.display()))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(pattern: &str, expect: Expect) {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir_all(root.join("a/deep/er")).unwrap();
        fs::create_dir(root.join("one")).unwrap();
        for path in ["a/x.conf", "a/deep/y.conf", "a/deep/er/z.conf", "one/only", "w[1]", "run.sh"] {
            fs::write(root.join(path), path).unwrap();
        }
        fs::set_permissions(root.join("run.sh"), fs::Permissions::from_mode(0o775)).unwrap();
        fs::set_permissions(root.join("a/x.conf"), fs::Permissions::from_mode(0o660)).unwrap();
        std::os::unix::fs::symlink("x.conf", root.join("a/link")).unwrap();
        let show = |found: &Found| match &found.content {
            Content::Link(to) => format!("{} -> {to}", found.path),
            _ => format!("{:o} {}", found.mode, found.path),
        };
        let lines: Vec<String> = match find(root, pattern) {
            Err(failure) => vec![failure.to_string()],
            Ok(things) => things
                .iter()
                .map(|thing| match thing {
                    Thing::File(file) => show(file),
                    Thing::Directory(all) => format!("[{}]", all.iter().map(show).collect::<Vec<_>>().join(", ")),
                })
                .collect(),
        };
        expect.assert_eq(&lines.join("; "));
    }

    #[test]
    fn paths_directories_and_globs() {
        check("run.sh", expect!["755 run.sh"]);
        check("a", expect!["[755 deep, 755 deep/er, 644 deep/er/z.conf, 644 deep/y.conf, link -> x.conf, 644 x.conf]"]);
        check("a/link", expect!["644 link"]);
        check("one", expect!["[644 only]"]);
        check("a/*.conf", expect!["644 x.conf"]);
        check("a/**/*.conf", expect!["644 z.conf; 644 y.conf; 644 x.conf"]);
        check("a/d*", expect!["[755 er, 644 er/z.conf, 644 y.conf]"]);
        check("w[1]", expect!["644 w[1]"]);
        check("nope*", expect!["nothing in the project is `nope*`"]);
    }
}
