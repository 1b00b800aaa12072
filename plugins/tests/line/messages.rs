//! Every message as it is sent: `plugins/tests/messages/` has one of each, for those who write plugins in any language.
//! Does not send them. What changes here changes for every plugin there is: messages may only gain members.

use std::fmt::Debug;
use std::fs;
use std::path::PathBuf;

use forge_plugin::schemas::kind::Role;
use forge_plugin::schemas::{
    AnsweredBy, Artifact, AskTrace, Authorization, Blob, Body, Change, Command, Describe, Digest, Effect, Emit,
    EmitBlob, Exit, Expect, Failure, FailureClass, Finding, GetSecret, GotSecret, Hello, Host, HttpRequest,
    HttpResponse, KindInfo, Memory, Method, Note, Offer, Output, PipeInfo, Place, Plan, PlanReply, Platform,
    PluginInfo, Presence, Probe, ProbeReply, Problem, Read, Recall, Render, RenderReply, Repeat, Resource, Run,
    SecretNeed, SecretReader, Selector, SourceFile, SourceText, Step, TableName, Takes, TakesReply, Tool, Trace,
    Traced, TracedArtifact, TracedTask, TracedTool, Wanted,
};
use forge_plugin::testing::sample_facts;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// The message is written as its file says, and read from it, whatever a later version adds.
#[track_caller]
fn check<M: Serialize + DeserializeOwned + PartialEq + Debug>(name: &str, message: &M) {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/messages").join(format!("{name}.json"));
    let text = serde_json::to_string_pretty(message).unwrap() + "\n";
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, &text).unwrap();
    }
    let golden = fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(text, golden, "{name} is not what it was: UPDATE_EXPECT=1, if no plugin can mind");
    let later = with_more(&serde_json::from_str(&golden).unwrap());
    assert_eq!(serde_json::from_value::<M>(later).unwrap(), *message, "{name} of a later version");
}

/// The same with a member more wherever a later version may add one.
fn with_more(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(with_more).collect(),
        Value::Object(members) if is_choice(members) => members.iter().map(with_more_in).collect(),
        Value::Object(members) => {
            let more = ("x_later".to_owned(), json!({ "n": 1 }));
            members.iter().map(with_more_in).chain([more]).collect()
        }
        other => other.clone(),
    }
}

/// What the user or a pipe has filled is left alone.
fn with_more_in((name, value): (&String, &Value)) -> (String, Value) {
    let is_theirs = ["params", "detail", "settings", "names", "value", "headers", "env"].contains(&name.as_str());
    (name.clone(), if is_theirs { value.clone() } else { with_more(value) })
}

/// One of several forms, named by its only member: `{"key": …}`.
fn is_choice(members: &Map<String, Value>) -> bool {
    members.len() == 1 && ["key", "file", "text", "held", "exclusive"].iter().any(|it| members.contains_key(*it))
}

fn table() -> TableName {
    TableName::new("acme_upload", "files")
}

fn platform() -> Platform {
    "linux/arm/v7".parse().unwrap()
}

fn offer() -> Offer {
    let (name, kind) = ("hello_linux_armv7/hello".to_owned(), "binary".to_owned());
    let detail = json!({ "file_name": "hello" });
    Offer {
        name,
        kind,
        platform: Some(platform()),
        table: TableName::new("build", "hello"),
        made_of: vec!["main.c".to_owned()],
        detail,
    }
}

fn artifact() -> Artifact {
    let Offer { name, kind, platform, table, detail, .. } = offer();
    let digest = Digest::of(b"program");
    let path = PathBuf::from("/src/hello/.forge/store/blobs/sha256").join(digest.hex());
    let blobs = vec![Blob { digest, size: 7, path: path.clone() }];
    Artifact { name, kind, platform, table, digest, size: 7, path, executable: true, blobs, detail }
}

