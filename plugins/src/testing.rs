//! A host in memory, for the tests of a pipe: real files in a scratch directory, scripted programs and servers.
//! Does not know the line: a pipe is called directly. `tests/` of this crate calls through it.

mod host;

use forge_schemas::{
    Artifact, Command, Effect, Exit, Facts, Failure, Finding, Offer, Problem, RenderReply, SourceText, Step, TableName,
};
use serde_json::Value;

use crate::{Given, Pipe, Renderer, Wants, settings};

pub use host::{FakeHost, Record};

/// Renders `{{ name }}` and `{{ a.b }}` from the facts and the names given. Knows no filter and no block.
pub struct FakeRenderer {
    facts: Value,
}

/// What a table takes, from its settings as JSON.
pub fn takes_table<P: Pipe>(settings: &Value) -> Result<Wants, Vec<Problem>> {
    let (settings, _) = without_id(settings);
    P::takes(&settings::of_table::<P>(&settings)?)
}

/// The steps of a table, from its settings as JSON. The table's id is that of the settings, or the pipe's name.
/// A step that declares a kind which the pipe does not describe is a panic.
pub fn plan_table<P: Pipe>(
    settings: &Value,
    facts: &Facts,
    offers: &[Offer],
    sources: &[SourceText],
) -> Result<Vec<Step>, Vec<Problem>> {
    let (settings, id) = without_id(settings);
    let table = TableName::new(P::NAME, id.as_ref().and_then(Value::as_str).unwrap_or(P::NAME));
    let typed = settings::of_table::<P>(&settings)?;
    let renderer = FakeRenderer::new(facts);
    let steps = P::plan(&typed, &Given { table: &table, facts, offers, sources, renderer: &renderer })?;
    let kinds = P::makes();
    for output in steps.iter().flat_map(|step| &step.makes) {
        assert!(kinds.iter().any(|kind| kind.name == output.kind), "`{}` is of a kind not described", output.name);
    }
    Ok(steps)
}

/// As in the engine, the id is the table's, and no key of the settings.
fn without_id(settings: &Value) -> (Value, Option<Value>) {
    let mut settings = settings.clone();
    let id = settings.as_object_mut().and_then(|keys| keys.remove("id"));
    (settings, id)
}

/// Asks what lies where a step would put something, before anything was made.
pub fn probe_early<P: Pipe>(step: &Step, host: &mut FakeHost) -> Result<Vec<Finding>, Failure> {
    host.begin_without(step);
    P::probe(&settings::of_step::<P>(step)?, step, &*host)
}

/// Asks what lies where a step would put something, when what it takes is made.
pub fn probe_step<P: Pipe>(step: &Step, host: &mut FakeHost) -> Result<Vec<Finding>, Failure> {
    host.begin(&TableName::new(P::NAME, "test"), step)?;
    P::probe(&settings::of_step::<P>(step)?, step, &*host)
}

/// Runs a step with the artifacts that it takes, in an empty directory, and answers what it made. As in the engine, a
/// step that takes what is not there, or leaves out what it declared, fails; one that publishes is probed before.
pub fn run_step<P: Pipe>(step: &Step, host: &mut FakeHost) -> Result<Vec<Artifact>, Failure> {
    let params = settings::of_step::<P>(step)?;
    let found = match step.effect {
        Effect::Publish => probe_step::<P>(step, host)?,
        Effect::Local | Effect::Stage => Vec::new(),
    };
    host.begin(&TableName::new(P::NAME, "test"), step)?;
    host.find(found);
    let before = host.record().emitted.len();
    P::run(&params, step, &*host)?;
    let made = host.record().emitted[before..].to_vec();
    for output in &step.makes {
        if !made.iter().any(|artifact| artifact.name == output.name) {
            return Err(Failure::bug(format!("the step declares `{}` and did not make it", output.name)));
        }
    }
    host.keep(&made);
    Ok(made)
}

/// Facts of a project `hello` at tag `v1.2.3`.
pub fn sample_facts() -> Facts {
    Facts {
        name: "hello".to_owned(),
        version: "1.2.3".to_owned(),
        major: 1,
        minor: 2,
        patch: 3,
        prerelease: String::new(),
        tag: "v1.2.3".to_owned(),
        commit: "4805ca7d3b1f0c2e9a6858d1f7b2a04c6e93d1b5".to_owned(),
        short_commit: "4805ca7".to_owned(),
        commit_time: "2026-01-02T03:04:05Z".to_owned(),
        commit_timestamp: 1_767_323_045,
        git_url: "https://example.org/acme/hello.git".to_owned(),
        branch: "main".to_owned(),
        dirty: false,
        snapshot: false,
    }
}

