//! Release pages: what a page of a release has, whoever shows it: files by name, notes, a tag, a repository.
//! Does not know whether there are drafts, and sends nothing: `page/draft.rs` and the destinations do.

pub mod api;
pub mod draft;

use std::collections::BTreeMap;

use forge_plugin::schemas::kind::{Kind as _, ReleaseNotes};
use forge_plugin::schemas::{
    Artifact, Digest, Effect, Expect, Failure, Memory, Offer, Place, Problem, Resource, Selector, Step,
};
use forge_plugin::{Given, Host};
use serde::{Deserialize, Serialize};

use super::{Settings, files, receipt};

/// A page as it is to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Page {
    /// Where the API is.
    pub api: String,
    /// `acme/hello`.
    pub repository: String,
    /// Where people see it.
    pub url: String,
    /// The tag.
    pub tag: String,
    /// The commit that the tag is made at, where there is none.
    pub commit: String,
    /// The title.
    pub title: String,
    /// What is new, where no artifact says it.
    body: String,
    /// Whether it is not for all.
    pub prerelease: bool,
    /// Where its notes are from, if they are an artifact's.
    notes: Option<String>,
    /// The names of its files, by artifact.
    files: BTreeMap<String, String>,
}

/// What a table says of any page.
pub struct Said<'a> {
    /// The title.
    pub title: Option<&'a String>,
    /// What is new.
    pub notes: Option<&'a String>,
    /// Whether it is not for all.
    pub prerelease: Option<bool>,
}

/// Where pages are shown.
pub struct Site<'a> {
    /// What it makes of the name of a file.
    pub as_shown: fn(&str) -> String,
    /// Where the API is.
    pub api: String,
    /// The repository, or what is wrong with it.
    pub repository: Result<String, Problem>,
    /// The page of a repository's tag.
    pub page: &'a dyn Fn(&str, &str) -> String,
}

/// How a repository is called by a site, and found in the URL that the project was cloned from.
pub struct Naming<'a> {
    /// `GitHub`.
    pub site: &'static str,
    /// `github.com`.
    pub host: &'a str,
    /// Whether a text is a repository's name there.
    pub is_good: fn(&str) -> bool,
    /// `acme/hello`.
    pub example: &'static str,
}

/// What goes to a page: what users get, what is said about it, sums and signatures, the notes, and these kinds.
pub fn takes(settings: &Settings, kinds: &[String]) -> Vec<Selector> {
    let mut selectors = files::takes(settings, kinds);
    for of_table in selectors.iter_mut().filter(|it| !it.tables.is_empty()) {
        of_table.kinds.push(ReleaseNotes::NAME.to_owned());
    }
    selectors.push(Selector { expect: Expect::Any, ..Selector::of_kind(ReleaseNotes::NAME) });
    selectors
}

/// The page of a table, or all that is wrong.
pub fn of(said: &Said<'_>, site: Site<'_>, settings: &Settings, given: &Given<'_>) -> Result<Page, Vec<Problem>> {
    let mut problems = Vec::new();
    let repository = site.repository.unwrap_or_else(|problem| {
        problems.push(problem);
        String::new()
    });
    let (mut notes, shown): (Vec<&Offer>, Vec<&Offer>) =
        given.offers.iter().partition(|offer| offer.kind == ReleaseNotes::NAME);
    let is_named = |offer: &&Offer| settings.ids.contains(&offer.table.id);
    if notes.iter().any(is_named) {
        notes.retain(is_named);
    }
    let files = files(&shown, site.as_shown, &mut problems);
    if notes.len() > 1 && said.notes.is_none() {
        let problem = Problem::at_key("", format!("there are notes of {} tables", notes.len()));
        problems.push(problem.help("say which: name one `changelog` table in `ids`, or write `notes`"));
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let facts = given.facts;
    // A snapshot may have none.
    let tag = if facts.tag.is_empty() { facts.version.clone() } else { facts.tag.clone() };
    Ok(Page {
        api: site.api,
        url: (site.page)(&repository, &tag),
        repository,
        commit: facts.commit.clone(),
        title: said.title.cloned().unwrap_or_else(|| tag.clone()),
        tag,
        body: said.notes.cloned().unwrap_or_default(),
        prerelease: said.prerelease.unwrap_or(!facts.prerelease.is_empty()),
        notes: notes.first().filter(|_| said.notes.is_none()).map(|it| it.name.clone()),
        files,
    })
}

/// The repository that a table names, or else the one that the project was cloned from.
pub fn repository(named: Option<&String>, naming: &Naming<'_>, given: &Given<'_>) -> Result<String, Problem> {
    let Naming { site, host, is_good, example } = naming;
    match named {
        Some(named) if is_good(named) => return Ok(named.clone()),
        Some(named) => {
            let problem = Problem::at_key("repository", format!("`{named}` is no repository of {site}"));
            return Err(problem.help(format!("write owner and name, as in `{example}`")));
        }
        None => {}
    }
    let found = cloned_from(given).filter(|(from, path)| from == host && is_good(path));
    found.map(|(_, path)| path).ok_or_else(|| {
        let problem = Problem::at_key("to", format!("which repository of {site} the release is for is not known"));
        problem.help("add `repository = \"owner/name\"`")
    })
}

/// Host and path of the repository that the project was cloned from: `github.com`, `acme/hello`.
pub fn cloned_from(given: &Given<'_>) -> Option<(String, String)> {
    let url = given.facts.git_url.trim_end_matches('/').trim_end_matches(".git");
    let (host, path) = match url.split_once("://") {
        Some((_, rest)) => rest.split_once('/')?,
        // As scp has it: `git@github.com:acme/hello`.
        None => url.split_once(':')?,
    };
    let host = host.rsplit('@').next().unwrap_or(host);
    Some((host.to_owned(), path.to_owned()))
}

/// Whether a text is owner and name.
pub fn is_owner_and_name(text: &str) -> bool {
    text.split_once('/').is_some_and(|(owner, name)| is_word(owner) && is_word(name))
}

/// Whether a text can be a part of a repository's path.
pub fn is_word(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|it| it.is_ascii_alphanumeric() || "-_.".contains(it))
}

