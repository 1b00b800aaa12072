//! What was asked for: a goal, a pipe, a table or a task, by name.
//! Does not know what these need: the plan does.

use std::collections::BTreeSet;
use std::fmt;

use super::{Plan, TaskId};
use crate::diagnostic::did_you_mean;

/// The goal that every table belongs to.
pub const RELEASE: &str = "release";

/// The names of what there is to run.
pub struct Targets<'a> {
    plan: &'a Plan,
}

/// A name that nothing to run has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownTarget {
    /// The name.
    pub name: String,
    /// What to write instead.
    pub help: String,
}

impl<'a> Targets<'a> {
    /// Those of a plan.
    pub fn of(plan: &'a Plan) -> Targets<'a> {
        Targets { plan }
    }

    /// The tasks of these names, or the names that nothing has.
    pub fn find(&self, names: &[String]) -> Result<Vec<TaskId>, Vec<UnknownTarget>> {
        let mut found = Vec::new();
        let mut unknown = Vec::new();
        for name in names {
            let tasks: Vec<TaskId> = self.plan.ids().filter(|id| self.is_named(*id, name)).collect();
            if tasks.is_empty() && name != RELEASE {
                let help = did_you_mean(name, "there is", self.names().iter().map(String::as_str));
                unknown.push(UnknownTarget { name: name.clone(), help });
            }
            found.extend(tasks);
        }
        if unknown.is_empty() { Ok(found) } else { Err(unknown) }
    }

    /// Goals, pipes and tables, sorted.
    pub fn names(&self) -> BTreeSet<String> {
        let tables = self.plan.tasks().flat_map(|task| [task.table.pipe.clone(), task.table.to_string()]);
        tables.chain([RELEASE.to_owned()]).collect()
    }

    fn is_named(&self, id: TaskId, name: &str) -> bool {
        let task = self.plan.task(id);
        name == RELEASE
            || name == task.id
            || name == task.table.pipe
            || name.split_once(':').is_some_and(|(pipe, id)| pipe == task.table.pipe && id == task.table.id)
    }
}

impl fmt::Display for UnknownTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is nothing to run called `{}`", self.name)
    }
}
