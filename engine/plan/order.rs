//! An order of a graph in which ties follow the file: a node with a smaller index comes first.
//! petgraph's `toposort` is right as well, but its order changes with the order of the edges.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};

/// Every node after all that lead to it; none when the graph is not acyclic. Not recursive: a chain may be long.
pub fn stable_order<N, E>(graph: &DiGraph<N, E>) -> Option<Vec<NodeIndex>> {
    // Most files name what is taken before what takes it: there the order of the file is the one that is wanted.
    if graph.raw_edges().iter().all(|edge| edge.source() < edge.target()) {
        return Some(graph.node_indices().collect());
    }
    let mut open: Vec<usize> =
        graph.node_indices().map(|id| graph.edges_directed(id, Direction::Incoming).count()).collect();
    let mut ready: BinaryHeap<Reverse<NodeIndex>> =
        graph.node_indices().filter(|id| open[id.index()] == 0).map(Reverse).collect();
    let mut order = Vec::with_capacity(graph.node_count());
    while let Some(Reverse(id)) = ready.pop() {
        order.push(id);
        for next in graph.neighbors_directed(id, Direction::Outgoing) {
            open[next.index()] -= 1;
            if open[next.index()] == 0 {
                ready.push(Reverse(next));
            }
        }
    }
    (order.len() == graph.node_count()).then_some(order)
}
