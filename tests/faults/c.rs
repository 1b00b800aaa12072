//! Rows C: registries, networks and credentials that fail. Each release goes through a proxy that does harm, then through
//! one that does none: what the registry holds in the end is what it holds after a release that nothing has disturbed.
//! Does not know what is published.

mod client;
mod slow;
mod tokens;
mod uploads;

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use crate::support::forge::Ended;
use crate::support::project::Project;
use crate::support::proxy::{Fault, Proxy, Seen};
use crate::support::registry::{Contents, Registry, changes};
use crate::support::small;

const RELEASE: [&str; 2] = ["run", "release"];
/// With nothing in between, the tests need not wait.
const AT_ONCE: &str = "Retry-After: 0";

/// What a release leaves behind, and how often it has done what.
type Left = (Contents, BTreeMap<String, usize>);

/// What is left by one that nothing has disturbed.
static UNDISTURBED: LazyLock<Arc<Left>> = LazyLock::new(|| undisturbed(""));

/// The same for a project with these tables at the end of its file.
fn undisturbed(tables: &str) -> Arc<Left> {
    let mut registry = Registry::start();
    small::with(tables, registry.address()).forge(&RELEASE).expect(0);
    let changes = changes(&registry.requests());
    assert!(changes.len() >= 8 && changes.values().all(|count| *count == 1), "{changes:#?}");
    Arc::new((registry.contents(), changes))
}

/// A registry, a proxy in front of it, and a project that is released to it.
struct Scene {
    registry: Registry,
    proxy: Proxy,
    project: Project,
    undisturbed: Arc<Left>,
}

impl Scene {
    fn new() -> Scene {
        Scene::before(Registry::start())
    }

    fn before(registry: Registry) -> Scene {
        let proxy = Proxy::start(registry.address());
        let project = small::project(proxy.address());
        Scene { registry, proxy, project, undisturbed: UNDISTURBED.clone() }
    }

    fn fault(
        self,
        method: &'static str,
        place: &'static str,
        which: std::ops::RangeInclusive<usize>,
        it: Fault,
    ) -> Scene {
        self.proxy.fault(method, place, which, it);
        self
    }

    /// A release that succeeds in spite of all.
    #[track_caller]
    fn succeeds(self) -> Scene {
        self.release().expect(0);
        small::check_store(&self.project);
        self
    }

    /// A release that fails with these words, and moves no tag.
    #[track_caller]
    fn fails(self, words: &[&str]) -> Scene {
        let ended = self.release().expect(1);
        let said = ended.stderr.replace(self.proxy.address(), "HOST");
        for words in words {
            assert!(said.contains(words), "`{words}` is missing\n{said}");
        }
        assert_eq!(self.registry.contents().tags(), Vec::<&str>::new(), "no tag stands");
        small::check_store(&self.project);
        self
    }

    /// A plain release after all that ends as if nothing had happened, and nothing was done twice.
    #[track_caller]
    fn converges(mut self) {
        self.proxy.heal();
        self.release().expect(0);
        let (contents, once) = &*self.undisturbed;
        let differences = self.registry.contents().differences(contents);
        assert!(differences.is_empty(), "{differences:#?}");
        assert_eq!(changes(&self.registry.requests()), *once, "each change was made once");
        small::check_store(&self.project);
    }

    fn release(&self) -> Ended {
        self.project.forge(&RELEASE)
    }

    /// How often that was asked through the proxy so far.
    fn count(seen: &[Seen], method: &str, place: &str) -> usize {
        seen.iter().filter(|it| it.line.starts_with(method) && it.line.contains(place)).count()
    }
}

fn answer(status: &'static str, headers: &[&str]) -> Fault {
    Fault::Answer(status, headers.iter().map(|it| (*it).to_owned()).collect(), "{}")
}

#[test]
fn a_proxy_without_rules_changes_nothing() {
    let mut scene = Scene::new().succeeds();
    let mut seen: Vec<String> = scene.proxy.seen().into_iter().map(|it| it.line).collect();
    let mut asked = scene.registry.requests();
    seen.sort();
    asked.sort();
    assert_eq!(seen, asked);
    let differences = scene.registry.contents().differences(&UNDISTURBED.0);
    assert!(differences.is_empty(), "{differences:#?}");
    assert_eq!(changes(&asked), UNDISTURBED.1);
}

#[test]
fn c1_server_errors_are_retried() {
    let after = &[AT_ONCE];
    Scene::new()
        .fault("HEAD", "/blobs/", 1..=9, answer("500 Internal Server Error", after))
        .fault("POST", "/blobs/uploads/", 1..=3, answer("502 Bad Gateway", after))
        .fault("PUT", "/blobs/uploads/", 2..=2, answer("503 Service Unavailable", after))
        .fault("PUT", "/manifests/sha256:", 1..=1, answer("504 Gateway Timeout", after))
        .fault("PUT", "/manifests/latest", 1..=1, answer("500 Internal Server Error", after))
        .succeeds()
        .converges();
}

