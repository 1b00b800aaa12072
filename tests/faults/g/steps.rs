//! Plugins whose steps misbehave, in a child each. The step fails, or does not; what comes after it runs in any case.
//! Does not know by which means.

use std::fs;

use serde_json::Value;

use super::evil::{LIBRARY, build, project, project_with, text};
use crate::support::forge::Ended;
use crate::support::project::Project;

/// Runs the plugin's tables.
pub const RUN: [&str; 4] = ["run", "evil", "--snapshot", "--json"];

/// Why a task failed: the message, then what led to it. Nothing for one that did not.
fn failure(ended: &Ended, task: &str) -> Option<Vec<String>> {
    let events = ended.stdout.lines().map(|line| serde_json::from_str::<Value>(line).expect("an event is JSON"));
    let mut of_task = events.filter(|it| it["task"] == task && it["event"]["outcome"]["is"] == "failed");
    let failure = of_task.next()?["event"]["outcome"]["failure"].clone();
    let text = |it: &Value| it.as_str().unwrap_or_default().to_owned();
    let causes = failure["causes"].as_array().into_iter().flatten().map(text);
    Some([text(&failure["message"])].into_iter().chain(causes).collect())
}

/// A step of this mode fails with these words, which name the plugin, and what led to them; the next step is done.
#[track_caller]
pub fn fails(mode: &str, words: &str, causes: &[&str]) {
    fails_in(&project(&[mode, "good"]), mode, words, causes);
}

/// The same in this project.
#[track_caller]
pub fn fails_in(project: &Project, mode: &str, words: &str, causes: &[&str]) {
    let ended = project.forge(&RUN).expect(1);
    let task = format!("evil:{}", mode.replace('_', "-"));
    let failure = failure(&ended, &task).expect("it fails");
    assert_eq!(failure[0].replace(&run(project), "RUN"), words);
    for cause in causes {
        assert!(failure[1..].iter().any(|it| it.contains(cause)), "`{cause}` is not in {failure:#?}");
    }
    assert_eq!(ended.tasks("task_ended"), [task, "evil:good".to_owned()]);
    assert!(ended.outcomes().contains(&"evil:good done".to_owned()), "{:?}", ended.outcomes());
}

/// A step of this mode is done, and so is the next.
#[track_caller]
pub fn is_done(mode: &str) -> Project {
    let project = project(&[mode, "good"]);
    let ended = project.forge(&RUN).expect(0);
    let mut expect = [format!("evil:{} done", mode.replace('_', "-")), "evil:good done".to_owned()];
    expect.sort();
    assert_eq!(ended.outcomes(), expect);
    project
}

/// A failure that is the plugin's.
pub fn bug(words: &str) -> String {
    format!("bug in plugin `evil` 1.0.0: {words}")
}

/// The log of a task of the only run.
pub fn log(project: &Project, task: &str) -> String {
    let bytes = fs::read(project.root().join(".forge/runs").join(run(project)).join("logs").join(task)).expect("a log");
    String::from_utf8(bytes).expect("a log is text")
}

/// The name of the only run.
pub fn run(project: &Project) -> String {
    let mut runs = fs::read_dir(project.root().join(".forge/runs")).expect("there are runs");
    let run = runs.next().expect("a run").expect("an entry");
    run.file_name().into_string().expect("a name")
}

#[test]
fn g2_segfault() {
    fails("segv", &bug("its process was ended by signal 11 (SIGSEGV)"), &[]);
}

#[test]
fn g2_abort() {
    fails("abort", &bug("its process was ended by signal 6 (SIGABRT)"), &[]);
    fails("last_words", &bug("its process was ended by signal 6 (SIGABRT)"), &["it wrote: the cable is on fire"]);
}

#[test]
fn g2_stack_overflow() {
    fails("overflow", &bug("its process was ended by signal 6 (SIGABRT)"), &["has overflowed its stack"]);
}

#[test]
fn g2_exit_is_no_success() {
    fails("exit", &bug("its process ended with exit status 0 before it had answered"), &[]);
    fails("quick_exit", &bug("its process ended with exit status 0 before it had answered"), &[]);
}

#[test]
fn g2_longjmp() {
    fails("longjmp", &bug("its process was ended by signal 11 (SIGSEGV)"), &[]);
}

#[test]
fn g2_killed_from_outside() {
    fails("killed", &bug("its process was ended by signal 9 (SIGKILL)"), &[]);
}

