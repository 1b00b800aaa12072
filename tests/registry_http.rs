//! The HTTP client of the engine, against a real registry and against servers that misbehave.
//! Does not know pipes, but for the last test: there `publish` speaks through it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use expect_test::{Expect, expect};
use forge_engine::registries::{Registries, Registry as Settings};
use forge_engine::run::http::{Http, Pace};
use forge_schemas::{AnsweredBy, Body, Digest, Failure, HttpRequest, HttpResponse, Method, Repeat};

use crate::registry_token::TokenServer;
use crate::support::certificates;
use crate::support::registry::Registry;
use crate::support::script::{Script, answer};

/// `pw`, as htpasswd writes it for `anna`.
const HTPASSWD: &str = "anna:$2y$05$abcdefghijklmnopqrstuuHIrMEWpUCQe2YqFR3sXwQ75u4od..9q\n";
const BASIC: &[(&str, &str)] = &[
    ("REGISTRY_AUTH", "htpasswd"),
    ("REGISTRY_AUTH_HTPASSWD_REALM", "test"),
    ("REGISTRY_AUTH_HTPASSWD_PATH", "{dir}/htpasswd"),
];
const TLS: &[(&str, &str)] =
    &[("REGISTRY_HTTP_TLS_CERTIFICATE", "{dir}/cert.pem"), ("REGISTRY_HTTP_TLS_KEY", "{dir}/key.pem")];

/// A client for one host; the variables `PW` and `BAD` are a good and a bad password.
pub fn http(address: &str, settings: Settings) -> Http {
    let registries: Registries = [(address.to_owned(), settings)].into();
    let variables = |name: &str| match name {
        "PW" => Some("pw".to_owned()),
        "BAD" => Some("not-pw".to_owned()),
        _ => None,
    };
    quick(Http::new(registries, Path::new("/"), Arc::new(variables)))
}

/// The same, but it waits for milliseconds where others wait for seconds.
pub fn quick(http: Http) -> Http {
    http.with_pace(Pace { first_wait: Duration::from_millis(1), ..Pace::default() })
}

/// Settings with anna's name, and this variable for her password.
pub fn anna(secret: &str) -> Settings {
    Settings { username: Some("anna".to_owned()), secret: Some(secret.to_owned()), ..Settings::default() }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Sends a request, and waits for what comes of it.
pub fn send(http: &Http, request: &HttpRequest) -> Result<HttpResponse, Failure> {
    runtime().block_on(http.send(request, std::future::pending()))
}

/// A GET.
pub fn get(address: &str, path: &str) -> HttpRequest {
    HttpRequest::new(Method::Get, format!("https://{address}{path}"))
}

/// Status and body, or the failure with its causes and help, without what differs from run to run.
fn in_words(outcome: &Result<HttpResponse, Failure>, address: &str) -> String {
    let text = match outcome {
        Ok(answer) => format!("{} {}", answer.status, answer.body),
        Err(failure) => {
            let help = failure.help.clone().unwrap_or_default();
            format!("{failure}; {}; {help}", failure.causes.join("; "))
        }
    };
    text.replace(address, "HOST")
}

/// Compares what came of a request, without what differs from run to run.
pub fn check(outcome: &Result<HttpResponse, Failure>, address: &str, expect: Expect) {
    expect.assert_eq(&in_words(outcome, address));
}

/// Uploads `content` and reads it back.
fn round_trip(http: &Http, address: &str, content: &str) {
    upload(http, address, content);
    let back = tempfile::tempdir().unwrap();
    let request = blob(address, content, &back.path().join("back"));
    let answer = send(http, &request).unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    assert_eq!(fs::read_to_string(back.path().join("back")).unwrap(), content);
}

/// Uploads a blob.
pub fn upload(http: &Http, address: &str, content: &str) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(content.as_bytes()).unwrap();
    let url = format!("https://{address}/v2/acme/hello/blobs/uploads/");
    let started = send(http, &HttpRequest::new(Method::Post, url)).unwrap();
    assert_eq!(started.status, 202, "{}", started.body);
    let location = started.header("location").unwrap();
    let body = Body::File { path: file.path().to_owned(), offset: 0, size: None };
    let url = format!("{location}&digest={}", Digest::of(content.as_bytes()));
    assert_eq!(send(http, &HttpRequest::new(Method::Put, url).body(body)).unwrap().status, 201);
}

