//! Which archives a package manager downloads, and from where.
//! Does not know which package manager.

use std::collections::BTreeMap;

use forge_plugin::schemas::kind::Archive;
use forge_plugin::schemas::{Failure, Offer, Platform, Problem};
use forge_plugin::{Given, Host};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::formats::Format;
use super::{Settings, UrlNames};
use crate::changelog::history::page;

/// An archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Download {
    /// The artifact.
    pub artifact: String,
    platform: Platform,
    url: String,
    format: String,
    directory: String,
    programs: Vec<Program>,
}

/// A program in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Program {
    /// Where it lies in the archive.
    path: String,
    /// What it is called when it is installed.
    name: String,
}

/// One for each platform that the format has a word for, in the order of the file.
pub fn choose(
    settings: &Settings,
    given: &Given<'_>,
    format: &Format,
    archives: &[&Offer],
) -> Result<Vec<Download>, Vec<Problem>> {
    let key = if settings.ids.is_empty() { "" } else { "ids" };
    let mut chosen: BTreeMap<Platform, (usize, &Offer, Archive)> = BTreeMap::new();
    let mut problems = Vec::new();
    for offer in archives.iter().copied() {
        let (Some(platform), Some(archive)) = (&offer.platform, offer.detail::<Archive>()) else { continue };
        let Some(rank) = format.rank(platform, &archive.format) else { continue };
        match chosen.get(platform) {
            Some((before, other, _)) if *before == rank => {
                let message = format!("`{}` and `{}` are both for {platform}", other.name, offer.name);
                problems.push(Problem::at_key(key, message).help("choose the table by `ids`"));
            }
            Some((before, ..)) if *before < rank => {}
            _ => drop(chosen.insert(platform.clone(), (rank, offer, archive))),
        }
    }
    if chosen.is_empty() && problems.is_empty() && !format.files.is_empty() {
        let problem = Problem::at_key(key, format!("no archive is for a platform that {} knows", format.called));
        problems.push(problem.help(format!("it takes {}", format.in_words())));
    }
    let mut downloads = Vec::with_capacity(chosen.len());
    for (platform, (_, offer, archive)) in chosen {
        match url(settings, given, &offer.name) {
            Ok(url) => downloads.push(Download::of(offer, platform, url, archive)),
            Err(problem) if problems.contains(&problem) => {}
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(downloads) } else { Err(problems) }
}

fn url(settings: &Settings, given: &Given<'_>, artifact: &str) -> Result<String, Problem> {
    let facts = given.facts;
    if let Some(url) = &settings.url {
        return given.render("url", url, &UrlNames { artifact: artifact.to_owned() });
    }
    let tag = if facts.tag.is_empty() { &facts.version } else { &facts.tag };
    match page(&facts.git_url) {
        // GitLab has no page that files lie on under their own names.
        Some(page) if !page.contains("gitlab") => Ok(format!("{page}/releases/download/{tag}/{artifact}")),
        _ => {
            let problem = Problem::at_key("", "where the archives are downloaded from is not known");
            Err(problem.help("add `url = \"https://…/{{ tag }}/{{ artifact }}\"`"))
        }
    }
}

impl Download {
    fn of(offer: &Offer, platform: Platform, url: String, archive: Archive) -> Download {
        let directory = archive.directory.unwrap_or_default();
        // One that is downloaded as it is has the name of the archive.
        let is_alone = archive.format == "binary";
        let program = |name: &String| {
            let path = match (is_alone, directory.as_str()) {
                (true, _) => offer.name.rsplit('/').next().unwrap_or(name).to_owned(),
                (false, "") => name.clone(),
                (false, directory) => format!("{directory}/{name}"),
            };
            Program { path, name: name.rsplit('/').next().unwrap_or(name).to_owned() }
        };
        let programs = archive.binaries.iter().map(program).collect();
        Download { artifact: offer.name.clone(), platform, url, format: archive.format, directory, programs }
    }

    /// What templates may name of it.
    pub fn names(&self, host: &dyn Host) -> Result<Value, Failure> {
        let artifact = host.inputs().iter().find(|it| it.name == self.artifact);
        let artifact = artifact.ok_or_else(|| Failure::bug(format!("`{}` was not given", self.artifact)))?;
        let platform = &self.platform;
        Ok(json!({
            "os": platform.os(), "arch": platform.arch(), "variant": platform.variant().unwrap_or_default(),
            "platform": platform.to_string(), "url": self.url, "sha256": artifact.digest.hex(),
            "file": artifact.file_name(), "format": self.format, "directory": self.directory, "programs": self.programs,
        }))
    }
}
