//! Plugins that live in forge's own process by choice: what they change of it, and what is said of one that has ended it.
//! Does not repeat what is the same in a child.

use std::env::current_dir;
use std::fs;

use super::evil::{LIBRARY, build, project_with, text};
use super::steps::{RUN, bug, fails_in, is_done, log};
use crate::support::project::Project;

const HERE: &str = "isolation = \"in-process\"";

/// A project in which forge has worked before, and whose plugin then is this.
fn worked_in(modes: &[&str], macros: &[&str]) -> Project {
    let project = project_with(&["good"], HERE);
    project.forge(&RUN).expect(0);
    project.write("forge.toml", &text(modes, HERE));
    build(&project, LIBRARY, macros);
    project
}

/// Who next works in the project is told, once, that the last forge ended while the plugin did this.
#[track_caller]
fn is_told(project: &Project, words: &str) {
    project.write("forge.toml", &text(&["good"], HERE));
    build(project, LIBRARY, &[]);
    let told = format!(
        "warning: the last forge that worked here ended while plugin `evil` 1.0.0 {words} in its process\n --> forge.toml:6:13\n"
    );
    let ended = project.forge(&RUN).expect(0);
    assert!(ended.stderr.starts_with(&told), "{}", ended.stderr);
    assert!(ended.stderr.contains("leave out `isolation = \"in-process\"`"), "{}", ended.stderr);
    assert_eq!(project.forge(&RUN).expect(0).stderr, "");
}

#[test]
fn g2_the_next_run_says_who_ended_the_last() {
    for (mode, code) in [("segv", None), ("abort", None), ("quick_exit", Some(0)), ("exit", Some(3))] {
        let project = project_with(&["good", mode], HERE);
        assert_eq!(project.forge(&RUN).code, code, "{mode}");
        is_told(&project, &format!("ran `evil:{}`", mode.replace('_', "-")));
    }
}

#[test]
fn g2_who_ended_it_while_planning_is_said_each_time() {
    let project = worked_in(&["dies_planning"], &[]);
    assert_eq!(project.forge(&["check"]).code, None);
    let again = project.forge(&["check"]);
    assert_eq!(again.code, None);
    assert!(again.stderr.contains("ended while plugin `evil` 1.0.0 planned `evil:dies-planning`"), "{}", again.stderr);
    is_told(&project, "planned `evil:dies-planning`");
}

#[test]
fn g2_who_ended_it_while_it_was_loaded() {
    let project = worked_in(&["good"], &["AT_LOAD=abort()"]);
    assert_eq!(project.forge(&["check"]).code, None);
    is_told(&project, "was loaded");
}

/// In forge's own process a step of this mode has done what no step may, and all is as it was for the next; in a child
/// nobody minds.
#[track_caller]
fn changes(mode: &str, words: &str) {
    let project = project_with(&[mode, "good", "surroundings"], HERE);
    let before = format!("in {} with umask ", current_dir().expect("a directory").display());
    let ended = project.forge(&RUN).expect(1);
    let words = bug(&format!("it has changed {words}"));
    assert!(ended.stdout.contains(&words), "{}", ended.stdout);
    let surroundings = log(&project, "evil-surroundings.txt");
    assert!(surroundings.starts_with(&before) && !surroundings.contains("0777"), "{surroundings}");
    fails_in(&project_with(&[mode, "good"], HERE), mode, &words, &[]);
    is_done(mode);
}

#[test]
fn g10_changes_what_all_of_the_process_shares() {
    changes("changes_directory", "the directory that forge works in to `/`");
    let status = fs::read_to_string("/proc/self/status").expect("there is /proc");
    let before = status.lines().find_map(|it| it.strip_prefix("Umask:\t")).expect("a umask");
    changes("changes_umask", &format!("the umask of forge's process from {before} to 0777"));
}

#[test]
fn g10_changes_it_while_it_is_loaded() {
    let project = worked_in(&["good"], &["AT_LOAD=if(chdir(\"/\"))abort()"]);
    let ended = project.forge(&["check"]).expect(3);
    let words = format!("error: `{LIBRARY}` can't be used: it has changed the directory that forge works in to `/`\n");
    assert!(ended.stderr.starts_with(&words), "{}", ended.stderr);
    assert_eq!(fs::read_dir(project.root().join(".forge/inside")).expect("a folder").count(), 0);
}
