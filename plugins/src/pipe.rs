//! What the author of a pipe sees: a pipe, what it is given while planning, and the host it acts through while running.
//! Does not know on which side of the line, or in which process, the host is.

use std::path::Path;

use forge_schemas::kind::Kind;
use forge_schemas::{
    Artifact, Command, Emit, Exit, Facts, Failure, Finding, HttpRequest, HttpResponse, KindInfo, Level, Offer, Problem,
    RenderReply, Selector, SourceText, Step, TableName, Trace,
};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::template::{Later, Names, Template};

/// The code for one kind of step, and one kind of table in the project file. It has no state: what one call learns, the
/// next is told by forge. The [crate's page](crate) has a whole one.
pub trait Pipe {
    /// Its table in the project file: `acme_upload` for `[[acme_upload]]`. Lower-case letters, digits and `_`; no name of
    /// another pipe of the project, nor of one that comes with forge.
    const NAME: &'static str;
    /// One line for people.
    const SUMMARY: &'static str;
    /// The services that it can't do without, by the names that they have on the line (`secret.get`). A forge that has not
    /// all of them refuses the plugin, and says which. What is in version 1.0 need not be named.
    const NEEDS: &'static [&'static str] = &[];
    /// One table, without its `id`, which is [`Given::table`]'s. The doc comments of its fields are the manual, and what an
    /// editor shows. With `#[serde(deny_unknown_fields)]` a misspelt key is a mistake that names the nearest one.
    /// A [`Template`] may name what is only known a platform; any other text has been rendered when it arrives.
    type Settings: DeserializeOwned + JsonSchema;
    /// What `plan` tells `run`: all that decides what comes out, resolved. It is part of the step's fingerprint, so what
    /// changes nothing does not belong in it.
    type Params: Serialize + DeserializeOwned;

    /// The kinds it can make: kinds of the plugin's own, `PLUGIN.kind`, with the JSON Schema of their detail; and kinds of
    /// forge's, [by their types](kind). What a step declares must be of one of these.
    fn makes() -> Vec<KindInfo>;

    /// The kinds that a table makes, of those that the pipe can; all of them, unless it says otherwise. Others wait for none that it does not make.
    fn makes_here(_settings: &Self::Settings) -> Option<Vec<String>> {
        None
    }

    /// Which artifacts a table takes, and which source files it must read to plan. Pure. A selector names the key that it
    /// comes from, for the caret under a selector that nothing answers. The problems are mistakes of the user.
    fn takes(settings: &Self::Settings) -> Result<Wants, Vec<Problem>>;

    /// The steps of a table, or all that is wrong with it. Pure: the same settings, facts and offers give the same steps in
    /// the same order. A step takes offers that it was shown, by name, and declares all that it will make.
    fn plan(settings: &Self::Settings, given: &Given<'_>) -> Result<Vec<Step>, Vec<Problem>>;

    /// Does one step. Acts through `host`, and in `host.dir()`, and nowhere else. It makes what the step declared: what is
    /// missing at the end, and what was not declared, is a bug of the pipe. It may run again after it has failed or was
    /// killed in its midst, and so asks before it changes something remote.
    fn run(params: &Self::Params, step: &Step, host: &dyn Host) -> Result<(), Failure>;

    /// What lies now where a step with a remote effect would put something, or what the names of a step mean now. Only looks: of `host` it has GET, HEAD and
    /// what was remembered. Without inputs while these are not made: then it finds out whether one gets there at all.
    fn probe(_params: &Self::Params, _step: &Step, _host: &dyn Host) -> Result<Vec<Finding>, Failure> {
        Ok(Vec::new())
    }
}

/// What a table wants before it can plan.
#[derive(Debug, Clone, Default)]
pub struct Wants {
    /// Which artifacts.
    pub selectors: Vec<Selector>,
    /// Which source files, by path and by the key that names them.
    pub sources: Vec<SourceText>,
}

/// What `plan` is given.
pub struct Given<'a> {
    /// The table.
    pub table: &'a TableName,
    /// The facts.
    pub facts: &'a Facts,
    /// What the tables that it takes from have declared: all that answers one of its selectors.
    pub offers: &'a [Offer],
    /// The source files that it asked for.
    pub sources: &'a [SourceText],
    /// Renders templates; [`Given::render`] calls it.
    pub renderer: &'a dyn Renderer,
}

/// Renders a template with the facts and further names. Any thread of a pipe may ask, several at once.
pub trait Renderer: Sync {
    /// The text of a template that may name the facts and the members of `names`, an object, and which facts it does name; or
    /// what is wrong with the template, as a phrase.
    fn render(&self, template: &str, names: &Value) -> Result<RenderReply, String>;
}