#[test]
fn c1_ten_tries_and_no_more() {
    let place = "/manifests/latest";
    let scene = Scene::new().fault("HEAD", place, 1..=usize::MAX, answer("503 Service Unavailable", &[AT_ONCE]));
    let ended = scene.release().expect(1);
    assert!(ended.stderr.contains("status 503") && ended.stderr.contains("run it again"), "{}", ended.stderr);
    assert_eq!(Scene::count(&scene.proxy.seen(), "HEAD", place), 10);
    scene.converges();
}

#[test]
fn c2_too_many_requests() {
    let limited = |headers: &[&str]| answer("429 Too Many Requests", headers);
    let place = "/manifests/latest";
    let scene = Scene::new()
        .fault("POST", "/uploads/", 1..=1, limited(&[]))
        .fault("PUT", "/uploads/", 1..=1, limited(&["Retry-After: soon"]))
        .fault("PUT", "/manifests/", 1..=1, limited(&[AT_ONCE]))
        .fault("PUT", place, 1..=1, limited(&["Retry-After: 2"]))
        .succeeds();
    let seen = scene.proxy.seen();
    let puts: Vec<&Seen> = seen.iter().filter(|it| it.line.starts_with("PUT ") && it.line.contains(place)).collect();
    assert_eq!(puts.len(), 2);
    assert!(puts[1].at - puts[0].at >= Duration::from_secs(2), "as late as the server has asked for");
    scene.converges();
}

#[test]
fn c2_a_wait_of_hours_is_a_failure_at_once() {
    let limited = answer("429 Too Many Requests", &["Retry-After: 7200"]);
    let scene = Scene::new().fault("PUT", "/manifests/sha256:", 1..=usize::MAX, limited);
    let scene = scene.fails(&["`HOST` wants to be left alone for 2 h", "run it again then"]);
    let asked = Scene::count(&scene.proxy.seen(), "PUT", "/manifests/");
    assert!((1..=2).contains(&asked), "each image once: {asked}");
    scene.converges();
}

#[test]
fn c3_a_registry_that_is_down() {
    let Scene { registry, proxy, project, undisturbed } = Scene::new();
    let address = proxy.address().to_owned();
    proxy.stop();
    let ended = project.forge(&RELEASE).expect(1);
    let reason = format!("can't connect to `{address}`: Connection refused");
    assert!(ended.stderr.contains(&reason), "{}", ended.stderr);
    let proxy = Proxy::start_at(&address, registry.address());
    Scene { registry, proxy, project, undisturbed }.converges();
}

const PAGE: &str = "<!DOCTYPE html><title>Log in</title>";

fn page() -> Fault {
    Fault::Answer("200 OK", vec!["Content-Type: text/html; charset=utf-8".to_owned()], PAGE)
}

#[test]
fn c5_a_login_page_is_no_answer() {
    let words = &["a web page has come instead of an answer", "wants a login"];
    Scene::new().fault("HEAD", "/blobs/", 1..=usize::MAX, page()).fails(words).converges();
    Scene::new().fault("PUT", "/blobs/", 1..=usize::MAX, page()).fails(words).converges();
    Scene::new().fault("PUT", "/manifests/", 1..=usize::MAX, page()).fails(words).converges();
}

/// A release of images that stand on one of a registry behind a faulty proxy. It fails with these words, and keeps
/// nothing of what came; a plain second one ends as one that nothing has disturbed.
fn check_base(place: &'static str, fault: Fault, words: &[&str]) {
    let bases = Registry::start();
    small::project(bases.address()).forge(&RELEASE).expect(0);
    let proxy = Proxy::start(bases.address());
    let base = format!("{}/acme/small:latest", proxy.address());
    let tables = format!("[registries.\"{}\"]\npatience = 1\n", proxy.address());
    let release = |registry: &Registry| small::with(&tables, registry.address()).env("BASE", &base);
    let (registry, undisturbed) = (Registry::start(), Registry::start());
    let project = release(&registry);
    if place == "/manifests/latest" {
        // Else what lies there is asked for by its digest.
        proxy.fault("HEAD", place, 1..=usize::MAX, Fault::Header("Docker-Content-Digest", None));
    }
    proxy.fault("GET", place, 1..=usize::MAX, fault);
    let said = project.forge(&RELEASE).expect(1).stderr;
    for words in words {
        assert!(said.contains(words), "`{words}` is missing\n{said}");
    }
    small::check_store(&project);
    proxy.heal();
    project.forge(&RELEASE).expect(0);
    release(&undisturbed).forge(&RELEASE).expect(0);
    let differences = registry.contents().differences(&undisturbed.contents());
    assert!(differences.is_empty(), "{differences:#?}");
    assert!(!registry.contents().tags().is_empty());
}

#[test]
fn c5_a_manifest_that_is_none() {
    let json = vec!["Content-Type: application/vnd.oci.image.index.v1+json".to_owned()];
    check_base(
        "/manifests/latest",
        Fault::Answer("200 OK", json, "{\"schemaVersion\": 2, \"mani"),
        &["can't be the base"],
    );
    let short = Fault::Header("Content-Length", Some("40".to_owned()));
    check_base("/manifests/latest", short, &["the registry says that", "and gives `sha256:"]);
    check_base("/manifests/latest", page(), &["a web page has come instead of an answer"]);
}

