//! What an index says of a package, and what is known of one that is installed: the lines `C:` to `i:` of both.
//! Does not know its files.

use std::fmt::Write as _;

use crate::apk::dependency::{Dependency, joined};

/// A package, as an index has it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Package {
    /// Of its control segment: `Q1` and a SHA-1 in Base64. No two packages share it.
    pub checksum: String,
    pub name: String,
    pub version: String,
    /// For which machines: `x86_64`, `noarch`.
    pub arch: Option<String>,
    /// How many bytes it has, and how many when it is unpacked.
    pub size: u64,
    pub installed_size: u64,
    pub description: String,
    pub url: String,
    pub license: String,
    /// The source that it is made of, with others.
    pub origin: Option<String>,
    pub maintainer: Option<String>,
    /// In seconds since 1970.
    pub build_time: u64,
    pub commit: Option<String>,
    /// The higher one is taken of several that provide the same.
    pub priority: u64,
    pub depends: Vec<Dependency>,
    pub provides: Vec<Dependency>,
    /// It comes along when all of these are there.
    pub install_if: Vec<Dependency>,
    /// Why it can't be used here, where something of it could not be read.
    pub unread: Option<String>,
}

impl Package {
    /// Takes in one line: `P`, `busybox`. Whether it is a line of packages.
    pub fn add(&mut self, field: char, value: &str) -> Result<bool, String> {
        let text = || value.to_owned();
        let number = || value.parse::<u64>().map_err(|_| format!("`{field}:{value}` is no number"));
        match field {
            'C' => self.checksum = text(),
            'P' => self.name = text(),
            'V' => self.version = text(),
            'A' => self.arch = Some(text()),
            'S' => self.size = number()?,
            'I' => self.installed_size = number()?,
            'T' => self.description = text(),
            'U' => self.url = text(),
            'L' => self.license = text(),
            'o' => self.origin = Some(text()),
            'm' => self.maintainer = Some(text()),
            't' => self.build_time = number()?,
            'c' => self.commit = Some(text()),
            'k' => self.priority = number()?,
            'D' => self.depends = Dependency::list(value)?,
            'p' => self.provides = Dependency::list(value)?,
            'i' => self.install_if = Dependency::list(value)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Name and version.
    pub fn title(&self) -> String {
        format!("{}-{}", self.name, self.version)
    }

    /// The name of its file in a repository.
    pub fn file(&self) -> String {
        format!("{}.apk", self.title())
    }

    /// The version under which it has a name, for each time that it has it.
    pub fn under<'p>(&'p self, name: &'p str) -> impl Iterator<Item = Option<&'p str>> {
        let own = (self.name == name).then_some(Some(self.version.as_str()));
        let others = self.provides.iter().filter(move |it| it.name == name);
        own.into_iter().chain(others.map(|it| it.version.as_ref().map(|range| range.version.as_str())))
    }

    /// Its name and all that it provides.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.name.as_str()).chain(self.provides.iter().map(|it| it.name.as_str()))
    }

    /// The lines, as apk writes them.
    pub fn lines(&self) -> String {
        let mut lines = format!("C:{}\nP:{}\nV:{}\n", self.checksum, self.name, self.version);
        let mut put = |field: char, value: &str| {
            let _ = writeln!(lines, "{field}:{value}");
        };
        let filled = |text: &Option<String>| text.clone().unwrap_or_default();
        if self.arch.is_some() {
            put('A', &filled(&self.arch));
        }
        put('S', &self.size.to_string());
        put('I', &self.installed_size.to_string());
        put('T', &self.description);
        put('U', &self.url);
        put('L', &self.license);
        if self.origin.is_some() {
            put('o', &filled(&self.origin));
        }
        if self.maintainer.is_some() {
            put('m', &filled(&self.maintainer));
        }
        if self.build_time > 0 {
            put('t', &self.build_time.to_string());
        }
        if self.commit.is_some() {
            put('c', &filled(&self.commit));
        }
        if self.priority > 0 {
            put('k', &self.priority.to_string());
        }
        for (field, all) in [('D', &self.depends), ('p', &self.provides), ('i', &self.install_if)] {
            if !all.is_empty() {
                put(field, &joined(all));
            }
        }
        lines
    }
}

/// The order in which apk shows and keeps names.
pub fn in_order(one: &str, other: &str) -> std::cmp::Ordering {
    one.to_ascii_lowercase().cmp(&other.to_ascii_lowercase()).then_with(|| one.cmp(other))
}