/// All that a pipe may do to the world. Calls block; any thread may make them, several at once, until `run` returns. Their
/// failures are to be passed on: where the run is interrupted, what waits ends with one of class
/// [`Cancelled`](forge_schemas::FailureClass::Cancelled).
pub trait Host: Sync {
    /// What the step takes, made, in the order of `step.takes`.
    fn inputs(&self) -> &[Artifact];
    /// What `probe` has found just before. For a step without a remote effect, what is locked of its names; empty unless all are.
    fn found(&self) -> &[Finding];
    /// The directory of the project file; absolute. To be read, never written.
    fn root(&self) -> &Path;
    /// An empty directory of this step alone; absolute. What it emits is moved out of here.
    fn dir(&self) -> &Path;
    /// Starts a program and waits for it. There is no shell. Its output goes to the task's log line by line, secrets
    /// masked; its environment is what the step names, what its table is granted, and little else. A program that fails is
    /// no failure of this call; one that can't be started is.
    fn exec(&self, command: &Command) -> Result<Exit, Failure>;
    /// Sends a request, with the credentials that the user has named for its host: a pipe never has them. What may be
    /// repeated is tried again for about 40 seconds. An answer of status 400 and more is no failure of this call, except for
    /// credentials that are refused; no answer is one of class [`Network`](forge_schemas::FailureClass::Network).
    fn http(&self, request: &HttpRequest) -> Result<HttpResponse, Failure>;
    /// An artifact that the step declared is made. Its file is moved away. Answers it as it lies in the store, with digest
    /// and size. A file outside of `dir`, a name that was not declared or is emitted twice, and a detail that is not of its
    /// kind's schema are failures.
    fn emit(&self, emit: &Emit) -> Result<Artifact, Failure>;
    /// Says something to the user: one line.
    fn log(&self, level: Level, message: &str);
    /// How far the step is: so much of `total`, in any unit, 0 where that is not known. May be called in a tight loop.
    fn progress(&self, done: u64, total: u64, message: &str);
    /// Whether the step should stop soon: the run was interrupted, or its time is up. One that goes on is killed after a
    /// few seconds, where it runs in a process of its own.
    fn cancelled(&self) -> bool;
    /// Keeps what a remote side answered, for a later run of the same task: the address of an upload that was begun. A
    /// later value replaces an earlier one of that key.
    fn remember(&self, key: &str, value: &Value) -> Result<(), Failure>;
    /// What was remembered under `key`; null for nothing.
    fn recall(&self, key: &str) -> Result<Value, Failure>;

    /// The text of a template that may name the members of `names`, an object, and no facts but those among them:
    /// [`Later::render`] is what knows them.
    fn render(&self, template: &str, names: &Value) -> Result<String, Failure>;

    /// A secret that the step's table is granted, where it says `reveal = true`. Most pipes need none: requests get their
    /// credentials and programs their variables without the pipe. Forge masks it in all that it shows, and refuses to keep
    /// an artifact that has it inside; a request's body or a file elsewhere are the pipe's to answer for.
    fn secret(&self, name: &str) -> Result<String, Failure>;

    /// How what the step takes came to be: the tasks that have made it, and those behind them, each with its fingerprint, its
    /// sources, tools and plugin. For a step whose `traced` says so; it then runs again when any of that has changed. A pipe that
    /// asks has `artifact.trace` among its [`NEEDS`](Pipe::NEEDS).
    fn trace(&self) -> Result<Trace, Failure>;

    /// Starts a program that must end with exit status 0.
    fn exec_ok(&self, command: &Command) -> Result<Exit, Failure> {
        let exit = self.exec(command)?;
        match exit.is_success() {
            true => Ok(exit),
            false => {
                let program = command.argv.first().map_or("", String::as_str);
                Err(Failure::tool(format!("`{program}` ended with {}", exit.in_words())))
            }
        }
    }
}

impl Given<'_> {
    /// Renders the template at `key` with the names it may use.
    pub fn render<N: Names + Serialize>(
        &self,
        key: &str,
        template: &Template<N>,
        names: &N,
    ) -> Result<String, Problem> {
        if !template.is_template() {
            return Ok(template.text().to_owned());
        }
        self.rendered(key, template, names).map(|reply| reply.text)
    }

    /// Keeps the template at `key` for `run`, which knows the names that `plan` can't: what something was hashed to, what a
    /// server has answered. It is tried now, with names as they might be, so that a mistake in it is told while planning. The
    /// facts that it names go with it, and others do not: in a step's [params](Pipe::Params), they are part of its
    /// fingerprint.
    pub fn later<N: Names + Serialize>(
        &self,
        key: &str,
        template: &Template<N>,
        perhaps: &N,
    ) -> Result<Later<N>, Problem> {
        let facts = match template.is_template() {
            true => self.rendered(key, template, perhaps)?.names,
            false => Map::new(),
        };
        Ok(Later::new(template.text(), facts))
    }

    fn rendered<N: Names + Serialize>(
        &self,
        key: &str,
        template: &Template<N>,
        names: &N,
    ) -> Result<RenderReply, Problem> {
        let names = serde_json::to_value(names).map_err(|error| Problem::at_key(key, error.to_string()))?;
        self.renderer.render(template.text(), &names).map_err(|message| Problem::at_key(key, message))
    }

    /// The text of a source file that `takes` asked for.
    pub fn source(&self, path: &str) -> Option<&str> {
        self.sources.iter().find(|source| source.path == path).map(|source| source.text.as_str())
    }
}

/// A kind, described by its type: its name, and the JSON Schema of its detail.
pub fn kind<K: Kind + JsonSchema>() -> KindInfo {
    KindInfo { name: K::NAME.to_owned(), detail: schemars::schema_for!(K).to_value(), role: K::ROLE }
}
