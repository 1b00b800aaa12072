//! From the JSON of a message to the types of a pipe.
//! Does not know the JSON Schema: the engine has checked it, so what is wrong here is wrong in few ways.

use forge_schemas::{Failure, Problem, Step};
use serde_json::Value;

use crate::Pipe;

/// The settings of a table, typed.
pub(crate) fn of_table<P: Pipe>(settings: &Value) -> Result<P::Settings, Vec<Problem>> {
    serde::Deserialize::deserialize(settings)
        .map_err(|error: serde_json::Error| vec![Problem::at_key("", error.to_string())])
}

/// What `plan` told `run`, typed.
pub(crate) fn of_step<P: Pipe>(step: &Step) -> Result<P::Params, Failure> {
    serde::Deserialize::deserialize(&step.params).map_err(|error: serde_json::Error| {
        Failure::bug(format!("`plan` and `run` of pipe `{}` disagree about the parameters: {error}", P::NAME))
    })
}
