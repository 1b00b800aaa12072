//! Tables that are off: they make no steps in this plan. By their own `if`, or because all that they must take from is off.
//! Does not know what any of them would have made: nobody has asked.

use std::fmt;

use forge_schemas::{Expect, Selector, TableName};
use petgraph::Direction;
use petgraph::graph::NodeIndex;
use serde::{Deserialize, Serialize};

use super::ask::Asked;
use super::circle::Waits;
use crate::diagnostic::list;

/// A table that is off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Off {
    /// Which.
    pub table: TableName,
    /// Why.
    pub because: OffBecause,
    /// The tables that would take from it.
    pub wanted_by: Vec<TableName>,
}

/// Why a table is off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum OffBecause {
    /// Its `if` does not hold.
    If,
    /// It must take from these, and they are off.
    Needs(Vec<TableName>),
}

/// What a table must take and does not get, because it is off; found out selector by selector.
pub struct Missed<'a> {
    taker: usize,
    asked: &'a [Asked<'a>],
    /// The tables that would have answered.
    off: Vec<usize>,
    gets_something: bool,
}

impl<'a> Missed<'a> {
    /// Nothing yet, of the table at this place.
    pub fn by(taker: usize, asked: &'a [Asked<'a>]) -> Missed<'a> {
        Missed { taker, asked, off: Vec::new(), gets_something: false }
    }

    /// Notes what answers a selector.
    pub fn note(&mut self, selector: &Selector, found: &[usize]) {
        self.gets_something |= selector.expect == Expect::Some && !found.is_empty();
    }

    /// Whether a selector that nothing answers is as if it were not there: all that could answer are off. Where one of these
    /// is on and does not make it, that is a mistake all the same.
    pub fn falls_away(&mut self, selector: &Selector, candidates: &[usize]) -> bool {
        let mut others = candidates.iter().filter(|it| **it != self.taker).peekable();
        let falls = others.peek().is_some() && others.clone().all(|it| self.asked[*it].off.is_some());
        if falls && selector.expect == Expect::Some {
            self.off.extend(others);
        }
        falls
    }

    /// Why the table is off, where nothing is left of what it must take.
    pub fn because(mut self) -> Option<OffBecause> {
        self.off.sort_unstable();
        self.off.dedup();
        let names = self.off.iter().map(|at| self.asked[*at].table.name.clone()).collect();
        (!self.off.is_empty() && !self.gets_something).then_some(OffBecause::Needs(names))
    }
}

/// The tables that are off, each before those that would take from it.
pub fn all(asked: &[Asked<'_>], rounds: &[Vec<usize>], waits: &Waits) -> Vec<Off> {
    let tell = |at: &usize| {
        let mut takers: Vec<usize> =
            waits.neighbors_directed(NodeIndex::new(*at), Direction::Outgoing).map(NodeIndex::index).collect();
        takers.sort_unstable();
        let wanted_by = takers.into_iter().map(|it| asked[it].table.name.clone()).collect();
        Some(Off { table: asked[*at].table.name.clone(), because: asked[*at].off.clone()?, wanted_by })
    };
    rounds.iter().flatten().filter_map(tell).collect()
}

impl fmt::Display for OffBecause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let OffBecause::Needs(tables) = self else { return f.write_str("its `if` is false") };
        let names: Vec<String> = tables.iter().map(TableName::to_string).collect();
        let are = if names.len() == 1 { "is" } else { "are" };
        write!(f, "it needs {}, which {are} off", list(names.iter().map(String::as_str), " or "))
    }
}

impl fmt::Display for Off {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is off: {}", self.table, self.because)
    }
}
