//! Which task may start next. A value: `unchecked`, `due`, `start`, `done`, `fail` drive it.
//! Knows no clock, no thread, no file, and nothing of what a task does.

use std::collections::{BTreeMap, BinaryHeap};

use forge_schemas::{Effect, Resource};
use petgraph::Direction;

use crate::plan::{Plan, Task, TaskId};

/// How many tasks of a class run side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Tasks that compute.
    pub cpu: usize,
    /// Tasks that want much memory.
    pub memory: usize,
    /// Tasks that wait for others.
    pub network: usize,
}

/// Where a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Something that it needs is not done.
    Waiting,
    /// All that it needs is done; nobody has looked whether it is fresh.
    Unchecked,
    /// Somebody is looking.
    Checking,
    /// It must run, and waits for room.
    Due,
    /// It runs.
    Running,
    /// It is done, or fresh.
    Done,
    /// It failed.
    Failed,
    /// It will not run.
    Skipped,
}

/// The tasks of a plan, and where each stands.
pub struct Schedule<'plan> {
    plan: &'plan Plan,
    limits: Limits,
    states: Vec<State>,
    /// How many needs of a task are not done.
    open_needs: Vec<u32>,
    /// The length of the longest path from a task to the end of the plan.
    path: Vec<u64>,
    unchecked: Vec<TaskId>,
    due: BTreeMap<Lane, BinaryHeap<(u64, std::cmp::Reverse<TaskId>)>>,
    running: BTreeMap<Lane, usize>,
    /// Tasks with an effect that nobody sees, not done yet. `publish` tasks wait for all of them.
    unseen: usize,
    /// `publish` tasks whose needs are done.
    held: Vec<TaskId>,
    /// Tasks that have not ended.
    open: usize,
}

/// What bounds a task: a class, or a name that one task at a time may hold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Lane {
    Cpu,
    Memory,
    Network,
    Exclusive(String),
}

impl<'plan> Schedule<'plan> {
    /// All tasks of `plan`, none started. `weight` is how long a task may take, in any unit.
    pub fn new(plan: &'plan Plan, limits: Limits, weight: impl Fn(&Task) -> u64) -> Schedule<'plan> {
        let mut schedule = Schedule {
            plan,
            limits,
            states: vec![State::Waiting; plan.len()],
            open_needs: plan.ids().map(|id| plan.needs(id).count() as u32).collect(),
            path: longest_paths(plan, weight),
            unchecked: Vec::new(),
            due: BTreeMap::new(),
            running: BTreeMap::new(),
            unseen: plan.ids().filter(|id| !is_publish(plan, *id)).count(),
            held: Vec::new(),
            open: plan.len(),
        };
        for id in plan.ids() {
            if schedule.open_needs[id.index()] == 0 {
                schedule.ready(id);
            }
        }
        schedule.release_held();
        schedule
    }

    /// Tasks whose needs are done and that nobody has looked at. Each must be answered by `done` or `due`.
    pub fn unchecked(&mut self) -> Vec<TaskId> {
        let ids = std::mem::take(&mut self.unchecked);
        for id in &ids {
            self.states[id.index()] = State::Checking;
        }
        ids
    }

    /// The task is not fresh: it must run.
    pub fn due(&mut self, id: TaskId) {
        self.states[id.index()] = State::Due;
        let entry = (self.path[id.index()], std::cmp::Reverse(id));
        self.due.entry(lane(self.plan.task(id))).or_default().push(entry);
    }

    /// The next task to start, the one with the longest path first, if there is room for one.
    pub fn start(&mut self) -> Option<TaskId> {
        let (lane, _) = self
            .due
            .iter()
            .filter(|(lane, _)| self.has_room(lane))
            .filter_map(|(lane, heap)| heap.peek().map(|entry| (lane, *entry)))
            .max_by_key(|(_, entry)| *entry)?;
        let lane = lane.clone();
        let (_, std::cmp::Reverse(id)) = self.due.get_mut(&lane)?.pop()?;
        *self.running.entry(lane).or_default() += 1;
        self.states[id.index()] = State::Running;
        Some(id)
    }

    /// The task is done, or was fresh.
    pub fn done(&mut self, id: TaskId) {
        self.end(id, State::Done);
        if !is_publish(self.plan, id) {
            self.unseen -= 1;
        }
        for next in self.plan.neighbors(id, Direction::Outgoing) {
            let open = &mut self.open_needs[next.index()];
            *open -= 1;
            if *open == 0 && self.states[next.index()] == State::Waiting {
                self.ready(next);
            }
        }
        self.release_held();
    }

    /// The task failed. Answers the tasks that will not run because of it: all that need it, and every `publish` task.
    pub fn fail(&mut self, id: TaskId) -> Vec<TaskId> {
        self.end(id, State::Failed);
        let mut skipped = Vec::new();
        for id in self.plan.dependents(id) {
            self.skip(id, &mut skipped);
        }
        if !is_publish(self.plan, id) {
            for id in self.plan.ids().filter(|id| is_publish(self.plan, *id)) {
                self.skip(id, &mut skipped);
            }
        }
        skipped
    }

    /// Nothing more will start. Answers the tasks that will not run.
    pub fn stop(&mut self) -> Vec<TaskId> {
        let mut skipped = Vec::new();
        for id in self.plan.ids() {
            self.skip(id, &mut skipped);
        }
        skipped
    }

    /// Whether a task waits for nothing but room.
    pub fn is_anything_due(&self) -> bool {
        self.due.values().any(|heap| !heap.is_empty())
    }

    /// The tasks that have not ended and do not run, in the order of the file.
    pub fn waiting(&self) -> impl Iterator<Item = TaskId> + '_ {
        let waits = |id: &TaskId| {
            let state = self.states[id.index()];
            matches!(state, State::Waiting | State::Unchecked | State::Checking | State::Due)
        };
        self.plan.ids().filter(waits)
    }

