//! A release to Gitea itself: its page, its registry of images, and its registries of files, npm packages and crates.
//! Does not know how forge asks it. `FORGE_TEST_GITEA` names a directory with `gitea`, and what it shows; without it, nothing is tested.

use std::path::PathBuf;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::builds;
use crate::support::forge::{Ended, Running};
use crate::support::gitea::{Gitea, USER};
use crate::support::killed::kill_release_at;
use crate::support::project::Project;
use crate::support::proxy::Proxy;

const FILE: &str = r#"
[project]
name = "hello"

[secrets]
token = { env = "GITEA" }
bearer = { env = "GITEA_BEARER" }

[registries."ADDRESS"]
username = "USER"
secret = "token"

[[docker]]
id = "image"
images = ["ADDRESS/USER/hello"]
tags = ["{{ version }}"]
platforms = ["linux/amd64"]
base = "scratch"
entrypoint = ["/usr/local/bin/one"]

[[publish]]
id = "registry"
to = "registry"

[[publish]]
id = "page"
to = "gitea"
repository = "USER/hello"
api = "http://ADDRESS"
kinds = ["binary"]
notes = "All of it."

[[publish]]
id = "files"
to = "http"
url = "http://ADDRESS/api/packages/USER/generic/{{ name }}/{{ version }}/"
kinds = ["binary"]

[[publish]]
id = "npm"
to = "npm"
dir = "js"
package = "@USER/hello"
registry = "http://ADDRESS/api/packages/USER/npm/"
token = "token"
secrets = ["token"]

[[publish]]
id = "crates"
to = "cargo"
registry = "acme"
index = "sparse+http://ADDRESS/api/packages/USER/cargo/"
token = "bearer"
secrets = ["bearer"]
"#;

const RELEASED: &[&str] = &[
    "page v1.2.3 v1.2.3: All of it.",
    "  one: one",
    "  two~rc: two",
    "cargo hello 1.2.3",
    "container hello 1.2.3",
    "generic hello 1.2.3",
    "npm @acme/hello 1.2.3",
];

fn project(gitea: &Gitea, address: &str) -> Project {
    let text = format!("{FILE}{}", builds::TWO).replace("ADDRESS", address).replace("USER", USER);
    let project = Project::of_text(&text).env("GITEA", gitea.token());
    let project = project.env("GITEA_BEARER", &format!("Bearer {}", gitea.token()));
    project.write("js/package.json", r#"{ "name": "@acme/hello", "version": "1.2.3" }"#);
    project.write(
        "Cargo.toml",
        "[package]\nname = \"hello\"\nversion = \"1.2.3\"\nedition = \"2021\"\ndescription = \"says hello\"\nlicense = \"MIT\"\n",
    );
    project.write("Cargo.lock", "version = 4\n\n[[package]]\nname = \"hello\"\nversion = \"1.2.3\"\n");
    project.write("src/lib.rs", "");
    project.write(".gitignore", "/target\n/dist\n/.forge\n");
    let project = project.tagged("v1.2.3");
    gitea.has(&project, &format!("{USER}/hello"));
    project
}

fn release(project: &Project) -> Ended {
    project.forge(&["run", "release", "--json"])
}

/// Everything that a visitor sees: the pages with their files, and the packages.
fn shown(gitea: &Gitea) -> Vec<String> {
    let list = |value: Value| value.as_array().cloned().expect("a list");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let mut lines = Vec::new();
    for page in list(gitea.says(&format!("repos/{USER}/hello/releases"))) {
        let kind = if page["draft"] == true { "draft" } else { "page" };
        lines.push(format!("{kind} {} {}: {}", text(&page["tag_name"]), text(&page["name"]), text(&page["body"])));
        let mut files = list(page["assets"].clone());
        files.sort_by_key(|it| text(&it["name"]));
        for file in files {
            let url = text(&file["browser_download_url"]);
            let path = url.split_once("://").and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..]));
            let content = gitea.get(path.expect("an address with a path"));
            lines.push(format!("  {}: {}", text(&file["name"]), String::from_utf8_lossy(&content).trim_end()));
        }
    }
    let packages = list(gitea.says(&format!("packages/{USER}")));
    let line = |it: &Value| format!("{} {} {}", text(&it["type"]), text(&it["name"]), text(&it["version"]));
    // An image is a package by its digest, too.
    let mut packages: Vec<String> = packages.iter().map(line).filter(|it| !it.contains("sha256:")).collect();
    packages.sort();
    lines.extend(packages);
    lines
}

#[expect(clippy::print_stdout, reason = "who runs the tests is told what is not tested")]
fn program() -> Option<PathBuf> {
    let program = std::env::var_os("FORGE_TEST_GITEA").map(PathBuf::from);
    if program.is_none() {
        println!("skipped: FORGE_TEST_GITEA names no directory with `gitea`");
    }
    program
}

#[test]
fn has_all_of_it_and_is_only_asked_again() {
    let Some(program) = program() else { return };
    let gitea = Gitea::start(&program);
    let proxy = Proxy::start(gitea.address());
    let project = project(&gitea, proxy.address());
    release(&project).expect(0);
    assert_eq!(shown(&gitea), RELEASED);
    proxy.seen();
    release(&project).expect(0);
    // Nor where nothing is remembered.
    std::fs::remove_dir_all(project.root().join(".forge")).expect("it is there");
    release(&project).expect(0);
    let seen = proxy.seen();
    let is_question = |line: &str| line.starts_with("GET") || line.starts_with("HEAD");
    let changes: Vec<&str> = seen.iter().map(|it| it.line.as_str()).filter(|it| !is_question(it)).collect();
    assert!(!seen.is_empty());
    assert!(changes.is_empty(), "{changes:#?}");
    assert_eq!(shown(&gitea), RELEASED);
}

#[test]
fn a_release_that_is_killed_converges() {
    let Some(program) = program() else { return };
    for (method, place) in [
        ("POST", "/hello/releases"),
        ("POST", "/assets"),
        ("PATCH", "/releases"),
        ("PUT", "/manifests/1.2.3"),
        ("PUT", "/generic/hello"),
        ("PUT", "/npm/"),
    ] {
        let gitea = Gitea::start(&program);
        let proxy = Proxy::start(gitea.address());
        let project = project(&gitea, proxy.address());
        kill_release_at(&project, &proxy, method, place);
        release(&project).expect(0);
        assert_eq!(shown(&gitea), RELEASED, "{method} {place}");
    }
}

#[test]
fn a_release_that_is_killed_at_what_it_tells_converges() {
    let Some(program) = program() else { return };
    for event in [3, 12, 20, 28, 36, 44] {
        let gitea = Gitea::start(&program);
        let project = project(&gitea, gitea.address());
        let mut running = Running::start(&mut project.command(&["run", "release", "--json"]));
        running.skip(event);
        running.signal(Signal::KILL);
        running.end();
        release(&project).expect(0);
        assert_eq!(shown(&gitea), RELEASED, "killed after {event} events");
    }
}
