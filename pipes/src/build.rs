//! Pipe `build`: a program from its source, one for each platform.
//! Does not know how any tool builds: each of them is a file under `build/`.

mod cargo;
#[cfg(test)]
mod checks;
mod command;
mod go;
mod header;
mod platforms;
mod prebuilt;
mod targets;
mod tool;
mod unit;
mod words;
mod zig;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

use forge_plugin::schemas::kind::{Binary, Kind};
use forge_plugin::schemas::{Command, Emit, Failure, KindInfo, Output, Place, Platform, Problem, Read, Step};
use forge_plugin::{Given, Host, PlatformNames, Template, Wants, kind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::cargo::CrossTool;
use self::header::Header;
use self::targets::Libc;
use self::tool::{Tool, ToolName};
use self::unit::{OutputNames, Unit};
use self::words::Words;

/// The pipe.
pub struct Build;

/// Builds a program, once for each platform. Paths are relative to the project file.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What builds it.
    pub tool: ToolName,
    /// For which platforms, in OCI's words: `linux/amd64`, `linux/arm/v7`, `darwin/arm64`, `windows/amd64`.
    ///
    /// Default: for `cargo`, `linux/amd64` and `linux/arm64`, with `cross_tool` also `darwin/amd64`, `darwin/arm64` and
    /// `windows/amd64`; for `go`, `linux`, `darwin` and `windows` on `amd64` and `arm64`, `linux` and `windows` on `386`;
    /// for `zig`, `linux` and `darwin` on `amd64` and `arm64`, and `windows/amd64`. `command` and `prebuilt` have none.
    #[schemars(with = "Option<Vec<Platform>>")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platforms: Option<Vec<String>>,
    /// Platforms to leave out: those that fit every key of one of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<Pattern>,
    /// What the program is called, without `.exe`. Default: the project's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binary: Option<Template>,
    /// The directory in which the tool and the hooks run. Default: that of the project file.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub dir: String,
    /// Environment variables for the tool and the hooks, beside those that forge sets: `FORGE_PLATFORM` always, and for
    /// `cargo`, `go` and `zig` also `FORGE_VERSION`, `FORGE_TAG`, `FORGE_COMMIT`, `FORGE_COMMIT_TIME` and
    /// `SOURCE_DATE_EPOCH`, which all come from the commit.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, Template>,
    /// Further arguments for the tool. A text is split as a shell would. Default: none for `cargo` and `go`,
    /// `-Doptimize=ReleaseSafe` for `zig build`, `-O ReleaseSafe -fstrip` for one Zig file, `-O2` for C.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flags: Option<Words<PlatformNames>>,
    /// Commands to run before and after, in `dir`.
    #[serde(default, skip_serializing_if = "Hooks::is_empty")]
    pub hooks: Hooks,
    /// What is different on some platforms. All that fit apply, the last one wins; of `env`, variable by variable.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<Override>,
    /// The source files that decide what comes out: files, directories, globs. When none of them has changed, and
    /// nothing else has, it is not built again. Default: for `prebuilt`, `path`; else the whole directory of the project
    /// file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sources: Option<Vec<Template>>,

    /// `cargo`: the package, where a workspace has several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// `cargo`: the binary of the package. Default: `binary`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bin: Option<String>,
    /// `cargo`: features to turn on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features: Option<Vec<String>>,
    /// `cargo`: whether to leave the default features out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_default_features: Option<bool>,
    /// `cargo`: the profile. Default: `release`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// `cargo`: whether `Cargo.lock` must be there and up to date. Default: `true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locked: Option<bool>,
    /// `cargo`: what builds for platforms that need a cross compiler: `cargo zigbuild` or `cross`. Linux with musl needs
    /// neither.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cross_tool: Option<CrossTool>,
    /// `cargo`, `zig`: which C library. Default: `musl` on Linux, where the program then runs on every distribution and
    /// in an empty image; `gnu` on Windows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub libc: Option<Libc>,
    /// `go`: the package to build, relative to `dir`, `.` by default. `zig`: the file to build, where there is no
    /// `build.zig`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub main: Option<Template>,
    /// `go`, and `zig` for C: what the linker is told. A list is joined with spaces for `go`. Default for `go`: `-s -w
    /// -buildid= -X main.version=<version> -X main.commit=<commit> -X main.date=<commit time> -X main.builtBy=forge`; for C: `-s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ldflags: Option<Words<PlatformNames>>,
    /// `go`: what the compiler is told. A list is joined with spaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gcflags: Option<Words<PlatformNames>>,
    /// `go`: what the assembler is told. A list is joined with spaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asmflags: Option<Words<PlatformNames>>,
    /// `go`: build tags.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Words<PlatformNames>>,
    /// `zig`: C files to compile into one program, relative to `dir`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub c_sources: Option<Vec<String>>,
    /// `cargo`, `go`, `zig`: the tool itself, where it is another program: `go1.25`, `python3 -m ziglang`. Default: `cargo`,
    /// `go`; `zig`, or `python3 -m ziglang` where only that is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// `command`: the program to start and its arguments. There is no shell. `{{ output }}` is the path that it must
    /// write; the variable `FORGE_OUTPUT` is the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub argv: Option<Words<OutputNames>>,
    /// `command`: what it writes, where it does not go by `{{ output }}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Template>,
    /// `prebuilt`: the file to take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<Template>,
}

