//! A plugin answers the same whether it is linked in, loaded, or lives in a child.

use std::fmt::Write as _;

use expect_test::expect;
use forge_plugin::Plugin;
use forge_plugin::schemas::kind::Binary;
use forge_plugin::schemas::{Exit, FailureClass, HttpResponse, Plan, PlanReply, Step, TableName, Takes};
use forge_plugin::testing::{FakeHost, FakeRenderer, sample_facts};
use serde_json::{Value, json};

use crate::{child, echo};

/// All that a plugin does with these settings, as text.
fn transcript(plugin: &Plugin, settings: &Value) -> String {
    let mut text = String::new();
    let mut say = |what: &str, said: String| writeln!(text, "{what}: {said}").unwrap();
    let table = TableName::new("echo", "test");
    let takes = plugin.takes(&Takes { table: table.clone(), settings: settings.clone() });
    say("takes", format!("{takes:?}"));
    let mut host = host();
    let facts = sample_facts();
    let renderer = FakeRenderer::new(&facts);
    let (settings, offers) = (settings.clone(), host.offers());
    let plan = Plan { table: table.clone(), settings, facts, offers, sources: Vec::new() };
    let reply = plugin.plan(&plan, &renderer);
    let steps = match reply {
        Ok(PlanReply { steps, problems }) => {
            say("plan", format!("{problems:?}"));
            steps
        }
        Err(failure) => {
            say("plan", format!("{failure:?}"));
            return text;
        }
    };
    for mut step in steps {
        step.takes = vec!["hello".to_owned()];
        say("step", serde_json::to_string(&step.params).unwrap());
        let run = host.begin(&table, &step).unwrap();
        say("run", format!("{:?}", plugin.run(&run, &host)));
    }
    let record = host.record();
    for command in &record.commands {
        say("exec", format!("{:?} {:?}", command.argv, command.env));
    }
    for (level, line) in &record.logs {
        say("log", format!("{level:?} {line}"));
    }
    if let (Some(first), Some(last)) = (record.progress.first(), record.progress.last()) {
        say("progress", format!("{first:?} to {last:?}"));
        assert!(record.progress.len() < 500, "repeats within 50 ms are dropped");
    }
    say("notes", json!(record.notes).to_string());
    text
}

fn host() -> FakeHost {
    let binary = Binary { file_name: "hello".to_owned() };
    FakeHost::new()
        .with_input("hello", Some("linux/arm64".parse().unwrap()), &binary, "ELF")
        .on_exec(|command| Exit { code: Some(0), stdout: command.argv[1].to_uppercase(), ..Exit::default() })
        .on_http(|_| HttpResponse { status: 204, ..HttpResponse::default() })
}

/// The plugin, linked in, loaded, and in a child.
fn everywhere() -> [Plugin; 3] {
    let library = echo::library();
    [Plugin::linked(echo::forge_plugin).unwrap(), Plugin::open(&library).unwrap(), child::open(&library)]
}

/// The same from all; then as expected.
#[track_caller]
fn check(settings: &Value, expect: &expect_test::Expect) {
    // They are compiled from one file, under two names.
    let [linked, loaded, kept] =
        everywhere().map(|plugin| transcript(&plugin, settings).replace("line/../echo", "echo"));
    assert_eq!(linked, loaded);
    assert_eq!(linked, kept);
    expect.assert_eq(&linked.replace(env!("CARGO_PKG_VERSION"), "VERSION"));
}

#[test]
fn describes_itself_the_same() {
    let [linked, loaded, kept] = everywhere();
    assert_eq!(linked.info(), loaded.info());
    assert_eq!(linked.info(), kept.info());
    assert_eq!((loaded.path(), loaded.digest()), (kept.path(), kept.digest()));
    assert_eq!((linked.path(), linked.digest()), (None, None));
    assert_eq!(loaded.build(), Some(forge_plugin::BUILD_ID));
    assert_eq!((loaded.name(), loaded.version(), loaded.abi()), ("echo", env!("CARGO_PKG_VERSION"), "1.0"));
}

