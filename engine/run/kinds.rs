//! The schemas of kinds: what an artifact's detail must look like, for the kinds of forge and of plugins alike.

use std::collections::HashMap;

use forge_schemas::{Failure, PipeInfo};
use jsonschema::Validator;
use serde_json::Value;

/// The schemas of kinds, ready to check.
#[derive(Default)]
pub struct Kinds {
    validators: HashMap<String, Validator>,
}

impl Kinds {
    /// Those that these pipes have described.
    pub fn of(pipes: &[&PipeInfo]) -> Result<Kinds, Failure> {
        let mut validators = HashMap::new();
        for (pipe, kind) in pipes.iter().flat_map(|pipe| pipe.makes.iter().map(move |kind| (pipe, kind))) {
            let validator = jsonschema::validator_for(&kind.detail).map_err(|error| {
                Failure::bug(format!("the schema of kind `{}` of pipe `{}` is wrong: {error}", kind.name, pipe.name))
            })?;
            validators.insert(kind.name.clone(), validator);
        }
        Ok(Kinds { validators })
    }

    /// Whether this is a detail of that kind.
    pub fn check(&self, kind: &str, detail: &Value) -> Result<(), Failure> {
        let Some(validator) = self.validators.get(kind) else {
            return Err(Failure::bug(format!("nobody has described the kind `{kind}`")));
        };
        validator.validate(detail).map_err(|error| {
            Failure::bug(format!("the pipe made a `{kind}` whose detail is not of its schema: {error}"))
                .cause(format!("at `{}`", error.instance_path()))
        })
    }
}
