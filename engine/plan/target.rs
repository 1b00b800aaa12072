//! What there is to run, by name: goals, pipes, tables and tasks.
//! Does not know what these need: the plan does.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::{Off, Plan, Task, TaskId};
use crate::diagnostic::did_you_mean;

/// The goal that every table belongs to.
pub const RELEASE: &str = "release";

/// Goals by name, and the names that each stands for.
pub type Goals = BTreeMap<String, Vec<String>>;

/// The names of what there is to run.
#[derive(Debug, Clone, Copy)]
pub struct Targets<'a> {
    plan: &'a Plan,
    goals: &'a Goals,
}

/// A name that nothing to run has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownTarget {
    /// The name.
    pub name: String,
    /// What to write instead.
    pub help: String,
}

/// Something to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its name.
    pub name: String,
    /// How many tasks it is, without those that it needs.
    pub tasks: usize,
}

impl<'a> Targets<'a> {
    /// Those of a plan, and the goals of its project file.
    pub fn of(plan: &'a Plan, goals: &'a Goals) -> Targets<'a> {
        Targets { plan, goals }
    }

    /// All of the plan.
    pub fn plan(&self) -> &'a Plan {
        self.plan
    }

    /// The tasks of these names, or the names that nothing has.
    pub fn find(&self, names: &[String]) -> Result<Vec<TaskId>, Vec<UnknownTarget>> {
        let mut found = Vec::new();
        let mut unknown = Vec::new();
        for name in names {
            let tasks = self.tasks_of(name);
            let is_off = || self.plan.off().iter().any(|off| self.mean([name], off));
            if tasks.is_empty() && name != RELEASE && !self.goals.contains_key(name) && !is_off() {
                unknown.push(UnknownTarget { name: name.clone(), help: suggest(name, &self.names()) });
            }
            found.extend(tasks);
        }
        if unknown.is_empty() { Ok(found) } else { Err(unknown) }
    }

    /// Goals, pipes and tables, sorted.
    pub fn names(&self) -> BTreeSet<String> {
        let tables = self.plan.tasks().map(|task| &task.table).chain(self.plan.off().iter().map(|off| &off.table));
        let tables = tables.flat_map(|table| [table.pipe.clone(), table.to_string()]);
        tables.chain([RELEASE.to_owned()]).chain(self.goals.keys().cloned()).collect()
    }

    /// The goals: what is built in first, then those of the project file by name.
    pub fn goals(&self) -> Vec<Target> {
        let names = [RELEASE].into_iter().chain(self.goals.keys().map(String::as_str));
        names.map(|name| Target { name: name.to_owned(), tasks: self.tasks_of(name).len() }).collect()
    }

    /// The pipes that have tables, by name, and their tables in the order of the file; behind them, those that are off.
    pub fn pipes(&self) -> BTreeMap<&'a str, Vec<Target>> {
        let mut pipes: BTreeMap<&str, Vec<Target>> = BTreeMap::new();
        for task in self.plan.tasks() {
            let tables = pipes.entry(&task.table.pipe).or_default();
            let name = task.table.to_string();
            match tables.iter_mut().rfind(|it| it.name == name) {
                Some(table) => table.tasks += 1,
                None => tables.push(Target { name, tasks: 1 }),
            }
        }
        for off in self.plan.off() {
            pipes.entry(&off.table.pipe).or_default().push(Target { name: off.table.to_string(), tasks: 0 });
        }
        pipes
    }

    /// Whether any of these names means a table that is off, or what would be one of its tasks.
    pub fn mean<'n>(&self, names: impl IntoIterator<Item = &'n String>, off: &Off) -> bool {
        let table = off.table.to_string();
        let is_in = |name: &str| {
            let of_task = name.strip_prefix(&table).is_some_and(|rest| rest.starts_with('/'));
            of_task || name == RELEASE || name == off.table.pipe || name == table
        };
        names.into_iter().any(|name| self.expand(name).into_iter().any(is_in))
    }

    fn tasks_of(&self, name: &str) -> Vec<TaskId> {
        let names = self.expand(name);
        let is_all = names.contains(RELEASE);
        let is_named = |id: &TaskId| is_all || is_in(&names, self.plan.task(*id));
        self.plan.ids().filter(is_named).collect()
    }

    // A name, or those that it stands for. Goals may name goals; a circle of them is a mistake that was told before.
    fn expand<'n>(&'n self, name: &'n str) -> BTreeSet<&'n str> {
        let mut names = BTreeSet::new();
        let mut open = vec![name];
        while let Some(name) = open.pop() {
            if names.insert(name) {
                open.extend(self.goals.get(name).into_iter().flatten().map(String::as_str));
            }
        }
        names
    }
}

/// Help for a name that is none of these. Who leaves the pipe out probably means the table.
pub fn suggest(name: &str, names: &BTreeSet<String>) -> String {
    let help = did_you_mean(name, "there is", names.iter().map(String::as_str));
    let is_table = |it: &&String| it.split_once(':').is_some_and(|(_, table)| table == name);
    match names.iter().find(is_table) {
        Some(table) if !help.starts_with("did") => format!("did you mean `{table}`? {help}"),
        Some(table) => help.replacen("did you mean ", &format!("did you mean `{table}` or "), 1),
        None => help,
    }
}

fn is_in(names: &BTreeSet<&str>, task: &Task) -> bool {
    let table = task.table.to_string();
    [&task.id, &task.table.pipe, &table].into_iter().any(|it| names.contains(it.as_str()))
}

impl fmt::Display for UnknownTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is nothing to run called `{}`", self.name)
    }
}
