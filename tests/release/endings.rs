//! Runs that end badly: what is said, and what goes on.
//! Does not know what a pipe does.

use crate::support::project::Project;

/// One that fails, one that needs it, one that does not.
const FAILS: &str = r#"
[project]
name = "three"

[[build]]
id = "bad"
tool = "command"
binary = "bad"
platforms = ["linux/amd64"]
argv = ["sh", "-c", "exec >&2; for i in $(seq 1 500); do echo line $i; done; echo no such luck; exit 3"]

[[build]]
id = "good"
tool = "command"
binary = "good"
platforms = ["linux/amd64"]
argv = ["sh", "-c", "sleep 1; printf x > $FORGE_OUTPUT"]

[[docker]]
id = "bad-image"
ids = ["bad"]
images = ["registry.example.org/bad"]
platforms = ["linux/amd64"]
base = "scratch"

[[docker]]
id = "good-image"
ids = ["good"]
images = ["registry.example.org/good"]
platforms = ["linux/amd64"]
base = "scratch"
"#;

#[test]
fn a_failure_says_what_and_where_and_stops_what_needs_it() {
    let project = Project::of_text(FAILS);
    let ended = project.forge(&["run", "release", "--snapshot"]).expect(1);
    let said = &ended.stderr;
    for words in [" failed build:bad", "exit status 3", "sh -c", "| line 500", "| no such luck"] {
        assert!(said.contains(words), "`{words}` is missing\n{said}");
    }
    assert!(!said.contains("| line 100\n"), "the tail is not the whole\n{said}");
    let log = said.lines().find_map(|line| line.trim().strip_prefix("the whole log is ")).expect("a path");
    let log = std::fs::read_to_string(project.root().join(log)).expect("the log");
    assert!(log.contains("line 1\n") && log.contains("line 500\n"), "{log}");
    let tasks = |word: &str| -> Vec<&str> {
        let lines = said.lines().filter_map(|line| line.trim_start().strip_prefix(word));
        lines.filter_map(|rest| rest.split_whitespace().next()).map(|it| it.trim_end_matches(':')).collect()
    };
    assert!(tasks("done ").iter().any(|it| it.starts_with("docker:good-image")), "{said}");
    assert!(tasks("skipped ").iter().any(|it| it.starts_with("docker:bad-image")), "{said}");
}
