//! `forge schema`: the JSON Schema of the project file, with the tables of every pipe that is loaded. Editors complete by it.
//! Does not need a project.

use forge_schemas::{PipeInfo, exit};
use serde_json::{Map, Value, json};

use super::args::Arguments;
use super::{OpenPipes, output, session};
use crate::pipes::Pipes as _;
use crate::project::Head;

/// Prints the schema.
pub fn schema(arguments: &Arguments, pipes: OpenPipes) -> Result<u8, u8> {
    let plugins = session::plugins(arguments, pipes)?;
    let schema = of_project_file(&plugins.all());
    output::print(&serde_json::to_string_pretty(&schema).unwrap_or_default());
    Ok(exit::DONE)
}

/// The schema of a project file that these pipes can read.
pub fn of_project_file(pipes: &[&PipeInfo]) -> Value {
    let mut schema = schemars::schema_for!(Head).to_value();
    schema["title"] = json!("forge.toml");
    for pipe in pipes {
        let table = of_table(pipe, &mut schema);
        let description = format!("{}.", pipe.summary);
        schema["properties"][&pipe.name] = json!({ "type": "array", "description": description, "items": table });
    }
    schema
}

// Definitions move to the top, under the pipe's name: two pipes may call different things alike.
fn of_table(pipe: &PipeInfo, schema: &mut Value) -> Value {
    let mut table = pipe.settings.clone();
    let definitions = table.as_object_mut().and_then(|it| it.remove("$defs"));
    if let Some(Value::Object(definitions)) = definitions {
        let own: Map<String, Value> =
            definitions.into_iter().map(|(name, value)| (format!("{}.{name}", pipe.name), value)).collect();
        for (name, mut value) in own {
            rename(&mut value, &pipe.name);
            schema["$defs"][name] = value;
        }
    }
    rename(&mut table, &pipe.name);
    if let Some(table) = table.as_object_mut() {
        table.remove("$schema");
    }
    table["properties"]["id"] =
        json!({ "type": "string", "description": "What other tables call this one; unique among its kind." });
    table
}

fn rename(value: &mut Value, pipe: &str) {
    match value {
        Value::Object(keys) => {
            for (key, value) in keys {
                match value {
                    Value::String(text) if key == "$ref" => {
                        *text = text.replace("#/$defs/", &format!("#/$defs/{pipe}."));
                    }
                    value => rename(value, pipe),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|it| rename(it, pipe)),
        _ => {}
    }
}
