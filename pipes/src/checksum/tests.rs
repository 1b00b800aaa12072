//! What the pipe plans and writes, on a host in memory. `sha256sum` itself is asked where forge is tested as a whole.
//! Does not know what the algorithms make of anything.

use std::fs;

use expect_test::{Expect, expect};
use forge_plugin::testing::{FakeHost, plan_table, run_step, sample_facts};
use serde_json::{Value, json};

use super::*;

fn host() -> FakeHost {
    let made = |host: FakeHost, name: &str, kind: &str| {
        host.with_artifact(name, kind, "linux/amd64".parse().ok(), Value::Null, name.as_bytes(), &[])
    };
    let host = FakeHost::new()
        .with_source("install.sh", "install")
        .with_source("docs/a.md", "a")
        .with_source("docs/b.md", "b");
    made(made(host, "hello.tar.gz", "archive"), "a/hello.deb", "package")
}

/// What each step of a table makes, or what is wrong with it.
fn check(mut host: FakeHost, settings: &Value, expect: &Expect) {
    let mut text = String::new();
    match plan_table::<Checksum>(settings, &sample_facts(), &host.offers(), &[]) {
        Err(problems) => {
            for Problem { place, message, help } in problems {
                let Place::Key(key) = place else { panic!("{place:?}") };
                text += &format!("{key}: {message}; {}\n", help.unwrap_or_default());
            }
        }
        Ok(steps) => {
            for step in steps {
                match run_step::<Checksum>(&step, &mut host) {
                    Ok(made) => {
                        let sums = fs::read_to_string(&made[0].path).unwrap();
                        text += &format!("{:?} {} {}\n{sums}", step.name, made[0].name, made[0].detail);
                    }
                    Err(failure) => text += &format!("{}\n", failure.message),
                }
            }
        }
    }
    expect.assert_eq(&text);
}

#[test]
fn one_file_for_all() {
    check(
        host(),
        &json!({}),
        &expect![[r#"
        "" hello_1.2.3_checksums.txt {"algorithm":"sha256"}
        cc1137cbf875927ae6c50ed2cb56e04c5a63ef27b53ffdb8a24e3e05ce4999b7  hello.deb
        31fcb40c49d88e6a9b67af9df45904832a4ef3b0e41df58ab700ed4859bbbffc  hello.tar.gz
    "#]],
    );
    check(
        host(),
        &json!({ "algorithm": "md5", "name": "{{ algorithm }}sums", "files": ["docs/*.md", { "src": "install.sh", "name": "get.sh" }] }),
        &expect![[r#"
            "" md5sums {"algorithm":"md5"}
            0cc175b9c0f1b6a831c399e269772661  a.md
            92eb5ffee6ae2fec3ad71c777531578f  b.md
            19ad89bc3e3c9d7ef68b89523eff1987  get.sh
            4f2ed2b48dd89cfd69f9bd0af669d65a  hello.deb
            e1f578e053ab0620d6edc61abb7f3374  hello.tar.gz
        "#]],
    );
}

#[test]
fn a_file_for_each() {
    check(
        host(),
        &json!({ "split": true, "algorithm": "crc32", "files": ["install.sh"] }),
        &expect![[r#"
        "hello.tar.gz" hello.tar.gz.crc32 {"algorithm":"crc32","subject":"hello.tar.gz"}
        cea5f7ee  hello.tar.gz
        "hello.deb" hello.deb.crc32 {"algorithm":"crc32","subject":"a/hello.deb"}
        a77c0061  hello.deb
        "install.sh" install.sh.crc32 {"algorithm":"crc32"}
        2fcabd79  install.sh
    "#]],
    );
}

#[test]
fn mistakes() {
    let host_of_twins = || host().with_artifact("b/hello.deb", "package", None, Value::Null, b"", &[]);
    check(
        host_of_twins(),
        &json!({ "name": "{{ artifact }}/sums", "files": ["../a", { "src": "x", "name": "a/b" }] }),
        &expect![[r#"
            files[0]: `../a` leads out of the project; write it without `..`, and without a `/` before it
            files[1].name: `a/b` can't be the name of a file; write a name without a directory
            : `a/hello.deb` and `b/hello.deb` would both be called `hello.deb` in the list; choose the tables by `ids`; `archive` gives programs names of their own
            name: undefined name `artifact`; 
        "#]],
    );
    check(
        host(),
        &json!({ "split": true, "name": "sums/{{ algorithm }}", "files": ["docs/*"] }),
        &expect![[r#"
        files[0]: how many files `docs/*` is, and so how many have a checksum, is not known beforehand; name each file, or leave `split` out
        name: `sums/sha256` can't be the name of a file; write a name without a directory
    "#]],
    );
    check(
        host(),
        &json!({ "files": [{ "src": "docs", "name": "doc" }] }),
        &expect![[r#"
        `docs` is 2 files, of which each can't be called `doc`
    "#]],
    );
    check(
        host(),
        &json!({ "files": [{ "src": "docs/a.md", "name": "hello.deb" }] }),
        &expect![[r#"
        two files would be called `hello.deb` in the list
    "#]],
    );
}

#[test]
fn what_is_taken() {
    let check = |settings: Value, expect: Expect| {
        let selectors = selectors(&serde_json::from_value(settings).unwrap());
        expect.assert_eq(&selectors.iter().map(|it| serde_json::to_string(it).unwrap() + "\n").collect::<String>());
    };
    check(
        json!({}),
        expect![[r#"
        {"roles":["delivery","about"]}
    "#]],
    );
    check(
        json!({ "ids": ["a", "b"], "kinds": ["binary"] }),
        expect![[r#"
        {"kinds":["binary"],"roles":["delivery","about"],"tables":["a"],"key":"ids[0]"}
        {"kinds":["binary"],"roles":["delivery","about"],"tables":["b"],"key":"ids[1]"}
        {"kinds":["binary"],"tables":["a","b"],"key":"kinds[0]"}
    "#]],
    );
    check(
        json!({ "kinds": ["binary"] }),
        expect![[r#"
        {"kinds":["binary"],"key":"kinds[0]"}
        {"roles":["delivery","about"],"expect":"any"}
    "#]],
    );
}
