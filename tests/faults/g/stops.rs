//! Plugins that do not stop, and what forge does to be rid of them: a step's time, ^C, a second ^C, its own end.
//! Most of this is waiting, so what waits for the same waits side by side.

use std::fs;
use std::io::Read as _;
use std::net::TcpListener;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::evil::{project, project_with};
use super::in_rust;
use super::steps::{RUN, fails_in};
use crate::faults::signals::living;
use crate::support::forge::{Ended, Running};
use crate::support::project::Project;

const HERE: &str = "isolation = \"in-process\"";

#[test]
fn g3_hangs() {
    let words = "plugin `evil 1.0.0` has not ended a step within 1s";
    thread::scope(|scope| {
        for mode in ["deaf", "polite"] {
            scope.spawn(move || fails_in(&project_with(&[mode, "good"], "timeout = \"1s\""), mode, words, &[]));
        }
        scope.spawn(|| in_rust::fails("deaf", "has not ended a step within 1s"));
    });
}

/// A run that has got as far as hanging, and its first child, if it has one.
fn hangs(project: &Project) -> Running {
    let mut run = Running::start(&mut project.command(&RUN));
    run.wait_for("log");
    run
}

#[test]
fn g3_deaf_to_an_interrupt() {
    thread::scope(|scope| {
        scope.spawn(|| {
            let project = project(&["deaf"]);
            let run = hangs(&project);
            let child = children(run.id());
            run.signal(Signal::INT);
            let ended = run.rest().expect(130);
            assert!(ended.stdout.contains("did not stop when it was asked to, and its process was killed"));
            are_gone(&child);
        });
        // In forge's own process nobody can stop it: forge goes, and says who it was.
        scope.spawn(|| is_left_behind(&[Signal::INT]));
        scope.spawn(|| is_left_behind(&[Signal::TERM]));
        scope.spawn(|| is_left_behind(&[Signal::INT, Signal::INT]));
    });
}

/// A run whose plugin lives in forge's own process, and hears none of these signals.
fn is_left_behind(signals: &[Signal]) {
    let project = project_with(&["deaf", "good"], HERE);
    let mut run = hangs(&project);
    for signal in signals {
        run.signal(*signal);
        run.wait_for("interrupted");
    }
    let ended = run.rest().expect(130);
    let words =
        "bug in plugin `evil` 1.0.0: it did not stop when the run was interrupted, and forge has ended without it";
    assert!(ended.stdout.contains(words), "{}", ended.stdout);
    assert!(ended.stdout.trim_end().ends_with("}}") && ended.stdout.contains("\"run_ended\""), "{}", ended.stdout);
    // What is told is in the record of the run as well, and the next run can go on.
    let record = Ended::of(&mut project.command(&["runs", "show", "LAST"]));
    assert!(record.stdout.contains("it did not stop when the run was interrupted"), "{record:?}");
    project.write("forge.toml", &super::evil::text(&["good"], ""));
    project.forge(&RUN).expect(0);
}

#[test]
fn g3_programs_of_a_plugin_end_with_an_interrupt() {
    for keys in ["", HERE] {
        let project = project_with(&["programs"], keys);
        let mut run = Running::start(&mut project.command(&RUN));
        assert_eq!(run.next_output(), "up");
        run.signal(Signal::INT);
        run.rest().expect(130);
        assert_eq!(living(&project), [""; 0]);
    }
}

#[test]
fn g3_a_server_that_does_not_answer_holds_up_no_interrupt() {
    for keys in ["", HERE] {
        let server = TcpListener::bind("127.0.0.1:0").expect("a socket");
        let project = project_with(&["waits_for_server"], keys);
        project.write("address", &server.local_addr().expect("an address").to_string());
        let run = Running::start(&mut project.command(&RUN));
        let (mut asked, _) = server.accept().expect("forge asks");
        assert_eq!(asked.read(&mut [0]).expect("a request"), 1);
        run.signal(Signal::INT);
        run.rest().expect(130);
    }
}

#[test]
fn g3_forge_is_killed() {
    let project = project(&["deaf"]);
    let run = hangs(&project);
    let child = children(run.id());
    run.signal(Signal::KILL);
    assert_eq!(run.end(), None);
    are_gone(&child);
}

/// The processes that a process has started.
fn children(parent: u32) -> Vec<String> {
    let processes = fs::read_dir("/proc").expect("there is /proc").map(|it| it.expect("an entry").path());
    let stat = |path: &PathBuf| fs::read_to_string(path.join("stat")).unwrap_or_default();
    let is_child = |path: &PathBuf| {
        let stat = stat(path);
        stat.rsplit(')').next().and_then(|rest| rest.split(' ').nth(2)?.parse().ok()) == Some(parent)
    };
    let children: Vec<String> = processes.filter(is_child).map(|it| it.display().to_string()).collect();
    assert!(!children.is_empty(), "there is a child");
    children
}

/// The kernel ends what was killed when it comes to it.
#[track_caller]
fn are_gone(processes: &[String]) {
    let patience = Instant::now() + Duration::from_secs(30);
    let lives = |it: &String| fs::read_to_string(format!("{it}/stat")).is_ok_and(|stat| !stat.contains(") Z"));
    while processes.iter().any(lives) {
        assert!(Instant::now() < patience, "{processes:?} live");
        thread::yield_now();
    }
}
