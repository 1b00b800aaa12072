//! `forge clean`: what nobody needs any more goes, and how much room that made is told.
//! Knows no reachability: the store does.

use forge_schemas::exit;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use super::args::{Arguments, Clean as Options};
use super::{folder, output, session};
use crate::report::{count, size};
use crate::store::{self, Dist, Folder, Removed};

/// Removes what was asked for.
pub fn clean(arguments: &Arguments, options: &Options) -> Result<u8, u8> {
    let root = session::root(arguments)?;
    let first = options.older.map(first_run).transpose()?;
    let dist = Dist::of_project(&root);
    // A project in which nothing was made is not given a folder now.
    let is_there = Folder::look(&root).map_err(|it| output::failure(&it))?.exists() || options.all;
    let removed = match is_there {
        false => Removed::default(),
        true => {
            let (folder, _lock) = folder::take(arguments, &root)?;
            let removed = match options.all {
                true => store::clean_all(&folder, &dist),
                false => store::clean(&folder, &dist, first.as_deref()),
            };
            removed.map_err(|it| output::failure(&it))?
        }
    };
    if !arguments.quiet {
        output::print(&in_words(&removed));
    }
    Ok(exit::DONE)
}

// The name that a run would have that began so long ago.
fn first_run(age: Span) -> Result<String, u8> {
    let then = Timestamp::now().to_zoned_datetime(TimeZone::UTC).checked_sub(age.abs());
    then.map(|it| folder::moment(it.timestamp())).map_err(|error| {
        output::error(&format!("`--older`: {error}"));
        exit::PROJECT
    })
}

fn in_words(removed: &Removed) -> String {
    if removed.is_nothing() {
        return "nothing to remove".to_owned();
    }
    let Removed { content, entries, runs, others, bytes } = *removed;
    let parts = [
        (content, format!("{} of the store", count(content, "file"))),
        (
            entries,
            format!("{} of the record", if entries == 1 { "1 entry".to_owned() } else { format!("{entries} entries") }),
        ),
        (runs, count(runs, "run")),
        (others, count(others, "other file")),
    ];
    let parts: Vec<String> = parts.into_iter().filter(|(number, _)| *number > 0).map(|(_, words)| words).collect();
    format!("removed {}: {}", parts.join(", "), size(bytes))
}
