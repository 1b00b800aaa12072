//! Tool `command`: any program, started once for each platform.
//! Does not know what the program does: the sources that the table names decide whether it must run again.

use std::path::{Path, PathBuf};

use forge_plugin::Host;
use forge_plugin::schemas::{Failure, Problem, Resource};
use serde::{Deserialize, Serialize};

use super::tool::{Recipe, Tool, program};
use super::unit::Unit;
use super::{Params, Settings, read_of, take};

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
        let first = argv.first().cloned().unwrap_or_default();
        Some(Recipe {
            recipe: unit.json(&Start { argv, output })?,
            env: Default::default(),
            reads: vec![read_of(".", "")],
            variables: &[],
            // Its file is hashed: nobody knows how to ask it for its version.
            tools: vec![program(&[&first])],
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
