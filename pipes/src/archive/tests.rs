//! What the pipe plans and packs, on a host in memory. What other programs make of it is tested with forge itself.
//! Does not know how the parts of it work: each has its own tests.

use std::fmt::Write as _;
use std::fs;

use expect_test::{Expect, expect};
use forge_plugin::schemas::{Place, Problem, Step};
use forge_plugin::testing::{FakeHost, plan_table, run_step, sample_facts};
use serde_json::{Value, json};

use super::*;

/// A host with these programs, `TABLE PLATFORM NAME` each, and a project of some files.
fn host(programs: &[&str]) -> FakeHost {
    let host = FakeHost::new().with_source("LICENSE", "free").with_source("readme.md", "read me");
    programs.iter().fold(host.with_source("docs/a/b.md", "b"), |host, program| {
        let [table, platform, name] = program.split(' ').collect::<Vec<_>>().try_into().unwrap();
        let platform: Platform = platform.parse().unwrap();
        let artifact = format!("{table}_{}/{name}", platform.slug());
        let binary = Binary { file_name: name.to_owned() };
        host.with_input(&artifact, Some(platform), &binary, format!("the program {artifact}"))
    })
}

/// The same as the offers of tables called so.
fn offers(host: &FakeHost) -> Vec<forge_plugin::schemas::Offer> {
    let mut offers = host.offers();
    for offer in &mut offers {
        offer.table.id = offer.name.split('_').next().unwrap().to_owned();
    }
    offers
}

fn check_plan(programs: &[&str], settings: &Value, expect: &Expect) {
    let text: String = match plan_table::<Archive>(settings, &sample_facts(), &offers(&host(programs)), &[]) {
        Ok(steps) => steps.iter().map(describe).collect(),
        Err(problems) => problems.iter().map(complain).collect(),
    };
    expect.assert_eq(&text);
}

fn describe(step: &Step) -> String {
    let mut text = format!("{:?} of {}\n", step.name, step.takes.join(" "));
    for output in &step.makes {
        writeln!(text, "  {} {}", output.name, output.detail).unwrap();
    }
    let reads: Vec<&str> = step.reads.iter().map(|it| it.path.as_str()).collect();
    writeln!(text, "  reads {}", reads.join(" ")).unwrap();
    text
}

fn complain(problem: &Problem) -> String {
    let Place::Key(key) = &problem.place else { panic!("{problem:?}") };
    let help = problem.help.as_ref().map_or(String::new(), |help| format!("; {help}"));
    format!("{key}: {}{help}\n", problem.message)
}

/// What a tar that the first step makes holds, or why it makes none.
fn check_tar(programs: &[&str], settings: &Value, expect: &Expect) {
    let mut host = host(programs);
    let steps = plan_table::<Archive>(settings, &sample_facts(), &offers(&host), &[]).unwrap();
    let text = match run_step::<Archive>(&steps[0], &mut host) {
        Ok(made) => list(&fs::read(&made[0].path).unwrap()),
        Err(failure) => failure.message.replace(&host.root().display().to_string(), "ROOT"),
    };
    expect.assert_eq(&text);
}

fn list(bytes: &[u8]) -> String {
    let mut text = String::new();
    for entry in ::tar::Archive::new(bytes).entries().unwrap() {
        let entry = entry.unwrap();
        let (header, path) = (entry.header(), entry.path().unwrap());
        let (owner, group) = (header.username().unwrap().unwrap(), header.groupname().unwrap().unwrap());
        let (mode, mtime, size) = (header.mode().unwrap(), header.mtime().unwrap(), header.size().unwrap());
        writeln!(text, "{mode:o} {owner}:{group} {mtime} {size} {}", path.display()).unwrap();
    }
    text
}

