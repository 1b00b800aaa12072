//! Tool `prebuilt`: programs that are there already, one file for each platform.
//! Does not know who built them.

use std::path::Path;

use forge_plugin::Host;
use forge_plugin::schemas::{Failure, Problem, Resource};
use serde::{Deserialize, Serialize};

use super::settings::Settings;
use super::tool::{Recipe, Tool};
use super::unit::Unit;
use super::{Params, read_of, take};

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
            always_reads: Vec::new(),
            recipe: unit.json(&Source { path })?,
            env: Default::default(),
            variables: Vec::new(),
            tools: Vec::new(),
            resource: Resource::Cpu,
        })
    }

    fn run(&self, params: &Params, output: &Path, host: &dyn Host) -> Result<(), Failure> {
        let source: Source = params.recipe()?;
        take(&host.root().join(source.path), output)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use forge_plugin::testing::FakeHost;
    use serde_json::json;

    use crate::build::checks::{check_plan, run};

    #[test]
    fn the_file_is_read_and_taken() {
        let table =
            json!({ "tool": "prebuilt", "path": "bin/{{ os }}_{{ arch }}{{ ext }}", "platforms": ["windows/386"] });
        check_plan(
            &table,
            &expect![[r#"
            windows/386 at platforms[0]
              makes build_windows_386/hello.exe {"file_name":"hello.exe"}
              reads bin/windows_386.exe at path
        "#]],
        );
        expect![[r#"
            made build_windows_386/hello.exe
        "#]]
        .assert_eq(&run(&table, FakeHost::new().with_source("bin/windows_386.exe", "x")));
        expect![[r#"
            failed: can't copy `ROOT/bin/windows_386.exe`: No such file or directory
        "#]]
        .assert_eq(&run(&table, FakeHost::new()).replace(" (os error 2)", ""));
        check_plan(
            &json!({ "tool": "prebuilt", "platforms": ["linux/amd64"] }),
            &expect![[r#"
            the table: tool `prebuilt` needs `path`; add `path = "bin/{{ os }}_{{ arch }}/hello{{ ext }}"`
        "#]],
        );
    }
}
