//! `forge.lock` pins plugins: what differs is refused, and where it matters, what nobody has looked at as well.
//! Does not look at what a plugin does.

use std::fs;
use std::path::Path;

use super::evil::{LIBRARY, build, project, text};
use crate::support::forge::Ended;
use crate::support::project::Project;

fn lock(project: &Project) -> String {
    fs::read_to_string(project.root().join("forge.lock")).expect("a lock")
}

/// A check of the project is refused with these words.
#[track_caller]
fn refused(project: &Project, arguments: &[&str], words: &str) {
    let ended = project.forge(&[&["check"], arguments].concat()).expect(3);
    let first = ended.stderr.lines().next().unwrap_or_default();
    assert!(first.starts_with(&format!("error: {words}")), "{}", ended.stderr);
    assert!(ended.stderr.contains("`forge plugins lock`"), "{}", ended.stderr);
}

#[test]
fn g12_another_library_than_is_pinned() {
    let project = project(&["good"]);
    project.forge(&["plugins", "lock"]).expect(0);
    project.forge(&["check", "--locked"]).expect(0);
    let touched = project.root().join("touched");
    let touch = format!("TOUCH=\"{}\"", touched.display());
    build(&project, LIBRARY, &[&touch]);
    refused(&project, &[], "plugin `evil` is another library than is pinned: sha256:");
    build(&project, LIBRARY, &[&touch, "VERSION=\"1.0.1\""]);
    refused(&project, &[], "plugin `evil` is of version 1.0.1, and 1.0.0 is pinned");
    // To pin it is no reason to run it.
    let ended = project.forge(&["plugins", "lock"]).expect(0);
    assert!(ended.stdout.starts_with("evil 1.0.1 (was 1.0.0)\n  file tools/libevil.so\n  sha256:"), "{}", ended.stdout);
    assert!(!touched.exists(), "something of it has run");
    project.forge(&["check", "--locked"]).expect(0);
}

#[test]
fn g12_one_that_nobody_has_pinned() {
    let project = project(&["good"]);
    project.forge(&["check"]).expect(0);
    refused(&project, &["--locked"], "plugin `evil` is not pinned");
    let in_ci = |value: &str, code: i32| {
        let mut command = project.command(&["check"]);
        Ended::of(command.env("CI", value)).expect(code);
    };
    in_ci("true", 3);
    in_ci("false", 0);
    // Where a plugin that is not pinned is refused, it isn't pinned either.
    let ended = project.forge(&["plugins", "lock", "--locked"]).expect(1);
    assert!(ended.stdout.starts_with("evil 1.0.0 (new)\n"), "{}", ended.stdout);
    assert!(!project.root().join("forge.lock").exists());
    project.forge(&["plugins", "lock"]).expect(0);
    in_ci("true", 0);
    project.forge(&["plugins", "lock", "--locked"]).expect(0);
}

#[test]
fn g12_pinned_for_another_platform_only() {
    let project = project(&["good"]);
    project.forge(&["plugins", "lock"]).expect(0);
    let here = lock(&project).lines().last().and_then(|line| line.split(' ').next()).expect("a platform").to_owned();
    project.write("forge.lock", &lock(&project).replace(&here, "macos-aarch64"));
    project.forge(&["check"]).expect(0);
    refused(&project, &["--locked"], &format!("plugin `evil` is not pinned for {here}"));
    project.forge(&["plugins", "lock"]).expect(0);
    assert!(lock(&project).contains("macos-aarch64 = "), "what is pinned elsewhere stays: {}", lock(&project));
    build(&project, LIBRARY, &["VERSION=\"2.0.0\""]);
    project.forge(&["plugins", "lock"]).expect(0);
    assert!(!lock(&project).contains("macos-aarch64 = "), "unless it is another version: {}", lock(&project));
}

#[test]
fn builds_for_several_platforms_are_pinned_at_once() {
    let project = Project::of_text(&text(&["good"], "").replace(LIBRARY, "tools"));
    build(&project, LIBRARY, &[]);
    build(&project, "tools/another.so", &["FORGE_PLATFORM=\"macos-aarch64\""]);
    project.forge(&["plugins", "lock"]).expect(0);
    assert_eq!(lock(&project).matches(" = \"sha256:").count(), 2, "{}", lock(&project));
    project.forge(&["run", "evil", "--snapshot", "--locked"]).expect(0);
}

#[test]
fn a_secret_that_was_not_agreed_on() {
    let secrets = "\n[secrets]\nkey = { env = \"KEY\" }\n";
    let project = project(&["good"]);
    project.write("forge.toml", &format!("{}secrets = [\"key\"]\n{secrets}", text(&["good"], "")));
    project.forge(&["check"]).expect(0);
    project.write("forge.toml", &text(&["good"], ""));
    project.forge(&["plugins", "lock"]).expect(0);
    project.write("forge.toml", &format!("{}secrets = [\"key\"]\n{secrets}", text(&["good"], "")));
    refused(&project, &[], "plugin `evil` is pinned without the secret `key`");
    let ended = project.forge(&["plugins", "lock"]).expect(0);
    assert!(ended.stdout.ends_with("  secrets key\n"), "{}", ended.stdout);
    project.forge(&["check", "--locked"]).expect(0);
    project.write("forge.toml", &format!("{}secrets = [\"key\"]\nreveal = true\n{secrets}", text(&["good"], "")));
    refused(&project, &[], "plugin `evil` is pinned as one that does not see the secret `key` itself");
    let ended = project.forge(&["plugins", "lock"]).expect(0);
    assert!(ended.stdout.ends_with("  secrets key\n  sees itself key\n"), "{}", ended.stdout);
    project.forge(&["check", "--locked"]).expect(0);
}

#[test]
fn tools_and_plugins_leave_each_other_alone() {
    let build_table = "\n[[build]]\ntool = \"command\"\nargv = [\"true\"]\nplatforms = [\"linux/amd64\"]\n";
    let project = project(&["good"]);
    project.write("forge.toml", &format!("{}{build_table}", text(&["good"], "")));
    project.forge(&["plugins", "lock"]).expect(0);
    project.forge(&["lock"]).expect(0);
    let both = lock(&project);
    assert!(both.contains("[plugins.evil]") && both.contains("[[tool]]"), "{both}");
    project.forge(&["plugins", "lock"]).expect(0);
    assert_eq!(lock(&project), both);
    project.write("forge.toml", &format!("[project]\nname = \"hello\"\n{build_table}"));
    let ended = project.forge(&["plugins", "lock"]).expect(0);
    assert!(ended.stdout.contains("evil: pinned, and no longer named"), "{}", ended.stdout);
    assert!(!lock(&project).contains("evil") && lock(&project).contains("[[tool]]"), "{}", lock(&project));
}

#[test]
fn where_it_runs_and_whether_it_is_pinned_is_listed() {
    let project = project(&["good"]);
    let list = || project.forge(&["plugins"]).expect(0).stdout;
    assert!(
        list().contains("\n  in a child process\n  not pinned\n  pipe evil: misbehaves; makes evil.file\n"),
        "{}",
        list()
    );
    project.forge(&["plugins", "lock"]).expect(0);
    project.write("forge.toml", &text(&["good"], "isolation = \"in-process\""));
    assert!(list().contains("\n  in forge's own process\n  pinned\n  pipe evil"), "{}", list());
    assert!(Path::new(&project.root()).join("forge.lock").exists());
}
