//! `forge schema`: the JSON Schema of the project file, with the tables of every pipe that is loaded. Editors complete by it.
//! Does not need a project.

use forge_schemas::exit;

use super::args::Arguments;
use super::{OpenPipes, output, session};
use crate::pipes::Pipes as _;
use crate::project::file_schema;

/// Prints the schema.
pub fn schema(arguments: &Arguments, pipes: OpenPipes) -> Result<u8, u8> {
    let plugins = session::plugins(arguments, pipes)?;
    let schema = file_schema(&plugins.all());
    output::print(&serde_json::to_string_pretty(&schema).unwrap_or_default());
    Ok(exit::DONE)
}
