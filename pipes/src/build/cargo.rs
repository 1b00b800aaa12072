//! Tool `cargo`: `cargo build`, with the linker that comes with Rust wherever the target is Linux with musl.
//! Does not know the manifest: cargo reads it.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use forge_plugin::Host;
use forge_plugin::schemas::{Command, Exit, Failure, Level, Problem, Resource, Tool as Program};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::settings::Settings;
use super::targets::{self, RustTarget};
use super::tool::{Recipe, Tool, program};
use super::unit::Unit;
use super::variables;
use super::{Params, read_of, take};

/// The tool.
pub struct Cargo;

/// What builds for platforms that need a cross compiler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CrossTool {
    /// `cargo zigbuild`: zig is the C compiler and the linker.
    Zigbuild,
    /// `cross`: a container of the target's own.
    Cross,
}

#[derive(Serialize, Deserialize)]
struct Start {
    target: RustTarget,
    cross_tool: Option<CrossTool>,
    /// The command but for what only the machine knows.
    argv: Vec<String>,
    /// Under the target directory: `aarch64-unknown-linux-musl/release/hello`.
    executable: PathBuf,
}

impl Tool for Cargo {
    fn name(&self) -> &'static str {
        "cargo"
    }

    fn keys(&self) -> &'static [&'static str] {
        &[
            "package",
            "bin",
            "features",
            "no_default_features",
            "profile",
            "locked",
            "cross_tool",
            "auditable",
            "libc",
            "flags",
            "program",
        ]
    }

    fn platforms(&self, settings: &Settings) -> &'static [&'static str] {
        match settings.cross_tool {
            None => &["linux/amd64", "linux/arm64"],
            Some(_) => &["linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64", "windows/amd64"],
        }
    }

    fn plan(&self, unit: &mut Unit<'_>) -> Option<Recipe> {
        let libc = unit.pick("libc", unit.settings.libc.as_ref(), |it| it.libc.as_ref()).map(|(_, libc)| *libc);
        let Some(target) = targets::rust(unit.platform, libc) else {
            unit.unsupported("cargo");
            return None;
        };
        if unit.settings.cross_tool == Some(CrossTool::Cross) && is_auditable(unit.settings) {
            let problem = Problem::at_key("auditable", "the containers of `cross` have no `cargo auditable`");
            unit.problem(problem.help("build with `cross_tool = \"zigbuild\"`, or leave it out"));
        }
        let mut env = unit.facts();
        env.insert("CARGO_INCREMENTAL".to_owned(), "0".to_owned());
        if let (None, true) = (unit.settings.cross_tool, target.triple.contains("-linux-musl")) {
            env.insert(variable_of("LINKER", &target.triple), "rust-lld".to_owned());
        }
        let variables = variables::rust(&target.triple, variable_of("LINKER", &target.triple));
        let start = Start {
            cross_tool: unit.settings.cross_tool,
            argv: argv(unit, &target),
            executable: executable(unit, &target),
            target,
        };
        Some(Recipe {
            recipe: unit.json(&start)?,
            env,
            // A package may depend on others anywhere in the workspace, so `dir` alone is not enough.
            reads: vec![read_of(".", "")],
            always_reads: Vec::new(),
            variables,
            tools: tools(unit.settings),
            resource: Resource::Memory,
        })
    }

    fn run(&self, params: &Params, output: &Path, host: &dyn Host) -> Result<(), Failure> {
        let start: Start = params.recipe()?;
        let machine = Machine::ask(params, host)?;
        if start.cross_tool != Some(CrossTool::Cross) {
            machine.ensure_target(&start.target.triple, params, host)?;
        }
        let target_dir = target_dir(params, &start.target.triple, host);
        let command = params.command(&start.argv, host).env("CARGO_TARGET_DIR", target_dir.display().to_string());
        let exit = host.exec(&machine.with_rustflags(command, &start.target, host))?;
        if !exit.is_success() {
            return Err(failure(&start, &exit));
        }
        take(&target_dir.join(&start.executable), output)
    }
}

fn cargo(settings: &Settings) -> String {
    settings.program.clone().unwrap_or_else(|| "cargo".to_owned())
}