/// Some platforms: those that fit every key given.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pattern {
    /// The operating system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub os: Option<String>,
    /// The architecture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arch: Option<String>,
    /// The variant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

/// Commands around the build, each a text that is split as a shell would, or a list of words. There is no shell.
/// `{{ output }}` is the path of the program, which commands that run after may change.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Hooks {
    /// Before the tool runs, for each platform.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<Words<OutputNames>>,
    /// After the program is there, for each platform.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<Words<OutputNames>>,
}

/// What is different on some platforms. A key takes the place of the table's.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Override {
    /// The operating system that it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub os: Option<String>,
    /// The architecture that it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arch: Option<String>,
    /// The variant that it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// Environment variables, added to the table's.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, Template>,
    /// Further arguments for the tool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flags: Option<Words<PlatformNames>>,
    /// `go`, `zig`: what the linker is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ldflags: Option<Words<PlatformNames>>,
    /// `go`: what the compiler is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gcflags: Option<Words<PlatformNames>>,
    /// `go`: what the assembler is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asmflags: Option<Words<PlatformNames>>,
    /// `go`: build tags.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Words<PlatformNames>>,
    /// `cargo`: features to turn on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features: Option<Vec<String>>,
    /// `cargo`, `zig`: which C library.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub libc: Option<Libc>,
    /// `command`: the program to start and its arguments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub argv: Option<Words<OutputNames>>,
}

/// One program to build, with everything resolved.
#[derive(Debug, Serialize, Deserialize)]
pub struct Params {
    tool: ToolName,
    table: String,
    platform: Platform,
    /// With `.exe` where it belongs.
    file_name: String,
    dir: String,
    env: BTreeMap<String, String>,
    before: Vec<Vec<String>>,
    after: Vec<Vec<String>>,
    /// What the tool alone understands.
    recipe: Value,
}

impl forge_plugin::Pipe for Build {
    const NAME: &'static str = "build";
    const SUMMARY: &'static str = "a program from its source, one for each platform";
    type Settings = Settings;
    type Params = Params;

    fn makes() -> Vec<KindInfo> {
        vec![kind::<Binary>()]
    }

    fn takes(_: &Settings) -> Result<Wants, Vec<Problem>> {
        Ok(Wants::default())
    }

    fn plan(settings: &Settings, given: &Given<'_>) -> Result<Vec<Step>, Vec<Problem>> {
        let tool = tool::named(settings.tool);
        let mut problems = tool::foreign_keys(settings);
        problems.extend(check_dir(&settings.dir));
        let platforms = platforms::of(settings, tool, &mut problems);
        let mut steps = Vec::with_capacity(platforms.len());
        for wanted in &platforms {
            let mut unit = Unit::new(settings, given, wanted);
            steps.extend(step(&mut unit, tool));
            for problem in unit.problems {
                // A template that is wrong for one platform is most often wrong for all.
                if !problems.contains(&problem) {
                    problems.push(problem);
                }
            }
        }
        if problems.is_empty() { Ok(steps) } else { Err(problems) }
    }

