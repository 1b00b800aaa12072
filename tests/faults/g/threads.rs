//! On which threads a plugin is called that lives in forge's own process: never on one of a pool or of a runtime, for a plugin may
//! bring its own, or block. Knows the names that forge gives to its plain threads; those of rayon and tokio have none of these.

use std::collections::BTreeSet;
use std::fs;

use super::evil::{LIBRARY, build, text};
use crate::support::project::Project;

const HERE: &str = "isolation = \"in-process\"";

#[test]
fn plain_threads_alone_call_a_plugin() {
    let tables: Vec<String> = (0..40).map(|at| format!("good_{at}")).collect();
    let modes: Vec<&str> = tables.iter().map(String::as_str).chain(["publishes"]).collect();
    let project = Project::of_text(&text(&modes, HERE));
    let place = tempfile::tempdir().expect("a directory");
    let lines = place.path().join("threads");
    build(&project, LIBRARY, &[&format!("THREADS=\"{}\"", lines.display())]);
    project.tagged("v1.2.3").forge(&["run", "release", "--jobs", "4"]).expect(0);
    let lines = fs::read_to_string(lines).expect("it was called");
    let called: BTreeSet<&str> = lines.lines().filter(|it| !it.starts_with("describe")).collect();
    let runs = called.iter().filter(|it| it.starts_with("run ")).count();
    assert_eq!(runs, modes.len(), "{called:#?}");
    let fits = |line: &str| {
        let (method, thread) = line.split_once(" on ").expect("a method and a thread");
        match method {
            "takes" | "plan" => ["main", "plan"].contains(&thread),
            "probe" => thread == "probe",
            _ => thread.starts_with("evil:"),
        }
    };
    let others: Vec<&&str> = called.iter().filter(|it| !fits(it)).collect();
    assert!(others.is_empty(), "{others:#?}");
    for method in ["takes ", "plan ", "probe "] {
        assert!(called.iter().any(|it| it.starts_with(method)), "{method}is not in {called:#?}");
    }
}
