//! A C, a Zig and a Rust program with C in it, compiled by zig for another machine, and run as on it.
//! Does not know how zig came here: `tests/run` installs it where it is missing.

use crate::support::program::{emulated, output};
use crate::support::project::Project;

/// What a program says that zig has compiled from this file, which the table names by these lines.
fn said(table: &str, file: &str, source: &str) -> String {
    let project = project("zig", table);
    project.write(file, source);
    run(&project)
}

/// A project whose only table builds `hello` for another machine.
fn project(tool: &str, lines: &str) -> Project {
    let head = "[project]\nname = \"hello\"\n\n[[build]]\nplatforms = [\"linux/arm64\"]\n";
    Project::of_text(&format!("{head}tool = \"{tool}\"\n{lines}\n"))
}

fn run(project: &Project) -> String {
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

#[test]
fn a_program_in_rust_with_c_in_it() {
    let project = project("cargo", "locked = false\ncross_tool = \"zigbuild\"");
    let manifest =
        "[package]\nname = \"hello\"\nversion = \"1.0.0\"\nedition = \"2024\"\n\n[build-dependencies]\ncc = \"1\"\n";
    project.write("Cargo.toml", manifest);
    project.write("build.rs", "fn main() {\n    cc::Build::new().file(\"said.c\").compile(\"said\");\n}\n");
    project.write("said.c", "const char *said(void) { return \"hello from Rust and C\"; }\n");
    let main = "unsafe extern \"C\" {\n    safe fn said() -> *const std::ffi::c_char;\n}\n\nfn main() {\n    \
                println!(\"{}\", unsafe { std::ffi::CStr::from_ptr(said()) }.to_str().unwrap());\n}\n";
    project.write("src/main.rs", main);
    assert_eq!(run(&project), "hello from Rust and C");
}
