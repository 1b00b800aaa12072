//! Whether the goals of the project file can be: what each may be called, whether all that it names is there, and circles.
//! Does not know what a goal is for.

use petgraph::algo::kosaraju_scc;
use petgraph::graph::NodeIndex;

use super::circle::{Waits, walk};
use super::target::{Goals, RELEASE, Targets, suggest};
use super::{Plan, TaskId};
use crate::diagnostic::Diagnostic;
use crate::pipes::Pipes;
use crate::project::{Places, Project, Soundness};

/// All that is wrong with the goals of a project. `plan` is its plan: of a broken one, what it misses is not told.
pub fn check(project: &Project, pipes: &dyn Pipes, plan: &Plan, soundness: Soundness) -> Vec<Diagnostic> {
    let goals = &project.head.goals;
    let Some(places) = &project.goals else { return Vec::new() };
    let checking = Checking { project, pipes, plan, soundness, goals, places };
    let mut diagnostics: Vec<Diagnostic> = goals.keys().filter_map(|name| checking.name(name)).collect();
    diagnostics.extend(goals.iter().flat_map(|(name, names)| checking.names(name, names)));
    diagnostics.extend(checking.circles());
    diagnostics
}

struct Checking<'a> {
    project: &'a Project,
    pipes: &'a dyn Pipes,
    plan: &'a Plan,
    soundness: Soundness,
    goals: &'a Goals,
    places: &'a Places,
}

impl Checking<'_> {
    /// What is wrong with what a goal is called.
    fn name(&self, name: &str) -> Option<Diagnostic> {
        let is_word =
            |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        let (why, help) = match name {
            RELEASE => ("it is built in, and stands for every table", "give it another name"),
            _ if self.pipes.info(name).is_some() => ("a pipe is called so", "give it another name"),
            _ if !is_word(name) => ("that is no name", "names are made of letters, digits, `-`, `_` and `.`"),
            _ => return None,
        };
        let place = self.places.find(&quoted(name)).key;
        let message = format!("a goal can not be called `{name}`: {why}");
        Some(Diagnostic::error(message).at(&self.project.source, place).help(help))
    }

    /// What is wrong with what a goal names.
    fn names(&self, goal: &str, names: &[String]) -> Vec<Diagnostic> {
        if names.is_empty() {
            let diagnostic = Diagnostic::error(format!("the goal `{goal}` stands for nothing"));
            let place = self.places.find(&quoted(goal)).value;
            let help = "name what it stands for: pipes, tables, tasks or other goals";
            return vec![diagnostic.at(&self.project.source, place).help(help)];
        }
        let unknown = names.iter().enumerate().filter(|(_, name)| !self.is_known(name));
        let tell = |(at, name): (usize, &String)| {
            let mut known = Targets::of(self.plan, self.goals).names();
            known.extend(self.project.tables.iter().map(|table| table.name.to_string()));
            Diagnostic::error(format!("there is nothing to run called `{name}`"))
                .at(&self.project.source, self.item(goal, at))
                .help(suggest(name, &known))
        };
        unknown.map(tell).collect()
    }

    fn is_known(&self, name: &str) -> bool {
        let has_table = |name: &str| {
            let tables = self.project.tables.iter().map(|table| &table.name);
            tables.into_iter().any(|table| table.pipe == name || table.to_string() == name)
        };
        let is_task = |id: TaskId| self.plan.task(id).id == name;
        let may_be_task = || {
            let table = name.split_once('/').map_or(name, |(table, _)| table);
            // Which tasks a table that is off would have is not known either.
            let is_off = || self.plan.off().iter().any(|off| off.table.to_string() == table);
            self.plan.ids().any(is_task) || is_off() || (self.soundness == Soundness::Broken && has_table(table))
        };
        // What a table that is missing from the project would be called is not known: one mistake is told once.
        self.project.soundness == Soundness::Broken
            || name == RELEASE
            || self.goals.contains_key(name)
            || has_table(name)
            || may_be_task()
    }

    /// Every circle of goals, told around. A goal that is called like something else is not in any.
    fn circles(&self) -> Vec<Diagnostic> {
        let goals: Vec<(&String, &Vec<String>)> =
            self.goals.iter().filter(|(name, _)| self.name(name).is_none()).collect();
        let names: Vec<&String> = goals.iter().map(|(name, _)| *name).collect();
        let mut waits = Waits::new();
        for _ in &goals {
            waits.add_node(());
        }
        for (goal, (_, named)) in goals.iter().enumerate() {
            for (at, name) in named.iter().enumerate() {
                if let Ok(other) = names.binary_search(&name) {
                    waits.update_edge(NodeIndex::new(other), NodeIndex::new(goal), at);
                }
            }
        }
        let is_circle = |goals: &Vec<NodeIndex>| goals.len() > 1 || waits.contains_edge(goals[0], goals[0]);
        kosaraju_scc(&waits).iter().filter(|it| is_circle(it)).map(|it| self.tell(&names, &waits, it)).collect()
    }

    fn tell(&self, names: &[&String], waits: &Waits, goals: &[NodeIndex]) -> Diagnostic {
        let circle = walk(waits, goals);
        if let [goal] = circle.as_slice() {
            let name = names[goal.index()];
            let item = waits.find_edge(*goal, *goal).map_or(0, |edge| waits[edge]);
            return Diagnostic::error(format!("the goal `{name}` names itself"))
                .at(&self.project.source, self.item(name, item))
                .help("leave it out here");
        }
        let mut diagnostic = Diagnostic::error("these goals name each other");
        for (at, goal) in circle.iter().enumerate() {
            let named = circle[(at + 1) % circle.len()];
            let item = waits.find_edge(named, *goal).map_or(0, |edge| waits[edge]);
            let said = format!("`{}` names `{}`", names[goal.index()], names[named.index()]);
            diagnostic = diagnostic.label(&self.project.source, self.item(names[goal.index()], item), said);
        }
        let around = circle.iter().chain(circle.first()).map(|it| format!("`{}`", names[it.index()]));
        let around = around.collect::<Vec<_>>().join(" names ");
        diagnostic.help(format!("{around}: break the circle at one of these places"))
    }

    fn item(&self, goal: &str, at: usize) -> crate::source::Span {
        self.places.find(&format!("{}[{at}]", quoted(goal))).value
    }
}

/// A goal's name as the start of a key path.
fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}
