//! Links what tables take to what tables make: offers answer selectors, steps become tasks, needs become edges.
//! Does not ask pipes anything any more.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Component, Path};
use std::sync::Arc;

use forge_schemas::{Expect, Offer, Problem, Read, SecretNeed, SecretReader, Selector, Step, TableName};
use petgraph::graph::DiGraph;
use rayon::prelude::*;

use super::ask::{Asked, Reader};
use super::circle::Makers;
use super::turns::{Turns, reads_of};
use super::{Need, Placed, Plan, Task, TaskId, task_id};
use crate::diagnostic::{Diagnostic, did_you_mean, list};
use crate::pipes::Pipes;
use crate::project::{Project, Soundness, Table, diagnostic};

const RELATIVE: &str = "paths are relative to the project file";

/// All that tables have declared so far.
#[derive(Default)]
pub struct Offers {
    all: Vec<Offer>,
    by_kind: HashMap<String, Vec<usize>>,
    by_table: HashMap<String, Vec<usize>>,
    /// What another table has made something in place of, by name, and which table that is.
    replaced: HashMap<String, TableName>,
}

impl Offers {
    /// More of them.
    pub fn add(&mut self, offers: impl IntoIterator<Item = Offer>) {
        for offer in offers {
            let at = self.all.len();
            self.by_kind.entry(offer.kind.clone()).or_default().push(at);
            self.by_table.entry(offer.table.id.clone()).or_default().push(at);
            self.all.push(offer);
        }
    }

    /// What `table` makes takes the place of these, for all but itself.
    pub fn replace(&mut self, names: impl IntoIterator<Item = String>, table: &TableName) {
        self.replaced.extend(names.into_iter().map(|name| (name, table.clone())));
    }

    /// Those that answer a selector of `taker`, by their place.
    pub fn answer(&self, selector: &Selector, taker: &TableName) -> Vec<usize> {
        let found: Vec<usize> = match (selector.tables.as_slice(), selector.kinds.as_slice()) {
            ([], []) => (0..self.all.len()).collect(),
            ([], kinds) => kinds.iter().filter_map(|it| self.by_kind.get(it)).flatten().copied().collect(),
            (tables, _) => tables.iter().filter_map(|it| self.by_table.get(it)).flatten().copied().collect(),
        };
        // Who names a table wants what that makes, whatever became of it.
        let is_hidden = |offer: &Offer| {
            let by = if selector.tables.is_empty() { self.replaced.get(&offer.name) } else { None };
            by.is_some_and(|by| by != taker)
        };
        let is_answer = |offer: &Offer| selector.accepts(offer) && !is_hidden(offer);
        found.into_iter().filter(|at| is_answer(&self.all[*at])).collect()
    }

    /// The names that a selector could have named.
    fn names_of(&self, selector: &Selector, taker: &TableName) -> Vec<&str> {
        let unnamed = Selector { names: Vec::new(), ..selector.clone() };
        self.answer(&unnamed, taker).into_iter().map(|at| self.all[at].name.as_str()).collect()
    }

    /// Copies of those at these places.
    pub fn get(&self, places: &[usize]) -> Vec<Offer> {
        places.iter().map(|at| self.all[*at].clone()).collect()
    }
}

