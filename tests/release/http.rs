//! Files on a web server that takes them by PUT: each is read back, and what is there is not sent again.
//! Does not know release pages.

use crate::support::forge::Ended;
use crate::support::killed::kill_release_at;
use crate::support::nginx::{Nginx, PASSWORD, USER};
use crate::support::project::Project;
use crate::support::proxy::{Fault, Proxy};

const FILE: &str = r#"
[project]
name = "hello"

[secrets]
files = { env = "FILES" }

[registries."ADDRESS"]
username = "USER"
secret = "files"

[[build]]
id = "one"
binary = "one"
tool = "command"
argv = ["sh", "-c", "echo one > $FORGE_OUTPUT"]
platforms = ["linux/amd64"]

[[build]]
id = "two"
binary = "two~rc+1"
tool = "command"
argv = ["sh", "-c", "head -c 3000000 /dev/zero > $FORGE_OUTPUT"]
platforms = ["linux/amd64"]

[[checksum]]
kinds = ["binary"]

[[publish]]
to = "http"
url = "http://ADDRESS/{{ name }}/{{ version }}/"
kinds = ["binary"]
headers = { "X-Platform" = "{{ os }}" }
checksum_header = "X-Checksum-Sha256"
"#;

const RELEASED: &[&str] = &[
    "hello/1.2.3/hello_1.2.3_checksums.txt e2fa60ff89020a0ac006411819319ddf8e8dfbb11c08200c772a37a42ddeea47",
    "hello/1.2.3/one 2c8b08da5ce60398e1f19af0e5dccc744df274b826abe585eaba68c525434806",
    "hello/1.2.3/two~rc+1 35bce4eae54ec8e6cc2868baa8d157914d6ae2858811b4cc0c078c94460fa26f",
];

fn project(address: &str, command: &str) -> Project {
    let text = FILE.replace("ADDRESS", address).replace("USER", USER).replace("echo one", command);
    Project::of_text(&text).env("FILES", PASSWORD).tagged("v1.2.3")
}

fn release(project: &Project) -> Ended {
    project.forge(&["run", "release", "--json"])
}

fn lines(proxy: &Proxy) -> Vec<String> {
    proxy.seen().into_iter().map(|it| it.line).collect()
}

#[test]
fn files_are_sent_once_and_sums_last() {
    let nginx = Nginx::start();
    let proxy = Proxy::start(nginx.address());
    let project = project(proxy.address(), "echo one");
    release(&project).expect(0);
    assert_eq!(nginx.has(), RELEASED);
    let seen = proxy.seen();
    let sent: Vec<_> = seen.iter().filter(|it| it.line.starts_with("PUT") && it.line.ends_with("201")).collect();
    assert!(sent.len() == 3 && sent[2].line.contains("checksums"), "{sent:#?}");
    let one = sent.iter().find(|it| it.line.contains("/one ")).expect("a file").head.to_lowercase();
    assert!(one.contains("\r\nx-platform: linux\r\n"), "{one}");
    assert!(one.contains("\r\nx-checksum-sha256: 2c8b08da5ce60398e1f1"), "{one}");

    // Nothing to do: what is there is read, and nothing is changed.
    release(&project).expect(0);
    let seen = lines(&proxy);
    assert!(!seen.is_empty() && seen.iter().all(|it| it.starts_with("HEAD") || it.starts_with("GET")), "{seen:#?}");
}

#[test]
fn with_another_password_nothing_is_built() {
    let nginx = Nginx::start();
    let project = project(nginx.address(), "echo one").env("FILES", "another word");
    let ended = release(&project).expect(1);
    let all = format!("{}{}", ended.stdout, ended.stderr);
    assert!(all.contains("refuses the credentials from the secret `files`"), "{all}");
    assert!(!all.contains("another word"), "{all}");
    assert!(ended.outcomes().iter().all(|it| !it.ends_with(" done")), "{all}");
    assert_eq!(nginx.has(), [""; 0]);
}

