//! Which task may start next. A value: `unchecked`, `due`, `start`, `done`, `fail` drive it.
//! Knows no clock, no thread, no file, and nothing of what a task does.

use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use forge_schemas::{Effect, Recall, Resource};
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

/// What becomes, after a failure, of tasks that do not need the one that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AfterFailure {
    /// They go on, but nothing more is published.
    #[default]
    GoOn,
    /// They go on, and after a failed publication the others are published all the same.
    KeepGoing,
    /// Nothing more is started.
    Stop,
}

/// A task that will not run, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Skipped {
    /// The task.
    pub task: TaskId,
    /// Why.
    pub because: Because,
}

/// Why a task will not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Because {
    /// It needs what a task would have made that failed.
    Needed(TaskId),
    /// Nothing is published unless all the rest is done, and this task failed.
    Unpublished(TaskId),
    /// Nothing more is published after this publication, which failed.
    Publication(TaskId),
    /// Nothing more is started after this task failed.
    Failed(TaskId),
    /// Nothing more is started.
    Stopped,
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
    after_failure: AfterFailure,
    states: Vec<State>,
    /// How many needs of a task are not done.
    open_needs: Vec<u32>,
    /// The length of the longest path from a task to the end of the plan, once a task must run.
    path: Option<Vec<u64>>,
    unchecked: Vec<TaskId>,
    due: BTreeMap<Lane, BinaryHeap<(u64, std::cmp::Reverse<TaskId>)>>,
    running: BTreeMap<Lane, usize>,
    /// Tasks with an effect that nobody sees, not done yet. `publish` tasks wait for all of them.
    unseen: usize,
    /// `publish` tasks whose needs are done.
    held: Vec<TaskId>,
    /// Tasks that have not ended and publish what can be taken back. What can't be waits for all of them.
    revocable: BTreeSet<TaskId>,
    /// Tasks that must run and wait for these, each with its path.
    last: Vec<(u64, TaskId)>,
    /// Tasks that somebody was looking at when another failed: they run no more, but may turn out to be fresh.
    doomed: BTreeMap<TaskId, Because>,
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
    /// All tasks of `plan`, none started.
    pub fn new(plan: &'plan Plan, limits: Limits, after_failure: AfterFailure) -> Schedule<'plan> {
        let mut schedule = Schedule {
            plan,
            limits,
            after_failure,
            states: vec![State::Waiting; plan.len()],
            open_needs: plan.ids().map(|id| plan.needs(id).count() as u32).collect(),
            path: None,
            unchecked: Vec::new(),
            due: BTreeMap::new(),
            running: BTreeMap::new(),
            unseen: plan.ids().filter(|id| !is_publish(plan, *id)).count(),
            held: Vec::new(),
            revocable: revocable(plan),
            last: Vec::new(),
            doomed: BTreeMap::new(),
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

    /// The task is not fresh: it must run. Answers why it will not, where another failed meanwhile. `weight` is how long a
    /// task may take, in any unit; all are weighed when the first is due.
    pub fn due(&mut self, id: TaskId, weight: impl Fn(&Task) -> u64) -> Option<Because> {
        if let Some(because) = self.doomed.remove(&id) {
            self.end(id, State::Skipped);
            return Some(because);
        }
        self.states[id.index()] = State::Due;
        let path = self.path.get_or_insert_with(|| longest_paths(self.plan, weight));
        let entry = (path[id.index()], id);
        match is_final(self.plan, id) && !self.revocable.is_empty() {
            true => self.last.push(entry),
            false => self.queue(entry),
        }
        None
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
        self.doomed.remove(&id);
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

    /// The task failed. Answers the tasks that will not run because of it.
    pub fn fail(&mut self, id: TaskId) -> Vec<Skipped> {
        self.fail_all(&[id])
    }

    /// These tasks failed, all at once, whichever needs which. Answers the tasks that will not run because of them.
    pub fn fail_all(&mut self, ids: &[TaskId]) -> Vec<Skipped> {
        for id in ids {
            self.end(*id, State::Failed);
        }
        let mut skipped = Vec::new();
        for id in ids {
            self.skip_after(*id, &mut skipped);
        }
        skipped
    }

    /// Nothing more will start. Answers the tasks that will not run.
    pub fn stop(&mut self) -> Vec<TaskId> {
        let mut skipped = Vec::new();
        self.skip(self.plan.ids().collect(), Because::Stopped, &mut skipped);
        skipped.into_iter().map(|it| it.task).collect()
    }

    /// Whether a task waits for nothing but room.
    pub fn is_anything_due(&self) -> bool {
        self.due.values().any(|heap| !heap.is_empty())
    }

    /// Whether all tasks that wait for nothing but room are so.
    pub fn all_due(&self, is_so: impl Fn(&Task) -> bool) -> bool {
        self.due.values().flatten().all(|(_, id)| is_so(self.plan.task(id.0)))
    }

    /// The tasks that have not ended and do not run, in the order of the file.
    pub fn waiting(&self) -> impl Iterator<Item = TaskId> + '_ {
        let waits = |id: &TaskId| {
            let state = self.states[id.index()];
            matches!(state, State::Waiting | State::Unchecked | State::Checking | State::Due)
        };
        self.plan.ids().filter(waits)
    }

    /// The tasks that run, in the order of the file.
    pub fn running(&self) -> impl Iterator<Item = TaskId> + '_ {
        self.plan.ids().filter(|id| matches!(self.states[id.index()], State::Running))
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

    fn queue(&mut self, (path, id): (u64, TaskId)) {
        self.due.entry(lane(self.plan.task(id))).or_default().push((path, std::cmp::Reverse(id)));
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
        if self.revocable.remove(&id) && self.revocable.is_empty() {
            std::mem::take(&mut self.last).into_iter().for_each(|entry| self.queue(entry));
        }
    }

    fn skip_after(&mut self, id: TaskId, skipped: &mut Vec<Skipped>) {
        self.skip(self.plan.dependents(id), Because::Needed(id), skipped);
        let published = is_publish(self.plan, id);
        if !published || self.after_failure != AfterFailure::KeepGoing {
            let others = self.plan.ids().filter(|id| is_publish(self.plan, *id)).collect();
            let because = if published { Because::Publication(id) } else { Because::Unpublished(id) };
            self.skip(others, because, skipped);
        }
        if self.after_failure == AfterFailure::Stop {
            self.skip(self.plan.ids().collect(), Because::Failed(id), skipped);
        }
    }

    fn skip(&mut self, tasks: Vec<TaskId>, because: Because, skipped: &mut Vec<Skipped>) {
        for task in tasks {
            if self.may_leave(task, because) {
                self.end(task, State::Skipped);
                skipped.push(Skipped { task, because });
            }
        }
    }

    // Whether a task may be skipped now. One that somebody looks at is, when that is over.
    fn may_leave(&mut self, id: TaskId, because: Because) -> bool {
        match self.states[id.index()] {
            State::Waiting | State::Unchecked | State::Due => true,
            State::Checking => {
                self.doomed.entry(id).or_insert(because);
                false
            }
            State::Running | State::Done | State::Failed | State::Skipped => false,
        }
    }

    // A task that ends before it ran waits nowhere any more.
    fn leave(&mut self, id: TaskId) {
        match self.states[id.index()] {
            State::Unchecked => self.unchecked.retain(|it| *it != id),
            State::Due => {
                if let Some(heap) = self.due.get_mut(&lane(self.plan.task(id))) {
                    heap.retain(|(_, it)| it.0 != id);
                }
                self.last.retain(|(_, it)| *it != id);
            }
            State::Checking => drop(self.doomed.remove(&id)),
            State::Waiting | State::Running | State::Done | State::Failed | State::Skipped => {}
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

impl Because {
    /// The reason in words.
    pub fn in_words(self, plan: &Plan) -> String {
        match self {
            Because::Needed(failed) => format!("it needs {}, which failed", plan.task(failed)),
            Because::Unpublished(failed) => format!("nothing is published, because {} failed", plan.task(failed)),
            Because::Publication(failed) => format!("nothing more is published, because {} failed", plan.task(failed)),
            Because::Failed(failed) => format!("nothing more is started, because {} failed", plan.task(failed)),
            Because::Stopped => "nothing more is started".to_owned(),
        }
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

fn is_final(plan: &Plan, id: TaskId) -> bool {
    is_publish(plan, id) && plan.task(id).step.recall == Recall::Impossible
}

/// What publishes what can be taken back, and need not wait for what can't.
fn revocable(plan: &Plan) -> BTreeSet<TaskId> {
    let last: Vec<TaskId> = plan.ids().filter(|id| is_final(plan, *id)).collect();
    if last.is_empty() {
        return BTreeSet::new();
    }
    let after: BTreeSet<TaskId> = last.iter().flat_map(|id| plan.dependents(*id)).chain(last.iter().copied()).collect();
    plan.ids().filter(|id| is_publish(plan, *id) && !after.contains(id)).collect()
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

    const FOR_GOOD: &str = r#"
[[x]]
id = "a"
[[y]]
id = "crate"
takes = [{ tables = ["a"] }]
effect = "publish"
recall = "impossible"
[[z]]
id = "tag"
takes = [{ tables = ["a"] }]
effect = "publish"
[[z]]
id = "news"
takes = [{ tables = ["crate"], kinds = ["y"] }, { tables = ["tag"] }]
effect = "publish"
"#;

    // Words are `go` (start what there is room for), `look` (take what is unchecked), `due a`, `done a`, `fail a`,
    // `fresh a`, `stop`; a line each of what happens.
    fn play(after_failure: AfterFailure, cpu: usize, words: &[&str]) -> String {
        play_of(TABLES, after_failure, cpu, words)
    }

    fn play_of(tables: &str, after_failure: AfterFailure, cpu: usize, words: &[&str]) -> String {
        let (plan, diagnostics) = planned(tables, &[]);
        assert!(diagnostics.is_empty(), "{diagnostics:?}");
        let name = |id: TaskId| plan.task(id).table.id.clone();
        let names = |ids: Vec<TaskId>| ids.into_iter().map(name).collect::<Vec<_>>().join(" ");
        let find = |wanted: &str| plan.ids().find(|id| name(*id) == wanted).unwrap();
        let limits = Limits { cpu, memory: 1, network: 1 };
        let mut schedule = Schedule::new(&plan, limits, after_failure);
        let mut lines = String::new();
        for word in words {
            let told = match word.split_once(' ') {
                Some(("done" | "fresh", id)) => {
                    schedule.done(find(id));
                    String::new()
                }
                Some(("due", id)) => schedule.due(find(id), |_| 1).map_or_else(String::new, |it| it.in_words(&plan)),
                Some(("fail", id)) => {
                    let skipped = schedule.fail(find(id)).into_iter();
                    let words = skipped.map(|it| format!("\n  {}: {}", name(it.task), it.because.in_words(&plan)));
                    words.collect()
                }
                _ if *word == "stop" => names(schedule.stop()),
                _ if *word == "look" => names(schedule.unchecked()),
                _ => {
                    for id in schedule.unchecked() {
                        schedule.due(id, |_| 1);
                    }
                    names(std::iter::from_fn(|| schedule.start()).collect())
                }
            };
            lines += &format!("{word}: {told}\n");
        }
        let over = if schedule.is_over() { "over" } else { "not over" };
        format!("{lines}{over}\n")
    }

    fn check(cpu: usize, words: &[&str], expect: Expect) {
        expect.assert_eq(&play(AfterFailure::GoOn, cpu, words));
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
    fn what_cant_be_taken_back_comes_after_what_can() {
        let play = |words: &[&str]| play_of(FOR_GOOD, AfterFailure::GoOn, 8, words);
        expect![[r#"
            go: a
            done a: 
            go: tag
            done tag: 
            go: crate
            done crate: 
            go: news
            done news: 
            over
        "#]]
        .assert_eq(&play(&["go", "done a", "go", "done tag", "go", "done crate", "go", "done news"]));
        expect![[r#"
            go: a
            done a: 
            go: tag
            fail tag: 
              news: it needs z:tag, which failed
              crate: nothing more is published, because z:tag failed
            go: 
            over
        "#]]
        .assert_eq(&play(&["go", "done a", "go", "fail tag", "go"]));
        expect![[r#"
            go: a
            done a: 
            look: crate tag
            due crate: 
            fresh tag: 
            go: crate
            not over
        "#]]
        .assert_eq(&play(&["go", "done a", "look", "due crate", "fresh tag", "go"]));
        let words = ["go", "done a", "go", "fail tag", "go", "done crate"];
        expect![[r#"
            go: a
            done a: 
            go: tag
            fail tag: 
              news: it needs z:tag, which failed
            go: crate
            done crate: 
            over
        "#]]
        .assert_eq(&play_of(FOR_GOOD, AfterFailure::KeepGoing, 8, &words));
    }

    #[test]
    fn a_failure_skips_what_needs_it_and_all_that_publishes() {
        check(
            8,
            &["go", "fail a", "go", "done b", "go", "done c"],
            expect![[r#"
                go: a b
                fail a: 
                  d: it needs x:a, which failed
                  e: it needs x:a, which failed
                  f: it needs x:a, which failed
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
                fail b: 
                  e: nothing is published, because x:b failed
                  f: nothing is published, because x:b failed
                done a: 
                go: d c
                done c: 
                done d: 
                over
            "#]],
        );
    }

    #[test]
    fn after_a_failed_publication_nothing_more_is_published_unless_told() {
        let words = ["go", "done a", "go", "done d", "go", "done b", "go", "done c", "go", "fail e", "go"];
        check(
            1,
            &words,
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
                  f: nothing more is published, because z:e failed
                go: 
                over
            "#]],
        );
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
        "#]]
        .assert_eq(&play(AfterFailure::KeepGoing, 1, &words));
        // What runs already goes on to its end.
        check(
            8,
            &["go", "done a", "done b", "go", "done c", "done d", "go", "fail e", "done f"],
            expect![[r#"
            go: a b
            done a: 
            done b: 
            go: d c
            done c: 
            done d: 
            go: e f
            fail e: 
            done f: 
            over
        "#]],
        );
    }

    #[test]
    fn what_is_being_looked_at_when_another_fails_is_not_started() {
        let words = ["go", "done a", "done b", "go", "done c", "done d", "look", "fail e", "due f"];
        check(
            8,
            &words,
            expect![[r#"
                go: a b
                done a: 
                done b: 
                go: d c
                done c: 
                done d: 
                look: f e
                fail e: 
                due f: nothing more is published, because z:e failed
                over
            "#]],
        );
        let fresh = ["go", "done a", "done b", "go", "done c", "done d", "look", "fail e", "fresh f"];
        check(
            8,
            &fresh,
            expect![[r#"
            go: a b
            done a: 
            done b: 
            go: d c
            done c: 
            done d: 
            look: f e
            fail e: 
            fresh f: 
            over
        "#]],
        );
        expect![[r#"
            look: a b c
            fail a: 
              d: it needs x:a, which failed
              e: it needs x:a, which failed
              f: it needs x:a, which failed
            due b: nothing more is started, because x:a failed
            go: 
            not over
        "#]]
        .assert_eq(&play(AfterFailure::Stop, 8, &["look", "fail a", "due b", "go"]));
    }

    #[test]
    fn nothing_is_started_after_a_failure_where_that_is_wanted() {
        expect![[r#"
            go: a b
            fail b: 
              e: nothing is published, because x:b failed
              f: nothing is published, because x:b failed
              c: nothing more is started, because x:b failed
              d: nothing more is started, because x:b failed
            go: 
            done a: 
            over
        "#]]
        .assert_eq(&play(AfterFailure::Stop, 1, &["go", "fail b", "go", "done a"]));
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

    // Plans of `count` publications, of which each of a set fails, `width` at a time. Of each how it ended, in the order
    // of their start: `+` done, `!` failed, `-` not started.
    fn publish(after_failure: AfterFailure, count: u32, failing: u32, width: usize) -> String {
        let table = |at| format!("[[z]]\nid = \"p{at}\"\neffect = \"publish\"\n");
        let (plan, diagnostics) = planned(&(0..count).map(table).collect::<String>(), &[]);
        assert!(diagnostics.is_empty(), "{diagnostics:?}");
        let limits = Limits { cpu: width, memory: 1, network: 1 };
        let mut schedule = Schedule::new(&plan, limits, after_failure);
        let mut ends = vec!['?'; count as usize];
        while !schedule.is_over() {
            for id in schedule.unchecked() {
                schedule.due(id, |_| 1);
            }
            let running: Vec<TaskId> = std::iter::from_fn(|| schedule.start()).collect();
            assert!(!running.is_empty() && running.len() <= width);
            for id in running {
                if failing & (1 << id.index()) == 0 {
                    schedule.done(id);
                    ends[id.index()] = '+';
                    continue;
                }
                ends[id.index()] = '!';
                for skipped in schedule.fail(id) {
                    ends[skipped.task.index()] = '-';
                }
            }
        }
        ends.into_iter().collect()
    }

    /// What must become of them: said without a schedule.
    fn published(goes_on: bool, count: u32, failing: u32, width: u32) -> String {
        let fails = |at: u32| failing & (1 << at) != 0;
        // They start side by side; those beside the first that fails end as they would.
        let last = (0..count).find(|at| fails(*at)).map_or(count, |first| first / width * width + width);
        let end = |at| match fails(at) {
            _ if at >= last && !goes_on => '-',
            true => '!',
            false => '+',
        };
        (0..count).map(end).collect()
    }

    #[test]
    fn d1_every_set_of_publications_that_fail() {
        let mut lines = String::new();
        let mut caught = 0;
        for count in 3..=5 {
            for failing in 0..1 << count {
                for width in [1, 2] {
                    let stops = publish(AfterFailure::GoOn, count, failing, width);
                    let goes_on = publish(AfterFailure::KeepGoing, count, failing, width);
                    assert_eq!(stops, published(false, count, failing, width as u32), "{failing:b} of {count}");
                    assert_eq!(goes_on, published(true, count, failing, width as u32), "{failing:b} of {count}");
                    caught += usize::from(goes_on != published(false, count, failing, width as u32));
                    if count == 3 && width == 1 {
                        lines += &format!("{stops} {goes_on}\n");
                    }
                }
            }
        }
        assert!(caught > 0, "a schedule that does not stop would be seen");
        expect![[r#"
            +++ +++
            !-- !++
            +!- +!+
            !-- !!+
            ++! ++!
            !-- !+!
            +!- +!!
            !-- !!!
        "#]]
        .assert_eq(&lines);
    }
}
