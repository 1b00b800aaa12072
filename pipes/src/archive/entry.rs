//! What lies in an archive: its place in it, what `ls -l` says of it, and where its content is.
//! Does not know the formats.

use std::collections::BTreeMap;

use forge_plugin::schemas::Failure;
use serde::{Deserialize, Serialize};

use crate::oci::layer::Content;

/// One file, directory or link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it lies, without a `/` before or behind: `hello-1.2.3/hello`.
    pub path: String,
    /// Permissions: `0o755`.
    pub mode: u32,
    /// What else is known of it.
    pub stamp: Stamp,
    /// What it is.
    pub content: Content,
    /// Where it comes from, for messages: `docs/a.md`.
    pub from: String,
}

/// Whose something is, and from when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// The name of its owner. The number is 0 whoever it is: names are looked up where the archive is unpacked.
    pub owner: String,
    /// The same of its group.
    pub group: String,
    /// When it was changed last, in seconds since 1970.
    pub mtime: u64,
}

impl Stamp {
    /// What is root's, from this time on, in seconds since 1970; earlier is 1970.
    pub fn of_root(timestamp: i64) -> Stamp {
        Stamp { owner: "root".to_owned(), group: "root".to_owned(), mtime: u64::try_from(timestamp).unwrap_or(0) }
    }
}

/// Entries by path. Two of one path and one content are one; two of one path and different content are a mistake.
pub fn in_order(entries: Vec<Entry>) -> Result<Vec<Entry>, Failure> {
    let mut by_path: BTreeMap<String, Entry> = BTreeMap::new();
    for entry in entries {
        match by_path.get(&entry.path) {
            Some(other) if other.content != entry.content => return Err(two_of_one_path(other, &entry)),
            _ => by_path.insert(entry.path.clone(), entry),
        };
    }
    Ok(by_path.into_values().collect())
}

fn two_of_one_path(one: &Entry, other: &Entry) -> Failure {
    let message = format!("`{}` and `{}` would both be `{}` in the archive", one.from, other.from, one.path);
    Failure::input(message).help("give one of them another `dst`, or leave it out")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(entries: &[(&str, &str)], expect: &str) {
        let entry = |(path, from): &(&str, &str)| Entry {
            path: (*path).to_owned(),
            mode: 0o644,
            stamp: Stamp::of_root(-1),
            content: Content::File(from.into()),
            from: (*from).to_owned(),
        };
        let said = match in_order(entries.iter().map(entry).collect()) {
            Ok(entries) => entries.into_iter().map(|it| it.path).collect::<Vec<_>>().join(" "),
            Err(failure) => failure.message,
        };
        assert_eq!(said, expect);
    }

    #[test]
    fn sorted_and_each_once() {
        check(&[("b", "1"), ("a/x", "2"), ("a.x", "3"), ("b", "1")], "a.x a/x b");
        check(&[("b", "1"), ("b", "2")], "`1` and `2` would both be `b` in the archive");
    }
}