#[test]
fn everything() {
    check(
        &json!({ "text": "hello {{ arch }} {{ version }}", "act": "everything" }),
        &expect![[r#"
            takes: Ok(TakesReply { selectors: [Selector { kinds: ["binary"], roles: [], tables: [], names: [], platforms: [], key: "", expect: Some }], sources: [], makes: None, problems: [] })
            plan: []
            step: {"act":"everything","text":"hello arm64 1.2.3"}
            run: Ok(())
            exec: ["say", "hello arm64 1.2.3"] {"LOUD": "1"}
            log: Info 1 of 1
            log: Debug HELLO ARM64 1.2.3 204 null "hello arm64 1.2.3"
            log: Warn go on
            log: Info said/linux/arm64 sha256:d860f510a9ef34633988e4c009b063da5052de30d56f9c1707af9e4d76fa2d45
            progress: (0, 1000, "speaking") to (1000, 1000, "spoken")
            notes: {"said":"hello arm64 1.2.3"}
        "#]],
    );
}

#[test]
fn what_is_rendered_while_it_runs() {
    check(
        &json!({ "text": "x", "act": "everything", "last": "{{ name }} {{ digest }}" }),
        &expect![[r#"
            takes: Ok(TakesReply { selectors: [Selector { kinds: ["binary"], roles: [], tables: [], names: [], platforms: [], key: "", expect: Some }], sources: [], makes: None, problems: [] })
            plan: []
            step: {"act":"everything","last":{"facts":{"name":"hello"},"template":"{{ name }} {{ digest }}"},"text":"x"}
            run: Ok(())
            exec: ["say", "x"] {"LOUD": "1"}
            log: Info 1 of 1
            log: Debug X 204 null "x"
            log: Warn go on
            log: Info said/linux/arm64 sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881
            log: Info hello sha256:706abe3c90152075e656b661079730facf323f3ebccda7547ee1935c90845a09
            log: Info undefined name `version`
            progress: (0, 1000, "speaking") to (1000, 1000, "spoken")
            notes: {"said":"x"}
        "#]],
    );
    check(
        &json!({ "text": "x", "act": "everything", "last": "{{ digets }}" }),
        &expect![[r#"
            takes: Ok(TakesReply { selectors: [Selector { kinds: ["binary"], roles: [], tables: [], names: [], platforms: [], key: "", expect: Some }], sources: [], makes: None, problems: [] })
            plan: [Problem { place: Key("last"), message: "undefined name `digets`", help: None }]
            notes: {}
        "#]],
    );
}

#[test]
fn problems() {
    check(
        &json!({ "text": "{{ nobody }}", "act": "everything" }),
        &expect![[r#"
            takes: Ok(TakesReply { selectors: [Selector { kinds: ["binary"], roles: [], tables: [], names: [], platforms: [], key: "", expect: Some }], sources: [], makes: None, problems: [] })
            plan: [Problem { place: Key("text"), message: "undefined name `nobody`", help: None }]
            notes: {}
        "#]],
    );
    check(
        &json!({ "text": "", "act": "everything", "more": 1 }),
        &expect![[r#"
            takes: Ok(TakesReply { selectors: [], sources: [], makes: None, problems: [Problem { place: Key(""), message: "unknown field `more`, expected one of `text`, `act`, `last`", help: None }] })
            plan: [Problem { place: Key(""), message: "unknown field `more`, expected one of `text`, `act`, `last`", help: None }]
            notes: {}
        "#]],
    );
    check(
        &json!({ "text": "", "act": "everything" }),
        &expect![[r#"
            takes: Ok(TakesReply { selectors: [], sources: [], makes: None, problems: [Problem { place: Key("text"), message: "there is nothing to say", help: Some("write something") }] })
            plan: []
            step: {"act":"everything","text":""}
            run: Ok(())
            exec: ["say", ""] {"LOUD": "1"}
            log: Info 1 of 1
            log: Debug  204 null ""
            log: Warn go on
            log: Info said/linux/arm64 sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
            progress: (0, 1000, "speaking") to (1000, 1000, "spoken")
            notes: {"said":""}
        "#]],
    );
}

#[test]
fn failures() {
    check(
        &json!({ "text": "x", "act": "fail" }),
        &expect![[r#"
            takes: Ok(TakesReply { selectors: [Selector { kinds: ["binary"], roles: [], tables: [], names: [], platforms: [], key: "", expect: Some }], sources: [], makes: None, problems: [] })
            plan: []
            step: {"act":"fail","text":"x"}
            run: Err(Failure { class: Refused, message: "no right to speak", causes: ["the library is closed"], help: Some("whisper"), unreached: false })
            notes: {}
        "#]],
    );
    check(
        &json!({ "text": "x", "act": "undeclared" }),
        &expect![[r#"
            takes: Ok(TakesReply { selectors: [Selector { kinds: ["binary"], roles: [], tables: [], names: [], platforms: [], key: "", expect: Some }], sources: [], makes: None, problems: [] })
            plan: []
            step: {"act":"undeclared","text":"x"}
            run: Err(Failure { class: Bug, message: "bug in plugin `echo` VERSION: the step makes `other`, which it did not declare", causes: [], help: None, unreached: false })
            notes: {}
        "#]],
    );
}

#[test]
fn panics() {
    check(
        &json!({ "text": "x", "act": "panic" }),
        &expect![[r#"
            takes: Ok(TakesReply { selectors: [Selector { kinds: ["binary"], roles: [], tables: [], names: [], platforms: [], key: "", expect: Some }], sources: [], makes: None, problems: [] })
            plan: []
            step: {"act":"panic","text":"x"}
            run: Err(Failure { class: Bug, message: "bug in plugin `echo` VERSION: panicked: x is not to be said", causes: ["at plugins/tests/echo/lib.rs:129:27"], help: None, unreached: false })
            notes: {}
        "#]],
    );
    check(
        &json!({ "text": "x", "act": "panic_twice" }),
        &expect![[r#"
            takes: Ok(TakesReply { selectors: [Selector { kinds: ["binary"], roles: [], tables: [], names: [], platforms: [], key: "", expect: Some }], sources: [], makes: None, problems: [] })
            plan: []
            step: {"act":"panic_twice","text":"x"}
            run: Err(Failure { class: Bug, message: "bug in plugin `echo` VERSION: panicked: (no message)", causes: ["at plugins/tests/echo/lib.rs:130:32"], help: None, unreached: false })
            notes: {}
        "#]],
    );
    check(
        &json!({ "text": "x", "act": "panic_planning" }),
        &expect![[r#"
            takes: Ok(TakesReply { selectors: [Selector { kinds: ["binary"], roles: [], tables: [], names: [], platforms: [], key: "", expect: Some }], sources: [], makes: None, problems: [] })
            plan: Failure { class: Bug, message: "bug in plugin `echo` VERSION: panicked: can't plan echo:test", causes: ["at plugins/tests/echo/lib.rs:96:13"], help: None, unreached: false }
        "#]],
    );
}

#[test]
fn a_panic_of_the_host_is_an_answer_to_the_pipe() {
    let step = Step { params: json!({ "text": "x", "act": "everything" }), ..Step::default() };
    for plugin in everywhere() {
        let mut host = FakeHost::new().on_exec(|_| panic!("no more processes"));
        let run = host.begin(&TableName::new("echo", "test"), &step).unwrap();
        let failure = plugin.run(&run, &host).unwrap_err();
        let expect = format!("bug in plugin `echo` {}: forge itself panicked: no more processes", plugin.version());
        assert_eq!((failure.class, failure.message), (FailureClass::Bug, expect));
    }
}

#[test]
fn every_rule_is_kept() {
    for plugin in everywhere() {
        let broken: Vec<_> = plugin.conformance().into_iter().filter(|rule| rule.broken.is_some()).collect();
        assert_eq!(broken, []);
    }
}

#[test]
fn many_threads_at_once() {
    let (facts, offers) = (sample_facts(), host().offers());
    for plugin in everywhere() {
        let ask = |text: String| {
            let settings = json!({ "text": text.clone() + " {{ arch }}", "act": "fail" });
            let (table, facts, offers) = (TableName::new("echo", "test"), facts.clone(), offers.clone());
            let plan = Plan { table, settings, facts, offers, sources: Vec::new() };
            let reply = plugin.plan(&plan, &FakeRenderer::new(&plan.facts)).unwrap();
            assert_eq!(reply.steps[0].params["text"], text + " arm64");
        };
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let ask = &ask;
                scope.spawn(move || (0..20).for_each(|turn| ask(format!("{thread} {turn}"))));
            }
        });
    }
}

#[test]
fn unknown_pipe() {
    let plugin = Plugin::open(&echo::library()).unwrap();
    let takes = Takes { table: TableName::new("ohce", "a"), settings: Value::Null };
    let failure = plugin.takes(&takes).unwrap_err();
    let version = plugin.version();
    assert_eq!(failure.message, format!("bug in plugin `echo` {version}: the plugin has no pipe `ohce`"));
}
