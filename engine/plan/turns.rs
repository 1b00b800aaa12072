//! Who follows whom without taking anything: what reads files that another task writes, and what `before` and `after` say.
//! Does not know what is taken: that is linked before.

use std::path::Path;
use std::sync::Arc;

use forge_plugin::sources::{Except, fixed, meet};
use forge_schemas::{Effect, Read, TableName};
use petgraph::algo::kosaraju_scc;
use petgraph::graph::DiGraph;

use super::ask::Asked;
use super::{Need, Task, TaskId};
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::project::{Neighbour, Project};

/// Tasks, and the table that each comes from.
pub struct Turns<'a> {
    /// The project.
    pub project: &'a Project,
    /// Its tables.
    pub asked: &'a [Asked<'a>],
    /// The table of each task.
    pub origin: &'a [usize],
}

impl Turns<'_> {
    /// Draws the edges; what is wrong.
    pub fn draw(&self, graph: &mut DiGraph<Arc<Task>, Need>) -> Vec<Diagnostic> {
        self.draw_writers(graph);
        let mut diagnostics = Vec::new();
        for (at, asked) in self.asked.iter().enumerate() {
            let turn = &asked.table.turn;
            for (neighbour, order) in
                turn.before.iter().map(|it| (it, Order::Before)).chain(turn.after.iter().map(|it| (it, Order::After)))
            {
                diagnostics.extend(self.draw_neighbour(at, neighbour, order, graph));
            }
        }
        diagnostics
    }

    fn draw_writers(&self, graph: &mut DiGraph<Arc<Task>, Need>) {
        let writers: Vec<TaskId> = graph.node_indices().filter(|id| !graph[*id].step.writes.is_empty()).collect();
        for writer in writers {
            let written = graph[writer].clone();
            let is_reader =
                |id: &TaskId| *id != writer && graph[*id].step.reads.iter().any(|it| reads_of(it, &written));
            let readers: Vec<TaskId> = graph.node_indices().filter(is_reader).collect();
            for reader in readers {
                graph.add_edge(writer, reader, Need::Follows);
            }
        }
    }

    fn draw_neighbour(
        &self,
        at: usize,
        neighbour: &Neighbour,
        order: Order,
        graph: &mut DiGraph<Arc<Task>, Need>,
    ) -> Option<Diagnostic> {
        let own = &self.asked[at].table.name;
        let told = |message: String| Diagnostic::error(message).at(&self.project.source, neighbour.span);
        if !self.asked.iter().any(|it| is_called(&it.table.name, &neighbour.name)) {
            let names = self.asked.iter().flat_map(|it| [it.table.name.pipe.clone(), it.table.name.to_string()]);
            let names: Vec<String> = names.collect();
            let help = did_you_mean(&neighbour.name, "there are", names.iter().map(String::as_str));
            return Some(told(format!("there is no pipe or table `{}`", neighbour.name)).help(help));
        }
        let tasks_of = |wanted: &dyn Fn(usize) -> bool| -> Vec<TaskId> {
            graph.node_indices().filter(|id| wanted(self.origin[id.index()])).collect()
        };
        let mine = tasks_of(&|table| table == at);
        let theirs = tasks_of(&|table| table != at && is_called(&self.asked[table].table.name, &neighbour.name));
        let (first, then) = match order {
            Order::Before => (mine, theirs),
            Order::After => (theirs, mine),
        };
        let is_visible = |id: &TaskId| graph[*id].step.effect == Effect::Publish;
        if let (Some(seen), Some(late)) =
            (first.iter().find(|it| is_visible(it)), then.iter().find(|it| !is_visible(it)))
        {
            let message = format!("`{}` can't come after `{}`, which publishes", graph[*late].id, graph[*seen].id);
            let help =
                format!("what publishes comes after all that does not: let `{own}` publish too, or leave this out");
            return Some(told(message).help(help));
        }
        for (from, to) in first.iter().flat_map(|from| then.iter().map(move |to| (*from, *to))) {
            graph.add_edge(from, to, Need::Follows);
        }
        None
    }

    /// What to say where tasks wait for each other.
    pub fn circles(&self, graph: &DiGraph<Arc<Task>, Need>) -> Vec<Diagnostic> {
        let circles = kosaraju_scc(graph).into_iter().filter(|tasks| tasks.len() > 1);
        circles.map(|tasks| self.tell(graph, tasks)).collect()
    }

    fn tell(&self, graph: &DiGraph<Arc<Task>, Need>, mut tasks: Vec<TaskId>) -> Diagnostic {
        tasks.sort_unstable();
        let is_ours = |edge: &petgraph::graph::Edge<Need>| {
            edge.weight == Need::Follows && tasks.contains(&edge.source()) && tasks.contains(&edge.target())
        };
        let mut diagnostic = Diagnostic::error("these tasks wait for each other");
        let edges: Vec<(TaskId, TaskId)> =
            graph.raw_edges().iter().filter(|it| is_ours(it)).map(|it| (it.source(), it.target())).collect();
        if edges.is_empty() {
            return diagnostic.help("the steps of one table wait for each other: a bug in its pipe");
        }
        for (from, to) in edges.into_iter().take(4) {
            let table = self.asked[self.origin[to.index()]].table;
            let said = format!("`{}` {} `{}`", graph[to].id, self.why(graph, from, to), graph[from].id);
            diagnostic = diagnostic.label(&self.project.source, table.header, said);
        }
        diagnostic.help("read less, write elsewhere, or leave out one of `before` and `after`")
    }

    fn why(&self, graph: &DiGraph<Arc<Task>, Need>, from: TaskId, to: TaskId) -> &'static str {
        match graph[to].step.reads.iter().any(|it| reads_of(it, &graph[from])) {
            true => "reads what is written by",
            false => "comes after",
        }
    }
}

