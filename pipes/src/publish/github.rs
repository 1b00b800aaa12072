//! Destination `github`: a release with its files, as a draft first, and for everyone when all of it is there.
//! Does not know requests: `page/api.rs` sends them.

use forge_plugin::Given;
use forge_plugin::schemas::Selector;
use schemars::JsonSchema;
use serde::Deserialize;

use super::page::api::Service;
use super::page::draft::{self, Shown, Wanted};
use super::page::{self, Naming, Said, Site};
use super::{Destination, Planned, Settings};
use crate::table::address;

pub(super) const DESTINATION: Destination = Destination {
    name: "github",
    about: "makes a release on GitHub, with archives, packages, checksums and what else users get: as a draft first, and for \
            everyone when all of it is there.",
    schema: Own::json_schema,
    takes,
    plan,
    probe: draft::probe,
    run: draft::run,
};

/// What it wants to know.
#[derive(Debug, Deserialize, JsonSchema)]
struct Own {
    /// The repository: `acme/hello`. Default: the one that this was cloned from, where that is on GitHub.
    repository: Option<String>,
    /// Further kinds of files that go there: `binary` for programs as they are. What users download, what is said about
    /// that, what it hashes to and its signatures go there in any case.
    #[serde(default)]
    kinds: Vec<String>,
    /// The title. Default: the tag.
    title: Option<String>,
    /// What is new, as Markdown. Default: what a `changelog` table writes.
    notes: Option<String>,
    /// Whether it is shown as one that is not ready for all. Default: whether the version is a prerelease.
    prerelease: Option<bool>,
    /// Whether it is shown as the latest. Default: GitHub decides by version and time.
    latest: Option<bool>,
    /// Leave it a draft, which a person publishes.
    #[serde(default)]
    draft: bool,
    /// The category in which a discussion about it is begun.
    discussion: Option<String>,
    /// Where the API is: `https://github.example.org/api/v3` for a GitHub of one's own. Its credentials are named by
    /// `[registries."api.github.com"]`, by its host. Default: `https://api.github.com`.
    api: Option<String>,
}

const GITHUB: &str = "https://api.github.com";
const NAMING: Naming<'_> =
    Naming { site: "GitHub", host: "github.com", is_good: page::is_owner_and_name, example: "acme/hello" };

fn takes(settings: &Settings) -> Vec<Selector> {
    page::takes(settings, &settings.own::<Own>().map(|own| own.kinds).unwrap_or_default())
}

fn plan(settings: &Settings, given: &Given<'_>) -> Planned {
    let own: Own = settings.own()?;
    let api = own.api.as_deref().unwrap_or(GITHUB).trim_end_matches('/').to_owned();
    if let Err(bad) = address::base(&api) {
        return Err(vec![bad.problem("api", "a GitHub", "api = \"https://github.example.org/api/v3\"")]);
    }
    let seen = if api == GITHUB { "https://github.com" } else { api.trim_end_matches("/api/v3") }.to_owned();
    let site = Site {
        as_shown,
        api,
        repository: page::repository(own.repository.as_ref(), &NAMING, given),
        page: &|repository, tag| format!("{seen}/{repository}/releases/tag/{tag}"),
    };
    let said = Said { title: own.title.as_ref(), notes: own.notes.as_ref(), prerelease: own.prerelease };
    let page = page::of(&said, site, settings, given)?;
    let wanted = Wanted { page, service: Service::GitHub, latest: own.latest, discussion: own.discussion };
    let shown = if own.draft { Shown::ByPerson } else { Shown::ByForge };
    Ok(draft::steps(&wanted, shown, "github.com", given))
}

/// What GitHub makes of the name of a file ("Upload a release asset": special characters are renamed): `~`, as Debian's
/// prereleases have it, is a `.` on the page.
fn as_shown(name: &str) -> String {
    let shown = |it: char| if it.is_ascii_alphanumeric() || "-_.+".contains(it) { it } else { '.' };
    name.chars().map(shown).collect()
}
