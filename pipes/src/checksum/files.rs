//! Files of the project in a list of checksums, beside what was made.
//! Does not hash them.

use std::io;
use std::path::{Path, PathBuf};

use forge_plugin::schemas::{Failure, Problem};
use forge_plugin::sources::{self, Except};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Settings;
use crate::archive::naming;

/// Files that are listed.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ExtraFile {
    /// A path or a glob, relative to the project file.
    Path(String),
    /// One file, under another name.
    Table(NamedFile),
}

/// A file that is listed under another name.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NamedFile {
    /// The file, relative to the project file; a glob that matches just one.
    pub src: String,
    /// What it is called in the list.
    pub name: Option<String>,
}

/// The same, resolved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extra {
    /// The path or the glob.
    pub src: String,
    /// Its name, if not the last part of its path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl From<&ExtraFile> for Extra {
    fn from(file: &ExtraFile) -> Extra {
        match file {
            ExtraFile::Path(src) => Extra { src: src.clone(), name: None },
            ExtraFile::Table(NamedFile { src, name }) => Extra { src: src.clone(), name: name.clone() },
        }
    }
}

impl Extra {
    /// What it is called, where it is one file.
    pub fn name(&self) -> String {
        self.name.clone().unwrap_or_else(|| last_part(Path::new(&self.src)))
    }

    /// The key that names it.
    pub fn key(&self, settings: &Settings) -> String {
        let at = settings.files.iter().position(|it| Extra::from(it) == *self).unwrap_or_default();
        match settings.files.get(at) {
            Some(ExtraFile::Table(_)) => format!("files[{at}].src"),
            _ => format!("files[{at}]"),
        }
    }
}

/// All that is wrong with the files of a table.
pub fn mistakes(settings: &Settings) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in settings.files.iter().map(Extra::from) {
        let key = file.key(settings);
        problems.extend(naming::inside(&key, &file.src, "project").err());
        if settings.split && sources::is_glob(&file.src) {
            let message =
                format!("how many files `{}` is, and so how many have a checksum, is not known beforehand", file.src);
            problems.push(Problem::at_key(&key, message).help("name each file, or leave `split` out"));
        }
        if let Some(name) = &file.name {
            problems.extend(naming::check(&key.replace(".src", ".name"), name).err());
        }
    }
    problems
}

/// The files by their names in the list.
pub fn find(files: &[Extra], root: &Path) -> Result<Vec<(String, PathBuf)>, Failure> {
    let mut found = Vec::new();
    for file in files {
        let failed = |error: io::Error| Failure::file("read", &root.join(&file.src), &error);
        let mut paths = Vec::new();
        for top in sources::matches(root, &file.src, &Except::default()).map_err(failed)? {
            paths.extend(sources::files(root, &top, &Except::default()).map_err(failed)?);
        }
        match (&file.name, paths.as_slice()) {
            (Some(name), [path]) => found.push((name.clone(), root.join(path))),
            (Some(name), _) => {
                let message =
                    format!("`{}` is {} files, of which each can't be called `{name}`", file.src, paths.len());
                return Err(Failure::input(message).help("name one file"));
            }
            (None, paths) => found.extend(paths.iter().map(|path| (last_part(path), root.join(path)))),
        }
    }
    Ok(found)
}

fn last_part(path: &Path) -> String {
    path.file_name().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default()
}
