//! A package on a registry of npm packages: verdaccio, by npm.
//! Does not know other destinations.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::forge::Ended;
use crate::support::killed::kill_release_at;
use crate::support::package_servers::Served;
use crate::support::project::Project;
use crate::support::proxy::{Fault, Proxy};

const FILE: &str = r#"
[project]
name = "hello"

[secrets]
npm_token = { env = "CI_TOKEN" }

[[publish]]
to = "npm"
dir = "js"
package = "@acme/hello"
registry = "http://ADDRESS"
access = "public"
token = "npm_token"
secrets = ["npm_token"]
"#;

const MANIFEST: &str =
    r#"{ "name": "@acme/hello", "version": "1.2.3", "description": "says hello", "main": "index.js" }"#;

fn project_of(address: &str, token: &str, manifest: &str) -> Project {
    let project = Project::of_text(&FILE.replace("ADDRESS", address)).env("CI_TOKEN", token);
    project.write("js/package.json", manifest);
    project.write("js/index.js", "module.exports = 'hello';\n");
    project.write("js/README.md", "# hello\n");
    project.tagged("v1.2.3")
}

fn release(project: &Project) -> Ended {
    project.forge(&["run", "release", "--json"])
}

/// Every version that the registry has, and the tags, as it keeps them.
fn versions(registry: &Served) -> Vec<String> {
    let path = registry.directory().join("storage/@acme/hello/package.json");
    let Ok(text) = fs::read(path) else { return Vec::new() };
    let package: Value = serde_json::from_slice(&text).expect("JSON");
    let all = |key: &str| package[key].as_object().into_iter().flatten();
    let tags = all("dist-tags").map(|(tag, version)| format!("{tag} {version}").replace('"', ""));
    all("versions").map(|(version, _)| version.clone()).chain(tags).collect()
}

const RELEASED: &[&str] = &["1.2.3", "latest 1.2.3"];

/// How many packages were sent.
fn sent(proxy: &Proxy) -> usize {
    proxy.seen().iter().filter(|it| it.line.starts_with("PUT")).count()
}

#[test]
fn what_is_published_is_not_sent_again() {
    let registry = Served::verdaccio();
    let token = registry.npm_token();
    let proxy = Proxy::start(registry.address());
    let project = project_of(proxy.address(), &token, MANIFEST);
    let ended = release(&project).expect(0);
    assert!(!format!("{}{}", ended.stdout, ended.stderr).contains(&token));
    assert_eq!(versions(&registry), RELEASED);
    assert_eq!(sent(&proxy), 1);
    release(&project).expect(0);
    // Nor where nothing is remembered: the same file is made again.
    fs::remove_dir_all(project.root().join(".forge")).expect("it is there");
    release(&project).expect(0);
    assert_eq!(sent(&proxy), 0);
    assert_is_what_npm_gets(&project, proxy.address());
}

/// npm, asked for the package, gets what was packed.
fn assert_is_what_npm_gets(project: &Project, address: &str) {
    let mut npm = std::process::Command::new("npm");
    npm.args(["pack", "@acme/hello@1.2.3", &format!("--registry=http://{address}")]);
    crate::support::program::output(npm.current_dir(project.place()).env("HOME", project.home()));
    let read = |path: &Path| fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let theirs = read(&project.place().join("acme-hello-1.2.3.tgz"));
    assert_eq!(theirs, read(&project.root().join("dist/packed/hello/acme-hello-1.2.3.tgz")));
}

#[test]
fn another_package_of_that_version_stops_the_release() {
    let registry = Served::verdaccio();
    let token = registry.npm_token();
    release(&project_of(registry.address(), &token, MANIFEST)).expect(0);
    let other = MANIFEST.replace("says hello", "says it");
    let ended = release(&project_of(registry.address(), &token, &other)).expect(1);
    assert!(ended.stdout.contains("`@acme/hello` 1.2.3 is published already, and is another"), "{}", ended.stdout);
    assert!(ended.stdout.contains("a version is never replaced there"), "{}", ended.stdout);
    assert_eq!(versions(&registry), RELEASED);
}

