//! A release on GitLab: files in the package registry first, then a release that links to them.
//! Does not know registries.

use crate::support::builds;
use crate::support::forge::Ended;
use crate::support::gitlab::{GitLab, TOKEN};
use crate::support::killed::kill_release_at;
use crate::support::project::Project;
use crate::support::proxy::{Fault, Proxy};

const FILE: &str = r#"
[project]
name = "hello"

[secrets]
token = { env = "GITLAB" }

[registries."ADDRESS"]
secret = "token"

[[publish]]
to = "gitlab"
repository = "acme/tools/hello"
api = "http://ADDRESS"
kinds = ["binary"]
notes = "All of it."
"#;

const RELEASED: &[&str] = &[
    "one 2c8b08da5ce60398e1f19af0e5dccc744df274b826abe585eaba68c525434806",
    "two~rc 27dd8ed44a83ff94d557f9fd0412ed5a8cbca69ea04922d88c01184a07300a5a",
    "v1.2.3 All of it.: one two~rc",
];

fn text(address: &str) -> String {
    format!("{FILE}{}", builds::TWO).replace("ADDRESS", address)
}

fn project(address: &str) -> Project {
    Project::of_text(&text(address)).env("GITLAB", TOKEN).tagged("v1.2.3")
}

fn release(project: &Project) -> Ended {
    project.forge(&["run", "release", "--json"])
}

#[test]
fn files_first_and_then_a_release() {
    let gitlab = GitLab::start();
    let project = project(gitlab.address());
    release(&project).expect(0);
    assert_eq!(gitlab.has(), RELEASED);
    gitlab.asked();
    // Nothing to do: what is there is asked, and nothing is changed.
    release(&project).expect(0);
    let asked = gitlab.asked();
    assert!(asked.iter().all(|it| it.starts_with("GET")), "{asked:?}");
    assert_eq!(gitlab.has(), RELEASED);
}

#[test]
fn without_a_token_nothing_is_built() {
    let gitlab = GitLab::start();
    let project = Project::of_text(&text(gitlab.address())).env("GITLAB", "other").tagged("v1.2.3");
    let ended = release(&project).expect(1);
    let all = format!("{}{}", ended.stdout, ended.stderr);
    assert!(all.contains("the token may not make releases of `acme/tools/hello` on GitLab"), "{all}");
    assert_eq!(gitlab.has(), [""; 0]);
}

/// One release through a proxy that does this; then another run, if the first has failed.
fn check(method: &'static str, place: &'static str, fault: Fault) {
    let gitlab = GitLab::start();
    let proxy = Proxy::start(gitlab.address());
    let project = project(proxy.address());
    proxy.fault(method, place, 1..=1, fault);
    if release(&project).code != Some(0) {
        proxy.heal();
        release(&project).expect(0);
    }
    assert_eq!(gitlab.has(), RELEASED);
}

#[test]
fn c1_a_reply_is_lost() {
    check("PUT", "/packages", Fault::LostReply);
    check("POST", "/releases", Fault::LostReply);
}

#[test]
fn c2_an_upload_is_cut() {
    check("PUT", "/packages", Fault::CutRequest(2));
}

#[test]
fn c3_the_server_has_no_time() {
    for (method, place) in [("GET", "/releases/"), ("PUT", "/packages"), ("POST", "/releases")] {
        check(method, place, Fault::Answer("503 Service Unavailable", vec![], "{}"));
    }
}

#[test]
fn a1_killed_at_each_effect() {
    for (method, place) in [("PUT", "/one"), ("PUT", "/two"), ("POST", "/releases")] {
        let gitlab = GitLab::start();
        let proxy = Proxy::start(gitlab.address());
        let project = project(proxy.address());
        kill_release_at(&project, &proxy, method, place);
        release(&project).expect(0);
        assert_eq!(gitlab.has(), RELEASED, "{method} {place}");
        let asked = gitlab.asked();
        let changes: Vec<&String> = asked.iter().filter(|it| !it.starts_with("GET")).collect();
        assert_eq!(changes.len(), 3, "{method} {place}: {changes:?}");
    }
}

#[test]
fn what_others_have_released_is_changed_where_the_user_says_so() {
    let gitlab = GitLab::start();
    gitlab.is_released("v1.2.3");
    let project = project(gitlab.address());
    let ended = release(&project).expect(1);
    assert!(ended.stdout.contains("has no `one`, has no `two~rc`"), "{}", ended.stdout);
    assert_eq!(gitlab.has(), ["v1.2.3 theirs: "]);
    let place = format!("http://{}/acme/tools/hello/-/releases/v1.2.3", gitlab.address());
    project.forge(&["run", "release", "--json", "--replace", &place]).expect(0);
    assert_eq!(gitlab.has(), [RELEASED[0], RELEASED[1], "v1.2.3 theirs: one two~rc"]);
}
