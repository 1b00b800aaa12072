//! Destination `gitlab`: files as a generic package of the project, then a release that links to them.
//! Does not know requests: `gitlab/api.rs` sends them.

mod api;

use forge_plugin::schemas::{Artifact, Failure, FailureClass, Finding, Problem, Selector, Step};
use forge_plugin::{Given, Host};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::api::{Api, Stored};
use super::page::{self, Naming, Page, Said, Site};
use super::{Destination, Planned, Settings, typed};
use crate::table::address;

pub(super) const DESTINATION: Destination = Destination {
    name: "gitlab",
    about: "puts what users get into the package registry of a GitLab project, and makes a release that links to it when all of it \
            is there.",
    schema: Own::json_schema,
    takes,
    plan,
    probe,
    run,
};

/// What it wants to know.
#[derive(Debug, Deserialize, JsonSchema)]
struct Own {
    /// The project with its groups: `acme/tools/hello`. Default: the one that this was cloned from, where that is on the same host.
    repository: Option<String>,
    /// Further kinds of files that go there, as for `github`.
    #[serde(default)]
    kinds: Vec<String>,
    /// The title. Default: the tag.
    title: Option<String>,
    /// What is new, as Markdown. Default: what a `changelog` table writes.
    notes: Option<String>,
    /// The generic package that holds the files. Without it, it is called as the project.
    package: Option<String>,
    /// Titles of milestones that the release belongs to.
    #[serde(default)]
    milestones: Vec<String>,
    /// Where it is: `https://gitlab.example.org`. A token with the right `api` is named by `[registries."gitlab.example.org"]`.
    /// Default: `https://gitlab.com`.
    api: Option<String>,
}

/// A release as it is to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Wanted {
    /// What any page has.
    pub page: Page,
    /// The generic package.
    pub package: String,
    /// Its version.
    pub version: String,
    /// Titles of milestones.
    pub milestones: Vec<String>,
}

/// What a step does.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum What {
    /// The files, in the package registry.
    Stage(Wanted),
    /// The release.
    Publish(Wanted),
}

const GITLAB: &str = "https://gitlab.com";

fn takes(settings: &Settings) -> Vec<Selector> {
    page::takes(settings, &settings.own::<Own>().map(|own| own.kinds).unwrap_or_default())
}

fn plan(settings: &Settings, given: &Given<'_>) -> Planned {
    let own: Own = settings.own()?;
    let seen = address(&own).map_err(|problem| vec![problem])?;
    let place = seen.split_once("://").map_or(seen.as_str(), |(_, rest)| rest);
    let host = place.split('/').next().unwrap_or(place);
    let is_good = |text: &str| text.contains('/') && text.split('/').all(page::is_word);
    let naming = Naming { site: "GitLab", host, is_good, example: "acme/hello" };
    let site = Site {
        as_shown: ToOwned::to_owned,
        api: format!("{seen}/api/v4"),
        repository: page::repository(own.repository.as_ref(), &naming, given),
        page: &|repository, tag| format!("{seen}/{repository}/-/releases/{tag}"),
    };
    if let Some(name) = own.package.as_ref().filter(|it| !page::is_word(it)) {
        let problem = Problem::at_key("package", format!("`{name}` is no name of a generic package"));
        return Err(vec![problem.help("write letters, digits, dots, hyphens and underscores")]);
    }
    let said = Said { title: own.title.as_ref(), notes: own.notes.as_ref(), prerelease: None };
    let page = page::of(&said, site, settings, given)?;
    let wanted = Wanted {
        page,
        package: own.package.unwrap_or_else(|| given.facts.name.clone()),
        version: given.facts.version.clone(),
        milestones: own.milestones,
    };
    let params = [What::Stage(wanted.clone()), What::Publish(wanted.clone())];
    let params = params.map(|it| serde_json::to_value(it).unwrap_or_default());
    Ok(wanted.page.steps(place, "files", params, given).to_vec())
}

fn address(own: &Own) -> Result<String, Problem> {
    let named = own.api.as_deref().unwrap_or(GITLAB);
    let seen = named.trim_end_matches('/').trim_end_matches("/api/v4");
    match address::base(seen) {
        Ok(_) => Ok(seen.to_owned()),
        Err(bad) => Err(bad.problem("api", "a GitLab", "api = \"https://gitlab.example.org\"")),
    }
}

fn probe(params: &Value, host: &dyn Host) -> Result<Vec<Finding>, Failure> {
    let (What::Stage(wanted) | What::Publish(wanted)) = typed(params)?;
    let api = Api::of(&wanted, host);
    api.check_access()?;
    let lacks = match api.released()? {
        None => None,
        Some(links) => Some(wanted.lacks(&api.stored()?, Some(&links), &api)),
    };
    Ok(vec![wanted.page.finding(lacks, host)])
}

fn run(params: &Value, step: &Step, host: &dyn Host) -> Result<(), Failure> {
    let what: What = typed(params)?;
    let (What::Stage(wanted) | What::Publish(wanted)) = &what;
    let api = Api::of(wanted, host);
    let released = api.released()?;
    let is_publish = matches!(what, What::Publish(_));
    // The files of a release that others see are changed only where the user has said so, and that holds for its last step.
    if released.is_none() || is_publish {
        wanted.fill(&api)?;
    }
    if is_publish {
        match released {
            None => api.release()?,
            Some(links) => wanted.page.files(host).try_for_each(|(name, _)| api.link(name, &links))?,
        }
        let lacks = match api.released()? {
            None => vec!["is not there".to_owned()],
            Some(links) => wanted.lacks(&api.stored()?, Some(&links), &api),
        };
        if !lacks.is_empty() {
            let message = format!("`{}` was published, and, asked for, {}", wanted.page.url, lacks.join(", "));
            return Err(Failure::new(FailureClass::Network, message));
        }
    }
    wanted.page.emit(step, host)
}

impl Wanted {
    /// What is missing or other, in words.
    fn lacks(&self, stored: &[Stored], links: Option<&[api::Link]>, api: &Api<'_>) -> Vec<String> {
        let lack = |(name, ours): (&str, &Artifact)| match stored.iter().find(|it| it.name == name) {
            None => Some(format!("has no `{name}`")),
            Some(file) if !file.is(ours) => Some(format!("has another `{name}`")),
            Some(_) => {
                let is_linked =
                    |links: &[api::Link]| links.iter().any(|it| it.name == name && it.url == api.place(name));
                links.is_some_and(|links| !is_linked(links)).then(|| format!("does not link to `{name}`"))
            }
        };
        self.page.files(api.host).filter_map(lack).collect()
    }

    /// Every file in the package registry, each read back.
    fn fill(&self, api: &Api<'_>) -> Result<(), Failure> {
        let there = api.stored()?;
        let all: Vec<(&str, &Artifact)> = self.page.files(api.host).collect();
        let total = all.iter().map(|(_, it)| it.size).sum();
        let mut done = 0;
        for (name, ours) in all {
            api.host.progress(done, total, name);
            if !there.iter().any(|it| it.name == name && it.is(ours)) {
                api.put(name, ours)?;
            }
            done += ours.size;
        }
        match self.lacks(&api.stored()?, None, api).as_slice() {
            [] => Ok(()),
            lacks => Err(Failure::new(FailureClass::Network, format!("the package, read back, {}", lacks.join(", ")))),
        }
    }
}
