//! The conformance suite of distribution-spec judges the registries of the tests, and the proxy in front of them: with no rule to
//! follow it must change nothing. Does not know forge.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};

use crate::support::olareg::Olareg;
use crate::support::program::test_program;
use crate::support::proxy::Proxy;
use crate::support::registry::Registry;

/// The one thing of the suite of today that olareg does not take: layers that lie elsewhere, which nobody makes any more.
const NOT_BY_OLAREG: &str = "non-distributable-layers";

/// What the suite asks, and how often the registry at this address did well, did not, or was not asked. Each time it works in
/// repositories of its own.
fn judged(address: &str, repository: &str, version: &str) -> BTreeMap<String, usize> {
    let results = tempfile::tempdir().expect("a temporary directory");
    let ended = Command::new(test_program("conformance"))
        .current_dir(results.path())
        .env("OCI_REGISTRY", address)
        .env("OCI_REPO1", format!("{repository}/one"))
        .env("OCI_REPO2", format!("{repository}/two"))
        .env("OCI_TLS", "disabled")
        .env("OCI_VERSION", version)
        .env("OCI_RESULTS_DIR", results.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    ended.expect("the suite starts");
    let text = fs::read_to_string(results.path().join("junit.xml")).expect("the suite leaves what it has found");
    let mut cases = BTreeMap::new();
    for case in text.split("<testcase ").skip(1) {
        let value = |key: &str| case.split(&format!("{key}=\"")).nth(1).and_then(|it| it.split('"').next()).expect(key);
        *cases.entry(format!("{} {}", value(" status"), value("name"))).or_default() += 1;
    }
    cases
}

fn count(cases: &BTreeMap<String, usize>, status: &str, part: &str) -> usize {
    cases.iter().filter(|(case, _)| case.starts_with(status) && case.contains(part)).map(|(_, count)| count).sum()
}

#[test]
fn a_registry_of_1_1_and_the_proxy_in_front_of_it() {
    let registry = Olareg::start_with(&["--api-delete", "--api-blob-delete"]);
    let proxy = Proxy::start(registry.address());
    let alone = judged(registry.address(), "alone", "1.1");
    assert_eq!(judged(proxy.address(), "behind", "1.1"), alone);
    assert!(count(&alone, "passed", "") > 600 && count(&alone, "passed", "/referrers") >= 4, "{alone:#?}");
    assert_eq!(count(&alone, "failure", ""), count(&alone, "failure", NOT_BY_OLAREG), "{alone:#?}");
}

#[test]
fn debians_registry_and_the_proxy_in_front_of_it() {
    let registry = Registry::start();
    let proxy = Proxy::start(registry.address());
    let alone = judged(registry.address(), "alone", "1.0");
    assert_eq!(judged(proxy.address(), "behind", "1.0"), alone);
    // It is older than the suite, and fails at what forge does not ask of it: a digest of another algorithm, a chunk out of order.
    assert!(count(&alone, "passed", "") > count(&alone, "failure", ""), "{alone:#?}");
}
