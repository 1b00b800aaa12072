//! `forge plugins info` and `forge plugins check`: what is said of a library by itself.
//! Needs no project file.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::evil::{LIBRARY, build, project};
use crate::support::forge::{Ended, executable};

#[test]
fn g7_info_runs_nothing() {
    let project = project(&["good"]);
    let touched = project.root().join("touched");
    let touch = format!("TOUCH=\"{}\"", touched.display());
    build(&project, LIBRARY, &[&touch]);
    let ended = project.forge(&["plugins", "info", LIBRARY]).expect(0);
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert_eq!(lines[0], "evil 1.0.0 (ABI 1.0)");
    assert!(lines.contains(&"  written in c") && lines.contains(&"  pipes evil"), "{lines:?}");
    build(&project, LIBRARY, &[&touch, "FORGE_PLATFORM=\"macos-aarch64\""]);
    let ended = project.forge(&["plugins", "info", LIBRARY]).expect(3);
    assert!(ended.stdout.contains("\n  for macos-aarch64\n"), "{}", ended.stdout);
    assert!(ended.stderr.contains("plugin `evil` 1.0.0 is built for macos-aarch64"), "{}", ended.stderr);
    assert!(!touched.exists(), "something of it has run");
}

#[test]
fn g7_info_of_what_is_no_plugin() {
    let project = project(&["good"]);
    let check = |bytes: &[u8], words: &str| {
        fs::write(project.root().join(LIBRARY), bytes).expect("a file can be written");
        let ended = project.forge(&["plugins", "info", LIBRARY]).expect(3);
        assert!(ended.stderr.trim_end().ends_with(words), "{}", ended.stderr);
    };
    check(b"text", "there is no plugin manifest in it: is it a forge plugin, and whole?");
    check(b"", "the file is empty: install the plugin again");
    check(b"FORGE-PLUGIN-MANIFEST-1\n{\"name\":7}", "invalid type: integer `7`, expected a string at line 1 column 9");
}

#[test]
fn g2_the_check_finds_what_is_broken() {
    let check = |macros: &[&str], words: &str| {
        let project = project(&["good"]);
        build(&project, LIBRARY, macros);
        let ended = project.forge(&["plugins", "check", LIBRARY]).expect(3);
        let broken: Vec<&str> = ended.stdout.lines().filter(|line| line.starts_with("broken")).collect();
        assert!(broken.iter().any(|line| line.contains(words)), "`{words}` is not in {broken:#?}");
        assert!(ended.stderr.starts_with("error: evil 1.0.0 breaks "), "{}", ended.stderr);
    };
    check(&["PIPE=\"Evil Pipe\""], "a table's name is lower-case letters, digits and `_`");
    check(&["AT_CALL=if(request.len<2)abort()"], "its process was ended by signal 6 (SIGABRT)");
    check(&["AT_CALL=if(method.len>10)return host->reply(host,cx,FORGE_LIT(\"{}\"))"], "it answers as if it knew it");
    // It dies once, and is not caught at it when it is asked again.
    let place = tempfile::tempdir().expect("a directory");
    let died = place.path().join("died").display().to_string();
    let dies_once =
        format!("AT_CALL=if(method.len==4&&access(\"{died}\",0)!=0){{write_file(\"{died}\",\"\");abort();}}");
    check(&[&dies_once], "its process has died meanwhile");
}

#[test]
fn the_check_of_what_is_sound() {
    let project = project(&["good"]);
    let ended = project.forge(&["plugins", "check", LIBRARY]).expect(0);
    assert!(
        ended.stdout.lines().count() > 5 && ended.stdout.lines().all(|line| line.starts_with("ok ")),
        "{}",
        ended.stdout
    );
    let json = project.forge(&["plugins", "check", "--json", LIBRARY]).expect(0);
    let rules: serde_json::Value = serde_json::from_str(&json.stdout).expect("JSON");
    assert!(rules.as_array().expect("a list").iter().all(|it| it["broken"].is_null()), "{rules}");
}

#[test]
fn a_host_that_forge_has_not_started() {
    let ended = Ended::of(std::process::Command::new(executable()).arg("plugin-host")).expect(2);
    let words = "error: this is for forge to start, with a socket as standard input: ";
    assert!(ended.stderr.starts_with(words), "{}", ended.stderr);
}

#[test]
fn children_are_started_from_the_program_that_is_named() {
    let project = project(&["good"]);
    let trace = project.root().join("started");
    let script = project.root().join("host");
    let text = format!("#!/bin/sh\necho started >> '{}'\nexec '{}' \"$@\"\n", trace.display(), executable().display());
    fs::write(&script, text).expect("a script");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("a mode can be set");
    let run = |host: &std::path::Path| {
        let mut command = project.command(&["run", "evil", "--snapshot", "--json"]);
        Ended::of(command.env("FORGE_PLUGIN_HOST", host))
    };
    assert_eq!(run(&script).expect(0).outcomes(), ["evil:good done"]);
    assert_eq!(fs::read_to_string(&trace).expect("it was started"), "started\n");
    for (host, words) in [("host", "is no whole path"), ("/nowhere/forge", "is no file")] {
        fs::remove_dir_all(project.root().join(".forge")).expect("a folder");
        let ended = run(host.as_ref()).expect(3);
        let first = format!("error: `FORGE_PLUGIN_HOST` names `{host}`, which {words}\n");
        assert!(ended.stderr.starts_with(&first), "{}", ended.stderr);
        fs::create_dir(project.root().join(".forge")).expect("a folder");
    }
}
