//! Effects on the world: none twice, none over something that nobody expects, and each with its lines in the journal.
//! Does not know what an effect is, only what was found where it goes.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use forge_schemas::{Change, Digest, Effect, Event, EventKind, Failure, FailureClass, Finding, Level};

use crate::plan::{Plan, Task};
use crate::store::{Begun, Folder, Journal, Release};

/// What a run does with a release that was begun and has not come to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unfinished {
    /// Goes on with it.
    #[default]
    GoOn,
    /// Leaves it as it is, and begins anew.
    BeginAnew,
}

/// What is to become of the world.
#[derive(Debug, Clone)]
pub struct Intentions {
    /// What this release is to be.
    pub release: Release,
    /// What becomes of one that was begun before.
    pub unfinished: Unfinished,
    /// Places where another thing may be replaced that should stay.
    pub replace: BTreeSet<String>,
}

/// The journal of this run, and what it may do.
pub struct Effects {
    intentions: Intentions,
    journal: Mutex<Journal>,
    /// The release that this run goes on with, as it was found.
    begun: Option<Begun>,
}

impl Effects {
    /// Those of a run. A release that was begun, and of which others may have seen a part, is not changed under way.
    pub fn open(folder: &Folder, intentions: Intentions, tell: &mut dyn FnMut(&Event)) -> Result<Effects, Failure> {
        let mut journal = Journal::open(folder.file("journal"))?;
        let mut note = |level, message: String| {
            tell(&Event { at: 0, task: None, event: EventKind::Log { level, message } });
        };
        if let Some(torn) = journal.torn() {
            note(Level::Warn, torn.to_owned());
        }
        let begun = match (journal.begun().cloned(), intentions.unfinished) {
            (None, _) => None,
            (Some(_), Unfinished::BeginAnew) => {
                journal.end()?;
                None
            }
            (Some(begun), Unfinished::GoOn) if begun.release == intentions.release => {
                note(Level::Info, format!("going on with version {}, which was begun before", begun.release.version));
                Some(begun)
            }
            (Some(begun), Unfinished::GoOn) if begun.is_visible() => return Err(changed(&begun, &intentions.release)),
            // Nobody has seen anything of it.
            (Some(_), Unfinished::GoOn) => None,
        };
        Ok(Effects { intentions, journal: Mutex::new(journal), begun })
    }

    /// Whether an earlier run was about to do this, so that it must be asked what became of it.
    pub fn was_begun(&self, task: &Task) -> bool {
        self.begun.as_ref().is_some_and(|begun| begun.intent(&task.id).is_some())
    }

    /// Whether a task may act where it has found this.
    pub fn judge(&self, task: &Task, found: &[Finding]) -> Result<(), Failure> {
        let conflicts: Vec<Failure> = found.iter().filter_map(|it| self.conflict(task, it)).collect();
        let mut conflicts = conflicts.into_iter();
        let Some(first) = conflicts.next() else { return Ok(()) };
        Err(conflicts.fold(first, |first, other| first.cause(other.message)))
    }

    /// The task is about to act.
    pub fn intend(&self, task: &Task, found: &[Finding]) -> Result<(), Failure> {
        let mut journal = self.journal();
        journal.begin(&self.intentions.release)?;
        journal.intend(&task.id, task.step.effect, found)
    }

    /// The task has acted.
    pub fn done(&self, task: &Task) -> Result<(), Failure> {
        self.journal().done(&task.id)
    }

    /// Every effect of the run is done. Where it was a run of a part, an earlier one may have begun to publish another part:
    /// then the release is not at its end.
    pub fn end(&self) -> Result<(), Failure> {
        let mut journal = self.journal();
        match journal.begun().is_some_and(Begun::is_open) {
            true => Ok(()),
            false => journal.end(),
        }
    }

    fn conflict(&self, task: &Task, found: &Finding) -> Option<Failure> {
        if self.intentions.replace.contains(&found.place) {
            return None;
        }
        if let Some(failure) = self.is_other(task, found) {
            return Some(failure);
        }
        let because = match &found.change {
            Change::Conflict { because } => because.clone(),
            Change::Move => self.moved_since(task, found)?,
            Change::Unknown | Change::None | Change::New => return None,
        };
        let (place, there, ours) = (&found.place, found.there, found.ours);
        let words = |digest: Option<Digest>| digest.map_or_else(String::new, |it| it.to_string());
        let failure = Failure::new(FailureClass::Refused, format!("`{place}` is another thing already: {because}"))
            .cause(format!("there is {}", words(there)))
            .cause(format!("ours is {}", words(ours)))
            .help(format!(
                "nothing was touched: give it another version or tag, leave it out with `--skip {task}`, or `--replace {place}`"
            ));
        Some(failure)
    }

    // What was to be put there when the release was begun is not what would be now: a source or a tool is another, and nobody
    // knows which of both the world has seen.
    fn is_other(&self, task: &Task, found: &Finding) -> Option<Failure> {
        let was = self.begun.as_ref()?.intent(&task.id)?.found.iter().find(|it| it.place == found.place)?;
        let (was, is) = (was.ours?, found.ours.filter(|is| Some(*is) != was.ours)?);
        let place = &found.place;
        let message = format!("`{place}` was to be another thing when this release was begun");
        let help = "a source or a tool has changed since: run it with the same, or begin anew with `--new`";
        Some(
            Failure::new(FailureClass::Refused, message)
                .cause(format!("then {was}"))
                .cause(format!("now {is}"))
                .help(help),
        )
    }

    // A place that was seen when the release was begun, and is neither that nor ours now.
    fn moved_since(&self, task: &Task, found: &Finding) -> Option<String> {
        let intent = self.begun.as_ref()?.intent(&task.id)?;
        let was = intent.found.iter().find(|it| it.place == found.place)?;
        let known = found.there == was.there || found.there == was.ours;
        (!known).then(|| "somebody has moved it since this release was begun".to_owned())
    }

    fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a plan does anything to the world.
pub fn has_any(plan: &Plan) -> bool {
    plan.tasks().any(|task| task.step.effect != Effect::Local)
}

fn changed(begun: &Begun, release: &Release) -> Failure {
    let message = format!(
        "a release of version {} was begun and is not finished, and the plan has changed since",
        begun.release.version
    );
    let failure = Failure::new(FailureClass::Input, message)
        .help("run that one to its end first, or leave it as it is and begin anew with `--new`");
    release.differences(&begun.release).into_iter().fold(failure, Failure::cause)
}
