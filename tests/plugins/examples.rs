//! The examples of plugins, in their projects: what they make, send, and say when a table is wrong.
//! Does not know the line that they are called through.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::library::{EXAMPLES, Example};
use crate::support::files::{FileServer, PASSWORD, USER};
use crate::support::forge::Ended;
use crate::support::project::Project;

/// The project of an example, with its library built.
fn project(folder: &str) -> Project {
    let project = Project::copy(&Example::of(folder).source());
    for made in ["lib", "dist", ".forge"] {
        let _ = fs::remove_dir_all(project.root().join(made));
    }
    add(&project, folder);
    project
}

/// Builds the library of an example into a project.
fn add(project: &Project, folder: &str) {
    let example = Example::of(folder);
    let library = example.build(Path::new(env!("CARGO_TARGET_TMPDIR")));
    fs::create_dir_all(project.root().join("lib")).expect("a directory can be made");
    fs::copy(library, project.root().join("lib").join(example.library)).expect("a library can be copied");
}

/// Adds to the project file.
fn append(project: &Project, text: &str) {
    let file = project.root().join("forge.toml");
    let before = fs::read_to_string(&file).expect("there is a project file");
    project.write("forge.toml", &format!("{before}\n{text}"));
}

/// A project of an example that speaks to this server, whose password it has by name.
fn with_server(folder: &str, server: &FileServer) -> Project {
    let project = project(folder);
    let address = server.address();
    append(&project, &format!("[registries.\"{address}\"]\nusername = \"{USER}\"\nsecret = \"FILES_PASSWORD\"\n"));
    let project = project.env("FILES", &format!("http://{address}")).env("HOOK", &format!("http://{address}/hook"));
    project.env("FILES_PASSWORD", PASSWORD)
}

/// Runs a release to its end; nothing that was written has the password in it.
#[track_caller]
fn release(project: &Project) -> Ended {
    let ended = project.forge(&["run", "release"]);
    assert!(!ended.stdout.contains(PASSWORD) && !ended.stderr.contains(PASSWORD));
    ended
}

/// The digest of an artifact, by its name.
fn digest(project: &Project, name: &str) -> String {
    let list = project.json("dist/artifacts.json");
    let artifacts = list["artifacts"].as_array().expect("a list of artifacts");
    let found = artifacts.iter().find(|it| it["name"] == name).unwrap_or_else(|| panic!("no {name} in {list}"));
    found["digest"].as_str().expect("a digest").to_owned()
}

const FILES: [&str; 2] = ["/hello/1.2.3/hello_darwin_arm64/hello", "/hello/1.2.3/hello_linux_amd64/hello"];

#[test]
fn upload_puts_what_is_not_there() {
    let server = FileServer::start();
    let project = with_server("upload", &server).tagged("v1.2.3");
    release(&project).expect(0);
    assert_eq!(server.kept().files.keys().collect::<Vec<_>>(), FILES);
    assert_eq!(server.kept().files[FILES[1]].0, "hello on linux/amd64\n");
    server.asked();
    // What forge remembers of it is lost; what is there is found.
    fs::remove_dir_all(project.root().join(".forge")).expect("forge has worked here");
    release(&project).expect(0);
    let asked = server.asked();
    assert!(!asked.is_empty() && asked.iter().all(|it| it.starts_with("HEAD ")), "{asked:?}");
    // Another file at its place stays.
    server.kept().files.get_mut(FILES[0]).expect("a file").1 = vec![format!("x-checksum-sha256: {}", "0".repeat(64))];
    fs::remove_dir_all(project.root().join(".forge")).expect("forge has worked here");
    let ended = release(&project).expect(1);
    assert!(ended.stderr.contains("what was released stays as it is"), "{}", ended.stderr);
    assert!(server.asked().iter().all(|it| it.starts_with("HEAD ")));
}

#[test]
fn upload_tells_what_it_would_do() {
    let server = FileServer::start();
    let project = with_server("upload", &server).tagged("v1.2.3");
    project.forge(&["run", "build"]).expect(0);
    let plan = project.forge(&["plan", "--diff"]).expect(0).stdout;
    assert_eq!(plan.matches("upload  http://").count(), 2, "{plan}");
    assert!(server.asked().iter().all(|it| it.starts_with("HEAD ")));
}

