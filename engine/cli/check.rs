//! `forge check`: every mistake in the project file, and nothing else.

use std::collections::BTreeSet;

use forge_schemas::exit;

use super::args::{Arguments, Check as Options};
use super::select::tell_off;
use super::session::{Mode, Session};
use super::{OpenPipes, output};
use crate::report::count;

/// Checks the project file.
pub fn check(arguments: &Arguments, options: &Options, pipes: OpenPipes) -> Result<u8, u8> {
    let mode = if options.snapshot { Mode::Snapshot } else { Mode::Look };
    let session = Session::open(arguments, mode, pipes)?;
    if !arguments.quiet {
        tell_off(session.plan.off());
        let tables = count(session.plan.tasks().map(|task| &task.table).collect::<BTreeSet<_>>().len(), "table");
        let tasks = count(session.plan.len(), "task");
        output::print(&format!("{}: no mistakes ({tables}, {tasks})", arguments.file.display()));
    }
    Ok(exit::DONE)
}
