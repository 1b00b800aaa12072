//! A C program, compiled by zig for another machine, and run as on it.
//! Does not know how zig came here: `tests/run` installs it where it is missing.

use crate::support::program::{emulated, output};
use crate::support::project::Project;

const HELLO: &str = r#"
[project]
name = "hello"

[[build]]
tool = "zig"
c_sources = ["hello.c"]
platforms = ["linux/arm64"]
"#;

const SOURCE: &str = r#"
#include <stdio.h>
int main(void) { puts("hello from C"); return 0; }
"#;

#[test]
fn a_program_for_another_machine() {
    let project = Project::of_text(HELLO);
    project.write("hello.c", SOURCE);
    project.forge(&["run", "build", "--snapshot"]).expect(0);
    let list = project.json("dist/artifacts.json");
    let program = project.root().join(list["artifacts"][0]["path"].as_str().expect("a path"));
    assert_eq!(output(&mut emulated("aarch64", program)), "hello from C");
}
