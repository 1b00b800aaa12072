//! `forge why`: for each task that was asked for, why it would run or is fresh, and what made it run last.
//! Runs nothing.

use forge_schemas::exit;

use super::args::{Arguments, Selection};
use super::session::{Mode, Session};
use super::{OpenPipes, folder, lock, output};
use crate::plan::{Plan, Targets, TaskId};
use crate::run::why::{self, Last, Next, Past, Why};
use crate::secrets::hidden;
use crate::store::{Changed, Lock};

/// So many changes are shown of a task.
const SHOWN: usize = 20;

/// Tells why.
pub fn why(arguments: &Arguments, selection: &Selection, pipes: OpenPipes) -> Result<u8, u8> {
    let mode = if selection.snapshot { Mode::Snapshot } else { Mode::Look };
    let session = Session::open(arguments, mode, pipes)?;
    let plan = session.select(selection)?.plan;
    let (past, _lock) = past(arguments, &session)?;
    let found = why::why(&plan, &past).map_err(|it| output::failure(&it))?;
    for id in asked_for(&session, &plan, selection) {
        if let Some(why) = found.of.get(&id) {
            tell(&plan, id, why);
        }
    }
    Ok(exit::DONE)
}

/// What earlier runs have left, held: what a run writes at this moment is not to be read half.
pub fn past<'s>(arguments: &Arguments, session: &'s Session) -> Result<(Past<'s>, Lock), u8> {
    let (folder, held) = folder::take(arguments, &session.root)?;
    let past = Past {
        root: session.root.clone(),
        folder,
        sources: &session.sources,
        project: session.project.clone(),
        pipes: &session.pipes,
        env: session.head.env.clone(),
        locked: lock::read(arguments)?,
        hidden: hidden(&session.head.secrets, &session.head.registries),
    };
    Ok((past, held))
}

fn asked_for(session: &Session, plan: &Plan, selection: &Selection) -> Vec<TaskId> {
    let named = match selection.names.as_slice() {
        [] => Vec::new(),
        // A name whose tasks were all left out names nothing here.
        names => {
            let targets = Targets::of(plan, &session.head.goals);
            names.iter().flat_map(|it| targets.find(std::slice::from_ref(it)).unwrap_or_default()).collect()
        }
    };
    plan.order().iter().copied().filter(|id| selection.names.is_empty() || named.contains(id)).collect()
}

// What has changed is told below it.
fn in_words(plan: &Plan, next: &Next) -> String {
    match next {
        Next::Fresh => "is fresh".to_owned(),
        Next::Always => "runs every time: it asks the world".to_owned(),
        Next::First => "would run: no earlier run of it is known".to_owned(),
        Next::Lost => "would run: what it made is not in the store any more".to_owned(),
        Next::Changed(_) => "would run, for this is not what it was:".to_owned(),
        Next::After(first) => {
            let first = plan.task(*first);
            format!("can't be told yet: its inputs aren't known, because {first} would run first")
        }
        Next::Unclear(failure) => format!("can't be told: {failure}"),
    }
}

fn tell(plan: &Plan, id: TaskId, why: &Why) {
    let changed = match &why.next {
        Next::Changed(changed) => changed.as_slice(),
        _ => &[],
    };
    output::print(&format!("{} {}", plan.task(id), in_words(plan, &why.next)));
    list(changed);
    match &why.last {
        Last::Never => {}
        Last::First => output::print("  its last run was the first that is known"),
        Last::Always => output::print("  its last run: it runs every time"),
        Last::Lost => output::print("  its last run: nothing had changed, but what it had made was not in the store"),
        Last::Changed(changed) => {
            output::print("  its last run, for this was not what it had been:");
            list(changed);
        }
    }
}

fn list(changed: &[Changed]) {
    for Changed { part, before, now } in changed.iter().take(SHOWN) {
        output::print(&match (before, now) {
            (Some(before), Some(now)) => format!("    {part}: {before} -> {now}"),
            (None, Some(now)) => format!("    {part}: new, {now}"),
            (Some(before), None) => format!("    {part}: gone, was {before}"),
            (None, None) => format!("    {part}"),
        });
    }
    if changed.len() > SHOWN {
        output::print(&format!("    and {} more", changed.len() - SHOWN));
    }
}