fn tools(settings: &Settings) -> Vec<Program> {
    let mut tools = vec![program(&[&cargo(settings), "-vV"]), program(&["rustc", "-vV"])];
    match settings.cross_tool {
        None => {}
        Some(CrossTool::Zigbuild) => tools.push(program(&["cargo-zigbuild", "--version"])),
        Some(CrossTool::Cross) => tools.push(program(&["cross", "--version"])),
    }
    if is_auditable(settings) {
        tools.push(program(&["cargo-auditable"]));
    }
    tools
}

fn is_auditable(settings: &Settings) -> bool {
    settings.auditable == Some(true)
}

fn argv(unit: &mut Unit<'_>, target: &RustTarget) -> Vec<String> {
    let settings = unit.settings;
    let (program, build) = match settings.cross_tool {
        None => (cargo(settings), "build"),
        Some(CrossTool::Zigbuild) => (cargo(settings), "zigbuild"),
        Some(CrossTool::Cross) => ("cross".to_owned(), "build"),
    };
    let mut argv = vec![program];
    if is_auditable(settings) {
        argv.push("auditable".to_owned());
    }
    argv.push(build.to_owned());
    argv.extend(["--target".to_owned(), target.triple.clone(), "--profile".to_owned(), profile(settings).to_owned()]);
    argv.extend(["--bin".to_owned(), bin(unit)]);
    if let Some(package) = &settings.package {
        argv.extend(["--package".to_owned(), package.clone()]);
    }
    if let Some((_, features)) = unit.pick("features", settings.features.as_ref(), |it| it.features.as_ref()) {
        argv.extend(["--features".to_owned(), features.join(",")]);
    }
    if settings.no_default_features == Some(true) {
        argv.push("--no-default-features".to_owned());
    }
    if settings.locked != Some(false) {
        argv.push("--locked".to_owned());
    }
    if let Some((key, flags)) = unit.pick("flags", settings.flags.as_ref(), |it| it.flags.as_ref()) {
        argv.extend(unit.words(&key, flags));
    }
    argv
}

fn profile(settings: &Settings) -> &str {
    settings.profile.as_deref().unwrap_or("release")
}

fn bin(unit: &Unit<'_>) -> String {
    unit.settings.bin.clone().unwrap_or_else(|| unit.binary.clone())
}

fn executable(unit: &Unit<'_>, target: &RustTarget) -> PathBuf {
    // Two profiles share the directory of another (The Cargo Book, "Profiles").
    let directory = match profile(unit.settings) {
        "dev" | "test" => "debug",
        "bench" => "release",
        other => other,
    };
    let ext = unit.file_name.strip_prefix(&unit.binary).unwrap_or_default();
    Path::new(&target.triple).join(directory).join(format!("{}{ext}", bin(unit)))
}

/// The variable that sets `key` for one target: `CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER`.
fn variable_of(key: &str, triple: &str) -> String {
    format!("CARGO_TARGET_{}_{key}", triple.to_uppercase().replace(['-', '.'], "_"))
}

/// Where cargo keeps what it has compiled: see `docs/decisions/0002-compiler-caches.md`.
fn target_dir(params: &Params, triple: &str, host: &dyn Host) -> PathBuf {
    host.root().join(".forge/cargo").join(&params.table).join(triple)
}

/// What only the machine knows.
struct Machine {
    /// Where the toolchain lies.
    sysroot: String,
    /// The commit that rustc was built from.
    commit: String,
    /// Where cargo keeps the sources of dependencies; empty where it can't be asked.
    cargo_home: String,
    /// The flags that the environment has for rustc, if it has any.
    rustflags: Option<String>,
}

/// Prints the two.
/// How often rustup is started where it fails, and how long to wait before it is started again; longer each time.
const RUSTUPS: u32 = 3;
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(2);
const ASK_SHELL: &str =
    r#"printf '%s\n' "${CARGO_HOME:-$HOME/.cargo}" "${CARGO_ENCODED_RUSTFLAGS-${RUSTFLAGS-unset}}""#;

