//! The schemas of kinds: what an artifact's detail must look like, for the kinds of forge and of plugins alike.
//! Does not know any of them.

use std::collections::HashMap;
use std::sync::OnceLock;

use forge_schemas::{Failure, PipeInfo};
use jsonschema::Validator;
use serde_json::Value;

/// The schemas of kinds, each made ready when the first of its kind is checked: a run that makes nothing checks none.
#[derive(Default)]
pub struct Kinds {
    kinds: HashMap<String, Kind>,
}

struct Kind {
    pipe: String,
    schema: Value,
    validator: OnceLock<Result<Validator, Failure>>,
}

impl Kinds {
    /// Those that these pipes have described.
    pub fn of(pipes: &[&PipeInfo]) -> Kinds {
        let all = pipes.iter().flat_map(|pipe| pipe.makes.iter().map(move |kind| (pipe, kind)));
        let kind = |(pipe, kind): (&&PipeInfo, &forge_schemas::KindInfo)| {
            let (pipe, schema) = (pipe.name.clone(), kind.detail.clone());
            (kind.name.clone(), Kind { pipe, schema, validator: OnceLock::new() })
        };
        Kinds { kinds: all.map(kind).collect() }
    }

    /// Whether this is a detail of that kind.
    pub fn check(&self, kind: &str, detail: &Value) -> Result<(), Failure> {
        let Some(known) = self.kinds.get(kind) else {
            return Err(Failure::bug(format!("nobody has described the kind `{kind}`")));
        };
        let validator = known.validator.get_or_init(|| known.validator(kind)).as_ref().map_err(Clone::clone)?;
        validator.validate(detail).map_err(|error| {
            Failure::bug(format!("the pipe made a `{kind}` whose detail is not of its schema: {error}"))
                .cause(format!("at `{}`", error.instance_path()))
        })
    }
}

impl Kind {
    fn validator(&self, name: &str) -> Result<Validator, Failure> {
        jsonschema::validator_for(&self.schema).map_err(|error| {
            Failure::bug(format!("the schema of kind `{name}` of pipe `{}` is wrong: {error}", self.pipe))
        })
    }
}
