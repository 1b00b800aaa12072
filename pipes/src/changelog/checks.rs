//! The pipe over a real repository, and what it says of mistakes.
//! Does not know the network.

use std::path::Path;
use std::process::Command;

use expect_test::{Expect, expect};
use forge_plugin::schemas::{Facts, SourceText};
use forge_plugin::testing::{FakeHost, plan_table, really_run, run_step, sample_facts};
use serde_json::{Value, json};

use super::*;

/// A repository in which these commits were made, `tag NAME` for a tag; what is at its head.
fn repository(at: &Path, script: &[&str]) -> String {
    git(at, &["init", "-q", "-b", "main"]);
    for line in script {
        match line.strip_prefix("tag ") {
            Some(name) => git(at, &["tag", name]),
            None => {
                let path = line.split_once(" in ").map_or("a", |(_, path)| path);
                fs::write(at.join(path), line).unwrap();
                git(at, &["add", "."]);
                git(at, &["commit", "-q", "-m", line])
            }
        };
    }
    git(at, &["rev-parse", "HEAD"]).trim().to_owned()
}

fn git(at: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    for role in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{role}_NAME"), "Ada").env(format!("GIT_{role}_EMAIL"), "ada@example.org");
        command.env(format!("GIT_{role}_DATE"), "2024-05-01T14:00:00+0200");
    }
    let output = command.args(arguments).current_dir(at).env("GIT_CONFIG_GLOBAL", "/dev/null").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

const HISTORY: &[&str] = &[
    "first",
    "tag v1.2.1",
    "feat: old",
    "tag v1.2.2",
    "tag v1.2.3-rc.1",
    "fix(cli): no panic in b",
    "feat!: another default",
    "docs: words",
    "Mend it\n\nBecause it was broken.",
    "tag v1.2.3",
];

/// The notes of a table over that history, or what is wrong with it.
fn check(settings: Value, expect: Expect) {
    let mut host = FakeHost::new().on_exec(really_run);
    let commit = repository(host.root(), HISTORY);
    let facts = Facts { commit, ..sample_facts() };
    expect.assert_eq(&notes(&settings, &facts, &[], &mut host));
}

fn check_file(file: &str, text: &str, expect: Expect) {
    let mut host = FakeHost::new().with_source(file, text);
    let source = SourceText { path: file.to_owned(), text: text.to_owned(), ..SourceText::default() };
    expect.assert_eq(&notes(&json!({ "file": file }), &sample_facts(), &[source], &mut host));
}

fn notes(settings: &Value, facts: &Facts, sources: &[SourceText], host: &mut FakeHost) -> String {
    match plan_table::<Changelog>(settings, facts, &[], sources) {
        Ok(steps) => {
            let made = run_step::<Changelog>(&steps[0], host).unwrap().remove(0);
            format!("{}:\n{}", made.name, fs::read_to_string(&made.path).unwrap())
        }
        Err(problems) => {
            let line = |it: &Problem| format!("{:?}: {}; {}\n", it.place, it.message, it.help.as_deref().unwrap_or(""));
            problems.iter().map(line).collect()
        }
    }
}