#[test]
fn a_server_that_wants_it_elsewhere_or_shows_nothing() {
    let nginx = Nginx::start();
    let at = |path: &str, method: &str| {
        let text = FILE.replace("{{ name }}/{{ version }}/", path).replace("to = \"http\"", method);
        let text = text.replace("ADDRESS", nginx.address()).replace("USER", USER);
        Project::of_text(&text).env("FILES", PASSWORD).tagged("v1.2.3")
    };
    let ended = release(&at("moved/", "to = \"http\"")).expect(1);
    assert!(ended.stdout.contains("/here/"), "{}", ended.stdout);
    let drop_box = at("drop/", "to = \"http\"\nmethod = \"POST\"");
    let ended = release(&drop_box).expect(0);
    assert!(ended.stdout.contains("can't be read back"), "{}", ended.stdout);
    let ended = release(&drop_box).expect(0);
    assert!(!ended.stdout.contains("can't be read back"), "{}", ended.stdout);
}

#[test]
fn who_knows_no_head_is_asked_for_the_first_byte() {
    let nginx = Nginx::start();
    let proxy = Proxy::start(nginx.address());
    // Its first byte is no text.
    let project = project(proxy.address(), r"printf '\\355\\253\\356\\333'");
    proxy.fault("HEAD", "/hello", 1..=1000, Fault::Answer("405 Method Not Allowed", vec![], ""));
    release(&project).expect(0);
    assert_eq!(nginx.has().len(), RELEASED.len());
    lines(&proxy);
    // Nor where nothing is remembered.
    std::fs::remove_dir_all(project.root().join(".forge")).expect("it is there");
    release(&project).expect(0);
    let seen = lines(&proxy);
    assert!(seen.iter().all(|it| it.starts_with("HEAD") || it.starts_with("GET")), "{seen:#?}");
    nginx.put("hello/1.2.3/one", "another");
    let ended = release(&project).expect(1);
    assert!(ended.stdout.contains("a file of 7 bytes is there"), "{}", ended.stdout);
}

/// A project that sends to what takes files by POST, by a proxy.
fn dropping(place: &str, proxy: &Proxy) -> Project {
    let text =
        FILE.replace("{{ name }}/{{ version }}/", place).replace("to = \"http\"", "to = \"http\"\nmethod = \"POST\"");
    let text = text.replace("ADDRESS", proxy.address()).replace("USER", USER);
    Project::of_text(&text).env("FILES", PASSWORD).tagged("v1.2.3")
}

/// How many times each file was sent, and with what answer.
fn posted(proxy: &Proxy) -> Vec<String> {
    let mut posted: Vec<String> = lines(proxy).into_iter().filter(|it| it.starts_with("POST")).collect();
    posted.sort();
    posted
}

const DROPPED: [&str; 3] =
    ["POST /drop/hello_1.2.3_checksums.txt 201", "POST /drop/one 201", "POST /drop/two~rc+1 201"];

#[test]
fn what_nobody_can_be_asked_for_is_sent_once() {
    let nginx = Nginx::start();
    let proxy = Proxy::start(nginx.address());
    let project = dropping("drop/", &proxy);
    proxy.fault("POST", "/one", 1..=1, Fault::LostReply);
    let ended = release(&project).expect(1);
    assert!(ended.stdout.contains("/drop/one` was taken is not known"), "{}", ended.stdout);
    assert!(ended.stdout.contains("look whether it is there; the next run takes it as sent"), "{}", ended.stdout);
    // What vouches for it waits.
    assert_eq!(posted(&proxy), ["POST /drop/one -", DROPPED[2]]);
    let ended = release(&project).expect(0);
    assert!(ended.stdout.contains("an earlier run ended while"), "{}", ended.stdout);
    assert_eq!(posted(&proxy), DROPPED[..1]);
    let ended = release(&project).expect(0);
    assert!(!ended.stdout.contains("an earlier run ended while"), "{}", ended.stdout);
    assert_eq!(posted(&proxy), [""; 0]);
}