#[test]
fn an_archive_a_platform() {
    check_plan(
        &[
            "hello linux/amd64 hello",
            "hello linux/arm/v7 hello",
            "tool linux/amd64 tool",
            "tool linux/arm/v7 tool",
            "hello windows/386 hello.exe",
        ],
        &json!({ "incomplete": true, "overrides": [{ "os": "windows", "formats": ["zip", "binary"] }], "directory": true }),
        &expect![[r#"
            "linux/amd64" of hello_linux_amd64/hello tool_linux_amd64/tool
              hello_1.2.3_linux_amd64.tar.gz {"binaries":["hello","tool"],"directory":"hello_1.2.3_linux_amd64","format":"tar.gz"}
              reads [Ll][Ii][Cc][Ee][Nn][Ss][Ee]* [Rr][Ee][Aa][Dd][Mm][Ee]* [Cc][Hh][Aa][Nn][Gg][Ee][Ll][Oo][Gg]*
            "linux/arm/v7" of hello_linux_arm_v7/hello tool_linux_arm_v7/tool
              hello_1.2.3_linux_armv7.tar.gz {"binaries":["hello","tool"],"directory":"hello_1.2.3_linux_armv7","format":"tar.gz"}
              reads [Ll][Ii][Cc][Ee][Nn][Ss][Ee]* [Rr][Ee][Aa][Dd][Mm][Ee]* [Cc][Hh][Aa][Nn][Gg][Ee][Ll][Oo][Gg]*
            "windows/386/zip" of hello_windows_386/hello.exe
              hello_1.2.3_windows_386.zip {"binaries":["hello.exe"],"directory":"hello_1.2.3_windows_386","format":"zip"}
              reads [Ll][Ii][Cc][Ee][Nn][Ss][Ee]* [Rr][Ee][Aa][Dd][Mm][Ee]* [Cc][Hh][Aa][Nn][Gg][Ee][Ll][Oo][Gg]*
            "windows/386/binary" of hello_windows_386/hello.exe
              hello_1.2.3_windows_386.exe {"binaries":["hello.exe"],"format":"binary"}
              reads 
        "#]],
    );
}

#[test]
fn names_as_goreleaser_has_them() {
    check_plan(
        &[
            "hello linux/amd64/v3 hello",
            "hello linux/386 hello",
            "hello linux/arm/v6 hello",
            "hello darwin/arm64 hello",
        ],
        &json!({ "formats": ["binary"] }),
        &expect![[r#"
            "linux/amd64/v3" of hello_linux_amd64_v3/hello
              hello_1.2.3_linux_amd64v3 {"binaries":["hello"],"format":"binary"}
              reads 
            "linux/386" of hello_linux_386/hello
              hello_1.2.3_linux_386 {"binaries":["hello"],"format":"binary"}
              reads 
            "linux/arm/v6" of hello_linux_arm_v6/hello
              hello_1.2.3_linux_armv6 {"binaries":["hello"],"format":"binary"}
              reads 
            "darwin/arm64" of hello_darwin_arm64/hello
              hello_1.2.3_darwin_arm64 {"binaries":["hello"],"format":"binary"}
              reads 
        "#]],
    );
}

#[test]
fn names_and_directories_of_the_users_own() {
    check_plan(
        &["hello windows/amd64 hello.exe"],
        &json!({
            "formats": ["tar.xz", "gz"], "name": "{{ binary }}-{{ platform }}{{ ext }}", "directory": "{{ name }}-{{ version }}/",
        }),
        &expect![[r#"
            name: `hello-windows/amd64.exe` can't be the name of a file; write a name without a directory
        "#]],
    );
    check_plan(
        &["hello windows/amd64 hello.exe"],
        &json!({ "formats": ["tar.xz", "gz"], "name": "{{ binary }}-{{ os }}", "directory": "{{ name }}-{{ version }}/", "files": ["docs", { "src": "{{ os }}.txt" }] }),
        &expect![[r#"
            "windows/amd64/tar.xz" of hello_windows_amd64/hello.exe
              hello-windows.tar.xz {"binaries":["hello.exe"],"directory":"hello-1.2.3","format":"tar.xz"}
              reads docs windows.txt
            "windows/amd64/gz" of hello_windows_amd64/hello.exe
              hello-windows.exe.gz {"binaries":["hello.exe"],"format":"gz"}
              reads 
        "#]],
    );
}

#[test]
fn files_alone() {
    check_plan(
        &[],
        &json!({ "meta": true, "files": ["docs"] }),
        &expect![[r#"
        "" of 
          hello_1.2.3.tar.gz {"format":"tar.gz"}
          reads docs
    "#]],
    );
}

#[test]
fn mistakes() {
    check_plan(
        &["hello linux/amd64 hello", "hello linux/arm64 hello", "tool linux/amd64 tool"],
        &json!({
            "formats": ["zip", "zip"], "name": "x", "directory": "../up",
            "overrides": [{ "os": "macos", "formats": [] }, { "formats": ["tar"] }],
            "files": ["../LICENSE", { "src": "x", "dst": "/etc", "mode": "rw", "owner": "{{ nobody }}", "mtime": "today" }],
            "binaries": { "group": "a-group-with-quite-a-long-name-indeed", "mtime": "1812-12-24T00:00:00Z" },
        }),
        &expect![[r#"
            formats[1]: `zip` stands here twice; leave one out
            overrides[0].os: no platform has the os `macos`; OCI calls it `darwin`
            overrides[1]: it names no platform; say which with `os`, `arch` or `variant`
            ids: the archive for linux/arm64 would lack the program of `binary:tool`, which that for linux/amd64 has; build it for that platform, choose `platforms`, give each table an archive of its own, or say `incomplete = true`
            directory: `../up` leads out of the archive; write it without `..`, and without a `/` before it
            binaries.group: `a-group-with-quite-a-long-name-indeed` is longer than the 31 bytes that a tar has room for
            binaries.mtime: `1812-12-24T00:00:00Z` is before 1970; write it as in `2026-01-02T03:04:05Z`
            files[0]: `../LICENSE` leads out of the project; write it without `..`, and without a `/` before it
            files[1].dst: `/etc` leads out of the archive; write it without `..`, and without a `/` before it
            files[1].mode: `rw` is not a mode; write it in octal, as in `"0644"`
            files[1].owner: undefined name `nobody`
            files[1].mtime: `today` is not a time; write it as in `2026-01-02T03:04:05Z`
            name: two archives for linux/amd64 would be called `x.zip`; tell them apart by `{{ os }}`, `{{ arch }}` and `{{ variant }}`, and programs alone by `{{ binary }}`
            name: the archives for linux/amd64 and for linux/arm64 would both be called `x.zip`; tell them apart by `{{ os }}`, `{{ arch }}` and `{{ variant }}`, and programs alone by `{{ binary }}`
        "#]],
    );
    check_plan(
        &["a linux/amd64 hello", "b linux/amd64 hello"],
        &json!({ "name": "{{ version }}/{{ os }}", "formats": ["tar", "tar"] }),
        &expect![[r#"
            formats[1]: `tar` stands here twice; leave one out
            ids: `a_linux_amd64/hello` and `b_linux_amd64/hello` are both called `hello`; choose the tables whose programs go in by `ids`
            name: `1.2.3/linux` can't be the name of a file; write a name without a directory
        "#]],
    );
    check_plan(
        &[],
        &json!({ "meta": true, "ids": ["x"], "formats": ["gz"], "name": "{{ name }}_{{ os }}", "overrides": [{ "os": "linux", "formats": [] }] }),
        &expect![[r#"
            formats[0]: `gz` is of programs, and `meta` holds none; leave it out, or leave `meta` out
            ids: an archive with `meta` holds no programs; leave it out, or leave `meta` out
            overrides: an archive with `meta` holds no programs; leave it out, or leave `meta` out
        "#]],
    );
}

#[test]
fn what_lies_in_a_tar() {
    check_tar(
        &["hello linux/amd64 hello"],
        &json!({ "formats": ["tar"] }),
        &expect![[r#"
        644 root:root 1767323045 4 LICENSE
        755 root:root 1767323045 35 hello
        644 root:root 1767323045 7 readme.md
    "#]],
    );
    check_tar(
        &["hello linux/amd64 hello"],
        &json!({
            "formats": ["tar"], "directory": "top", "binaries": { "mode": "4755", "owner": "daemon", "mtime": "{{ commit_time }}" },
            "files": ["LICENSE", { "src": "docs", "dst": "doc", "mode": "0600", "group": "staff", "mtime": "2000-01-01T00:00:00Z" }, { "src": "./LICENSE" }],
        }),
        &expect![[r#"
            644 root:root 1767323045 4 top/LICENSE
            600 root:staff 946684800 1 top/doc/a/b.md
            4755 daemon:root 1767323045 35 top/hello
        "#]],
    );
    check_tar(
        &["hello linux/amd64 hello"],
        &json!({ "formats": ["tar"], "files": [{ "src": "LICENSE", "dst": "hello" }] }),
        &expect!["`LICENSE` and `hello_linux_amd64/hello` would both be `hello` in the archive"],
    );
}
