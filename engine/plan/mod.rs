//! The plan: the acyclic graph of tasks, and which of them was asked for.
//! Knows no pipe, and does not know whether a task is fresh or how it runs.

mod ask;
mod circle;
mod compile;
mod goals;
mod link;
mod memory;
mod off;
mod offered;
mod order;
mod placed;
mod render;
mod selection;
mod target;
mod threads;
mod turns;

#[cfg(test)]
pub mod fake;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use forge_schemas::TableName;
use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::{Dfs, Reversed};
use serde::{Deserialize, Serialize};

pub use ask::Reader;
pub use compile::compile;
pub use memory::Compiled;
pub use off::{Off, OffBecause};
pub use placed::{Json, Made, Placed};
pub use render::{dot, json, text};
pub use selection::{Chosen, LeftOut, LeftOutBecause, Reach, Selection, Upstream};
pub use target::{Goals, RELEASE, Target, Targets, UnknownTarget};

/// The id of the task that a step of a table becomes: its table, and its name where it has one.
pub fn task_id(table: &TableName, step: &str) -> String {
    match step {
        "" => table.to_string(),
        name => format!("{table}/{name}"),
    }
}

/// A task, by its place in the plan.
pub type TaskId = NodeIndex<u32>;

/// A step placed in the plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// `docker:image/linux/arm64`.
    pub id: String,
    /// The table that it comes from.
    pub table: TableName,
    /// The names of `[secrets]` that its programs may see, sorted.
    pub secrets: Vec<String>,
    /// The names of those that the pipe may see as well, sorted.
    pub revealed: Vec<String>,
    /// What the pipe asks for.
    pub step: Placed,
}

/// An edge of the plan: why one task waits for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Need {
    /// It takes an artifact of that one: its place in `makes`.
    Takes(u32),
    /// It takes nothing, and comes after it: it reads what that one writes, or the user says so.
    Follows,
}

/// The acyclic graph of tasks. Edges lead from the task that makes to the task that takes.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    graph: DiGraph<Arc<Task>, Need>,
    /// Every task after all that it needs.
    order: Vec<TaskId>,
    /// The tables that are off, each before those that would take from it.
    off: Vec<Off>,
}

impl Plan {
    /// From a graph; the graph again when it is not acyclic. Ties follow the order in which the tasks were added.
    fn new(graph: DiGraph<Arc<Task>, Need>) -> Result<Plan, Box<DiGraph<Arc<Task>, Need>>> {
        match order::stable_order(&graph) {
            Some(order) => Ok(Plan { graph, order, off: Vec::new() }),
            None => Err(Box::new(graph)),
        }
    }

    /// The same, with the tables that are off.
    fn with_off(self, off: Vec<Off>) -> Plan {
        Plan { off, ..self }
    }

    /// The tables that are off, each before those that would take from it.
    pub fn off(&self) -> &[Off] {
        &self.off
    }

    /// How many tasks.
    pub fn len(&self) -> usize {
        self.graph.node_count()
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Every task, in the order of the file.
    pub fn ids(&self) -> impl Iterator<Item = TaskId> + use<> {
        self.graph.node_indices()
    }

    /// Every task after all that it needs.
    pub fn order(&self) -> &[TaskId] {
        &self.order
    }

    /// A task.
    pub fn task(&self, id: TaskId) -> &Task {
        &self.graph[id]
    }

    /// Every task, in the order of the file.
    pub fn tasks(&self) -> impl Iterator<Item = &Task> {
        self.graph.node_weights().map(|task| &**task)
    }

    /// The tasks that must be done before `id`, each once.
    pub fn needs(&self, id: TaskId) -> impl Iterator<Item = TaskId> + '_ {
        self.neighbors(id, Direction::Incoming)
    }

    /// The tasks next to `id`, each once.
    pub fn neighbors(&self, id: TaskId, direction: Direction) -> impl Iterator<Item = TaskId> + '_ {
        let mut next: Vec<TaskId> = self.graph.neighbors_directed(id, direction).collect();
        next.sort_unstable();
        next.dedup();
        next.into_iter()
    }

    /// All tasks that need `id`, directly or not.
    pub fn dependents(&self, id: TaskId) -> Vec<TaskId> {
        let mut found = Vec::new();
        let mut search = Dfs::new(&self.graph, id);
        while let Some(next) = search.next(&self.graph) {
            if next != id {
                found.push(next);
            }
        }
        found.sort_unstable();
        found
    }

    /// Of each task, whether it is one of these or needs one of them, directly or not.
    fn all_dependents(&self, of: impl IntoIterator<Item = TaskId>) -> Vec<bool> {
        let mut found = vec![false; self.len()];
        let mut search = Dfs::empty(&self.graph);
        for id in of {
            search.move_to(id);
            while let Some(next) = search.next(&self.graph) {
                found[next.index()] = true;
            }
        }
        found
    }

    /// Of each task, whether it is one of these or one of them needs it, directly or not.
    pub fn all_needs(&self, of: impl IntoIterator<Item = TaskId>) -> Vec<bool> {
        let reversed = Reversed(&self.graph);
        let mut found = vec![false; self.len()];
        let mut search = Dfs::empty(reversed);
        for id in of {
            search.move_to(id);
            while let Some(next) = search.next(reversed) {
                found[next.index()] = true;
            }
        }
        found
    }

    /// The plan with these tasks and all that they need.
    pub fn with_needs(&self, wanted: impl IntoIterator<Item = TaskId>) -> Plan {
        self.keep(&self.all_needs(wanted))
    }

    fn keep(&self, keep: &[bool]) -> Plan {
        if keep.iter().all(|it| *it) {
            return self.clone();
        }
        let graph = self.graph.filter_map(|id, task| keep[id.index()].then(|| task.clone()), |_, need| Some(*need));
        Plan::new(graph).unwrap_or_default().with_off(self.off.clone())
    }
}

impl Task {
    /// What it declared under this name.
    pub fn output(&self, name: &str) -> Option<&Made> {
        self.step.makes.iter().find(|output| output.name == name)
    }

    /// Whether these are the names of what it declared: of all of it, and of nothing else.
    pub fn makes_names<'n>(&self, names: impl Iterator<Item = &'n str> + Clone) -> bool {
        names.clone().count() == self.step.makes.len()
            && self.step.makes.iter().all(|output| names.clone().any(|name| name == output.name))
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id)
    }
}
