//! What a tool is to this pipe, and the table of tools.
//! Does not know what any of them does.

use std::collections::BTreeMap;
use std::path::Path;

use forge_plugin::Host;
use forge_plugin::schemas::{Failure, Problem, Read, Resource, Tool as Program};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::settings::Settings;
use super::unit::Unit;
use super::{Params, cargo, command, go, prebuilt, zig};

/// What builds a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ToolName {
    /// Rust, with `cargo build`. Linux needs no cross compiler.
    Cargo,
    /// Go, with `go build`.
    Go,
    /// Zig, or C: `zig build`, one Zig file, or some C files.
    Zig,
    /// Any program, started once for each platform.
    Command,
    /// Nothing: the program is there, and only taken.
    Prebuilt,
}

/// One way to build.
pub trait Tool: Sync {
    /// As it stands in the project file.
    fn name(&self) -> &'static str;

    /// The keys of the table that are for this tool, beside [`SHARED`].
    fn keys(&self) -> &'static [&'static str];

    /// The platforms when the table names none; empty where it must.
    fn platforms(&self, settings: &Settings) -> &'static [&'static str];

    /// How to build for one platform. Pure. None when it can't be said, and `unit` knows why.
    fn plan(&self, unit: &mut Unit<'_>) -> Option<Recipe>;

    /// Builds. The program must then be at `output`.
    fn run(&self, params: &Params, output: &Path, host: &dyn Host) -> Result<(), Failure>;
}

/// What `plan` says of one program.
pub struct Recipe {
    /// What `run` wants to know.
    pub recipe: Value,
    /// Variables for the tool and the hooks; those of the table come on top.
    pub env: BTreeMap<String, String>,
    /// The source files, when the table names none.
    pub reads: Vec<Read>,
    /// Source files that count whatever the table names.
    pub always_reads: Vec<Read>,
    /// The variables of the environment that matter.
    pub variables: Vec<String>,
    /// The programs that matter.
    pub tools: Vec<Program>,
    /// What bounds how many run side by side.
    pub resource: Resource,
}

/// The keys that are for every tool.
const SHARED: &[&str] = &[
    "tool",
    "platforms",
    "ignore",
    "binary",
    "dir",
    "env",
    "hooks",
    "overrides",
    "sources",
    "inputs",
    "os",
    "arch",
    "variant",
];

/// All of them, in the order of [`ToolName`].
const TOOLS: [&dyn Tool; 5] = [&cargo::Cargo, &go::Go, &zig::Zig, &command::Argv, &prebuilt::Prebuilt];

/// The tool of this name.
pub fn named(name: ToolName) -> &'static dyn Tool {
    TOOLS[name as usize]
}

/// A program whose version matters, and what makes it print it.
pub fn program(argv: &[&str]) -> Program {
    let (program, version) = argv.split_first().unwrap_or((&"", &[]));
    Program { program: (*program).to_owned(), version: version.iter().map(|word| (*word).to_owned()).collect() }
}

/// A problem for each key that another tool understands and this one would pass over in silence.
pub fn foreign_keys(settings: &Settings) -> Vec<Problem> {
    let mut problems = Vec::new();
    foreign_keys_of(settings, settings.tool, "", &mut problems);
    for (at, differing) in settings.overrides.iter().enumerate() {
        foreign_keys_of(differing, settings.tool, &format!("overrides[{at}]."), &mut problems);
    }
    problems
}

fn foreign_keys_of<T: Serialize>(table: &T, tool: ToolName, prefix: &str, problems: &mut Vec<Problem>) {
    let Ok(Value::Object(table)) = serde_json::to_value(table) else { return };
    let own = named(tool).keys();
    let foreign = table.keys().filter(|key| !own.contains(&key.as_str()) && !SHARED.contains(&key.as_str()));
    for key in foreign {
        let others = TOOLS.iter().filter(|it| it.keys().contains(&key.as_str()));
        let others: Vec<String> = others.map(|it| format!("`{}`", it.name())).collect();
        let message = format!("`{key}` is not for tool `{}`", named(tool).name());
        problems
            .push(Problem::at_key(format!("{prefix}{key}"), message).help(format!("it is for {}", others.join(", "))));
    }
}