    fn run(params: &Params, step: &Step, host: &dyn Host) -> Result<(), Failure> {
        let output = host.dir().join(&params.file_name);
        for hook in &params.before {
            host.exec_ok(&params.command(hook, host))?;
        }
        tool::named(params.tool).run(params, &output, host)?;
        for hook in &params.after {
            host.exec_ok(&params.command(hook, host))?;
        }
        finish(params, &output)?;
        for made in &step.makes {
            let emit =
                Emit { name: made.name.clone(), path: output.clone(), blobs: Vec::new(), detail: made.detail.clone() };
            host.emit(&emit)?;
        }
        Ok(())
    }
}

/// A step reads the source tree and no more, so its directory must lie there.
fn check_dir(dir: &str) -> Option<Problem> {
    let inside = Path::new(dir).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    let problem = Problem::at_key("dir", format!("`{dir}` is not below the directory of the project file"));
    (!inside).then(|| problem.help("write it relative to the project file, without `..`"))
}

fn step(unit: &mut Unit<'_>, tool: &dyn Tool) -> Option<Step> {
    let plan = tool.plan(unit);
    let env = unit.env(plan.as_ref().map(|plan| &plan.env));
    let (before, after) = unit.hooks();
    let reads = unit.reads();
    let plan = plan?;
    let params = Params {
        tool: unit.settings.tool,
        table: unit.given.table.id.clone(),
        platform: unit.platform.clone(),
        file_name: unit.file_name.clone(),
        dir: unit.settings.dir.clone(),
        env,
        before,
        after,
        recipe: plan.recipe,
    };
    Some(Step {
        name: unit.platform.to_string(),
        platform: Some(unit.platform.clone()),
        makes: vec![output(unit)],
        reads: reads.unwrap_or(plan.reads).into_iter().chain(plan.always_reads).collect(),
        env: plan.variables.iter().map(|name| (*name).to_owned()).collect(),
        tools: plan.tools,
        resource: plan.resource,
        params: unit.json(&params)?,
        place: Place::Key(unit.key.to_owned()),
        ..Step::default()
    })
}

fn output(unit: &Unit<'_>) -> Output {
    Output {
        name: format!("{}_{}/{}", unit.given.table.id, unit.platform.slug(), unit.file_name),
        kind: Binary::NAME.to_owned(),
        platform: Some(unit.platform.clone()),
        detail: serde_json::json!({ "file_name": unit.file_name }),
    }
}

impl Params {
    /// A command of this build: in its directory, with its environment, and told where the program is to be.
    fn command(&self, argv: &[String], host: &dyn Host) -> Command {
        let output = host.dir().join(&self.file_name).display().to_string();
        let argv = argv.iter().map(|word| word.replace(unit::OUTPUT, &output));
        let mut command = Command::new(argv).in_dir(self.dir(host)).env("FORGE_OUTPUT", output);
        command.env.extend(self.env.clone());
        command
    }

    fn dir(&self, host: &dyn Host) -> PathBuf {
        if self.dir.is_empty() { host.root().to_owned() } else { host.root().join(&self.dir) }
    }

    /// What the tool's `plan` has told its `run`.
    fn recipe<T: for<'de> Deserialize<'de>>(&self) -> Result<T, Failure> {
        T::deserialize(&self.recipe).map_err(|error| Failure::bug(format!("a recipe that does not fit: {error}")))
    }
}

/// Looks at the program that was built, and gives it the mode that every machine gives it.
fn finish(params: &Params, output: &Path) -> Result<(), Failure> {
    let header = read_header(output)?;
    if let Some(header) = header.filter(|header| !header.fits(&params.platform)) {
        let message = format!("`{}` is {}, not a program for {}", params.file_name, header.in_words(), params.platform);
        return Err(Failure::input(message));
    }
    make_executable(output).map_err(|error| Failure::file("change", output, &error))
}

