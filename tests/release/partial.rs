//! Runs of a part: what was built and tested is what is published, and a publication that fails stops the others.
//! Does not know what a pipe does.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::forge::Running;
use crate::support::project::Project;
use crate::support::proxy::{Fault, Proxy};
use crate::support::registry::Registry;

const HELLO: &str = r#"
[project]
name = "hello"

[[build]]
id = "hello"
tool = "command"
platforms = ["linux/amd64", "linux/arm64"]
argv = ["cp", "data.txt", "{{ output }}"]
sources = ["data.txt"]

[[docker]]
id = "image"
images = ["{{ env.REGISTRY }}/hello"]
tags = ["{{ version }}"]
platforms = ["linux/amd64", "linux/arm64"]
base = "scratch"

[[docker_manifest]]
id = "list"
image = "image"

[[publish]]
to = "registry"
"#;

/// The same file for all, which is none of git's: it changes, and the tree stays clean.
fn hello(registry: &Registry) -> Project {
    let project = Project::of_text(HELLO).env("REGISTRY", registry.address());
    project.write(".gitignore", "data.txt\n");
    let project = project.tagged("v1.2.3");
    project.write("data.txt", "#!/bin/sh\necho hello\n");
    project
}

/// Another directory with all that is in this one, as another machine would get it.
fn elsewhere(project: &Project, registry: &Registry) -> Project {
    Project::copy(&project.root()).env("REGISTRY", registry.address())
}

fn list_digest(project: &Project) -> String {
    let lists = project.digests();
    let list = lists.iter().find(|it| it.starts_with("manifest_list")).expect("a list");
    list.rsplit(' ').next().unwrap_or_default().to_owned()
}

#[test]
fn what_was_built_before_is_published_elsewhere_and_nothing_is_built() {
    let mut registry = Registry::start();
    let ours = hello(&registry);
    ours.forge(&["run", "docker_manifest"]).expect(0);
    let theirs = elsewhere(&ours, &registry);
    let ended = theirs.forge(&["run", "publish", "--only", "--json"]).expect(0);
    let started = ended.tasks("task_started");
    assert!(!started.is_empty() && started.iter().all(|it| it.starts_with("publish:")), "{started:?}");
    assert_eq!(registry.digest("hello", "1.2.3"), list_digest(&ours));

    // Other sources than those that were built: nothing is published, nor built in silence.
    let later = elsewhere(&ours, &registry);
    later.write("data.txt", "#!/bin/sh\necho something else\n");
    registry.requests();
    let ended = later.forge(&["run", "publish", "--only", "--json"]).expect(1);
    assert_eq!(ended.tasks("task_started"), Vec::<String>::new());
    let said = "`build:hello/linux/amd64` was made from other sources, settings or tools than there are now";
    assert!(ended.stderr.contains(said), "{}", ended.stderr);
    let written: Vec<String> = registry.requests().into_iter().filter(|it| !it.starts_with("HEAD ")).collect();
    assert_eq!(written, Vec::<String>::new());
}

/// Three images, each published by a table of its own, one after the other.
fn three(registry: &str, build: &str) -> Project {
    let image = |name: &str| {
        format!(
            "[[docker]]\nid = \"{name}\"\nimages = [\"{{{{ env.REGISTRY }}}}/{name}\"]\ntags = [\"1\"]\n\
             platforms = [\"linux/amd64\"]\nbase = \"scratch\"\n\
             [[publish]]\nid = \"{name}\"\nto = \"registry\"\nids = [\"{name}\"]\n"
        )
    };
    let tables: String = ["one", "two", "three"].map(image).concat();
    let text = format!(
        "[project]\nname = \"three\"\n[run]\nnetwork = 1\n\
         [[build]]\nid = \"program\"\ntool = \"command\"\nplatforms = [\"linux/amd64\"]\nargv = {build}\n{tables}"
    );
    Project::of_text(&text).env("REGISTRY", registry).tagged("v1.2.3")
}