#[test]
fn g2_exit_in_forges_own_process_is_no_success_either() {
    let project = project_with(&["exit"], "isolation = \"in-process\"");
    let ended = project.forge(&["run", "evil", "--snapshot"]).expect(3);
    assert!(ended.stderr.contains("a library in forge's own process has called `exit`"), "{}", ended.stderr);
    // What has died so is gone on with by who does not.
    project.write("forge.toml", &text(&["good"], ""));
    project.forge(&RUN).expect(0);
}

#[test]
fn g2_a_crash_in_forges_own_process_costs_no_more_than_the_run() {
    let project = project_with(&["good", "segv"], "isolation = \"in-process\"");
    let died = project.forge(&RUN);
    assert_eq!(died.code, None, "{}", died.stderr);
    fails_in(
        &{
            project.write("forge.toml", &text(&["segv", "good"], ""));
            fs::remove_dir_all(project.root().join(".forge/store")).expect("a store");
            project
        },
        "segv",
        &bug("its process was ended by signal 11 (SIGSEGV)"),
        &[],
    );
}

#[test]
fn g2_a_crash_while_planning_is_told_at_its_table() {
    let project = project(&["good", "dies_planning", "counts"]);
    let ended = project.forge(&["check"]).expect(2);
    let words = bug("its process was ended by signal 6 (SIGABRT)");
    let expect = format!("error: the pipe `evil` can't plan this table: {words}\n  --> forge.toml:14:1\n");
    assert!(ended.stderr.starts_with(&expect), "{}", ended.stderr);
    assert!(ended.stderr.contains("1 mistake in forge.toml"), "{}", ended.stderr);
}

#[test]
fn g2_a_crash_while_loading() {
    let check = |macros: &[&str], words: &str| {
        let project = project(&["good"]);
        build(&project, LIBRARY, macros);
        let ended = project.forge(&["check"]).expect(3);
        let expect = format!("error: `{LIBRARY}` can't be used: it could not be loaded: {words}\n");
        assert!(ended.stderr.starts_with(&expect), "{}", ended.stderr);
    };
    check(&["AT_LOAD=abort()"], "its process was ended by signal 6 (SIGABRT)");
    check(&["AT_LOAD=exit(0)"], "its process ended with exit status 0 before it had answered");
    check(&["AT_INIT=*nowhere=1"], "its process was ended by signal 11 (SIGSEGV)");
    let words = "its process was ended by signal 6 (SIGABRT); it wrote: no such card";
    check(&["AT_LOAD=(puts(\"no such card\"),fflush(stdout),abort())"], words);
}

#[test]
fn g2_there_is_an_end_to_starting_it_again() {
    let project = project(&["segv", "abort", "exit", "killed", "good"]);
    let ended = project.forge(&RUN).expect(1);
    let failure = failure(&ended, "evil:good").expect("it fails");
    assert_eq!(failure, [bug("its process has ended 4 times, and is not started again in this run")]);
    let ended = project.forge(&RUN).expect(1);
    assert!(!ended.outcomes().contains(&"evil:good done".to_owned()), "it is as hopeless as before");
}

#[test]
fn g5_claims() {
    fails("claims", &bug("the plugin said more than a message may have"), &[]);
    fails("hole", &bug("the plugin said something without a pointer to it"), &[]);
}

#[test]
fn g5_claims_on_the_wire() {
    let words = "its process wrote a message of 2147483647 bytes to forge, and was killed";
    fails("claims_on_the_wire", &bug(words), &[]);
    let words = "its process wrote a message of 4294967295 bytes to forge, and was killed";
    fails("nonsense_on_the_wire", &bug(words), &[]);
}

#[test]
fn g8_gives_memory_back_twice() {
    is_done("double_release");
}

#[test]
fn g9_a_thread_that_outlives_its_call() {
    is_done("late");
}

#[test]
fn g10_meddles_with_its_process() {
    is_done("meddle");
    fails("close_all", &bug("its process ended with exit status 0 before it had answered"), &[]);
}

#[test]
fn g11_two_plugins_with_one_symbol() {
    for isolation in ["", "isolation = \"in-process\""] {
        let more =
            format!("[plugins.other]\npath = \"tools/libother.so\"\n{isolation}\n[[other]]\nmode = \"counts\"\n");
        let project = Project::of_text(&format!("{}\n{more}", text(&["counts"], isolation)));
        build(&project, LIBRARY, &[]);
        build(&project, "tools/libother.so", &["NAME=\"other\"", "PIPE=\"other\"", "MADE=\"other-by-\""]);
        let ended = project.forge(&["run", "release", "--snapshot"]).expect(0);
        for task in ["evil:counts", "other:hello"] {
            assert!(ended.stderr.contains(&format!("{task}: run 1 times")), "{}", ended.stderr);
        }
    }
}

