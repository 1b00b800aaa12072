//! What of the store is still needed: what is named, and what that names in turn.
//! Knows no format: a digest that is written somewhere is a name, so that too much is kept rather than too little.

use std::collections::HashSet;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use forge_schemas::Digest;

use super::Blobs;

/// Content that can name other content is JSON, and not longer than a registry takes a manifest, in bytes
/// (distribution-spec, "Pushing Manifests").
const LONGEST: u64 = 4 << 20;

/// These, and all that they lead to.
pub fn reachable(roots: impl IntoIterator<Item = Digest>, blobs: &Blobs) -> HashSet<Digest> {
    let mut found = HashSet::new();
    let mut waiting: Vec<Digest> = roots.into_iter().collect();
    while let Some(digest) = waiting.pop() {
        if found.insert(digest) {
            waiting.extend(named_by(&blobs.path(&digest)));
        }
    }
    found
}

/// The digests that are written in a file of text; none where there is no such file.
pub fn named_in(path: &Path) -> Vec<Digest> {
    digests(&std::fs::read(path).unwrap_or_default())
}

fn named_by(path: &Path) -> Vec<Digest> {
    let Ok(mut file) = File::open(path) else { return Vec::new() };
    let mut first = [0];
    let is_short = file.metadata().is_ok_and(|it| it.len() <= LONGEST);
    match is_short && file.read_exact(&mut first).is_ok() && first == *b"{" {
        true => named_in(path),
        false => Vec::new(),
    }
}

fn digests(text: &[u8]) -> Vec<Digest> {
    let text = String::from_utf8_lossy(text);
    let whole = |(at, _)| text.get(at..at + "sha256:".len() + 64)?.parse().ok();
    text.match_indices("sha256:").filter_map(whole).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_in_a_text() {
        let (one, two) = (Digest::of(b"one"), Digest::of(b"two"));
        let check = |text: String, expect: &[Digest]| assert_eq!(digests(text.as_bytes()), expect, "{text}");
        check(String::new(), &[]);
        check(format!("{one}{two}"), &[one, two]);
        check(format!("push {one} to \"{two}\"\n"), &[one, two]);
        check(one.to_string()[..70].to_owned(), &[]);
        check(format!("sha256:sha256:é{one}"), &[one]);
    }

    #[test]
    fn what_json_names_is_followed_and_what_others_name_is_not() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(directory.path().join("blobs/sha256")).unwrap();
        let blobs = Blobs::open(directory.path().to_path_buf()).unwrap();
        let put = |content: &str| {
            std::fs::write(blobs.path(&Digest::of(content.as_bytes())), content).unwrap();
            Digest::of(content.as_bytes())
        };
        let leaf = put("leaf");
        let manifest = put(&format!("{{\"digest\":\"{leaf}\"}}"));
        let index = put(&format!("{{\"digest\":\"{manifest}\"}}"));
        let text = put(&format!("see {leaf}"));
        assert_eq!(reachable([index], &blobs), HashSet::from([index, manifest, leaf]));
        assert_eq!(reachable([text], &blobs), HashSet::from([text]));
    }
}
