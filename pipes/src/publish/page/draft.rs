//! Pages that are drafts until all of their files are there: made, filled, read back, and shown.
//! Does not know requests: `page/api.rs` sends them.

use forge_plugin::schemas::{Artifact, Change, Failure, FailureClass, Finding, Level, Step};
use forge_plugin::{Given, Host};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::typed;
use super::Page;
use super::api::{Api, Asset, Release, Service};

/// A release as it is to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Wanted {
    /// What any page has.
    pub page: Page,
    /// Who shows it.
    pub service: Service,
    /// Whether it is shown as the latest; the service decides where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest: Option<bool>,
    /// The category of a discussion about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discussion: Option<String>,
}

/// Who makes a draft visible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// The run.
    ByForge,
    /// A person, who looks at it first.
    ByPerson,
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

/// The steps of a release at this host.
pub fn steps(wanted: &Wanted, shown: Shown, host: &str, given: &Given<'_>) -> Vec<Step> {
    let params = [What::Stage(wanted.clone()), What::Publish(wanted.clone())];
    let params = params.map(|it| serde_json::to_value(it).unwrap_or_default());
    let [stage, publish] = wanted.page.steps(host, "draft", params, given);
    match shown {
        Shown::ByPerson => vec![stage],
        Shown::ByForge => vec![stage, publish],
    }
}

/// What is there now.
pub fn probe(params: &Value, host: &dyn Host) -> Result<Vec<Finding>, Failure> {
    let (What::Stage(wanted) | What::Publish(wanted)) = typed(params)?;
    let api = Api::to_ask(&wanted, host);
    api.check_access()?;
    let lacks = api.released()?.map(|it| wanted.lacks(&it, host));
    Ok(vec![wanted.page.finding(lacks, host)])
}

/// Does one step.
pub fn run(params: &Value, step: &Step, host: &dyn Host) -> Result<(), Failure> {
    let what: What = typed(params)?;
    let (What::Stage(wanted) | What::Publish(wanted)) = &what;
    let api = Api::of(wanted, host);
    let release = match api.released()? {
        // A release that others see is changed only where the user has said so.
        Some(release) if wanted.lacks(&release, host).is_empty() => release,
        Some(release) if matches!(what, What::Publish(_)) => {
            wanted.check_that_it_was_said(&release, host)?;
            wanted.fill(release, &api)?
        }
        Some(release) => release,
        None => wanted.fill(wanted.find_or_begin(&api)?, &api)?,
    };
    if let What::Publish(_) = what
        && release.draft
    {
        api.publish(release.id)?;
        let shown = api.released()?.filter(|it| wanted.lacks(it, host).is_empty());
        if shown.is_none() {
            let message = format!("`{}` was published, and is not there when it is asked for", wanted.page.url);
            return Err(Failure::new(FailureClass::Network, message));
        }
    }
    wanted.page.emit(step, host)
}

impl Wanted {
    /// What is missing or other in a release, in words.
    fn lacks(&self, release: &Release, host: &dyn Host) -> Vec<String> {
        let lack = |(name, ours): (&str, &Artifact)| {
            let there: Vec<&Asset> = release.named(name).collect();
            match there.as_slice() {
                [] => Some(format!("has no `{name}`")),
                [asset] if asset.is(ours) => None,
                [_] => Some(format!("has another `{name}`")),
                _ => Some(format!("has more than one `{name}`")),
            }
        };
        self.page.files(host).filter_map(lack).collect()
    }

    /// Where only the bytes tell that a file is another, nobody was asked whether to replace it.
    fn check_that_it_was_said(&self, release: &Release, host: &dyn Host) -> Result<(), Failure> {
        let api = Api::to_ask(self, host);
        let by_size = api.released()?.map(|it| self.lacks(&it, host)).unwrap_or_default();
        if !by_size.is_empty() {
            return Ok(());
        }
        let lacks = self.lacks(release, host).join(", ");
        let message = format!("`{}` is released already, and {lacks} of the same size", self.page.url);
        Err(Failure::new(FailureClass::Refused, message)
            .help("delete that file there, and run this again with `--replace`"))
    }

    /// The draft that an earlier run has begun, or a new one.
    fn find_or_begin(&self, api: &Api<'_>) -> Result<Release, Failure> {
        let is_ours = |it: &Release| it.assets.iter().all(|asset| self.page.has(&asset.name));
        let (ours, foreign): (Vec<Release>, Vec<Release>) = api.drafts()?.into_iter().partition(is_ours);
        if let (true, Some(other)) = (ours.is_empty(), foreign.first()) {
            let names: Vec<String> = other.assets.iter().map(|it| format!("`{}`", it.name)).collect();
            return Err(Failure::new(
                FailureClass::Refused,
                format!("there is a draft for {} that forge has not made: it has {}", self.page.tag, names.join(", ")),
            )
            .help(format!("delete that draft on {}, or publish it, and run this again", self.service.name())));
        }
        match ours.into_iter().next() {
            Some(draft) => {
                api.host.log(Level::Info, "going on with the draft that is there");
                Ok(draft)
            }
            None => api.begin(),
        }
    }

    /// A release with all files, each read back.
    fn fill(&self, release: Release, api: &Api<'_>) -> Result<Release, Failure> {
        let all: Vec<(&str, &Artifact)> = self.page.files(api.host).collect();
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
}

impl Page {
    /// What is at the page now, by what a release there lacks; none where there is no release.
    pub fn finding(&self, lacks: Option<Vec<String>>, host: &dyn Host) -> Finding {
        let change = match (host.inputs().is_empty(), lacks) {
            (true, _) => Change::Unknown,
            (false, None) => Change::New,
            (false, Some(lacks)) if lacks.is_empty() => Change::None,
            (false, Some(lacks)) => {
                Change::Conflict { because: format!("it is released already, and {}", lacks.join(", ")) }
            }
        };
        let there = if change == Change::None { self.ours(host) } else { None };
        Finding { place: self.url.clone(), there, ours: self.ours(host), change }
    }
}
