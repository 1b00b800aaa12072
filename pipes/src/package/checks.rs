//! Tables of `package`, planned and run in memory.
//! Does not know what is expected.

use std::fmt::Write as _;
use std::fs;
use std::io::Read;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use expect_test::Expect;
use forge_plugin::Host as _;
use forge_plugin::schemas::kind::Binary;
use forge_plugin::schemas::{Artifact, Exit, Facts, Place, Problem};
use forge_plugin::testing::{FakeHost, plan_table, run_step, sample_facts};
use serde_json::{Value, json};

use super::Package;

/// A project with programs for three platforms, and files.
pub fn host() -> FakeHost {
    let binary = Binary { file_name: "hello".to_owned() };
    let mut host = FakeHost::new();
    for platform in ["linux/amd64", "linux/arm/v6", "darwin/arm64"] {
        let name = format!("{platform}/hello");
        host = host.with_input(&name, platform.parse().ok(), &binary, format!("program for {platform}"));
    }
    let host = host
        .with_source("hello.conf", "a = 1\n")
        .with_source("docs/a.md", "# a\n")
        .with_source("docs/more/b.md", "# b\n")
        .with_source("run.sh", "#!/bin/sh\nexit 0\n")
        .with_source("odd/a\nb", "");
    fs::set_permissions(host.root().join("run.sh"), fs::Permissions::from_mode(0o700)).unwrap();
    symlink("a.md", host.root().join("docs/link.md")).unwrap();
    host.on_exec(|command| {
        let at = command.argv.iter().position(|it| it == "--output").map(|at| at + 1);
        if let Some(path) = at.and_then(|at| command.argv.get(at)) {
            fs::write(path, "signature").unwrap();
        }
        Exit { code: Some(0), ..Exit::default() }
    })
}

/// A table with what each must have, and these keys.
pub fn table(keys: Value) -> Value {
    let mut table = json!({
        "formats": ["deb", "rpm", "apk", "archlinux"],
        "platforms": ["linux/amd64"],
        "maintainer": "Ada <ada@example.org>",
        "description": "Says hello\n\nAnd little else.",
        "license": "MIT",
    });
    for (key, value) in keys.as_object().into_iter().flatten() {
        table[key] = value.clone();
    }
    table
}

/// The steps of a table, or what is wrong with it.
pub fn check_plan(keys: Value, expect: Expect) {
    check_plan_of(&table(keys), &sample_facts(), expect);
}

/// The same, of a whole table and other facts.
pub fn check_plan_of(table: &Value, facts: &Facts, expect: Expect) {
    let mut shown = String::new();
    match plan_table::<Package>(table, facts, &host().offers(), &[]) {
        Err(problems) => problems.iter().for_each(|it| shown += &show(it)),
        Ok(steps) => {
            for step in steps {
                let makes: Vec<&str> = step.makes.iter().map(|it| it.name.as_str()).collect();
                let _ = writeln!(shown, "{}: {}", step.name, makes.join(", "));
            }
        }
    }
    expect.assert_eq(&shown);
}

fn show(Problem { place, message, help }: &Problem) -> String {
    let Place::Key(key) = place else { return String::new() };
    format!("{key}: {message}\n{}", helped(help.as_deref()))
}

/// What the first step of a table makes.
pub fn made(keys: Value, host: &mut FakeHost) -> Result<Vec<Artifact>, String> {
    let planned = plan_table::<Package>(&table(keys), &sample_facts(), &host.offers(), &[]);
    let steps = planned.map_err(|problems| problems.iter().map(show).collect::<String>())?;
    run_step::<Package>(&steps[0], host).map_err(|failure| format!("{failure}\n{}", helped(failure.help.as_deref())))
}

fn helped(help: Option<&str>) -> String {
    help.map(|it| format!("    {it}\n")).unwrap_or_default()
}

/// The bytes of the package that the first step of a table makes.
pub fn bytes(keys: Value) -> Vec<u8> {
    let mut host = host();
    let made = made(keys, &mut host).unwrap();
    fs::read(&made[0].path).unwrap()
}

/// What is in a tar: a line for each, and the text of those whose names begin with `.` or are told to be shown.
pub fn listing(tar: impl Read, shown: &[&str]) -> String {
    let mut listing = String::new();
    for entry in tar::Archive::new(tar).entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let header = entry.header().clone();
        let to = entry.link_name().unwrap().map(|to| format!(" -> {}", to.display())).unwrap_or_default();
        let (mode, time, size) = (header.mode().unwrap(), header.mtime().unwrap(), header.size().unwrap());
        let owner = format!("{}:{}", header.username().unwrap().unwrap(), header.groupname().unwrap().unwrap());
        let _ = writeln!(listing, "{mode:o} {owner} {time} {size} {path}{to}");
        if shown.contains(&path.as_str()) {
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            text.lines().filter(|it| !it.is_empty()).for_each(|line| listing += &format!("    {line}\n"));
        }
    }
    listing
}

/// Keys of a table that lays something of each type.
pub fn one_of_each(format: &str) -> Value {
    let (owner, group) = if format == "archlinux" { ("root", "root") } else { ("ada", "adm") };
    json!({
        "formats": [format],
        "dependencies": ["zlib >= 1.2", "git"],
        "recommends": ["less"],
        "conflicts": ["hallo"],
        "replaces": ["hallo < 1"],
        "provides": ["greeter = 1.2.3"],
        "homepage": "https://example.org",
        "vendor": "Acme",
        "section": "utils",
        "scripts": { "postinstall": "run.sh", "preremove": "run.sh", "postupgrade": "run.sh" },
        "contents": [
            { "src": "hello.conf", "dst": "/etc/hello/", "type": "config", "mode": "0640", "group": group },
            { "src": "hello.conf", "dst": "/etc/hello/kept.conf", "type": "config|noreplace" },
            { "src": "docs/**/*.md", "dst": "/usr/share/doc/hello", "type": "doc" },
            { "src": "docs", "dst": "/opt/hello/docs", "type": "tree", "owner": owner },
            { "src": "run.sh", "dst": "/usr/libexec/hello/run-{{ arch }}", "mtime": "2001-02-03T04:05:06Z" },
            { "dst": "/var/lib/hello", "type": "dir", "mode": "0750" },
            { "src": "hello", "dst": "/usr/bin/hi", "type": "symlink" },
            { "dst": "/var/log/hello.log", "type": "ghost" },
            { "src": "hello.conf", "dst": "/usr/share/licenses/hello/LICENSE", "type": "license", "formats": [format] },
        ],
    })
}
