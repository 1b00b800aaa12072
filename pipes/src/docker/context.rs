//! What `COPY` can name: binaries, at `$TARGETPLATFORM/NAME` and at `NAME`, and every file of the project.
//! Does not look at the project: whether its files exist says the engine, with the place that names them.

use forge_plugin::schemas::kind::Binary;
use forge_plugin::schemas::{Offer, Platform};
use globset::GlobBuilder;

use crate::docker::recipe::Source;
use crate::oci::rootfs::normal;

/// The binaries for one platform.
#[derive(Debug, Clone)]
pub struct Context {
    platform: Platform,
    /// The artifact, and its file name.
    binaries: Vec<(String, String)>,
}

impl Context {
    /// The binaries among `offers` for `platform`.
    pub fn new<'a>(platform: &Platform, offers: impl IntoIterator<Item = &'a Offer>) -> Context {
        let binaries = offers
            .into_iter()
            .filter(|offer| offer.platform.as_ref().is_none_or(|it| it == platform))
            .filter_map(|offer| Some((offer.name.clone(), offer.detail::<Binary>()?.file_name)))
            .collect();
        Context { platform: platform.clone(), binaries }
    }

    /// All binaries, as sources.
    pub fn binaries(&self) -> Vec<Source> {
        self.binaries.iter().map(source).collect()
    }

    /// The same, by artifact and file name.
    pub fn named(&self) -> Vec<(String, String)> {
        self.binaries.clone()
    }

    /// Two artifacts of one file name, which no path could tell apart, and that name.
    pub fn ambiguous(&self) -> Option<(&str, &str, &str)> {
        self.binaries.iter().enumerate().find_map(|(at, (artifact, file_name))| {
            let (other, _) = self.binaries[..at].iter().find(|(_, it)| it == file_name)?;
            Some((other.as_str(), artifact.as_str(), file_name.as_str()))
        })
    }

    /// What `path` names, or why it may name nothing. Binaries win over files of the project.
    pub fn find(&self, path: &str) -> Result<Vec<Source>, String> {
        if leaves_root(path) {
            return Err(format!("`{path}` lies outside of the project"));
        }
        let wanted = normal(path);
        if wanted.is_empty() {
            // Without the binaries, which lie at several paths: whoever wants one names it.
            return Ok(vec![Source::Project(".".to_owned())]);
        }
        let glob = GlobBuilder::new(&wanted).literal_separator(true).build();
        let glob = glob.map_err(|error| format!("`{path}` is not a pattern: {}", error.kind()))?.compile_matcher();
        let dir = self.platform.to_string();
        let is_wanted = |file_name: &str| {
            wanted == dir
                || glob.is_match(file_name)
                || glob.is_match(format!("{dir}/{file_name}"))
                || glob.is_match(&dir)
        };
        let found: Vec<Source> =
            self.binaries.iter().filter(|(_, file_name)| is_wanted(file_name)).map(source).collect();
        Ok(if found.is_empty() { vec![Source::Project(wanted)] } else { found })
    }
}

/// A pattern as Go's `filepath.Match` has it, where `**` is no more than `*`, and braces stand for themselves.
pub fn glob(path: &str) -> String {
    let mut glob = String::new();
    for char in path.chars() {
        match char {
            '*' if glob.ends_with('*') => {}
            '{' | '}' => glob.extend(['[', char, ']']),
            _ => glob.push(char),
        }
    }
    glob
}

fn source((artifact, file_name): &(String, String)) -> Source {
    Source::Input { artifact: artifact.clone(), file_name: file_name.clone() }
}

/// Whether a relative path leads above where it starts.
pub fn leaves_root(path: &str) -> bool {
    let mut depth = 0_i64;
    path.split('/').any(|part| {
        depth += match part {
            "" | "." => 0,
            ".." => -1,
            _ => 1,
        };
        depth < 0
    })
}
