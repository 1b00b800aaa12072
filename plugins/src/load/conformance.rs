//! What every plugin must do, whatever its pipes do: asked of one that is loaded, in this process or in a child.
//! Runs no step, and does not know what a pipe is for.

use std::thread;

use forge_schemas::{Facts, FailureClass, PipeInfo, Plan, PlanReply, RenderReply, TableName, Takes, TakesReply};
use serde_json::{Value, json};

use super::services::{Nothing, Planning};
use super::{Plugin, ask, handshake};
use crate::Renderer;
use crate::abi::Status;
use crate::refusal::Refusal;

/// A rule of the line, and whether a plugin keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What a plugin does that keeps it.
    pub words: &'static str,
    /// How it is broken.
    pub broken: Option<String>,
}

/// How a rule is broken, if it is.
type Kept = Result<(), String>;
type Check = fn(&Plugin) -> Kept;

const RULES: &[(&str, Check)] = &[
    ("it describes itself the same every time", describes_the_same),
    ("its pipes are named as tables are, and described in a line", names_pipes),
    ("settings are an object that takes no unknown keys", describes_settings),
    ("what it makes is of a kind with a name and a schema", describes_kinds),
    ("it refuses a method that it does not know", refuses_methods),
    ("it survives what is no message", survives_nonsense),
    ("it answers whatever the settings are", answers_odd_settings),
    ("it takes and plans the same every time", plans_the_same),
    ("it answers many threads at once", answers_many_threads),
    ("it has lived through all of this", has_lived),
];

/// How many threads ask at once, and how often each does.
const THREADS: usize = 8;
const TURNS: usize = 25;

impl Plugin {
    /// Asks it all that can be asked of any plugin. In a child a plugin may do with itself what it likes; in this process
    /// one that breaks a rule may take it along.
    pub fn conformance(&self) -> Vec<Rule> {
        RULES.iter().map(|(words, rule)| Rule { words, broken: rule(self).err() }).collect()
    }
}

/// Renders everything as it stands.
struct AsItStands;

impl Renderer for AsItStands {
    fn render(&self, template: &str, _: &Value) -> Result<RenderReply, String> {
        Ok(RenderReply { text: template.to_owned(), ..RenderReply::default() })
    }
}

fn describes_the_same(plugin: &Plugin) -> Kept {
    let again = handshake::describe(&*plugin.peer).map_err(|refusal| refusal.failure.to_string())?;
    match again == plugin.info {
        true => Ok(()),
        false => Err("`describe` answers something else when it is asked again".to_owned()),
    }
}

/// A call that only computes is made once more where the child has died, so it may have gone unnoticed.
fn has_lived(plugin: &Plugin) -> Kept {
    match plugin.peer.deaths() {
        0 => describes_the_same(plugin),
        1 => Err("its process has died meanwhile".to_owned()),
        often => Err(format!("its process has died {often} times meanwhile")),
    }
}

fn names_pipes(plugin: &Plugin) -> Kept {
    each_pipe(plugin, |pipe| match (is_name(&pipe.name), pipe.summary.lines().count()) {
        (false, _) => Err("a table's name is lower-case letters, digits and `_`".to_owned()),
        (_, 1) => Ok(()),
        _ => Err("its summary is not one line".to_owned()),
    })
}

fn describes_settings(plugin: &Plugin) -> Kept {
    each_pipe(plugin, |pipe| match (&pipe.settings["type"], &pipe.settings["additionalProperties"]) {
        (Value::String(object), Value::Bool(false)) if object == "object" => Ok(()),
        // One of several objects says it in each.
        _ if pipe.settings.get("oneOf").or(pipe.settings.get("anyOf")).is_some() => Ok(()),
        _ => Err("the schema of its settings is not that of an object with `additionalProperties: false`".to_owned()),
    })
}

fn describes_kinds(plugin: &Plugin) -> Kept {
    each_pipe(plugin, |pipe| {
        let odd =
            pipe.makes.iter().find(|kind| !is_name(&kind.name.replace(['.', '-'], "_")) || !kind.detail.is_object());
        odd.map_or(Ok(()), |kind| Err(format!("the kind `{}` has no proper name, or no schema", kind.name)))
    })
}

