//! A file of accounts, line by line, as shadow reads and writes it (lib/commonio.c).
//! Does not take in what its versions, or the C library, read otherwise.

use std::collections::BTreeSet;

use crate::docker::run::Wrong;
use crate::docker::run::tree::Tree;

/// A file of accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct File {
    pub(super) path: &'static str,
    /// How many fields a line has.
    fields: usize,
    /// Which of them holds a number.
    number: Option<usize>,
    /// Whether a name stands in it once.
    names: Names,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Names {
    Once,
    Often,
}

pub(super) const PASSWD: File = File { path: "etc/passwd", fields: 7, number: Some(2), names: Names::Once };
pub(super) const SHADOW: File = File { path: "etc/shadow", fields: 9, number: None, names: Names::Once };
pub(super) const GROUP: File = File { path: "etc/group", fields: 4, number: Some(2), names: Names::Once };
pub(super) const GSHADOW: File = File { path: "etc/gshadow", fields: 4, number: None, names: Names::Once };
pub(super) const SUBUID: File = File { path: "etc/subuid", fields: 3, number: Some(1), names: Names::Often };
pub(super) const SUBGID: File = File { path: "etc/subgid", fields: 3, number: Some(1), names: Names::Often };

/// What a file holds.
pub(super) struct Table {
    pub(super) file: File,
    pub(super) lines: Vec<String>,
}

impl Table {
    /// What a file holds, which must be there.
    pub(super) fn read(tree: &Tree<'_, '_>, file: File) -> Result<Table, Wrong> {
        let text = tree.read(file.path)?;
        let table = Table { file, lines: text.lines().map(str::to_owned).collect() };
        match table.lines.iter().find(|line| !table.is_plain(line)) {
            Some(line) => Err(Wrong::Untold(format!("what `{line}` in `/{}` means is not known here", file.path))),
            None => table.check_names(),
        }
    }

    fn is_plain(&self, line: &str) -> bool {
        let fields: Vec<&str> = line.split(':').collect();
        let is_number = |at: usize| fields.get(at).is_some_and(|it| it.parse::<u32>().is_ok() && !it.starts_with('+'));
        let is_special = line.starts_with(['+', '-', ':', ' ', '\t', '#']) || line.ends_with(['\\', ' ', '\t']);
        fields.len() == self.file.fields && self.file.number.is_none_or(is_number) && !is_special
    }

    fn check_names(self) -> Result<Table, Wrong> {
        let mut seen = BTreeSet::new();
        let twice = self.lines.iter().map(|line| name(line)).find(|name| !seen.insert(*name));
        match twice.filter(|_| self.file.names == Names::Once) {
            Some(name) => Err(Wrong::Untold(format!("`{name}` is in `/{}` twice", self.file.path))),
            None => Ok(self),
        }
    }

    /// The line that is about somebody.
    pub(super) fn named(&self, wanted: &str) -> Option<&str> {
        self.lines.iter().map(String::as_str).find(|line| name(line) == wanted)
    }

    /// All numbers in it.
    pub(super) fn numbers(&self) -> BTreeSet<u64> {
        self.lines.iter().filter_map(|line| self.number(line)).collect()
    }

    pub(super) fn number(&self, line: &str) -> Option<u64> {
        line.split(':').nth(self.file.number?)?.parse().ok()
    }

    /// The name and the number of what is called by either.
    pub(super) fn find(&self, called: &str) -> Option<(String, u64)> {
        let number = called.parse::<u64>().ok();
        let is_it = |line: &&String| match number {
            Some(number) => self.number(line) == Some(number),
            None => name(line) == called,
        };
        let line = self.lines.iter().find(is_it)?;
        Some((name(line).to_owned(), self.number(line)?))
    }

    /// Makes somebody a member of these groups, the last of each.
    pub(super) fn add_member(&mut self, member: &str, groups: &[String]) {
        let is_meant = |line: &&mut String| groups.iter().any(|it| it == name(line));
        for line in self.lines.iter_mut().filter(is_meant) {
            let members = line.rsplit(':').next().unwrap_or_default();
            if !members.split(',').any(|it| it == member) {
                *line = format!("{line}{}{member}", if members.is_empty() { "" } else { "," });
            }
        }
    }
}

/// Who a line is about.
pub(super) fn name(line: &str) -> &str {
    line.split(':').next().unwrap_or_default()
}
