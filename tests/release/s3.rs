//! Files in a bucket of a store that speaks S3: parts first, which nobody sees, and objects when all of them are there.
//! Does not know what is the same for all buckets: `support/bucket.rs` does.

use crate::support::bucket::{
    RELEASED, Store as _, Ways, check_fault, check_kill, check_refused, check_release, check_replace, project,
    project_of, release, text,
};
use crate::support::proxy::Fault;
use crate::support::versity::Versity;

const PART: (&str, &str) = ("PUT", "partNumber=");
const OBJECT: (&str, &str) = ("POST", "uploadId=");

#[test]
fn parts_first_and_objects_when_all_are_there() {
    let store = Versity::start();
    check_release(&store, &Ways { part: PART, object: OBJECT });
    assert_eq!(store.uploads(), 0);
}

#[test]
fn with_another_key_nothing_is_built() {
    let store = Versity::start();
    let project = project(&store, store.address()).env("s3_key", "another key");
    let all = check_refused(&store, &project, "answers 403");
    assert!(!all.contains("another key"), "{all}");
    check_refused(&store, &project.env("s3_id", "two\nlines"), "the secret `s3_id` is no id of an access key");
}

#[test]
fn secrets_that_end_with_a_line() {
    let store = Versity::start();
    let project = project(&store, store.address());
    let project =
        store.secrets().iter().fold(project, |project, (name, value)| project.env(name, &format!("{value}\n")));
    release(&project).expect(0);
    assert_eq!(store.has(), RELEASED);
}

#[test]
fn where_there_is_no_bucket_nothing_is_built() {
    let store = Versity::start();
    let text = text(&store, store.address()).replace("bucket = \"downloads\"", "bucket = \"elsewhere\"");
    check_refused(&store, &project_of(&text, &store), "answers 404: NoSuchBucket");
}

#[test]
fn c1_a_reply_is_lost() {
    let store = Versity::start();
    for way in [PART, OBJECT] {
        assert_eq!(check_fault(&store, way, Fault::LostReply).uploads(), 0);
    }
}

#[test]
fn c2_an_upload_is_cut() {
    assert_eq!(check_fault(&Versity::start(), ("PUT", "two"), Fault::CutRequest(4_000_000)).uploads(), 0);
}

#[test]
fn c3_the_server_has_no_time() {
    let store = Versity::start();
    for way in [("HEAD", "/linuxone"), ("POST", "uploads"), PART, OBJECT] {
        let slow = Fault::Answer("503 Slow Down", vec![], "<Error><Code>SlowDown</Code></Error>");
        assert_eq!(check_fault(&store, way, slow).uploads(), 0);
    }
}

#[test]
fn a1_killed_at_each_effect() {
    let store = Versity::start();
    for way in [
        ("POST", "linuxone?uploads"),
        ("PUT", "linuxone?partNumber="),
        ("PUT", "partNumber=2"),
        ("POST", "linuxone?uploadId="),
        ("POST", "checksums.txt?uploadId="),
    ] {
        // An upload that was begun when nobody was left to hear of it stays, and the store throws it away when it is told to.
        assert!(check_kill(&store, way).uploads() <= 2, "{way:?}");
    }
}

#[test]
fn what_others_have_put_there_is_replaced_where_the_user_says_so() {
    check_replace(&Versity::start(), "s3://downloads/");
}
