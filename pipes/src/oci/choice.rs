//! From whatever lies behind a reference to the one image for a platform.
//! Does not know where documents come from: it is handed a function that reads them.

use forge_plugin::schemas::Platform;

use crate::oci::manifest::{Descriptor, Document, Index, Manifest};

/// An index in an index is allowed by OCI; nobody nests deeper than this.
const DEEPEST: usize = 4;

/// The image for `platform` in what `bytes` say, and the bytes of its manifest. `read` gives the bytes that a descriptor
/// points at.
pub fn image_for<E: From<String>>(
    platform: &Platform,
    bytes: Vec<u8>,
    mut read: impl FnMut(&Descriptor) -> Result<Vec<u8>, E>,
) -> Result<(Manifest, Vec<u8>), E> {
    let mut bytes = bytes;
    for _ in 0..DEEPEST {
        match Document::parse(&bytes)? {
            Document::Manifest(manifest) => return Ok((manifest, bytes)),
            Document::Index(index) => bytes = read(choose(&index, platform)?)?,
        }
    }
    Err(E::from(format!("more than {DEEPEST} indexes lie in each other")))
}

fn choose<'a>(index: &'a Index, platform: &Platform) -> Result<&'a Descriptor, String> {
    let of = |wanted: &Platform| {
        index.manifests.iter().find(|it| it.platform.as_ref().and_then(|it| it.platform()).as_ref() == Some(wanted))
    };
    let without: Vec<&Descriptor> = index.manifests.iter().filter(|it| it.platform.is_none()).collect();
    let alone = || match without[..] {
        [one] => Some(one),
        _ => None,
    };
    compatible(platform).iter().find_map(of).or_else(alone).ok_or_else(|| {
        let there: Vec<String> = index
            .manifests
            .iter()
            .filter_map(|it| it.platform.as_ref()?.platform())
            .map(|it| format!("`{it}`"))
            .collect();
        match there.is_empty() {
            true => format!("it has no image for `{platform}`"),
            false => format!("it has no image for `{platform}`, only for {}", there.join(", ")),
        }
    })
}

/// The platforms whose programs run on `platform`, the best first.
pub fn compatible(platform: &Platform) -> Vec<Platform> {
    let lower: &[&str] = match (platform.arch(), platform.variant()) {
        ("arm", Some("v8")) => &["v7", "v6", "v5"],
        ("arm", Some("v7")) => &["v6", "v5"],
        ("arm", Some("v6")) => &["v5"],
        ("arm64", Some("v9")) => &["v8"],
        ("amd64", Some("v4")) => &["v3", "v2", "v1"],
        ("amd64", Some("v3")) => &["v2", "v1"],
        ("amd64", Some("v2")) => &["v1"],
        _ => &[],
    };
    let lower = lower.iter().filter_map(|it| Platform::from_parts(platform.os(), platform.arch(), Some(it)).ok());
    std::iter::once(platform.clone()).chain(lower).collect()
}

#[cfg(test)]
mod tests {
    use forge_plugin::schemas::Digest;

    use super::*;
    use crate::oci::manifest::{Family, PlatformFields};

    fn manifest(name: &str) -> Vec<u8> {
        Manifest::new(Family::Oci, Descriptor::of(name, name.as_bytes()), Vec::new()).to_bytes()
    }

    fn descriptor(content: &[u8], platform: Option<&str>) -> Descriptor {
        let platform = platform.map(|it| PlatformFields::from(&it.parse::<Platform>().unwrap()));
        Descriptor { platform, ..Descriptor::of("m", content) }
    }

    fn check(platform: &str, members: &[(&str, Option<&str>)], expect: &str) {
        let documents: Vec<Vec<u8>> = members.iter().map(|(name, _)| manifest(name)).collect();
        let inner: Vec<Descriptor> =
            documents.iter().zip(members).map(|(it, (_, platform))| descriptor(it, *platform)).collect();
        let inner = Index::new(Family::Oci, inner).to_bytes();
        let outer = Index::new(Family::Oci, vec![descriptor(&inner, None)]).to_bytes();
        let read = |wanted: &Descriptor| -> Result<Vec<u8>, String> {
            let mut all = documents.iter().chain([&inner]);
            all.find(|it| Digest::of(it) == wanted.digest).cloned().ok_or_else(|| "not there".to_owned())
        };
        let actual = match image_for(&platform.parse().unwrap(), outer, read) {
            Ok((manifest, _)) => manifest.config.media_type,
            Err(message) => message,
        };
        assert_eq!(actual, expect);
    }

    #[test]
    fn the_image_of_a_platform() {
        let two = [("amd", Some("linux/amd64")), ("arm", Some("linux/arm/v6"))];
        check("linux/amd64", &two, "amd");
        check("linux/amd64/v3", &two, "amd");
        check("linux/arm/v7", &two, "arm");
        check("linux/arm/v5", &two, "it has no image for `linux/arm/v5`, only for `linux/amd64`, `linux/arm/v6`");
        check("linux/arm64", &[("any", None)], "any");
        check("linux/arm64", &[], "it has no image for `linux/arm64`");
    }
}
