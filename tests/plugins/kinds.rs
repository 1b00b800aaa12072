//! Kinds of a plugin's own: described by a schema, selected by other pipes, and held to the schema when they are made.
//! Does not know forge's own kinds.

use super::c;
use crate::support::project::Project;

/// A project that makes an `acme.report` of this detail.
fn project(detail: &str, more: &str) -> Project {
    let text = format!(
        "[project]\nname = \"hello\"\n\n[plugins.acme]\npath = \"acme.so\"\n\n[[acme_report]]\nid = \"report\"\n\
         detail = {detail}\n{more}"
    );
    let project = Project::of_text(&text);
    c::build("report.c", &project.root().join("acme.so"));
    project
}

#[test]
fn what_is_of_its_schema_is_made() {
    let project = project("{ title = \"Tests\", pages = 3 }", "");
    project.forge(&["run", "release", "--snapshot"]).expect(0);
    let list = project.json("dist/artifacts.json");
    assert_eq!(list["artifacts"][0]["kind"], "acme.report");
    assert_eq!(list["artifacts"][0]["detail"], serde_json::json!({ "title": "Tests", "pages": 3 }));
}

/// A detail that is not of the schema.
#[track_caller]
fn check(detail: &str, expect: &str) {
    let ended = project(detail, "").forge(&["run", "release", "--snapshot"]).expect(1);
    let words = format!(
        "bug in plugin `acme` 1.0.0: the pipe made a `acme.report` whose detail is not of its schema: {expect}"
    );
    assert!(ended.stderr.contains(&words), "{}", ended.stderr);
}

#[test]
fn what_is_not_of_its_schema_fails_the_task() {
    check("{ pages = 3 }", "\"title\" is a required property");
    check("{ title = \"Tests\", pages = \"many\" }", "\"many\" is not of type \"integer\"");
    check("{ title = \"Tests\", colour = \"red\" }", "Additional properties are not allowed ('colour' was unexpected)");
}
