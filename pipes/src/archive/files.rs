//! Files of the project that go into an archive: from a pattern to entries.
//! Does not know the programs that they lie beside.

use std::io;
use std::path::{Path, PathBuf};

use forge_plugin::schemas::{Failure, Presence};
use forge_plugin::sources::{self, Except};
use serde::{Deserialize, Serialize};

use super::entry::{Entry, Stamp};
use crate::docker::sources::{At, one};
use crate::oci::layer::Content;

/// What goes in where a table does not say.
pub const DEFAULT: [&str; 3] =
    ["[Ll][Ii][Cc][Ee][Nn][Ss][Ee]*", "[Rr][Ee][Aa][Dd][Mm][Ee]*", "[Cc][Hh][Aa][Nn][Gg][Ee][Ll][Oo][Gg]*"];

/// Files of the project, and where they go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Files {
    /// What they are.
    pub pattern: String,
    /// Whether there must be one.
    pub presence: Presence,
    /// Where they go, if not where they lie in the project.
    pub dst: Option<String>,
    /// What becomes of the directories that they are in.
    pub parents: Parents,
    /// Permissions, if not their own.
    pub mode: Option<u32>,
    /// What else is said of them.
    pub stamp: Stamp,
}

/// What becomes of the directories that files are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parents {
    /// They are in the archive, too.
    Kept,
    /// They are not.
    Stripped,
}

impl Files {
    /// What this pattern names at the top of the project, which may be nothing.
    pub fn by_default(pattern: &str, timestamp: i64) -> Files {
        Files {
            pattern: pattern.to_owned(),
            presence: Presence::Optional,
            dst: None,
            parents: Parents::Kept,
            mode: None,
            stamp: Stamp::of_root(timestamp),
        }
    }

    /// These files, as they lie below `root` now.
    pub fn find(&self, root: &Path) -> Result<Vec<Entry>, Failure> {
        let nothing = Except::default();
        let failed = |error: io::Error| Failure::file("read", &root.join(&self.pattern), &error);
        let tops = match sources::matches(root, &self.pattern, &nothing) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            tops => tops.map_err(failed)?,
        };
        let mut entries = Vec::new();
        for top in tops {
            for file in sources::files(root, &top, &nothing).map_err(failed)? {
                let at = if file == top { At::Top } else { At::Inside };
                entries.push(self.entry(root, &file, at)?);
            }
        }
        match entries.is_empty() && self.presence.is_required() {
            true => Err(Failure::input(format!("nothing in the project is `{}`", self.pattern))),
            false => Ok(entries),
        }
    }

    fn entry(&self, root: &Path, file: &Path, at: At) -> Result<Entry, Failure> {
        let found = one(&root.join(file), self.destination(file), at)?;
        let mode = self.mode.filter(|_| !matches!(found.content, Content::Link(_))).unwrap_or(found.mode);
        let from = file.display().to_string();
        Ok(Entry { path: found.path, mode, stamp: self.stamp.clone(), content: found.content, from })
    }

    fn destination(&self, file: &Path) -> String {
        let name = || file.file_name().map(PathBuf::from).unwrap_or_default();
        let path = match (&self.dst, self.parents) {
            (dst, Parents::Stripped) => Path::new(dst.as_deref().unwrap_or_default()).join(name()),
            (None, Parents::Kept) => file.to_path_buf(),
            (Some(dst), Parents::Kept) => {
                let below = file.strip_prefix(sources::fixed(Path::new(&self.pattern))).unwrap_or(file);
                match below.as_os_str().is_empty() {
                    // It is the one file that was named.
                    true if dst.ends_with('/') => Path::new(dst).join(name()),
                    true => PathBuf::from(dst),
                    false => Path::new(dst).join(below),
                }
            }
        };
        path.to_string_lossy().into_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn check(pattern: &str, dst: Option<&str>, parents: Parents, expect: &str) {
        let place = tempfile::tempdir().unwrap();
        for path in ["LICENSE", "Readme.md", "docs/a.md", "docs/more/b.md", "docs/run.sh"] {
            let path = place.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        std::os::unix::fs::symlink("a.md", place.path().join("docs/link")).unwrap();
        let files = Files {
            pattern: pattern.to_owned(),
            presence: Presence::Required,
            dst: dst.map(str::to_owned),
            parents,
            mode: Some(0o600),
            stamp: Stamp::of_root(1),
        };
        let said = match files.find(place.path()) {
            Ok(entries) => entries.iter().map(|it| format!("{:o} {}", it.mode, it.path)).collect::<Vec<_>>().join(", "),
            Err(failure) => failure.message,
        };
        assert_eq!(said, expect, "of {pattern} to {dst:?}");
    }

    #[test]
    fn where_files_go() {
        use Parents::{Kept, Stripped};
        check("LICENSE", None, Kept, "600 LICENSE");
        check("LICENSE", Some("COPYING"), Kept, "600 COPYING");
        check("LICENSE", Some("doc/"), Kept, "600 doc/LICENSE");
        check("docs/*.md", None, Kept, "600 docs/a.md");
        check("docs/*.md", Some("doc"), Kept, "600 doc/a.md");
        check("**/*.md", Some("doc"), Kept, "600 doc/Readme.md, 600 doc/docs/a.md, 600 doc/docs/more/b.md");
        check("**/*.md", Some("doc"), Stripped, "600 doc/Readme.md, 600 doc/a.md, 600 doc/b.md");
        check("docs/more/*", None, Stripped, "600 b.md");
        check("docs", Some("doc"), Kept, "600 doc/a.md, 777 doc/link, 600 doc/more/b.md, 600 doc/run.sh");
        check("./docs/", Some("doc/"), Kept, "600 doc/a.md, 777 doc/link, 600 doc/more/b.md, 600 doc/run.sh");
        check("*.txt", None, Kept, "nothing in the project is `*.txt`");
    }

    #[test]
    fn what_goes_in_by_itself() {
        check(DEFAULT[0], None, Parents::Kept, "600 LICENSE");
        check(DEFAULT[1], None, Parents::Kept, "600 Readme.md");
        check(DEFAULT[2], None, Parents::Kept, &format!("nothing in the project is `{}`", DEFAULT[2]));
    }
}