    /// Whether every task has ended.
    pub fn is_over(&self) -> bool {
        self.open == 0
    }

    fn ready(&mut self, id: TaskId) {
        if is_publish(self.plan, id) {
            self.held.push(id);
        } else {
            self.states[id.index()] = State::Unchecked;
            self.unchecked.push(id);
        }
    }

    fn release_held(&mut self) {
        if self.unseen > 0 {
            return;
        }
        for id in std::mem::take(&mut self.held) {
            if self.states[id.index()] == State::Waiting {
                self.states[id.index()] = State::Unchecked;
                self.unchecked.push(id);
            }
        }
    }

    fn end(&mut self, id: TaskId, state: State) {
        self.leave(id);
        if self.states[id.index()] == State::Running
            && let Some(running) = self.running.get_mut(&lane(self.plan.task(id)))
        {
            *running -= 1;
        }
        self.states[id.index()] = state;
        self.open -= 1;
    }

    fn skip(&mut self, id: TaskId, skipped: &mut Vec<TaskId>) {
        match self.states[id.index()] {
            State::Waiting | State::Unchecked | State::Due => {
                self.end(id, State::Skipped);
                skipped.push(id);
            }
            State::Checking | State::Running | State::Done | State::Failed | State::Skipped => {}
        }
    }

    /// A task that ends before it ran waits nowhere any more.
    fn leave(&mut self, id: TaskId) {
        match self.states[id.index()] {
            State::Unchecked => self.unchecked.retain(|it| *it != id),
            State::Due => {
                if let Some(heap) = self.due.get_mut(&lane(self.plan.task(id))) {
                    heap.retain(|(_, it)| it.0 != id);
                }
            }
            _ => {}
        }
    }

    fn has_room(&self, lane: &Lane) -> bool {
        let limit = match lane {
            Lane::Cpu => self.limits.cpu,
            Lane::Memory => self.limits.memory,
            Lane::Network => self.limits.network,
            Lane::Exclusive(_) => 1,
        };
        self.running.get(lane).copied().unwrap_or(0) < limit
    }
}

fn lane(task: &Task) -> Lane {
    match &task.step.resource {
        Resource::Cpu => Lane::Cpu,
        Resource::Memory => Lane::Memory,
        Resource::Network => Lane::Network,
        Resource::Exclusive(name) => Lane::Exclusive(name.clone()),
    }
}

fn is_publish(plan: &Plan, id: TaskId) -> bool {
    plan.task(id).step.effect == Effect::Publish
}

