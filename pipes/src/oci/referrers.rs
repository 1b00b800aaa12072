//! The index of all that is attached to an image, as a registry lists it, or as lies at a tag where it does not
//! (distribution-spec 1.1, "Referrers Tag Schema"). Does not know how a registry is asked.

use std::collections::BTreeSet;

use forge_plugin::schemas::Digest;
use serde_json::{Value, json};

use crate::oci::manifest::{Descriptor, Family};

/// What is attached to an image. Descriptors that others have put there are kept as they are, with all that they say.
#[derive(Debug, Clone, PartialEq)]
pub struct Referrers(Vec<Value>);

/// The tag at which the index lies: `sha256-` and the digest of the image.
pub fn tag(subject: Digest) -> String {
    subject.to_string().replace(':', "-")
}

impl Referrers {
    /// None.
    pub fn none() -> Referrers {
        Referrers(Vec::new())
    }

    /// From the text of an index.
    pub fn parse(text: &str) -> Result<Referrers, String> {
        let mut index: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        match index.get_mut("manifests").map(Value::take) {
            Some(Value::Array(manifests)) => Ok(Referrers(manifests)),
            // Some registries, and some clients, write an empty list so.
            Some(Value::Null) => Ok(Referrers::none()),
            _ => Err("it has no list of `manifests`".to_owned()),
        }
    }

    /// Those of `ours` that are not there.
    pub fn lacks(&self, ours: &[Descriptor]) -> Vec<Descriptor> {
        let there: BTreeSet<&str> = self.0.iter().filter_map(|it| it["digest"].as_str()).collect();
        ours.iter().filter(|it| !there.contains(it.digest.to_string().as_str())).cloned().collect()
    }

    /// The bytes of an index of all that is there, and then of `more`.
    pub fn with(mut self, more: &[Descriptor]) -> Vec<u8> {
        self.0.extend(more.iter().map(|it| json!(it)));
        let index = json!({ "schemaVersion": 2, "mediaType": Family::Oci.index(), "manifests": self.0 });
        index.to_string().into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    /// What an index becomes where these are to be in it.
    fn check(text: Option<&str>, ours: &[&str], expect: Expect) {
        let descriptor = |content: &&str| {
            let descriptor = Descriptor::of("m", content.as_bytes());
            Descriptor { artifact_type: Some((*content).to_owned()), ..descriptor }
        };
        let ours: Vec<Descriptor> = ours.iter().map(descriptor).collect();
        let actual = text.map_or(Ok(Referrers::none()), Referrers::parse).map(|there| match there.lacks(&ours) {
            more if more.is_empty() => "as it was".to_owned(),
            more => String::from_utf8(there.with(&more)).unwrap(),
        });
        expect.assert_eq(&actual.unwrap_or_else(|message| message));
    }

    #[test]
    fn what_is_there_stays_and_ours_is_added_once() {
        check(
            None,
            &["a"],
            expect![[
                r#"{"manifests":[{"artifactType":"a","digest":"sha256:ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb","mediaType":"m","size":1}],"mediaType":"application/vnd.oci.image.index.v1+json","schemaVersion":2}"#
            ]],
        );
        let theirs = r#"{"schemaVersion":2,"manifests":[{"digest":"sha256:00","data":"e30=","x":1}],"annotations":{}}"#;
        check(
            Some(theirs),
            &["a"],
            expect![[
                r#"{"manifests":[{"data":"e30=","digest":"sha256:00","x":1},{"artifactType":"a","digest":"sha256:ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb","mediaType":"m","size":1}],"mediaType":"application/vnd.oci.image.index.v1+json","schemaVersion":2}"#
            ]],
        );
        let a = Digest::of(b"a");
        check(Some(&format!(r#"{{"manifests":[{{"digest":"{a}"}}]}}"#)), &["a"], expect!["as it was"]);
        check(Some(r#"{"manifests":null}"#), &[], expect!["as it was"]);
    }

    #[test]
    fn what_is_no_index() {
        check(Some("{"), &[], expect!["EOF while parsing an object at line 1 column 1"]);
        check(Some(r#"{"layers":[]}"#), &[], expect!["it has no list of `manifests`"]);
    }

    #[test]
    fn where_it_lies() {
        let tag = tag(Digest::of(b"a"));
        assert_eq!(tag, "sha256-ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb");
        assert_eq!(crate::oci::reference::check_tag(&tag), Ok(()));
    }
}