/// What stands between the flags in `CARGO_ENCODED_RUSTFLAGS`.
const ENCODED: char = '\x1f';

impl Machine {
    fn ask(params: &Params, host: &dyn Host) -> Result<Machine, Failure> {
        let ask = |argv: &[&str]| {
            let argv: Vec<String> = argv.iter().map(|word| (*word).to_owned()).collect();
            host.exec(&params.command(&argv, host))
        };
        let rustc = |option: &[&str]| {
            let exit = ask(&[&["rustc"], option].concat())?;
            match exit.is_success() {
                true => Ok(exit.stdout),
                false => Err(Failure::tool(format!("`rustc` ended with {}", exit.in_words()))),
            }
        };
        let (sysroot, version) = (rustc(&["--print", "sysroot"])?, rustc(&["-vV"])?);
        // Cargo has no command that prints these. Where there is no such shell, it is left to its own ways.
        let shell = ask(&["sh", "-c", ASK_SHELL]).ok().filter(Exit::is_success).unwrap_or_default();
        let mut lines = shell.stdout.lines();
        let commit = version.lines().find_map(|line| line.strip_prefix("commit-hash: "));
        Ok(Machine {
            sysroot: sysroot.trim().to_owned(),
            commit: commit.unwrap_or_default().to_owned(),
            cargo_home: lines.next().unwrap_or_default().to_owned(),
            rustflags: lines.next().filter(|flags| *flags != "unset").map(str::to_owned),
        })
    }

    /// Adds the standard library of the target where it is missing and there is a rustup to do it.
    fn ensure_target(&self, triple: &str, params: &Params, host: &dyn Host) -> Result<(), Failure> {
        // Two rustups at once would trip over each other's downloads.
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        if Path::new(&self.sysroot).join("lib/rustlib").join(triple).join("lib").is_dir() {
            return Ok(());
        }
        host.log(Level::Info, &format!("adding the Rust target `{triple}`"));
        let add = params.command(&["rustup", "target", "add", triple].map(str::to_owned), host);
        let mut attempt = 1;
        loop {
            match host.exec(&add) {
                Ok(exit) if exit.is_success() => return Ok(()),
                // A rustup of another forge may be at it, too; when that is done, there is nothing left to do.
                Ok(_) if attempt < RUSTUPS && !host.cancelled() => std::thread::sleep(PATIENCE * attempt),
                Ok(exit) => return Err(no_target(triple).cause(format!("`rustup` ended with {}", exit.in_words()))),
                Err(failure) => return Err(no_target(triple).cause(failure.message)),
            }
            attempt += 1;
        }
    }

    /// Adds flags that keep the machine's paths out of the program. Of the places where cargo looks for flags it takes the
    /// first that has any: the environment, or else its configuration. So they go where the user's are.
    fn with_rustflags(&self, mut command: Command, target: &RustTarget, host: &dyn Host) -> Command {
        let own = self.own_flags(target, host);
        match &self.rustflags {
            Some(theirs) => {
                let theirs = theirs.split([' ', ENCODED]).filter(|flag| !flag.is_empty()).map(str::to_owned);
                let all: Vec<String> = theirs.chain(own).collect();
                command.env("CARGO_ENCODED_RUSTFLAGS", all.join(&ENCODED.to_string()))
            }
            None => {
                let quoted: Vec<String> = own.iter().map(|flag| quoted(flag)).collect();
                let setting = format!("target.{}.rustflags=[{}]", target.triple, quoted.join(", "));
                command.argv.extend(["--config".to_owned(), setting]);
                command
            }
        }
    }

    fn own_flags(&self, target: &RustTarget, host: &dyn Host) -> Vec<String> {
        let root = host.root().display().to_string();
        // The component `rust-src` must make no difference: without it, the standard library is named like this.
        let (library, official) = (format!("{}/lib/rustlib/src/rust", self.sysroot), format!("/rustc/{}", self.commit));
        // Of those that fit, the last counts.
        let paths = [(&*root, "/src"), (&self.cargo_home, "/cargo"), (&self.sysroot, "/rust"), (&*library, &*official)];
        let known = paths.iter().filter(|(path, _)| !path.is_empty());
        let mut flags: Vec<String> = known.map(|(path, name)| format!("--remap-path-prefix={path}={name}")).collect();
        if !target.cpu.is_empty() {
            flags.push(format!("-Ctarget-cpu={}", target.cpu));
        }
        flags
    }
}