fn longest_paths(plan: &Plan, weight: impl Fn(&Task) -> u64) -> Vec<u64> {
    let mut path = vec![0; plan.len()];
    for id in plan.order().iter().rev() {
        let after = plan.neighbors(*id, Direction::Outgoing).map(|next| path[next.index()]).max().unwrap_or(0);
        path[id.index()] = after + weight(plan.task(*id)).max(1);
    }
    path
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::plan::fake::planned;

    const TABLES: &str = r#"
[[x]]
id = "a"
[[x]]
id = "b"
exclusive = "key"
[[x]]
id = "c"
exclusive = "key"
[[y]]
id = "d"
takes = [{ tables = ["a"] }]
[[z]]
id = "e"
takes = [{ tables = ["d"] }]
effect = "publish"
[[z]]
id = "f"
takes = [{ tables = ["a"] }]
effect = "publish"
"#;

    // Words are `go` (start what there is room for), `done a`, `fail a`, `fresh a`, `stop`; a line each of what happens.
    fn check(cpu: usize, words: &[&str], expect: Expect) {
        let (plan, diagnostics) = planned(TABLES, &[]);
        assert!(diagnostics.is_empty(), "{diagnostics:?}");
        let name = |id: TaskId| plan.task(id).table.id.clone();
        let names = |ids: Vec<TaskId>| ids.into_iter().map(name).collect::<Vec<_>>().join(" ");
        let find = |wanted: &str| plan.ids().find(|id| name(*id) == wanted).unwrap();
        let mut schedule = Schedule::new(&plan, Limits { cpu, memory: 1, network: 1 }, |_| 1);
        let mut lines = String::new();
        for word in words {
            let told = match word.split_once(' ') {
                Some(("done" | "fresh", id)) => {
                    schedule.done(find(id));
                    String::new()
                }
                Some(("fail", id)) => names(schedule.fail(find(id))),
                _ if *word == "stop" => names(schedule.stop()),
                _ => {
                    for id in schedule.unchecked() {
                        schedule.due(id);
                    }
                    names(std::iter::from_fn(|| schedule.start()).collect())
                }
            };
            lines += &format!("{word}: {told}\n");
        }
        let over = if schedule.is_over() { "over" } else { "not over" };
        expect.assert_eq(&format!("{lines}{over}\n"));
    }

    #[test]
    fn the_longest_path_first_and_names_held_by_one() {
        check(
            1,
            &["go", "done a", "go", "done d", "go", "done b", "go", "done c", "go", "done e", "go"],
            expect![[r#"
            go: a b
            done a: 
            go: d
            done d: 
            go: 
            done b: 
            go: c
            done c: 
            go: e
            done e: 
            go: f
            not over
        "#]],
        );
        check(
            8,
            &["go", "done b", "go", "done a", "go", "done d", "done c", "go"],
            expect![[r#"
            go: a b
            done b: 
            go: c
            done a: 
            go: d
            done d: 
            done c: 
            go: e f
            not over
        "#]],
        );
    }

    #[test]
    fn publish_waits_for_all_the_rest() {
        check(
            8,
            &["go", "done a", "done b", "go", "done d", "go", "done c", "go", "done e", "done f"],
            expect![[r#"
            go: a b
            done a: 
            done b: 
            go: d c
            done d: 
            go: 
            done c: 
            go: e f
            done e: 
            done f: 
            over
        "#]],
        );
    }

    #[test]
    fn a_failure_skips_what_needs_it_and_all_that_publishes() {
        check(
            8,
            &["go", "fail a", "go", "done b", "go", "done c"],
            expect![[r#"
            go: a b
            fail a: d e f
            go: 
            done b: 
            go: c
            done c: 
            over
        "#]],
        );
        check(
            8,
            &["go", "fail b", "done a", "go", "done c", "done d"],
            expect![[r#"
            go: a b
            fail b: e f
            done a: 
            go: d c
            done c: 
            done d: 
            over
        "#]],
        );
    }

    #[test]
    fn a_failed_publication_leaves_the_others() {
        check(
            1,
            &["go", "done a", "go", "done d", "go", "done b", "go", "done c", "go", "fail e", "go"],
            expect![[r#"
            go: a b
            done a: 
            go: d
            done d: 
            go: 
            done b: 
            go: c
            done c: 
            go: e
            fail e: 
            go: f
            not over
        "#]],
        );
    }

    #[test]
    fn nothing_starts_after_a_stop() {
        check(
            1,
            &["go", "stop", "done a", "go"],
            expect![[r#"
            go: a b
            stop: c d e f
            done a: 
            go: 
            not over
        "#]],
        );
    }
}
