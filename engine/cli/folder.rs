//! The project's folder, for commands that change it: taken by one forge at a time.
//! Does not know what a command does there.

use std::path::Path;

use jiff::Timestamp;

use super::args::Arguments;
use super::output;
use crate::store::{Folder, Lock, Patience};

/// Takes the folder of the project in this directory. Whoever has to wait is told for whom.
pub fn take(arguments: &Arguments, root: &Path) -> Result<(Folder, Lock), u8> {
    let patience = if arguments.no_wait { Patience::None } else { Patience::Wait };
    let told = |holder: &str| output::note(&format!("waiting for another forge in this project: {holder}"));
    Folder::take(root, patience, told).map_err(|it| output::failure(&it))
}

/// How the name of a run begins that began at this time: names of runs sort by it.
pub fn moment(time: Timestamp) -> String {
    time.strftime("%Y%m%dT%H%M%SZ").to_string()
}
