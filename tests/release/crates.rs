//! Crates on a registry, by cargo: two of a workspace, of which one needs the other.
//! Does not know other destinations.

use std::fs;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::support::crates::{Crates, TOKEN};
use crate::support::forge::{Ended, Running};
use crate::support::project::Project;
use crate::support::proxy::{Fault, Proxy};

const FILE: &str = r#"
[project]
name = "hello"

[secrets]
crates_token = { env = "CI_TOKEN" }

[[publish]]
to = "cargo"
packages = ["forge-hello", "forge-hello-core"]
registry = "acme"
index = "sparse+http://ADDRESS/index/"
token = "crates_token"
secrets = ["crates_token"]
"#;

const LOCK: &str = r#"version = 4

[[package]]
name = "forge-hello"
version = "1.2.3"
dependencies = [
 "forge-hello-core",
]

[[package]]
name = "forge-hello-core"
version = "1.2.3"
"#;

const CORE: &str = r#"[package]
name = "forge-hello-core"
version = "1.2.3"
edition = "2021"
description = "what is said"
license = "MIT"
"#;

const HELLO: &str = r#"[package]
name = "forge-hello"
version = "1.2.3"
edition = "2021"
description = "says it"
license = "MIT"

[dependencies]
forge-hello-core = { path = "../core", version = "1.2.3", registry = "acme" }
"#;

/// In the order in which they must come.
const RELEASED: &[&str] = &["forge-hello-core 1.2.3", "forge-hello 1.2.3"];

fn project_of(address: &str, token: &str, change: impl Fn(&Project)) -> Project {
    let project = Project::of_text(&FILE.replace("ADDRESS", address)).env("CI_TOKEN", token);
    project.write("Cargo.toml", "[workspace]\nmembers = [\"core\", \"hello\"]\nresolver = \"2\"\n");
    project.write("Cargo.lock", LOCK);
    project.write("core/Cargo.toml", CORE);
    project.write("core/src/lib.rs", "pub const GREETING: &str = \"hello\";\n");
    project.write("hello/Cargo.toml", HELLO);
    project.write("hello/src/main.rs", "fn main() {\n    println!(\"{}\", forge_hello_core::GREETING);\n}\n");
    project.write(".gitignore", "/target\n/dist\n/.forge\n");
    change(&project);
    project.tagged("v1.2.3")
}

fn project(address: &str) -> Project {
    project_of(address, TOKEN, |_| {})
}

fn release(project: &Project) -> Ended {
    project.forge(&["run", "release", "--json"])
}

/// How many crates were sent.
fn sent(proxy: &Proxy) -> usize {
    proxy.seen().iter().filter(|it| it.line.starts_with("PUT")).count()
}

#[test]
fn what_is_published_is_not_sent_again() {
    let registry = Crates::start();
    let project = project(registry.address());
    let ended = release(&project).expect(0);
    assert!(!format!("{}{}", ended.stdout, ended.stderr).contains(TOKEN));
    assert_eq!(registry.has(), RELEASED);
    registry.asked();
    release(&project).expect(0);
    // Nor where nothing is remembered: the same crate is made again.
    fs::remove_dir_all(project.root().join(".forge")).expect("it is there");
    release(&project).expect(0);
    let asked = registry.asked();
    assert!(asked.iter().all(|it| it.starts_with("GET")), "{asked:?}");
}

#[test]
fn another_crate_of_that_version_stops_the_release() {
    let registry = Crates::start();
    registry.is_published("forge-hello", "1.2.3");
    let ended = release(&project(registry.address())).expect(1);
    assert!(ended.stdout.contains("`forge-hello` 1.2.3 is published already, and is another"), "{}", ended.stdout);
    assert!(ended.stdout.contains("a version is never replaced there"), "{}", ended.stdout);
    assert_eq!(registry.has(), RELEASED[1..]);
}

