//! Row C4: registries that fall silent, or speak too slowly, while a release speaks to them. Both are given a second here.
//! Does not know what they are asked.

use std::time::Duration;

use super::{Scene, check_base, undisturbed};
use crate::support::project::Project;
use crate::support::proxy::{Fault, Proxy};
use crate::support::registry::Registry;
use crate::support::small;

/// A scene whose registry is given a second.
fn hurried() -> Scene {
    let registry = Registry::start();
    let proxy = Proxy::start(registry.address());
    let tables = format!("[registries.\"{}\"]\npatience = 1\n", proxy.address());
    let project: Project = small::with(&tables, proxy.address());
    Scene { registry, proxy, project, undisturbed: undisturbed(&tables) }
}

#[test]
fn c4_a_release_outlasts_a_registry_that_is_silent_for_a_while() {
    hurried()
        .fault("HEAD", "/blobs/", 1..=1, Fault::Stall(None))
        .fault("POST", "/blobs/uploads/", 1..=1, Fault::Stall(None))
        .fault("PUT", "/blobs/uploads/", 1..=1, Fault::Stall(None))
        .fault("PUT", "/manifests/latest", 1..=1, Fault::Stall(None))
        .succeeds()
        .converges();
}

#[test]
fn c4_a_registry_that_stays_silent_fails_the_release_and_the_next_goes_on() {
    let words = &["nothing has moved for 1 s", "run it again when `HOST` answers", "`patience` in"];
    hurried().fault("PUT", "/manifests/sha256:", 1..=usize::MAX, Fault::Deaf).fails(words).converges();
    hurried().fault("HEAD", "/manifests/latest", 1..=usize::MAX, Fault::Deaf).fails(words).converges();
}

#[test]
fn c4_a_base_that_comes_too_slowly_or_not_to_its_end() {
    let few = &["fewer than 1024 bytes have come in 1 s", "tried 2 times"];
    check_base("/blobs/", Fault::Stall(None), &["nothing has moved for 1 s", "tried 2 times"]);
    check_base("/blobs/", Fault::Stall(Some(20)), few);
    check_base("/blobs/", Fault::Trickle(Duration::from_millis(20)), few);
}
