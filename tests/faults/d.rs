//! Rows D, and A3 and C9 with them: what is published of a release that stopped, and what a second run makes of it.
//! Does not know how a registry is spoken to.

use std::fs;
use std::process::Command;

use rustix::process::Signal;

use super::small::files;

use crate::support::disk::failing;
use crate::support::forge::{Ended, Running};
use crate::support::program::output;
use crate::support::project::Project;
use crate::support::proxy::{Fault, Proxy};
use crate::support::registry::{Contents, Registry, changes};
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
        Died::at_a_tag(Fault::Stall(None), small::project)
    }

    /// Killed when the registry was asked to move a tag, and this had come of it.
    fn at_a_tag(fault: Fault, project: impl FnOnce(&str) -> Project) -> Died {
        let registry = Registry::start();
        let proxy = Proxy::start(registry.address());
        proxy.fault("PUT", "/manifests/latest", 1..=1, fault);
        let project = project(proxy.address());
        let running = Running::start(&mut project.command(&["run", "release", "--json"]));
        proxy.wait_for("PUT", "/manifests/latest");
        running.signal(Signal::KILL);
        assert_eq!(running.end(), None);
        proxy.wait_for_the_last();
        proxy.heal();
        Died { registry, proxy, project }
    }

    /// The same commit on another machine, which has got the journal and nothing else.
    fn elsewhere(&self, project: impl FnOnce(&str) -> Project) -> Project {
        let other = project(self.proxy.address());
        other.write(".forge/journal", &journal(&self.project));
        other
    }
}

fn journal(project: &Project) -> String {
    fs::read_to_string(project.root().join(".forge/journal")).expect("a journal")
}

fn tags(contents: &Contents) -> Vec<String> {
    contents.tags().into_iter().map(ToOwned::to_owned).collect()
}

/// A release that has been gone on with by this project left what one leaves that nothing has disturbed, and each change
/// was made once, whoever has made it.
#[track_caller]
fn is_whole(registry: &mut Registry, project: &Project) {
    let changes = changes(&registry.requests());
    assert!(changes.len() >= 8 && changes.values().all(|count| *count == 1), "nothing is done twice: {changes:#?}");
    let undisturbed = Registry::start();
    let other = small::project(undisturbed.address());
    other.forge(&RELEASE).expect(0);
    let differences = registry.contents().differences(&undisturbed.contents());
    assert!(differences.is_empty(), "{differences:#?}");
    assert_eq!(project.digests().len(), other.digests().len());
    small::check_store(project);
}

#[test]
fn a3_killed_between_intent_and_done() {
    // The registry has heard nothing; it has done it, and was not heard.
    for fault in [Fault::Deaf, Fault::Stall(None)] {
        let mut died = Died::at_a_tag(fault, small::project);
        assert!(journal(&died.project).contains("\"entry\":\"intent\""), "{}", journal(&died.project));
        let ended = died.project.forge(&RELEASE).expect(0);
        assert!(ended.stderr.contains("going on with version 1.2.3"), "{}", ended.stderr);
        is_whole(&mut died.registry, &died.project);
        let journal = journal(&died.project);
        assert!(journal.trim_end().ends_with("{\"entry\":\"end\"}"), "{journal}");
    }
}

/// Each thread's first write to the journal, second, …, until no thread makes as many; and what came of it.
fn at_every_line(calls: &str, fault: &str, expect: impl Fn(Ended, &str)) {
    for when in 1..20 {
        let mut registry = Registry::start();
        let project = small::project(registry.address());
        let (trace, journal) = (project.place().join("trace"), project.root().join(".forge/journal"));
        let inject = format!("{calls}:{fault}:when={when}");
        let ended = Ended::of(&mut failing(&project.command(&RELEASE), &inject, Some(&journal), &trace));
        let trace = fs::read_to_string(trace).expect("what was traced");
        if ended.code == Some(0) {
            assert!(when > 2 && !trace.contains("(INJECTED)"), "{calls}: few calls were there to fail");
            return;
        }
        expect(ended, &trace);
        project.forge(&RELEASE).expect(0);
        is_whole(&mut registry, &project);
    }
    panic!("{calls}: every thread makes twenty");
}

#[test]
fn a3_killed_at_every_line_of_the_journal() {
    for calls in ["write", "fsync,fdatasync"] {
        at_every_line(calls, "signal=KILL", |ended, _| assert_eq!(ended.code, None, "{}", ended.stderr));
    }
}