/// The repositories of the three that have a tag.
fn published(registry: &Registry) -> Vec<&'static str> {
    ["one", "two", "three"].into_iter().filter(|it| !registry.tags(it).is_empty()).collect()
}

#[test]
fn d1_after_a_failed_publication_no_other_is_started_and_the_next_run_goes_on() {
    let registry = Registry::start();
    let proxy = Proxy::start(registry.address());
    let project = three(proxy.address(), r#"["sh", "-c", "printf x > $FORGE_OUTPUT"]"#);
    let denied = Fault::Answer("403 Forbidden", Vec::new(), "");
    proxy.fault("PUT", "/v2/two/manifests/1", 1..=usize::MAX, denied);
    let ended = project.forge(&["run", "release", "--json"]).expect(1);
    let tags = |tasks: Vec<String>| -> Vec<String> { tasks.into_iter().filter(|it| it.contains("/tag/")).collect() };
    let name = |it: &str| format!("publish:{it}/tag/{}/{it}:1", proxy.address());
    assert_eq!(tags(ended.tasks("task_started")), [name("one"), name("two")]);
    assert!(ended.stdout.contains(&format!("nothing more is published, because {} failed", name("two"))));
    assert_eq!(published(&registry), ["one"]);

    project.forge(&["run", "release", "--keep-going"]).expect(1);
    assert_eq!(published(&registry), ["one", "three"]);

    proxy.heal();
    project.forge(&["run", "release"]).expect(0);
    assert_eq!(published(&registry), ["one", "two", "three"]);
}

#[test]
fn nothing_is_published_when_any_task_has_failed() {
    let mut registry = Registry::start();
    let project = three(registry.address(), r#"["sh", "-c", "printf x > $FORGE_OUTPUT"]"#);
    let bad = "\n[[build]]\nid = \"bad\"\ntool = \"command\"\nbinary = \"bad\"\nplatforms = [\"linux/arm64\"]\nargv = [\"false\"]\n";
    let text = std::fs::read_to_string(project.root().join("forge.toml")).expect("the project file");
    let project = Project::of_text(&(text + bad)).env("REGISTRY", registry.address()).tagged("v1.2.3");
    for flags in [&["run", "release", "--json"][..], &["run", "release", "--keep-going", "--json"]] {
        let ended = project.forge(flags).expect(1);
        let started = ended.tasks("task_started");
        assert!(started.iter().any(|it| it.starts_with("publish:one/push/")) || flags.len() > 3, "{started:?}");
        assert!(!started.iter().any(|it| it.contains("/tag/")), "{started:?}");
        assert_eq!(published(&registry), Vec::<&str>::new());
    }
    let tagged = registry.requests().into_iter().filter(|it| it.starts_with("PUT ") && it.contains("/manifests/1 "));
    assert_eq!(tagged.collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn a_run_that_was_killed_is_told_from_its_events() {
    let text = "[project]\nname = \"long\"\n[[build]]\nid = \"long\"\ntool = \"command\"\nplatforms = [\"linux/amd64\"]\n\
                argv = [\"sh\", \"-c\", \"echo $$; exec sleep 1000\"]\n";
    let project = Project::of_text(text);
    let mut running = Running::start(&mut project.command(&["run", "build", "--snapshot", "--json"]));
    let sleeper: i32 = running.next_output().parse().expect("a process");
    let last = || -> Value {
        let shown = project.forge(&["runs", "show", "LAST", "--json"]).expect(0).stdout;
        serde_json::from_str(&shown).expect("a run is JSON")
    };
    assert_eq!(last()["summary"]["end"], "running");
    running.signal(Signal::KILL);
    assert_eq!(running.end(), None);
    // Nobody is left to end it.
    let _ = kill_process(Pid::from_raw(sleeper).expect("a process"), Signal::KILL);
    let run = last();
    assert_eq!(run["summary"]["end"], "died");
    assert_eq!(run["summary"]["command"][2], "run");
    assert_eq!(run["tasks"][0]["task"], "build:long/linux/amd64");
    assert_eq!(run["tasks"][0].get("outcome"), None);
}
