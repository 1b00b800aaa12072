//! A step as it stands in a plan: compact, fast to read back, and with the digest of all that it says.
//! Does not know what its params mean; they are kept as the text that the pipe sent.

use forge_schemas::{
    Digest, Effect, Memory, Output, Place, Platform, Read, Recall, Resource, Step, Tool, Traced, Wanted,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A step that has been placed in the plan. The fields are those of [`Step`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of `Step`")]
pub struct Placed {
    pub name: String,
    pub platform: Option<Platform>,
    pub takes: Vec<String>,
    pub makes: Vec<Made>,
    pub replaces: Vec<String>,
    pub effect: Effect,
    pub recall: Recall,
    pub memory: Memory,
    pub reads: Vec<Read>,
    pub writes: Vec<String>,
    pub env: Vec<String>,
    pub tools: Vec<Tool>,
    pub names: Vec<String>,
    pub wanted: Wanted,
    pub traced: Traced,
    pub resource: Resource,
    pub params: Json,
    pub place: Place,
    /// Of all that the step says, but for where it stands in the file: of its JSON.
    pub digest: Digest,
    /// How many bytes that JSON has.
    pub size: u64,
}

/// What a placed step makes. The fields are those of [`Output`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of `Output`")]
pub struct Made {
    pub name: String,
    pub kind: String,
    pub platform: Option<Platform>,
    pub detail: Json,
}

/// A JSON value as text. Read only when somebody wants to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Json(Box<str>);

impl Placed {
    /// The step as the pipe sent it.
    pub fn to_step(&self) -> Step {
        Step {
            name: self.name.clone(),
            platform: self.platform.clone(),
            takes: self.takes.clone(),
            makes: self.makes.iter().map(Made::to_output).collect(),
            replaces: self.replaces.clone(),
            effect: self.effect,
            recall: self.recall,
            memory: self.memory,
            reads: self.reads.clone(),
            writes: self.writes.clone(),
            env: self.env.clone(),
            secrets: Vec::new(),
            tools: self.tools.clone(),
            names: self.names.clone(),
            wanted: self.wanted,
            traced: self.traced,
            resource: self.resource.clone(),
            params: self.params.value(),
            place: self.place.clone(),
        }
    }

    /// The same without where it stands in the file: what its digest is of.
    pub fn to_step_of_nowhere(&self) -> Step {
        without_places(self.to_step())
    }
}

impl From<Step> for Placed {
    fn from(step: Step) -> Placed {
        // They are checked as it is placed, and it is told by its params.
        let step = Step { secrets: Vec::new(), ..step };
        let text = serde_json::to_vec(&without_places(step.clone())).unwrap_or_default();
        Placed {
            name: step.name,
            platform: step.platform,
            takes: step.takes,
            makes: step.makes.into_iter().map(Made::from).collect(),
            replaces: step.replaces,
            effect: step.effect,
            recall: step.recall,
            memory: step.memory,
            reads: step.reads,
            writes: step.writes,
            env: step.env,
            tools: step.tools,
            names: step.names,
            wanted: step.wanted,
            traced: step.traced,
            resource: step.resource,
            params: Json::of(&step.params),
            place: step.place,
            digest: Digest::of(&text),
            size: text.len() as u64,
        }
    }
}

impl Made {
    /// The output as the pipe sent it.
    pub fn to_output(&self) -> Output {
        Output {
            name: self.name.clone(),
            kind: self.kind.clone(),
            platform: self.platform.clone(),
            detail: self.detail.value(),
        }
    }
}

impl From<Output> for Made {
    fn from(output: Output) -> Made {
        let detail = Json::of(&output.detail);
        Made { name: output.name, kind: output.kind, platform: output.platform, detail }
    }
}

impl Json {
    /// The text of a value. Keys are sorted: equal values, equal texts.
    pub fn of(value: &Value) -> Json {
        Json(value.to_string().into())
    }

    /// The value.
    pub fn value(&self) -> Value {
        // It was written from a value.
        serde_json::from_str(&self.0).unwrap_or_default()
    }
}

// Where in the file a step stands decides nothing: a comment above it must not make it run again.
fn without_places(mut step: Step) -> Step {
    let nowhere = || Place::Key(String::new());
    step.place = nowhere();
    for read in &mut step.reads {
        read.place = nowhere();
    }
    step
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn step(place: &str, params: Value) -> Step {
        let read = Read::all("a", Place::Key(place.into()));
        Step { name: "s".into(), reads: vec![read], params, place: Place::Key(place.into()), ..Step::default() }
    }

    #[test]
    fn a_step_comes_back_as_it_was() {
        let step = step("x[1]", json!({ "b": [1, null], "a": "é" }));
        assert_eq!(Placed::from(step.clone()).to_step(), step);
    }

    #[test]
    fn its_digest_does_not_know_its_place() {
        let digest = |place, params| Placed::from(step(place, params)).digest;
        assert_eq!(digest("x", json!({ "a": 1, "b": 2 })), digest("y", json!({ "b": 2, "a": 1 })));
        assert_ne!(digest("x", json!(1)), digest("x", json!(2)));
    }
}
