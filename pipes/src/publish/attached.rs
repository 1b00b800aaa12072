//! What is attached to an image on a registry: pushed by digest behind it, and listed among what refers to it
//! (distribution-spec 1.1, "Pushing Manifests with Subject"). Does not know what is attached.

use std::fs;

use forge_plugin::schemas::{Blob, Digest, Failure, FailureClass, Level};

use super::push::{Content, push_missing};
use super::remote::{Manifest, Remote};
use crate::oci::manifest::{Descriptor, Family};
use crate::oci::referrers::{self, Referrers};

/// How often the index of a registry without one of its own is written, when others write it at the same time.
const ATTEMPTS: u32 = 10;

/// Brings these to the repository where their subject lies.
pub fn push(contents: &[Content<'_>], subject: Digest, remote: &Remote<'_>) -> Result<(), Failure> {
    for content in contents {
        push_missing(content, remote, &[])?;
    }
    let ours: Vec<Descriptor> = contents.iter().map(Content::descriptor).collect::<Result<_, _>>()?;
    match remote.referrers(subject)? {
        // Whoever looks for what is attached gets this answer, and never looks at the tag.
        Some(listed) => {
            warn_of(&listed.lacks(&ours), remote);
            Ok(())
        }
        None => keep_index(&ours, subject, remote),
    }
}

fn warn_of(lacking: &[Descriptor], remote: &Remote<'_>) {
    for it in lacking {
        let message = format!("`{}` has `{}`, and does not list it (yet)", remote.registry(), it.digest);
        remote.host.log(Level::Warn, &message);
    }
}

/// Makes the tag for what refers to `subject` name an index with ours in it. It is read again after each time that it was
/// written: somebody else may have written it in between, and theirs must stay as well.
fn keep_index(ours: &[Descriptor], subject: Digest, remote: &Remote<'_>) -> Result<(), Failure> {
    let tag = referrers::tag(subject);
    for failed in 0..ATTEMPTS {
        let there = match remote.get_tag(&tag, failed.saturating_sub(1))? {
            Some(text) => Referrers::parse(&text).map_err(|reason| no_index(&tag, remote, &reason))?,
            None => Referrers::none(),
        };
        let more = there.lacks(ours);
        if more.is_empty() {
            return Ok(());
        }
        let path = remote.host.dir().join(&tag);
        let bytes = there.with(&more);
        fs::write(&path, &bytes).map_err(|error| Failure::file("write", &path, &error))?;
        let blob = Blob { digest: Digest::of(&bytes), size: bytes.len() as u64, path };
        let index = Manifest { blob, media_type: Family::Oci.index().to_owned() };
        remote.put(&tag, &index)?.or_fail(remote, &tag)?;
    }
    let message = format!("`{}` does not keep what was put there {ATTEMPTS} times", remote.at_tag(&tag));
    Err(Failure::new(FailureClass::Network, message).help("does somebody else publish to it at the same time?"))
}

fn no_index(tag: &str, remote: &Remote<'_>, reason: &str) -> Failure {
    let message = format!("`{}` is no index of what is attached", remote.at_tag(tag));
    let help = "the registry lists nothing itself, so this tag is where others look for it; remove what lies there";
    Failure::new(FailureClass::Refused, message).cause(reason).help(help)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use forge_plugin::testing::FakeHost;

    use super::*;
    use crate::publish::fake::FakeRegistry;

    /// One descriptor is to be in the index, at a registry that was prepared; what was asked, and what lies there then.
    fn check(prepare: impl Fn(&FakeRegistry), expect: Expect) {
        let (registry, subject) = (FakeRegistry::default(), Digest::of(b"subject"));
        registry.hold_manifest("x.example/a", b"ours");
        prepare(&registry);
        let answering = registry.clone();
        let host = FakeHost::new().on_http(move |request| answering.answer(request));
        let remote = Remote::new(&host, "x.example/a").unwrap();
        let outcome = match keep_index(&[ours()], subject, &remote) {
            Ok(()) => remote.get_tag(&referrers::tag(subject), 0).unwrap().unwrap_or_default(),
            Err(failure) => failure.to_string(),
        };
        let readable = |text: String| text.replace(&subject.hex(), "<subject>").replace(&ours().digest.hex(), "<ours>");
        expect.assert_eq(&readable(format!("{}{outcome}\n", registry.trace())));
    }

    fn ours() -> Descriptor {
        Descriptor::of("m", b"ours")
    }

    #[test]
    fn what_is_written_is_read_again() {
        check(
            |_| {},
            expect![[r#"
            GET x.example/a manifests/sha256-<subject> = 200
            GET x.example/a manifests/sha256-<subject> = 200
            GET x.example/a manifests/sha256-<subject> = 404
            PUT x.example/a manifests/sha256-<subject> = 201
            {"manifests":[{"digest":"sha256:<ours>","mediaType":"m","size":4}],"mediaType":"application/vnd.oci.image.index.v1+json","schemaVersion":2}
        "#]],
        );
        // Somebody else has read before we wrote, and written after: ours is not there, and is put there once more.
        let index = Referrers::none().with(&[ours()]);
        let taken = Digest::of(&index).to_string();
        let written_over = |registry: &FakeRegistry| {
            registry.fault("PUT x.example/a manifests/sha256-", 201, &[("docker-content-digest", &taken)]);
        };
        check(
            written_over,
            expect![[r#"
            GET x.example/a manifests/sha256-<subject> = 200
            GET x.example/a manifests/sha256-<subject> = 200
            GET x.example/a manifests/sha256-<subject> = 404
            GET x.example/a manifests/sha256-<subject> = 404
            PUT x.example/a manifests/sha256-<subject> = 201
            PUT x.example/a manifests/sha256-<subject> = 201
            {"manifests":[{"digest":"sha256:<ours>","mediaType":"m","size":4}],"mediaType":"application/vnd.oci.image.index.v1+json","schemaVersion":2}
        "#]],
        );
        let each_time = |registry: &FakeRegistry| (0..ATTEMPTS).for_each(|_| written_over(registry));
        check(
            each_time,
            expect![[r#"
            GET x.example/a manifests/sha256-<subject> = 404
            GET x.example/a manifests/sha256-<subject> = 404
            GET x.example/a manifests/sha256-<subject> = 404
            GET x.example/a manifests/sha256-<subject> = 404
            GET x.example/a manifests/sha256-<subject> = 404
            GET x.example/a manifests/sha256-<subject> = 404
            GET x.example/a manifests/sha256-<subject> = 404
            GET x.example/a manifests/sha256-<subject> = 404
            GET x.example/a manifests/sha256-<subject> = 404
            GET x.example/a manifests/sha256-<subject> = 404
            PUT x.example/a manifests/sha256-<subject> = 201
            PUT x.example/a manifests/sha256-<subject> = 201
            PUT x.example/a manifests/sha256-<subject> = 201
            PUT x.example/a manifests/sha256-<subject> = 201
            PUT x.example/a manifests/sha256-<subject> = 201
            PUT x.example/a manifests/sha256-<subject> = 201
            PUT x.example/a manifests/sha256-<subject> = 201
            PUT x.example/a manifests/sha256-<subject> = 201
            PUT x.example/a manifests/sha256-<subject> = 201
            PUT x.example/a manifests/sha256-<subject> = 201
            `x.example/a:sha256-<subject>` does not keep what was put there 10 times
        "#]],
        );
    }
}
