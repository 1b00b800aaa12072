//! What was asked for, and the part of the plan that is: which tasks run, which must be fresh, which are left out and why.
//! Does not know the command line, nor whether a task is fresh.

use std::cell::LazyCell;
use std::collections::{BTreeSet, HashSet};

use forge_schemas::{Effect, Platform, TableName, Wanted};
use petgraph::visit::EdgeRef as _;

use super::target::{Targets, UnknownTarget};
use super::{Need, Off, Plan, Task, TaskId};

/// What was asked for. Nothing asked for is all of the plan.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Goals, pipes, tables or tasks; all of the plan where there are none.
    pub names: Vec<String>,
    /// Of these and what they need: only these, and what needs them.
    pub from: Vec<String>,
    /// Without these, and without all that needs them.
    pub skip: Vec<String>,
    /// Only for these platforms, if there are any.
    pub platforms: Vec<Platform>,
    /// What becomes of tasks that are needed and were not asked for.
    pub upstream: Upstream,
    /// How far effects may go.
    pub reach: Reach,
}

/// What becomes of tasks that are needed and were not asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Upstream {
    /// Those that are not fresh run first.
    #[default]
    Runs,
    /// None runs: each must be fresh.
    MustBeFresh,
}

/// How far effects may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reach {
    /// To wherever they go.
    #[default]
    Anywhere,
    /// Not out of this machine.
    ThisMachine,
}

/// The part of a plan that was asked for.
#[derive(Debug, Clone, Default)]
pub struct Chosen {
    /// What was asked for and all that it needs. Of the tables that are off, those that were asked for, or that one that was
    /// would take from.
    pub plan: Plan,
    /// Whether nothing is left because all that was named is off.
    pub is_off: bool,
    /// Tasks of it that must be fresh: nothing runs where one is not.
    pub required: BTreeSet<TaskId>,
    /// What is not in it although it was asked for, in the order of the whole plan.
    pub left_out: Vec<LeftOut>,
}

/// A task that was asked for and is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Its id.
    pub task: String,
    /// Why.
    pub because: LeftOutBecause,
}

/// Why a task that was asked for is not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeftOutBecause {
    /// The user wants to skip it.
    Skipped,
    /// It needs what is skipped.
    NeedsSkipped,
    /// It is for no platform of its own, and needs other platforms than those that were asked for.
    NeedsOtherPlatforms,
}

impl Selection {
    /// The part of the plan that this asks for; or the names that nothing has, all of them.
    pub fn choose(&self, targets: Targets<'_>) -> Result<Chosen, Vec<UnknownTarget>> {
        let [names, from, skip] = all(&targets, [&self.names, &self.from, &self.skip])?;
        let whole = targets.plan();
        let is_off = (names.is_empty() && !self.names.is_empty()) || (from.is_empty() && !self.from.is_empty());
        let wanted = self.wanted(whole, names, from);
        let here = if self.upstream == Upstream::Runs { whole.brought(&wanted) } else { Vec::new() };
        let chosen = whole.with_needs(wanted.iter().copied().chain(here));
        let names = |ids: &[TaskId]| ids.iter().map(|id| whole.task(*id).id.as_str()).collect::<HashSet<&str>>();
        // Most runs ask for nothing that has to be looked up in it.
        let wanted = LazyCell::new(|| names(&wanted));
        let is_wanted = |task: &Task| wanted.contains(task.id.as_str());
        let mut left_out = Vec::new();
        let chosen = leave_out_skipped(chosen, &names(&skip), is_wanted, &mut left_out);
        let chosen = if self.reach == Reach::ThisMachine { chosen.local() } else { chosen };
        let chosen = leave_out_platforms(chosen, &self.platforms, &mut left_out).needed();
        let off = self.off(&targets, &chosen);
        let chosen = self.require(chosen, left_out, is_wanted);
        Ok(Chosen { is_off, plan: chosen.plan.with_off(off), ..chosen })
    }

    fn off(&self, targets: &Targets<'_>, plan: &Plan) -> Vec<Off> {
        if targets.plan().off().is_empty() {
            return Vec::new();
        }
        let is_all = self.names.is_empty() && self.from.is_empty();
        let mut wanted: HashSet<&TableName> = plan.tasks().map(|task| &task.table).collect();
        let mut found = Vec::new();
        // From those that take to those that they would take from.
        for off in targets.plan().off().iter().rev() {
            let is_named = || is_all || targets.mean(self.names.iter().chain(&self.from), off);
            if off.wanted_by.iter().any(|it| wanted.contains(it)) || is_named() {
                wanted.insert(&off.table);
                found.push(off.clone());
            }
        }
        found.reverse();
        found
    }

