//! The rows again, with a plugin in Rust (`plugins/tests/evil`), whose SDK catches some of it before it is a crash.
//! Does not repeat what can't be said in Rust.

use std::fs;
use std::sync::Once;

use super::evil::{LIBRARY, text};
use super::steps::log;
use crate::plugins::library::{built, cargo_build, workspace};
use crate::support::project::Project;

/// A project with a table for each of these modes.
fn project(modes: &[&str], keys: &str) -> Project {
    static BUILT: Once = Once::new();
    BUILT.call_once(|| cargo_build(&workspace(), &["-p", "forge-plugin", "--example", "evil"]));
    let project = Project::of_text(&text(modes, keys));
    let library = project.root().join(LIBRARY);
    fs::create_dir_all(library.parent().expect("a directory")).expect("a directory can be made");
    fs::copy(built().join("examples/libevil.so"), library).expect("it was built");
    project
}

/// A step of this mode fails with these words, which name the plugin; the next step is done.
#[track_caller]
pub fn fails(mode: &str, words: &str) {
    let project = project(&[mode, "good"], if mode == "deaf" { "timeout = \"1s\"" } else { "" });
    let ended = project.forge(&["run", "evil", "--snapshot", "--json"]).expect(1);
    let named = ["bug in plugin `evil`", "plugin `evil "].iter().any(|it| ended.stdout.contains(it));
    assert!(named && ended.stdout.contains(words), "{mode}: {}", ended.stdout);
    assert!(ended.outcomes().contains(&"evil:good done".to_owned()), "{mode}: {:?}", ended.outcomes());
}

#[test]
fn g1_panics() {
    fails("panic", "panicked: no more");
    fails("panic_with_a_bomb", "panicked: (no message)");
    fails("panic_in_a_thread", "panicked: a scoped thread panicked");
}

#[test]
fn g1_what_panics_outside_of_a_call_is_told_once_and_what_panics_in_one_not_at_all() {
    let project = project(&["panic", "panic_with_a_bomb", "panic_in_a_thread"], "");
    project.forge(&["run", "evil", "--snapshot"]).expect(1);
    for (mode, expect) in [("panic", 0), ("panic-with-a-bomb", 0), ("panic-in-a-thread", 1)] {
        let log = log(&project, &format!("evil-{mode}.txt"));
        assert_eq!(log.matches("panicked at").count(), expect, "{log}");
    }
}

#[test]
fn g1_a_panic_tells_how_it_came_to_it_where_that_is_wanted() {
    for (wanted, expect) in [("", false), ("0", false), ("1", true)] {
        let project = project(&["panic"], "").env("FORGE_BACKTRACE", wanted);
        project.forge(&["run", "evil", "--snapshot"]).expect(1);
        let log = log(&project, "evil-panic.txt");
        assert_eq!(log.contains("misbehave"), expect, "{log}");
    }
}

#[test]
fn g2_crashes() {
    fails("abort", "its process was ended by signal 6 (SIGABRT)");
    fails("segv", "its process was ended by signal 11 (SIGSEGV)");
    fails("overflow", "has overflowed its stack");
    fails("out_of_memory", "memory allocation of 1125899906842624 bytes failed");
    fails("exit", "its process ended with exit status 0 before it had answered");
}

#[test]
fn g5_claims() {
    fails("claims", "the plugin returned status 2 and no message");
}

#[test]
fn g13_g14_what_it_makes() {
    fails("outside", "the pipe gave away `/etc/passwd`, which is not a file of its step");
    fails("undeclared", "the pipe made `something-else`, which its step did not declare");
    fails("twice", "the pipe made `made-by-twice` twice");
    fails("nothing", "the pipe declared `made-by-nothing` and did not make it");
}

#[test]
fn g10_noise() {
    for (mode, first, last) in
        [("noise", "noise 0\n", "noise 19999\n"), ("log", "line 0\n", "line 9999\nand another\n")]
    {
        let project = project(&[mode, "good"], "");
        project.forge(&["run", "evil", "--snapshot"]).expect(0);
        let log = log(&project, &format!("evil-{mode}.txt"));
        assert!(log.starts_with(first) && log.ends_with(last), "{mode}: {} bytes", log.len());
    }
}

#[test]
fn g1_a_panic_while_planning_is_told_at_its_table() {
    let ended = project(&["good", "panic_planning"], "").forge(&["check"]).expect(2);
    assert!(
        ended.stderr.starts_with("error: the pipe `evil` can't plan this table: bug in plugin `evil`"),
        "{}",
        ended.stderr
    );
    assert!(ended.stderr.contains("panicked: no plan"), "{}", ended.stderr);
}
