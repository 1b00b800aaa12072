//! Destination `registry`: by digest first, children before lists, tags last.
//! Does not know requests: `remote` and `upload` send them.

use forge_plugin::schemas::{Effect, Failure, Level, Memory, Place, Problem, Resource, Step};
use forge_plugin::{Given, Host};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::choice::{Item, repository};
use super::push::{Content, push_all, push_missing};
use super::remote::{Put, Remote};
use super::{Destination, Planned, Settings, receipt, typed};
use crate::oci::reference::Reference;

pub(super) const DESTINATION: Destination = Destination { name: "registry", plan, run };

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum What {
    /// An image with all that it refers to, by digest.
    Image { repository: String, mounts: Vec<String> },
    /// A list, whose members are there, by digest.
    List { repository: String, mounts: Vec<String> },
    /// What lies there by digest, by tag.
    Tag { reference: String, mounts: Vec<String> },
}

fn plan(settings: &Settings, items: &[Item<'_>], given: &Given<'_>) -> Planned {
    if settings.path.is_some() {
        let problem = Problem::at_key("path", "`path` means nothing to a registry");
        return Err(vec![problem.help("where an image goes is said by the `images` of its table")]);
    }
    let pushes = items.iter().flat_map(|item| item.repositories.iter().map(|it| push(item, it, items, given)));
    let tags = items.iter().flat_map(|item| item.references.iter().map(|it| tag(item, it, given)));
    let steps: Vec<Step> = pushes.chain(tags).collect();
    match steps.is_empty() {
        false => Ok(steps),
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

fn tag(item: &Item<'_>, reference: &Reference, given: &Given<'_>) -> Step {
    let name = reference.name();
    let what = What::Tag { reference: reference.to_string(), mounts: item.mounts.clone() };
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

fn step(what: &What) -> Step {
    Step {
        resource: Resource::Network,
        params: serde_json::to_value(what).unwrap_or_default(),
        place: Place::Key("to".to_owned()),
        ..Step::default()
    }
}

fn run(what: &Value, step: &Step, host: &dyn Host) -> Result<(), Failure> {
    match typed(what)? {
        What::Image { repository, mounts } => {
            stage(step, host, &repository, |content, remote| push_missing(content, remote, &mounts))
        }
        What::List { repository, mounts } => stage(step, host, &repository, |content, remote| {
            match remote.put(&content.digest().to_string(), &content.root()?)? {
                Put::Done => Ok(()),
                // A member may be seen before it is stored for good, after a push that was cut off.
                Put::Missing(_) => push_all(content, remote, &mounts),
            }
        }),
        What::Tag { reference, mounts } => move_tag(step, host, &reference, &mounts),
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
    push(&content, &remote)?;
    receipt::emit(host, step, &remote.by_digest(content.digest()), content.artifact())
}

fn move_tag(step: &Step, host: &dyn Host, reference: &str, mounts: &[String]) -> Result<(), Failure> {
    let content = Content::of_step(host)?;
    let remote = Remote::new(host, reference)?;
    let target = remote.target();
    if remote.digest_of(&target)? == Some(content.digest()) {
        host.log(Level::Info, &format!("`{reference}` is there"));
    } else {
        let root = content.root()?;
        if let Put::Missing(_) = remote.put(&target, &root)? {
            // The record says that it was pushed; the registry has lost it since.
            push_all(&content, &remote, mounts)?;
            remote.put(&target, &root)?.or_fail(&remote, &target)?;
        }
        host.log(Level::Info, &format!("`{reference}` is {}", content.digest()));
    }
    receipt::emit(host, step, reference, content.artifact())
}