    fn wanted(&self, plan: &Plan, names: Vec<TaskId>, from: Vec<TaskId>) -> Vec<TaskId> {
        let named = if self.names.is_empty() { plan.ids().collect() } else { names };
        if self.from.is_empty() {
            return named;
        }
        let within = plan.all_needs(named);
        let after = plan.all_dependents(from);
        plan.ids().filter(|id| within[id.index()] && after[id.index()]).collect()
    }

    fn require(&self, plan: Plan, left_out: Vec<LeftOut>, is_wanted: impl Fn(&Task) -> bool) -> Chosen {
        let is_upstream = |id: &TaskId| !is_wanted(plan.task(*id));
        let required: BTreeSet<TaskId> = match self.upstream {
            Upstream::Runs => BTreeSet::new(),
            Upstream::MustBeFresh => plan.ids().filter(is_upstream).collect(),
        };
        // Where nothing of what was asked for is left, there is nothing to take it from the store for.
        let is_idle = self.upstream == Upstream::MustBeFresh && required.len() == plan.len();
        match is_idle {
            true => Chosen { left_out, ..Chosen::default() },
            false => Chosen { plan, required, left_out, is_off: false },
        }
    }
}

/// The tasks of several lists of names, or the unknown ones of all.
fn all<const N: usize>(
    targets: &Targets<'_>,
    lists: [&Vec<String>; N],
) -> Result<[Vec<TaskId>; N], Vec<UnknownTarget>> {
    let mut unknown = Vec::new();
    let found = lists.map(|names| {
        targets.find(names).unwrap_or_else(|more| {
            unknown.extend(more);
            Vec::new()
        })
    });
    if unknown.is_empty() { Ok(found) } else { Err(unknown) }
}

fn leave_out_skipped(
    plan: Plan,
    skip: &HashSet<&str>,
    is_wanted: impl Fn(&Task) -> bool,
    left_out: &mut Vec<LeftOut>,
) -> Plan {
    if skip.is_empty() {
        return plan;
    }
    let without = plan.without(|task| skip.contains(task.id.as_str()));
    // What was needed only by what is left out goes as well, without a word: nobody asked for it.
    let rest = without.with_needs(without.ids().filter(|id| is_wanted(without.task(*id))));
    left_out.extend(missing(&plan, &rest, |task| match skip.contains(task.id.as_str()) {
        true => Some(LeftOutBecause::Skipped),
        false => is_wanted(task).then_some(LeftOutBecause::NeedsSkipped),
    }));
    rest
}

fn leave_out_platforms(plan: Plan, platforms: &[Platform], left_out: &mut Vec<LeftOut>) -> Plan {
    if platforms.is_empty() {
        return plan;
    }
    let narrowed = plan.for_platforms(platforms);
    // That tasks of other platforms are left out is what was asked for.
    let because = |task: &Task| task.step.platform.is_none().then_some(LeftOutBecause::NeedsOtherPlatforms);
    left_out.extend(missing(&plan, &narrowed, because));
    narrowed
}

/// The tasks of a plan that are not in a part of it, of which there is something to say.
fn missing(plan: &Plan, part: &Plan, say: impl Fn(&Task) -> Option<LeftOutBecause>) -> Vec<LeftOut> {
    let kept: HashSet<&str> = part.tasks().map(|task| task.id.as_str()).collect();
    let lost = plan.tasks().filter(|task| !kept.contains(task.id.as_str()));
    lost.filter_map(|task| Some(LeftOut { task: task.id.clone(), because: say(task)? })).collect()
}

impl Plan {
    /// The plan without the tasks that `leave_out` names, and without all that take from them. What only follows one stays.
    fn without(&self, leave_out: impl Fn(&Task) -> bool) -> Plan {
        let mut keep = vec![true; self.len()];
        for id in &self.order {
            let mut taken = self.graph.edges_directed(*id, petgraph::Direction::Incoming);
            let lost = taken.any(|it| matches!(it.weight(), Need::Takes(_)) && !keep[it.source().index()]);
            keep[id.index()] = !lost && !leave_out(self.task(*id));
        }
        self.keep(&keep)
    }

    /// The plan without what leaves this machine.
    fn local(&self) -> Plan {
        self.without(|task| task.step.effect != Effect::Local)
    }

