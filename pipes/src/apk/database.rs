//! What is installed, as apk keeps it: `/lib/apk/db/installed`, `scripts.tar`, `triggers`, and `/etc/apk/world`.
//! Does not know how it changes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read as _;

use crate::apk::dependency::{Dependency, joined};
use crate::apk::index::field;
use crate::apk::package::{Package, in_order};
use crate::apk::scripts::{self, Script};

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Database {
    /// What was asked for.
    pub world: Vec<Dependency>,
    /// Those that are there, in the order of their arrival.
    pub installed: Vec<Installed>,
    /// The checksums of those with triggers, in their order.
    pub triggers: Vec<String>,
}

/// A package that is there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Installed {
    pub package: Package,
    /// Whose files it may take over.
    pub replaces: Vec<Dependency>,
    pub replaces_priority: u64,
    pub dirs: Vec<Dir>,
    pub scripts: BTreeMap<Script, Vec<u8>>,
    /// The directories that its trigger is about.
    pub triggers: Vec<String>,
}

/// A directory that a package has, and its files there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dir {
    pub path: String,
    pub access: Access,
    pub files: Vec<File>,
}

/// A file or link of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    pub name: String,
    pub access: Access,
    /// Of the content, or of what a link leads to.
    pub checksum: Option<String>,
}

/// Whose something is, and who may do what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    pub owner: (u64, u64),
    pub mode: u32,
}

impl Access {
    /// What is not written down, as most directories have it.
    pub const DIR: Access = Access { owner: (0, 0), mode: 0o755 };
    /// The same for files.
    pub const FILE: Access = Access { owner: (0, 0), mode: 0o644 };

    fn parse(text: &str) -> Option<Access> {
        let mut parts = text.split(':');
        let owner = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let mode = u32::from_str_radix(parts.next()?, 8).ok()?;
        parts.next().is_none().then_some(Access { owner, mode })
    }

    fn line(self, field: char) -> String {
        format!("{field}:{}:{}:{:o}\n", self.owner.0, self.owner.1, self.mode)
    }
}

impl Database {
    /// From the files. A phrase, where there is something in them that is not known here.
    pub fn read(world: &str, installed: &str, scripts: &[u8], triggers: &str) -> Result<Database, String> {
        let mut database = Database { world: Dependency::list(world)?, ..Database::default() };
        for record in installed.split("\n\n").filter(|it| !it.trim().is_empty()) {
            database.installed.push(Installed::read(record)?);
        }
        database.read_triggers(triggers);
        database.read_scripts(scripts).map_err(|error| format!("`scripts.tar` is damaged: {error}"))?;
        Ok(database)
    }

    fn read_triggers(&mut self, text: &str) {
        for line in text.lines() {
            let mut words = line.split_ascii_whitespace();
            let Some(checksum) = words.next() else { continue };
            if let Some(it) = self.installed.iter_mut().find(|it| it.package.checksum == checksum) {
                it.triggers = words.map(str::to_owned).collect();
                self.triggers.push(checksum.to_owned());
            }
        }
    }

    fn read_scripts(&mut self, tar: &[u8]) -> std::io::Result<()> {
        for entry in tar::Archive::new(tar).entries()? {
            let mut entry = entry?;
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let Some((rest, action)) = name.rsplit_once('.') else { continue };
            let (Some(script), Some((_, checksum))) = (Script::named(action), rest.rsplit_once('.')) else { continue };
            let mut text = Vec::new();
            entry.read_to_end(&mut text)?;
            if let Some(it) = self.installed.iter_mut().find(|it| it.package.checksum == checksum) {
                it.scripts.insert(script, text);
            }
        }
        Ok(())
    }

    /// The package of this name that is there.
    pub fn get(&self, name: &str) -> Option<&Installed> {
        self.installed.iter().find(|it| it.package.name == name)
    }

    /// `world`
    pub fn world_text(&self) -> String {
        let lines: Vec<String> = self.world.iter().map(ToString::to_string).collect();
        format!("{}\n", lines.join("\n"))
    }

    /// `installed`, sorted by name.
    pub fn installed_text(&self) -> String {
        let mut all: Vec<&Installed> = self.installed.iter().collect();
        all.sort_by(|one, other| in_order(&one.package.name, &other.package.name));
        all.into_iter().map(|it| it.record()).collect()
    }

    /// `triggers`
    pub fn triggers_text(&self) -> String {
        let find = |checksum: &String| self.installed.iter().find(|it| it.package.checksum == *checksum);
        let line = |it: &Installed| format!("{} {}\n", it.package.checksum, it.triggers.join(" "));
        self.triggers.iter().filter_map(find).map(line).collect()
    }

