//! Tasks that must be fresh: looked at before anything runs, and all that is missing told at once.
//! Decides nothing else: those that may run are left to the loop.

use std::collections::{BTreeMap, BTreeSet};

use forge_schemas::Failure;

use super::fresh::{Look, Seen};
use super::made::Made;
use crate::plan::TaskId;

/// Tasks that must be fresh.
#[derive(Debug, Clone, Default)]
pub struct Required {
    /// Which.
    pub tasks: BTreeSet<TaskId>,
    /// What a user types before the name of a task to run it.
    pub command: &'static str,
}

/// Whether all tasks that must be fresh are. The failure names each that is not, and why.
pub fn check(look: &Look<'_>, required: &Required) -> Result<(), Failure> {
    if required.tasks.is_empty() {
        return Ok(());
    }
    let missing = Search::through(look, required);
    if missing.is_empty() {
        return Ok(());
    }
    let number = match missing.len() {
        1 => "a task that is needed is not fresh".to_owned(),
        many => format!("{many} tasks that are needed are not fresh"),
    };
    let failure = Failure::input(format!("`--only` runs what is named and nothing else, but {number}"))
        .help("leave out `--only`, and what is not fresh is made first");
    let causes = missing.iter().map(|(id, why)| {
        let task = look.plan.task(*id);
        format!("`{task}` {why}; `{} {task}` makes it", required.command)
    });
    Ok(causes.fold(failure, Failure::cause)).and_then(Err)
}

/// A task that must be fresh was so when the run began, and is not any more.
pub fn gone() -> Failure {
    Failure::input("what it had made was there when the run began, and is not now")
        .help("leave out `--only`, and it is made again")
}

/// What was seen of the required tasks, and of those that they need.
struct Search<'a> {
    look: Look<'a>,
    required: &'a BTreeSet<TaskId>,
    /// What fresh tasks have made.
    made: Made,
    /// Tasks that are not fresh, each with why; those that must be.
    due: BTreeSet<TaskId>,
    missing: BTreeMap<TaskId, String>,
}

impl Search<'_> {
    /// Every task that must be fresh and is not.
    fn through(look: &Look<'_>, required: &Required) -> BTreeMap<TaskId, String> {
        let mut search = Search {
            look: *look,
            required: &required.tasks,
            made: Made::nothing(look.plan.len()),
            due: BTreeSet::new(),
            missing: BTreeMap::new(),
        };
        let concerned = look.plan.all_needs(required.tasks.iter().copied());
        for round in rounds(look, &concerned) {
            search.look_at(round);
        }
        search.missing
    }

    fn look_at(&mut self, round: Vec<TaskId>) {
        let (blind, ready): (Vec<TaskId>, Vec<TaskId>) =
            round.into_iter().partition(|id| self.look.plan.needs(*id).any(|need| self.due.contains(&need)));
        for id in blind {
            self.miss(id, |search| search.after_others(id));
        }
        let seen = Look { made: &self.made, ..self.look }.at(ready);
        for (id, seen) in seen {
            match seen {
                Ok(Seen::Fresh(fingerprint)) => self.made.before(id, fingerprint),
                Ok(Seen::Due(due)) => self.miss(id, |search| match search.look.record.knows(&due.fingerprint) {
                    true => "was made, but that is no longer in the store".to_owned(),
                    false => search.unmade(id),
                }),
                Err(failure) => self.miss(id, |_| format!("can't be looked at: {failure}")),
            }
        }
    }

    fn miss(&mut self, id: TaskId, why: impl FnOnce(&Self) -> String) {
        self.due.insert(id);
        if self.required.contains(&id) {
            let why = why(self);
            self.missing.insert(id, why);
        }
    }

    fn unmade(&self, id: TaskId) -> String {
        match self.look.record.took(&self.look.plan.task(id).id) {
            None => "was never made here".to_owned(),
            Some(_) => "was made from other sources, settings or tools than there are now".to_owned(),
        }
    }

    fn after_others(&self, id: TaskId) -> String {
        let plan = self.look.plan;
        let open: Vec<String> = plan
            .needs(id)
            .filter(|need| self.due.contains(need))
            .map(|need| format!("`{}`", plan.task(need)))
            .collect();
        match self.look.record.took(&plan.task(id).id) {
            None => "was never made here".to_owned(),
            Some(_) => {
                let are = if open.len() == 1 { "is" } else { "are" };
                format!("needs {}, which {are} not fresh", open.join(" and "))
            }
        }
    }
}

/// Tasks in rounds: those of a round need earlier ones alone.
fn rounds(look: &Look<'_>, concerned: &[bool]) -> Vec<Vec<TaskId>> {
    let plan = look.plan;
    let mut depth = vec![0; plan.len()];
    let mut rounds: Vec<Vec<TaskId>> = Vec::new();
    for id in plan.order().iter().filter(|id| concerned[id.index()]) {
        let at = plan.needs(*id).map(|need| depth[need.index()] + 1).max().unwrap_or(0);
        depth[id.index()] = at;
        if rounds.len() <= at {
            rounds.resize(at + 1, Vec::new());
        }
        rounds[at].push(*id);
    }
    rounds
}
