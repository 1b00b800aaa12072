//! Artifacts that consist of other content, as a tree: manifest lists of images, images of layers, with sizes and what is shared.
//! Knows no kind: an artifact is in another where that refers to its content.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use forge_schemas::{ArtifactEntry, ArtifactList, BlobEntry, Digest};

use super::words::size;

/// The tree; empty where no artifact refers to other content.
pub fn tree(list: &ArtifactList) -> String {
    let forest = Forest::of(list);
    let mut text = String::new();
    for top in forest.tops() {
        let _ = writeln!(text, "{}  {}  {}", top.name, top.digest, weight(top));
        forest.below(top, "", &mut text);
    }
    text + &forest.sum()
}

struct Forest<'a> {
    /// What refers to other content.
    composed: Vec<&'a ArtifactEntry>,
    /// How many of those that hold no other artifact refer to a blob.
    users: BTreeMap<Digest, usize>,
}

impl<'a> Forest<'a> {
    fn of(list: &'a ArtifactList) -> Forest<'a> {
        let mut forest = Forest {
            composed: list.artifacts.iter().filter(|it| !it.blobs.is_empty()).collect(),
            users: BTreeMap::new(),
        };
        let leaves: Vec<&ArtifactEntry> =
            forest.composed.iter().copied().filter(|it| forest.in_it(it).is_empty()).collect();
        for blob in leaves.iter().flat_map(|it| it.blobs.iter().chain(&it.elsewhere)) {
            *forest.users.entry(blob.digest).or_default() += 1;
        }
        forest
    }

    /// Those that lie in no other.
    fn tops(&self) -> impl Iterator<Item = &'a ArtifactEntry> {
        let held: BTreeSet<&str> =
            self.composed.iter().flat_map(|it| self.in_it(it)).map(|it| it.name.as_str()).collect();
        self.composed.iter().copied().filter(move |it| !held.contains(it.name.as_str()))
    }

    /// The artifacts in one, in the order in which it refers to them.
    fn in_it(&self, whole: &ArtifactEntry) -> Vec<&'a ArtifactEntry> {
        let is_part =
            |digest: Digest| self.composed.iter().copied().find(|it| it.digest == digest && it.name != whole.name);
        whole.blobs.iter().filter_map(|blob| is_part(blob.digest)).collect()
    }

    fn below(&self, whole: &ArtifactEntry, indent: &str, text: &mut String) {
        let parts = self.in_it(whole);
        for (at, part) in parts.iter().enumerate() {
            let (branch, next) = branches(at + 1 == parts.len());
            let platform = part.platform.as_ref().map(|it| format!("{it}  ")).unwrap_or_default();
            let all = weight(part);
            let _ = writeln!(text, "{indent}{branch}{platform}{}  {}  {all}", part.name, part.digest);
            self.below(part, &format!("{indent}{next}"), text);
        }
        if !parts.is_empty() {
            return;
        }
        let (here, there) = (whole.blobs.iter().map(|it| (it, "")), whole.elsewhere.iter().map(|it| (it, THERE)));
        let all: Vec<(&BlobEntry, &str)> = here.chain(there).collect();
        for (at, (blob, place)) in all.iter().enumerate() {
            let (branch, _) = branches(at + 1 == all.len());
            let shared = match self.users.get(&blob.digest) {
                Some(users @ 2..) => format!("  in {users} of them"),
                _ => String::new(),
            };
            let _ = writeln!(text, "{indent}{branch}{}  {}{place}{shared}", blob.digest, size(blob.size));
        }
    }

    /// How much it is, and how much it would be if nothing were shared.
    fn sum(&self) -> String {
        let (mut here, mut there) = (BTreeMap::new(), BTreeMap::new());
        for artifact in &self.composed {
            here.insert(artifact.digest, artifact.size);
            here.extend(artifact.blobs.iter().map(|it| (it.digest, it.size)));
            there.extend(artifact.elsewhere.iter().map(|it| (it.digest, it.size)));
        }
        // What one of them holds is here for all.
        there.retain(|digest, _| !here.contains_key(digest));
        if here.is_empty() {
            return String::new();
        }
        let of = |digest| here.get(digest).or(there.get(digest)).copied().unwrap_or(0);
        let saved: u64 = self.users.iter().map(|(digest, users)| of(digest) * (*users as u64 - 1)).sum();
        let (all, far) = (here.values().sum(), there.values().sum());
        match saved {
            0 => format!("{} in all\n", both(all, far)),
            saved => {
                format!("{} in all; it would be {} if nothing were shared\n", both(all, far), size(all + far + saved))
            }
        }
    }
}

/// What is said of content that the store does not have.
const THERE: &str = " in the registry";