fn read_header(output: &Path) -> Result<Option<Header>, Failure> {
    let mut bytes = Vec::with_capacity(header::ENOUGH);
    let read = File::open(output).and_then(|file| file.take(header::ENOUGH as u64).read_to_end(&mut bytes));
    match read {
        Ok(_) => Ok(header::read(&bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(Failure::tool(format!("nothing was written to `{}`", output.display())))
        }
        Err(error) => Err(Failure::file("read", output, &error)),
    }
}

#[cfg(unix)]
fn make_executable(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn make_executable(_: &Path) -> std::io::Result<()> {
    Ok(())
}

/// Copies what a tool has made elsewhere to where the step hands it over.
fn take(from: &Path, output: &Path) -> Result<(), Failure> {
    match fs::copy(from, output) {
        Ok(_) => Ok(()),
        Err(error) => Err(Failure::file("copy", from, &error)),
    }
}

impl Hooks {
    fn is_empty(&self) -> bool {
        self.before.is_empty() && self.after.is_empty()
    }
}

impl Pattern {
    /// Whether `platform` fits every key. Without a key nothing fits: that is a mistake, told elsewhere.
    fn fits(&self, platform: &Platform) -> bool {
        !self.is_empty()
            && fits(&self.os, platform.os())
            && fits(&self.arch, platform.arch())
            && fits(&self.variant, platform.variant().unwrap_or_default())
    }

    fn is_empty(&self) -> bool {
        self.os.is_none() && self.arch.is_none() && self.variant.is_none()
    }
}

impl Override {
    fn pattern(&self) -> Pattern {
        Pattern { os: self.os.clone(), arch: self.arch.clone(), variant: self.variant.clone() }
    }
}

fn fits(wanted: &Option<String>, word: &str) -> bool {
    wanted.as_deref().is_none_or(|wanted| wanted == word)
}

/// A source file that a step reads, named by the user or by the tool.
fn read_of(path: impl Into<String>, key: impl Into<String>) -> Read {
    Read { path: path.into(), place: Place::Key(key.into()) }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use forge_plugin::testing::FakeHost;
    use serde_json::json;

    use super::checks::{check_plan, check_run, run};

    #[test]
    fn a_step_for_each_platform() {
        check_plan(
            &json!({
                "id": "hello", "tool": "command", "argv": ["make"], "platforms": ["linux/arm", "windows/amd64"],
                "sources": ["src/**", "build/{{ os }}.mk"],
            }),
            &expect![[r#"
                linux/arm/v7 at platforms[0]
                  makes hello_linux_arm_v7/hello {"file_name":"hello"}
                  reads src/** at sources[0]
                  reads build/linux.mk at sources[1]
                  asks make
                windows/amd64 at platforms[1]
                  makes hello_windows_amd64/hello.exe {"file_name":"hello.exe"}
                  reads src/** at sources[0]
                  reads build/windows.mk at sources[1]
                  asks make
            "#]],
        );
    }

    #[test]
    fn all_that_is_wrong_with_platforms() {
        check_plan(
            &json!({
                "tool": "go", "platforms": ["linux/amd64", "linux/x86_64", "linux/amd64/v1", "linux/wasm"],
                "ignore": [{ "os": "macos" }, {}], "overrides": [{ "arch": "arm46" }],
            }),
            &expect![[r#"
                platforms[1]: `linux/x86_64` has an unknown architecture, `x86_64`; OCI calls it `amd64`
                platforms[2]: platform `linux/amd64/v1` is the same as `linux/amd64`; leave one of them out
                ignore[0].os: no platform has the os `macos`; OCI calls it `darwin`
                ignore[1]: it names no platform; say which with `os`, `arch` or `variant`
                overrides[0].arch: no platform has the arch `arm46`; known are amd64, arm64, arm, 386, riscv64, ppc64le, ppc64, s390x, loong64, mips, mipsle, mips64, mips64le, wasm
                platforms[3]: `go` can't build for `linux/wasm`; leave it out of `platforms`, or build it with another tool
            "#]],
        );
        check_plan(
            &json!({ "tool": "go", "platforms": ["linux/arm64"], "ignore": [{ "arch": "arm64" }] }),
            &expect![[r#"
                ignore: no platform is left to build for
            "#]],
        );
        check_plan(
            &json!({ "tool": "go", "platforms": [] }),
            &expect![[r#"
            platforms: no platform is named; leave the key out for the default
        "#]],
        );
        check_plan(
            &json!({ "tool": "prebuilt", "path": "x" }),
            &expect![[r#"
            tool: tool `prebuilt` must be told for which platforms; add `platforms = ["linux/amd64", …]`
        "#]],
        );
    }

    #[test]
    fn keys_of_other_tools_and_templates_that_are_wrong() {
        check_plan(
            &json!({
                "tool": "cargo", "platforms": ["linux/amd64", "linux/arm64"], "binary": "bin/{{ os }}",
                "ldflags": "-s", "flags": "--config 'x", "env": { "A": "{{ nobody }}" },
                "overrides": [{ "os": "linux", "tags": ["x"], "env": { "B": "{{ nobody }}" } }],
                "hooks": { "before": [""], "after": [["{{ nowhere }}"]] },
            }),
            &expect![[r#"
                ldflags: `ldflags` is not for tool `cargo`; it is for `go`, `zig`
                overrides[0].tags: `tags` is not for tool `cargo`; it is for `go`
                binary: `bin/linux` can't be the name of a program; `binary` must be the name of a file, without a directory
                flags: a quote in `--config 'x` is never closed
                env.A: undefined name `nobody`
                overrides[0].env.B: undefined name `nobody`
                hooks.before[0]: no program is named
                hooks.after[0][0]: undefined name `nowhere`
            "#]],
        );
    }

    #[test]
    fn hooks_run_around_the_tool_and_overrides_in_their_order() {
        check_run(
            &json!({
                "tool": "command", "platforms": ["linux/arm/v7", "windows/amd64"], "dir": "src", "binary": "{{ name }}-{{ os }}",
                "argv": "cc -o '{{ output }}' a.c", "env": { "A": "1", "B": "{{ arch }}" },
                "hooks": { "before": ["echo {{ platform }}"], "after": [["upx", "{{ output }}", "{{ binary }}{{ ext }}"]] },
                "overrides": [
                    { "os": "windows", "argv": ["cl", "/Fe{{ output }}"], "env": { "A": "2" } },
                    { "arch": "amd64", "env": { "A": "3" } },
                ],
            }),
            &expect![[r#"
                ROOT/src$ echo linux/arm/v7
                  A=1
                  B=arm
                  FORGE_OUTPUT=DIR/hello-linux
                  FORGE_PLATFORM=linux/arm/v7
                ROOT/src$ cc -o DIR/hello-linux a.c
                  A=1
                  B=arm
                  FORGE_OUTPUT=DIR/hello-linux
                  FORGE_PLATFORM=linux/arm/v7
                ROOT/src$ upx DIR/hello-linux hello-linux
                  A=1
                  B=arm
                  FORGE_OUTPUT=DIR/hello-linux
                  FORGE_PLATFORM=linux/arm/v7
                made build_linux_arm_v7/hello-linux
                ROOT/src$ echo windows/amd64
                  A=3
                  B=amd64
                  FORGE_OUTPUT=DIR/hello-windows.exe
                  FORGE_PLATFORM=windows/amd64
                ROOT/src$ cl /FeDIR/hello-windows.exe
                  A=3
                  B=amd64
                  FORGE_OUTPUT=DIR/hello-windows.exe
                  FORGE_PLATFORM=windows/amd64
                ROOT/src$ upx DIR/hello-windows.exe hello-windows.exe
                  A=3
                  B=amd64
                  FORGE_OUTPUT=DIR/hello-windows.exe
                  FORGE_PLATFORM=windows/amd64
                made build_windows_amd64/hello-windows.exe
            "#]],
        );
    }

    #[test]
    fn a_program_for_another_platform_is_no_program() {
        let host = || FakeHost::new().with_source("bin/linux", b"\x7fELF\x02\x01\0\0\0\0\0\0\0\0\0\0\0\0\x3e\0");
        let table = |platform: &str| json!({ "tool": "prebuilt", "path": "bin/{{ os }}", "platforms": [platform] });
        expect![[r#"
            made build_linux_amd64/hello
        "#]]
        .assert_eq(&run(&table("linux/amd64"), host()));
        expect![[r#"
            failed: `hello` is an ELF program for amd64, not a program for linux/arm64
        "#]]
        .assert_eq(&run(&table("linux/arm64"), host()));
        expect![[r#"
            failed: can't copy `ROOT/bin/darwin`: No such file or directory (os error 2)
        "#]]
        .assert_eq(&run(&table("darwin/arm64"), host()));
    }

    #[test]
    fn a_tool_that_writes_nothing() {
        let table = json!({ "tool": "command", "argv": ["true"], "platforms": ["linux/amd64"] });
        expect![[r#"
            ROOT$ true
              FORGE_OUTPUT=DIR/hello
              FORGE_PLATFORM=linux/amd64
            failed: nothing was written to `DIR/hello`
        "#]]
        .assert_eq(&run(&table, FakeHost::new()));
    }
}
