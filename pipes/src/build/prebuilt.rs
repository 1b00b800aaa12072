//! Tool `prebuilt`: programs that are there already, one file for each platform.
//! Does not know who built them.

use std::path::Path;

use forge_plugin::Host;
use forge_plugin::schemas::{Failure, Problem, Resource};
use serde::{Deserialize, Serialize};

use super::tool::{Recipe, Tool};
use super::unit::Unit;
use super::{Params, Settings, read_of, take};

/// The tool.
pub struct Prebuilt;

#[derive(Serialize, Deserialize)]
struct Source {
    /// Relative to the project file.
    path: String,
}

impl Tool for Prebuilt {
    fn name(&self) -> &'static str {
        "prebuilt"
    }

    fn keys(&self) -> &'static [&'static str] {
        &["path"]
    }

    fn platforms(&self, _: &Settings) -> &'static [&'static str] {
        &[]
    }

    fn plan(&self, unit: &mut Unit<'_>) -> Option<Recipe> {
        let Some(path) = &unit.settings.path else {
            let help = "add `path = \"bin/{{ os }}_{{ arch }}/hello{{ ext }}\"`";
            unit.problem(Problem::at_key("", "tool `prebuilt` needs `path`").help(help));
            return None;
        };
        let path = unit.text("path", path)?;
        Some(Recipe {
            reads: vec![read_of(path.clone(), "path")],
            recipe: unit.json(&Source { path })?,
            env: Default::default(),
            variables: &[],
            tools: Vec::new(),
            resource: Resource::Cpu,
        })
    }

    fn run(&self, params: &Params, output: &Path, host: &dyn Host) -> Result<(), Failure> {
        let source: Source = params.recipe()?;
        take(&host.root().join(source.path), output)
    }
}
