//! A release on GitHub: a draft first, everything uploaded and read back, and visible at once; whatever happens on the way.
//! Does not know registries.

use std::fs;

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
token = { env = "GH" }

[registries."ADDRESS"]
secret = "token"

[[changelog]]
title = ""

[[publish]]
to = "github"
repository = "acme/hello"
api = "https://ADDRESS"
kinds = ["binary"]
"#;

fn text(address: &str) -> String {
    format!("{FILE}{}", builds::TWO).replace("ADDRESS", address)
}

fn project(address: &str) -> Project {
    Project::of_text(&text(address)).env("GH", TOKEN).tagged("v1.2.3")
}

fn release(project: &Project) -> Ended {
    project.forge(&["run", "release", "--json"])
}

const RELEASED: &[&str] = &[
    r#"release "v1.2.3" "v1.2.3": "* f7f5b1b All of it\n""#,
    r#"  "one" "sha256:2c8b08da5ce60398e1f19af0e5dccc744df274b826abe585eaba68c525434806""#,
    r#"  "two.rc" "sha256:27dd8ed44a83ff94d557f9fd0412ed5a8cbca69ea04922d88c01184a07300a5a""#,
];

/// The first line without the commit, which is another for each address.
fn releases(github: &GitHub) -> Vec<String> {
    let commit = |line: String| match line.split_once("\"* ") {
        Some((before, after)) => format!("{before}\"* f7f5b1b{}", &after[7..]),
        None => line,
    };
    github.releases().into_iter().map(commit).collect()
}

#[test]
fn a_draft_with_everything_becomes_a_release() {
    let github = GitHub::start();
    let project = project(github.address());
    release(&project).expect(0);
    assert_eq!(releases(&github), RELEASED);
    let asked = github.asked();
    let place = |words: &str| asked.iter().position(|it| it.starts_with(words)).unwrap_or_else(|| panic!("{asked:?}"));
    assert!(place("POST /repos/acme/hello/releases =") < place("POST /uploads"), "{asked:?}");
    assert!(place("POST /uploads") < place("PATCH"), "{asked:?}");
    // Nothing to do: what is there is asked, and nothing is changed.
    release(&project).expect(0);
    let asked = github.asked();
    assert!(asked.iter().all(|it| it.starts_with("GET")), "{asked:?}");
    assert_eq!(releases(&github), RELEASED);
}

#[test]
fn without_a_token_nothing_is_built() {
    let github = GitHub::start();
    let project = Project::of_text(&text(github.address())).env("GH", "other").tagged("v1.2.3");
    let ended = release(&project).expect(1);
    let words = "the token may not write to `acme/hello` on GitHub";
    assert!(ended.stderr.contains(words) || ended.stdout.contains(words), "{}{}", ended.stdout, ended.stderr);
    assert!(ended.outcomes().iter().all(|it| !it.ends_with("done")), "{:?}", ended.outcomes());
    assert_eq!(github.releases(), [""; 0]);
}

/// One release through a proxy that does this; then another run, if the first has failed. In the end all is as ever, and one
/// draft was begun.
fn check(method: &'static str, place: &'static str, fault: Fault) {
    let github = GitHub::start();
    let proxy = Proxy::start(github.address());
    let project = project(proxy.address());
    proxy.fault(method, place, 1..=1, fault);
    if release(&project).code != Some(0) {
        proxy.heal();
        release(&project).expect(0);
    }
    assert_eq!(releases(&github), RELEASED);
    let asked = github.asked();
    let begun = asked.iter().filter(|it| it.starts_with("POST /repos/acme/hello/releases = 201")).count();
    assert_eq!(begun, 1, "{asked:?}");
}

