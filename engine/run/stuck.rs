//! How a run ends: what is told of it, and what becomes of one whose tasks don't stop when they are asked to.
//! Does not know why they don't. What lives in a process of its own is killed by who has started it, long before this.

use std::time::{Duration, Instant};

use forge_schemas::{EventKind, Failure, Outcome, exit};

use super::cancel::Stop;
use super::{Results, Run};
use crate::plan::TaskId;
use crate::store::Inside;

/// How long tasks may take to end after the first signal: longer than programs and children have until they are killed.
const GRACE: Duration = Duration::from_secs(10);
/// The same after the second, which kills those at once.
const LAST_GRACE: Duration = Duration::from_secs(2);

/// When tasks must have ended that are asked like this now; not later than was said before.
pub fn patience(stop: Stop, before: Option<Instant>) -> Option<Instant> {
    let grace = match stop {
        Stop::Go => return None,
        Stop::Ask => GRACE,
        Stop::Kill => LAST_GRACE,
    };
    let then = Instant::now() + grace;
    Some(before.map_or(then, |before| before.min(then)))
}

/// Waits until then; for ever where there is no such time.
pub async fn until(then: Option<Instant>) {
    match then {
        Some(then) => tokio::time::sleep_until(then.into()).await,
        None => std::future::pending().await,
    }
}

impl Results {
    /// That it has ended, as it is told.
    pub fn ended(&self) -> EventKind {
        let count = |is: fn(&Outcome) -> bool| self.outcomes.iter().filter(|(outcome, _)| is(outcome)).count();
        EventKind::RunEnded {
            done: count(|it| matches!(it, Outcome::Done)),
            fresh: count(|it| matches!(it, Outcome::Fresh)),
            failed: count(|it| matches!(it, Outcome::Failed { .. })),
            skipped: count(|it| matches!(it, Outcome::Skipped { .. })),
        }
    }
}

impl Run<'_> {
    /// A pipe that listens to nothing can't be stopped in this process, so the process goes instead. What was written until
    /// now is as whole as after any other end.
    pub fn leave_behind(&mut self) {
        let running: Vec<TaskId> = self.schedule.running().collect();
        for id in running {
            let failure = Failure::bug("it did not stop when the run was interrupted, and forge has ended without it");
            let failure = self.world.pipes.blamed(&self.plan.task(id).table.pipe, failure);
            let help = "what lives in a child can be stopped from outside: leave out `isolation = \"in-process\"`";
            self.failed(id, failure.help(help), self.began.elapsed().as_millis() as u64, Vec::new(), None);
        }
        self.tell(None, self.results.ended());
        Inside::of_project(&self.world.root).forget_own();
        forge_plugin::leave(exit::INTERRUPTED)
    }
}
