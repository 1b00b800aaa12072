//! The tests of `announce`: what each service is sent, and that it is sent once.
//! Do not know the network.

use std::sync::Mutex;

use expect_test::{Expect, expect};
use forge_plugin::schemas::{Body, HttpResponse};
use forge_plugin::testing::{FakeHost, plan_table, run_step, sample_facts};
use serde_json::{Value, json};

use super::*;

/// A host whose server answers this, and the requests that it saw.
fn host(status: u16) -> (FakeHost, &'static Mutex<Vec<HttpRequest>>) {
    let seen: &'static Mutex<Vec<HttpRequest>> = Box::leak(Box::default());
    let host = FakeHost::new().with_secret("hook", "https://hooks.example.org/T0/secret\n").on_http(move |request| {
        seen.lock().unwrap().push(request.clone());
        HttpResponse { status, body: "no_team".to_owned(), ..HttpResponse::default() }
    });
    (host, seen)
}

fn step(table: &Value) -> Step {
    plan_table::<Announce>(table, &sample_facts(), &[], &[]).unwrap().remove(0)
}

fn in_words(request: &HttpRequest) -> String {
    let body = if let Body::Text(text) = &request.body { text } else { "" };
    let headers: Vec<String> = request.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    format!("{:?} {} [{}] {body}\n", request.method, request.url, headers.join(", "))
}

fn check(table: Value, expect: Expect) {
    let (mut host, seen) = host(200);
    run_step::<Announce>(&step(&table), &mut host).unwrap();
    expect.assert_eq(&seen.lock().unwrap().iter().map(in_words).collect::<String>());
}

#[test]
fn what_each_is_sent() {
    check(
        json!({ "to": "slack", "secret_url": "hook", "username": "forge" }),
        expect![[r#"
            Post https://hooks.example.org/T0/secret [Content-Type: application/json, accept: */*] {"text":"hello 1.2.3 is out: https://example.org/acme/hello","username":"forge"}
        "#]],
    );
    check(
        json!({ "to": "mattermost", "secret_url": "hook" }),
        expect![[r#"
            Post https://hooks.example.org/T0/secret [Content-Type: application/json, accept: */*] {"text":"hello 1.2.3 is out: https://example.org/acme/hello"}
        "#]],
    );
    check(
        json!({ "to": "discord", "secret_url": "hook" }),
        expect![[r#"
            Post https://hooks.example.org/T0/secret [Content-Type: application/json, accept: */*] {"content":"hello 1.2.3 is out: https://example.org/acme/hello"}
        "#]],
    );
    check(
        json!({ "to": "discord", "secret_url": "hook", "title": "A release", "message": "{{ version }}" }),
        expect![[r#"
            Post https://hooks.example.org/T0/secret [Content-Type: application/json, accept: */*] {"embeds":[{"description":"1.2.3","title":"A release"}]}
        "#]],
    );
    check(
        json!({ "to": "teams", "secret_url": "hook", "title": "A release" }),
        expect![[r#"
            Post https://hooks.example.org/T0/secret [Content-Type: application/json, accept: */*] {"attachments":[{"content":{"$schema":"http://adaptivecards.io/schemas/adaptive-card.json","body":[{"text":"A release","type":"TextBlock","weight":"Bolder","wrap":true},{"text":"hello 1.2.3 is out: https://example.org/acme/hello","type":"TextBlock","weight":"Default","wrap":true}],"type":"AdaptiveCard","version":"1.4"},"contentType":"application/vnd.microsoft.card.adaptive"}],"type":"message"}
        "#]],
    );
    check(
        json!({ "to": "telegram", "secret_url": "hook", "chat": "@acme" }),
        expect![[r#"
            Post https://hooks.example.org/T0/secret/sendMessage [Content-Type: application/json, accept: */*] {"chat_id":"@acme","text":"hello 1.2.3 is out: https://example.org/acme/hello"}
        "#]],
    );
    check(
        json!({ "to": "mastodon", "url": "https://social.example.org/", "visibility": "unlisted" }),
        expect![[r#"
            Post https://social.example.org/api/v1/statuses [Content-Type: application/json, Idempotency-Key: 87894b8a4d45cf4558925cb13c087236215340666fd54440dfca15d2dcbd8199, accept: */*] {"status":"hello 1.2.3 is out: https://example.org/acme/hello","visibility":"unlisted"}
        "#]],
    );
    check(
        json!({ "to": "webhook", "url": "https://example.org/in" }),
        expect![[r#"
        Post https://example.org/in [Content-Type: application/json, accept: */*] {"message":"hello 1.2.3 is out: https://example.org/acme/hello"}
    "#]],
    );
    check(
        json!({ "to": "webhook", "url": "https://example.org/in", "message": "{ \"text\": \"{{ version }}\" }" }),
        expect![[r#"
            Post https://example.org/in [Content-Type: application/json, accept: */*] { "text": "1.2.3" }
        "#]],
    );
    check(
        json!({ "to": "webhook", "url": "https://example.org/in", "headers": { "X-Who": "forge" }, "content_type": "text/plain" }),
        expect![[r#"
            Post https://example.org/in [Content-Type: text/plain, X-Who: forge, accept: */*] hello 1.2.3 is out: https://example.org/acme/hello
        "#]],
    );
}

/// What each of several runs of one task comes to, and how many requests there were in all.
fn check_runs(tables: &[Value], status: u16, expect: Expect) {
    let (mut host, seen) = host(status);
    let run = |table: &Value| match run_step::<Announce>(&step(table), &mut host) {
        Ok(_) => "said\n".to_owned(),
        Err(failure) => {
            format!("{failure}; {}; {}\n", failure.causes.join("; "), failure.help.clone().unwrap_or_default())
        }
    };
    let told: String = tables.iter().map(run).collect();
    expect.assert_eq(&format!("{told}{} requests\n", seen.lock().unwrap().len()));
}

#[test]
fn once_and_again_when_it_was_refused_or_is_another() {
    let table = |message: &str| json!({ "to": "slack", "secret_url": "hook", "message": message });
    check_runs(
        &[table("a"), table("a"), table("b")],
        200,
        expect![[r#"
        said
        said
        said
        2 requests
    "#]],
    );
    check_runs(
        &[table("a"), table("a")],
        404,
        expect![[r#"
        `slack` says 404; no_team; look at the address and at what it says; nothing was announced there
        `slack` says 404; no_team; look at the address and at what it says; nothing was announced there
        2 requests
    "#]],
    );
}

#[test]
fn what_may_have_been_heard_is_not_said_again() {
    let (mut host, seen) = host(200);
    let step = step(&json!({ "to": "slack", "secret_url": "hook" }));
    let params: Params = serde_json::from_value(step.params.clone()).unwrap();
    // A run that died between the request and its answer.
    host.remember("announcement", &json!({ "begun": params.digest() })).unwrap();
    run_step::<Announce>(&step, &mut host).unwrap();
    assert!(seen.lock().unwrap().is_empty());
    run_step::<Announce>(&step, &mut host).unwrap();
    assert!(seen.lock().unwrap().is_empty());
}
