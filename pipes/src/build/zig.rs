//! Tool `zig`: `zig build`, one Zig file, or some C files, which zig compiles for every platform.
//! Does not know the build script: it is given `-Dtarget` and must install a program of the right name.

use std::path::{Path, PathBuf};

use forge_plugin::Host;
use forge_plugin::schemas::{Command, Failure, Problem, Resource, Tool as Program};
use serde::{Deserialize, Serialize};

use super::settings::Settings;
use super::targets::ZigTarget;
use super::tool::{Recipe, Tool, program};
use super::unit::{OUTPUT, Unit};
use super::{Params, read_of, take, targets, variables, words};

/// The tool.
pub struct Zig;

#[derive(Serialize, Deserialize)]
struct Start {
    /// The words before `arguments`; empty for whichever zig is there.
    program: Vec<String>,
    arguments: Vec<String>,
    writes: Writes,
}

/// Where the program is afterwards.
#[derive(Serialize, Deserialize)]
enum Writes {
    /// At the path that it was given.
    Output,
    /// Under the prefix that it was given.
    Prefix,
}

/// Stands in a plan for the directory that only `run` knows.
const PREFIX: &str = "${FORGE_PREFIX}";
/// Stands in a plan for the directory of the project file.
const ROOT: &str = "${FORGE_ROOT}";

impl Tool for Zig {
    fn name(&self) -> &'static str {
        "zig"
    }

    fn keys(&self) -> &'static [&'static str] {
        &["main", "c_sources", "flags", "ldflags", "libc", "program"]
    }

    fn platforms(&self, _: &Settings) -> &'static [&'static str] {
        &["linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64", "windows/amd64"]
    }

    fn plan(&self, unit: &mut Unit<'_>) -> Option<Recipe> {
        let libc = unit.pick("libc", unit.settings.libc.as_ref(), |it| it.libc.as_ref()).map(|(_, libc)| *libc);
        let Some(target) = targets::zig(unit.platform, libc) else {
            unit.unsupported("zig");
            return None;
        };
        let program = match &unit.settings.program {
            Some(text) => words::split(text).map_err(|error| unit.problem(Problem::at_key("program", error))).ok()?,
            None => Vec::new(),
        };
        let (arguments, writes) = match (&unit.settings.c_sources, &unit.settings.main) {
            (Some(sources), _) => (compile_c(unit, &target, sources), Writes::Output),
            (None, Some(main)) => {
                let main = unit.text("main", main)?;
                (compile_zig(unit, &target, main), Writes::Output)
            }
            (None, None) => (build(unit, &target), Writes::Prefix),
        };
        let tools = tools(&program);
        Some(Recipe {
            recipe: unit.json(&Start { program, arguments, writes })?,
            env: unit.facts(),
            reads: vec![read_of(".", "")],
            always_reads: Vec::new(),
            variables: variables::zig(),
            tools,
            resource: Resource::Cpu,
        })
    }

    fn run(&self, params: &Params, output: &Path, host: &dyn Host) -> Result<(), Failure> {
        let start: Start = params.recipe()?;
        let prefix = host.dir().join("prefix");
        let mut argv = if start.program.is_empty() { find(host)? } else { start.program };
        let (root, prefix_text) = (host.root().display().to_string(), prefix.display().to_string());
        argv.extend(start.arguments.iter().map(|word| word.replace(ROOT, &root).replace(PREFIX, &prefix_text)));
        let cache = cache_dir(params, host).display().to_string();
        host.exec_ok(&params.command(&argv, host).env("ZIG_LOCAL_CACHE_DIR", cache))?;
        match start.writes {
            Writes::Output => Ok(()),
            Writes::Prefix => take(&prefix.join("bin").join(&params.file_name), output),
        }
    }
}

/// Where zig keeps what it has compiled, the build script too: see `docs/decisions/0002-compiler-caches.md`.
fn cache_dir(params: &Params, host: &dyn Host) -> PathBuf {
    host.root().join(".forge/zig").join(&params.table).join(params.platform.slug())
}

/// Only while running can be seen which of two zigs is there, so one question asks for both.
fn tools(chosen: &[String]) -> Vec<Program> {
    if chosen.is_empty() {
        return vec![program(&["sh", "-c", "zig version || python3 -m ziglang version || echo none"])];
    }
    let words: Vec<&str> = chosen.iter().map(String::as_str).chain(["version"]).collect();
    vec![program(&words)]
}

