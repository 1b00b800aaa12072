//! The pipes that a run can ask, behind one door: plan and run know no plugin, only the name of a pipe.
//! Does not know where a pipe's code lies, or in which process.

use std::borrow::Cow;

use forge_plugin::{BUILD_ID, Host, Plugin, Plugins, Renderer};
use forge_schemas::{Failure, PipeInfo, Plan, PlanReply, Probe, ProbeReply, Run, Takes, TakesReply};

/// The stack of a thread that calls a pipe, in bytes.
pub const STACK: usize = 8 << 20;

/// Pipes by name.
pub trait Pipes: Sync {
    /// All of them, sorted by name.
    fn all(&self) -> Vec<&PipeInfo>;
    /// One of them.
    fn info(&self, pipe: &str) -> Option<&PipeInfo>;
    /// Which build of its code would run: part of a task's fingerprint.
    fn identity(&self, pipe: &str) -> Cow<'_, str>;
    /// Which artifacts a table takes.
    fn takes(&self, request: &Takes) -> Result<TakesReply, Failure>;
    /// The steps of a table.
    fn plan(&self, request: &Plan, renderer: &dyn Renderer) -> Result<PlanReply, Failure>;
    /// Does a step. Blocks; to be called on a thread that belongs to no pool.
    fn run(&self, request: &Run, host: &dyn Host) -> Result<(), Failure>;
    /// What lies now where a step would put something. Blocks, as `run` does.
    fn probe(&self, _request: &Probe, _host: &dyn Host) -> Result<ProbeReply, Failure> {
        Ok(ProbeReply::default())
    }
    /// A failure of a pipe that did not do what it had declared, so that the user knows whose it is.
    fn blamed(&self, _pipe: &str, failure: Failure) -> Failure {
        failure
    }
}

impl Pipes for Plugins {
    fn all(&self) -> Vec<&PipeInfo> {
        self.pipes().map(|(_, info)| info).collect()
    }

    fn info(&self, pipe: &str) -> Option<&PipeInfo> {
        self.pipe(pipe).map(|(_, info)| info)
    }

    fn identity(&self, pipe: &str) -> Cow<'_, str> {
        match self.pipe(pipe) {
            // The same sources make the same artifacts, linked in or loaded.
            Some((plugin, _)) if plugin.build() == Some(BUILD_ID) => BUILD_ID.into(),
            Some((plugin, _)) => plugin.digest().map(|it| it.to_string()).unwrap_or_default().into(),
            None => "".into(),
        }
    }

    fn takes(&self, request: &Takes) -> Result<TakesReply, Failure> {
        plugin(self, &request.table.pipe)?.takes(request)
    }

    fn plan(&self, request: &Plan, renderer: &dyn Renderer) -> Result<PlanReply, Failure> {
        plugin(self, &request.table.pipe)?.plan(request, renderer)
    }

    fn run(&self, request: &Run, host: &dyn Host) -> Result<(), Failure> {
        plugin(self, &request.table.pipe)?.run(request, host)
    }

    fn probe(&self, request: &Probe, host: &dyn Host) -> Result<ProbeReply, Failure> {
        plugin(self, &request.table.pipe)?.probe(request, host)
    }

    fn blamed(&self, pipe: &str, failure: Failure) -> Failure {
        match self.pipe(pipe) {
            Some((plugin, _)) => plugin.blamed(failure),
            None => failure,
        }
    }
}

fn plugin<'a>(plugins: &'a Plugins, pipe: &str) -> Result<&'a Plugin, Failure> {
    plugins.pipe(pipe).map(|(plugin, _)| plugin).ok_or_else(|| Failure::bug(format!("there is no pipe `{pipe}`")))
}