/// Whether what a step reads may be what a task writes.
pub fn reads_of(read: &Read, task: &Task) -> bool {
    let except = Except::new(read.except.iter().map(String::as_str)).ok();
    let is_left_out = |path: &Path| except.as_ref().is_some_and(|it| it.leaves_out(path));
    task.step.writes.iter().any(|written| meet(&read.path, written) && !is_left_out(&fixed(Path::new(written))))
}

#[derive(Clone, Copy)]
enum Order {
    Before,
    After,
}

fn is_called(table: &TableName, name: &str) -> bool {
    table.pipe == name || table.to_string() == name
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use expect_test::{Expect, expect};

    use crate::plan::fake::planned;
    use crate::plan::text;
    use crate::report::{Colour, render};

    fn check(tables: &str, expect: Expect) {
        let (plan, diagnostics) = planned(tables, &["a.txt"]);
        expect.assert_eq(&format!("{}{}", render(&diagnostics, Colour::Plain), text(&plan, &BTreeSet::new())));
    }

    #[test]
    fn who_reads_waits_for_who_writes() {
        check(
            "[[x]]\nid = 'reader'\nreads = ['gen/a.txt']\n[[x]]\nid = 'other'\nreads = ['a.txt']\n\
             [[y]]\nid = 'writer'\nreads = ['a.txt']\nwrites = ['gen']\n",
            expect![[r#"
                x:other
                  makes other (x)
                y:writer
                  makes writer (y)
                x:reader
                  needs y:writer
                  makes reader (x)
            "#]],
        );
    }

    #[test]
    fn before_and_after() {
        check(
            "[[x]]\nid = 'one'\n[[x]]\nid = 'two'\nafter = ['y']\n[[y]]\nid = 'first'\nbefore = ['x:one', 'z']\n[[z]]\nid = 'seen'\neffect = 'publish'\n",
            expect![[r#"
                y:first
                  makes first (y)
                x:one
                  needs y:first
                  makes one (x)
                x:two
                  needs y:first
                  makes two (x)
                z:seen  (publishes, after everything else)
                  needs y:first
                  makes seen (z)
            "#]],
        );
    }

    #[test]
    fn mistakes() {
        check(
            "[[x]]\nid = 'one'\nafter = ['z']\nbefore = ['q', 'x:on']\n[[x]]\nid = 'two'\nafter = 'x'\n[[z]]\nid = 'seen'\neffect = 'publish'\n",
            expect![[r#"
                error: `x:one` can't come after `z:seen`, which publishes
                 --> forge.toml:5:10
                  |
                5 | after = ['z']
                  |          ^^^
                  |
                  = help: what publishes comes after all that does not: let `x:one` publish too, or leave this out

                error: there is no pipe or table `q`
                 --> forge.toml:6:11
                  |
                6 | before = ['q', 'x:on']
                  |           ^^^
                  |
                  = help: did you mean `x` or `z`? there are `x`, `x:one`, `x:two`, `z`, `z:seen`

                error: there is no pipe or table `x:on`
                 --> forge.toml:6:16
                  |
                6 | before = ['q', 'x:on']
                  |                ^^^^^^
                  |
                  = help: did you mean `x:one`? there are `x`, `x:one`, `x:two`, `z`, `z:seen`

                error: `after` is a list of names
                 --> forge.toml:9:9
                  |
                9 | after = 'x'
                  |         ^^^
                  |
                  = help: pipes and tables: `after = ["build", "archive:hello"]`

                x:one
                  makes one (x)
                z:seen  (publishes, after everything else)
                  makes seen (z)
            "#]],
        );
    }

    #[test]
    fn circles() {
        check(
            "[[x]]\nid = 'one'\nreads = ['b']\nwrites = ['a']\n[[x]]\nid = 'two'\nreads = ['a']\nwrites = ['b']\n[[y]]\nid = 'three'\nafter = ['z']\n[[z]]\ntakes = [{ kinds = ['y'] }]\n",
            expect![[r#"
                error: these tasks wait for each other
                 --> forge.toml:7:1
                  |
                3 | [[x]]
                  | ----- `x:one` reads what is written by `x:two`
                ...
                7 | [[x]]
                  | ^^^^^ `x:two` reads what is written by `x:one`
                  |
                  = help: read less, write elsewhere, or leave out one of `before` and `after`

                error: these tasks wait for each other
                  --> forge.toml:11:1
                   |
                11 | [[y]]
                   | ^^^^^ `y:three` comes after `z:test`
                   |
                   = help: read less, write elsewhere, or leave out one of `before` and `after`

            "#]],
        );
    }
}