/// `zig`, or the one that comes as a package of Python.
fn find(host: &dyn Host) -> Result<Vec<String>, Failure> {
    for words in [&["zig"][..], &["python3", "-m", "ziglang"]] {
        let asked = host.exec(&Command::new(words.iter().copied().chain(["version"])));
        if asked.is_ok_and(|exit| exit.is_success()) {
            return Ok(words.iter().map(|word| (*word).to_owned()).collect());
        }
    }
    Err(Failure::tool("there is no zig")
        .help("install `zig`, or the Python package `ziglang`, or say where it is with `program`"))
}

fn compile_c(unit: &mut Unit<'_>, target: &ZigTarget, sources: &[String]) -> Vec<String> {
    if sources.is_empty() {
        unit.problem(Problem::at_key("c_sources", "no C file is named"));
    }
    let mut arguments = vec!["cc".to_owned(), "-target".to_owned(), target.target.clone()];
    if !target.cpu.is_empty() {
        arguments.push(format!("-mcpu={}", target.cpu));
    }
    arguments.push(format!("-ffile-prefix-map={ROOT}=."));
    arguments.extend(flags(unit, &["-O2"]));
    arguments.extend(["-o".to_owned(), OUTPUT.to_owned()]);
    arguments.extend(sources.iter().cloned());
    match unit.pick("ldflags", unit.settings.ldflags.as_ref(), |it| it.ldflags.as_ref()) {
        Some((key, flags)) => arguments.extend(unit.words(&key, flags)),
        None => arguments.push("-s".to_owned()),
    }
    arguments
}

fn compile_zig(unit: &mut Unit<'_>, target: &ZigTarget, main: String) -> Vec<String> {
    let mut arguments = vec!["build-exe".to_owned(), main, "-target".to_owned(), target.target.clone()];
    if !target.cpu.is_empty() {
        arguments.push(format!("-mcpu={}", target.cpu));
    }
    arguments.push(format!("-femit-bin={OUTPUT}"));
    arguments.extend(flags(unit, &["-O", "ReleaseSafe", "-fstrip"]));
    arguments
}

fn build(unit: &mut Unit<'_>, target: &ZigTarget) -> Vec<String> {
    let mut arguments = vec!["build".to_owned(), format!("-Dtarget={}", target.target)];
    if !target.cpu.is_empty() {
        arguments.push(format!("-Dcpu={}", target.cpu));
    }
    arguments.extend(["--prefix".to_owned(), PREFIX.to_owned()]);
    arguments.extend(flags(unit, &["-Doptimize=ReleaseSafe"]));
    arguments
}