fn step() -> Step {
    let place = Place::Key("sources[0]".to_owned());
    Step {
        name: "linux/arm/v7".to_owned(),
        platform: Some(platform()),
        takes: vec![offer().name],
        makes: vec![Output {
            name: "hello.report".to_owned(),
            kind: "acme.report".to_owned(),
            platform: None,
            detail: json!({ "title": "Tests" }),
        }],
        replaces: vec![offer().name],
        effect: Effect::Publish,
        recall: Recall::Impossible,
        memory: Memory::Never,
        reads: vec![Read { except: vec!["docs/*.bak".to_owned()], ..Read::all("docs", place.clone()) }],
        writes: vec!["gen/*.json".to_owned()],
        env: vec!["LANG".to_owned()],
        secrets: vec![SecretNeed {
            name: "token".to_owned(),
            place: Place::Key("token".to_owned()),
            reader: SecretReader::Pipe,
        }],
        tools: vec![Tool { program: "pandoc".to_owned(), version: vec!["--version".to_owned()] }],
        names: vec!["docker.io/library/debian:12".to_owned()],
        wanted: Wanted::Always,
        traced: Traced::Inputs,
        resource: Resource::Exclusive("printer".to_owned()),
        params: json!({ "url": "https://files.example.org/1.2.3/hello" }),
        place,
    }
}

fn trace() -> Trace {
    let digest = Digest::of(b"program");
    let Offer { name, kind, platform, table, detail, .. } = offer();
    Trace {
        forge: "1.2.3".to_owned(),
        project: SourceFile { path: "forge.toml".into(), digest: Digest::of(b"[project]") },
        tasks: vec![TracedTask {
            task: "build:hello/linux/arm/v7".to_owned(),
            table,
            platform,
            plugin: "sha256:1f".to_owned(),
            fingerprint: Digest::of(b"action"),
            step: Digest::of(b"step"),
            sources: Some(Digest::of(b"directory")),
            tools: vec![TracedTool {
                tool: "go version".to_owned(),
                digest: Digest::of(b"go1.26"),
                said: Some("go1.26".to_owned()),
            }],
            takes: vec!["main.c".to_owned()],
            makes: vec![TracedArtifact { name, kind, digest, detail }],
        }],
    }
}

fn host() -> Host {
    Host { root: "/src/hello".into(), dir: "/src/hello/.forge/work/7".into() }
}

fn finding() -> Finding {
    Finding {
        place: "https://files.example.org/1.2.3/hello".to_owned(),
        there: Some(Digest::of(b"another")),
        ours: Some(Digest::of(b"program")),
        change: Change::Conflict { because: "what was released stays as it is".to_owned() },
    }
}

fn problem() -> Problem {
    Problem::at_key("url", "`files` is not the address of a folder").help("write it like `https://files.example.org`")
}

fn source(text: &str) -> SourceText {
    SourceText {
        path: "Dockerfile".to_owned(),
        key: "dockerfile".to_owned(),
        presence: Presence::Required,
        text: text.to_owned(),
    }
}

fn settings() -> Value {
    json!({ "url": "https://files.example.org/{{ arch }}" })
}

#[test]
fn describe() {
    let host = Hello { version: "0.1.0".to_owned(), abi: "1.0".to_owned(), services: vec!["exec".to_owned()] };
    check("describe.request", &Describe { host });
    let pipe = PipeInfo {
        name: "acme_upload".to_owned(),
        summary: "Puts artifacts on an HTTP server".to_owned(),
        settings: json!({ "type": "object", "properties": { "url": { "type": "string" } } }),
        makes: vec![KindInfo {
            name: "acme.report".to_owned(),
            detail: json!({ "type": "object" }),
            role: Role::Delivery,
        }],
    };
    let (name, version) = ("acme".to_owned(), "0.3.1".to_owned());
    check(
        "describe.reply",
        &PluginInfo { name, version, build: None, needs: vec!["exec".to_owned()], pipes: vec![pipe] },
    );
}

