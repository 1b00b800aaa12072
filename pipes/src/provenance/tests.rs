//! What the pipe plans and says, on a host in memory. Validators look at it where forge is tested as a whole.
//! Does not know how the engine finds out what it tells.

use std::fs;

use expect_test::{Expect, expect};
use forge_plugin::schemas::{Digest, Place, SourceFile, TableName, Trace, TracedArtifact, TracedTask, TracedTool};
use forge_plugin::testing::{FakeHost, plan_table, run_step, sample_facts};
use serde_json::{Value, json};

use super::*;

fn host() -> FakeHost {
    let references = json!({ "references": ["ghcr.io/acme/hello:1.2.3", "ghcr.io/acme/hello:latest"] });
    FakeHost::new()
        .with_artifact("hello.tar.gz", "archive", None, Value::Null, b"packed", &[])
        .with_artifact("image.image.json", "image", "linux/amd64".parse().ok(), references, b"{}", &[])
        .with_trace(trace())
}

fn trace() -> Trace {
    let task = |task: &str, pipe: &str| TracedTask {
        task: task.to_owned(),
        table: TableName::new(pipe, "hello"),
        platform: None,
        plugin: "c0ffee".to_owned(),
        fingerprint: Digest::of(task.as_bytes()),
        step: Digest::of(b"step"),
        sources: None,
        tools: Vec::new(),
        takes: Vec::new(),
        makes: Vec::new(),
    };
    let said =
        TracedTool { tool: "go version".to_owned(), digest: Digest::of(b"1"), said: Some("go1.26\n".to_owned()) };
    let made = |name: &str| TracedArtifact {
        name: "base".to_owned(),
        kind: "base_manifest".to_owned(),
        digest: Digest::of(b"debian"),
        detail: json!({ "name": name }),
    };
    let tasks = vec![
        TracedTask { sources: Some(Digest::of(b"tree")), tools: vec![said.clone()], ..task("build:hello/a", "build") },
        TracedTask { sources: Some(Digest::of(b"tree")), tools: vec![said], ..task("build:hello/b", "build") },
        TracedTask {
            makes: vec![made("docker.io/library/debian:12"), made("daemon: x")],
            ..task("docker:hello", "docker")
        },
    ];
    let project = SourceFile { path: "forge.toml".into(), digest: Digest::of(b"[project]") };
    Trace { forge: "0.1.0".to_owned(), project, tasks }
}

/// What each step of a table is called and says, or what is wrong.
fn check(settings: &Value, expect: &Expect) {
    let mut host = host();
    let mut text = String::new();
    match plan_table::<Origin>(settings, &sample_facts(), &host.offers(), &[]) {
        Err(problems) => {
            for Problem { place, message, help } in problems {
                let Place::Key(key) = place else { panic!("{place:?}") };
                text += &format!("{key}: {message}; {}\n", help.unwrap_or_default());
            }
        }
        Ok(steps) => {
            for step in steps {
                let made = run_step::<Origin>(&step, &mut host).unwrap().remove(0);
                text += &format!("{:?} {} {}\n", step.name, made.name, made.detail);
                let said: Value = serde_json::from_slice(&fs::read(&made.path).unwrap()).unwrap();
                text += &format!("{said}\n");
            }
        }
    }
    expect.assert_eq(&text);
}

#[test]
fn one_statement_for_all() {
    check(
        &json!({ "builder": "https://ci.example.org/release" }),
        &expect![[r#"
        "" hello_1.2.3.intoto.json {"media_type":"application/vnd.in-toto+json","predicate_type":"https://slsa.dev/provenance/v1"}
        {"_type":"https://in-toto.io/Statement/v1","predicate":{"buildDefinition":{"buildType":"urn:forge:build:v1","externalParameters":{"project":{"digest":{"sha256":"9db496674d490e553881abaea32031d2ce1b1636c60d33f6efac50161253faf4"},"name":"forge.toml"},"snapshot":false,"version":"1.2.3"},"internalParameters":{"plugins":{"build":"c0ffee","docker":"c0ffee"},"tasks":[{"action":"a9b34f34df1bdda3072fdacc0d52142c3393c9907f7b749c7032cfd0e883b06b","name":"build:hello/a","step":"3e64cc41cf8e07b43936d7bc4eaf8bdb8e2abcec1f44c7b915ac0a0c27ebc41a"},{"action":"fbd3e112fa8f99d5846ee06060e10cd9a28aa803241149769333fca890f3893a","name":"build:hello/b","step":"3e64cc41cf8e07b43936d7bc4eaf8bdb8e2abcec1f44c7b915ac0a0c27ebc41a"},{"action":"fdbb6dad1391e0a72e0aa905814aee76ffd63da4b4bd9d59e34a17a832e8ff95","name":"docker:hello","step":"3e64cc41cf8e07b43936d7bc4eaf8bdb8e2abcec1f44c7b915ac0a0c27ebc41a"}]},"resolvedDependencies":[{"digest":{"gitCommit":"4805ca7d3b1f0c2e9a6858d1f7b2a04c6e93d1b5"},"name":"source","uri":"git+https://example.org/acme/hello.git@refs/tags/v1.2.3"},{"annotations":{"tasks":["build:hello/a","build:hello/b"]},"digest":{"sha256":"dc9c5edb8b2d479e697b4b0b8ab874f32b325138598ce9e7b759eb8292110622"},"mediaType":"application/x-protobuf; messageType=\"build.bazel.remote.execution.v2.Directory\"","name":"files"},{"digest":{"sha256":"81d93757457f988523814ae0009837ae893f38d3fe123f2c37896f118b4c7804"},"name":"docker.io/library/debian:12"},{"annotations":{"said":"go1.26"},"digest":{"sha256":"6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b"},"name":"go version"}]},"runDetails":{"builder":{"id":"https://ci.example.org/release","version":{"forge":"0.1.0"}}}},"predicateType":"https://slsa.dev/provenance/v1","subject":[{"digest":{"sha256":"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"},"name":"ghcr.io/acme/hello"},{"digest":{"sha256":"88cb8a087b6e8cebfc9ae5602f5a2159a6bcf923e7f2c56809bcda6cad1727a7"},"name":"hello.tar.gz"}]}
    "#]],
    );
}

#[test]
fn mistakes() {
    check(
        &json!({ "builder": "our CI", "name": "{{ artifact }}" }),
        &expect![[r#"
        builder: `our CI` is no URI; write it like `https://ci.example.org/runners/release`
        name: undefined name `artifact`; 
    "#]],
    );
    check(
        &json!({ "split": true, "name": "statement.json" }),
        &expect![[r#"
        name: the statements about `hello.tar.gz` and `image` would both be called `statement.json`; tell them apart by `{{ artifact }}`
    "#]],
    );
}

#[test]
fn a_statement_for_each() {
    let names: Vec<String> = plan_table::<Origin>(&json!({ "split": true }), &sample_facts(), &host().offers(), &[])
        .unwrap()
        .into_iter()
        .map(|it| format!("{} {} {}", it.name, it.makes[0].name, it.makes[0].detail["subject"]))
        .collect();
    expect![[r#"
        hello.tar.gz hello.tar.gz.intoto.json "hello.tar.gz"
        image image.intoto.json "image.image.json""#]]
    .assert_eq(&names.join("\n"));
}
