//! What something consists of: parts, and how they hang together. Programs that share a part share it here.
//! Does not know any format, nor where what is known comes from.

use std::collections::{BTreeMap, BTreeSet};

use forge_plugin::schemas::Digest;

/// What something consists of. The first part is the thing itself.
#[derive(Debug, Default)]
pub struct Software {
    /// The parts, each once.
    pub parts: Vec<Part>,
    /// How they hang together, by their places.
    pub relations: BTreeSet<(usize, Relation, usize)>,
    places: BTreeMap<Part, usize>,
}

/// A part.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    /// What it is called.
    pub name: String,
    /// Its version, where it is known.
    pub version: Option<String>,
    /// Of which sort.
    pub sort: Sort,
    /// Its package URL, where it has one.
    pub purl: Option<String>,
    /// The sha256 of the file that it is, where it is one.
    pub digest: Option<Digest>,
    /// What else is known of it, as sentences.
    pub note: Option<String>,
}

/// The sort of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sort {
    /// Files in one, to be downloaded.
    Archive,
    /// What a package manager installs.
    Package,
    /// An image.
    Container,
    /// A program.
    Program,
    /// What programs are compiled of.
    Library,
}

/// How a part hangs together with another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Relation {
    /// The other lies in it.
    Contains,
    /// It was compiled from the other.
    MadeFrom,
    /// It does not work without the other, which is compiled into the same program.
    DependsOn,
    /// It was compiled with the help of the other, which is not in the program.
    BuiltWith,
}

/// What a program consists of, as it says itself.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// What it was compiled from and with. The first is what the rest was needed for.
    pub parts: Vec<Part>,
    /// How these hang together, by their places.
    pub relations: Vec<(usize, Relation, usize)>,
}

impl Software {
    /// The place of a part, which is added where it is new.
    pub fn add(&mut self, part: Part) -> usize {
        if let Some(at) = self.places.get(&part) {
            return *at;
        }
        let at = self.parts.len();
        self.places.insert(part.clone(), at);
        self.parts.push(part);
        at
    }

    /// Adds what is known of the program at this place.
    pub fn explain(&mut self, program: usize, known: Known) {
        let places: Vec<usize> = known.parts.into_iter().map(|part| self.add(part)).collect();
        if let Some(first) = places.first() {
            self.relations.insert((program, Relation::MadeFrom, *first));
        }
        let relations = known.relations.into_iter();
        self.relations.extend(relations.map(|(one, relation, other)| (places[one], relation, places[other])));
    }

    /// What the part at this place is called in a document: letters, digits, `.` and `-`, as SPDX wants it.
    pub fn ids(&self) -> Vec<String> {
        let mut taken: BTreeMap<String, usize> = BTreeMap::new();
        let id = |part: &Part| {
            let version = part.version.iter().flat_map(|it| ["-", it]);
            let words: String = std::iter::once(part.name.as_str()).chain(version).collect();
            let id: String =
                words.chars().map(|it| if it.is_ascii_alphanumeric() || it == '.' { it } else { '-' }).collect();
            let times = taken.entry(id.clone()).or_default();
            *times += 1;
            if *times == 1 { id } else { format!("{id}-again-{times}") }
        };
        self.parts.iter().map(id).collect()
    }
}
