//! Destination `github`: a release with its files, as a draft first, and for everyone when all of it is there.
//! Does not know requests: `github/api.rs` sends them.

mod api;

use std::collections::BTreeMap;

use forge_plugin::schemas::kind::{Kind as _, ReleaseNotes, Role};
use forge_plugin::schemas::{
    Artifact, Change, Digest, Effect, Expect, Failure, FailureClass, Finding, Level, Memory, Offer, Place, Problem,
    Resource, Selector, Step,
};
use forge_plugin::{Given, Host};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::api::{Api, Draft, Release};
use super::{Destination, Planned, Settings, receipt, typed};

pub(super) const DESTINATION: Destination = Destination {
    name: "github",
    about: "makes a release on GitHub, with archives, packages, checksums and what else users get: as a draft first, and for \
            everyone when all of it is there.",
    schema: Own::json_schema,
    takes,
    plan,
    probe,
    run,
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

/// A release as it is to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Wanted {
    /// Where the API is.
    pub api: String,
    /// `acme/hello`.
    pub repository: String,
    /// All that GitHub wants to hear of it.
    pub draft: Draft,
    /// Where its notes are from, if they are an artifact's.
    notes: Option<String>,
    /// The names of its files, by artifact.
    files: BTreeMap<String, String>,
}

/// What a step does.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum What {
    /// The draft, with all files.
    Stage(Wanted),
    /// Makes it visible.
    Publish(Wanted),
}

const GITHUB: &str = "https://api.github.com";
const SHOWN: [Role; 4] = [Role::Delivery, Role::About, Role::Sums, Role::Proof];

fn takes(settings: &Settings) -> Vec<Selector> {
    let kinds = settings.own::<Own>().map(|own| own.kinds).unwrap_or_default();
    let of = |selector: Selector| Selector { kinds: kinds.clone(), roles: SHOWN.to_vec(), ..selector };
    let of_table = |(at, id): (usize, &String)| {
        let mut selector = of(Selector { tables: vec![id.clone()], key: format!("ids[{at}]"), ..Selector::default() });
        selector.kinds.push(ReleaseNotes::NAME.to_owned());
        selector
    };
    let mut selectors: Vec<Selector> = settings.ids.iter().enumerate().map(of_table).collect();
    if selectors.is_empty() {
        selectors.push(of(Selector { expect: Expect::Any, ..Selector::default() }));
    }
    selectors.push(Selector { expect: Expect::Any, ..Selector::of_kind(ReleaseNotes::NAME) });
    selectors
}

