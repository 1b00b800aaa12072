//! Rows C at the engine's HTTP client, where a release would have to wait for minutes: how patient it is can be told here.
//! Does not know pipes.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use expect_test::{Expect, expect};
use forge_engine::registries::{Registries, Registry as Settings};
use forge_engine::run::http::{Http, Pace};
use forge_schemas::{Body, HttpRequest, Method};

use crate::registry_http::{blob, check, get, http, send, upload};
use crate::support::certificates;
use crate::support::proxy::{Fault, Proxy};
use crate::support::registry::Registry;

const CONTENT: &str = "what lies in the registry";

/// A client in a hurry.
fn hurried(address: &str) -> Http {
    let (silence, stretch) = (Duration::from_millis(300), Duration::from_millis(200));
    let first_wait = Duration::from_millis(1);
    let pace = Pace { silence, stretch, least: 5, first_wait, ..Pace::default() };
    http(address, Settings::default()).with_pace(pace)
}

/// A blob is asked for through a proxy that does harm, then through one that does none. Of what has failed nothing is
/// left, and the second time all of it is there.
fn check_blob(fault: Fault, expect: Expect) {
    let registry = Registry::start();
    let proxy = Proxy::start(registry.address());
    let patient = http(proxy.address(), Settings::default());
    upload(&patient, proxy.address(), CONTENT);
    proxy.fault("GET", "/blobs/", 1..=usize::MAX, fault);
    let directory = tempfile::tempdir().expect("a temporary directory");
    let request = blob(proxy.address(), CONTENT, &directory.path().join("blob"));
    let outcome = send(&hurried(proxy.address()), &request);
    let digest = request.digest.expect("it is asked for by digest").to_string();
    let outcome = outcome.map_err(|mut failure| {
        failure.message = failure.message.replace(&digest, "DIGEST");
        failure.causes = failure.causes.iter().map(|it| it.replace(&digest, "DIGEST")).collect();
        failure
    });
    check(&outcome, proxy.address(), expect);
    assert_eq!(fs::read_dir(directory.path()).expect("a directory").count(), 0, "nothing is left");
    proxy.heal();
    assert_eq!(send(&patient, &request).expect("all is well").status, 200);
    assert_eq!(fs::read_to_string(directory.path().join("blob")).expect("a blob"), CONTENT);
}

#[test]
fn c3_a_host_that_is_not_there() {
    let closed =
        TcpListener::bind("127.0.0.1:0").expect("loopback works").local_addr().expect("an address").to_string();
    let outcome = send(&hurried(&closed), &get(&closed, "/v2/"));
    check(
        &outcome,
        &closed,
        expect![
            "can't connect to `HOST`: Connection refused (os error 111); GET https://HOST/v2/; tried 5 times; is `HOST` up, and is that its port?"
        ],
    );
    let name = "nosuch.invalid";
    let outcome = send(&hurried(name), &get(name, "/v2/"));
    let failure = outcome.expect_err("there is no such name");
    assert!(failure.message.starts_with("can't connect to `nosuch.invalid`: "), "{failure}");
    assert_eq!(failure.causes, ["GET https://nosuch.invalid/v2/", "tried 5 times"]);
}

fn check_certificate(make: impl FnOnce(&Path), expect: Expect) {
    let tls = [("REGISTRY_HTTP_TLS_CERTIFICATE", "{dir}/cert.pem"), ("REGISTRY_HTTP_TLS_KEY", "{dir}/key.pem")];
    let registry = Registry::start_with(make, &tls);
    let settings = Settings { ca: Some(registry.directory().join("ca.pem")), ..Settings::default() };
    let client = http(registry.address(), settings);
    let failure = send(&client, &get(registry.address(), "/v2/")).expect_err("a bad certificate");
    // Not tried again: that would stand among the causes.
    assert_eq!(failure.causes, [format!("GET https://{}/v2/", registry.address())]);
    let message = failure.message.replace(registry.address(), "HOST");
    // The hour of the test is told as well.
    expect.assert_eq(message.split("verification time").next().unwrap_or_default());
}