#[test]
fn c6_a_base_with_a_byte_that_is_another() {
    check_base("/blobs/", Fault::Flip(5), &["the answer's digest is `sha256:", "` instead of `sha256:"]);
    check_base("/manifests/sha256:", Fault::Flip(5), &["the answer's digest is `sha256:", "` instead of `sha256:"]);
}

#[test]
fn c7_what_a_registry_says_that_it_has_stored() {
    let other = format!("sha256:{:064}", 0);
    let told = |value: Option<&str>| Fault::Header("Docker-Content-Digest", value.map(str::to_owned));
    Scene::new()
        .fault("PUT", "/manifests/sha256:", 1..=usize::MAX, told(Some(&other)))
        .fails(&["has stored `sha256:0000", "` instead of `sha256:"])
        .converges();
    // It does not say: what lies there is read back.
    let silent = || Scene::new().fault("PUT", "/manifests/", 1..=usize::MAX, told(None));
    silent()
        .fault("GET", "/manifests/sha256:", 1..=usize::MAX, answer("404 Not Found", &[]))
        .fails(&["has taken `HOST/acme/small@sha256:", "and does not have it"])
        .converges();
    silent()
        .fault("GET", "/manifests/sha256:", 1..=usize::MAX, Fault::Flip(9))
        .fails(&["the answer's digest is `sha256:"])
        .converges();
    silent().succeeds().converges();
}

#[test]
fn c8_replies_that_are_lost() {
    let scene = Scene::new()
        .fault("POST", "/uploads/", 1..=1, Fault::LostReply)
        .fault("PUT", "/uploads/", 1..=2, Fault::LostReply)
        .fault("PUT", "/manifests/sha256:", 1..=3, Fault::LostReply)
        .fault("PUT", "/manifests/latest", 1..=1, Fault::LostReply)
        .succeeds();
    let puts = Scene::count(&scene.proxy.seen(), "PUT", "/");
    assert_eq!(puts, UNDISTURBED.1.len(), "what came of each is asked, and nothing is sent twice");
    scene.converges();
}

#[test]
fn c8_requests_that_are_cut_off() {
    Scene::new()
        .fault("PUT", "/uploads/", 1..=2, Fault::CutRequest(7))
        .fault("PUT", "/manifests/sha256:", 1..=1, Fault::CutRequest(100))
        .fault("PUT", "/manifests/latest", 1..=1, Fault::CutRequest(0))
        .succeeds()
        .converges();
}

/// Nor does a store that holds what it should not go for one that does.
#[test]
fn the_look_at_the_store_finds_what_is_wrong() {
    let scene = Scene::new().succeeds();
    let blobs = scene.project.root().join(".forge/store/blobs/sha256");
    assert_eq!(small::spoilt(&scene.project), [""; 0]);
    fs::write(blobs.join(".part-1"), "not whole").expect("a file can be written");
    assert_eq!(small::spoilt(&scene.project), [".part-1"]);
    fs::remove_file(blobs.join(".part-1")).expect("a file");
    let (name, other) = (format!("{:064}", 1), format!("{:064}", 2));
    fs::write(blobs.join(&name), "other bytes").expect("a file can be written");
    fs::write(blobs.join(&other), "").expect("a file can be written");
    let mut spoilt = small::spoilt(&scene.project);
    spoilt.sort();
    assert_eq!(spoilt, [name, other]);
}

/// Registries that do not hold what they should are told from those that do.
#[test]
fn the_comparison_of_registries_finds_what_differs() {
    let scene = Scene::new().succeeds();
    let (whole, blobs) = (scene.registry.contents(), scene.registry.directory().join("blobs/docker/registry/v2"));
    let differs = |what: &str| {
        let differences = scene.registry.contents().differences(&whole);
        assert!(differences.len() == 1 && differences[0].contains(what), "{differences:#?}");
    };
    let tag = blobs.join("repositories/acme/small/_manifests/tags/latest/current/link");
    let link = fs::read(&tag).expect("a tag");
    fs::write(&tag, format!("sha256:{:064}", 0)).expect("a tag can be moved");
    differs("tags/latest/current/link");
    fs::write(&tag, link).expect("a tag can be moved");
    let shard = fs::read_dir(blobs.join("blobs/sha256")).expect("blobs").next().expect("a blob").expect("a directory");
    let blob = fs::read_dir(shard.path()).expect("blobs").next().expect("a blob").expect("a directory").path();
    let bytes = fs::read(blob.join("data")).expect("a blob");
    fs::remove_file(blob.join("data")).expect("a blob can be lost");
    differs("/data: None");
    fs::write(blob.join("data"), [&bytes[..], b"x"].concat()).expect("a blob can be spoilt");
    differs("/data: Some");
    // Nor does a change that is made twice go unseen.
    let put = "PUT /v2/a/blobs/uploads/1?_state=x&digest=sha256%3A12 201".to_owned();
    assert_eq!(changes(&[put.clone(), put]).into_values().collect::<Vec<_>>(), [2]);
}
