//! What was built for a version of the line that is out runs with this one: `plugins/tests/released/` has of each its headers,
//! its messages, and a plugin that has all of it. They are never changed; a new minor version gets a directory of its own.
//! Does not know what the line is like now.

use std::path::{Path, PathBuf};
use std::process::Command;

use expect_test::expect;
use forge_plugin::Plugin;
use forge_plugin::abi::{MAJOR, MINOR};
use forge_plugin::schemas::{Exit, HttpResponse, Plan, Probe, TableName, Takes};
use forge_plugin::testing::{FakeHost, FakeRenderer, sample_facts};
use serde_json::{Value, json};

use crate::{c, child, examples::done};

/// The versions that are out.
const RELEASED: &[&str] = &["1.0"];

fn place(version: &str) -> PathBuf {
    c::source("released").join(version)
}

#[test]
fn this_version_is_among_them() {
    assert_eq!(RELEASED.last(), Some(&format!("{MAJOR}.{MINOR}").as_str()));
}

/// The plugin of a version, built with the headers of that version alone, in this process and in a child.
fn built(version: &str, dir: &Path) -> [Plugin; 2] {
    let library = dir.join("old.so");
    let mut gcc = Command::new("gcc");
    gcc.args(["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-Wno-format-truncation", "-shared", "-fPIC"]);
    done(gcc.arg("-I").arg(place(version)).arg("-o").arg(&library).arg(place(version).join("plugin.c")));
    [Plugin::open(&library).unwrap(), child::open(&library)]
}

#[test]
fn a_plugin_of_each_runs() {
    for version in RELEASED {
        let dir = tempfile::tempdir().unwrap();
        let [here, kept] = built(version, dir.path()).map(|plugin| {
            assert_eq!(plugin.abi(), *version);
            let broken: Vec<_> = plugin.conformance().into_iter().filter(|rule| rule.broken.is_some()).collect();
            assert_eq!(broken, []);
            life(&plugin)
        });
        assert_eq!(here, kept);
        expect![[r#"
            TakesReply { selectors: [], sources: [], makes: None, problems: [] }
            one Publish Never Network "hello linux"
            hello linux is not there, and would be nothing known
            Ok(())
            {"LOUD": "1"}
            Put https://example.org/ {"x-a": "b"}
            ["\"say hello linux\"", "201", "\"words\"", "\"hello linux\"", "\"old.text\""]
            [(1, 2, "half")]
        "#]]
        .assert_eq(&here);
    }
}

/// What it does, from its first call to its last.
fn life(plugin: &Plugin) -> String {
    let (table, settings, facts) =
        (TableName::new("old", "a"), json!({ "text": "{{ name }} {{ os }}" }), sample_facts());
    let takes = plugin.takes(&Takes { table: table.clone(), settings: settings.clone() });
    let plan = Plan { table: table.clone(), settings, facts, offers: Vec::new(), sources: Vec::new() };
    let step = plugin.plan(&plan, &FakeRenderer::new(&plan.facts)).unwrap().steps.remove(0);
    let mut host = FakeHost::new()
        .on_exec(|command| Exit { code: Some(0), stdout: command.argv.join(" "), ..Exit::default() })
        .on_http(|_| HttpResponse { status: 201, ..HttpResponse::default() });
    let mut run = host.begin(&table, &step).unwrap();
    let probe = Probe { table, step: step.clone(), inputs: Vec::new(), host: run.host.clone() };
    run.found = plugin.probe(&probe, &host).unwrap().found;
    let done = plugin.run(&run, &host);
    let record = host.record();
    let logs: Vec<&str> = record.logs.iter().map(|(_, line)| line.as_str()).collect();
    let request = &record.requests[0];
    format!(
        "{:?}\n{} {:?} {:?} {:?} {}\n{}\n{done:?}\n{:?}\n{:?} {} {:?}\n{logs:?}\n{:?}\n",
        takes.unwrap(),
        step.name,
        step.effect,
        step.memory,
        step.resource,
        step.params,
        run.found[0],
        record.commands[0].env,
        request.method,
        request.url,
        request.headers,
        record.progress,
    )
}

#[test]
fn messages_have_all_that_they_had() {
    for version in RELEASED {
        for entry in std::fs::read_dir(place(version).join("messages")).unwrap().map(Result::unwrap) {
            let read = |path: &Path| serde_json::from_str::<Value>(&std::fs::read_to_string(path).unwrap()).unwrap();
            let now = c::source("messages").join(entry.file_name());
            assert!(now.exists(), "{version} has {}, and nobody sends it now", entry.path().display());
            if let Err(place) = has_all(&read(&now), &read(&entry.path())) {
                panic!("{} is not what it was in {version}, at `{place}`", now.display());
            }
        }
    }
}

/// Whether a message has all members of another, with their values. If not, which it has not.
fn has_all(now: &Value, before: &Value) -> Result<(), String> {
    let within = |name: &dyn std::fmt::Display, result: Result<(), String>| result.map_err(|at| format!("{name}.{at}"));
    match (now, before) {
        (Value::Object(now), Value::Object(before)) => before.iter().try_for_each(|(name, before)| {
            within(name, now.get(name).map_or_else(|| Err("none".to_owned()), |now| has_all(now, before)))
        }),
        (Value::Array(now), Value::Array(before)) if now.len() == before.len() => {
            now.iter().zip(before).enumerate().try_for_each(|(at, (now, before))| within(&at, has_all(now, before)))
        }
        (now, before) if now == before => Ok(()),
        (now, before) => Err(format!(" ({now}, not {before})")),
    }
}

#[test]
fn what_has_changed_is_seen() {
    let check = |now: Value, expect: Result<(), &str>| {
        let before = json!({ "a": [1, { "b": "x" }] });
        assert_eq!(has_all(&now, &before), expect.map_err(str::to_owned));
    };
    check(json!({ "a": [1, { "b": "x", "c": 1 }], "d": null }), Ok(()));
    check(json!({ "a": [1, { "c": "x" }] }), Err("a.1.b.none"));
    check(json!({ "a": [1] }), Err("a. ([1], not [1,{\"b\":\"x\"}])"));
    check(json!({ "a": [2, { "b": "x" }] }), Err("a.0. (2, not 1)"));
}

#[test]
fn the_layout_is_that_of_each() {
    for version in RELEASED {
        let dir = tempfile::tempdir().unwrap();
        let program = |include: &Path| {
            let program = dir.path().join("layout");
            done(Command::new("gcc").arg("-I").arg(include).arg(c::source("layout.c")).arg("-o").arg(&program));
            String::from_utf8(Command::new(&program).output().unwrap().stdout).unwrap()
        };
        // Where members lie. The structs may have grown.
        let members = |text: String| text.lines().filter(|it| it.contains('.')).map(str::to_owned).collect::<Vec<_>>();
        let now = members(program(&c::source("../include")));
        let before = members(program(&place(version)));
        assert!(!before.is_empty() && before.iter().all(|line| now.contains(line)), "{version}: {before:#?}\n{now:#?}");
    }
}
