//! A compiled plan, remembered: parsing and planning ten thousand tables costs more than looking whether they are fresh.
//! Knows no file: the caller keeps the bytes, under a key that says what they were compiled from.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use forge_schemas::{Digest, Facts};
use petgraph::graph::DiGraph;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Need, Off, Plan, Task, TaskId};

/// A plan with what it was compiled from and what goes with it.
#[derive(Debug, Clone)]
pub struct Compiled {
    /// Of all that is known before anything is read but the project file.
    pub key: Digest,
    /// What the environment said to those templates that asked.
    pub environment: BTreeMap<String, Option<String>>,
    /// The texts that tables read to plan, by path; none of those that were not there.
    pub texts: BTreeMap<String, Option<Digest>>,
    /// The engine's own tables, as JSON.
    pub head: String,
    /// The facts.
    pub facts: Facts,
    /// The plan.
    pub plan: Plan,
}

#[derive(Serialize, Deserialize)]
struct Written<'a> {
    key: Digest,
    environment: BTreeMap<String, Option<String>>,
    texts: BTreeMap<String, Option<Digest>>,
    head: Cow<'a, str>,
    facts: Facts,
    /// In bunches, each as bytes of its own: they are read side by side.
    #[serde(borrow)]
    tasks: Vec<&'a [u8]>,
    needs: Vec<(u32, u32, Need)>,
    off: Vec<Off>,
}

/// How many tasks are a bunch.
const BUNCH: usize = 256;

impl Compiled {
    /// As bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let graph = &self.plan.graph;
        let tasks: Vec<&Arc<Task>> = graph.node_weights().collect();
        let bunch = |bunch: &[&Arc<Task>]| postcard::to_stdvec(bunch).unwrap_or_default();
        let bunches: Vec<Vec<u8>> = tasks.chunks(BUNCH).map(bunch).collect();
        let written = Written {
            key: self.key,
            environment: self.environment.clone(),
            texts: self.texts.clone(),
            head: self.head.as_str().into(),
            facts: self.facts.clone(),
            tasks: bunches.iter().map(Vec::as_slice).collect(),
            needs: graph
                .raw_edges()
                .iter()
                .map(|edge| (edge.source().index() as u32, edge.target().index() as u32, edge.weight))
                .collect(),
            off: self.plan.off.clone(),
        };
        postcard::to_stdvec(&written).unwrap_or_default()
    }

    /// From bytes; none when they are not what `to_bytes` wrote.
    pub fn from_bytes(bytes: &[u8]) -> Option<Compiled> {
        let written: Written<'_> = postcard::from_bytes(bytes).ok()?;
        let bunch = |bytes: &&[u8]| postcard::from_bytes::<Vec<Arc<Task>>>(bytes).ok();
        let bunches: Vec<Vec<Arc<Task>>> = written.tasks.par_iter().map(bunch).collect::<Option<_>>()?;
        let mut graph = DiGraph::with_capacity(BUNCH * bunches.len(), written.needs.len());
        for task in bunches.into_iter().flatten() {
            graph.add_node(task);
        }
        let count = graph.node_count() as u32;
        for (from, to, need) in written.needs {
            if from >= count || to >= count {
                return None;
            }
            graph.add_edge(TaskId::new(from as usize), TaskId::new(to as usize), need);
        }
        Some(Compiled {
            key: written.key,
            environment: written.environment,
            texts: written.texts,
            head: written.head.into_owned(),
            facts: written.facts,
            plan: Plan::new(graph).ok()?.with_off(written.off),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::plan::fake::{facts, planned};
    use crate::plan::text;

    fn compiled() -> Compiled {
        let tables =
            "[[x]]\nid = 'a'\nreads = ['a.txt']\n[[y]]\nid = 'b'\ntakes = [{ kinds = ['x'] }]\n[[z]]\nif = false\n";
        let (plan, diagnostics) = planned(tables, &["a.txt"]);
        assert!(diagnostics.is_empty(), "{diagnostics:?}");
        Compiled {
            key: Digest::of(b"key"),
            environment: BTreeMap::from([("A".to_owned(), None)]),
            texts: BTreeMap::new(),
            head: "{}".to_owned(),
            facts: facts(),
            plan,
        }
    }

    #[test]
    fn a_plan_comes_back_as_it_was() {
        let compiled = compiled();
        let again = Compiled::from_bytes(&compiled.to_bytes()).unwrap();
        let text = |plan| text(plan, &BTreeSet::new());
        assert_eq!(text(&again.plan), text(&compiled.plan));
        assert!(again.plan.tasks().eq(compiled.plan.tasks()));
        assert_eq!(again.plan.off().len(), 1);
        assert_eq!(again.plan.off(), compiled.plan.off());
    }

    #[test]
    fn garbage_is_no_plan() {
        let bytes = compiled().to_bytes();
        for length in 0..bytes.len() {
            assert!(Compiled::from_bytes(&bytes[..length]).is_none(), "cut at {length}");
        }
        for at in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 0xff;
            // It may happen to be a plan; it must not panic, nor take all the memory.
            let _ = Compiled::from_bytes(&bytes);
        }
    }
}
