//! Destination `gitea`: a release with its files on Gitea, Forgejo or Codeberg, as a draft first, as on GitHub.
//! Does not know requests: `page/api.rs` sends them.

use forge_plugin::Given;
use forge_plugin::schemas::{Problem, Selector};
use schemars::JsonSchema;
use serde::Deserialize;

use super::page::api::Service;
use super::page::draft::{self, Shown, Wanted};
use super::page::{self, Naming, Said, Site};
use super::{Destination, Planned, Settings};
use crate::table::address;

pub(super) const DESTINATION: Destination = Destination {
    name: "gitea",
    about: "makes a release on Gitea, Forgejo or Codeberg, as `github` does on GitHub; what they have is fetched again and compared, \
            because they do not say what files hash to.",
    schema: Own::json_schema,
    takes,
    plan,
    probe: draft::probe,
    run: draft::run,
};

/// What it wants to know.
#[derive(Debug, Deserialize, JsonSchema)]
struct Own {
    /// The repository: `acme/hello`. Default: the one that this was cloned from, where that is on the same host.
    repository: Option<String>,
    /// Further kinds of files that go there, as for `github`.
    #[serde(default)]
    kinds: Vec<String>,
    /// The title. Default: the tag.
    title: Option<String>,
    /// What is new, as Markdown. Default: what a `changelog` table writes.
    notes: Option<String>,
    /// Whether it is shown as one that is not ready for all. Default: whether the version is a prerelease.
    prerelease: Option<bool>,
    /// Leave it a draft, which a person publishes.
    #[serde(default)]
    draft: bool,
    /// Where it is: `https://codeberg.org`, with the path below which it lies, if there is one. A token that may write there
    /// (`write:repository`) is named by `[registries."codeberg.org"]`. Default: the host that this was cloned from.
    api: Option<String>,
}

const EXAMPLE: &str = "api = \"https://codeberg.org\"";

fn takes(settings: &Settings) -> Vec<Selector> {
    page::takes(settings, &settings.own::<Own>().map(|own| own.kinds).unwrap_or_default())
}

fn plan(settings: &Settings, given: &Given<'_>) -> Planned {
    let own: Own = settings.own()?;
    let seen = address(&own, given).map_err(|problem| vec![problem])?;
    let place = seen.split_once("://").map_or(seen.as_str(), |(_, rest)| rest);
    let host = place.split('/').next().unwrap_or(place);
    let naming = Naming { site: "Gitea", host, is_good: page::is_owner_and_name, example: "acme/hello" };
    let site = Site {
        as_shown: ToOwned::to_owned,
        api: format!("{seen}/api/v1"),
        repository: page::repository(own.repository.as_ref(), &naming, given),
        page: &|repository, tag| format!("{seen}/{repository}/releases/tag/{tag}"),
    };
    let said = Said { title: own.title.as_ref(), notes: own.notes.as_ref(), prerelease: own.prerelease };
    let page = page::of(&said, site, settings, given)?;
    let wanted = Wanted { page, service: Service::Gitea, latest: None, discussion: None };
    let shown = if own.draft { Shown::ByPerson } else { Shown::ByForge };
    Ok(draft::steps(&wanted, shown, place, given))
}

/// Where it is seen, without a slash at the end.
fn address(own: &Own, given: &Given<'_>) -> Result<String, Problem> {
    let Some(named) = &own.api else {
        let found = page::cloned_from(given).filter(|(host, _)| host != "github.com" && host != "gitlab.com");
        return found.map(|(host, _)| format!("https://{host}")).ok_or_else(|| {
            Problem::at_key("to", "where the Gitea is that the release is for is not known")
                .help(format!("say it, as in `{EXAMPLE}`"))
        });
    };
    let seen = named.trim_end_matches('/').trim_end_matches("/api/v1");
    match address::base(seen) {
        Ok(_) => Ok(seen.to_owned()),
        Err(bad) => Err(bad.problem("api", "a Gitea", EXAMPLE)),
    }
}