/// Starts the program for real, as the engine would, in its directory: for `on_exec`.
pub fn really_run(command: &Command) -> Exit {
    let Some((program, arguments)) = command.argv.split_first() else {
        return Exit::default();
    };
    let mut child = std::process::Command::new(program);
    child.args(arguments).envs(&command.env);
    if let Some(dir) = &command.dir {
        child.current_dir(dir);
    }
    match child.output() {
        Ok(output) => Exit {
            code: output.status.code(),
            signal: std::os::unix::process::ExitStatusExt::signal(&output.status),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        },
        Err(error) => Exit { code: Some(127), stderr: error.to_string(), ..Exit::default() },
    }
}

impl FakeRenderer {
    /// A renderer that knows these facts.
    pub fn new(facts: &Facts) -> FakeRenderer {
        FakeRenderer { facts: serde_json::to_value(facts).unwrap_or_default() }
    }

    /// A renderer of a step that runs.
    pub(crate) fn without_facts() -> FakeRenderer {
        FakeRenderer { facts: Value::Null }
    }

    /// Appends the value of a name. A fact is noted as one that the template names.
    fn put(&self, name: &str, names: &Value, reply: &mut RenderReply) -> Result<(), String> {
        let pointer = format!("/{}", name.replace('.', "/"));
        let value = names.pointer(&pointer).or_else(|| {
            let first = name.split('.').next().unwrap_or(name);
            reply.names.insert(first.to_owned(), self.facts.get(first)?.clone());
            self.facts.pointer(&pointer)
        });
        match value {
            Some(Value::String(text)) => reply.text.push_str(text),
            Some(value) => reply.text.push_str(&value.to_string()),
            None => return Err(format!("undefined name `{name}`")),
        }
        Ok(())
    }
}

impl Renderer for FakeRenderer {
    fn render(&self, template: &str, names: &Value) -> Result<RenderReply, String> {
        let mut reply = RenderReply::default();
        let mut rest = template;
        while let Some((before, tail)) = rest.split_once("{{") {
            let (name, after) = tail.split_once("}}").ok_or("a `{{` without its `}}`")?;
            reply.text.push_str(before);
            self.put(name.trim(), names, &mut reply)?;
            rest = after;
        }
        reply.text.push_str(rest);
        Ok(reply)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use forge_schemas::{Digest, Emit, EmitBlob, FailureClass, KindInfo, Output};
    use serde_json::json;

    use super::*;
    use crate::Host;

    /// Emits a file under a name, with the content of its first input.
    struct Wrap;

    impl Pipe for Wrap {
        const NAME: &'static str = "wrap";
        const SUMMARY: &'static str = "Wraps";
        type Settings = Value;
        type Params = String;

        fn makes() -> Vec<KindInfo> {
            Vec::new()
        }

        fn takes(_: &Value) -> Result<Wants, Vec<Problem>> {
            Ok(Wants::default())
        }

        fn plan(_: &Value, _: &Given<'_>) -> Result<Vec<Step>, Vec<Problem>> {
            Ok(Vec::new())
        }

        fn run(name: &String, _: &Step, host: &dyn Host) -> Result<(), Failure> {
            let path = host.dir().join("wrapped");
            fs::write(&path, b"paper").unwrap();
            let blobs = host.inputs().iter().map(|input| EmitBlob::Held(input.blobs[0].digest)).collect();
            host.emit(&Emit { name: name.clone(), path, blobs, detail: Value::Null }).map(drop)
        }
    }

    fn step(emits: &str, takes: &[&str], makes: &[&str]) -> Step {
        let output = |name: &&str| Output {
            name: (*name).to_owned(),
            kind: "parcel".to_owned(),
            platform: None,
            detail: Value::Null,
        };
        let takes = takes.iter().map(|name| (*name).to_owned()).collect();
        Step { takes, makes: makes.iter().map(output).collect(), params: json!(emits), ..Step::default() }
    }

    fn host() -> FakeHost {
        FakeHost::new().with_artifact("gift", "thing", None, Value::Null, b"a gift", &[b"inside"])
    }

    #[test]
    fn what_is_made_can_be_taken() {
        let mut host = host();
        let made = run_step::<Wrap>(&step("parcel", &["gift"], &["parcel"]), &mut host).unwrap();
        assert_eq!((made[0].digest, made[0].size), (Digest::of(b"paper"), 5));
        assert_eq!(fs::read(&made[0].path).unwrap(), b"paper");
        assert_eq!(fs::read(&made[0].blobs[0].path).unwrap(), b"inside");
        let again = run_step::<Wrap>(&step("twice", &["parcel"], &["twice"]), &mut host).unwrap();
        assert_eq!(again[0].blobs[0].digest, Digest::of(b"inside"));
    }

    #[track_caller]
    fn check(step: &Step, expect: &str) {
        let failure = run_step::<Wrap>(step, &mut host()).unwrap_err();
        assert_eq!((failure.class, failure.message.as_str()), (FailureClass::Bug, expect));
    }

    #[test]
    fn a_step_does_what_it_declared() {
        check(&step("a", &[], &[]), "the step makes `a`, which it did not declare");
        check(&step("a", &[], &["a", "b"]), "the step declares `b` and did not make it");
        check(&step("a", &["none"], &["a"]), "the step takes `none`, which is not there");
    }
}
