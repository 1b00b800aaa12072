//! Which archives a package manager downloads, and from where.
//! Does not know which package manager.

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
    /// What the format calls the platform.
    words: Vec<String>,
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

/// Something that may be downloaded.
struct Candidate<'a> {
    platform: &'a Platform,
    /// What the format calls the platform.
    words: Vec<String>,
    /// How good the archive is to the format, the best first.
    rank: usize,
    offer: &'a Offer,
    archive: Archive,
}

/// One for each word that the format has for a platform, in the order of platforms. Of several for one word it is the one that runs wherever
/// the others do.
pub fn choose(
    settings: &Settings,
    given: &Given<'_>,
    format: &Format,
    archives: &[&Offer],
) -> Result<Vec<Download>, Vec<Problem>> {
    let key = if settings.ids.is_empty() { "" } else { "ids" };
    let mut candidates: Vec<Candidate<'_>> = archives.iter().filter_map(|offer| Candidate::of(offer, format)).collect();
    // The one that runs everywhere first: `all` sorts before `amd64`, none before `v2`, `v6` before `v7`.
    candidates.sort_by_key(|it| (it.platform, it.rank));
    let mut chosen: Vec<Candidate<'_>> = Vec::new();
    let mut problems = Vec::new();
    for candidate in candidates {
        match chosen.iter().find(|it| it.words.iter().any(|word| candidate.words.contains(word))) {
            Some(best) if (best.platform, best.rank) == (candidate.platform, candidate.rank) => {
                let names = format!("`{}` and `{}`", best.offer.name, candidate.offer.name);
                let problem = Problem::at_key(key, format!("{names} are both for {}", candidate.platform));
                problems.push(problem.help("choose the table by `ids`"));
            }
            Some(_) => {}
            None => chosen.push(candidate),
        }
    }
    if chosen.is_empty() && problems.is_empty() && !format.files.is_empty() {
        let problem = Problem::at_key(key, format!("no archive is for a platform that {} knows", format.called));
        problems.push(problem.help(format!("it takes {}", format.in_words())));
    }
    let mut downloads = Vec::with_capacity(chosen.len());
    for candidate in chosen {
        match url(settings, given, &candidate.offer.name) {
            Ok(url) => downloads.push(Download::of(candidate, url)),
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

impl<'a> Candidate<'a> {
    /// None for what the format has no use for.
    fn of(offer: &'a Offer, format: &Format) -> Option<Candidate<'a>> {
        let (platform, archive) = (offer.platform.as_ref()?, offer.detail::<Archive>()?);
        let rank = format.rank(platform, &archive.format)?;
        Some(Candidate { platform, words: format.words(platform), rank, offer, archive })
    }
}

impl Download {
    fn of(candidate: Candidate<'_>, url: String) -> Download {
        let Candidate { platform, words, offer, archive, .. } = candidate;
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
        let (artifact, platform) = (offer.name.clone(), platform.clone());
        Download { artifact, platform, words, url, format: archive.format, directory, programs }
    }

    /// What templates may name of it.
    pub fn names(&self, host: &dyn Host) -> Result<Value, Failure> {
        let artifact = host.inputs().iter().find(|it| it.name == self.artifact);
        let artifact = artifact.ok_or_else(|| Failure::bug(format!("`{}` was not given", self.artifact)))?;
        let platform = &self.platform;
        Ok(json!({
            "os": platform.os(), "arch": platform.arch(), "variant": platform.variant().unwrap_or_default(),
            "platform": platform.to_string(), "words": self.words, "url": self.url, "sha256": artifact.digest.hex(),
            "file": artifact.file_name(), "format": self.format, "directory": self.directory, "programs": self.programs,
        }))
    }
}
