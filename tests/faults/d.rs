//! Rows D, and A3 and C9 with them: what is published of a release that stopped, and what a second run makes of it.
//! Does not know how a registry is spoken to.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::small::files;

use crate::support::forge::Running;
use crate::support::project::Project;
use crate::support::proxy::{Fault, Proxy};
use crate::support::registry::{Registry, changes};
use crate::support::small;

const RELEASE: [&str; 2] = ["run", "release"];

/// A release that died, and what it was released to.
struct Died {
    registry: Registry,
    proxy: Proxy,
    project: Project,
}

impl Died {
    /// Killed when the registry had moved a tag and forge had not heard of it.
    fn while_a_tag_moved() -> Died {
        let registry = Registry::start();
        let proxy = Proxy::start(registry.address());
        proxy.fault("PUT", "/manifests/latest", 1..=1, Fault::Stall(None));
        let project = small::project(proxy.address());
        let running = Running::start(&mut project.command(&["run", "release", "--json"]));
        let patience = Instant::now() + Duration::from_secs(30);
        while !proxy.seen().iter().any(|it| it.line.starts_with("PUT") && it.line.contains("/manifests/latest")) {
            assert!(Instant::now() < patience, "the tag moves");
            std::thread::yield_now();
        }
        running.signal(Signal::KILL);
        assert_eq!(running.end(), None);
        proxy.heal();
        Died { registry, proxy, project }
    }
}

#[test]
fn a3_killed_between_intent_and_done() {
    let mut died = Died::while_a_tag_moved();
    let journal = std::fs::read_to_string(died.project.root().join(".forge/journal")).expect("a journal");
    assert!(journal.contains("\"entry\":\"intent\""), "{journal}");
    let ended = died.project.forge(&RELEASE).expect(0);
    assert!(ended.stderr.contains("going on with version 1.2.3"), "{}", ended.stderr);
    let changes = changes(&died.registry.requests());
    assert!(changes.values().all(|count| *count == 1), "nothing is done twice: {changes:#?}");
    let undisturbed = Registry::start();
    let other = small::project(undisturbed.address());
    other.forge(&RELEASE).expect(0);
    let differences = died.registry.contents().differences(&undisturbed.contents());
    assert!(differences.is_empty(), "{differences:#?}");
    assert_eq!(died.project.digests().len(), other.digests().len());
    let journal = std::fs::read_to_string(died.project.root().join(".forge/journal")).expect("a journal");
    assert!(journal.trim_end().ends_with("{\"entry\":\"end\"}"), "{journal}");
}

#[test]
fn d2_another_machine_goes_on() {
    let died = Died::while_a_tag_moved();
    // Another directory, with the same source and what the first has left in `.forge`.
    let other = Project::copy(&died.project.root()).env("REGISTRY", died.proxy.address());
    other.forge(&RELEASE).expect(0);
    let contents = died.registry.contents();
    assert_eq!(contents.tags().len(), 2, "{:?}", contents.tags());
}

#[test]
fn d3_a_changed_plan_is_not_gone_on_with() {
    let died = Died::while_a_tag_moved();
    let text = std::fs::read_to_string(died.project.root().join("forge.toml")).expect("a project file");
    died.project.write("forge.toml", &text.replace("echo tool", "echo changed tool"));
    died.project.retag("v1.2.4");
    let project = &died.project;
    let before = died.registry.contents();
    let ended = project.forge(&RELEASE).expect(1);
    for words in
        ["a release of version 1.2.3 was begun", "the version was 1.2.3, and is 1.2.4", "`build:tool`", "--new"]
    {
        assert!(ended.stderr.contains(words), "`{words}` is missing\n{}", ended.stderr);
    }
    assert!(died.registry.contents().differences(&before).is_empty(), "nothing was touched");
    project.forge(&["run", "release", "--new"]).expect(0);
    assert_eq!(died.registry.contents().tags().len(), 3);
}

#[test]
fn d11_what_is_not_committed_is_not_published() {
    let registry = Registry::start();
    let project = small::project(registry.address());
    project.write("new.txt", "not committed");
    let ended = project.forge(&RELEASE).expect(2);
    assert!(ended.stderr.contains("--snapshot"), "{}", ended.stderr);
    assert!(registry.contents().tags().is_empty());
    project.forge(&["run", "release", "--snapshot"]).expect(0);
    assert!(registry.contents().tags().is_empty(), "a snapshot publishes nothing");
}

