//! Pipe `build`: a program from its source, one for each platform.
//! Does not know how any tool builds: each of them is a file under `build/`.

mod cargo;
#[cfg(test)]
mod checks;
pub(crate) mod command;
mod go;
pub(crate) mod header;
mod inputs;
pub(crate) mod platforms;
mod prebuilt;
pub(crate) mod settings;
mod targets;
mod tool;
mod unit;
mod variables;
pub(crate) mod words;
mod zig;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use forge_plugin::schemas::kind::{Binary, Kind};
use forge_plugin::schemas::{Command, Emit, Failure, KindInfo, Output, Place, Platform, Problem, Read, Step};
use forge_plugin::{Given, Host, Wants, kind};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::header::Header;
use self::inputs::Input;
use self::settings::Settings;
use self::tool::{Tool, ToolName};
use self::unit::Unit;
use crate::table::path;

/// The pipe.
pub struct Build;

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
    inputs: Vec<Input>,
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

    fn takes(settings: &Settings) -> Result<Wants, Vec<Problem>> {
        Ok(Wants { selectors: inputs::selectors(settings), ..Wants::default() })
    }

    fn plan(settings: &Settings, given: &Given<'_>) -> Result<Vec<Step>, Vec<Problem>> {
        let tool = tool::named(settings.tool);
        let mut problems = tool::foreign_keys(settings);
        // A step reads the source tree and no more, so its directory must lie there.
        problems.extend(path::outside("dir", &settings.dir));
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

fn step(unit: &mut Unit<'_>, tool: &dyn Tool) -> Option<Step> {
    let plan = tool.plan(unit);
    let env = unit.env(plan.as_ref().map(|plan| &plan.env));
    let (before, after) = unit.hooks();
    let reads = unit.reads();
    let inputs = inputs::of(unit);
    let plan = plan?;
    let takes = inputs.iter().map(|input| input.artifact.clone()).collect();
    let params = Params {
        tool: unit.settings.tool,
        table: unit.given.table.id.clone(),
        platform: unit.platform.clone(),
        file_name: unit.file_name.clone(),
        dir: unit.settings.dir.clone(),
        env,
        inputs,
        before,
        after,
        recipe: plan.recipe,
    };
    Some(Step {
        name: unit.platform.to_string(),
        platform: Some(unit.platform.clone()),
        takes,
        makes: vec![output(unit)],
        reads: reads.unwrap_or(plan.reads).into_iter().chain(plan.always_reads).collect(),
        env: plan.variables,
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
        command.env.extend(inputs::variables(&self.inputs, host));
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

pub(crate) fn make_executable(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

/// Copies what a tool has made elsewhere to where the step hands it over.
fn take(from: &Path, output: &Path) -> Result<(), Failure> {
    match fs::copy(from, output) {
        Ok(_) => Ok(()),
        Err(error) => Err(Failure::file("copy", from, &error)),
    }
}

/// A source file that a step reads, named by the user or by the tool.
fn read_of(path: impl Into<String>, key: impl Into<String>) -> Read {
    Read::all(path, Place::Key(key.into()))
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
