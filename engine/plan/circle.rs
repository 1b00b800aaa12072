//! The order of tables: each after those that it may take from. Tables that wait for each other are told as a circle.
//! Does not know offers: whether a table makes what another takes is seen later, artifact by artifact.

use std::collections::HashMap;

use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use super::ask::Asked;
use super::order::stable_order;
use crate::diagnostic::Diagnostic;
use crate::pipes::Pipes;
use crate::project::Project;

/// Which table may take from which. Nodes are tables in the order of the file, edges lead to the taker and carry its selector.
pub type Waits = DiGraph<(), usize>;

/// Tables by what they could make.
pub struct Makers<'a> {
    by_kind: HashMap<&'a str, Vec<usize>>,
    by_id: HashMap<&'a str, Vec<usize>>,
    kinds: Vec<Vec<&'a str>>,
}

impl<'a> Makers<'a> {
    /// An index over these tables.
    pub fn of(asked: &[Asked<'a>], pipes: &'a dyn Pipes) -> Makers<'a> {
        let mut makers = Makers { by_kind: HashMap::new(), by_id: HashMap::new(), kinds: Vec::new() };
        for (at, asked) in asked.iter().enumerate() {
            let name = &asked.table.name;
            let is_made = |kind: &&str| asked.makes.as_ref().is_none_or(|made| made.iter().any(|it| it == kind));
            let kinds = pipes.info(&name.pipe).into_iter().flat_map(|info| &info.makes);
            let kinds: Vec<&str> = kinds.map(|kind| kind.name.as_str()).filter(is_made).collect();
            for kind in &kinds {
                makers.by_kind.entry(kind).or_default().push(at);
            }
            makers.by_id.entry(&name.id).or_default().push(at);
            makers.kinds.push(kinds);
        }
        makers
    }

    /// The tables that could answer a selector, in the order of the file.
    pub fn of_selector(&self, selector: &forge_schemas::Selector) -> Vec<usize> {
        let mut found: Vec<usize> = match selector.tables.as_slice() {
            [] if selector.kinds.is_empty() => (0..self.kinds.len()).collect(),
            [] => lists(&self.by_kind, &selector.kinds),
            ids => lists(&self.by_id, ids),
        };
        let makes = |at: &usize| {
            selector.kinds.is_empty() || self.kinds[*at].iter().any(|it| selector.kinds.iter().any(|kind| kind == it))
        };
        found.retain(makes);
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The tables that make a kind.
    pub fn of_kinds(&self, kinds: &[String]) -> Vec<usize> {
        lists(&self.by_kind, kinds)
    }
}

fn lists(index: &HashMap<&str, Vec<usize>>, keys: &[String]) -> Vec<usize> {
    keys.iter().filter_map(|key| index.get(key.as_str())).flatten().copied().collect()
}

/// Which table may take from which.
pub fn waits(asked: &[Asked<'_>], makers: &Makers<'_>) -> Waits {
    let mut waits = Waits::with_capacity(asked.len(), asked.len());
    for _ in asked {
        waits.add_node(());
    }
    for (taker, asked) in asked.iter().enumerate() {
        for (number, selector) in asked.selectors.iter().enumerate() {
            for maker in makers.of_selector(selector).into_iter().filter(|maker| *maker != taker) {
                waits.update_edge(NodeIndex::new(maker), NodeIndex::new(taker), number);
            }
        }
    }
    waits
}

/// The tables in rounds: those of a round take from earlier ones alone. Or every circle, told.
pub fn rounds(project: &Project, asked: &[Asked<'_>], waits: &Waits) -> Result<Vec<Vec<usize>>, Vec<Diagnostic>> {
    let Some(order) = stable_order(waits) else {
        let circles = kosaraju_scc(waits).into_iter().filter(|tables| tables.len() > 1);
        return Err(circles.map(|tables| tell(project, asked, waits, &tables)).collect());
    };
    let mut depth = vec![0; asked.len()];
    let mut rounds: Vec<Vec<usize>> = Vec::new();
    for id in order {
        let before = waits.neighbors_directed(id, petgraph::Direction::Incoming);
        let at = before.map(|it| depth[it.index()] + 1).max().unwrap_or(0);
        depth[id.index()] = at;
        if rounds.len() <= at {
            rounds.resize(at + 1, Vec::new());
        }
        rounds[at].push(id.index());
    }
    Ok(rounds)
}

fn tell(project: &Project, asked: &[Asked<'_>], waits: &Waits, tables: &[NodeIndex]) -> Diagnostic {
    let circle = walk(waits, tables);
    let names: Vec<String> = circle.iter().map(|it| format!("`{}`", asked[it.index()].table.name)).collect();
    let mut diagnostic = Diagnostic::error("these tables wait for each other");
    for (at, taker) in circle.iter().enumerate() {
        let maker = circle[(at + 1) % circle.len()];
        let number = waits.find_edge(maker, *taker).map_or(0, |edge| waits[edge]);
        let table = asked[taker.index()].table;
        let key = asked[taker.index()].selectors.get(number).map_or("", |selector| selector.key.as_str());
        let said = format!("`{}` takes from `{}`", table.name, asked[maker.index()].table.name);
        diagnostic = diagnostic.label(&project.source, table.places.find(key).value, said);
    }
    let around = names.iter().chain(names.first()).cloned().collect::<Vec<_>>().join(" waits for ");
    diagnostic.help(format!("{around}: break the circle at one of these places"))
}

// From each table back to one that it waits for, until one comes again. All of these tables lie on circles.
pub(super) fn walk(waits: &Waits, tables: &[NodeIndex]) -> Vec<NodeIndex> {
    let mut path: Vec<NodeIndex> = Vec::new();
    let mut here = tables.iter().min().copied();
    while let Some(id) = here {
        if let Some(start) = path.iter().position(|it| *it == id) {
            return path.split_off(start);
        }
        path.push(id);
        let before = waits.neighbors_directed(id, petgraph::Direction::Incoming);
        here = before.filter(|it| tables.contains(it)).min();
    }
    path
}