#[test]
fn g11_a_kind_of_another_stays_what_it_is() {
    let project = project(&["good"]);
    build(&project, LIBRARY, &["KIND=\"image\""]);
    let ended = project.forge(&RUN).expect(1);
    let failure = failure(&ended, "evil:good").expect("it fails");
    assert!(failure[0].contains("the pipe made a `image` whose detail is not of its schema"), "{failure:?}");
}

#[test]
fn g12_swapped_while_it_runs() {
    let project = project(&["swap", "good"]);
    fails_in(&project, "swap", &bug("its process was ended by signal 6 (SIGABRT)"), &[]);
    // The next step ran what was judged. The next run judges anew.
    let ended = project.forge(&RUN).expect(3);
    assert!(ended.stderr.contains("can't be used: there is no plugin manifest in it"), "{}", ended.stderr);
}

#[test]
fn g13_a_path_outside_of_its_directory() {
    fails_in_file("outside", "../outside");
}

#[test]
fn g14_what_is_no_file_of_its_own() {
    fails_in_file("symlink", "made");
    fails_in_file("no_file", "made");
    fails_in_file("directory", "");
}

#[track_caller]
fn fails_in_file(mode: &str, path: &str) {
    let project = project(&[mode, "good"]);
    let step = project.root().join(".forge/work/RUN/0");
    let path = if path.is_empty() { step } else { step.join(path) };
    let words = bug(&format!("the pipe gave away `{}`, which is not a file of its step", path.display()));
    fails_in(&project, mode, &words, &[]);
}

#[test]
fn g14_more_and_less_than_it_declared() {
    fails("undeclared", &bug("the pipe made `something-else`, which its step did not declare"), &[]);
    fails("nothing", &bug("the pipe declared `made-by-nothing` and did not make it"), &[]);
}

#[test]
fn g14_one_artifact_twice() {
    for keys in ["", "isolation = \"in-process\""] {
        let project = project_with(&["twice", "good"], keys);
        fails_in(&project, "twice", &bug("the pipe made `made-by-twice` twice"), &[]);
    }
}

#[test]
fn g15_other_bytes_of_the_same() {
    let project = is_done("random");
    fs::remove_dir_all(project.root().join(".forge/store")).expect("a store");
    let ended = project.forge(&["run", "evil", "--snapshot"]).expect(0);
    assert!(ended.stderr.contains("evil:random") && ended.stderr.contains("made-by-random"), "{}", ended.stderr);
}

#[test]
fn g16_what_is_fresh_starts_no_child() {
    let project = project(&["good"]);
    let touched = project.root().join("touched");
    build(&project, LIBRARY, &[&format!("TOUCH=\"{}\"", touched.display())]);
    project.forge(&RUN).expect(0);
    let runs = || fs::read_to_string(&touched).expect("it has run").lines().count();
    assert_eq!(runs(), 1, "one child for all of a run");
    assert_eq!(project.forge(&RUN).expect(0).outcomes(), ["evil:good fresh"]);
    assert_eq!(runs(), 1);
    project.forge(&["plan"]).expect(0);
    assert_eq!(runs(), 2, "to plan it is asked");
    build(&project, LIBRARY, &[&format!("TOUCH=\"{}\"", touched.display()), "VERSION=\"1.0.1\""]);
    assert_eq!(project.forge(&RUN).expect(0).outcomes(), ["evil:good done"], "another build makes it anew");
}

#[test]
fn h3_a_plugin_sees_no_secret() {
    let more = "\n[secrets]\nnpm_token = { env = \"CANARY\" }\n";
    let project = Project::of_text(&format!("{}{more}", text(&["environment"], "env = [\"WANTED\"]")))
        .env("GITHUB_TOKEN", "canary-github")
        .env("CANARY", "canary-of-forge")
        .env("EDITOR", "canary-editor")
        .env("WANTED", "wanted");
    build(&project, LIBRARY, &[]);
    project.forge(&RUN).expect(0);
    let log = log(&project, "evil-environment.txt");
    assert!(log.contains("WANTED=wanted\n") && log.contains("PATH="), "{log}");
    assert!(!log.contains("canary"), "{log}");
    project.write("forge.toml", &text(&["environment"], "env = [\"GITHUB_TOKEN\"]"));
    let ended = project.forge(&["check"]).expect(3);
    assert!(
        ended.stderr.starts_with("error: `GITHUB_TOKEN` may hold a secret, and plugins see none\n"),
        "{}",
        ended.stderr
    );
}
