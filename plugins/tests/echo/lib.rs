//! A small plugin for the tests of the line: its run does what its settings say.
//! Does not know whether it is linked in or loaded.

use std::fs;
use std::panic::panic_any;

use forge_plugin::schemas::kind::Binary;
use forge_plugin::schemas::{
    Command, Emit, Failure, FailureClass, HttpRequest, KindInfo, Level, Method, Output, Problem, Selector, Step,
};
use forge_plugin::{Given, Host, Later, Names, Pipe, PlatformNames, Template, Wants, kind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Says what it is told.
pub struct Echo;

/// The settings of an echo.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What to say on each platform.
    pub text: Template<PlatformNames>,
    /// What to do.
    pub act: Act,
    /// What to say when it is known what to say it of.
    #[serde(default)]
    pub last: Option<Template<LastNames>>,
}

/// What only a step that runs knows.
#[derive(Clone, Serialize)]
pub struct LastNames {
    digest: String,
}

impl Names for LastNames {
    const NAMES: &'static [&'static str] = &["digest"];
}

/// What an echo does.
#[derive(Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Makes a file, and uses every service on the way.
    Everything,
    /// Emits what it did not declare.
    Undeclared,
    /// Fails.
    Fail,
    /// Panics.
    Panic,
    /// Panics with something that panics when it is dropped.
    PanicTwice,
    /// Panics while planning.
    PanicPlanning,
}

/// What an echo runs with.
#[derive(Serialize, Deserialize)]
pub struct Params {
    text: String,
    act: Act,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last: Option<Later<LastNames>>,
}

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

impl Pipe for Echo {
    const NAME: &'static str = "echo";
    const SUMMARY: &'static str = "Says what it is told";
    type Settings = Settings;
    type Params = Params;

    fn makes() -> Vec<KindInfo> {
        vec![kind::<Binary>()]
    }

    fn takes(settings: &Settings) -> Result<Wants, Vec<Problem>> {
        match settings.text.text() {
            "" => Err(vec![Problem::at_key("text", "there is nothing to say").help("write something")]),
            _ => Ok(Wants { selectors: vec![Selector::of_kind("binary")], sources: Vec::new() }),
        }
    }

    fn plan(settings: &Settings, given: &Given<'_>) -> Result<Vec<Step>, Vec<Problem>> {
        if let Act::PanicPlanning = settings.act {
            panic!("can't plan {}", given.table);
        }
        let (mut steps, mut problems) = (Vec::new(), Vec::new());
        let perhaps = LastNames { digest: "sha256:0".to_owned() };
        let last = settings.last.as_ref().map(|last| given.later("last", last, &perhaps));
        let last = last.transpose().map_err(|problem| vec![problem])?;
        for platform in given.offers.iter().filter_map(|offer| offer.platform.clone()) {
            match given.render("text", &settings.text, &PlatformNames::from(&platform)) {
                Ok(text) => steps.push(Step {
                    name: platform.to_string(),
                    makes: vec![Output {
                        name: format!("said/{platform}"),
                        kind: "binary".to_owned(),
                        platform: Some(platform),
                        detail: json!({ "file_name": "said" }),
                    }],
                    params: json!(Params { text, act: settings.act, last: last.clone() }),
                    ..Step::default()
                }),
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() { Ok(steps) } else { Err(problems) }
    }

    fn run(params: &Params, step: &Step, host: &dyn Host) -> Result<(), Failure> {
        match params.act {
            Act::Everything => everything(&params.text, step, host).and_then(|()| last(params, host)),
            Act::Undeclared => emit("other", &params.text, host),
            Act::Fail => {
                let failure = Failure::new(FailureClass::Refused, "no right to speak");
                Err(failure.cause("the library is closed").help("whisper"))
            }
            Act::Panic => panic!("{} is not to be said", params.text),
            Act::PanicTwice => panic_any(Bomb),
            Act::PanicPlanning => Ok(()),
        }
    }
}

fn everything(text: &str, step: &Step, host: &dyn Host) -> Result<(), Failure> {
    host.log(Level::Info, &format!("{} of {}", host.inputs().len(), step.takes.len()));
    for done in 0..1000 {
        host.progress(done, 1000, "speaking");
    }
    host.progress(1000, 1000, "spoken");
    let exit = host.exec_ok(&Command::new(["say", text]).env("LOUD", "1"))?;
    let answer = host.http(&HttpRequest::new(Method::Get, "https://example.org/"))?;
    let before = host.recall("said")?;
    host.remember("said", &json!(text))?;
    host.log(Level::Debug, &format!("{} {} {before} {}", exit.stdout, answer.status, host.recall("said")?));
    std::thread::scope(|scope| {
        scope.spawn(|| host.log(Level::Warn, if host.cancelled() { "stop" } else { "go on" }));
    });
    emit(&step.makes[0].name, text, host)
}

fn last(params: &Params, host: &dyn Host) -> Result<(), Failure> {
    let Some(last) = &params.last else { return Ok(()) };
    let names = LastNames { digest: host.inputs()[0].digest.to_string() };
    host.log(Level::Info, &last.render(host, &names)?);
    match host.render("{{ version }}", &json!({})) {
        Ok(text) => Err(Failure::bug(format!("a step that runs has a fact: {text}"))),
        Err(failure) => {
            host.log(Level::Info, &failure.message);
            Ok(())
        }
    }
}

fn emit(name: &str, text: &str, host: &dyn Host) -> Result<(), Failure> {
    let path = host.dir().join("said");
    fs::write(&path, text).map_err(|error| Failure::file("write", &path, &error))?;
    let detail = json!({ "file_name": "said" });
    let artifact = host.emit(&Emit { name: name.to_owned(), path, blobs: Vec::new(), detail })?;
    host.log(Level::Info, &format!("{} {}", artifact.name, artifact.digest));
    Ok(())
}

forge_plugin::export! { name: "echo", build: Some(forge_plugin::BUILD_ID), pipes: [Echo] }