/// What each file is called on the page: by the last part of the artifact's name.
fn files(offers: &[&Offer], as_shown: fn(&str) -> String, problems: &mut Vec<Problem>) -> BTreeMap<String, String> {
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

impl Page {
    /// Two steps: what nobody sees, called so, and what everyone does. `place` is where, for receipts: `github.com`.
    pub fn steps(&self, place: &str, unseen: &str, params: [serde_json::Value; 2], given: &Given<'_>) -> [Step; 2] {
        let place = format!("{place}/{}", self.repository);
        let staged = receipt::name(&given.table.id, &place, &format!("{unseen}/{}", self.tag));
        let shown = receipt::name(&given.table.id, &place, &self.tag);
        let takes: Vec<String> = self.files.keys().chain(&self.notes).cloned().collect();
        let [for_stage, for_publish] = params;
        let step = |receipt: &str, params| Step {
            makes: vec![receipt::output(receipt.to_owned(), self.url.clone(), &self.tag, None)],
            resource: Resource::Network,
            params,
            place: Place::Key("to".to_owned()),
            ..Step::default()
        };
        let stage = Step {
            name: format!("{unseen}/{}", self.tag),
            takes: takes.clone(),
            effect: Effect::Stage,
            ..step(&staged, for_stage)
        };
        let publish = Step {
            name: format!("release/{}", self.tag),
            takes: takes.into_iter().chain([staged]).collect(),
            effect: Effect::Publish,
            memory: Memory::Never,
            ..step(&shown, for_publish)
        };
        [stage, publish]
    }

    /// Its files: what each is called, and what it is.
    pub fn files<'h>(&'h self, host: &'h dyn Host) -> impl Iterator<Item = (&'h str, &'h Artifact)> {
        host.inputs().iter().filter_map(|it| Some((self.files.get(&it.name)?.as_str(), it)))
    }

    /// Whether a file of this name belongs to it.
    pub fn has(&self, name: &str) -> bool {
        self.files.values().any(|it| it == name)
    }

    /// What is new: the notes that were made for it, or what the table says.
    pub fn notes(&self, host: &dyn Host) -> Result<String, Failure> {
        let notes = self.notes.as_ref().and_then(|name| host.inputs().iter().find(|it| it.name == *name));
        let Some(notes) = notes else { return Ok(self.body.clone()) };
        std::fs::read_to_string(&notes.path).map_err(|error| Failure::file("read", &notes.path, &error))
    }

    /// A digest of all its files and their names.
    pub fn ours(&self, host: &dyn Host) -> Option<Digest> {
        let lines: String = self.files(host).map(|(name, it)| format!("{} {name}\n", it.digest)).collect();
        (!host.inputs().is_empty()).then(|| Digest::of(lines.as_bytes()))
    }

    /// Its receipt.
    pub fn emit(&self, step: &Step, host: &dyn Host) -> Result<(), Failure> {
        receipt::emit_about(host, step, &self.url, &self.tag, self.ours(host))
    }
}
