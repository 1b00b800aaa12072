//! What a run wants of the world: the release as a value, and what the user has allowed.
//! Does not know how effects are done.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;

use forge_schemas::{Digest, Digester, Failure};

use super::args::Run as Options;
use super::session::Session;
use crate::plan::Plan;
use crate::run::effects::{Effects, Intentions, Unfinished, has_any};
use crate::store::{Folder, Release};

/// Those of a run of `chosen`; none where it has no effects.
pub fn of(session: &Session, chosen: &Plan, options: &Options) -> Option<Intentions> {
    has_any(chosen).then(|| Intentions {
        release: release(session),
        unfinished: if options.new { Unfinished::BeginAnew } else { Unfinished::GoOn },
        replace: options.replace.iter().cloned().collect(),
    })
}

/// What keeps a run of `chosen` from its first effect, if anything does: another release that is not finished, or a journal
/// that can't be read. Changes nothing.
pub fn obstacle(session: &Session, chosen: &Plan, folder: &Folder) -> Option<Failure> {
    let intentions = Intentions { release: release(session), unfinished: Unfinished::GoOn, replace: BTreeSet::new() };
    has_any(chosen).then(|| Effects::open(folder, intentions, &mut |_| {}).err()).flatten()
}

/// The whole release, whatever part of it was chosen: parts that are run one after the other are one release.
fn release(session: &Session) -> Release {
    let mut digesters: BTreeMap<String, Digester> = BTreeMap::new();
    for task in session.plan.tasks() {
        let digester = digesters.entry(task.table.to_string()).or_default();
        // Writing to a digester can't fail.
        let _ = writeln!(digester, "{} {}", task.id, task.step.digest);
    }
    let tables: BTreeMap<String, String> =
        digesters.into_iter().map(|(table, digester)| (table, digester.finish().0.short())).collect();
    let (version, commit) = (session.facts.version.clone(), session.facts.commit.clone());
    let plan = Digest::of(format!("{version} {commit} {tables:?}").as_bytes());
    Release { version, commit, plan, tables }
}