/// A TOML string. JSON's escapes are TOML's, for all that a path may hold.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn no_target(triple: &str) -> Failure {
    let message = format!("the Rust toolchain has no standard library for `{triple}`");
    Failure::tool(message).help(format!("install it, with `rustup target add {triple}` for example"))
}

fn failure(start: &Start, exit: &Exit) -> Failure {
    let program = start.argv.first().map_or("cargo", String::as_str);
    let failure = Failure::tool(format!("`{program}` ended with {}", exit.in_words()));
    let said = |words: &str| exit.stderr.contains(words);
    if said("linker `rust-lld` not found") {
        failure
            .help("this toolchain comes without `rust-lld`: install Rust with rustup, or name another linker in `env`")
    } else if said("no bin target named") {
        failure.help("`binary`, or `bin`, must be the name of a binary of the package")
    } else if said("--locked") && said("lock file") {
        failure.help("commit an up-to-date `Cargo.lock`, or set `locked = false`")
    } else if start.cross_tool.is_none() && said("linking with") {
        let triple = &start.target.triple;
        failure.help(format!("linking for `{triple}` needs a cross compiler here: try `cross_tool = \"zigbuild\"`"))
    } else {
        failure
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use expect_test::expect;
    use forge_plugin::schemas::Step;
    use forge_plugin::testing::{FakeHost, really_run, run_step};
    use serde_json::{Value, json};

    use super::*;
    use crate::build::Build;
    use crate::build::checks::{check_plan, run};

    /// A toolchain whose cargo writes what it is asked for, and which has no target but one.
    fn toolchain() -> FakeHost {
        let has = "toolchain/lib/rustlib/aarch64-unknown-linux-musl/lib/libstd.rlib";
        let host = FakeHost::new().with_source(has, "");
        let root = host.root().display().to_string();
        host.on_exec(move |command| {
            let stdout = match command.argv[0].as_str() {
                "rustc" if command.argv[1] == "-vV" => "rustc 1.95.0\ncommit-hash: 5980\n".to_owned(),
                "rustc" => format!("{root}/toolchain\n"),
                "sh" => {
                    let flags = command.env.get("RUSTFLAGS").map_or("unset", String::as_str);
                    format!("/home/me/.cargo\n{flags}\n")
                }
                _ => String::new(),
            };
            write_executable(command);
            Exit { code: Some(0), stdout, ..Exit::default() }
        })
    }

    fn write_executable(command: &Command) {
        let Some(target_dir) = command.env.get("CARGO_TARGET_DIR") else { return };
        let after = |flag: &str| {
            let at = command.argv.iter().position(|word| word == flag).unwrap();
            command.argv[at + 1].clone()
        };
        let ext = if after("--target").contains("windows") { ".exe" } else { "" };
        let dir = Path::new(target_dir).join(after("--target")).join(after("--profile"));
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join(after("--bin") + ext), "a program").unwrap();
    }

    /// The log of a run, without what asks the machine.
    fn told(settings: &Value) -> String {
        let log = run(settings, toolchain());
        let asked = ["ROOT$ rustc", "ROOT$ sh"];
        let mut keep = true;
        let kept = log.lines().filter(|line| {
            if !line.starts_with("  ") {
                keep = !asked.iter().any(|it| line.starts_with(it));
            }
            keep
        });
        kept.map(|line| format!("{line}\n")).collect()
    }

    #[test]
    fn linux_needs_no_cross_compiler() {
        expect![[r#"
            ROOT$ cargo build --target aarch64-unknown-linux-musl --profile release --bin hello --locked --config 'target.aarch64-unknown-linux-musl.rustflags=["--remap-path-prefix=ROOT=/src", "--remap-path-prefix=/home/me/.cargo=/cargo", "--remap-path-prefix=ROOT/toolchain=/rust", "--remap-path-prefix=ROOT/toolchain/lib/rustlib/src/rust=/rustc/5980"]'
              CARGO_INCREMENTAL=0
              CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER=rust-lld
              CARGO_TARGET_DIR=ROOT/.forge/cargo/cli/aarch64-unknown-linux-musl
              FORGE_COMMIT=4805ca7d3b1f0c2e9a6858d1f7b2a04c6e93d1b5
              FORGE_COMMIT_TIME=2026-01-02T03:04:05Z
              FORGE_OUTPUT=DIR/hello
              FORGE_PLATFORM=linux/arm64
              FORGE_TAG=v1.2.3
              FORGE_VERSION=1.2.3
              SOURCE_DATE_EPOCH=1767323045
            made cli_linux_arm64/hello
        "#]].assert_eq(&told(&json!({ "id": "cli", "tool": "cargo", "platforms": ["linux/arm64"] })));
    }

    #[test]
    fn every_key() {
        expect![[r#"
            ROOT$ cargo zigbuild --target aarch64-unknown-linux-musl --profile dist --bin hi --package cli --features c --no-default-features -v --config 'net.offline=true'
              CARGO_ENCODED_RUSTFLAGS=-Ctarget-feature=+crt-static | --remap-path-prefix=ROOT=/src | --remap-path-prefix=/home/me/.cargo=/cargo | --remap-path-prefix=ROOT/toolchain=/rust | --remap-path-prefix=ROOT/toolchain/lib/rustlib/src/rust=/rustc/5980
              CARGO_INCREMENTAL=0
              CARGO_TARGET_DIR=ROOT/.forge/cargo/build/aarch64-unknown-linux-musl
              FORGE_COMMIT=4805ca7d3b1f0c2e9a6858d1f7b2a04c6e93d1b5
              FORGE_COMMIT_TIME=2026-01-02T03:04:05Z
              FORGE_OUTPUT=DIR/hello
              FORGE_PLATFORM=linux/arm64
              FORGE_TAG=v1.2.3
              FORGE_VERSION=1.2.3
              RUSTFLAGS=-Ctarget-feature=+crt-static
              SOURCE_DATE_EPOCH=1767323045
            made build_linux_arm64/hello
            ROOT$ rustup target add x86_64-pc-windows-gnu
              CARGO_INCREMENTAL=0
              FORGE_COMMIT=4805ca7d3b1f0c2e9a6858d1f7b2a04c6e93d1b5
              FORGE_COMMIT_TIME=2026-01-02T03:04:05Z
              FORGE_OUTPUT=DIR/hello.exe
              FORGE_PLATFORM=windows/amd64
              FORGE_TAG=v1.2.3
              FORGE_VERSION=1.2.3
              RUSTFLAGS=-Ctarget-feature=+crt-static
              SOURCE_DATE_EPOCH=1767323045
            ROOT$ cargo zigbuild --target x86_64-pc-windows-gnu --profile dist --bin hi --package cli --features a,b --no-default-features -v --config 'net.offline=true'
              CARGO_ENCODED_RUSTFLAGS=-Ctarget-feature=+crt-static | --remap-path-prefix=ROOT=/src | --remap-path-prefix=/home/me/.cargo=/cargo | --remap-path-prefix=ROOT/toolchain=/rust | --remap-path-prefix=ROOT/toolchain/lib/rustlib/src/rust=/rustc/5980
              CARGO_INCREMENTAL=0
              CARGO_TARGET_DIR=ROOT/.forge/cargo/build/x86_64-pc-windows-gnu
              FORGE_COMMIT=4805ca7d3b1f0c2e9a6858d1f7b2a04c6e93d1b5
              FORGE_COMMIT_TIME=2026-01-02T03:04:05Z
              FORGE_OUTPUT=DIR/hello.exe
              FORGE_PLATFORM=windows/amd64
              FORGE_TAG=v1.2.3
              FORGE_VERSION=1.2.3
              RUSTFLAGS=-Ctarget-feature=+crt-static
              SOURCE_DATE_EPOCH=1767323045
            made build_windows_amd64/hello.exe
        "#]].assert_eq(&told(&json!({
            "tool": "cargo", "platforms": ["linux/arm64", "windows/amd64"], "package": "cli", "bin": "hi", "features": ["a", "b"],
            "no_default_features": true, "profile": "dist", "locked": false, "libc": "gnu", "cross_tool": "zigbuild",
            "flags": "-v --config 'net.offline=true'", "env": { "RUSTFLAGS": "-Ctarget-feature=+crt-static" },
            "overrides": [{ "arch": "arm64", "libc": "musl", "features": ["c"] }],
        })));
        check_plan(
            &json!({ "id": "hello", "tool": "cargo" }),
            &expect![[r#"
            linux/amd64 at tool
              makes hello_linux_amd64/hello {"file_name":"hello"}
              reads . at the table
              asks cargo -vV
              asks rustc -vV
            linux/arm64 at tool
              makes hello_linux_arm64/hello {"file_name":"hello"}
              reads . at the table
              asks cargo -vV
              asks rustc -vV
        "#]],
        );
        check_plan(
            &json!({ "tool": "cargo", "platforms": ["plan9/386"] }),
            &expect![[r#"
            platforms[0]: `cargo` can't build for `plan9/386`; leave it out of `platforms`, or build it with another tool
        "#]],
        );
    }

    #[test]
    fn what_cargo_complains_of_and_what_helps() {
        fn check(stderr: &'static str, expect: &str) {
            let host = toolchain().on_exec(move |command| match command.argv[0].as_str() {
                "cargo" => Exit { code: Some(101), stderr: stderr.to_owned(), ..Exit::default() },
                _ => Exit { code: Some(0), ..Exit::default() },
            });
            let log = run(&json!({ "tool": "cargo", "platforms": ["linux/arm64"] }), host);
            assert_eq!(log.lines().last(), Some(expect));
        }
        check("error[E0432]: unresolved import", "failed: `cargo` ended with exit status 101");
        check(
            "error: linker `rust-lld` not found",
            "failed: `cargo` ended with exit status 101; this toolchain comes without `rust-lld`: install Rust with rustup, \
             or name another linker in `env`",
        );
        check(
            "error: no bin target named `hello` in default-run packages",
            "failed: `cargo` ended with exit status 101; `binary`, or `bin`, must be the name of a binary of the package",
        );
    }

    #[test]
    fn a_real_program_is_the_same_from_everywhere() {
        let table = json!({ "tool": "cargo", "platforms": ["linux/amd64"], "libc": "gnu" });
        let step = crate::build::checks::plan(&table).unwrap().remove(0);
        let host = || {
            let host = FakeHost::new().on_exec(really_run).with_source("Cargo.toml", MANIFEST);
            host.with_source("Cargo.lock", LOCK).with_source("src/main.rs", MAIN)
        };
        let build = |host: &mut FakeHost, step: &Step| run_step::<Build>(step, host).unwrap().remove(0);

        let mut here = host();
        let program = build(&mut here, &step);
        let commands = here.record().commands.clone();
        assert!(commands.iter().all(|command| command.argv[0] != "rustup"), "its own target is always there");
        assert_eq!(build(&mut host(), &step).digest, program.digest, "in another directory");
        let mut again = step.clone();
        again.makes[0].name = "again".to_owned();
        assert_eq!(build(&mut here, &again).digest, program.digest, "with what the first left behind");
        let text = String::from_utf8_lossy(&fs::read(&program.path).unwrap()).into_owned();
        assert!(text.contains("version 1.2.3 for linux/amd64"));
        assert!(!text.contains(&here.root().display().to_string()));
    }

    const MANIFEST: &str = "[package]\nname = \"hello\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";
    const LOCK: &str = "version = 4\n\n[[package]]\nname = \"hello\"\nversion = \"0.1.0\"\n";
    const MAIN: &str = "fn main() {\n    println!(concat!(\"version \", env!(\"FORGE_VERSION\"), \" for \", \
                        env!(\"FORGE_PLATFORM\"), \" from \", file!()));\n    let empty: Vec<u8> = Vec::new();\n    \
                        println!(\"{}\", empty[std::env::args().count()]);\n}\n";
}