fn flags(unit: &mut Unit<'_>, default: &[&str]) -> Vec<String> {
    match unit.pick("flags", unit.settings.flags.as_ref(), |it| it.flags.as_ref()) {
        Some((key, flags)) => unit.words(&key, flags),
        None => default.iter().map(|flag| (*flag).to_owned()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use forge_plugin::schemas::Exit;
    use forge_plugin::testing::FakeHost;
    use serde_json::json;

    use crate::build::checks::{check_plan, check_run, run, write_output};

    #[test]
    fn c_for_every_machine() {
        let table =
            json!({ "tool": "zig", "platforms": ["linux/arm/v6", "darwin/arm64"], "c_sources": ["a.c", "b.c"] });
        check_run(
            &table,
            &expect![[r#"
                $ zig version
                ROOT$ zig cc -target arm-linux-musleabihf '-mcpu=arm1176jzf_s' '-ffile-prefix-map=ROOT=.' -O2 -o DIR/hello a.c b.c -s
                  FORGE_COMMIT=4805ca7d3b1f0c2e9a6858d1f7b2a04c6e93d1b5
                  FORGE_COMMIT_TIME=2026-01-02T03:04:05Z
                  FORGE_OUTPUT=DIR/hello
                  FORGE_PLATFORM=linux/arm/v6
                  FORGE_TAG=v1.2.3
                  FORGE_VERSION=1.2.3
                  SOURCE_DATE_EPOCH=1767323045
                  ZIG_LOCAL_CACHE_DIR=ROOT/.forge/zig/build/linux_arm_v6
                made build_linux_arm_v6/hello
                $ zig version
                ROOT$ zig cc -target aarch64-macos '-ffile-prefix-map=ROOT=.' -O2 -o DIR/hello a.c b.c -s
                  FORGE_COMMIT=4805ca7d3b1f0c2e9a6858d1f7b2a04c6e93d1b5
                  FORGE_COMMIT_TIME=2026-01-02T03:04:05Z
                  FORGE_OUTPUT=DIR/hello
                  FORGE_PLATFORM=darwin/arm64
                  FORGE_TAG=v1.2.3
                  FORGE_VERSION=1.2.3
                  SOURCE_DATE_EPOCH=1767323045
                  ZIG_LOCAL_CACHE_DIR=ROOT/.forge/zig/build/darwin_arm64
                made build_darwin_arm64/hello
            "#]],
        );
    }

    #[test]
    fn one_zig_file() {
        let table = json!({
            "tool": "zig", "platforms": ["linux/amd64/v2"], "main": "src/main.zig", "libc": "gnu",
            "program": "python3 -m ziglang", "flags": "-O ReleaseSmall",
        });
        check_run(
            &table,
            &expect![[r#"
                ROOT$ python3 -m ziglang build-exe src/main.zig -target x86_64-linux-gnu '-mcpu=x86_64_v2' '-femit-bin=DIR/hello' -O ReleaseSmall
                  FORGE_COMMIT=4805ca7d3b1f0c2e9a6858d1f7b2a04c6e93d1b5
                  FORGE_COMMIT_TIME=2026-01-02T03:04:05Z
                  FORGE_OUTPUT=DIR/hello
                  FORGE_PLATFORM=linux/amd64/v2
                  FORGE_TAG=v1.2.3
                  FORGE_VERSION=1.2.3
                  SOURCE_DATE_EPOCH=1767323045
                  ZIG_LOCAL_CACHE_DIR=ROOT/.forge/zig/build/linux_amd64_v2
                made build_linux_amd64_v2/hello
            "#]],
        );
    }

    #[test]
    fn a_build_script_installs_under_a_prefix() {
        let host = FakeHost::new().on_exec(|command| {
            let is_zig = command.argv[0] == "zig";
            let prefix = command.argv.iter().find(|word| word.ends_with("/prefix"));
            if let Some(prefix) = prefix.filter(|_| !is_zig) {
                let mut installed = command.clone();
                installed.env.insert("FORGE_OUTPUT".to_owned(), format!("{prefix}/bin/hello"));
                write_output(&installed);
            }
            Exit { code: Some(i32::from(is_zig)), ..Exit::default() }
        });
        expect![[r#"
            $ zig version
            $ python3 -m ziglang version
            ROOT$ python3 -m ziglang build '-Dtarget=riscv64-linux-musl' --prefix DIR/prefix '-Doptimize=ReleaseSafe'
              FORGE_COMMIT=4805ca7d3b1f0c2e9a6858d1f7b2a04c6e93d1b5
              FORGE_COMMIT_TIME=2026-01-02T03:04:05Z
              FORGE_OUTPUT=DIR/hello
              FORGE_PLATFORM=linux/riscv64
              FORGE_TAG=v1.2.3
              FORGE_VERSION=1.2.3
              SOURCE_DATE_EPOCH=1767323045
              ZIG_LOCAL_CACHE_DIR=ROOT/.forge/zig/build/linux_riscv64
            made build_linux_riscv64/hello
        "#]]
        .assert_eq(&run(&json!({ "tool": "zig", "platforms": ["linux/riscv64"] }), host));
    }

    #[test]
    fn no_zig_and_no_such_platform() {
        let host = FakeHost::new().on_exec(|_| Exit { code: Some(127), ..Exit::default() });
        expect![[r#"
            $ zig version
            $ python3 -m ziglang version
            failed: there is no zig; install `zig`, or the Python package `ziglang`, or say where it is with `program`
        "#]]
        .assert_eq(&run(&json!({ "tool": "zig", "platforms": ["linux/riscv64"] }), host));
        check_plan(
            &json!({ "tool": "zig", "platforms": ["plan9/386"], "c_sources": ["a.c"] }),
            &expect![[r#"
            platforms[0]: `zig` can't build for `plan9/386`; leave it out of `platforms`, or build it with another tool
        "#]],
        );
    }
}
