//! Hooks that publish: when all else is done, never in a snapshot, and again after a run that died in one.
//! Does not know what they do.

use rustix::process::Signal;

use crate::support::forge::{Ended, Running};
use crate::support::project::Project;

/// Every run of the hook adds a line to a file beside the project, with what it was given. It goes on when `go` is there.
const FILE: &str = r#"
[project]
name = "hello"

[[build]]
tool = "command"
argv = ["sh", "-c", "sleep 0.3; COMMAND > $FORGE_OUTPUT"]
platforms = ["linux/amd64", "linux/arm64"]

[[archive]]

[[checksum]]

[[hook]]
id = "tell"
effect = "publish"
kinds = ["archive"]
argv = ["sh", "-c", "ls dist/hello_1.2.3_*.tar.gz | wc -l >> ../told; echo told; test -e ../go || exec sleep 30"]
"#;

fn project(command: &str) -> Project {
    Project::of_text(&FILE.replace("COMMAND", command)).tagged("v1.2.3")
}

fn release(project: &Project) -> Ended {
    project.forge(&["run", "release", "--json"])
}

fn go(project: &Project) {
    std::fs::write(project.place().join("go"), "").expect("a file can be written");
}

/// What each run of the hook has found.
fn told(project: &Project) -> String {
    let told = std::fs::read_to_string(project.place().join("told")).unwrap_or_default();
    told.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn once_a_run_and_last() {
    let project = project("echo hello");
    go(&project);
    project.forge(&["run", "--snapshot", "release"]).expect(0);
    assert_eq!(told(&project), "");
    let ended = release(&project).expect(0);
    assert_eq!(ended.tasks("task_started").last().map(String::as_str), Some("hook:tell"));
    assert_eq!(told(&project), "2");
    // Nobody can be asked whether it is done.
    let ended = release(&project).expect(0);
    assert_eq!(ended.tasks("task_started"), ["hook:tell"]);
    assert_eq!(told(&project), "2 2");
}

#[test]
fn not_where_something_else_has_failed() {
    let project = project("test $FORGE_ARCH = amd64");
    go(&project);
    release(&project).expect(1);
    assert_eq!(told(&project), "");
}

#[test]
fn again_after_a_run_that_died_in_it() {
    let project = project("echo hello");
    let mut running = Running::start(&mut project.command(&["run", "release", "--json"]));
    assert_eq!(running.next_output(), "told");
    running.signal(Signal::KILL);
    running.end();
    assert_eq!(told(&project), "2");
    go(&project);
    let ended = release(&project).expect(0);
    assert_eq!(ended.tasks("task_started"), ["hook:tell"]);
    assert_eq!(told(&project), "2 2");
    let journal = std::fs::read_to_string(project.root().join(".forge/journal")).expect("a journal");
    assert!(journal.lines().last().is_some_and(|it| it.contains(r#""entry":"end""#)), "{journal}");
}