#[test]
fn what_is_wrong_is_found_before_anything_is_published() {
    let check = |file: &str, text: &str, words: &str| {
        let registry = Crates::start();
        let ended = release(&project_of(registry.address(), TOKEN, |it| it.write(file, text))).expect(1);
        assert!(ended.stdout.contains(words), "{}", ended.stdout);
        assert!(registry.has().is_empty());
    };
    check("hello/src/main.rs", "fn main() { nothing() }\n", "cargo can't pack forge-hello, forge-hello-core");
    let stale = CORE.replace("1.2.3", "1.2.2");
    check("core/Cargo.toml", &stale, "`forge-hello-core` is of version 1.2.2, and what is released is 1.2.3");
    let private = format!("{CORE}publish = false\n");
    check("core/Cargo.toml", &private, "`forge-hello-core` may not be published to `acme`");
    // A package at the root, and `dist` beside it.
    let root =
        CORE.replace("forge-hello-core", "hello").replace("[package]", "[workspace]\nmembers = [\"core\"]\n[package]");
    let registry = Crates::start();
    let project = project_of(registry.address(), TOKEN, |it| {
        it.write(
            "forge.toml",
            &FILE.replace("ADDRESS", registry.address()).replace("\"forge-hello\", ", "\"hello\", "),
        );
        it.write("Cargo.toml", &root);
        it.write("src/lib.rs", "");
        it.write(
            "Cargo.lock",
            &LOCK
                .replace("\"forge-hello\"\n", "\"hello\"\n")
                .replace("dependencies = [\n \"forge-hello-core\",\n]\n", ""),
        );
        it.write(".gitignore", "/target\n");
    });
    let ended = release(&project).expect(1);
    assert!(ended.stdout.contains("would be in the crate `hello`: let git ignore it"), "{}", ended.stdout);
    let renamed = CORE.replace("forge-hello-core", "hello-core");
    check("core/Cargo.toml", &renamed, "there is no package `forge-hello-core`");
}

#[test]
fn crates_come_after_all_that_can_be_taken_back() {
    let registry = Crates::start();
    let page = "\n[[hook]]\nid = \"page\"\nargv = \"sh -c 'sleep 0.5; exit 1'\"\neffect = \"publish\"\n";
    let text = format!("{}{page}", FILE.replace("ADDRESS", registry.address()));
    let project = project_of(registry.address(), TOKEN, |it| it.write("forge.toml", &text));
    let ended = release(&project).expect(1);
    assert!(ended.stdout.contains("nothing more is published, because hook:page failed"), "{}", ended.stdout);
    assert!(registry.has().is_empty());
}

#[test]
fn a_token_that_may_not() {
    let registry = Crates::start();
    let ended = release(&project_of(registry.address(), "another-token-of-the-tests", |_| {})).expect(1);
    assert!(ended.stdout.contains("may the token `crates_token` publish these to `acme`?"), "{}", ended.stdout);
    assert!(!ended.stdout.contains("another-token-of-the-tests"));
    assert!(registry.has().is_empty());
}

#[test]
fn c1_a_reply_is_lost() {
    for which in 1..=2 {
        let registry = Crates::start();
        let proxy = Proxy::start(registry.address());
        proxy.fault("PUT", "/crates/new", which..=which, Fault::LostReply);
        release(&project(proxy.address())).expect(0);
        assert_eq!(registry.has(), RELEASED, "{which}");
    }
}

#[test]
fn a1_killed_at_each_crate() {
    for which in 1..=2 {
        let registry = Crates::start();
        let proxy = Proxy::start(registry.address());
        let project = project(proxy.address());
        proxy.fault("PUT", "/crates/new", which..=which, Fault::Stall(None));
        let killed = Running::start(&mut project.command(&["run", "release", "--json"]));
        let mut crates = 0;
        while crates < which {
            crates += sent(&proxy);
            thread::sleep(Duration::from_millis(5));
        }
        killed.signal(Signal::KILL);
        killed.end();
        proxy.heal();
        release(&project).expect(0);
        assert_eq!(registry.has(), RELEASED, "{which}");
    }
}