    /// `scripts.tar`. What is of no known time is of this.
    pub fn scripts_tar(&self, time: u64) -> Vec<u8> {
        let all = self.installed.iter().flat_map(|it| it.scripts.iter().map(move |script| (&it.package, script)));
        scripts::archive(all.map(|(package, (script, text))| {
            let name = format!("{}.{}.{}", package.title(), package.checksum, script.name());
            let time = if package.build_time > 0 { package.build_time } else { time };
            (name, time, text.as_slice())
        }))
    }
}

impl Installed {
    fn read(record: &str) -> Result<Installed, String> {
        let mut it = Installed::default();
        for line in record.lines() {
            let unknown = || format!("its line `{line}` is not known here");
            let (field, value) = field(line).ok_or_else(unknown)?;
            if it.package.add(field, value)? {
                continue;
            }
            it.add(field, value).ok_or_else(unknown)??;
        }
        Ok(it)
    }

    /// Takes in a line that only installed packages have.
    fn add(&mut self, field: char, value: &str) -> Option<Result<(), String>> {
        match field {
            'r' => match Dependency::list(value) {
                Ok(all) => self.replaces = all,
                Err(message) => return Some(Err(message)),
            },
            'q' => self.replaces_priority = value.parse().ok()?,
            'F' => self.dirs.push(Dir { path: value.to_owned(), access: Access::DIR, files: Vec::new() }),
            'M' => self.dirs.last_mut()?.access = Access::parse(value)?,
            'R' => {
                let file = File { name: value.to_owned(), access: Access::FILE, checksum: None };
                self.dirs.last_mut()?.files.push(file);
            }
            'a' => self.dirs.last_mut()?.files.last_mut()?.access = Access::parse(value)?,
            'Z' => self.dirs.last_mut()?.files.last_mut()?.checksum = Some(value.to_owned()),
            _ => return None,
        }
        Some(Ok(()))
    }

    fn record(&self) -> String {
        let mut record = self.package.lines();
        if !self.replaces.is_empty() {
            let _ = writeln!(record, "r:{}", joined(&self.replaces));
        }
        if self.replaces_priority > 0 {
            let _ = writeln!(record, "q:{}", self.replaces_priority);
        }
        for dir in &self.dirs {
            let _ = writeln!(record, "F:{}", dir.path);
            if dir.access != Access::DIR {
                record += &dir.access.line('M');
            }
            for file in &dir.files {
                let _ = writeln!(record, "R:{}", file.name);
                if file.access != Access::FILE {
                    record += &file.access.line('a');
                }
                if let Some(checksum) = &file.checksum {
                    let _ = writeln!(record, "Z:{checksum}");
                }
            }
        }
        record.push('\n');
        record
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INSTALLED: &str = "C:Q1b=\nP:b\nV:1-r0\nA:x86_64\nS:1\nI:4096\nT:b\nU:x\nL:MIT\no:b\nt:5\nk:10\nD:so:x>1 !y\np:cmd:b=1-r0\n\
        i:d e\nr:old\nq:2\nF:\nF:bin\nM:0:0:1777\nR:b\na:0:0:755\nZ:Q1z=\nR:c\n\n";

    fn read(installed: &str) -> Result<Database, String> {
        Database::read("b\na~1\n", installed, &[], "Q1b= /bin /lib/*\nQ1gone= /x\n")
    }

    #[test]
    fn what_is_read_is_written() {
        let database = read(INSTALLED).unwrap();
        assert_eq!(database.installed_text(), INSTALLED);
        assert_eq!(database.world_text(), "b\na~1\n");
        assert_eq!(database.triggers_text(), "Q1b= /bin /lib/*\n");
    }

    #[test]
    fn what_is_not_known() {
        let check = |line: &str| {
            let text = INSTALLED.replace("q:2", line);
            assert_eq!(read(&text).unwrap_err(), format!("its line `{line}` is not known here"));
        };
        check("f:fs");
        check("s:edge");
        check("X:1");
        check("nothing");
        check("a:0:0:755");
    }

    #[test]
    fn scripts_come_back() {
        let mut database = read(INSTALLED).unwrap();
        database.installed[0].scripts.insert(Script::Trigger, b"#!/bin/sh\n".to_vec());
        let tar = database.scripts_tar(5);
        let again = Database::read("", INSTALLED, &tar, "").unwrap();
        assert_eq!(again.installed[0].scripts, database.installed[0].scripts);
    }
}
