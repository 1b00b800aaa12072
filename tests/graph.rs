//! The engine's own graph at the size of a large build: two thousand commands, run once, then found fresh.
//! Does not measure: `benches/graph.py` does, beside ninja.

use std::fmt::Write as _;

use serde_json::Value;

use crate::support::project::Project;

const COMMANDS: usize = 2_000;

#[test]
fn two_thousand_commands_are_found_fresh() {
    let project = Project::of_text(&tables());
    for at in 0..COMMANDS {
        project.write(&format!("src/{at}.txt"), &format!("{at}\n"));
    }
    let run = ["run", "release", "--snapshot", "--json"];
    assert_eq!(end_of(&project.forge(&run).expect(0).stdout), [COMMANDS, 0, 0, 0]);
    assert_eq!(end_of(&project.forge(&run).expect(0).stdout), [0, COMMANDS, 0, 0]);
    project.write("src/1711.txt", "changed\n");
    assert_eq!(end_of(&project.forge(&run).expect(0).stdout), [1, COMMANDS - 1, 0, 0]);
}

fn tables() -> String {
    let mut text = String::from("[project]\nname = \"graph\"\n");
    for at in 0..COMMANDS {
        let _ = write!(
            text,
            "[[build]]\nid = \"t{at}\"\ntool = \"command\"\nplatforms = [\"linux/amd64\"]\n\
             argv = [\"cp\", \"src/{at}.txt\", \"{{{{ output }}}}\"]\nsources = [\"src/{at}.txt\"]\n"
        );
    }
    text
}

/// How many tasks are done, fresh, failed and skipped, as the last event says.
fn end_of(events: &str) -> [usize; 4] {
    let last: Value = serde_json::from_str(events.lines().last().expect("an event")).expect("JSON");
    ["done", "fresh", "failed", "skipped"].map(|word| last["event"][word].as_u64().expect("a number") as usize)
}
