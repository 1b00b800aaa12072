//! What is attached to images, on registries that list it and on such that do not, read by others.
//! Does not know how it is pushed.

use std::process::Command;

use serde_json::Value;

use crate::support::olareg::Olareg;
use crate::support::program::{output, test_program};
use crate::support::project::Project;
use crate::support::proxy::{Fault, Proxy};
use crate::support::registry::Registry;
use crate::support::small;

const RELEASE: [&str; 2] = ["run", "release"];

const ATTACHED: &str = r#"
[[attach]]
id = "sbom"
type = "application/spdx+json"
files = ["sbom.json"]

[[attach]]
id = "report"
ids = ["small"]
type = "application/vnd.acme.report"
files = ["report.txt", "sbom.json"]
media_type = "text/plain"
annotations = { "acme.scanner" = "none" }
"#;

/// A project whose images and list have something attached.
fn project(registry: &str) -> Project {
    let project = small::files(&[("sbom.json", "{}"), ("report.txt", "nothing was found\n")], ATTACHED);
    project.env("REGISTRY", registry).tagged("v1.2.3")
}

fn oras(arguments: &[&str]) -> String {
    output(Command::new(test_program("oras")).args(arguments))
}

/// The types of what is attached to something, as oras finds it; sorted.
fn discovered(reference: &str) -> Vec<String> {
    let text = oras(&["discover", "--plain-http", "--format=json", reference]);
    let found: Value = serde_json::from_str(&text).expect("oras writes JSON");
    let found = found["referrers"].as_array().or(found["manifests"].as_array()).expect("a list");
    let mut types: Vec<String> =
        found.iter().map(|it| it["artifactType"].as_str().expect("a type").to_owned()).collect();
    types.sort();
    types
}

/// All that is to be found after a release: at the list, at an image, and in the files of what is attached.
#[track_caller]
fn is_found(address: &str) {
    let list = format!("{address}/acme/small:1.2.3");
    assert_eq!(discovered(&list), ["application/spdx+json", "application/vnd.acme.report"]);
    let crane = |arguments: &[&str]| output(Command::new(test_program("crane")).args(arguments));
    let image = crane(&["digest", "--insecure", "--platform=linux/arm64", &list]);
    assert_eq!(discovered(&format!("{address}/acme/small@{image}")), ["application/spdx+json"]);
    let text =
        oras(&["discover", "--plain-http", "--format=json", "--artifact-type=application/vnd.acme.report", &list]);
    let found: Value = serde_json::from_str(&text).expect("oras writes JSON");
    let report = found["referrers"][0]["digest"].as_str().expect("a digest");
    let place = tempfile::tempdir().expect("a temporary directory");
    let to = place.path().to_str().expect("a name");
    oras(&["pull", "--plain-http", "--output", to, &format!("{address}/acme/small@{report}")]);
    let read = |name: &str| std::fs::read_to_string(place.path().join(name)).expect("a file");
    assert_eq!((read("report.txt"), read("sbom.json")), ("nothing was found\n".to_owned(), "{}".to_owned()));
}

/// The tags of a repository that stand for what is attached.
fn tags_of_subjects(address: &str) -> usize {
    let list = output(Command::new(test_program("crane")).args(["ls", "--insecure", &format!("{address}/acme/small")]));
    list.lines().filter(|tag| tag.starts_with("sha256-")).count()
}

#[test]
fn a_registry_that_lists_them() {
    let registry = Olareg::start();
    let project = project(registry.address());
    project.forge(&RELEASE).expect(0);
    is_found(registry.address());
    assert_eq!(tags_of_subjects(registry.address()), 0, "nobody needs a tag");
}

#[test]
fn registries_that_list_nothing() {
    let registry = Registry::start();
    project(registry.address()).forge(&RELEASE).expect(0);
    is_found(registry.address());
    assert_eq!(tags_of_subjects(registry.address()), 3, "one for the list, and one for each image");

    let registry = Olareg::start_with(&["--api-referrer=false"]);
    project(registry.address()).forge(&RELEASE).expect(0);
    is_found(registry.address());
    assert_eq!(tags_of_subjects(registry.address()), 3);
}

#[test]
fn what_others_have_attached_stays_and_nothing_is_there_twice() {
    let registry = Registry::start();
    let (address, project) = (registry.address(), project(registry.address()));
    project.forge(&RELEASE).expect(0);
    let list = format!("{address}/acme/small:1.2.3");
    let file = project.root().join("report.txt");
    let mut oras = Command::new(test_program("oras"));
    oras.args(["attach", "--plain-http", "--artifact-type=text/theirs", &list, "report.txt"]);
    output(oras.current_dir(file.parent().expect("a directory")));
    let before = registry.contents();
    // Another machine that knows nothing of all this.
    std::fs::remove_dir_all(project.root().join(".forge")).expect("a folder");
    project.forge(&RELEASE).expect(0);
    assert_eq!(registry.contents().differences(&before), [""; 0]);
    assert_eq!(discovered(&list), ["application/spdx+json", "application/vnd.acme.report", "text/theirs"]);
}

#[test]
fn an_index_whose_reply_is_lost() {
    let registry = Registry::start();
    let proxy = Proxy::start(registry.address());
    proxy.fault("PUT", "/manifests/sha256-", 1..=2, Fault::LostReply);
    proxy.fault("PUT", "/manifests/sha256-", 3..=3, Fault::CutRequest(10));
    project(proxy.address()).forge(&RELEASE).expect(0);
    is_found(registry.address());
}

#[test]
fn a_tag_that_is_something_else() {
    let registry = Registry::start();
    let project = project(registry.address());
    project.forge(&RELEASE).expect(0);
    let list = format!("{}/acme/small:1.2.3", registry.address());
    let crane = |arguments: &[&str]| output(Command::new(test_program("crane")).args(arguments));
    let digest = crane(&["digest", "--insecure", &list]);
    let image = crane(&["digest", "--insecure", "--platform=linux/arm64", &list]);
    let tag = digest.replace(':', "-");
    crane(&["tag", "--insecure", &format!("{}/acme/small@{image}", registry.address()), &tag]);
    std::fs::remove_dir_all(project.root().join(".forge")).expect("a folder");
    let said = project.forge(&RELEASE).expect(1).stderr;
    let wanted = format!("`{}/acme/small:{tag}` is no index of what is attached", registry.address());
    assert!(said.contains(&wanted) && said.contains("remove what lies there"), "{said}");
}

#[test]
fn a_layout_has_them_too() {
    let project = small::files(&[("sbom.json", "{}"), ("report.txt", "nothing was found\n")], ATTACHED);
    project.write("forge.toml", &project_file(&project).replace("to = \"registry\"", "to = \"layout\""));
    let project = project.env("REGISTRY", "example.org").tagged("v1.2.3");
    project.forge(&RELEASE).expect(0);
    let layout = project.root().join("dist/oci").display().to_string();
    let index = project.json("dist/oci/index.json");
    let list = index["manifests"][0]["digest"].as_str().expect("a digest");
    let text = oras(&["discover", "--oci-layout", "--format=json", &format!("{layout}@{list}")]);
    assert!(text.contains("application/vnd.acme.report"), "{text}");
}

fn project_file(project: &Project) -> String {
    std::fs::read_to_string(project.root().join("forge.toml")).expect("a project file")
}