fn refuses_methods(plugin: &Plugin) -> Kept {
    match plugin.call("x-no-such-method", b"{}", &Nothing) {
        Err(refusal) if refusal.status == Status::UNIMPLEMENTED => Ok(()),
        Err(refusal) => Err(format!("it answers {:?}: {}", refusal.status, refusal.failure)),
        Ok(_) => Err("it answers as if it knew it".to_owned()),
    }
}

/// What it answers is its own affair. That it answers at all is seen by the next rules.
fn survives_nonsense(plugin: &Plugin) -> Kept {
    for method in ["takes", "plan", "run", "probe"] {
        for request in [&b"{"[..], b"", b"[]", b"null", b"\xff\xfe"] {
            if let Err(refusal) = plugin.call(method, request, &Nothing) {
                no_crash(refusal.status, &refusal.failure.to_string())?;
            }
        }
    }
    Ok(())
}

fn no_crash(status: Status, words: &str) -> Kept {
    match status == Status::PANICKED || words.starts_with("its process") {
        true => Err(words.to_owned()),
        false => Ok(()),
    }
}

fn answers_odd_settings(plugin: &Plugin) -> Kept {
    each_pipe(plugin, |pipe| {
        let deep = (0..100).fold(json!(0), |inside, _| json!([inside]));
        for settings in [json!({}), json!(null), json!([]), json!("x"), json!({ "": { "x": null } }), deep] {
            takes(plugin, pipe, &settings)?;
            plan(plugin, pipe, &settings)?;
        }
        Ok(())
    })
}

fn plans_the_same(plugin: &Plugin) -> Kept {
    each_pipe(plugin, |pipe| {
        let ask = || Ok::<_, String>((takes(plugin, pipe, &json!({}))?, plan(plugin, pipe, &json!({}))?));
        match ask()? == ask()? {
            true => Ok(()),
            false => Err("it answers something else when it is asked again".to_owned()),
        }
    })
}

fn answers_many_threads(plugin: &Plugin) -> Kept {
    each_pipe(plugin, |pipe| {
        let expect = takes(plugin, pipe, &json!({}))?;
        let ask = || (0..TURNS).all(|_| takes(plugin, pipe, &json!({})).as_ref() == Ok(&expect));
        let same = thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(ask)).collect();
            threads.into_iter().all(|thread| thread.join().unwrap_or(false))
        });
        if same { Ok(()) } else { Err("it answers something else while others ask".to_owned()) }
    })
}

/// A failure is an answer too, but a bug is none.
fn takes(plugin: &Plugin, pipe: &PipeInfo, settings: &Value) -> Result<Option<TakesReply>, String> {
    let request = Takes { table: table(pipe), settings: settings.clone() };
    answered(ask(&*plugin.peer, "takes", &request, &Nothing), settings)
}

fn plan(plugin: &Plugin, pipe: &PipeInfo, settings: &Value) -> Result<Option<PlanReply>, String> {
    let (table, facts) = (table(pipe), facts());
    let request = Plan { table, settings: settings.clone(), facts, offers: Vec::new(), sources: Vec::new() };
    answered(ask(&*plugin.peer, "plan", &request, &Planning(&AsItStands)), settings)
}

fn answered<A>(answer: Result<A, Refusal>, settings: &Value) -> Result<Option<A>, String> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(refusal) if refusal.failure.class == FailureClass::Bug => {
            Err(format!("with the settings {settings}: {}", refusal.failure))
        }
        Err(_) => Ok(None),
    }
}

fn facts() -> Facts {
    Facts {
        name: "conformance".to_owned(),
        version: "1.2.3".to_owned(),
        major: 1,
        minor: 2,
        patch: 3,
        prerelease: String::new(),
        tag: "v1.2.3".to_owned(),
        commit: "0".repeat(40),
        short_commit: "0".repeat(7),
        commit_time: "1970-01-01T00:00:00Z".to_owned(),
        commit_timestamp: 0,
        git_url: String::new(),
        branch: String::new(),
        dirty: false,
        snapshot: false,
    }
}

fn table(pipe: &PipeInfo) -> TableName {
    TableName::new(&pipe.name, "conformance")
}

fn each_pipe(plugin: &Plugin, rule: impl Fn(&PipeInfo) -> Kept) -> Kept {
    plugin.info.pipes.iter().try_for_each(|pipe| rule(pipe).map_err(|what| format!("pipe `{}`: {what}", pipe.name)))
}

fn is_name(name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(is_part)
}
