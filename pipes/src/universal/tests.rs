//! The tests of `universal`: what is joined with what, and the bytes of it.
//! Do not start a program: that is a test with a real linker.

use expect_test::{Expect, expect};
use forge_plugin::testing::{FakeHost, plan_table, run_step, sample_facts};
use serde_json::{Value, json};

use super::*;

const AMD64: &[u8] = b"\xcf\xfa\xed\xfe\x07\0\0\x01\x03\0\0\0 for amd64";
const ARM64: &[u8] = b"\xcf\xfa\xed\xfe\x0c\0\0\x01\0\0\0\0 for arm64";

fn host(programs: &[(&str, &str, &[u8])]) -> FakeHost {
    programs.iter().fold(FakeHost::new(), |host, (name, platform, content)| {
        let detail = Binary { file_name: name.rsplit('/').next().unwrap().to_owned() };
        host.with_input(name, Some(platform.parse().unwrap()), &detail, content)
    })
}

fn check_plan(table: Value, programs: &[(&str, &str)], expect: Expect) {
    let programs: Vec<(&str, &str, &[u8])> =
        programs.iter().map(|(name, platform)| (*name, *platform, &b""[..])).collect();
    let told = match plan_table::<Universal>(&table, &sample_facts(), &host(&programs).offers(), &[]) {
        Ok(steps) => steps
            .iter()
            .map(|it| {
                format!("{}: {:?} for {:?}, in place of {:?}\n", it.name, it.makes[0].name, it.takes, it.replaces)
            })
            .collect::<String>(),
        Err(problems) => problems
            .iter()
            .map(|it| format!("{:?}: {}; {}\n", it.place, it.message, it.help.clone().unwrap_or_default()))
            .collect(),
    };
    expect.assert_eq(&told);
}

#[test]
fn those_of_one_name() {
    let programs = [
        ("a_darwin_amd64/a", "darwin/amd64"),
        ("a_darwin_arm64/a", "darwin/arm64"),
        ("b_darwin_amd64/b", "darwin/amd64"),
        ("b_darwin_arm64/b", "darwin/arm64"),
    ];
    check_plan(
        json!({ "id": "mac" }),
        &programs,
        expect![[r#"
        a: "mac_darwin_all/a" for ["a_darwin_amd64/a", "a_darwin_arm64/a"], in place of []
        b: "mac_darwin_all/b" for ["b_darwin_amd64/b", "b_darwin_arm64/b"], in place of []
    "#]],
    );
    check_plan(
        json!({ "id": "mac", "name": "{{ binary }}-mac", "replace": true }),
        &programs[..2],
        expect![[r#"
        a: "mac_darwin_all/a-mac" for ["a_darwin_amd64/a", "a_darwin_arm64/a"], in place of ["a_darwin_amd64/a", "a_darwin_arm64/a"]
    "#]],
    );
    check_plan(
        json!({ "id": "mac" }),
        &programs[1..],
        expect![[r#"
        Key(""): nothing makes `a` for darwin/amd64; it is joined from programs for darwin/amd64 and darwin/arm64: add the platform to the table that builds it
    "#]],
    );
    check_plan(
        json!({ "id": "mac" }),
        &[("a/a", "darwin/amd64"), ("b/a", "darwin/amd64")],
        expect![[r#"
        Key(""): `a/a` and `b/a` are both `a` for darwin/amd64; choose the tables by `ids`
    "#]],
    );
}

#[test]
fn parts_lie_at_pages_and_by_processor() {
    let mut host = host(&[("arm/a", "darwin/arm64", ARM64), ("amd/a", "darwin/amd64", AMD64)]);
    let steps = plan_table::<Universal>(&json!({ "id": "mac" }), &sample_facts(), &host.offers(), &[]).unwrap();
    let made = run_step::<Universal>(&steps[0], &mut host).unwrap();
    let bytes = std::fs::read(&made[0].path).unwrap();
    let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    let table: Vec<u32> = (0..12).map(|at| number(4 * at)).collect();
    expect!["[cafebabe, 2, 1000007, 3, 4000, 16, e, 100000c, 0, 8000, 16, e]"].assert_eq(&format!("{table:x?}"));
    assert_eq!(&bytes[0x4000..0x4000 + AMD64.len()], AMD64);
    assert_eq!(&bytes[0x8000..], ARM64);
    assert!(crate::build::header::read(&bytes).unwrap().fits(&Platform::universal()));
}

#[test]
fn what_is_no_program_of_macos() {
    let mut host = host(&[("arm/a", "darwin/arm64", ARM64), ("amd/a", "darwin/amd64", b"#!/bin/sh")]);
    let steps = plan_table::<Universal>(&json!({ "id": "mac" }), &sample_facts(), &host.offers(), &[]).unwrap();
    let failure = run_step::<Universal>(&steps[0], &mut host).unwrap_err();
    expect!["`amd/a` is no program of macOS for one processor; look at what builds it: `file` says what it is"]
        .assert_eq(&format!("{failure}; {}", failure.help.clone().unwrap()));
}