#[test]
fn a1_killed_where_nobody_can_be_asked() {
    let nginx = Nginx::start();
    let proxy = Proxy::start(nginx.address());
    let project = dropping("drop/", &proxy);
    kill_release_at(&project, &proxy, "POST", "/one");
    proxy.wait_for_the_last();
    let before: Vec<String> = posted(&proxy).into_iter().filter(|it| it.contains("two")).collect();
    release(&project).expect(0);
    let after = posted(&proxy);
    assert!(after.iter().all(|it| !it.contains("/one")), "{after:?}");
    assert!(after.contains(&DROPPED[0].to_owned()), "{before:?} {after:?}");
}

#[test]
fn a_refusal_is_sure_and_a_gateway_is_not() {
    let nginx = Nginx::start();
    for (status, is_sure) in [("503 Service Unavailable", true), ("413 Too Large", true), ("502 Bad Gateway", false)] {
        let proxy = Proxy::start(nginx.address());
        let project = dropping("drop/", &proxy);
        proxy.fault("POST", "/one", 1..=1, Fault::Answer(status, vec![], "no"));
        if release(&project).code != Some(0) {
            release(&project).expect(0);
        }
        let one = posted(&proxy).iter().filter(|it| it.contains("/one")).count();
        assert_eq!(one, if is_sure { 2 } else { 1 }, "{status}");
    }
}

#[test]
fn what_is_taken_and_found_nowhere_is_sent_once() {
    let nginx = Nginx::start();
    let proxy = Proxy::start(nginx.address());
    let project = dropping("inbox/", &proxy);
    let ended = release(&project).expect(0);
    assert!(ended.stdout.contains("can't be read back"), "{}", ended.stdout);
    assert_eq!(posted(&proxy).len(), 3);
    release(&project).expect(0);
    assert_eq!(posted(&proxy), [""; 0]);
}

/// One release through a proxy that does this; then another run, if the first has failed.
fn check(method: &'static str, place: &'static str, fault: Fault) {
    let nginx = Nginx::start();
    let proxy = Proxy::start(nginx.address());
    let project = project(proxy.address(), "echo one");
    proxy.fault(method, place, 1..=1, fault);
    if release(&project).code != Some(0) {
        proxy.heal();
        release(&project).expect(0);
    }
    assert_eq!(nginx.has(), RELEASED);
}

#[test]
fn c1_a_reply_is_lost() {
    check("PUT", "/one", Fault::LostReply);
}

#[test]
fn c2_an_upload_is_cut() {
    check("PUT", "/two", Fault::CutRequest(1_000_000));
}

#[test]
fn c3_the_server_has_no_time() {
    for (method, place) in [("HEAD", "/one"), ("PUT", "/two"), ("GET", "/one")] {
        check(method, place, Fault::Answer("503 Service Unavailable", vec![], "later"));
    }
}

#[test]
fn a1_killed_at_each_effect() {
    for (method, place) in [("PUT", "/one"), ("PUT", "/two"), ("PUT", "checksums.txt")] {
        let nginx = Nginx::start();
        let proxy = Proxy::start(nginx.address());
        let project = project(proxy.address(), "echo one");
        kill_release_at(&project, &proxy, method, place);
        release(&project).expect(0);
        assert_eq!(nginx.has(), RELEASED, "{method} {place}");
    }
}

#[test]
fn what_others_have_put_there_is_replaced_where_the_user_says_so() {
    let nginx = Nginx::start();
    nginx.put("hello/1.2.3/one", "theirs, and longer\n");
    let project = project(nginx.address(), "echo one");
    let ended = release(&project).expect(1);
    assert!(ended.stdout.contains("a file of 19 bytes is there"), "{}", ended.stdout);
    assert_eq!(nginx.has().len(), 1);
    let place = format!("http://{}/hello/1.2.3/one", nginx.address());
    project.forge(&["run", "release", "--json", "--replace", &place]).expect(0);
    assert_eq!(nginx.has(), RELEASED);

    // Of the same size: only its bytes tell, so that nobody was asked.
    let other = self::project(nginx.address(), "echo two");
    let ended = release(&other).expect(1);
    assert!(ended.stdout.contains("another file of the same size is at"), "{}", ended.stdout);
    assert_eq!(nginx.has(), RELEASED);
}