#[test]
fn a7_a_journal_that_can_not_be_synced_stops_the_release() {
    at_every_line("fsync,fdatasync", "error=EIO", |ended, trace| {
        let ended = ended.expect(1);
        assert!(ended.stderr.contains("(os error 5)") && ended.stderr.contains("/journal`"), "{}", ended.stderr);
        let after = trace.split_once("(INJECTED)").map(|it| it.1).unwrap_or_default();
        assert!(!after.contains("sync("), "it is not synced again, by nobody: {trace}");
    });
}

#[test]
fn a3_a_part_that_ends_well_does_not_end_the_release() {
    let died = Died::while_a_tag_moved();
    let journal = || fs::read_to_string(died.project.root().join(".forge/journal")).expect("a journal");
    let ends = || journal().matches("{\"entry\":\"end\"}").count();
    let listed = died.project.forge(&["plan", "publish"]).expect(0).stdout;
    let tasks: Vec<&str> = listed.lines().filter_map(|it| it.strip_suffix("  (uploads, invisible)")).collect();
    assert_eq!(tasks.len(), 3, "{listed}");
    died.project.forge(&[&["run"], &tasks[..]].concat()).expect(0);
    assert_eq!(ends(), 0, "a tag may have moved: {}", journal());
    died.project.forge(&RELEASE).expect(0);
    assert_eq!(ends(), 1, "{}", journal());
}

#[test]
fn d2_another_machine_goes_on() {
    let mut died = Died::while_a_tag_moved();
    let other = died.elsewhere(small::project);
    let ended = other.forge(&RELEASE).expect(0);
    assert!(ended.stderr.contains("going on with version 1.2.3"), "{}", ended.stderr);
    is_whole(&mut died.registry, &other);
}

#[test]
fn d3_a_changed_plan_is_not_gone_on_with() {
    let died = Died::while_a_tag_moved();
    let text = fs::read_to_string(died.project.root().join("forge.toml")).expect("a project file");
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
    // Who only asks what would be done is told so, too.
    let asked = project.forge(&["plan", "release", "--diff"]).expect(1);
    assert!(asked.stderr.contains("a release of version 1.2.3 was begun"), "{}", asked.stderr);
    assert!(asked.stdout.contains("to make"), "{}", asked.stdout);
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
    assert!(!registry.tags("acme/small").contains(&"1.2.9".to_owned()), "nothing was published");
    // The rest is, without what the help says to leave out.
    let skip = ended.stderr.split("`--skip ").nth(1).and_then(|rest| rest.split('`').next()).expect("a way on");
    older.forge(&["run", "release", "--skip", skip]).expect(0);
    assert!(registry.tags("acme/small").contains(&"1.2.9".to_owned()), "its own tag is out");
    assert_eq!(registry.manifest("acme/small:latest"), latest);
    let newer = small::changed("echo newer tool", registry.address(), "v1.3.1");
    newer.forge(&RELEASE).expect(0);
    assert_ne!(registry.manifest("acme/small:latest"), latest);
}

/// Two tables of programs, one of images, and two registries to publish them to.
const MISSES: &str = r#"
[project]
name = "misses"

[secrets]
signing_key = { env = "SIGNING_KEY" }

[[build]]
id = "tool"
tool = "command"
argv = ["sh", "-c", "echo tool > $FORGE_OUTPUT"]
platforms = ["linux/amd64"]

[[build]]
id = "signed"
tool = "command"
argv = ["no-such-signer"]
binary = "signed"
platforms = ["linux/amd64"]
secrets = ["signing_key"]

[[docker]]
ids = ["tool"]
images = ["127.0.0.1:1/acme/tool", "OPEN/acme/tool"]
tags = ["{{ version }}"]
platforms = ["linux/amd64"]
base = "OPEN/acme/small:latest"

[[publish]]
to = "registry"

[registries."OPEN"]
username = "anna"
secret = "OPEN_TOKEN"
"#;