#[test]
fn c1_a_reply_is_lost() {
    check("POST", "/repos/acme/hello/releases", Fault::LostReply);
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

/// As the documentation has it ("Rate limits for the REST API": 403, and `retry-after` in seconds).
#[test]
fn c4_the_server_has_a_limit() {
    const SAYS: &str =
        r#"{"message": "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}"#;
    for (method, place) in [("POST", "/repos/acme/hello/releases"), ("POST", "/assets"), ("PATCH", "/releases")] {
        let github = GitHub::start();
        let proxy = Proxy::start(github.address());
        let project = project(proxy.address());
        let limit = |headers: &[&str]| {
            Fault::Answer("403 Forbidden", headers.iter().map(|it| (*it).to_owned()).collect(), SAYS)
        };
        proxy.fault(method, place, 1..=1, limit(&["Retry-After: 1"]));
        release(&project).expect(0);
        assert_eq!(releases(&github), RELEASED);
        // An answer that does not say when is a refusal, and no matter of the token.
        let other = Project::of_text(&text(proxy.address())).env("GH", TOKEN).tagged("v1.2.4");
        proxy.fault(method, place, 1..=100, limit(&[]));
        let ended = release(&other).expect(1);
        assert!(ended.stdout.contains("wait for a minute at least"), "{}", ended.stdout);
        assert!(!ended.stdout.contains("name a token"), "{}", ended.stdout);
    }
}

/// Killed when the server has done this, and nobody has heard of it: the next run goes on, and does nothing twice.
#[test]
fn a1_killed_at_each_effect() {
    let places =
        [("POST", "/repos/acme/hello/releases"), ("POST", "name=one"), ("POST", "name=two"), ("PATCH", "/releases")];
    for (method, place) in places {
        let github = GitHub::start();
        let proxy = Proxy::start(github.address());
        let project = project(proxy.address());
        kill_release_at(&project, &proxy, method, place);
        release(&project).expect(0);
        assert_eq!(releases(&github), RELEASED, "{method} {place}");
        let asked = github.asked();
        let changes: Vec<&String> = asked.iter().filter(|it| !it.starts_with("GET")).collect();
        assert_eq!(changes.len(), 4, "{method} {place}: {changes:?}");
    }
}

#[test]
fn a_file_that_got_lost_in_a_draft_is_sent_again() {
    let github = GitHub::start();
    let proxy = Proxy::start(github.address());
    let project = project(proxy.address());
    proxy.fault("PATCH", "/releases", 1..=100, Fault::Answer("403 Forbidden", vec![], "{\"message\":\"no\"}"));
    release(&project).expect(1);
    assert!(github.releases()[0].starts_with("draft"), "{:?}", github.releases());
    github.lose("one");
    proxy.heal();
    release(&project).expect(0);
    assert_eq!(releases(&github), RELEASED);
}

#[test]
fn from_another_machine_the_draft_is_found_again() {
    let github = GitHub::start();
    let proxy = Proxy::start(github.address());
    let project = project(proxy.address());
    proxy.fault("PATCH", "/releases", 1..=100, Fault::Answer("403 Forbidden", vec![], "{\"message\":\"no\"}"));
    release(&project).expect(1);
    proxy.heal();
    fs::remove_dir_all(project.root().join(".forge")).expect("a folder");
    release(&project).expect(0);
    assert_eq!(releases(&github), RELEASED);
}

#[test]
fn a_draft_that_is_gone_on_with_says_what_is_to_be_said_now() {
    let github = GitHub::start();
    let proxy = Proxy::start(github.address());
    let project = project(proxy.address());
    proxy.fault("PATCH", "/releases", 1..=100, Fault::Answer("403 Forbidden", vec![], "{\"message\":\"no\"}"));
    release(&project).expect(1);
    proxy.heal();
    project.write("forge.toml", &text(proxy.address()).replace("title = \"\"", "title = \"News\""));
    project.git(&["commit", "--quiet", "--all", "--amend", "--no-edit"]);
    project.git(&["tag", "--force", "v1.2.3"]);
    project.forge(&["run", "release", "--json", "--new"]).expect(0);
    assert!(github.releases()[0].contains("## News"), "{:?}", github.releases());
}

#[test]
fn what_others_have_made_stays() {
    let github = GitHub::start();
    github.has(json!({ "tag_name": "v1.2.3", "name": "theirs", "body": "", "draft": true }), "theirs.zip");
    let ended = release(&project(github.address())).expect(1);
    assert!(ended.stdout.contains("there is a draft for v1.2.3 that forge has not made"), "{}", ended.stdout);
    assert!(ended.stdout.contains("theirs.zip"), "{}", ended.stdout);
    let github = GitHub::start();
    github.has(json!({ "tag_name": "v1.2.3", "name": "theirs", "body": "", "draft": false }), "one");
    let before = github.releases();
    let ended = release(&project(github.address())).expect(1);
    assert!(ended.stdout.contains("has another `one`, has no `two.rc`"), "{}", ended.stdout);
    assert_eq!(github.releases(), before);
}

#[test]
fn what_is_released_is_changed_where_the_user_says_so() {
    let released = |is_immutable: bool| {
        let github = GitHub::start();
        let release = json!({ "tag_name": "v1.2.3", "name": "theirs", "draft": false, "immutable": is_immutable });
        github.has(release, "one");
        let place = format!("https://{}/acme/hello/releases/tag/v1.2.3", github.address());
        let ended = project(github.address()).forge(&["run", "release", "--json", "--replace", &place]);
        (github, ended)
    };
    let (github, ended) = released(false);
    ended.expect(0);
    assert_eq!(releases(&github)[1..], RELEASED[1..]);
    // What GitHub lets nobody change stays, and GitHub's own words are told.
    let (github, ended) = released(true);
    let ended = ended.expect(1);
    assert!(ended.stdout.contains("Cannot change the assets of an immutable release."), "{}", ended.stdout);
    assert_eq!(github.releases().len(), 2);
}

#[test]
fn an_immutable_release_is_whole_before_it_is_shown() {
    let github = GitHub::start();
    github.is_immutable();
    let project = project(github.address());
    release(&project).expect(0);
    assert_eq!(releases(&github), RELEASED);
    release(&project).expect(0);
}