#[test]
fn c3_certificates_that_are_not_good() {
    check_certificate(
        certificates::make_expired,
        expect!["can't connect to `HOST`: invalid peer certificate: certificate expired: "],
    );
    check_certificate(
        |directory| certificates::make_for("DNS:example.org", directory),
        expect![[
            r#"can't connect to `HOST`: invalid peer certificate: certificate not valid for name "127.0.0.1"; certificate is only valid for DnsName("example.org")"#
        ]],
    );
    let unknown = |directory: &Path| {
        certificates::make(directory);
        let other = tempfile::tempdir().expect("a temporary directory");
        certificates::make(other.path());
        fs::copy(other.path().join("ca.pem"), directory.join("ca.pem")).expect("a file can be copied");
    };
    check_certificate(unknown, expect!["can't connect to `HOST`: invalid peer certificate: BadSignature"]);
}

#[test]
fn c4_silence_before_the_answer() {
    check_blob(
        Fault::Stall(None),
        expect![[
            r#"nothing has moved for 0.3 s; GET https://HOST/v2/acme/hello/blobs/DIGEST; tried 2 times; run it again when `HOST` answers; for how long it may be silent says `patience` in `[registries."HOST"]`"#
        ]],
    );
}

#[test]
fn c4_silence_in_the_middle() {
    check_blob(
        Fault::Stall(Some(10)),
        expect![[
            r#"fewer than 5 bytes have come in 0.2 s; GET https://HOST/v2/acme/hello/blobs/DIGEST; tried 2 times; run it again when `HOST` answers; for how long it may be silent says `patience` in `[registries."HOST"]`"#
        ]],
    );
}

#[test]
fn c4_a_trickle() {
    check_blob(
        Fault::Trickle(Duration::from_millis(150)),
        expect![[
            r#"fewer than 5 bytes have come in 0.2 s; GET https://HOST/v2/acme/hello/blobs/DIGEST; tried 2 times; run it again when `HOST` answers; for how long it may be silent says `patience` in `[registries."HOST"]`"#
        ]],
    );
}

#[test]
fn c4_slow_but_fast_enough() {
    let registry = Registry::start();
    let proxy = Proxy::start(registry.address());
    upload(&http(proxy.address(), Settings::default()), proxy.address(), &CONTENT.repeat(4));
    // About two stretches long.
    proxy.fault("GET", "/blobs/", 1..=1, Fault::Trickle(Duration::from_millis(4)));
    let directory = tempfile::tempdir().expect("a temporary directory");
    let request = blob(proxy.address(), &CONTENT.repeat(4), &directory.path().join("blob"));
    assert_eq!(send(&hurried(proxy.address()), &request).expect("it comes").status, 200);
    assert_eq!(proxy.seen().iter().filter(|it| it.line.starts_with("GET ")).count(), 1, "at the first try");
}

#[test]
fn c5_a_body_that_ends_too_soon() {
    check_blob(
        Fault::CutReply(10),
        expect![
            "the connection was cut off: end of file before message length reached; GET https://HOST/v2/acme/hello/blobs/DIGEST; tried 10 times; "
        ],
    );
}

#[test]
fn c5_a_length_that_is_wrong() {
    check_blob(
        Fault::Header("Content-Length", Some("10".to_owned())),
        expect![
            "the answer's digest is `sha256:2396b0504b2598b9703502bba953852da63c4382950ba8e8332763e8b451edf1` instead of `DIGEST`; GET https://HOST/v2/acme/hello/blobs/DIGEST; "
        ],
    );
    check_blob(
        Fault::Header("Content-Length", Some("100".to_owned())),
        expect![
            "the connection was cut off: end of file before message length reached; GET https://HOST/v2/acme/hello/blobs/DIGEST; tried 10 times; "
        ],
    );
}