#[test]
fn a_list() {
    check(
        json!({}),
        expect![[r#"
        RELEASE_NOTES.md:
        ## Changelog

        * [5ff11a2](https://example.org/acme/hello/commit/5ff11a2eed7e3eef2c87a1f6ed82224c8ca7c48c) Mend it
        * [4f67a52](https://example.org/acme/hello/commit/4f67a52f74bd4003fc8de7f7e78badcb8deb054c) docs: words
        * [29bf1ed](https://example.org/acme/hello/commit/29bf1ed20b1c3b46c910fe79235f7e0f20349d25) feat!: another default
        * [27f3ecc](https://example.org/acme/hello/commit/27f3ecc7645b13dcbce48a8cc185319acf2ad51d) fix(cli): no panic in b
    "#]],
    );
    check(
        json!({ "sort": "subject", "exclude": ["^docs"], "title": "", "url": "" }),
        expect![[r#"
        RELEASE_NOTES.md:
        * 5ff11a2 Mend it
        * 29bf1ed feat!: another default
        * 27f3ecc fix(cli): no panic in b
    "#]],
    );
    check(
        json!({ "since": "v1.2.1", "include": ["^feat"], "sort": "oldest", "paths": ["a"] }),
        expect![[r#"
        RELEASE_NOTES.md:
        ## Changelog

        * [dc0bfe5](https://example.org/acme/hello/commit/dc0bfe56613c2cc7f08d25eda6f533c97e3df823) feat: old
        * [29bf1ed](https://example.org/acme/hello/commit/29bf1ed20b1c3b46c910fe79235f7e0f20349d25) feat!: another default
    "#]],
    );
    check(
        json!({ "since": "v1.2.1", "paths": ["b"] }),
        expect![[r#"
        RELEASE_NOTES.md:
        ## Changelog

        * [27f3ecc](https://example.org/acme/hello/commit/27f3ecc7645b13dcbce48a8cc185319acf2ad51d) fix(cli): no panic in b
    "#]],
    );
}

#[test]
fn groups() {
    check(
        json!({ "conventional": true }),
        expect![[r#"
        RELEASE_NOTES.md:
        ## Changelog

        ### Breaking changes

        * [29bf1ed](https://example.org/acme/hello/commit/29bf1ed20b1c3b46c910fe79235f7e0f20349d25) another default

        ### Fixes

        * [27f3ecc](https://example.org/acme/hello/commit/27f3ecc7645b13dcbce48a8cc185319acf2ad51d) **cli**: no panic in b

        ### Others

        * [5ff11a2](https://example.org/acme/hello/commit/5ff11a2eed7e3eef2c87a1f6ed82224c8ca7c48c) Mend it
        * [4f67a52](https://example.org/acme/hello/commit/4f67a52f74bd4003fc8de7f7e78badcb8deb054c) words
    "#]],
    );
    check(
        json!({
            "groups": [{ "title": "Rest" }, { "title": "News", "regex": "^feat" }],
            "format": "{{ subject }} ({{ author }}, {{ short_commit }})",
            "header": "Since {{ previous_tag }}",
            "footer": "[All of it]({{ compare }}) in {{ version }}",
        }),
        expect![[r#"
            RELEASE_NOTES.md:
            Since v1.2.2

            ## Changelog

            ### Rest

            * Mend it (Ada, 5ff11a2)
            * docs: words (Ada, 4f67a52)
            * fix(cli): no panic in b (Ada, 27f3ecc)

            ### News

            * feat!: another default (Ada, 29bf1ed)

            [All of it](https://example.org/acme/hello/compare/v1.2.2...v1.2.3) in 1.2.3
        "#]],
    );
}

#[test]
fn a_file() {
    check_file(
        "CHANGELOG.md",
        "## 1.2.3\n- a\n## 1.2.2\n- b\n",
        expect![[r#"
        RELEASE_NOTES.md:
        - a
    "#]],
    );
    check_file(
        "CHANGELOG.md",
        "## 1.2.2\n- b\n",
        expect![[r#"
        Key("file"): `CHANGELOG.md` has no section for 1.2.3; add one, as in `## 1.2.3`
    "#]],
    );
}

#[test]
fn mistakes() {
    check(
        json!({
            "include": ["("], "groups": [{ "title": "x", "regex": "[" }], "conventional": true, "header": "{{ tga }}",
        }),
        expect![[r#"
            Key("include[0]"): `(` is no regular expression: unclosed group; 
            Key("groups[0].regex"): `[` is no regular expression: unclosed character class; 
            Key("conventional"): `conventional` has groups of its own, and there are `groups`; leave out one of them
            Key("header"): undefined name `tga`; 
        "#]],
    );
    check(
        json!({ "file": "NEWS", "exclude": ["a"] }),
        expect![[r#"
        Key("exclude"): `exclude` is about commits, and the notes are from a file; leave out `file`, or this
        Key("file"): `NEWS` has no section for 1.2.3; add one, as in `## 1.2.3`
    "#]],
    );
}
