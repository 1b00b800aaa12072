//! Files in a bucket of Google Cloud Storage: as in one of S3, by a service account.
//! Does not know what is the same for all buckets: `s3.rs` looks at that.

use crate::support::forge::Ended;
use crate::support::gcs::Gcs;
use crate::support::killed::kill_release_at;
use crate::support::project::Project;
use crate::support::proxy::Proxy;

const FILE: &str = r#"
[project]
name = "hello"

[secrets]
account = { env = "ACCOUNT" }

[[build]]
binary = "one"
tool = "command"
argv = ["sh", "-c", "echo one > $FORGE_OUTPUT"]
platforms = ["linux/amd64"]

[[checksum]]
kinds = ["binary"]

[[publish]]
to = "gcs"
bucket = "downloads"
endpoint = "http://ADDRESS"
key = "account"
kinds = ["binary"]
secrets = ["account"]
reveal = true
"#;

const RELEASED: &[&str] = &[
    "hello/1.2.3/hello_1.2.3_checksums.txt 33558e79b3310f99c4197ce74266853dc65719551c1546f9b20d67f9fee58d9a",
    "hello/1.2.3/one 2c8b08da5ce60398e1f19af0e5dccc744df274b826abe585eaba68c525434806",
];

fn project(address: &str, key: &str) -> Project {
    Project::of_text(&FILE.replace("ADDRESS", address)).env("ACCOUNT", key).tagged("v1.2.3")
}

fn release(project: &Project) -> Ended {
    project.forge(&["run", "release", "--json"])
}

#[test]
fn parts_first_and_objects_when_all_are_there() {
    let store = Gcs::start();
    let proxy = Proxy::start(store.address());
    let project = project(proxy.address(), &store.key());
    release(&project).expect(0);
    assert_eq!(store.has(), RELEASED);
    proxy.seen();
    // Nothing to do: what is there is asked, and nothing is changed.
    release(&project).expect(0);
    let seen: Vec<String> = proxy.seen().into_iter().map(|it| it.line).collect();
    assert!(!seen.is_empty() && seen.iter().all(|it| it.starts_with("HEAD")), "{seen:#?}");
}

#[test]
fn with_the_key_of_somebody_else_or_none_nothing_is_built() {
    let (store, other) = (Gcs::start(), Gcs::start());
    for (key, expected) in [(other.key(), "answers 401"), ("{}".to_owned(), "is no key of a service account")] {
        let ended = release(&project(store.address(), &key)).expect(1);
        let all = format!("{}{}", ended.stdout, ended.stderr);
        assert!(all.contains(expected), "{all}");
        assert!(ended.outcomes().iter().all(|it| !it.ends_with(" done")), "{all}");
    }
    assert_eq!(store.has(), [""; 0]);
}

#[test]
fn a1_killed_at_each_effect() {
    for (method, place) in
        [("PUT", "one?partNumber=1"), ("POST", "one?uploadId="), ("POST", "checksums%2Etxt?uploadId=")]
    {
        let store = Gcs::start();
        let proxy = Proxy::start(store.address());
        let project = project(proxy.address(), &store.key());
        kill_release_at(&project, &proxy, method, place);
        release(&project).expect(0);
        assert_eq!(store.has(), RELEASED, "{method} {place}");
    }
}