#[test]
fn everything_that_is_missing_is_told_before_anything_runs() {
    let mut registry = Registry::start();
    small::project(registry.address()).forge(&RELEASE).expect(0);
    registry.requests();
    // The variable keeps its name.
    let text = MISSES.replace("OPEN/", &format!("{}/", registry.address()));
    let text = text.replace("\"OPEN\"", &format!("\"{}\"", registry.address()));
    let project = Project::of_text(&text).tagged("v1.2.3");
    let ended = project.forge(&RELEASE).expect(1);
    let open = format!("`[registries.\"{}\"]` names it, and there is no environment variable", registry.address());
    let missing = [
        "can't connect to `127.0.0.1:1`",
        "the secret `signing_key` is not set",
        "`build:signed/linux/amd64` is granted `signing_key`, and there is no environment variable `SIGNING_KEY`",
        "there is no program `no-such-signer`",
        &open,
    ];
    for words in missing {
        assert!(ended.stderr.contains(words), "`{words}` is missing\n{}", ended.stderr);
    }
    assert!(!ended.stderr.contains("done "), "{}", ended.stderr);
    let changed: Vec<String> =
        registry.requests().into_iter().filter(|it| !it.starts_with("HEAD ") && !it.starts_with("GET ")).collect();
    assert_eq!(changed, [""; 0]);
    assert!(!project.root().join("dist/tool_linux_amd64").exists(), "nothing was built");
}

/// A project whose programs this tool makes, which no table names.
fn made_by(tool: &'static str) -> impl Fn(&str) -> Project {
    move |registry| {
        let project = small::changed("maker", registry, "v1.2.3");
        let directory = project.place().join("bin");
        fs::create_dir(&directory).expect("a directory can be made");
        fs::write(directory.join("maker"), format!("#!/bin/sh\n{tool}\n")).expect("a file can be written");
        output(Command::new("chmod").arg("+x").arg(directory.join("maker")));
        project.env("PATH", &format!("{}:/usr/bin:/bin", directory.display()))
    }
}

#[test]
fn d3_a_changed_tool_is_not_gone_on_with() {
    let died = Died::at_a_tag(Fault::Stall(None), made_by("echo tool"));
    let before = died.registry.contents();
    let other = died.elsewhere(made_by("echo another tool"));
    let ended = other.forge(&RELEASE).expect(1);
    let place = format!("`{}/acme/small:latest` was to be another thing", died.proxy.address());
    for words in [&*place, "then sha256:", "now sha256:", "a source or a tool has changed", "--new"] {
        assert!(ended.stderr.contains(words), "`{words}` is missing\n{}", ended.stderr);
    }
    assert_eq!(tags(&died.registry.contents()), tags(&before), "no tag was moved");
    let same = died.elsewhere(made_by("echo tool"));
    same.forge(&RELEASE).expect(0);
}

#[test]
fn d4_without_the_journal_the_registry_is_asked() {
    let check = |forget: &dyn Fn(&Died) -> Option<Project>| {
        for fault in [Fault::Deaf, Fault::Stall(None)] {
            let mut died = Died::at_a_tag(fault, small::project);
            let other = forget(&died);
            let project = other.as_ref().unwrap_or(&died.project);
            let ended = project.forge(&RELEASE).expect(0);
            assert!(!ended.stderr.contains("going on with"), "nothing is known of it: {}", ended.stderr);
            is_whole(&mut died.registry, project);
            let again = project.forge(&RELEASE).expect(0);
            assert!(!again.stderr.contains("going on with"), "{}", again.stderr);
        }
    };
    check(&|died| {
        fs::remove_file(died.project.root().join(".forge/journal")).expect("a journal");
        None
    });
    check(&|died| {
        fs::remove_dir_all(died.project.root().join(".forge")).expect("a folder");
        None
    });
    // Another machine, which knows the commit and nothing else.
    check(&|died| Some(small::project(died.proxy.address())));
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
    assert_eq!(sum, "6 to make, 2 to upload, 3 not known yet", "{text}");
    project.forge(&["run", "release"]).expect(0);
    let (text, sum) = diff(&project, &mut registry, 0);
    assert_eq!(sum, "11 left alone", "{text}");

    // A newer version: its own tag is new, `latest` moves, one image is the same.
    let newer = small::changed("echo newer tool", registry.address(), "v1.2.4");
    newer.forge(&["run", "docker_manifest"]).expect(0);
    let (text, sum) = diff(&newer, &mut registry, 0);
    assert_eq!(sum, "1 to make, 4 to upload, 1 to change, 5 left alone", "{text}");
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
    assert!(ended.stdout.contains("6 to make") && ended.stdout.contains("127.0.0.1:1"), "{}", ended.stdout);
}
