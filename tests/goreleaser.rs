//! Ten projects that are released by GoReleaser today, with `forge.toml` written by hand: forge plans files and references of the same names.
//! Does not know GoReleaser: beside each project file stands what it makes of the other one for v1.2.3.

use std::collections::BTreeSet;
use std::path::Path;

use crate::support::project::Project;

/// Files of these projects that a plan looks at.
const FILES: &[&str] = &["LICENSE", "README.md", "CREDITS", "CHANGELOG.md", "go.mod", "index.ts"];
const DOCKERFILES: &[(&str, &str)] = &[
    ("Dockerfile.github-actions", "FROM scratch\nCOPY migrate /usr/bin/migrate\nENTRYPOINT [\"/usr/bin/migrate\"]\n"),
    ("Dockerfile.goreleaser", "FROM scratch\nCOPY gitea-config-wave /\nENTRYPOINT [\"/gitea-config-wave\"]\n"),
];

/// What is made for users, by the kind of the artifact: files by their names, images by their references.
const FILES_OF: &[&str] = &["archive", "package", "checksums", "tap_file"];
const REFERENCES_OF: &[&str] = &["image", "manifest_list"];

fn check(name: &str) {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goreleaser");
    let read = |ending: &str| std::fs::read_to_string(place.join(format!("{name}.{ending}"))).expect("it is there");
    let project = Project::of_text(&read("toml")).env("DATABASE", "postgres").env("SOURCE", "file");
    FILES.iter().for_each(|file| project.write(file, "text\n"));
    DOCKERFILES.iter().for_each(|(file, text)| project.write(file, text));
    let project = project.tagged("v1.2.3");
    let plan = project.forge(&["plan", "--json"]).expect(0);
    let plan: serde_json::Value = serde_json::from_str(&plan.stdout).expect("a plan is JSON");
    let tasks = plan["tasks"].as_array().expect("a list of tasks");
    let made = tasks.iter().flat_map(|task| task["makes"].as_array().expect("a list of artifacts"));
    let names: BTreeSet<String> = made.flat_map(names).collect();
    let expected: BTreeSet<String> = read("txt").lines().map(ToOwned::to_owned).collect();
    let only = |these: &BTreeSet<String>, those| these.difference(those).cloned().collect::<Vec<_>>();
    let differing = (only(&names, &expected), only(&expected, &names));
    assert_eq!(differing, (Vec::new(), Vec::new()), "{name}: made by forge alone, and by GoReleaser alone");
}

/// What users see of an artifact.
fn names(made: &serde_json::Value) -> Vec<String> {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let kind = text(&made["kind"]);
    if kind == "tap_file" {
        return vec![text(&made["detail"]["path"])];
    }
    if FILES_OF.contains(&kind.as_str()) {
        return vec![text(&made["name"])];
    }
    let references = made["detail"]["references"].as_array().filter(|_| REFERENCES_OF.contains(&kind.as_str()));
    references.into_iter().flatten().map(text).collect()
}

#[test]
fn the_same_names() {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goreleaser");
    let files = std::fs::read_dir(place).expect("it is there").map(|it| it.expect("an entry").path());
    let mut projects: Vec<String> = files
        .filter(|path| path.extension().is_some_and(|it| it == "toml"))
        .map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned())
        .collect();
    projects.sort();
    assert_eq!(projects.len(), 10);
    projects.iter().for_each(|name| check(name));
}
