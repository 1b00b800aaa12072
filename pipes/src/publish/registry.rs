//! Destination `registry`: by digest first, children before lists, tags last.
//! Does not know requests: `remote` and `upload` send them.

use std::num::NonZeroU32;

use forge_plugin::schemas::kind::{Attachment, Kind as _};
use forge_plugin::schemas::{Artifact, Change, Effect, Failure, Finding, Memory, Place, Problem, Resource, Step};
use forge_plugin::{Given, Host};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::choice::{self, Item, attached, repository};
use super::push::{Content, push_all, push_missing};
use super::remote::{Put, Remote};
use super::{Destination, Planned, Settings, attached as attachments, digests, receipt, tag, typed};
use crate::oci::reference::Reference;

pub(super) const DESTINATION: Destination = Destination {
    name: "registry",
    about: "pushes each image and each list to the registry of its references, by digest first and the tags last, when \
            everything else of the run has succeeded; `dist/digests.txt` says which digest each reference gets.",
    schema: Own::json_schema,
    takes: |settings| choice::selectors(&settings.ids),
    plan,
    probe,
    run,
};

/// What it wants to know.
#[derive(Debug, Deserialize, JsonSchema)]
struct Own {
    /// Blobs that are larger go in parts of so many MiB, for a registry behind a proxy that takes no larger ones.
    /// Default: 256.
    chunk_mib: Option<NonZeroU32>,
}

/// What a step does, and how.
#[derive(Debug, Serialize, Deserialize)]
struct Task<W> {
    what: W,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    chunk_mib: Option<NonZeroU32>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum What {
    /// An image with all that it refers to, by digest.
    Image { repository: String, mounts: Vec<String> },
    /// A list, whose members are there, by digest.
    List { repository: String, mounts: Vec<String> },
    /// What is attached to an image or a list that is there by digest; the first input is that.
    Attached { repository: String },
    /// The list of all digests.
    Digests { entries: Vec<(String, String)> },
    /// What lies there by digest, by tag.
    Tag { reference: String, version: String, mounts: Vec<String> },
}

fn plan(settings: &Settings, given: &Given<'_>) -> Planned {
    let own: Own = settings.own()?;
    let items = &choice::choose(&settings.ids, given.offers)?;
    let pushes = items.iter().flat_map(|item| item.repositories.iter().map(|it| push(item, it, items, given)));
    let attached = items.iter().flat_map(|item| item.repositories.iter().filter_map(|it| attach(item, it, given)));
    let tags = items.iter().flat_map(|item| item.references.iter().map(|it| tag_step(item, it, given)));
    let mut steps: Vec<Step> = pushes.chain(attached).chain(tags).collect();
    match steps.is_empty() {
        false => {
            steps.push(list_of_digests(items, given));
            let task = |what| Task { what, chunk_mib: own.chunk_mib };
            steps.iter_mut().for_each(|step| step.params = json(&task(step.params.take())));
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

/// All that is attached to an item goes in one step, for a registry may have one list of it that can't be written twice at once.
fn attach(item: &Item<'_>, repository: &Reference, given: &Given<'_>) -> Option<Step> {
    let attached = attached(item, given.offers);
    let name = repository.name();
    let receipt_of = |artifact: &str| receipt::name(&given.table.id, &name, artifact);
    let subject = &item.offer.name;
    let takes = attached.iter().map(|it| it.name.clone());
    let makes = attached
        .iter()
        .map(|it| receipt::output(receipt_of(&it.name), name.clone(), &it.name, item.offer.platform.as_ref()));
    (!attached.is_empty()).then(|| Step {
        name: format!("attach/{name}/{}", subject.strip_suffix(".json").unwrap_or(subject)),
        platform: item.offer.platform.clone(),
        takes: [subject.clone()].into_iter().chain(takes).chain([receipt_of(subject)]).collect(),
        makes: makes.collect(),
        effect: Effect::Stage,
        memory: Memory::Content,
        ..step(&What::Attached { repository: name.clone() })
    })
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
    Step { resource: Resource::Network, params: json(what), place: Place::Key("to".to_owned()), ..Step::default() }
}

fn json<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

fn probe(params: &Value, host: &dyn Host) -> Result<Vec<Finding>, Failure> {
    let first = host.inputs().first();
    match typed::<Task<What>>(params)?.what {
        What::Tag { reference, version, .. } => {
            Ok(vec![tag::probe(&Remote::new(host, &reference)?, first.map(|it| it.digest), &version)?])
        }
        What::Image { repository, .. } | What::List { repository, .. } => {
            let remote = Remote::new(host, &repository)?;
            first.into_iter().map(|it| by_digest(it, &remote)).collect()
        }
        What::Attached { repository } => {
            let remote = Remote::new(host, &repository)?;
            attachments_of(host).map(|it| by_digest(it, &remote)).collect()
        }
        What::Digests { .. } => Ok(Vec::new()),
    }
}

/// Whether it is there. It has no name but its digest: before it is made there is nothing to ask for.
fn by_digest(artifact: &Artifact, remote: &Remote<'_>) -> Result<Finding, Failure> {
    let digest = artifact.digest;
    let there = remote.digest_of(&digest.to_string())?;
    let change = if there.is_some() { Change::None } else { Change::New };
    Ok(Finding { place: remote.by_digest(digest), there, ours: Some(digest), change })
}

fn attachments_of(host: &dyn Host) -> impl Iterator<Item = &Artifact> {
    host.inputs().iter().filter(|it| it.kind == Attachment::NAME)
}

fn run(params: &Value, step: &Step, host: &dyn Host) -> Result<(), Failure> {
    let Task { what, chunk_mib } = typed::<Task<What>>(params)?;
    let remote = |reference: &str| Remote::new(host, reference).map(|it| it.with_chunk(chunk_mib));
    match what {
        What::Image { repository, mounts } => {
            stage(step, host, &remote(&repository)?, |content, remote| push_missing(content, remote, &mounts))
        }
        What::List { repository, mounts } => stage(step, host, &remote(&repository)?, |content, remote| {
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
        What::Attached { repository } => {
            let remote = remote(&repository)?;
            let contents: Vec<Content<'_>> = attachments_of(host).map(Content::of).collect();
            attachments::push(&contents, Content::of_step(host)?.digest(), &remote)?;
            contents.iter().try_for_each(|it| receipt::emit(host, step, &remote.by_digest(it.digest()), it.artifact()))
        }
        What::Digests { entries } => {
            let output = step.makes.first().ok_or_else(|| Failure::bug("the step makes nothing"))?;
            digests::write(&entries, &output.name, host)
        }
        What::Tag { reference, version, mounts } => {
            let wanted = tag::Wanted { content: Content::of_step(host)?, version: &version, mounts: &mounts };
            tag::set(&remote(&reference)?, &wanted, host.found().first())?;
            receipt::emit(host, step, &reference, wanted.content.artifact())
        }
    }
}

fn stage(
    step: &Step,
    host: &dyn Host,
    remote: &Remote<'_>,
    push: impl FnOnce(&Content<'_>, &Remote<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let content = Content::of_step(host)?;
    // An earlier run may have died after it had pushed everything.
    if !host.found().iter().any(Finding::is_there) {
        push(&content, remote)?;
    }
    receipt::emit(host, step, &remote.by_digest(content.digest()), content.artifact())
}
