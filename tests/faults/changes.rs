//! Rows B3 and B5: what changes while a run runs, and what comes out otherwise the second time.
//! Does not know what a run makes.

use std::fs;

use serde_json::Value;

use crate::support::project::Project;

const RUN: [&str; 4] = ["run", "build", "--snapshot", "--json"];

/// A project whose only task starts this script.
fn script(script: &str) -> Project {
    let project = Project::of_text(
        "[project]\nname = \"it\"\n[[build]]\ntool = \"command\"\nid = \"it\"\nargv = [\"sh\", \"make.sh\"]\n\
         platforms = [\"linux/amd64\"]\nsources = [\"make.sh\", \"src\"]\n",
    );
    project.write("make.sh", script);
    project.write("src/in.txt", "in\n");
    project
}

fn warnings(events: &str) -> Vec<String> {
    let events = events.lines().map(|line| serde_json::from_str::<Value>(line).expect("an event is JSON"));
    let warnings = events.filter(|it| it["event"]["level"] == "warn");
    warnings.map(|it| it["event"]["message"].as_str().expect("a message").to_owned()).collect()
}

#[test]
fn b3_other_bytes_of_the_same_are_reported_with_both_digests() {
    let project = script("cat /proc/sys/kernel/random/uuid > $FORGE_OUTPUT");
    let digest =
        || project.json("dist/artifacts.json")["artifacts"][0]["digest"].as_str().expect("a digest").to_owned();
    assert_eq!(warnings(&project.forge(&RUN).expect(0).stdout), [""; 0]);
    let then = digest();
    fs::remove_dir_all(project.root().join(".forge/store")).expect("a store");
    let told = warnings(&project.forge(&RUN).expect(0).stdout);
    let now = digest();
    assert_ne!(then, now);
    assert_eq!(told, [format!("`it_linux_amd64/it` is not what the same inputs made before: {then} then, {now} now")]);
    // The entry is replaced: what is fresh is what was made last.
    let events = project.forge(&RUN).expect(0);
    assert_eq!((events.outcomes(), digest()), (vec!["build:it/linux/amd64 fresh".to_owned()], now));
}

#[test]
fn b3_the_same_bytes_of_the_same_are_not_reported() {
    let project = script("cat src/in.txt > $FORGE_OUTPUT");
    project.forge(&RUN).expect(0);
    fs::remove_dir_all(project.root().join(".forge/store")).expect("a store");
    let events = project.forge(&RUN).expect(0);
    assert_eq!(events.outcomes(), ["build:it/linux/amd64 done"]);
    assert_eq!(warnings(&events.stdout), [""; 0]);
}

#[test]
fn b5_a_source_that_changes_during_the_run_fails_its_task() {
    let changes = [
        "echo more >> src/in.txt",
        "echo IN > src/in.txt",
        "chmod +x src/in.txt",
        "rm src/in.txt",
        "rm src/in.txt; ln -s ../make.sh src/in.txt",
    ];
    for change in changes {
        let project = script(&format!("cat src/in.txt > $FORGE_OUTPUT; {change}\n"));
        let ended = project.forge(&RUN).expect(1);
        let told = "an input changed during the build: `src/in.txt`";
        assert!(ended.stdout.contains(told), "after `{change}`:\n{}", ended.stdout);
        assert!(!project.root().join("dist/it_linux_amd64").exists(), "what was made is not shown");
        // It is not remembered, and what the user has mended is built.
        let _ = fs::remove_file(project.root().join("src/in.txt"));
        project.write("src/in.txt", "in\n");
        project.write("make.sh", "cat src/in.txt > $FORGE_OUTPUT");
        let events = project.forge(&RUN).expect(0);
        assert_eq!(events.outcomes(), ["build:it/linux/amd64 done"], "after `{change}`");
    }
}

#[test]
fn b5_a_source_that_was_only_touched_is_the_same() {
    let project =
        script("cat src/in.txt > $FORGE_OUTPUT; cp src/in.txt new; mv new src/in.txt; touch -d 2001-01-01 make.sh");
    let events = project.forge(&RUN).expect(0);
    assert_eq!(events.outcomes(), ["build:it/linux/amd64 done"]);
    let events = project.forge(&RUN).expect(0);
    assert_eq!(events.outcomes(), ["build:it/linux/amd64 fresh"]);
}