#[test]
fn c6_a_byte_that_is_another() {
    check_blob(
        Fault::Flip(3),
        expect![
            "the answer's digest is `sha256:0078bd34ba8656ebf85a57db9624fe5e92963057b73017d9ee22156417876f19` instead of `DIGEST`; GET https://HOST/v2/acme/hello/blobs/DIGEST; "
        ],
    );
}

#[test]
fn c8_what_is_not_idempotent_is_sent_once() {
    let registry = Registry::start();
    let proxy = Proxy::start(registry.address());
    proxy.fault("POST", "/uploads/", 1..=usize::MAX, Fault::LostReply);
    let url = format!("https://{}/v2/acme/hello/blobs/uploads/", proxy.address());
    let outcome = send(&hurried(proxy.address()), &HttpRequest::new(Method::Post, url).body(Body::Empty));
    check(
        &outcome,
        proxy.address(),
        expect![
            "the connection was cut off: connection closed before message completed; POST https://HOST/v2/acme/hello/blobs/uploads/; "
        ],
    );
    assert_eq!(proxy.seen().len(), 1);
}

#[test]
fn c12_redirects_that_lead_nowhere() {
    let registry = Registry::start();
    let proxy = Proxy::start(registry.address());
    let to_itself = Fault::Answer("307 Temporary Redirect", vec!["Location: /v2/".to_owned()], "");
    proxy.fault("GET", "/v2/", 1..=usize::MAX, to_itself);
    check(
        &send(&hurried(proxy.address()), &get(proxy.address(), "/v2/")),
        proxy.address(),
        expect!["more than 8 redirects; GET https://HOST/v2/; "],
    );
    assert_eq!(proxy.seen().len(), 9);
}

/// A registry that asks for a password, and a helper that should know it. The failure names the helper.
fn check_helper(script: &str, expect: Expect) {
    let home = tempfile::tempdir().expect("a temporary directory");
    let program = home.path().join("docker-credential-odd");
    fs::write(&program, format!("#!/bin/sh\nread -r host\n{script}\n")).expect("a file can be written");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("a file can be made executable");
    fs::write(home.path().join("config.json"), r#"{"credsStore": "odd"}"#).expect("a file can be written");
    let registry = Registry::start();
    let proxy = Proxy::start(registry.address());
    let asks = vec!["WWW-Authenticate: Basic realm=\"test\"".to_owned()];
    proxy.fault("GET", "/v2/", 1..=usize::MAX, Fault::Answer("401 Unauthorized", asks, ""));
    let place = home.path().display().to_string();
    let variables = move |name: &str| match name {
        "DOCKER_CONFIG" => Some(place.clone()),
        "PATH" => Some(format!("{place}:/usr/bin:/bin")),
        _ => None,
    };
    let client = Http::new(Registries::new(), Path::new("/"), Arc::new(variables));
    check(&send(&client, &get(proxy.address(), "/v2/")), proxy.address(), expect);
    assert!(proxy.seen().iter().all(|it| !it.head.to_lowercase().contains("authorization")), "nothing was sent");
}

#[test]
fn c11_helpers_that_do_not_help() {
    check_helper(
        "echo nonsense",
        expect![[
            r#"can't ask `docker-credential-odd` for the credentials of `HOST`: what it printed is not what a helper prints; ; install `docker-credential-odd`, or name a secret in `[registries."HOST"]`"#
        ]],
    );
    check_helper(
        "echo no key ring here; exit 1",
        expect![[
            r#"can't ask `docker-credential-odd` for the credentials of `HOST`: it ended with exit status: 1; ; install `docker-credential-odd`, or name a secret in `[registries."HOST"]`"#
        ]],
    );
    check_helper(
        "echo '{\"ServerURL\": \"x\"}'",
        expect![[
            r#"can't ask `docker-credential-odd` for the credentials of `HOST`: what it printed is not what a helper prints; ; install `docker-credential-odd`, or name a secret in `[registries."HOST"]`"#
        ]],
    );
}
