//! What a registry is asked for the images that others stand on: for a name once a run, and nothing twice.
//! Does not know what becomes of the answers: `bases` and `locked_bases` do.

use crate::support::project::Project;
use crate::support::proxy::{Fault, Proxy};
use crate::support::registry::Registry;
use crate::support::small;

const RUN: [&str; 3] = ["run", "docker", "--snapshot"];

/// A table with an image on this base.
fn table(id: &str, base: &str) -> String {
    format!(
        "[[docker]]\nid = '{id}'\nimages = ['example.org/{id}']\ntags = ['1']\n\
         platforms = ['linux/amd64', 'linux/arm64']\nbase = '{base}'\nbin_dir = '/opt/{id}'\n"
    )
}

fn project(tables: &str) -> Project {
    let project = Project::of_text(&format!(
        "[project]\nname = 'on'\n[[build]]\ntool = 'command'\nargv = ['cp', 'on.sh', '{{{{ output }}}}']\n\
         platforms = ['linux/amd64', 'linux/arm64']\nsources = ['on.sh']\n{tables}"
    ));
    project.write("on.sh", "#!/bin/sh\n");
    project
}

/// What went through the proxy since the last time: method, manifest or blob, and status, with how often.
fn asked(proxy: &Proxy) -> Vec<String> {
    let mut lines: Vec<String> = proxy
        .seen()
        .iter()
        .map(|it| {
            let (asked, status) = it.line.rsplit_once(' ').expect("a status");
            let (method, path) = asked.split_once(' ').expect("a path");
            let what = path.rsplit('/').take(2).collect::<Vec<_>>();
            let target = if what[0].starts_with("sha256:") { "digest" } else { what[0] };
            format!("{method} {} {target} {status}", what[1])
        })
        .collect();
    lines.sort();
    let mut counted: Vec<(String, usize)> = Vec::new();
    for line in lines {
        match counted.last_mut().filter(|(last, _)| *last == line) {
            Some((_, times)) => *times += 1,
            None => counted.push((line, 1)),
        }
    }
    counted.into_iter().map(|(line, times)| format!("{times} {line}")).collect()
}

#[test]
fn a_name_is_asked_once_a_run_whoever_stands_on_it() {
    let registry = Registry::start();
    small::project(registry.address()).forge(&["run", "release"]).expect(0);
    let proxy = Proxy::start(registry.address());
    let base = format!("{}/acme/small:latest", proxy.address());
    let project = project(&format!("{}{}", table("one", &base), table("two", &base)));
    drop(proxy.seen());
    project.forge(&RUN).expect(0);
    let first = asked(&proxy);
    assert!(first.contains(&"1 HEAD manifests latest 200".to_owned()), "{first:?}");
    assert!(!first.iter().any(|it| it.contains("GET manifests latest")), "what it means is taken by digest: {first:?}");
    let events = project.forge(&RUN).expect(0);
    assert_eq!(asked(&proxy), ["1 HEAD manifests latest 200"], "{}", events.stderr);

    // What it answered is new: all of it is asked for, and what a platform has had before is not made again.
    small::changed("echo other tool", registry.address(), "v1.3.0").forge(&["run", "release"]).expect(0);
    project.forge(&RUN).expect(0);
    let moved = asked(&proxy);
    assert!(moved.contains(&"1 HEAD manifests latest 200".to_owned()), "{moved:?}");
    project.forge(&RUN).expect(0);
    assert_eq!(asked(&proxy), ["1 HEAD manifests latest 200"]);
    // Where a digest is named, nobody is asked.
    let digest = registry.digest("acme/small", "latest");
    let text = std::fs::read_to_string(project.root().join("forge.toml")).expect("a project file");
    project.write("forge.toml", &text.replace(":latest", &format!("@{digest}")));
    project.forge(&RUN).expect(0);
    drop(proxy.seen());
    project.forge(&RUN).expect(0);
    assert_eq!(asked(&proxy), [""; 0]);
}

#[test]
fn a_registry_that_tells_no_digest_is_asked_for_the_whole() {
    let registry = Registry::start();
    small::project(registry.address()).forge(&["run", "release"]).expect(0);
    let proxy = Proxy::start(registry.address());
    let project = project(&table("one", &format!("{}/acme/small:latest", proxy.address())));
    for method in ["HEAD", "GET"] {
        proxy.fault(method, "/manifests/latest", 1..=usize::MAX, Fault::Header("Docker-Content-Digest", None));
    }
    project.forge(&RUN).expect(0);
    let digests = project.digests();
    drop(proxy.seen());
    project.forge(&RUN).expect(0);
    assert_eq!(asked(&proxy), ["1 GET manifests latest 200", "1 HEAD manifests latest 200"]);
    assert_eq!(project.digests(), digests);
    proxy.heal();
    project.forge(&RUN).expect(0);
    assert_eq!(asked(&proxy), ["1 HEAD manifests latest 200"]);
    assert_eq!(project.digests(), digests);
}

#[test]
fn a_second_release_asks_once_for_each_name_and_each_tag() {
    let registry = Registry::start();
    small::project(registry.address()).forge(&["run", "release"]).expect(0);
    let proxy = Proxy::start(registry.address());
    let base = format!("{}/acme/small:latest", proxy.address());
    let publish = "[[docker_manifest]]\nid = 'list'\nimage = 'one'\n[[publish]]\nto = 'registry'\n";
    let table = table("one", &base).replace("example.org/one", &format!("{}/acme/one", proxy.address()));
    let project = project(&format!("{table}{publish}")).tagged("v1.0.0");
    project.forge(&["run", "release"]).expect(0);
    drop(proxy.seen());
    project.forge(&["run", "release"]).expect(0);
    assert_eq!(asked(&proxy), ["1 HEAD manifests 1 200", "1 HEAD manifests latest 200"]);
}
