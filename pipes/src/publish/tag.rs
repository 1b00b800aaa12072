//! A tag on a registry: what it is now, whether it may become another thing, and how it does.
//! Does not know what pushes the content that it names.

use forge_plugin::schemas::{Change, Digest, Failure, FailureClass, Finding, Level};
use semver::Version;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::push::{Content, push_all};
use super::remote::{Put, Remote};
use crate::oci::config::Config;
use crate::oci::manifest::Document;

/// The annotation of a manifest, and the label of an image, that says which version it is (image-spec, "Annotations").
const VERSION: &str = "org.opencontainers.image.version";

/// The note of what was put there last. To ask takes up to three requests: for the list, for its first image, and for the config of that.
const PUBLISHED: &str = "published";

#[derive(Serialize, Deserialize)]
struct Published {
    digest: Digest,
    version: String,
}

/// What the tag of `remote` is now, and what it would become.
pub fn probe(remote: &Remote<'_>, ours: Option<Digest>, version: &str) -> Result<Finding, Failure> {
    let there = remote.digest_of(&remote.target())?;
    let change = match (there, ours) {
        (_, None) => Change::Unknown,
        (None, Some(_)) => Change::New,
        (Some(there), Some(ours)) if there == ours => Change::None,
        (Some(there), Some(_)) => otherwise(remote, there, version)?,
    };
    Ok(Finding { place: remote.named(), there, ours, change })
}

/// What a tag is to become.
pub struct Wanted<'a> {
    /// This, which lies there by digest.
    pub content: Content<'a>,
    /// The version that it is of.
    pub version: &'a str,
    /// The repositories that may hold what it consists of.
    pub mounts: &'a [String],
}

/// Makes the tag name what is wanted, unless it does. `found` is what `probe` has answered.
pub fn set(remote: &Remote<'_>, wanted: &Wanted<'_>, found: Option<&Finding>) -> Result<(), Failure> {
    let Wanted { content, version, mounts } = wanted;
    let (name, digest) = (remote.named(), content.digest());
    if found.is_some_and(Finding::is_there) {
        remote.host.log(Level::Info, &format!("`{name}` is there"));
        return Ok(());
    }
    let (target, root) = (remote.target(), content.root()?);
    if let Put::Missing(_) = remote.put(&target, &root)? {
        // The record says that it was pushed; the registry has lost it since.
        push_all(content, remote, mounts)?;
        remote.put(&target, &root)?.or_fail(remote, &target)?;
    }
    match remote.digest_of(&target)? {
        Some(stored) if stored == digest => {
            remote.host.log(Level::Info, &format!("`{name}` is {digest}"));
            // What is not remembered is asked for.
            let _ = remote.host.remember(PUBLISHED, &json!(Published { digest, version: (*version).to_owned() }));
            Ok(())
        }
        stored => Err(not_kept(&name, digest, stored)),
    }
}

/// What it means to give a tag that names another thing to ours.
fn otherwise(remote: &Remote<'_>, there: Digest, version: &str) -> Result<Change, Failure> {
    let tag = remote.target();
    if is_of_version(&tag, version) {
        let because = format!("`{tag}` is the tag of one version, which others may have pulled already");
        return Ok(Change::Conflict { because });
    }
    let Ok(ours) = Version::parse(version) else { return Ok(Change::Move) };
    let theirs = match remembered(remote, there) {
        Some(version) => Some(version),
        None => version_of(remote, there)?,
    };
    let theirs = theirs.and_then(|it| Version::parse(it.trim_start_matches('v')).ok());
    Ok(match theirs {
        Some(theirs) if theirs > ours => {
            Change::Conflict { because: format!("it is version {theirs} now, and {ours} is older") }
        }
        _ => Change::Move,
    })
}

/// The version of what lies at the tag, where that is what was put there from here the last time.
fn remembered(remote: &Remote<'_>, there: Digest) -> Option<String> {
    let note = remote.host.recall(PUBLISHED).ok()?;
    let published = Published::deserialize(&note).ok()?;
    (published.digest == there).then_some(published.version)
}

/// Whether a tag names this very version: `1.2.3`, `v1.2.3`, `1.2.3-alpine`. Such a tag is not meant to move.
fn is_of_version(tag: &str, version: &str) -> bool {
    // A `+` may not stand in a tag, and is written as `-` or `_`.
    let version = version.replace('+', "-");
    let rest = tag.replace('_', "-");
    match rest.strip_prefix('v').unwrap_or(&rest).strip_prefix(&version) {
        Some(rest) => rest.is_empty() || rest.starts_with('-'),
        None => false,
    }
}

/// The version that a manifest, or the image that it stands for, says it has. For a list, its first member speaks.
fn version_of(remote: &Remote<'_>, digest: Digest) -> Result<Option<String>, Failure> {
    let mut next = digest;
    // A list of lists of lists is nothing that anybody makes.
    for _ in 0..3 {
        let Some(document) = remote.get_manifest(next)?.and_then(|it| Document::parse(it.as_bytes()).ok()) else {
            return Ok(None);
        };
        match document {
            Document::Index(index) => match (index.annotations.get(VERSION), index.manifests.first()) {
                (Some(version), _) => return Ok(Some(version.clone())),
                (None, Some(member)) => next = member.digest,
                (None, None) => return Ok(None),
            },
            Document::Manifest(manifest) => {
                if let Some(version) = manifest.annotations.get(VERSION) {
                    return Ok(Some(version.clone()));
                }
                let config = remote.get_blob(manifest.config.digest)?;
                let config = config.and_then(|it| Config::parse(it.as_bytes()).ok());
                return Ok(config.and_then(|it| it.label(VERSION).map(ToOwned::to_owned)));
            }
        }
    }
    Ok(None)
}

fn not_kept(name: &str, ours: Digest, stored: Option<Digest>) -> Failure {
    let stored = stored.map_or_else(|| "nothing".to_owned(), |it| it.to_string());
    Failure::new(FailureClass::Refused, format!("`{name}` was taken as {ours}, and is {stored} when it is asked for"))
        .help("does somebody else publish to it at the same time?")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(tag: &str, version: &str, expect: bool) {
        assert_eq!(is_of_version(tag, version), expect, "{tag} {version}");
    }

    #[test]
    fn tags_of_one_version() {
        check("1.2.3", "1.2.3", true);
        check("v1.2.3", "1.2.3", true);
        check("1.2.3-alpine", "1.2.3", true);
        check("1.2.3-rc.1", "1.2.3-rc.1", true);
        check("1.2.3_b7", "1.2.3+b7", true);
        check("1.2.30", "1.2.3", false);
        check("1.2", "1.2.3", false);
        check("latest", "1.2.3", false);
    }
}