/// The request for a blob with that content.
pub fn blob(address: &str, content: &str, to: &Path) -> HttpRequest {
    let digest = Digest::of(content.as_bytes());
    let request = get(address, &format!("/v2/acme/hello/blobs/{digest}"));
    HttpRequest { to_file: Some(to.to_owned()), digest: Some(digest), ..request }
}

#[test]
fn plain_http_on_loopback() {
    let registry = Registry::start();
    let http = http("unused", Settings::default());
    round_trip(&http, registry.address(), &"content ".repeat(100_000));
}

#[test]
fn insecure_speaks_what_the_host_speaks() {
    let insecure = Settings { insecure: Some(true), ..Settings::default() };
    let plain = Registry::start();
    round_trip(&http(plain.address(), insecure.clone()), plain.address(), "content");
    let self_signed = Registry::start_with(certificates::make, TLS);
    round_trip(&http(self_signed.address(), insecure), self_signed.address(), "content");
}

#[test]
fn own_authority_and_a_password() {
    let prepare = |dir: &Path| {
        certificates::make(dir);
        fs::write(dir.join("htpasswd"), HTPASSWD).unwrap();
    };
    let registry = Registry::start_with(prepare, &[TLS, BASIC].concat());
    let (address, ca) = (registry.address(), Some(registry.directory().join("ca.pem")));
    round_trip(&http(address, Settings { ca: ca.clone(), ..anna("PW") }), address, "content");

    let try_with = |settings| send(&http(address, settings), &get(address, "/v2/"));
    check(
        &try_with(Settings { insecure: Some(false), ..anna("PW") }),
        address,
        expect![[
            r#"can't connect to `HOST`: invalid peer certificate: UnknownIssuer; GET https://HOST/v2/; name the file of its authority's certificate as `ca` in `[registries."HOST"]`, or set `insecure = true`"#
        ]],
    );
    check(
        &try_with(Settings { ca: ca.clone(), ..Settings::default() }),
        address,
        expect![[r#"no credentials for `HOST`; ; run `docker login HOST`, or name a secret in `[registries."HOST"]`"#]],
    );
    check(
        &try_with(Settings { ca: ca.clone(), ..anna("BAD") }),
        address,
        expect![[
            r#"`HOST` refuses the credentials from the secret `BAD`; GET https://HOST/v2/; are they still good, and do they allow this? `docker login HOST`, or another secret in `[registries."HOST"]`, gives new ones"#
        ]],
    );
    check(
        &try_with(Settings { ca, ..anna("UNSET") }),
        address,
        expect![[
            r#"the secret `UNSET` is not set; `[registries."HOST"]` names it; set the environment variable `UNSET`"#
        ]],
    );
}

#[test]
fn tokens_of_a_token_server() {
    let certificates = tempfile::tempdir().unwrap();
    certificates::make(certificates.path());
    let tokens = TokenServer::start(certificates.path());
    let realm = format!("http://{}/token", tokens.address);
    let bundle = certificates.path().join("ca.pem");
    let variables = [
        ("REGISTRY_AUTH", "token"),
        ("REGISTRY_AUTH_TOKEN_REALM", &realm),
        ("REGISTRY_AUTH_TOKEN_SERVICE", "test"),
        ("REGISTRY_AUTH_TOKEN_ISSUER", "test"),
        ("REGISTRY_AUTH_TOKEN_ROOTCERTBUNDLE", bundle.to_str().unwrap()),
    ];
    let registry = Registry::start_with(|_| {}, &variables);
    let address = registry.address();

    // The second token is for all that was asked for so far; reading back needs no third.
    round_trip(&http(address, anna("PW")), address, "content");
    assert_eq!(tokens.asked(), ["GET repository:acme/hello:pull,push"]);

    // One token for all that a pipe says it will need.
    let client = http(address, anna("PW"));
    let scopes = ["repository:acme/other:pull,push", "repository:acme/hello:pull"].map(str::to_owned).to_vec();
    let digest = Digest::of(b"content");
    let ask = HttpRequest { scopes: scopes.clone(), ..get(address, &format!("/v2/acme/other/blobs/{digest}")) };
    assert_eq!(send(&client, &ask).unwrap().status, 404);
    let url = format!("https://{address}/v2/acme/other/blobs/uploads/?mount={digest}&from=acme/hello");
    let mount = HttpRequest { scopes, ..HttpRequest::new(Method::Post, url) };
    assert_eq!(send(&client, &mount).unwrap().status, 201);
    assert_eq!(tokens.asked(), ["GET repository:acme/hello:pull repository:acme/other:pull,push"]);

    let docker = tempfile::tempdir().unwrap();
    let login = format!(r#"{{"auths": {{"{address}": {{"auth": "MDow", "identitytoken": "t0"}}}}}}"#);
    fs::write(docker.path().join("config.json"), login).unwrap();
    let dir = docker.path().to_str().unwrap().to_owned();
    let variables = move |name: &str| (name == "DOCKER_CONFIG").then(|| dir.clone());
    let client = Http::new(Registries::new(), Path::new("/"), Arc::new(variables));
    round_trip(&client, address, "other content");
    assert_eq!(tokens.asked(), ["POST repository:acme/hello:pull,push"]);

    let blob = get(address, &format!("/v2/acme/hello/blobs/{digest}"));
    check(
        &send(&http(address, anna("BAD")), &blob),
        address,
        expect![[
            r#"`HOST` refuses the credentials from the secret `BAD`; ; are they still good, and do they allow this? `docker login HOST`, or another secret in `[registries."HOST"]`, gives new ones"#
        ]],
    );
    check(
        &send(&http(address, Settings::default()), &blob),
        address,
        expect![[r#"no credentials for `HOST`; ; run `docker login HOST`, or name a secret in `[registries."HOST"]`"#]],
    );
}

#[test]
fn a_token_is_renewed_when_it_is_refused() {
    let challenge = |address: &str| {
        answer("401 Unauthorized", &[&format!("WWW-Authenticate: Bearer realm=\"http://{address}/token\"")], "")
    };
    let token = |token: &str| answer("200 OK", &[], &format!(r#"{{"token": "{token}", "expires_in": 3600}}"#));
    let script = Script::start_with(|address| {
        let ok = answer("200 OK", &[], "ok");
        vec![challenge(address), token("one"), ok.clone(), challenge(address), token("two"), ok]
    });
    let http = http("unused", Settings::default());
    let request = get(script.address(), "/v2/acme/hello/manifests/1");
    assert_eq!(send(&http, &request).unwrap().body, "ok");
    assert_eq!(send(&http, &request).unwrap().body, "ok");
    let keys: Vec<String> = script.rest().iter().map(|request| bearer(request)).collect();
    assert_eq!(keys, ["", "", "Bearer one", "Bearer one", "", "Bearer two"]);
}

#[test]
fn a_token_server_without_tls() {
    let challenge = "WWW-Authenticate: Bearer realm=\"http://auth.example/token\"";
    let script = Script::start(vec![answer("401 Unauthorized", &[challenge], "")]);
    let request = get(script.address(), "/v2/acme/hello/manifests/1");
    check(
        &send(&http(script.address(), anna("PW")), &request),
        script.address(),
        expect![[
            r#"`HOST` wants its password sent to `auth.example` in plain http; ; if that is right, set `insecure = true` in `[registries."auth.example"]`"#
        ]],
    );
}

fn bearer(request: &str) -> String {
    let line = request.lines().find_map(|line| line.strip_prefix("authorization: "));
    line.unwrap_or_default().to_owned()
}

#[test]
fn what_passes_is_tried_again() {
    let busy = answer("503 Service Unavailable", &[], "busy");
    let script = Script::start(vec![busy.clone(), String::new(), answer("200 OK", &[], "ok")]);
    let http = http("unused", Settings::default());
    check(&send(&http, &get(script.address(), "/")), script.address(), expect!["200 ok"]);

    // Ten times, and no more.
    let script = Script::start(vec![busy.clone(); 12]);
    check(&send(&http, &get(script.address(), "/")), script.address(), expect!["503 busy"]);
    assert_eq!(script.rest().len(), 10);

    // Not what would be done twice, unless the pipe says that it may be.
    let script = Script::start(vec![busy.clone(); 2]);
    let post = |path: &str| HttpRequest::new(Method::Post, format!("https://{}{path}", script.address()));
    check(&send(&http, &post("/releases")), script.address(), expect!["503 busy"]);
    assert_eq!(script.rest().len(), 1);
    let script = Script::start(vec![busy, answer("202 Accepted", &[], "")]);
    let post = |path: &str| HttpRequest::new(Method::Post, format!("https://{}{path}", script.address()));
    let start = HttpRequest { repeat: Repeat::Always, ..post("/v2/acme/hello/blobs/uploads/") };
    check(&send(&http, &start), script.address(), expect!["202 "]);
    // Nor what the pipe asks about.
    let script = Script::start(vec![String::new(); 2]);
    let put = HttpRequest::new(Method::Put, format!("https://{}/", script.address()));
    send(&http, &HttpRequest { repeat: Repeat::Never, ..put }).unwrap_err();
    assert_eq!(script.rest().len(), 1);
}

#[test]
fn as_late_as_the_server_says() {
    for status in ["429 Too Many Requests", "403 Forbidden"] {
        let script = Script::start(vec![answer(status, &["Retry-After: 1"], ""), answer("200 OK", &[], "ok")]);
        let begin = Instant::now();
        let request = HttpRequest::new(Method::Post, format!("https://{}/", script.address()));
        check(&send(&http("unused", Settings::default()), &request), script.address(), expect!["200 ok"]);
        assert!(begin.elapsed() >= Duration::from_secs(1), "{status}");
    }
}

#[test]
fn a_limit_of_an_hour_is_told_and_a_refusal_is_none() {
    let date = "Date: Wed, 21 Oct 2015 07:28:00 GMT";
    let used_up = ["X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1445414400", date];
    let script = Script::start(vec![answer("403 Forbidden", &used_up, "")]);
    check(
        &send(&http("unused", Settings::default()), &get(script.address(), "/")),
        script.address(),
        expect![
            "`HOST` wants to be left alone for 32 min; GET https://HOST/; run it again then: it goes on where it has stopped, and repeats nothing that is done"
        ],
    );
    let script = Script::start(vec![answer("403 Forbidden", &["X-RateLimit-Remaining: 4999", used_up[1], date], "no")]);
    check(
        &send(&http("unused", Settings::default()), &get(script.address(), "/")),
        script.address(),
        expect!["403 no"],
    );
    assert_eq!(script.rest().len(), 1);
}

#[test]
fn a_body_is_read_again() {
    let script = Script::start(vec![String::new(), answer("201 Created", &[], "")]);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, format!("skip{}", "content ".repeat(1000))).unwrap();
    let put = HttpRequest::new(Method::Put, format!("https://{}/", script.address())).body(Body::File {
        path,
        offset: 4,
        size: Some(7),
    });
    assert_eq!(send(&http("unused", Settings::default()), &put).unwrap().status, 201);
    let requests = [script.next(), script.next()];
    assert!(requests[1].contains("\r\ncontent-length: 7\r\n"), "{requests:?}");
    assert!(requests[1].ends_with("\r\n\r\ncontent"), "{requests:?}");
}

#[test]
fn an_answer_that_is_cut_off() {
    let cut = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf".to_owned();
    let script = Script::start(vec![cut.clone(), answer("200 OK", &[], "whole")]);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    let to_file =
        |script: &Script, digest| HttpRequest { to_file: Some(path.clone()), digest, ..get(script.address(), "/") };
    let http = http("unused", Settings::default());
    send(&http, &to_file(&script, Some(Digest::of(b"whole")))).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "whole");

    let script = Script::start(vec![cut; 10]);
    check(
        &send(&http, &to_file(&script, None)),
        script.address(),
        expect![
            "the connection was cut off: end of file before message length reached; GET https://HOST/; tried 10 times; "
        ],
    );
    let script = Script::start(vec![answer("200 OK", &[], "other")]);
    let outcome = send(&http, &to_file(&script, Some(Digest::of(b"whole"))));
    check(
        &outcome,
        script.address(),
        expect![
            "the answer's digest is `sha256:d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa` instead of `sha256:5d5766cf2d78701614200418ee1450690d9af12c84d52545e4802f001ad53099`; GET https://HOST/; "
        ],
    );
    // What was there stays, and nothing lies beside it.
    assert_eq!(fs::read_to_string(&path).unwrap(), "whole");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn an_answer_that_is_too_long() {
    let script = Script::start(vec![answer("200 OK", &[], &"x".repeat((4 << 20) + 1))]);
    let outcome = send(&http("unused", Settings::default()), &get(script.address(), "/"));
    check(
        &outcome,
        script.address(),
        expect!["the answer is longer than 4 MiB and was asked for inline; GET https://HOST/; "],
    );
}

#[test]
fn credentials_do_not_follow_a_redirect() {
    let storage = Script::start(vec![answer("200 OK", &[], "blob")]);
    let location = format!("Location: http://localhost:{}/blob?signed", storage.address().rsplit(':').next().unwrap());
    let challenge = answer("401 Unauthorized", &["WWW-Authenticate: Basic realm=\"x\""], "");
    let script = Script::start(vec![challenge, answer("307 Temporary Redirect", &[&location], "")]);
    let outcome = send(&http(script.address(), anna("PW")), &get(script.address(), "/"));
    check(&outcome, script.address(), expect!["200 blob"]);
    assert_eq!(script.rest().iter().map(|it| bearer(it)).collect::<Vec<_>>(), ["", "Basic YW5uYTpwdw=="]);
    assert_eq!(bearer(&storage.next()), "");
}

#[test]
fn whoever_is_turned_away_speaks_for_all() {
    // The second request of another task comes no earlier than the first one may.
    let limited = answer("429 Too Many Requests", &["Retry-After: 1"], "");
    let ok = answer("200 OK", &[], "ok");
    let script = Script::start(vec![limited, ok.clone(), ok]);
    let client = http("unused", Settings::default());
    let runtime = runtime();
    let begin = Instant::now();
    let late = runtime.block_on(async {
        let first = get(script.address(), "/first");
        let first = client.send(&first, std::future::pending());
        let second = async {
            // The first was asked, and knows what it was told, once the server has seen its end.
            while script.rest().is_empty() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
            client.send(&get(script.address(), "/second"), std::future::pending()).await.unwrap();
            begin.elapsed()
        };
        let (first, late) = tokio::join!(first, second);
        first.unwrap();
        late
    });
    assert!(late >= Duration::from_secs(1), "{late:?}");
}

#[test]
fn no_more_requests_a_second_than_the_user_allows() {
    let ok = answer("200 OK", &[], "ok");
    let script = Script::start(vec![ok; 5]);
    let client = http(script.address(), Settings { rate: std::num::NonZeroU32::new(10), ..Settings::default() });
    let begin = Instant::now();
    for _ in 0..5 {
        send(&client, &get(script.address(), "/")).unwrap();
    }
    assert!(begin.elapsed() >= Duration::from_millis(400), "the fifth begins four tenths after the first");
}

#[test]
fn mirrors_are_asked_first_and_passed_over_where_they_fail() {
    let by_mirror = |path: &str| HttpRequest { by: AnsweredBy::Mirror, ..get("hub.example", path) };
    let with_mirrors = |mirrors: Vec<String>| http("hub.example", Settings { mirrors, ..Settings::default() });
    let manifest = "/v2/library/debian/manifests/12";
    let ok = answer("200 OK", &[], "of the mirror");
    // The first lacks it, the second has it: nobody else is asked.
    let lacks = Script::start(vec![answer("404 Not Found", &[], "")]);
    let has = Script::start(vec![ok.clone()]);
    let client = with_mirrors(vec![lacks.address().to_owned(), format!("{}/hub", has.address())]);
    check(&send(&client, &by_mirror(manifest)), "hub.example", expect!["200 of the mirror"]);
    assert!(lacks.next().starts_with("GET /v2/library/debian/manifests/12 "));
    assert!(has.next().starts_with("GET /v2/hub/library/debian/manifests/12 "));

    // Other bytes than were asked for are passed over too; what is said in the end is said of the host.
    let origin = Script::start(vec![answer("200 OK", &[], "right")]);
    let wrong = Script::start(vec![answer("200 OK", &[], "wrong")]);
    let of_origin = Settings { mirrors: vec![wrong.address().to_owned()], ..Settings::default() };
    let client = http(origin.address(), of_origin);
    let request = HttpRequest { digest: Some(Digest::of(b"right")), ..get(origin.address(), manifest) };
    let request = HttpRequest { by: AnsweredBy::Mirror, ..request };
    check(&send(&client, &request), origin.address(), expect!["200 right"]);

    // What is to be changed is asked of the host itself.
    let origin = Script::start(vec![ok]);
    let mirror = Script::start(Vec::new());
    let client = http(origin.address(), Settings { mirrors: vec![mirror.address().to_owned()], ..Settings::default() });
    send(&client, &get(origin.address(), manifest)).unwrap();
    assert!(mirror.rest().is_empty());

    // Where nobody has it, the failure names all.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let request = HttpRequest { by: AnsweredBy::Mirror, ..get(&closed, manifest) };
    let client = http(&closed, Settings { mirrors: vec!["127.0.0.1:1".to_owned()], ..Settings::default() });
    check(
        &send(&client, &request),
        &closed,
        expect![
            "can't connect to `HOST`: Connection refused (os error 111); GET https://HOST/v2/library/debian/manifests/12; tried 5 times; the mirror `127.0.0.1:1`: can't connect to `127.0.0.1:1`: Connection refused (os error 111); is `HOST` up, and is that its port?"
        ],
    );
}

#[test]
fn a_run_that_is_interrupted() {
    // Both connections stay open without an answer, for the listener takes none.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
    let taker = std::thread::spawn(move || {
        let connection = listener.accept().unwrap();
        drop(sender);
        connection
    });
    let client = http("unused", Settings::default());
    let request = get(&address, "/");
    let outcome = runtime().block_on(client.send(&request, async { drop(receiver.await) }));
    check(&outcome, &address, expect!["the run was interrupted; ; "]);
    drop(taker.join());
}

#[test]
fn what_a_failure_shows() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let client = http("unused", Settings::default());
    check(
        &send(&client, &get(&closed, "/v2/a/blobs/uploads/1?_state=s3cret")),
        &closed,
        expect![
            "can't connect to `HOST`: Connection refused (os error 111); GET https://HOST/v2/a/blobs/uploads/1?…; tried 5 times; is `HOST` up, and is that its port?"
        ],
    );
    check(
        &send(&client, &HttpRequest::new(Method::Get, "ftp://example.org/x")),
        "-",
        expect!["`GET ftp://example.org/x` is no address to send a request to; ; "],
    );
    check(
        &send(&client, &HttpRequest::new(Method::Get, "https://anna:pw@ghcr.io/v2/?x")),
        "-",
        expect!["`GET https://ghcr.io/v2/?…` is no address to send a request to; ; "],
    );
    let with_key = get(&closed, "/").header("Authorization", "Bearer s3cret");
    check(
        &send(&client, &with_key),
        &closed,
        expect!["`Authorization` is not a header that a pipe may send, or has a bad value; ; "],
    );
}
