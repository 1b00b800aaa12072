//! A release on Gitea: as on GitHub, with what Gitea does otherwise: no digests, two files of one name, names as they are.
//! Does not know registries.

use serde_json::json;

use crate::support::builds;
use crate::support::forge::Ended;
use crate::support::github::{GitHub, TOKEN};
use crate::support::killed::kill_release_at;
use crate::support::project::Project;
use crate::support::proxy::{Fault, Proxy};

const FILE: &str = r#"
[project]
name = "hello"

[secrets]
token = { env = "GITEA" }

[registries."ADDRESS"]
secret = "token"

[[publish]]
to = "gitea"
repository = "acme/hello"
api = "http://ADDRESS"
kinds = ["binary"]
notes = "All of it."
"#;

const RELEASED: &[&str] = &[
    r#"release "v1.2.3" "v1.2.3": "All of it.""#,
    r#"  "one" "sha256:2c8b08da5ce60398e1f19af0e5dccc744df274b826abe585eaba68c525434806""#,
    r#"  "two~rc" "sha256:27dd8ed44a83ff94d557f9fd0412ed5a8cbca69ea04922d88c01184a07300a5a""#,
];

fn text(address: &str) -> String {
    format!("{FILE}{}", builds::TWO).replace("ADDRESS", address)
}

fn project(address: &str) -> Project {
    Project::of_text(&text(address)).env("GITEA", TOKEN).tagged("v1.2.3")
}

fn release(project: &Project) -> Ended {
    project.forge(&["run", "release", "--json"])
}

/// What a draft is left by: everything is there, and can't be shown.
fn left_as_a_draft(gitea: &GitHub) -> (Proxy, Project) {
    let proxy = Proxy::start(gitea.address());
    let project = project(proxy.address());
    proxy.fault("PATCH", "/releases", 1..=100, Fault::Answer("403 Forbidden", vec![], "{\"message\":\"no\"}"));
    release(&project).expect(1);
    assert!(gitea.releases()[0].starts_with("draft"), "{:?}", gitea.releases());
    proxy.heal();
    (proxy, project)
}

#[test]
fn a_draft_with_everything_becomes_a_release() {
    let gitea = GitHub::start_as_gitea();
    let project = project(gitea.address());
    release(&project).expect(0);
    assert_eq!(gitea.releases(), RELEASED);
    gitea.asked();
    // Nothing to do: what is there is asked, and nothing is changed.
    release(&project).expect(0);
    let asked = gitea.asked();
    assert!(asked.iter().all(|it| it.starts_with("GET")), "{asked:?}");
    assert_eq!(gitea.releases(), RELEASED);
}

#[test]
fn without_a_token_nothing_is_built() {
    let gitea = GitHub::start_as_gitea();
    let project = Project::of_text(&text(gitea.address())).env("GITEA", "other").tagged("v1.2.3");
    let ended = release(&project).expect(1);
    let all = format!("{}{}", ended.stdout, ended.stderr);
    assert!(all.contains("the token may not write to `acme/hello` on Gitea"), "{all}");
    assert_eq!(gitea.releases(), [""; 0]);
}

/// One release through a proxy that does this; then another run, if the first has failed.
fn check(method: &'static str, place: &'static str, fault: Fault) {
    let gitea = GitHub::start_as_gitea();
    let proxy = Proxy::start(gitea.address());
    let project = project(proxy.address());
    proxy.fault(method, place, 1..=1, fault);
    if release(&project).code != Some(0) {
        proxy.heal();
        release(&project).expect(0);
    }
    assert_eq!(gitea.releases(), RELEASED);
    let asked = gitea.asked();
    let begun = asked.iter().filter(|it| it.contains("POST") && it.contains("/releases = 201")).count();
    assert_eq!(begun, 1, "{asked:?}");
}

#[test]
fn c1_a_reply_is_lost() {
    check("POST", "/hello/releases", Fault::LostReply);
    check("POST", "/assets", Fault::LostReply);
    check("PATCH", "/releases", Fault::LostReply);
}

#[test]
fn c2_an_upload_is_cut() {
    check("POST", "/assets", Fault::CutRequest(2));
}

#[test]
fn c3_the_server_has_no_time() {
    for (method, place) in [("GET", "/releases/tags"), ("POST", "/assets"), ("PATCH", "/releases")] {
        check(method, place, Fault::Answer("503 Service Unavailable", vec![], "{}"));
    }
}

#[test]
fn a1_killed_at_each_effect() {
    for (method, place) in
        [("POST", "/hello/releases"), ("POST", "name=one"), ("POST", "name=two"), ("PATCH", "/releases")]
    {
        let gitea = GitHub::start_as_gitea();
        let proxy = Proxy::start(gitea.address());
        let project = project(proxy.address());
        kill_release_at(&project, &proxy, method, place);
        release(&project).expect(0);
        assert_eq!(gitea.releases(), RELEASED, "{method} {place}");
        let asked = gitea.asked();
        let changes: Vec<&String> = asked.iter().filter(|it| !it.starts_with("GET")).collect();
        assert_eq!(changes.len(), 4, "{method} {place}: {changes:?}");
    }
}

#[test]
fn what_is_there_twice_is_there_once() {
    let gitea = GitHub::start_as_gitea();
    let (_proxy, project) = left_as_a_draft(&gitea);
    gitea.double("one");
    release(&project).expect(0);
    assert_eq!(gitea.releases(), RELEASED);
}

#[test]
fn a_byte_that_no_size_tells_is_seen() {
    let gitea = GitHub::start_as_gitea();
    let (_proxy, project) = left_as_a_draft(&gitea);
    gitea.spoil("one");
    release(&project).expect(0);
    assert_eq!(gitea.releases(), RELEASED);
    // Of a release that others see it is a conflict, which the user decides.
    gitea.spoil("one");
    let ended = release(&project).expect(1);
    assert!(ended.stdout.contains("has another `one`"), "{}", ended.stdout);
    assert_ne!(gitea.releases(), RELEASED);
}

#[test]
fn what_others_have_made_stays() {
    let gitea = GitHub::start_as_gitea();
    gitea.has(json!({ "tag_name": "v1.2.3", "name": "theirs", "body": "", "draft": true }), "theirs.zip");
    let ended = release(&project(gitea.address())).expect(1);
    assert!(ended.stdout.contains("there is a draft for v1.2.3 that forge has not made"), "{}", ended.stdout);
    assert!(ended.stdout.contains("theirs.zip"), "{}", ended.stdout);
}