#[test]
fn what_is_wrong_is_found_before_anything_is_published() {
    let registry = Served::verdaccio();
    let token = registry.npm_token();
    let check = |manifest: &str, words: &str| {
        let ended = release(&project_of(registry.address(), &token, manifest)).expect(1);
        assert!(ended.stdout.contains(words), "{}", ended.stdout);
        assert!(versions(&registry).is_empty());
    };
    check(&MANIFEST.replace("1.2.3", "1.2.2"), "`@acme/hello` is of version 1.2.2, and what is released is 1.2.3");
    check(&MANIFEST.replace("{ ", "{ \"private\": true, "), "`@acme/hello` may not be published: it is `private`");
    check(&MANIFEST.replace("@acme/", ""), "the package is called `hello`");
    check("{", "package.json");
}

#[test]
fn what_forge_makes_is_in_no_package() {
    let registry = Served::verdaccio();
    let token = registry.npm_token();
    let at_the_top = |files: &[(&str, &str)], manifest: &str| {
        let text = FILE.replace("dir = \"js\"\n", "").replace("ADDRESS", registry.address());
        let project = Project::of_text(&text).env("CI_TOKEN", &token);
        project.write("package.json", manifest);
        project.write("index.js", "module.exports = 'hello';\n");
        files.iter().for_each(|(path, text)| project.write(path, text));
        project.tagged("v1.2.3")
    };
    let check = |project: &Project| {
        let ended = release(project).expect(1);
        let words = "`dist`, where forge puts what it makes, would be in the package `@acme/hello`";
        assert!(ended.stdout.contains(words), "{}", ended.stdout);
        assert!(versions(&registry).is_empty());
    };
    // It is not there yet, and will be.
    check(&at_the_top(&[], MANIFEST));
    // It is there, though git ignores it: npm is told otherwise.
    let with = |key: &str| MANIFEST.replace("{ ", &format!("{{ {key}, "));
    let there = [(".gitignore", "dist\n"), ("dist/index.js", "1")];
    check(&at_the_top(&there, &with(r#""files": ["dist"]"#)));
    check(&at_the_top(&[there[0], there[1], (".npmignore", "docs\n")], MANIFEST));

    release(&at_the_top(&there, MANIFEST)).expect(0);
    assert_eq!(versions(&registry), RELEASED);
    let mut npm = std::process::Command::new("npm");
    let home = tempfile::tempdir().expect("an empty directory");
    npm.args(["pack", "@acme/hello@1.2.3", "--json", &format!("--registry=http://{}", registry.address())]);
    let said = crate::support::program::output(npm.current_dir(home.path()).env("HOME", home.path()));
    assert!(said.contains("\"index.js\"") && !said.contains("dist/") && !said.contains(".forge"), "{said}");
}

#[test]
fn a_token_that_may_not() {
    let registry = Served::verdaccio();
    let ended = release(&project_of(registry.address(), "another-token-of-the-tests", MANIFEST)).expect(1);
    assert!(ended.stdout.contains("may the token `npm_token` publish `@acme/hello`?"), "{}", ended.stdout);
    assert!(!ended.stdout.contains("another-token-of-the-tests"));
    assert!(versions(&registry).is_empty());
}

#[test]
fn c1_a_reply_is_lost() {
    let registry = Served::verdaccio();
    let token = registry.npm_token();
    let proxy = Proxy::start(registry.address());
    proxy.fault("PUT", "/@acme", 1..=1, Fault::LostReply);
    release(&project_of(proxy.address(), &token, MANIFEST)).expect(0);
    assert_eq!(versions(&registry), RELEASED);
}

#[test]
fn a1_killed_at_the_upload() {
    let registry = Served::verdaccio();
    let token = registry.npm_token();
    let proxy = Proxy::start(registry.address());
    let project = project_of(proxy.address(), &token, MANIFEST);
    kill_release_at(&project, &proxy, "PUT", "/@acme");
    release(&project).expect(0);
    assert_eq!(versions(&registry), RELEASED);
    assert_eq!(sent(&proxy), 0);
}
