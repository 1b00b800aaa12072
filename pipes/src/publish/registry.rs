//! Destination `registry`: by digest first, children before lists, tags last.
//! Does not know requests: `remote` and `upload` send them.

use forge_plugin::schemas::{Change, Effect, Failure, Finding, Memory, Place, Problem, Resource, Step};
use forge_plugin::{Given, Host};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::choice::{Item, repository};
use super::push::{Content, push_all, push_missing};
use super::remote::{Put, Remote};
use super::{Destination, Planned, Settings, digests, receipt, tag, typed};
use crate::oci::reference::Reference;

pub(super) const DESTINATION: Destination = Destination { name: "registry", plan, probe, run };

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum What {
    /// An image with all that it refers to, by digest.
    Image { repository: String, mounts: Vec<String> },
    /// A list, whose members are there, by digest.
    List { repository: String, mounts: Vec<String> },
    /// The list of all digests.
    Digests { entries: Vec<(String, String)> },
    /// What lies there by digest, by tag.
    Tag { reference: String, version: String, mounts: Vec<String> },
}

fn plan(settings: &Settings, items: &[Item<'_>], given: &Given<'_>) -> Planned {
    if settings.path.is_some() {
        let problem = Problem::at_key("path", "`path` means nothing to a registry");
        return Err(vec![problem.help("where an image goes is said by the `images` of its table")]);
    }
    let pushes = items.iter().flat_map(|item| item.repositories.iter().map(|it| push(item, it, items, given)));
    let tags = items.iter().flat_map(|item| item.references.iter().map(|it| tag_step(item, it, given)));
    let mut steps: Vec<Step> = pushes.chain(tags).collect();
    match steps.is_empty() {
        false => {
            steps.push(list_of_digests(items, given));
            Ok(steps)
        }
        true => Err(vec![
            Problem::at_key("", "there is nothing to publish: no image and no list has a reference")
                .help("give the `[[docker]]` table `images`, as in `images = [\"ghcr.io/acme/hello\"]`"),
        ]),
    }
}

fn push(item: &Item<'_>, repository: &Reference, items: &[Item<'_>], given: &Given<'_>) -> Step {
    let name = repository.name();
    let mounts = item.mounts.clone();
    let receipt_of = |artifact: &str| receipt::name(&given.table.id, &name, artifact);
    let members = items.iter().filter(|it| item.members.contains(&it.offer.name));
    let receipts = members.map(|member| receipt_of(&member.offer.name));
    let what = match item.is_list() {
        true => What::List { repository: name.clone(), mounts },
        false => What::Image { repository: name.clone(), mounts },
    };
    let artifact = &item.offer.name;
    Step {
        name: format!("push/{name}/{}", artifact.strip_suffix(".json").unwrap_or(artifact)),
        platform: item.offer.platform.clone(),
        takes: [artifact.clone()].into_iter().chain(receipts).collect(),
        makes: vec![receipt::output(receipt_of(artifact), name.clone(), artifact, item.offer.platform.as_ref())],
        effect: Effect::Stage,
        memory: Memory::Content,
        ..step(&what)
    }
}

fn tag_step(item: &Item<'_>, reference: &Reference, given: &Given<'_>) -> Step {
    let name = reference.name();
    let what = What::Tag {
        reference: reference.to_string(),
        version: given.facts.version.clone(),
        mounts: item.mounts.clone(),
    };
    let staged = repository(reference).map(|it| receipt::name(&given.table.id, &it.name(), &item.offer.name));
    let receipt_name = receipt::name(&given.table.id, &name, &format!("tags/{}", reference.target()));
    Step {
        name: format!("tag/{reference}"),
        platform: item.offer.platform.clone(),
        takes: [item.offer.name.clone()].into_iter().chain(staged).collect(),
        makes: vec![receipt::output(
            receipt_name,
            reference.to_string(),
            &item.offer.name,
            item.offer.platform.as_ref(),
        )],
        effect: Effect::Publish,
        memory: Memory::Never,
        ..step(&what)
    }
}

fn list_of_digests(items: &[Item<'_>], given: &Given<'_>) -> Step {
    let entries = digests::entries(items);
    let named = |item: &&Item<'_>| !item.references.is_empty();
    Step {
        name: "digests".to_owned(),
        takes: items.iter().filter(named).map(|it| it.offer.name.clone()).collect(),
        makes: vec![digests::output(given)],
        resource: Resource::Cpu,
        ..step(&What::Digests { entries })
    }
}

fn step(what: &What) -> Step {
    Step {
        resource: Resource::Network,
        params: serde_json::to_value(what).unwrap_or_default(),
        place: Place::Key("to".to_owned()),
        ..Step::default()
    }
}

fn probe(what: &Value, host: &dyn Host) -> Result<Vec<Finding>, Failure> {
    let ours = host.inputs().first().map(|it| it.digest);
    let found = match (typed(what)?, ours) {
        (What::Tag { reference, version, .. }, _) => tag::probe(&Remote::new(host, &reference)?, ours, &version)?,
        // It has no name but its digest: before it is made there is nothing to ask for.
        (What::Image { .. } | What::List { .. }, None) | (What::Digests { .. }, _) => return Ok(Vec::new()),
        (What::Image { repository, .. } | What::List { repository, .. }, Some(digest)) => {
            let remote = Remote::new(host, &repository)?;
            let there = remote.digest_of(&digest.to_string())?;
            let change = if there.is_some() { Change::None } else { Change::New };
            Finding { place: remote.by_digest(digest), there, ours, change }
        }
    };
    Ok(vec![found])
}

fn run(what: &Value, step: &Step, host: &dyn Host) -> Result<(), Failure> {
    match typed(what)? {
        What::Image { repository, mounts } => {
            stage(step, host, &repository, |content, remote| push_missing(content, remote, &mounts))
        }
        What::List { repository, mounts } => stage(step, host, &repository, |content, remote| {
            let name = content.digest().to_string();
            if remote.digest_of(&name)?.is_some() {
                return Ok(());
            }
            match remote.put(&name, &content.root()?)? {
                Put::Done => Ok(()),
                // A member may be seen before it is stored for good, after a push that was cut off.
                Put::Missing(_) => push_all(content, remote, &mounts),
            }
        }),
        What::Digests { entries } => {
            let output = step.makes.first().ok_or_else(|| Failure::bug("the step makes nothing"))?;
            digests::write(&entries, &output.name, host)
        }
        What::Tag { reference, mounts, .. } => {
            let content = Content::of_step(host)?;
            let remote = Remote::new(host, &reference)?;
            tag::set(&remote, &content, host.found().first(), &mounts)?;
            receipt::emit(host, step, &reference, content.artifact())
        }
    }
}

fn stage(
    step: &Step,
    host: &dyn Host,
    repository: &str,
    push: impl FnOnce(&Content<'_>, &Remote<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let content = Content::of_step(host)?;
    let remote = Remote::new(host, repository)?;
    // An earlier run may have died after it had pushed everything.
    if !host.found().iter().any(Finding::is_there) {
        push(&content, &remote)?;
    }
    receipt::emit(host, step, &remote.by_digest(content.digest()), content.artifact())
}