/// What to say of a selector that nothing answers; nothing where that is no mistake.
pub fn unanswered(
    project: &Project,
    asked: &[Asked<'_>],
    taker: &Table,
    selector: &Selector,
    makers: &Makers<'_>,
    offers: &Offers,
    pipes: &dyn Pipes,
) -> Option<Diagnostic> {
    if selector.expect == Expect::Any {
        return None;
    }
    let place = taker.places.find(&selector.key).value;
    let mut candidates = makers.of_selector(selector);
    let is_own = |at: &usize| asked[*at].table.name == taker.name;
    if !selector.tables.is_empty() && !candidates.is_empty() && candidates.iter().all(is_own) {
        let message = format!("`{}` can't take what it makes itself", taker.name);
        let help = "name another table, or leave it out here";
        return Some(Diagnostic::error(message).at(&project.source, place).help(help));
    }
    candidates.retain(|at| !is_own(at));
    let message = format!("nothing makes what this takes: {}", in_words(selector));
    let mut diagnostic = Diagnostic::error(message).at(&project.source, place);
    // Which of them would make what is called so is not known; of one that is off, it may well be.
    let told = candidates.iter().filter(|at| selector.names.is_empty() || asked[**at].off.is_some());
    for at in told.take(3) {
        let table = asked[*at].table;
        let words = match &asked[*at].off {
            Some(because) => format!("`{}` is off: {because}", table.name),
            None => makes_in_words(table, selector, offers),
        };
        diagnostic = diagnostic.label(&project.source, table.header, words);
    }
    let help = match selector.names.first() {
        Some(name) => did_you_mean(name, "there is", offers.names_of(selector, &taker.name)),
        None => help(asked, taker, selector, makers, &candidates, pipes),
    };
    Some(diagnostic.help(help))
}

fn in_words(selector: &Selector) -> String {
    let mut words = match selector.kinds.as_slice() {
        [] => "an artifact".to_owned(),
        kinds => list(kinds.iter().map(String::as_str), " or "),
    };
    if !selector.names.is_empty() {
        words += &format!(" called {}", list(selector.names.iter().map(String::as_str), " or "));
    }
    if !selector.platforms.is_empty() {
        let platforms: Vec<String> = selector.platforms.iter().map(ToString::to_string).collect();
        words += &format!(" for {}", platforms.join(" or "));
    }
    if !selector.tables.is_empty() {
        words += &format!(" of the table {}", list(selector.tables.iter().map(String::as_str), " or "));
    }
    words
}

fn makes_in_words(table: &Table, selector: &Selector, offers: &Offers) -> String {
    let own = Selector { tables: vec![table.name.id.clone()], kinds: selector.kinds.clone(), ..Selector::default() };
    let made =
        offers.answer(&own, &table.name).into_iter().map(|at| &offers.all[at]).filter(|it| it.table == table.name);
    let platforms: Vec<String> = made.filter_map(|it| it.platform.as_ref()).map(ToString::to_string).collect();
    match platforms.as_slice() {
        [] => format!("`{}` does not make it", table.name),
        platforms => format!("`{}` makes it for {} only", table.name, platforms.join(", ")),
    }
}

fn help(
    asked: &[Asked<'_>],
    taker: &Table,
    selector: &Selector,
    makers: &Makers<'_>,
    candidates: &[usize],
    pipes: &dyn Pipes,
) -> String {
    if let Some(at) = candidates.iter().find(|at| asked[**at].off.is_none()) {
        return format!("let `{}` make it too, or leave it out here", asked[*at].table.name);
    }
    let others = makers.of_kinds(&selector.kinds).into_iter().map(|at| &asked[at].table.name);
    let ids: Vec<&str> = others.filter(|it| **it != taker.name).map(|it| it.id.as_str()).collect();
    match (selector.tables.first(), ids.is_empty()) {
        (Some(wanted), false) => did_you_mean(wanted, "tables that make such are", ids),
        _ => {
            let all = pipes.all();
            let can = all.iter().filter(|pipe| pipe.makes.iter().any(|kind| selector.kinds.contains(&kind.name)));
            let can: Vec<&str> = can.map(|it| it.name.as_str()).collect();
            match (selector.kinds.first(), can.is_empty()) {
                (Some(kind), true) => {
                    let kinds = all.iter().flat_map(|pipe| &pipe.makes).map(|it| it.name.as_str());
                    did_you_mean(kind, "the kinds are", kinds)
                }
                _ => format!("add a table that makes it; pipes that can: {}", list(can, ", ")),
            }
        }
    }
}

/// Steps become tasks, and what they take becomes edges.
pub fn link(
    project: &Project,
    asked: &[Asked<'_>],
    steps: Vec<Vec<Step>>,
    offers: &Offers,
    pipes: &dyn Pipes,
    reader: &dyn Reader,
) -> (Plan, Vec<Diagnostic>) {
    let mut linking = Linking {
        project,
        asked,
        graph: DiGraph::new(),
        origin: Vec::new(),
        makers: BTreeMap::new(),
        diagnostics: Vec::new(),
    };
    for (at, steps) in steps.into_iter().enumerate() {
        linking.place(at, steps, pipes);
    }
    linking.check_reads(reader);
    linking.draw(offers);
    let Linking { mut graph, mut diagnostics, origin, .. } = linking;
    let turns = Turns { project, asked, origin: &origin };
    diagnostics.extend(turns.draw(&mut graph));
    match Plan::new(graph) {
        Ok(plan) => (plan, diagnostics),
        Err(graph) => {
            diagnostics.extend(turns.circles(&graph));
            (Plan::default(), diagnostics)
        }
    }
}

struct Linking<'a> {
    project: &'a Project,
    asked: &'a [Asked<'a>],
    graph: DiGraph<Arc<Task>, Need>,
    /// The table of each task.
    origin: Vec<usize>,
    /// Who makes the artifact of a name, and which of its outputs it is.
    makers: BTreeMap<String, (TaskId, u32)>,
    diagnostics: Vec<Diagnostic>,
}

impl Linking<'_> {
    fn place(&mut self, at: usize, steps: Vec<Step>, pipes: &dyn Pipes) {
        let table = self.asked[at].table;
        self.check_secrets(at, &steps);
        let mut names = HashSet::new();
        for step in steps {
            if !names.insert(step.name.clone()) {
                self.bug(at, &format!("it planned two steps called `{}`", step.name));
                continue;
            }
            let id = task_id(&table.name, &step.name);
            let (secrets, revealed) = (table.secrets.clone(), table.revealed.clone());
            let task = Task { id, table: table.name.clone(), secrets, revealed, step: Placed::from(step) };
            let task = self.graph.add_node(Arc::new(task));
            self.origin.push(at);
            self.declare(at, task, pipes);
        }
    }

    /// What a step can't do without must be granted to its table, and revealed where its pipe itself reads it.
    fn check_secrets(&mut self, at: usize, steps: &[Step]) {
        let Asked { table, sources, .. } = &self.asked[at];
        let needs: BTreeMap<&str, &SecretNeed> =
            steps.iter().flat_map(|step| &step.secrets).map(|need| (need.name.as_str(), need)).collect();
        for (name, SecretNeed { place, reader, .. }) in needs {
            let is_in = |names: &[String]| names.iter().any(|it| it == name);
            let reveal = if *reader == SecretReader::Pipe { " and `reveal = true`" } else { "" };
            let (message, help) = match is_in(&table.secrets) {
                true if reveal.is_empty() || is_in(&table.revealed) => continue,
                true => ("does not reveal to its pipe", "write `reveal = true` in its table".to_owned()),
                false => ("is not granted", format!("write `secrets = [\"{name}\"]`{reveal} in its table")),
            };
            let message = format!("`{}` {message} the secret `{name}`", table.name);
            let problem = Problem { place: place.clone(), message, help: Some(help) };
            self.diagnostics.push(diagnostic(problem, table, &self.project.source, sources));
        }
    }

    fn declare(&mut self, at: usize, task: TaskId, pipes: &dyn Pipes) {
        let makes = self.graph[task].step.makes.clone();
        for (number, output) in makes.into_iter().enumerate() {
            let info = pipes.info(&self.asked[at].table.name.pipe);
            if !info.is_some_and(|info| info.makes.iter().any(|kind| kind.name == output.kind)) {
                self.bug(at, &format!("it makes a `{}`, which it has not described", output.kind));
            }
            if !is_inside(&output.name) {
                self.bug(at, &format!("an artifact can't be called `{}`", output.name));
            }
            match self.makers.get(&output.name) {
                Some((other, _)) => self.same_name(*other, task, &output.name),
                None => drop(self.makers.insert(output.name, (task, number as u32))),
            }
        }
    }

    fn same_name(&mut self, first: TaskId, second: TaskId, name: &str) {
        let message = format!("two artifacts would be called `{name}`");
        let again = Problem { place: self.graph[second].step.place.clone(), message, help: None };
        let place = self.graph[first].step.place.clone();
        let here = self.diagnostic(second, again);
        let there = self.diagnostic(first, Problem { place, message: String::new(), help: None });
        let said = format!("`{}` makes it here", self.graph[first].id);
        let mut told = here.help("give one of the tables another `id`, or what it makes another name");
        told.labels
            .extend(there.labels.into_iter().map(|label| crate::diagnostic::Label { text: said.clone(), ..label }));
        self.diagnostics.push(told);
    }

    fn check_reads(&mut self, reader: &dyn Reader) {
        let mut asked: BTreeMap<(&str, &[String]), (TaskId, &Read)> = BTreeMap::new();
        let writers: Vec<&Arc<Task>> = self.graph.node_weights().filter(|it| !it.step.writes.is_empty()).collect();
        for id in self.graph.node_indices() {
            // What a task writes is there when it is read.
            let is_asked = |it: &&Read| it.presence.is_required() && !writers.iter().any(|task| reads_of(it, task));
            for read in self.graph[id].step.reads.iter().filter(is_asked) {
                asked.entry((&read.path, &read.except)).or_insert((id, read));
            }
        }
        let asked: Vec<_> = asked.into_iter().collect();
        let missing: Vec<(TaskId, Problem)> = asked
            .into_par_iter()
            .filter_map(|((path, except), (id, read))| {
                let all = Read { except: Vec::new(), ..read.clone() };
                let (message, help) = match reader.names_any(read) {
                    Ok(true) => return None,
                    Ok(false) if !except.is_empty() && reader.names_any(&all) == Ok(true) => {
                        (format!("`{path}` is there, and all of it is left out"), String::new())
                    }
                    Ok(false) => (format!("there is no file `{path}`"), RELATIVE.to_owned()),
                    Err(why) => (format!("can't read `{path}`: {why}"), RELATIVE.to_owned()),
                };
                let help = Some(help).filter(|it| !it.is_empty());
                Some((id, Problem { place: read.place.clone(), message, help }))
            })
            .collect();
        for (id, problem) in missing {
            let told = self.diagnostic(id, problem);
            self.diagnostics.push(told);
        }
    }

    fn draw(&mut self, offers: &Offers) {
        for id in self.graph.node_indices() {
            let at = self.origin[id.index()];
            if self.graph[id].step.takes.is_empty() {
                continue;
            }
            let chosen: HashSet<&str> = self.asked[at]
                .selectors
                .iter()
                .flat_map(|selector| offers.answer(selector, &self.asked[at].table.name))
                .map(|place| offers.all[place].name.as_str())
                .collect();
            let takes = self.graph[id].step.takes.clone();
            for name in takes {
                match self.makers.get(&name).copied() {
                    Some((maker, output)) if self.origin[maker.index()] == at || chosen.contains(name.as_str()) => {
                        self.graph.add_edge(maker, id, Need::Takes(output));
                    }
                    _ => self.bug(at, &format!("it takes `{name}`, which none of its selectors chose")),
                }
            }
        }
    }

    fn diagnostic(&self, task: TaskId, problem: Problem) -> Diagnostic {
        let asked = &self.asked[self.origin[task.index()]];
        diagnostic(problem, asked.table, &self.project.source, &asked.sources)
    }

    fn bug(&mut self, at: usize, what: &str) {
        let asked = &self.asked[at];
        debug_assert_eq!(asked.state, Soundness::Sound, "a broken table has no steps");
        let message = format!("a bug in the pipe `{}`: {what}", asked.table.name.pipe);
        self.diagnostics.push(Diagnostic::error(message).at(&self.project.source, asked.table.header));
    }
}

fn is_inside(name: &str) -> bool {
    let taken = ["artifacts.json", "metadata.json"];
    !name.is_empty()
        && !taken.contains(&name)
        && Path::new(name).components().all(|part| matches!(part, Component::Normal(_)))
}