/// How much an artifact is, with all that it refers to.
fn weight(artifact: &ArtifactEntry) -> String {
    both(artifact.size_in_all, artifact.elsewhere.iter().map(|it| it.size).sum())
}

fn both(here: u64, there: u64) -> String {
    match there {
        0 => size(here),
        there => format!("{} and {}{THERE}", size(here), size(there)),
    }
}

/// What stands before a part and before what is below it.
fn branches(is_last: bool) -> (&'static str, &'static str) {
    if is_last { ("└─ ", "   ") } else { ("├─ ", "│  ") }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use forge_schemas::TableName;

    use super::*;

    /// Artifacts by name, platform and what they refer to; content is called by a word, with a `~` before it where it is elsewhere.
    fn check(artifacts: &[(&str, &str, &[&str])], expect: Expect) {
        let blob = |word: &str| BlobEntry { digest: Digest::of(word.as_bytes()), size: 1 << (10 + word.len()) };
        let entry = |(name, platform, blobs): &(&str, &str, &[&str])| {
            let elsewhere = blobs.iter().filter_map(|word| word.strip_prefix('~')).map(blob).collect();
            let blobs: Vec<BlobEntry> = blobs.iter().filter(|it| !it.starts_with('~')).map(|it| blob(it)).collect();
            ArtifactEntry {
                name: (*name).to_owned(),
                kind: "any".to_owned(),
                platform: platform.parse().ok(),
                path: format!("dist/{name}"),
                digest: Digest::of(name.as_bytes()),
                size: 100,
                size_in_all: 100 + blobs.iter().map(|it| it.size).sum::<u64>(),
                table: TableName::new("pipe", "table"),
                blobs,
                elsewhere,
                detail: serde_json::Value::Null,
            }
        };
        let list = ArtifactList { artifacts: artifacts.iter().map(entry).collect() };
        let words = artifacts.iter().flat_map(|(name, _, blobs)| std::iter::once(name).chain(*blobs));
        let text = words.map(|it| it.trim_start_matches('~')).fold(tree(&list), |text, word| {
            text.replace(&Digest::of(word.as_bytes()).to_string(), &format!("<{word}>"))
        });
        expect.assert_eq(&text);
    }

    #[test]
    fn lists_images_and_layers() {
        check(
            &[
                ("one", "linux/amd64", &["config1", "base", "layer1"]),
                ("two", "linux/arm64", &["config2", "base", "layer2"]),
                ("list", "", &["one", "config1", "base", "layer1", "two", "config2", "layer2"]),
                ("alone", "linux/amd64", &["config3"]),
                ("program", "", &[]),
            ],
            expect![[r#"
                list  <list>  426.0 kB
                ├─ linux/amd64  one  <one>  213.0 kB
                │  ├─ <config1>  131.0 kB
                │  ├─ <base>  16.3 kB  in 2 of them
                │  └─ <layer1>  65.5 kB
                └─ linux/arm64  two  <two>  213.0 kB
                   ├─ <config2>  131.0 kB
                   ├─ <base>  16.3 kB  in 2 of them
                   └─ <layer2>  65.5 kB
                alone  <alone>  131.1 kB
                └─ <config3>  131.0 kB
                557.2 kB in all; it would be 573.6 kB if nothing were shared
            "#]],
        );
        check(&[("program", "", &[])], expect![[""]]);
    }

    #[test]
    fn what_lies_in_the_registry() {
        check(
            &[
                ("one", "linux/amd64", &["config1", "layer1", "~base"]),
                ("two", "linux/arm64", &["config2", "layer2", "~base"]),
                ("list", "", &["one", "config1", "layer1", "two", "config2", "layer2", "~base"]),
                ("own", "linux/amd64", &["config3", "~other"]),
                ("holds", "linux/amd64", &["config3", "other"]),
            ],
            expect![[r#"
                list  <list>  409.7 kB and 16.3 kB in the registry
                ├─ linux/amd64  one  <one>  196.7 kB and 16.3 kB in the registry
                │  ├─ <config1>  131.0 kB
                │  ├─ <layer1>  65.5 kB
                │  └─ <base>  16.3 kB in the registry  in 2 of them
                └─ linux/arm64  two  <two>  196.7 kB and 16.3 kB in the registry
                   ├─ <config2>  131.0 kB
                   ├─ <layer2>  65.5 kB
                   └─ <base>  16.3 kB in the registry  in 2 of them
                own  <own>  131.1 kB and 32.7 kB in the registry
                ├─ <config3>  131.0 kB  in 2 of them
                └─ <other>  32.7 kB in the registry  in 2 of them
                holds  <holds>  163.9 kB
                ├─ <config3>  131.0 kB  in 2 of them
                └─ <other>  32.7 kB  in 2 of them
                573.7 kB and 16.3 kB in the registry in all; it would be 770.3 kB if nothing were shared
            "#]],
        );
    }
}
