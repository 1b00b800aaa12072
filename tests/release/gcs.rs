//! Files in a bucket of Google Cloud Storage, by a service account.
//! Does not know what is the same for all buckets: `support/bucket.rs` does.

use crate::support::bucket::{Store as _, Ways, check_kill, check_refused, check_release, project};
use crate::support::gcs::Gcs;

#[test]
fn parts_first_and_objects_when_all_are_there() {
    let ways = Ways { part: ("PUT", "partNumber="), object: ("POST", "uploadId=") };
    check_release(&Gcs::start(), &ways);
}

#[test]
fn with_the_key_of_somebody_else_or_none_nothing_is_built() {
    let (store, other) = (Gcs::start(), Gcs::start());
    for (key, because) in [(other.key(), "answers 401"), ("{}".to_owned(), "is no key of a service account")] {
        check_refused(&store, &project(&store, store.address()).env("account", &key), because);
    }
}

#[test]
fn a1_killed_at_each_effect() {
    let store = Gcs::start();
    for way in [("PUT", "linuxone?partNumber=1"), ("POST", "linuxone?uploadId="), ("POST", "checksums%2Etxt?uploadId=")]
    {
        check_kill(&store, way);
    }
}