    /// What brings here what tasks that are wanted, or needed for that, leave elsewhere.
    fn brought(&self, wanted: &[TaskId]) -> Vec<TaskId> {
        let is_here = |id: &TaskId| self.task(*id).step.wanted == Wanted::Here;
        let here: Vec<TaskId> = self.ids().filter(is_here).collect();
        if here.is_empty() {
            return here;
        }
        let needed = self.all_needs(wanted.iter().copied());
        here.into_iter().filter(|id| self.needs(*id).all(|need| needed[need.index()])).collect()
    }

    /// Where something leaves this machine, the plan without what would only be brought here for nobody.
    fn needed(self) -> Plan {
        let is_local = || self.tasks().all(|task| task.step.effect == Effect::Local);
        match self.tasks().all(|task| task.step.wanted == Wanted::Always) || is_local() {
            true => self,
            false => self.with_needs(self.ids().filter(|id| self.task(*id).step.wanted == Wanted::Always)),
        }
    }

    /// The plan for these platforms: tasks of another platform, and all that need them, are left out.
    fn for_platforms(&self, platforms: &[Platform]) -> Plan {
        self.without(|task| task.step.platform.as_ref().is_some_and(|it| !platforms.contains(it)))
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::plan::Goals;
    use crate::plan::fake::planned;

    const TABLES: &str = r#"
[[x]]
id = "prog"
platforms = ["linux/amd64", "linux/arm64"]
[[x]]
id = "notes"
[[y]]
id = "image"
takes = [{ kinds = ["x"], tables = ["prog"] }]
platforms = ["linux/amd64", "linux/arm64"]
[[y]]
id = "list"
takes = [{ kinds = ["y"], tables = ["image"] }]
[[z]]
id = "push"
takes = [{ kinds = ["y"], tables = ["list"] }]
effect = "publish"
[[z]]
id = "page"
takes = [{ kinds = ["x"], tables = ["notes"] }]
effect = "publish"
"#;

    /// The same, with tables that are off.
    const OFF: &str = r#"
[[y]]
id = "nightly"
if = false
[[z]]
id = "push-nightly"
takes = [{ kinds = ["y"], tables = ["nightly"] }]
[[z]]
id = "push-all"
takes = [{ kinds = ["y"] }]
effect = "publish"
"#;

    fn selection(words: &str) -> Selection {
        let mut selection = Selection::default();
        let mut words = words.split_whitespace().map(ToOwned::to_owned);
        let next = |words: &mut dyn Iterator<Item = String>| words.next().unwrap();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--only" => selection.upstream = Upstream::MustBeFresh,
                "--snapshot" => selection.reach = Reach::ThisMachine,
                "--from" => selection.from.push(next(&mut words)),
                "--skip" => selection.skip.push(next(&mut words)),
                "--platform" => selection.platforms.push(next(&mut words).parse().unwrap()),
                _ => selection.names.push(word),
            }
        }
        selection
    }

    fn check(words: &str, expect: Expect) {
        check_of(TABLES, words, expect);
    }

    /// Tasks in the order of the file, those in brackets that must be fresh; then a line each of what is left out, and what
    /// is off.
    fn check_of(tables: &str, words: &str, expect: Expect) {
        let (plan, diagnostics) = planned(tables, &[]);
        assert!(diagnostics.is_empty(), "{diagnostics:?}");
        let goal = |name: &str, names: &[&str]| (name.to_owned(), names.iter().map(|it| (*it).to_owned()).collect());
        let goals = Goals::from([
            goal("images", &["y"]),
            goal("arm", &["y:image/linux/arm64"]),
            goal("both", &["arm", "x:notes"]),
        ]);
        let said = match selection(words).choose(Targets::of(&plan, &goals)) {
            Err(unknown) => unknown.iter().map(|it| format!("{it}\n")).collect(),
            Ok(chosen) => {
                let word = |id: TaskId| match (chosen.required.contains(&id), &chosen.plan.task(id).id) {
                    (true, name) => format!("[{name}]"),
                    (false, name) => name.clone(),
                };
                let left_out = chosen.left_out.iter().map(|it| format!("{}: {:?}\n", it.task, it.because));
                let tasks: Vec<String> = chosen.plan.ids().map(word).collect();
                let tasks = if tasks.is_empty() { "nothing".to_owned() } else { tasks.join(" ") };
                let off: String = chosen.plan.off().iter().map(|it| format!("{it}\n")).collect();
                let end = if chosen.is_off { "all of it is off\n" } else { "" };
                format!("{tasks}\n{}{off}{end}", left_out.collect::<String>())
            }
        };
        expect.assert_eq(&said);
    }

    #[test]
    fn what_is_only_wanted_here_is_left_out_where_something_goes_elsewhere() {
        let tables = r#"
            [[x]]
            id = "base"
            [[x]]
            id = "layers"
            takes = [{ kinds = ["x"], tables = ["base"] }]
            wanted = "here"
            [[x]]
            id = "read"
            wanted = "here"
            [[y]]
            id = "image"
            takes = [{ kinds = ["x"], tables = ["base", "read"] }]
            [[z]]
            id = "push"
            takes = [{ kinds = ["y"] }]
            effect = "publish"
        "#;
        let check = |words: &str, expect: Expect| check_of(tables, words, expect);
        check(
            "",
            expect![[r#"
            x:base x:read y:image z:push
        "#]],
        );
        check(
            "--snapshot",
            expect![[r#"
            x:base x:layers x:read y:image
        "#]],
        );
        check(
            "x y",
            expect![[r#"
            x:base x:layers x:read y:image
        "#]],
        );
        check(
            "y",
            expect![[r#"
            x:base x:layers x:read y:image
        "#]],
        );
        check(
            "y --only",
            expect![[r#"
            [x:base] [x:read] y:image
        "#]],
        );
        check(
            "x z",
            expect![[r#"
            x:base x:read y:image z:push
        "#]],
        );
    }

    #[test]
    fn names_and_what_they_need() {
        check(
            "",
            expect![[r#"
            x:prog/linux/amd64 x:prog/linux/arm64 x:notes y:image/linux/amd64 y:image/linux/arm64 y:list z:push z:page
        "#]],
        );
        check(
            "release",
            expect![[r#"
            x:prog/linux/amd64 x:prog/linux/arm64 x:notes y:image/linux/amd64 y:image/linux/arm64 y:list z:push z:page
        "#]],
        );
        check(
            "y",
            expect![[r#"
            x:prog/linux/amd64 x:prog/linux/arm64 y:image/linux/amd64 y:image/linux/arm64 y:list
        "#]],
        );
        check(
            "y:list",
            expect![[r#"
            x:prog/linux/amd64 x:prog/linux/arm64 y:image/linux/amd64 y:image/linux/arm64 y:list
        "#]],
        );
        check(
            "y:image/linux/arm64 x:notes",
            expect![[r#"
            x:prog/linux/arm64 x:notes y:image/linux/arm64
        "#]],
        );
        check(
            "both",
            expect![[r#"
            x:prog/linux/arm64 x:notes y:image/linux/arm64
        "#]],
        );
        check(
            "images --platform linux/arm64",
            expect![[r#"
            x:prog/linux/arm64 y:image/linux/arm64
            y:list: NeedsOtherPlatforms
        "#]],
        );
        check(
            "release --snapshot",
            expect![[r#"
            x:prog/linux/amd64 x:prog/linux/arm64 x:notes y:image/linux/amd64 y:image/linux/arm64 y:list
        "#]],
        );
        check(
            "nothing --skip porg --from y:imgae",
            expect![[r#"
            there is nothing to run called `nothing`
            there is nothing to run called `y:imgae`
            there is nothing to run called `porg`
        "#]],
        );
    }

    #[test]
    fn only_what_is_named() {
        check(
            "z --only",
            expect![[r#"
            [x:prog/linux/amd64] [x:prog/linux/arm64] [x:notes] [y:image/linux/amd64] [y:image/linux/arm64] [y:list] z:push z:page
        "#]],
        );
        check(
            "y:list z:push --only",
            expect![[r#"
            [x:prog/linux/amd64] [x:prog/linux/arm64] [y:image/linux/amd64] [y:image/linux/arm64] y:list z:push
        "#]],
        );
        check(
            "x:prog z:push --only",
            expect![[r#"
            x:prog/linux/amd64 x:prog/linux/arm64 [y:image/linux/amd64] [y:image/linux/arm64] [y:list] z:push
        "#]],
        );
        check(
            "release --only",
            expect![[r#"
            x:prog/linux/amd64 x:prog/linux/arm64 x:notes y:image/linux/amd64 y:image/linux/arm64 y:list z:push z:page
        "#]],
        );
        check(
            "images --only --platform linux/arm64",
            expect![[r#"
            [x:prog/linux/arm64] y:image/linux/arm64
            y:list: NeedsOtherPlatforms
        "#]],
        );
        check(
            "z --only --snapshot",
            expect![[r#"
                nothing
            "#]],
        );
    }

    #[test]
    fn without_what_is_skipped() {
        check(
            "release --skip y:list",
            expect![[r#"
            x:prog/linux/amd64 x:prog/linux/arm64 x:notes y:image/linux/amd64 y:image/linux/arm64 z:page
            y:list: Skipped
            z:push: NeedsSkipped
        "#]],
        );
        check(
            "release --skip y:image/linux/arm64 --skip z:page",
            expect![[r#"
            x:prog/linux/amd64 x:prog/linux/arm64 x:notes y:image/linux/amd64
            y:image/linux/arm64: Skipped
            y:list: NeedsSkipped
            z:push: NeedsSkipped
            z:page: Skipped
        "#]],
        );
        check(
            "release --skip x:prog",
            expect![[r#"
            x:notes z:page
            x:prog/linux/amd64: Skipped
            x:prog/linux/arm64: Skipped
            y:image/linux/amd64: NeedsSkipped
            y:image/linux/arm64: NeedsSkipped
            y:list: NeedsSkipped
            z:push: NeedsSkipped
        "#]],
        );
        check(
            "z --skip z:push",
            expect![[r#"
            x:notes z:page
            z:push: Skipped
        "#]],
        );
        check(
            "images --skip z",
            expect![[r#"
            x:prog/linux/amd64 x:prog/linux/arm64 y:image/linux/amd64 y:image/linux/arm64 y:list
        "#]],
        );
        check(
            "z:push --skip x:prog",
            expect![[r#"
                nothing
                x:prog/linux/amd64: Skipped
                x:prog/linux/arm64: Skipped
                z:push: NeedsSkipped
            "#]],
        );
        check(
            "z --only --skip y:list",
            expect![[r#"
            [x:notes] z:page
            y:list: Skipped
            z:push: NeedsSkipped
        "#]],
        );
    }

    #[test]
    fn what_is_off() {
        let check = |words: &str, expect: Expect| check_of(&format!("{TABLES}{OFF}"), words, expect);
        check(
            "y:nightly",
            expect![[r#"
            nothing
            `y:nightly` is off: its `if` is false
            all of it is off
        "#]],
        );
        check(
            "y:nightly/linux/amd64 z:push-nightly",
            expect![[r#"
            nothing
            `y:nightly` is off: its `if` is false
            `z:push-nightly` is off: it needs `y:nightly`, which is off
            all of it is off
        "#]],
        );
        check(
            "z:push-all --only",
            expect![[r#"
            [x:prog/linux/amd64] [x:prog/linux/arm64] [y:image/linux/amd64] [y:image/linux/arm64] [y:list] z:push-all
            `y:nightly` is off: its `if` is false
        "#]],
        );
        check(
            "z:page",
            expect![[r#"
            x:notes z:page
        "#]],
        );
        check(
            "z:page y:nightly",
            expect![[r#"
            x:notes z:page
            `y:nightly` is off: its `if` is false
        "#]],
        );
        check(
            "z:page --skip y:nightly",
            expect![[r#"
            x:notes z:page
        "#]],
        );
        check(
            "--from y:nightly",
            expect![[r#"
            nothing
            `y:nightly` is off: its `if` is false
            all of it is off
        "#]],
        );
        check(
            "y:nigthly",
            expect![[r#"
            there is nothing to run called `y:nigthly`
        "#]],
        );
    }

    #[test]
    fn from_there_on() {
        check(
            "--from y:list",
            expect![[r#"
            x:prog/linux/amd64 x:prog/linux/arm64 y:image/linux/amd64 y:image/linux/arm64 y:list z:push
        "#]],
        );
        check(
            "--from y:list --only",
            expect![[r#"
            [x:prog/linux/amd64] [x:prog/linux/arm64] [y:image/linux/amd64] [y:image/linux/arm64] y:list z:push
        "#]],
        );
        check(
            "--from x:notes --from y:list --only",
            expect![[r#"
            [x:prog/linux/amd64] [x:prog/linux/arm64] x:notes [y:image/linux/amd64] [y:image/linux/arm64] y:list z:push z:page
        "#]],
        );
        check(
            "y:list --from x:prog/linux/arm64 --only",
            expect![[r#"
            [x:prog/linux/amd64] x:prog/linux/arm64 [y:image/linux/amd64] y:image/linux/arm64 y:list
        "#]],
        );
        check(
            "z:page --from y",
            expect![[r#"
                nothing
            "#]],
        );
        check(
            "--from x --skip y:list",
            expect![[r#"
            x:prog/linux/amd64 x:prog/linux/arm64 x:notes y:image/linux/amd64 y:image/linux/arm64 z:page
            y:list: Skipped
            z:push: NeedsSkipped
        "#]],
        );
    }
}
