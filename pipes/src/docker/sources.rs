//! Files of the project, for a copy: a path, a directory or a glob becomes a sorted list of what is there.
//! Does not know where they go.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use forge_plugin::schemas::Failure;
use forge_plugin::sources::{self, Except};

use crate::docker::archives::Archive;
use crate::oci::layer::Content;

/// What a path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Thing {
    /// A file.
    File(Found),
    /// A directory, as all that is in it.
    Directory(Vec<Found>),
    /// An archive that is unpacked.
    Archive(Archive),
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
    /// Whose it is where it comes from, if that matters.
    pub owner: Option<(u64, u64)>,
}

impl Found {
    /// Something that belongs to whoever copies it.
    pub fn plain(path: String, mode: u32, content: Content) -> Found {
        Found { path, mode, content, owner: None }
    }
}

/// Where something was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// It was named itself.
    Top,
    /// In a directory that was named.
    Inside,
}

/// What `pattern` names below `root`; one thing at least. What git ignores is in no directory, and what is left out nowhere.
pub fn find(root: &Path, pattern: &str, except: &Except) -> Result<Vec<Thing>, Failure> {
    tops(root, pattern, except)?.iter().map(|top| thing(root, top, except)).collect()
}

fn tops(root: &Path, pattern: &str, except: &Except) -> Result<Vec<PathBuf>, Failure> {
    let read = |error: io::Error| Failure::file("read", &root.join(pattern), &error);
    let tops = match sources::matches(root, pattern, except) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        tops => tops.map_err(read)?,
    };
    match tops.is_empty() {
        true => Err(Failure::input(format!("nothing in the project is `{pattern}`"))),
        false => Ok(tops),
    }
}

/// The same with the directories that it lies in, below one of them. A link is one, wherever it is.
pub fn find_with_parents(root: &Path, above: &str, pattern: &str, except: &Except) -> Result<Vec<Thing>, Failure> {
    let mut found = BTreeMap::new();
    for thing in tops(root, pattern, except)? {
        let files = sources::files(root, &thing, except).map_err(|error| Failure::file("read", &thing, &error))?;
        for file in files {
            let kept = file.strip_prefix(above).ok().and_then(Path::to_str).ok_or_else(|| not_utf8(&file))?;
            found.extend(parents(kept));
            found.insert(kept.to_owned(), one(&root.join(&file), kept.to_owned(), At::Inside)?);
        }
    }
    Ok(vec![Thing::Directory(found.into_values().collect())])
}

/// The directories that something lies in.
pub fn parents(path: &str) -> impl Iterator<Item = (String, Found)> {
    let directory = |path: &str| (path.to_owned(), Found::plain(path.to_owned(), 0o755, Content::Directory));
    path.match_indices('/').map(move |(end, _)| directory(&path[..end]))
}

fn thing(root: &Path, top: &Path, except: &Except) -> Result<Thing, Failure> {
    let path = root.join(top);
    let meta = fs::metadata(&path).map_err(|error| Failure::file("read", &path, &error))?;
    match meta.is_dir() {
        true => below(root, top, except).map(Thing::Directory),
        false => Ok(Thing::File(one(&path, file_name(&path)?, At::Top)?)),
    }
}

/// The files in a directory, and the directories that they lie in: as git has it, an empty one is not there.
fn below(root: &Path, top: &Path, except: &Except) -> Result<Vec<Found>, Failure> {
    let files = sources::files(root, top, except).map_err(|error| Failure::file("read", &root.join(top), &error))?;
    let mut found = BTreeMap::new();
    for file in files {
        let relative = file.strip_prefix(top).ok().and_then(Path::to_str).ok_or_else(|| not_utf8(&file))?;
        found.extend(parents(relative));
        found.insert(relative.to_owned(), one(&root.join(&file), relative.to_owned(), At::Inside)?);
    }
    Ok(found.into_values().collect())
}

/// A link that was named is followed; one in a directory that was named stays a link.
pub fn one(from: &Path, path: String, at: At) -> Result<Found, Failure> {
    let failed = |error: io::Error| Failure::file("read", from, &error);
    let meta = fs::symlink_metadata(from).map_err(failed)?;
    if meta.is_symlink() && at == At::Inside {
        let to = fs::read_link(from).map_err(failed)?;
        let to = to.to_str().ok_or_else(|| not_utf8(&to))?.to_owned();
        return Ok(Found::plain(path, 0o777, Content::Link(to)));
    }
    let meta = fs::metadata(from).map_err(failed)?;
    if !meta.is_file() {
        return Err(Failure::input(format!("`{}` is neither a file nor a directory", from.display())));
    }
    let mode = if meta.permissions().mode() & 0o100 != 0 { 0o755 } else { 0o644 };
    Ok(Found::plain(path, mode, Content::File(from.to_owned())))
}

fn file_name(path: &Path) -> Result<String, Failure> {
    path.file_name().and_then(|it| it.to_str()).map(str::to_owned).ok_or_else(|| not_utf8(path))
}

fn not_utf8(path: &Path) -> Failure {
    Failure::input(format!("the name of `{}` is not UTF-8", path.display()))
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
        fs::write(root.join(".gitignore"), "*.log\n").unwrap();
        fs::create_dir(root.join("a/empty")).unwrap();
        for path in ["a/x.log", "a/x.conf", "a/deep/y.conf", "a/deep/er/z.conf", "one/only", "w[1]", "run.sh"] {
            fs::write(root.join(path), path).unwrap();
        }
        fs::set_permissions(root.join("run.sh"), fs::Permissions::from_mode(0o775)).unwrap();
        fs::set_permissions(root.join("a/x.conf"), fs::Permissions::from_mode(0o660)).unwrap();
        std::os::unix::fs::symlink("x.conf", root.join("a/link")).unwrap();
        let show = |found: &Found| match &found.content {
            Content::Link(to) => format!("{} -> {to}", found.path),
            _ => format!("{:o} {}", found.mode, found.path),
        };
        let lines: Vec<String> = match find(root, pattern, &Except::default()) {
            Err(failure) => vec![failure.to_string()],
            Ok(things) => things
                .iter()
                .map(|thing| match thing {
                    Thing::File(file) => show(file),
                    Thing::Directory(all) => format!("[{}]", all.iter().map(show).collect::<Vec<_>>().join(", ")),
                    Thing::Archive(archive) => archive.name.clone(),
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
