//! Looks for the library of a plugin by the name in its manifest, in directories, one after the other.
//! Does not know which directories those are, and loads nothing.

use std::collections::BTreeSet;
use std::env::consts::DLL_SUFFIX;
use std::fs;
use std::path::{Path, PathBuf};

use super::error::LoadError;
use super::library::Library;
use super::maps;

/// A library that was found by name.
pub struct Found {
    /// The first of its name.
    pub library: Library,
    /// Other files of that name with other content, which stand further back.
    pub hidden: Vec<PathBuf>,
    /// Builds for other platforms.
    pub elsewhere: Vec<Library>,
}

impl From<Library> for Found {
    fn from(library: Library) -> Found {
        Found { library, hidden: Vec::new(), elsewhere: Vec::new() }
    }
}

impl Library {
    /// The library of the plugin of this name: the first in these directories, one for this platform before others. Only files
    /// that are named as libraries are, and not in directories below.
    pub fn find(name: &str, directories: &[PathBuf]) -> Result<Found, LoadError> {
        let (ours, mut others) = (maps::platform(), BTreeSet::new());
        let mut found: Vec<Library> = Vec::new();
        for directory in directories {
            // What is no plugin, or can't be read, has no name that could be looked for.
            let libraries = libraries(directory).into_iter().filter_map(|path| Library::read(&path).ok());
            let (mut here, rest): (Vec<Library>, Vec<Library>) = libraries.partition(|it| it.name() == name);
            others.extend(rest.iter().map(|it| it.name().to_owned()));
            here.sort_by_key(|it| it.platform() != ours);
            found.extend(here);
        }
        // A build for another platform hides nothing, and is hidden by nothing.
        let platform = found.first().map(|it| it.platform().to_owned());
        let (same, elsewhere) =
            found.into_iter().partition::<Vec<_>, _>(|it| Some(it.platform()) == platform.as_deref());
        let mut same = same.into_iter();
        match same.next() {
            Some(library) => {
                let differs = |other: &Library| other.digest() != library.digest();
                let hidden = same.filter(differs).map(|other| other.path().to_owned()).collect();
                Ok(Found { library, hidden, elsewhere })
            }
            None => Err(nowhere(name, directories, &others)),
        }
    }
}

fn libraries(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_library = |path: &PathBuf| path.to_string_lossy().ends_with(DLL_SUFFIX) && path.is_file();
    let mut paths: Vec<PathBuf> = entries.filter(is_library).collect();
    paths.sort();
    paths
}

fn nowhere(name: &str, directories: &[PathBuf], others: &BTreeSet<String>) -> LoadError {
    let looked: Vec<String> = directories.iter().map(|it| format!("`{}`", it.display())).collect();
    let mut help = format!("it was looked for in {}", looked.join(", "));
    if !others.is_empty() {
        let names: Vec<String> = others.iter().map(|it| format!("`{it}`")).collect();
        help.push_str(&format!("; there is {}", names.join(", ")));
    }
    LoadError::new(format!("there is no plugin `{name}`")).help(help)
}