#[test]
fn takes() {
    check("takes.request", &Takes { table: table(), settings: settings() });
    let selector = Selector {
        kinds: vec!["binary".to_owned()],
        roles: vec![Role::Delivery],
        tables: vec!["hello".to_owned()],
        names: vec![offer().name],
        platforms: vec![platform()],
        key: "ids[0]".to_owned(),
        expect: Expect::Any,
    };
    let reply = TakesReply {
        selectors: vec![selector],
        sources: vec![source("")],
        makes: Some(vec!["binary".to_owned()]),
        problems: vec![problem()],
    };
    check("takes.reply", &reply);
}

#[test]
fn plan() {
    let plan = Plan {
        table: table(),
        settings: settings(),
        facts: sample_facts(),
        offers: vec![offer()],
        sources: vec![source("FROM scratch\n")],
    };
    check("plan.request", &plan);
    let in_file = Problem::at_file("Dockerfile", 0..4, "`FROM` wants a stage");
    check("plan.reply", &PlanReply { steps: vec![step()], problems: vec![problem(), in_file] });
}

#[test]
fn run_and_probe() {
    let (inputs, found) = (vec![artifact()], vec![finding()]);
    check("run.request", &Run { table: table(), step: step(), inputs: inputs.clone(), host: host(), found });
    check("probe.request", &Probe { table: table(), step: step(), inputs, host: host() });
    let is = |change| Finding { change, there: None, ..finding() };
    let found = vec![is(Change::Unknown), is(Change::None), is(Change::New), is(Change::Move), finding()];
    check("probe.reply", &ProbeReply { found });
}

#[test]
fn services() {
    check("exec.request", &Command::new(["pandoc", "-o", "a.pdf"]).in_dir("/src/hello").env("LANG", "C"));
    let text = |text: &str| text.to_owned();
    check("exec.reply", &Exit { code: Some(1), signal: None, stdout: text(""), stderr: text("no such file\n") });
    let body = Body::File { path: "/src/hello/.forge/work/7/part".into(), offset: 0, size: Some(512) };
    let request = HttpRequest {
        scopes: vec![text("repository:acme/hello:push")],
        to_file: Some("/src/hello/.forge/work/7/answer".into()),
        digest: Some(Digest::of(b"answer")),
        repeat: Repeat::Always,
        by: AnsweredBy::Mirror,
        authorization: Authorization::Bearer,
        failed: 1,
        ..HttpRequest::new(Method::Put, "https://files.example.org/1.2.3/hello").header("x-a", "b").body(body)
    };
    check("http.send.request", &request);
    let headers = [(text("etag"), text("\"1\""))].into();
    check("http.send.reply", &HttpResponse { status: 201, headers, body: text("created") });
    let blobs = vec![EmitBlob::File("/src/hello/.forge/work/7/more".into()), EmitBlob::Held(Digest::of(b"program"))];
    let (path, detail) = ("/src/hello/.forge/work/7/report".into(), json!({ "title": "Tests" }));
    check("artifact.emit.request", &Emit { name: text("hello.report"), path, blobs, detail });
    check("artifact.emit.reply", &artifact());
    check("note.set.request", &Note { key: text("upload"), value: json!({ "session": 7 }) });
    check("note.get.request", &Note { key: text("upload"), value: Value::Null });
    check("note.get.reply", &Note { key: text("upload"), value: json!({ "session": 7 }) });
    check("secret.get.request", &GetSecret { name: text("signing_key") });
    check("secret.get.reply", &GotSecret { value: text("s3cret") });
    check("artifact.trace.request", &AskTrace {});
    check("artifact.trace.reply", &trace());
    check(
        "template.render.request",
        &Render { template: text("{{ version }}-{{ arch }}"), names: json!({ "arch": "arm" }) },
    );
    let names = Map::from_iter([(text("version"), json!("1.2.3"))]);
    check("template.render.reply", &RenderReply { text: text("1.2.3-arm"), names });
    let failure = Failure::new(FailureClass::Refused, "no right to push").cause("the token is old");
    check("failure", &failure.help("get another one"));
}