#[test]
fn c9_other_bytes_under_the_same_version_stay() {
    let registry = Registry::start();
    small::project(registry.address()).forge(&RELEASE).expect(0);
    let before = registry.contents();
    let other = small::changed("echo other tool", registry.address(), "v1.2.3");
    let ended = other.forge(&RELEASE).expect(1);
    let place = format!("{}/acme/small:1.2.3", registry.address());
    for words in ["is another thing already", "there is sha256:", "ours is sha256:", &format!("--replace {place}")] {
        assert!(ended.stderr.contains(words), "`{words}` is missing\n{}", ended.stderr);
    }
    let tags = |contents: &crate::support::registry::Contents| {
        contents.tags().iter().map(|it| (*it).to_owned()).collect::<Vec<String>>()
    };
    assert_eq!(tags(&registry.contents()), tags(&before));
    let list = registry.manifest("acme/small:1.2.3");
    other.forge(&["run", "release", "--replace", &place]).expect(0);
    assert_ne!(registry.manifest("acme/small:1.2.3"), list);
}

#[test]
fn an_older_version_does_not_become_the_latest() {
    let registry = Registry::start();
    small::changed("echo tool", registry.address(), "v1.3.0").forge(&RELEASE).expect(0);
    let latest = registry.manifest("acme/small:latest");
    let older = small::changed("echo older tool", registry.address(), "v1.2.9");
    let ended = older.forge(&RELEASE).expect(1);
    assert!(ended.stderr.contains("it is version 1.3.0 now, and 1.2.9 is older"), "{}", ended.stderr);
    assert_eq!(registry.manifest("acme/small:latest"), latest);
    let newer = small::changed("echo newer tool", registry.address(), "v1.3.1");
    newer.forge(&RELEASE).expect(0);
    assert_ne!(registry.manifest("acme/small:latest"), latest);
}

#[test]
fn everything_that_is_missing_is_told_before_anything_runs() {
    let project = small::project("127.0.0.1:1");
    let ended = project.forge(&["run", "release"]);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("127.0.0.1:1"), "{}", ended.stderr);
    assert!(!project.root().join("dist/tool_linux_amd64").exists(), "nothing was built");
    assert!(!ended.stderr.contains("done build"), "{}", ended.stderr);
}

/// What `forge plan release --diff` says, a verdict and how often; the registry has heard questions alone, and nothing was made.
fn diff(project: &Project, registry: &mut Registry, code: i32) -> (String, String) {
    registry.requests();
    let before = (registry.contents(), made(project));
    let ended = project.forge(&["plan", "release", "--diff"]).expect(code);
    let writes: Vec<String> = registry.requests().into_iter().filter(|it| !it.starts_with("HEAD ")).collect();
    let writes: Vec<String> = writes.into_iter().filter(|it| !it.starts_with("GET ")).collect();
    assert_eq!(writes, Vec::<String>::new());
    assert!(registry.contents().differences(&before.0).is_empty());
    assert_eq!(made(project), before.1);
    let sum = ended.stdout.lines().last().unwrap_or_default().to_owned();
    (ended.stdout, sum)
}

/// What lies under `dist/`, and the content of the store.
fn made(project: &Project) -> Vec<std::path::PathBuf> {
    let root = project.root();
    [root.join("dist"), root.join(".forge/store/blobs")].iter().flat_map(|it| files(it)).collect()
}

#[test]
fn d8_a_difference_is_only_asked_for() {
    let mut registry = Registry::start();
    let project = small::project(registry.address());
    let (text, sum) = diff(&project, &mut registry, 0);
    assert_eq!(sum, "5 to make, 2 to upload, 3 not known yet", "{text}");
    project.forge(&["run", "release"]).expect(0);
    let (text, sum) = diff(&project, &mut registry, 0);
    assert_eq!(sum, "10 left alone", "{text}");

    // A newer version: its own tag is new, `latest` moves, one image is the same.
    let newer = small::changed("echo newer tool", registry.address(), "v1.2.4");
    newer.forge(&["run", "docker_manifest"]).expect(0);
    let (text, sum) = diff(&newer, &mut registry, 0);
    assert_eq!(sum, "4 to upload, 1 to change, 5 left alone", "{text}");
    let latest = format!("change  {}/acme/small:latest: sha256:", registry.address());
    assert!(text.contains(&latest), "{text}");
    let json = newer.forge(&["plan", "release", "--diff", "--json"]).expect(0).stdout;
    let lines: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let changed = lines.as_array().expect("a list").iter().find(|it| it["run"] == "change").expect("a change");
    assert_ne!(changed["there"], changed["ours"]);

    // Other bytes under a version that is out: the run would stop, and so this ends with 1.
    let other = small::changed("echo other tool", registry.address(), "v1.2.3");
    other.forge(&["run", "docker_manifest"]).expect(0);
    let (text, sum) = diff(&other, &mut registry, 1);
    assert!(sum.ends_with("1 refused") && text.contains("refuse "), "{text}");

    // Nobody answers: that is told, and all else as well.
    let gone = small::project("127.0.0.1:1");
    let ended = gone.forge(&["plan", "release", "--diff"]).expect(1);
    assert!(ended.stdout.contains("5 to make") && ended.stdout.contains("127.0.0.1:1"), "{}", ended.stdout);
}
