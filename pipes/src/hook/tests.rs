//! The tests of `hook`: what is planned, and what commands find and leave.
//! Do not know the engine.

use expect_test::{Expect, expect};
use forge_plugin::schemas::kind::Archive;
use forge_plugin::schemas::{Effect, Memory};
use forge_plugin::testing::{FakeHost, plan_table, really_run, run_step, sample_facts, takes_table};
use serde_json::{Value, json};

use super::*;

fn host() -> FakeHost {
    let archive = |name: &str| Archive { format: name.to_owned(), binaries: Vec::new(), directory: None };
    FakeHost::new()
        .with_source("in.txt", "source")
        .with_input("a_linux_amd64.tar.gz", Some("linux/amd64".parse().unwrap()), &archive("a"), b"one")
        .with_input("a_linux_arm64.tar.gz", Some("linux/arm64".parse().unwrap()), &archive("a"), b"two")
        .on_exec(really_run)
}

fn plan(table: &Value) -> Result<Vec<Step>, Vec<Problem>> {
    let host = host();
    let takes_any = !takes_table::<Hook>(table)?.selectors.is_empty();
    let offers = if takes_any { host.offers() } else { Vec::new() };
    plan_table::<Hook>(table, &sample_facts(), &offers, &[])
}

fn check_plan(table: Value, expect: Expect) {
    let step = |step: &Step| {
        let made: Vec<&str> = step.makes.iter().map(|it| it.name.as_str()).collect();
        let reads: Vec<&str> = step.reads.iter().map(|it| it.path.as_str()).collect();
        let again = if step.memory == Memory::Never { ", every time" } else { "" };
        let seen = if step.effect == Effect::Publish { ", publishes" } else { "" };
        let (name, takes, writes) = (&step.name, &step.takes, &step.writes);
        format!("`{name}` takes {takes:?} reads {reads:?} writes {writes:?} makes {made:?}{again}{seen}\n")
    };
    let told = match plan(&table) {
        Ok(steps) => steps.iter().map(step).collect(),
        Err(problems) => problems.iter().map(in_words).collect::<String>(),
    };
    expect.assert_eq(&told);
}

fn in_words(problem: &Problem) -> String {
    format!("{:?}: {}; {}\n", problem.place, problem.message, problem.help.as_deref().unwrap_or_default())
}

/// What each step makes, and what is in it.
fn check_run(table: Value, expect: Expect) {
    let mut host = host();
    let steps = plan(&table).unwrap();
    let run = |step: &Step| match run_step::<Hook>(step, &mut host) {
        Ok(made) => {
            made.iter().map(|it| format!("{}: {}", it.name, fs::read_to_string(&it.path).unwrap())).collect::<String>()
        }
        Err(failure) => format!("{failure}; {}\n", failure.help.clone().unwrap_or_default()),
    };
    expect.assert_eq(&steps.iter().map(run).collect::<String>());
}

#[test]
fn once_for_all_or_for_each() {
    check_plan(
        json!({ "argv": "true" }),
        expect![[r#"
        `` takes [] reads [] writes [] makes [], every time
    "#]],
    );
    check_plan(
        json!({ "argv": "true", "sources": ["in.txt"], "writes": ["gen/"] }),
        expect![[r#"
        `` takes [] reads ["in.txt"] writes ["gen/"] makes []
    "#]],
    );
    check_plan(
        json!({ "argv": "true", "kinds": ["archive"], "effect": "publish" }),
        expect![[r#"
        `` takes ["a_linux_amd64.tar.gz", "a_linux_arm64.tar.gz"] reads [] writes [] makes [], every time, publishes
    "#]],
    );
    check_plan(
        json!({ "argv": "./pack {{ path }}", "kinds": ["archive"], "each": true, "makes": [{ "name": "{{ artifact }}.dmg" }] }),
        expect![[r#"
            `a_linux_amd64.tar.gz` takes ["a_linux_amd64.tar.gz"] reads ["pack"] writes [] makes ["a_linux_amd64.tar.gz.dmg"]
            `a_linux_arm64.tar.gz` takes ["a_linux_arm64.tar.gz"] reads ["pack"] writes [] makes ["a_linux_arm64.tar.gz.dmg"]
        "#]],
    );
}

#[test]
fn what_is_wrong() {
    check_plan(
        json!({ "argv": "true", "each": true }),
        expect![[r#"
            Key("each"): `each` of nothing; say what it takes by `ids` or `kinds`
        "#]],
    );
    check_plan(
        json!({
            "argv": "sh -c 'x", "dir": "../up", "writes": ["/etc/x"],
            "makes": [{ "name": "a", "path": "../a" }, { "name": "b/../../c" }],
        }),
        expect![[r#"
            Key("writes[0]"): `/etc/x` is not below the directory of the project file; write it relative to the project file, without `..`
            Key("dir"): `../up` is not below the directory of the project file; write it relative to the project file, without `..`
            Key("argv"): a quote in `sh -c 'x` is never closed; 
            Key("makes[0].path"): `../a` is not below the directory of the project file; write it relative to the project file, without `..`, or leave it out and write into `{{ out }}`
            Key("makes[1].name"): `b/../../c` can't be the name of a file; write a name without a directory
        "#]],
    );
}

#[test]
fn it_writes_where_it_is_told() {
    check_run(
        json!({
            "argv": ["sh", "-c", "cat in.txt $FORGE_ARTIFACT > {{ out }}/{{ artifact }}.txt; echo \" $X\" {{ path }} | sed s:/.*/:: >> $FORGE_OUT/{{ artifact }}.txt"],
            "env": { "X": "{{ arch }}" }, "kinds": ["archive"], "each": true, "makes": [{ "name": "{{ artifact }}.txt" }],
        }),
        expect![[r#"
            a_linux_amd64.tar.gz.txt: sourceone amd64 a_linux_amd64.tar.gz
            a_linux_arm64.tar.gz.txt: sourcetwo arm64 a_linux_arm64.tar.gz
        "#]],
    );
    check_run(
        json!({
            "argv": ["sh", "-c", "grep -o '\"name\":\"[^\"]*\"' $FORGE_ARTIFACTS > list"],
            "kinds": ["archive"], "makes": [{ "name": "names", "path": "list" }],
        }),
        expect![[r#"
            names: "name":"a_linux_amd64.tar.gz"
            "name":"a_linux_arm64.tar.gz"
        "#]],
    );
}

#[test]
fn it_makes_what_it_says() {
    check_run(
        json!({ "argv": "true", "makes": [{ "name": "x" }] }),
        expect![[r#"
        the command has not made `x`; it is to write it into the directory that `{{ out }}` and FORGE_OUT name
    "#]],
    );
    check_run(
        json!({ "argv": "false" }),
        expect![[r#"
        `false` ended with exit status 1; 
    "#]],
    );
}
