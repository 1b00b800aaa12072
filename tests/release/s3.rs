//! Files in a bucket: parts first, which nobody sees, and objects when all of them are there.
//! Does not know release pages.

use crate::support::forge::Ended;
use crate::support::killed::kill_release_at;
use crate::support::project::Project;
use crate::support::proxy::{Fault, Proxy};
use crate::support::versity::{KEY, KEY_ID, Versity};

const FILE: &str = r#"
[project]
name = "hello"

[secrets]
s3_id = { env = "S3_ID" }
s3_key = { env = "S3_KEY" }

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
argv = ["sh", "-c", "head -c 9000000 /dev/zero > $FORGE_OUTPUT"]
platforms = ["linux/amd64"]

[[checksum]]
kinds = ["binary"]

[[publish]]
to = "s3"
bucket = "downloads"
endpoint = "http://ADDRESS"
key_id = "s3_id"
key = "s3_key"
path = "{{ name }}/{{ version }}/{{ os }}{{ artifact }}"
kinds = ["binary"]
secrets = ["s3_id", "s3_key"]
reveal = true
"#;

const RELEASED: &[&str] = &[
    "hello/1.2.3/hello_1.2.3_checksums.txt 76950116fe5daaf1757370fff3b4498a352bf4f4169d91b02df83a258a0a6068",
    "hello/1.2.3/linuxone 2c8b08da5ce60398e1f19af0e5dccc744df274b826abe585eaba68c525434806",
    "hello/1.2.3/linuxtwo~rc+1 177ffe9ef4bc54e6880afccabfbdb0273a15b89c0e663eabeeb8e9cda211f21f",
];

fn project(address: &str, command: &str) -> Project {
    Project::of_text(&FILE.replace("ADDRESS", address).replace("echo one", command))
        .env("S3_ID", KEY_ID)
        .env("S3_KEY", KEY)
        .tagged("v1.2.3")
}

fn release(project: &Project) -> Ended {
    project.forge(&["run", "release", "--json"])
}

#[track_caller]
fn check_released(store: &Versity) {
    assert_eq!(store.has(), RELEASED);
    assert_eq!(store.uploads(), 0);
}

#[test]
fn parts_first_and_objects_when_all_are_there() {
    let store = Versity::start();
    let proxy = Proxy::start(store.address());
    let project = project(proxy.address(), "echo one");
    release(&project).expect(0);
    check_released(&store);
    let seen: Vec<String> = proxy.seen().into_iter().map(|it| it.line).collect();
    let last_part = seen.iter().rposition(|it| it.contains("partNumber=")).expect("a part");
    let first_object =
        seen.iter().position(|it| it.starts_with("POST") && it.contains("uploadId=")).expect("an object");
    assert!(last_part < first_object, "{seen:#?}");
    // Sums come last: who finds them finds all.
    let objects: Vec<&String> = seen.iter().filter(|it| it.starts_with("POST") && it.contains("uploadId=")).collect();
    assert!(objects.len() == 3 && objects[2].contains("checksums"), "{objects:#?}");

    // Nothing to do: what is there is asked, and nothing is changed.
    release(&project).expect(0);
    let seen: Vec<String> = proxy.seen().into_iter().map(|it| it.line).collect();
    assert!(!seen.is_empty() && seen.iter().all(|it| it.starts_with("HEAD")), "{seen:#?}");

    // Nor where nothing is remembered: no part is sent in vain.
    std::fs::remove_dir_all(project.root().join(".forge")).expect("what is remembered");
    release(&project).expect(0);
    let seen: Vec<String> = proxy.seen().into_iter().map(|it| it.line).collect();
    assert!(!seen.is_empty() && seen.iter().all(|it| it.starts_with("HEAD") || it.starts_with("GET")), "{seen:#?}");
    check_released(&store);
}

#[test]
fn with_another_key_nothing_is_built() {
    let store = Versity::start();
    let project = project(store.address(), "echo one").env("S3_KEY", "another key");
    let ended = release(&project).expect(1);
    let all = format!("{}{}", ended.stdout, ended.stderr);
    assert!(all.contains("answers 403"), "{all}");
    assert!(!all.contains("another key"), "{all}");
    assert!(ended.outcomes().iter().all(|it| !it.ends_with(" done")), "{all}");
    assert_eq!(store.has(), [""; 0]);
}

#[test]
fn where_there_is_no_bucket_nothing_is_built() {
    let store = Versity::start();
    let text = FILE.replace("ADDRESS", store.address()).replace("bucket = \"downloads\"", "bucket = \"elsewhere\"");
    let project = Project::of_text(&text).env("S3_ID", KEY_ID).env("S3_KEY", KEY).tagged("v1.2.3");
    let ended = release(&project).expect(1);
    assert!(ended.stdout.contains("answers 404: NoSuchBucket"), "{}", ended.stdout);
    assert!(ended.outcomes().iter().all(|it| !it.ends_with(" done")), "{}", ended.stdout);
}

/// One release through a proxy that does this; then another run, if the first has failed.
fn check(method: &'static str, place: &'static str, fault: Fault) {
    let store = Versity::start();
    let proxy = Proxy::start(store.address());
    let project = project(proxy.address(), "echo one");
    proxy.fault(method, place, 1..=1, fault);
    if release(&project).code != Some(0) {
        proxy.heal();
        release(&project).expect(0);
    }
    check_released(&store);
}

#[test]
fn c1_a_reply_is_lost() {
    check("PUT", "partNumber=", Fault::LostReply);
    check("POST", "uploadId=", Fault::LostReply);
}

#[test]
fn c2_an_upload_is_cut() {
    check("PUT", "two", Fault::CutRequest(4_000_000));
}

#[test]
fn c3_the_server_has_no_time() {
    for (method, place) in [("HEAD", "/one"), ("POST", "uploads"), ("PUT", "partNumber="), ("POST", "uploadId=")] {
        check(method, place, Fault::Answer("503 Slow Down", vec![], "<Error><Code>SlowDown</Code></Error>"));
    }
}

#[test]
fn a1_killed_at_each_effect() {
    for (method, place) in [
        ("POST", "linuxone?uploads"),
        ("PUT", "linuxone?partNumber="),
        ("PUT", "partNumber=2"),
        ("POST", "linuxone?uploadId="),
        ("POST", "checksums.txt?uploadId="),
    ] {
        let store = Versity::start();
        let proxy = Proxy::start(store.address());
        let project = project(proxy.address(), "echo one");
        kill_release_at(&project, &proxy, method, place);
        release(&project).expect(0);
        assert_eq!(store.has(), RELEASED, "{method} {place}");
        // An upload that was begun when nobody was left to hear of it stays, and the store throws it away when it is told to.
        assert!(store.uploads() <= 2, "{method} {place}");
    }
}

#[test]
fn what_others_have_put_there_is_replaced_where_the_user_says_so() {
    let store = Versity::start();
    release(&project(store.address(), "echo one")).expect(0);
    let other = project(store.address(), "echo other");
    let ended = release(&other).expect(1);
    assert!(ended.stdout.contains("is there, and"), "{}", ended.stdout);
    assert_eq!(store.has(), RELEASED);
    let of = |name: &str| format!("s3://downloads/hello/1.2.3/{name}");
    let (one, sums) = (of("linuxone"), of("hello_1.2.3_checksums.txt"));
    other.forge(&["run", "release", "--json", "--replace", &one, "--replace", &sums]).expect(0);
    assert_ne!(store.has()[1], RELEASED[1]);
    assert_eq!(store.has()[2], RELEASED[2]);
}
