//! Blobs that go in chunks, and connections that break in their midst.
//! Does not know the other faults of a registry.

use crate::support::olareg::Olareg;
use crate::support::proxy::{Fault, Proxy, Seen};
use crate::support::registry::Registry;
use crate::support::small::in_chunks;

use super::{RELEASE, answer};

const MIB: usize = 1 << 20;

/// The chunks that the registry has taken: where each begins, and how much of it.
fn taken(seen: &[Seen]) -> Vec<(usize, usize)> {
    let begin = |it: &Seen| {
        let range = it.head.lines().find_map(|line| line.strip_prefix("content-range: "))?;
        range.split('-').next()?.parse().ok()
    };
    let patches = seen.iter().filter(|it| it.line.starts_with("PATCH ") && it.line.ends_with(" 202"));
    patches.map(|it| (begin(it).unwrap_or_else(|| panic!("a chunk without its place\n{}", it.head)), it.sent)).collect()
}

fn size(chunks: &[(usize, usize)]) -> usize {
    chunks.iter().map(|(_, size)| size).sum()
}

#[test]
fn chunks_say_how_long_they_are() {
    let registry = Registry::start();
    let proxy = Proxy::start(registry.address());
    in_chunks(proxy.address()).forge(&RELEASE).expect(0);
    let seen = proxy.seen();
    let chunks = taken(&seen);
    assert!(chunks.len() >= 6 && chunks.iter().all(|(_, size)| *size <= MIB), "{chunks:?}");
    for it in seen.iter().filter(|it| it.line.starts_with("PATCH ") || it.line.starts_with("PUT ")) {
        let head = it.head.to_ascii_lowercase();
        assert!(head.contains("content-length: ") && !head.contains("transfer-encoding"), "{head}");
    }
}

/// What a registry takes of a release, of which the second chunk is cut in its midst.
fn taken_with_a_cut(address: &str) -> Vec<(usize, usize)> {
    let proxy = Proxy::start(address);
    proxy.fault("PATCH", "/uploads/", 2..=2, Fault::CutRequest(MIB / 2));
    in_chunks(proxy.address()).forge(&RELEASE).expect(0);
    taken(&proxy.seen())
}

#[test]
fn an_upload_that_is_cut_goes_on_in_the_midst_of_a_chunk() {
    let registry = Olareg::start();
    let chunks = taken_with_a_cut(registry.address());
    assert!(chunks.iter().any(|(begin, _)| begin % MIB == MIB / 2), "half a chunk was kept: {chunks:?}");
    let undisturbed = Olareg::start();
    let proxy = Proxy::start(undisturbed.address());
    in_chunks(proxy.address()).forge(&RELEASE).expect(0);
    assert_eq!(size(&chunks) + MIB / 2, size(&taken(&proxy.seen())), "and nothing is sent twice");
}

#[test]
fn an_upload_that_the_registry_forgets_begins_anew() {
    // Debian's gives up an upload whose connection breaks.
    let (one, other) = (Registry::start(), Registry::start());
    in_chunks(other.address()).forge(&RELEASE).expect(0);
    let chunks = taken_with_a_cut(one.address());
    assert_eq!(one.contents().differences(&other.contents()), [""; 0]);
    let begun = chunks.iter().filter(|(begin, _)| *begin == 0).count();
    assert!((2..=3).contains(&begun), "one of the two is sent again, and once: {chunks:?}");
}

#[test]
fn the_next_run_goes_on_where_the_last_one_has_stopped() {
    let registry = Registry::start();
    let proxy = Proxy::start(registry.address());
    let project = in_chunks(proxy.address());
    proxy.fault("PATCH", "/uploads/", 4..=usize::MAX, answer("403 Forbidden", &[]));
    project.forge(&RELEASE).expect(1);
    proxy.heal();
    let before = taken(&proxy.seen());
    project.forge(&RELEASE).expect(0);
    let after = taken(&proxy.seen());
    assert_eq!(before.len(), 3, "{before:?}");
    let undisturbed = Registry::start();
    let proxy = Proxy::start(undisturbed.address());
    in_chunks(proxy.address()).forge(&RELEASE).expect(0);
    assert_eq!(size(&before) + size(&after), size(&taken(&proxy.seen())), "{before:?} {after:?}");
    assert_eq!(registry.contents().differences(&undisturbed.contents()), [""; 0]);
}
