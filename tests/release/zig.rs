//! A C and a Zig program, compiled by zig for another machine, and run as on it.
//! Does not know how zig came here: `tests/run` installs it where it is missing.

use crate::support::program::{emulated, output};
use crate::support::project::Project;

/// What a program says that zig has compiled from this file, which the table names by these lines.
fn said(table: &str, file: &str, source: &str) -> String {
    let head = "[project]\nname = \"hello\"\n\n[[build]]\ntool = \"zig\"\nplatforms = [\"linux/arm64\"]\n";
    let project = Project::of_text(&format!("{head}{table}\n"));
    project.write(file, source);
    project.forge(&["run", "build", "--snapshot"]).expect(0);
    let list = project.json("dist/artifacts.json");
    let program = project.root().join(list["artifacts"][0]["path"].as_str().expect("a path"));
    output(&mut emulated("aarch64", program))
}

#[test]
fn a_program_in_c() {
    let source = "#include <stdio.h>\nint main(void) { puts(\"hello from C\"); return 0; }\n";
    assert_eq!(said("c_sources = [\"hello.c\"]", "hello.c", source), "hello from C");
}

#[test]
fn a_program_in_zig() {
    let source = "const std = @import(\"std\");\n\
                  pub fn main() void {\n    _ = std.os.linux.write(1, \"hello from Zig\\n\", 15);\n}\n";
    assert_eq!(said("main = \"hello.zig\"", "hello.zig", source), "hello from Zig");
}