fn plan(settings: &Settings, given: &Given<'_>) -> Planned {
    let own: Own = settings.own()?;
    let mut problems = Vec::new();
    let repository = repository(&own, given).unwrap_or_else(|problem| {
        problems.push(problem);
        String::new()
    });
    let (mut notes, shown): (Vec<&Offer>, Vec<&Offer>) =
        given.offers.iter().partition(|offer| offer.kind == ReleaseNotes::NAME);
    let is_named = |offer: &&Offer| settings.ids.contains(&offer.table.id);
    if notes.iter().any(is_named) {
        notes.retain(is_named);
    }
    let files = files(&shown, &mut problems);
    if notes.len() > 1 && own.notes.is_none() {
        let problem = Problem::at_key("", format!("there are notes of {} tables", notes.len()));
        problems.push(problem.help("say which: name one `changelog` table in `ids`, or write `notes`"));
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let notes = notes.first().filter(|_| own.notes.is_none()).map(|it| it.name.clone());
    let wanted = Wanted {
        api: own.api.clone().unwrap_or_else(|| GITHUB.to_owned()).trim_end_matches('/').to_owned(),
        repository,
        draft: draft(&own, given),
        notes,
        files,
    };
    Ok(steps(&wanted, own.draft, given))
}

fn draft(own: &Own, given: &Given<'_>) -> Draft {
    let facts = given.facts;
    // A snapshot may have none.
    let tag = if facts.tag.is_empty() { facts.version.clone() } else { facts.tag.clone() };
    Draft {
        target_commitish: facts.commit.clone(),
        name: own.title.clone().unwrap_or_else(|| tag.clone()),
        tag_name: tag,
        body: own.notes.clone().unwrap_or_default(),
        draft: true,
        prerelease: own.prerelease.unwrap_or(!facts.prerelease.is_empty()),
        make_latest: own.latest.map(|it| it.to_string()),
        discussion_category_name: own.discussion.clone(),
    }
}

fn repository(own: &Own, given: &Given<'_>) -> Result<String, Problem> {
    let is_good = |text: &str| {
        let is_word =
            |word: &str| !word.is_empty() && word.chars().all(|it| it.is_ascii_alphanumeric() || "-_.".contains(it));
        text.split_once('/').is_some_and(|(owner, name)| is_word(owner) && is_word(name))
    };
    match &own.repository {
        Some(named) if is_good(named) => return Ok(named.clone()),
        Some(named) => {
            let problem = Problem::at_key("repository", format!("`{named}` is no repository of GitHub"));
            return Err(problem.help("write owner and name, as in `acme/hello`"));
        }
        None => {}
    }
    let url = given.facts.git_url.trim_end_matches('/').trim_end_matches(".git");
    let path =
        ["https://github.com/", "git@github.com:", "ssh://git@github.com/"].iter().find_map(|it| url.strip_prefix(it));
    path.filter(|it| is_good(it)).map(ToOwned::to_owned).ok_or_else(|| {
        let problem = Problem::at_key("to", "which repository of GitHub the release is for is not known");
        problem.help("add `repository = \"owner/name\"`")
    })
}

/// What each file is called on the page: by the last part of the artifact's name.
fn files(offers: &[&Offer], problems: &mut Vec<Problem>) -> BTreeMap<String, String> {
    let mut names: BTreeMap<String, &str> = BTreeMap::new();
    for offer in offers {
        let name = as_shown(offer.name.rsplit('/').next().unwrap_or(&offer.name));
        if let Some(other) = names.insert(name.clone(), &offer.name) {
            let message = format!("two files of the release would be `{name}`: `{other}` and `{}`", offer.name);
            problems.push(Problem::at_key("", message).help("give one of them another name in its table"));
        }
    }
    names.into_iter().map(|(name, artifact)| (artifact.to_owned(), name)).collect()
}

/// What GitHub makes of the name of a file ("Upload a release asset": special characters are renamed): `~`, as Debian's
/// prereleases have it, is a `.` on the page.
fn as_shown(name: &str) -> String {
    let shown = |it: char| if it.is_ascii_alphanumeric() || "-_.+".contains(it) { it } else { '.' };
    name.chars().map(shown).collect()
}

fn steps(wanted: &Wanted, stays_draft: bool, given: &Given<'_>) -> Vec<Step> {
    let Wanted { repository, draft, files, notes, .. } = wanted;
    let place = format!("github.com/{repository}");
    let staged = receipt::name(&given.table.id, &place, &format!("draft/{}", draft.tag_name));
    let takes: Vec<String> = files.keys().chain(notes).cloned().collect();
    let step = |what: &What| Step {
        resource: Resource::Network,
        params: serde_json::to_value(what).unwrap_or_default(),
        place: Place::Key("to".to_owned()),
        ..Step::default()
    };
    let stage = Step {
        name: format!("draft/{}", draft.tag_name),
        takes: takes.clone(),
        makes: vec![receipt::output(staged.clone(), wanted.page(), &draft.tag_name, None)],
        effect: Effect::Stage,
        ..step(&What::Stage(wanted.clone()))
    };
    let publish = Step {
        name: format!("release/{}", draft.tag_name),
        takes: takes.into_iter().chain([staged]).collect(),
        makes: vec![receipt::output(
            receipt::name(&given.table.id, &place, &draft.tag_name),
            wanted.page(),
            &draft.tag_name,
            None,
        )],
        effect: Effect::Publish,
        memory: Memory::Never,
        ..step(&What::Publish(wanted.clone()))
    };
    if stays_draft { vec![stage] } else { vec![stage, publish] }
}

fn probe(params: &Value, host: &dyn Host) -> Result<Vec<Finding>, Failure> {
    let (What::Stage(wanted) | What::Publish(wanted)) = typed(params)?;
    let api = Api::of(&wanted, host);
    api.check_access()?;
    let Some(release) = api.released()? else {
        let change = if host.inputs().is_empty() { Change::Unknown } else { Change::New };
        return Ok(vec![Finding { place: wanted.page(), there: None, ours: wanted.ours(host), change }]);
    };
    let change = match (host.inputs().is_empty(), wanted.lacks(&release, host)) {
        (true, _) => Change::Unknown,
        (false, lacks) if lacks.is_empty() => Change::None,
        (false, lacks) => Change::Conflict { because: format!("it is released already, and {}", lacks.join(", ")) },
    };
    let there = if change == Change::None { wanted.ours(host) } else { None };
    Ok(vec![Finding { place: wanted.page(), there, ours: wanted.ours(host), change }])
}

fn run(params: &Value, step: &Step, host: &dyn Host) -> Result<(), Failure> {
    let what: What = typed(params)?;
    let (What::Stage(wanted) | What::Publish(wanted)) = &what;
    let api = Api::of(wanted, host);
    let release = match api.released()? {
        // A release that others see is changed only where the user has said so.
        Some(release) if wanted.lacks(&release, host).is_empty() => release,
        Some(release) if matches!(what, What::Publish(_)) => wanted.fill(release, &api)?,
        Some(release) => release,
        None => wanted.fill(wanted.find_or_begin(&api)?, &api)?,
    };
    if let What::Publish(_) = what
        && release.draft
    {
        api.publish(release.id)?;
        let shown = api.released()?.filter(|it| wanted.lacks(it, host).is_empty());
        if shown.is_none() {
            let message = format!("`{}` was published, and is not there when it is asked for", wanted.page());
            return Err(Failure::new(FailureClass::Network, message));
        }
    }
    wanted.emit(step, host)
}

impl Wanted {
    /// Its page.
    pub fn page(&self) -> String {
        let site = if self.api == GITHUB { "https://github.com" } else { self.api.trim_end_matches("/api/v3") };
        format!("{site}/{}/releases/tag/{}", self.repository, self.draft.tag_name)
    }

    /// Its files: what each is called, and what it is.
    pub fn files<'h>(&'h self, host: &'h dyn Host) -> impl Iterator<Item = (&'h str, &'h Artifact)> {
        host.inputs().iter().filter_map(|it| Some((self.files.get(&it.name)?.as_str(), it)))
    }

    /// With the notes that were made for it.
    pub fn with_notes(&self, host: &dyn Host) -> Result<Draft, Failure> {
        let notes = self.notes.as_ref().and_then(|name| host.inputs().iter().find(|it| it.name == *name));
        let Some(notes) = notes else { return Ok(self.draft.clone()) };
        let body = std::fs::read_to_string(&notes.path).map_err(|error| Failure::file("read", &notes.path, &error))?;
        Ok(Draft { body, ..self.draft.clone() })
    }

    /// A digest of all its files and their names.
    fn ours(&self, host: &dyn Host) -> Option<Digest> {
        let lines: String = self.files(host).map(|(name, it)| format!("{} {name}\n", it.digest)).collect();
        (!host.inputs().is_empty()).then(|| Digest::of(lines.as_bytes()))
    }

    /// What is missing or other in a release, in words.
    fn lacks(&self, release: &Release, host: &dyn Host) -> Vec<String> {
        let there: BTreeMap<&str, &api::Asset> = release.assets.iter().map(|it| (it.name.as_str(), it)).collect();
        let lack = |(name, ours): (&str, &Artifact)| match there.get(name) {
            None => Some(format!("has no `{name}`")),
            Some(asset) if asset.is(ours) => None,
            Some(_) => Some(format!("has another `{name}`")),
        };
        self.files(host).filter_map(lack).collect()
    }

    /// The draft that an earlier run has begun, or a new one.
    fn find_or_begin(&self, api: &Api<'_>) -> Result<Release, Failure> {
        let is_ours = |it: &Release| it.assets.iter().all(|asset| self.files.values().any(|name| *name == asset.name));
        let (ours, foreign): (Vec<Release>, Vec<Release>) = api.drafts()?.into_iter().partition(is_ours);
        if let (true, Some(other)) = (ours.is_empty(), foreign.first()) {
            let names: Vec<String> = other.assets.iter().map(|it| format!("`{}`", it.name)).collect();
            return Err(Failure::new(
                FailureClass::Refused,
                format!(
                    "there is a draft for {} that forge has not made: it has {}",
                    self.draft.tag_name,
                    names.join(", ")
                ),
            )
            .help("delete that draft on GitHub, or publish it, and run this again"));
        }
        match ours.into_iter().next() {
            Some(draft) => {
                api.host.log(Level::Info, "going on with the draft that is there");
                Ok(draft)
            }
            None => api.begin(&self.with_notes(api.host)?),
        }
    }

    /// A release with all files, each read back.
    fn fill(&self, release: Release, api: &Api<'_>) -> Result<Release, Failure> {
        let all: Vec<(&str, &Artifact)> = self.files(api.host).collect();
        let total = all.iter().map(|(_, it)| it.size).sum();
        let mut done = 0;
        for (name, ours) in all {
            api.host.progress(done, total, name);
            api.put(&release, name, ours)?;
            done += ours.size;
        }
        let filled = api.release(release.id)?;
        match self.lacks(&filled, api.host).as_slice() {
            [] => Ok(filled),
            lacks => Err(Failure::new(FailureClass::Network, format!("the draft, read back, {}", lacks.join(", ")))),
        }
    }

    fn emit(&self, step: &Step, host: &dyn Host) -> Result<(), Failure> {
        receipt::emit_about(host, step, &self.page(), &self.draft.tag_name, self.ours(host))
    }
}
