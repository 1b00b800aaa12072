//! The pipes that a run can ask, behind one door: plan and run know no plugin, only the name of a pipe.
//! Does not know where a pipe's code lies, or in which process.

use forge_plugin::{Host, Renderer};
use forge_schemas::{Failure, PipeInfo, Plan, PlanReply, Run, Takes, TakesReply};

/// Pipes by name.
pub trait Pipes: Sync {
    /// All of them, sorted by name.
    fn all(&self) -> Vec<&PipeInfo>;
    /// One of them.
    fn info(&self, pipe: &str) -> Option<&PipeInfo>;
    /// Which build of its code would run: part of a task's fingerprint.
    fn identity(&self, pipe: &str) -> String;
    /// Which artifacts a table takes.
    fn takes(&self, request: &Takes) -> Result<TakesReply, Failure>;
    /// The steps of a table.
    fn plan(&self, request: &Plan, renderer: &dyn Renderer) -> Result<PlanReply, Failure>;
    /// Does a step. Blocks; to be called on a thread that belongs to no pool.
    fn run(&self, request: &Run, host: &dyn Host) -> Result<(), Failure>;
}
