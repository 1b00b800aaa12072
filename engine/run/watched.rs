//! Watches over plugins of third parties in forge's own process: who is called is written down while the call lasts, and what a
//! call has changed of the process is put back and told.
//! Does not know what a call is for. What lives in a child does such things to that child alone.

use std::borrow::Cow;
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

use forge_plugin::{BUILD_ID, Home, Host, Plugin, Plugins, Renderer};
use forge_schemas::{Failure, PipeInfo, Plan, PlanReply, Probe, ProbeReply, Run, Takes, TakesReply};

use super::surroundings::Surroundings;
use crate::pipes::Pipes;
use crate::plan::task_id;
use crate::store::Inside;

/// The watch over one project's plugins.
pub struct Watch {
    inside: Inside,
    /// As they were before the first call.
    surroundings: OnceLock<Surroundings>,
    /// Whose calls are under way.
    called: Mutex<Vec<String>>,
}

/// What a forge was doing that did not live to see the end of it.
pub struct LeftOver {
    /// The plugin's name.
    pub plugin: String,
    /// `plugin x 1.0.0 ran y`.
    pub words: String,
}

/// The pipes of a run, watched.
pub struct Watched {
    /// Who has them.
    pub plugins: Plugins,
    /// Who watches.
    pub watch: Watch,
}

impl Watch {
    /// Over those of the project in this directory.
    pub fn of_project(directory: &Path) -> Watch {
        Watch { inside: Inside::of_project(directory), surroundings: OnceLock::new(), called: Mutex::default() }
    }

    /// What was under way when an earlier forge ended here. It is told once.
    pub fn left_over(&self) -> Vec<LeftOver> {
        let parsed = |text: &String| {
            let (plugin, words) = text.split_once('\n')?;
            Some(LeftOver { plugin: plugin.to_owned(), words: words.to_owned() })
        };
        self.inside.left_over().iter().filter_map(parsed).collect()
    }

    /// Calls code of a plugin of this name and version. Answers what that has changed of the process, which is put back.
    pub fn over<T>(&self, [name, version]: [&str; 2], act: &str, call: impl FnOnce() -> T) -> (T, Option<Failure>) {
        let surroundings = self.surroundings.get_or_init(Surroundings::now);
        let under_way = self.inside.begin(&format!("{name}\nplugin `{name}` {version} {act}"));
        self.called().push(name.to_owned());
        let answer = call();
        drop(under_way);
        let beside = self.ended(name);
        let failure = surroundings.put_back().map(|what| {
            let failure = Failure::bug(format!("it has changed {what}"))
                .help("leave out `isolation = \"in-process\"`: what lives in a child changes that child alone");
            beside.iter().fold(failure, |failure, other| {
                failure.cause(format!("plugin `{other}` ran beside it, and may have done it"))
            })
        });
        (answer, failure)
    }

    /// Who else is called now.
    fn ended(&self, name: &str) -> Vec<String> {
        let mut called = self.called();
        if let Some(at) = called.iter().position(|it| it == name) {
            called.remove(at);
        }
        let mut others: Vec<String> = called.iter().filter(|it| *it != name).cloned().collect();
        others.sort_unstable();
        others.dedup();
        others
    }

    fn called(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.called.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watched {
    fn call<T>(
        &self,
        pipe: &str,
        act: impl FnOnce() -> String,
        call: impl FnOnce() -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let Some((plugin, _)) = self.plugins.pipe(pipe).filter(|(plugin, _)| is_strange(plugin)) else { return call() };
        match self.watch.over([plugin.name(), plugin.version()], &act(), call) {
            (Ok(_), Some(changed)) => Err(plugin.blamed(changed)),
            (Err(failure), Some(changed)) => Err(failure.cause(changed.message)),
            (answer, None) => answer,
        }
    }
}

/// Whether it is a third party's, and in this process.
fn is_strange(plugin: &Plugin) -> bool {
    plugin.home() == Home::Here && plugin.build() != Some(BUILD_ID)
}

impl Pipes for Watched {
    fn all(&self) -> Vec<&PipeInfo> {
        self.plugins.all()
    }

    fn info(&self, pipe: &str) -> Option<&PipeInfo> {
        self.plugins.info(pipe)
    }

    fn identity(&self, pipe: &str) -> Cow<'_, str> {
        self.plugins.identity(pipe)
    }

    fn takes(&self, request: &Takes) -> Result<TakesReply, Failure> {
        let act = || format!("said what `{}` takes", request.table);
        self.call(&request.table.pipe, act, || Pipes::takes(&self.plugins, request))
    }

    fn plan(&self, request: &Plan, renderer: &dyn Renderer) -> Result<PlanReply, Failure> {
        let act = || format!("planned `{}`", request.table);
        self.call(&request.table.pipe, act, || Pipes::plan(&self.plugins, request, renderer))
    }

    fn run(&self, request: &Run, host: &dyn Host) -> Result<(), Failure> {
        let act = || format!("ran `{}`", task_id(&request.table, &request.step.name));
        self.call(&request.table.pipe, act, || Pipes::run(&self.plugins, request, host))
    }

    fn probe(&self, request: &Probe, host: &dyn Host) -> Result<ProbeReply, Failure> {
        let act = || format!("looked where `{}` puts something", task_id(&request.table, &request.step.name));
        self.call(&request.table.pipe, act, || Pipes::probe(&self.plugins, request, host))
    }

    fn blamed(&self, pipe: &str, failure: Failure) -> Failure {
        self.plugins.blamed(pipe, failure)
    }
}
