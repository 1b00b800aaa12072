//! Row A15: edits that leave size and time as they were.
//! Does not know how forge looks at files.

use std::fs::File;
use std::time::{Duration, SystemTime};

use crate::support::project::Project;

const RUN: [&str; 4] = ["run", "build", "--snapshot", "--json"];

/// Two commands that copy a source file each.
const TABLES: &str = r#"
[project]
name = "clock"

[[build]]
id = "one"
tool = "command"
argv = ["cp", "one.txt", "{{ output }}"]
platforms = ["linux/amd64"]
sources = ["one.txt"]

[[build]]
id = "two"
tool = "command"
argv = ["cp", "two.txt", "{{ output }}"]
platforms = ["linux/amd64"]
sources = ["two.txt"]
"#;

#[test]
fn a15_an_edit_that_leaves_size_and_time_is_seen() {
    let hour = Duration::from_secs(3600);
    for time in [SystemTime::now() - hour, SystemTime::now(), SystemTime::now() + 24 * hour] {
        let project = Project::of_text(TABLES);
        let write = |path: &str, text: &str| {
            project.write(path, text);
            let file = File::options().write(true).open(project.root().join(path)).expect("a file");
            file.set_modified(time).expect("a time can be set");
        };
        write("one.txt", "first");
        write("two.txt", "first");
        project.forge(&RUN).expect(0);
        for text in ["other", "third", "again"] {
            write("one.txt", text);
            let events = project.forge(&RUN).expect(0);
            assert_eq!(events.outcomes(), ["build:one/linux/amd64 done", "build:two/linux/amd64 fresh"]);
            let made =
                std::fs::read_to_string(project.root().join("dist/one_linux_amd64/clock")).expect("what was made");
            assert_eq!(made, text);
        }
        let events = project.forge(&RUN).expect(0);
        assert_eq!(events.outcomes(), ["build:one/linux/amd64 fresh", "build:two/linux/amd64 fresh"]);
    }
}
