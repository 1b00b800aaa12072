//! Tool `command`: any program, started once for each platform.
//! Does not know what the program does: the sources that the table names decide whether it must run again.

use std::path::{Path, PathBuf};

use forge_plugin::Host;
use forge_plugin::schemas::{Failure, Problem, Read, Resource, Tool as Program};
use serde::{Deserialize, Serialize};

use super::settings::Settings;
use super::tool::{Recipe, Tool, program};
use super::unit::Unit;
use super::{Params, read_of, take};

/// The tool.
pub struct Argv;

#[derive(Serialize, Deserialize)]
struct Start {
    argv: Vec<String>,
    /// What it writes, where it does not go by the path that it is given. Relative to the project file.
    output: Option<PathBuf>,
}

impl Tool for Argv {
    fn name(&self) -> &'static str {
        "command"
    }

    fn keys(&self) -> &'static [&'static str] {
        &["argv", "output"]
    }

    fn platforms(&self, _: &Settings) -> &'static [&'static str] {
        &[]
    }

    fn plan(&self, unit: &mut Unit<'_>) -> Option<Recipe> {
        let Some((key, argv)) = unit.pick("argv", unit.settings.argv.as_ref(), |it| it.argv.as_ref()) else {
            unit.problem(Problem::at_key("", "tool `command` needs `argv`").help("add `argv = [\"make\", …]`"));
            return None;
        };
        let argv = unit.command(&key, argv);
        let output = match &unit.settings.output {
            Some(output) => Some(PathBuf::from(unit.text("output", output)?)),
            None => None,
        };
        let (tools, always_reads) = program_of(&unit.settings.dir, &argv);
        Some(Recipe {
            recipe: unit.json(&Start { argv, output })?,
            env: Default::default(),
            reads: vec![read_of(".", "")],
            always_reads,
            variables: Vec::new(),
            tools,
            resource: Resource::Cpu,
        })
    }

    fn run(&self, params: &Params, output: &Path, host: &dyn Host) -> Result<(), Failure> {
        let start: Start = params.recipe()?;
        host.exec_ok(&params.command(&start.argv, host))?;
        match start.output {
            Some(written) => take(&host.root().join(written), output),
            None => Ok(()),
        }
    }
}

/// What is started: a program of the machine, or a file of the project, which is then one of its sources. The program's
/// file is hashed, since nobody knows how to ask it for its version.
pub fn program_of(dir: &str, argv: &[String]) -> (Vec<Program>, Vec<Read>) {
    let Some(first) = argv.first() else { return (Vec::new(), Vec::new()) };
    let path = Path::new(first);
    match path.components().count() > 1 && path.is_relative() {
        true => {
            let path = Path::new(dir).join(path.strip_prefix(".").unwrap_or(path));
            (Vec::new(), vec![read_of(path.display().to_string(), "argv")])
        }
        false => (vec![program(&[first])], Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use forge_plugin::testing::{FakeHost, really_run};
    use serde_json::json;

    use crate::build::checks::{check_plan, run};

    #[test]
    fn it_writes_where_it_is_told() {
        let table = json!({
            "tool": "command", "platforms": ["linux/s390x"], "sources": ["in"],
            "argv": ["sh", "-c", "cat in > $FORGE_OUTPUT; echo $FORGE_PLATFORM >> '{{ output }}'"],
        });
        expect![[r#"
            ROOT$ sh -c 'cat in > $FORGE_OUTPUT; echo $FORGE_PLATFORM >> '\''DIR/hello'\'''
              FORGE_OUTPUT=DIR/hello
              FORGE_PLATFORM=linux/s390x
            made build_linux_s390x/hello
        "#]]
        .assert_eq(&run(&table, FakeHost::new().with_source("in", "hello ").on_exec(really_run)));
    }

    #[test]
    fn or_where_it_wants() {
        let table = json!({
            "tool": "command", "platforms": ["linux/s390x"], "dir": "sub", "argv": "cp in out-linux",
            "output": "sub/out-{{ os }}",
        });
        expect![[r#"
            ROOT/sub$ cp in out-linux
              FORGE_OUTPUT=DIR/hello
              FORGE_PLATFORM=linux/s390x
            made build_linux_s390x/hello
        "#]]
        .assert_eq(&run(&table, FakeHost::new().with_source("sub/in", "hello").on_exec(really_run)));
    }

    #[test]
    fn a_script_of_the_project_is_one_of_its_sources() {
        check_plan(
            &json!({
                "tool": "command", "platforms": ["linux/amd64"], "dir": "sub", "sources": ["in"], "argv": "./make.sh x",
            }),
            &expect![[r#"
                linux/amd64 at platforms[0]
                  makes build_linux_amd64/hello {"file_name":"hello"}
                  reads in at sources[0]
                  reads sub/make.sh at argv
            "#]],
        );
        check_plan(
            &json!({ "tool": "command", "platforms": ["linux/amd64"], "dir": "../sub", "argv": "make" }),
            &expect![[r#"
                dir: `../sub` is not below the directory of the project file; write it relative to the project file, without `..`
            "#]],
        );
    }

    #[test]
    fn without_sources_everything_counts() {
        check_plan(
            &json!({ "tool": "command", "platforms": ["linux/amd64"], "argv": ["make"] }),
            &expect![[r#"
                linux/amd64 at platforms[0]
                  makes build_linux_amd64/hello {"file_name":"hello"}
                  reads . at the table
                  asks make
            "#]],
        );
        check_plan(
            &json!({ "tool": "command", "platforms": ["linux/amd64"] }),
            &expect![[r#"
            the table: tool `command` needs `argv`; add `argv = ["make", …]`
        "#]],
        );
    }
}
