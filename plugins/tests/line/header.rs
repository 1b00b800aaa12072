//! The header, read by a C compiler and a C++ compiler, says what the Rust types say.
//! Does not load anything.

use std::fmt::Write as _;
use std::mem::{offset_of, size_of};
use std::path::Path;
use std::process::Command;

use forge_plugin::abi::{CallId, HostV1, PluginV1, Status, Str, platform};

use crate::c;
use crate::examples::{Example, done, workspace, zig_command};

#[test]
fn is_clean_in_every_dialect() {
    let cpp = ["-x", "c++", "-std=c++11"];
    for source in [c::source("layout.c"), c::source("json.c"), Example::of("notify").source().join("notify.c")] {
        for dialect in [&["-std=c99"][..], &["-std=c11"], &cpp] {
            let mut gcc = c::gcc();
            gcc.args(dialect).args(["-pedantic", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"]).arg(&source);
            assert!(gcc.status().unwrap().success(), "{dialect:?} {}", source.display());
        }
    }
}

/// What `json.c` prints for these arguments.
#[track_caller]
fn check_json(program: &Path, arguments: [&str; 2], expect: &str) {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expect);
}

#[test]
fn messages_can_be_read_and_written_in_c() {
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("json");
    let mut gcc = c::gcc();
    gcc.args(["-fsanitize=address,undefined", "-fno-sanitize-recover", "-g", "-o"]).arg(&program);
    assert!(gcc.arg(c::source("json.c")).status().unwrap().success());
    let check = |json: &str, path: &str, expect: &str| check_json(&program, [json, path], expect);
    let nested = r#"{"a":1,"step":{"params":{"url":"a \"b\" }{"},"takes":[ "x" , {"y":[]},[[]],null ]} ,"z":-1.5e3}"#;
    check(nested, "a", "1\n");
    check(nested, "step.params.url", "\"a \\\"b\\\" }{\"\n");
    check(nested, "step.takes", "[ \"x\" , {\"y\":[]},[[]],null ]\n\"x\"\n{\"y\":[]}\n[[]]\nnull\n");
    check(nested, "z", "-1.5e3\n");
    for path in ["b", "a.b", "step.takes.x", "step.param"] {
        check(nested, path, "\n");
    }
    // What is no JSON is read without harm.
    for text in ["", "{", "{\"a", "{\"a\":", "{\"a\":\"\\", "]", "{]", "[[[", "\"\\"] {
        let output = Command::new(&program).args([text, "a"]).output().unwrap();
        assert!(output.status.success(), "{text}: {}", String::from_utf8_lossy(&output.stderr));
    }
    check_json(
        &program,
        ["--write", "a\"\\\n\u{e9}"],
        "{\"raw\":a\"\\\n\u{e9},\"quoted\":\"a\\\"\\\\\\u000a\u{e9}\",\"none\":null}\n",
    );
}

#[test]
fn has_the_layout_of_the_rust_types() {
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("layout");
    assert!(c::gcc().arg(c::source("layout.c")).arg("-o").arg(&program).status().unwrap().success());
    let output = Command::new(&program).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), rust() + "FORGE_PLATFORM " + &platform() + "\n");
    // Of every version that there was: a number that changes here breaks every plugin there is.
    #[cfg(target_pointer_width = "64")]
    expect_test::expect_file!["../layout.txt"].assert_eq(&rust());
}

/// What Microsoft's compiler lays out is what clang does for its targets; there is none of it to be had here.
#[test]
fn has_that_layout_for_every_compiler_and_platform() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("layout.c");
    let asserts = rust().lines().map(assertion).collect::<String>();
    let head = "#include \"forge_plugin.h\"\n#ifdef __cplusplus\n#define _Static_assert static_assert\n#endif\n";
    std::fs::write(&source, head.to_owned() + &asserts).unwrap();
    let mut gcc = c::gcc();
    done(gcc.args(["-x", "c++", "-std=c++11", "-Wno-invalid-offsetof", "-fsyntax-only"]).arg(&source));
    let targets =
        ["x86_64-windows-msvc", "aarch64-windows-msvc", "x86_64-windows-gnu", "aarch64-macos", "aarch64-linux-musl"];
    for target in targets {
        let mut zig = zig_command();
        zig.args(["cc", "-target", target, "-c", "-o"]).arg(dir.path().join("layout.o"));
        done(zig.arg("-I").arg(workspace().join("plugins/include")).arg(&source));
    }
}

/// A line of the layout, as a compiler checks it: `forge_str 16`, `forge_plugin_v1.call 48`.
fn assertion(line: &str) -> String {
    let (name, number) = line.split_once(' ').unwrap();
    let measured = match name.split_once('.') {
        Some((of, member)) => format!("offsetof({of}, {member})"),
        None if name.starts_with("FORGE") => name.to_owned(),
        None => format!("sizeof({name})"),
    };
    format!("_Static_assert({measured} == {number}, \"{name}\");\n")
}

fn rust() -> String {
    let mut text = String::new();
    let mut line = |name: &str, size: usize| writeln!(text, "{name} {size}").unwrap();
    line("forge_str", size_of::<Str>());
    line("forge_cx", size_of::<CallId>());
    line("forge_status", size_of::<Status>());
    line("forge_host_v1", size_of::<HostV1>());
    line("forge_host_v1.struct_size", offset_of!(HostV1, struct_size));
    line("forge_host_v1.abi_major", offset_of!(HostV1, abi_major));
    line("forge_host_v1.abi_minor", offset_of!(HostV1, abi_minor));
    line("forge_host_v1.features", offset_of!(HostV1, features));
    line("forge_host_v1.self", offset_of!(HostV1, this));
    line("forge_host_v1.reply", offset_of!(HostV1, reply));
    line("forge_host_v1.set_error", offset_of!(HostV1, set_error));
    line("forge_host_v1.log", offset_of!(HostV1, log));
    line("forge_host_v1.progress", offset_of!(HostV1, progress));
    line("forge_host_v1.cancelled", offset_of!(HostV1, cancelled));
    line("forge_host_v1.call", offset_of!(HostV1, call));
    line("forge_host_v1.release", offset_of!(HostV1, release));
    line("forge_plugin_v1", size_of::<PluginV1>());
    line("forge_plugin_v1.struct_size", offset_of!(PluginV1, struct_size));
    line("forge_plugin_v1.abi_major", offset_of!(PluginV1, abi_major));
    line("forge_plugin_v1.abi_minor", offset_of!(PluginV1, abi_minor));
    line("forge_plugin_v1.min_host_minor", offset_of!(PluginV1, min_host_minor));
    line("forge_plugin_v1.flags", offset_of!(PluginV1, flags));
    line("forge_plugin_v1.manifest", offset_of!(PluginV1, manifest));
    line("forge_plugin_v1.init", offset_of!(PluginV1, init));
    line("forge_plugin_v1.call", offset_of!(PluginV1, call));
    line("forge_plugin_v1.fini", offset_of!(PluginV1, fini));
    line("FORGE_STALE", usize::try_from(Status::STALE.0).unwrap());
    text
}
