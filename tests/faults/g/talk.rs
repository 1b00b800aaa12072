//! What a plugin says, and how much of it, and to whom: names that are none, floods, a user who does not look.
//! Does not look at what it makes.

use std::fs;
use std::time::{Duration, Instant};

use super::evil::project;
use super::steps::{RUN, bug, fails, is_done, log, run};
use crate::support::forge::Running;

#[test]
fn g6_what_is_not_utf8() {
    fails("not_utf8", &bug("the plugin's answer is not UTF-8"), &[]);
    fails("bad_name", &bug("the plugin's answer is not UTF-8"), &[]);
    fails(
        "not_json",
        &bug("the answer to `run` is not the message: EOF while parsing an object at line 1 column 1"),
        &[],
    );
    fails("status", &bug("the plugin returned status 77 and no message"), &[]);
    assert_eq!(log(&is_done("bad_log"), "evil-bad-log.txt"), "a\u{fffd}b\nc\n");
}

#[test]
fn g6_what_is_no_name() {
    fails("nul_name", &bug("the pipe made `made\0by`, which its step did not declare"), &[]);
    fails_somehow("half_a_letter", "what is asked of `artifact.emit` is not the message: ");
    fails_somehow("nul_path", "which is not a file of its step");
    assert_eq!(log(&is_done("nul_log"), "evil-nul-log.txt"), "a\0b\n");
}

/// A step of this mode fails with a bug of the plugin of which these are some of the words.
#[track_caller]
fn fails_somehow(mode: &str, words: &str) {
    let project = project(&[mode, "good"]);
    let ended = project.forge(&RUN).expect(1);
    assert!(ended.stdout.contains("bug in plugin `evil` 1.0.0: ") && ended.stdout.contains(words), "{}", ended.stdout);
    assert!(ended.outcomes().contains(&"evil:good done".to_owned()), "{:?}", ended.outcomes());
}

#[test]
fn g10_noise_on_standard_output() {
    let log = log(&is_done("noise"), "evil-noise.txt");
    assert!(log.starts_with("noise 0\nnoise 1\n") && log.contains("\nnoise 19999\n"), "{}", log.len());
}

#[test]
fn a_million_times_progress_holds_up_nothing() {
    let project = project(&["progress", "good"]);
    let ended = project.forge(&RUN).expect(0);
    assert_eq!(ended.outcomes(), ["evil:good done", "evil:progress done"]);
    let told = ended.stdout.lines().filter(|it| it.contains("\"progress\"")).count();
    assert!(told < 1000, "{told} of a million");
}

/// More is said than a pipe holds, and nobody reads it until the plugin has said all.
#[test]
fn a_user_who_does_not_look_holds_up_nothing() {
    let project = project(&["noise", "good"]);
    let running = Running::start(&mut project.command(&RUN));
    let patience = Instant::now() + Duration::from_secs(60);
    let runs = project.root().join(".forge/runs");
    let has_said_all = || {
        let is_there = fs::read_dir(&runs).is_ok_and(|mut it| it.next().is_some());
        let path = || runs.join(run(&project)).join("logs/evil-noise.txt");
        is_there && fs::read(path()).is_ok_and(|log| log.windows(12).any(|it| it == b"noise 19999\n"))
    };
    while !has_said_all() {
        assert!(Instant::now() < patience, "the plugin waits for the user");
        std::thread::yield_now();
    }
    let ended = running.rest().expect(0);
    let lines: Vec<&str> = ended.stdout.lines().filter(|it| it.contains("\"noise ")).collect();
    assert_eq!(lines.len(), 20_000, "in the end all is told, in its order");
    assert!(lines[19_999].contains("\"noise 19999\""), "{}", lines[19_999]);
}

#[test]
fn a_program_of_a_plugin_has_none_of_its_files() {
    let log = log(&is_done("open_files"), "evil-open-files.txt");
    assert!(log.contains("/dev/null") && log.contains("pipe:"), "{log}");
    assert!(!log.contains("socket:") && !log.contains("forge-plugin"), "neither the line nor the library: {log}");
}