#[test]
fn upload_without_a_password() {
    let server = FileServer::start();
    let project = with_server("upload", &server).env("FILES_PASSWORD", "a wrong password").tagged("v1.2.3");
    let ended = release(&project).expect(1);
    assert!(ended.stderr.contains("refuses the credentials from the secret `FILES_PASSWORD`"), "{}", ended.stderr);
    assert!(server.kept().files.is_empty());
}

#[test]
fn notify_tells_of_all_that_was_made() {
    let server = FileServer::start();
    let project = with_server("notify", &server).tagged("v1.2.3");
    release(&project).expect(0);
    let asked = server.asked();
    let (path, body) = asked[0].rsplit_once(' ').expect("a request with a body");
    let body: Value = serde_json::from_str(body).expect("the body is JSON");
    let told = |name: &str| json!({ "name": name, "digest": digest(&project, name) });
    let expect = [told("hello_linux_amd64/hello"), told("hello_darwin_arm64/hello")];
    assert_eq!((path, asked.len()), ("POST /hook", 1));
    assert_eq!(body, json!({ "version": "1.2.3", "artifacts": expect }));
    // It was told, and need not be told again.
    release(&project).expect(0);
    assert_eq!(server.asked(), Vec::<String>::new());
}

#[test]
fn brew_makes_a_formula_that_others_take() {
    let server = FileServer::start();
    let project = with_server("brew", &server);
    add(&project, "upload");
    append(
        &project,
        "[plugins.acme-upload]\npath = \"lib\"\n\n[[acme_upload]]\nurl = '{{ env.FILES }}'\nkinds = [\"acme-brew.formula\"]\n",
    );
    let project = project.tagged("v1.2.3");
    release(&project).expect(0);
    let formula = fs::read_to_string(project.root().join("dist/Formula/hello.rb")).expect("the formula is there");
    let digest = digest(&project, "hello_darwin_arm64/hello");
    for line in ["class Hello < Formula\n", &format!("sha256 '{}'\n", digest.trim_start_matches("sha256:"))] {
        assert!(formula.contains(line), "{line:?} is not in\n{formula}");
    }
    assert_eq!(server.kept().files["/Formula/hello.rb"].0, formula);
}

#[test]
fn shout_is_run_once() {
    let project = project("shout").tagged("v1.2.3");
    project.forge(&["run", "release"]).expect(0);
    let text = fs::read_to_string(project.root().join("dist/greeting/SHOUT.txt")).expect("the text is there");
    assert_eq!(text, "HELLO, THIS IS HELLO 1.2.3");
    let again = project.forge(&["run", "release", "--json"]).expect(0);
    assert_eq!(again.outcomes(), ["acme_shout:greeting fresh"]);
}

#[test]
fn every_example_keeps_to_the_rules_of_the_line() {
    for example in EXAMPLES {
        let project = project(example.folder);
        let library = project.root().join("lib").join(example.library);
        let said = project.forge(&["plugins", "check", &library.display().to_string()]).expect(0).stdout;
        assert!(said.lines().count() >= 10 && said.lines().all(|it| it.starts_with("ok ")), "{said}");
    }
}

/// Replaces a text in the project file of an example; what forge says of it, from the first line on.
#[track_caller]
fn check(folder: &str, replace: [&str; 2], expect: &str) {
    let project = project(folder);
    let text = fs::read_to_string(project.root().join("forge.toml")).expect("there is a project file");
    assert!(text.contains(replace[0]), "{text}");
    project.write("forge.toml", &text.replace(replace[0], replace[1]));
    let ended = project.forge(&["check"]).expect(2);
    assert!(ended.stderr.contains(expect), "{}", ended.stderr);
}

#[test]
fn mistakes_have_their_place_in_every_language() {
    check("upload", ["default(\"http://localhost:8080\")", "default(\"ftp://x\")"], "--> forge.toml:15:7");
    check("notify", ["default(\"http://localhost:8080/hook\")", "default(\"files\")"], "--> forge.toml:15:7");
    check("brew", ["{{ os }}", "{{ oss }}"], "--> forge.toml:15:");
    check("brew", ["homepage", "home_page"], "did you mean `homepage`?");
    check("shout", ["text = ", "texts = "], "--> forge.toml:9:");
}
