//! Which numbers are free (libmisc/find_new_uid.c, find_new_gid.c, find_new_sub_uids.c).
//! Does not know whose.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use crate::docker::run::Wrong;
use crate::docker::run::busybox::Sort;
use crate::docker::run::shadow::defaults::Defaults;
use crate::docker::run::shadow::table::{Table, name};

/// Versions do not agree on 65535.
const LARGEST: u64 = 65534;

/// A number for a new account: of `UID` or `GID`. The one that is preferred, if it may be; for people above all that are taken,
/// for the system below.
pub(super) fn free(
    of: &str,
    sort: Sort,
    preferred: Option<u64>,
    taken: &BTreeSet<u64>,
    defaults: &Defaults,
) -> Result<u64, Wrong> {
    let range = range(of, sort, defaults)?;
    let lowest_preferred = if sort == Sort::System { 1 } else { *range.start() };
    if let Some(number) = preferred.filter(|it| (lowest_preferred..=*range.end()).contains(it) && !taken.contains(it)) {
        return Ok(number);
    }
    let inside = || taken.iter().copied().filter(|it| range.contains(it));
    let is_free = |number: &u64| !taken.contains(number);
    let found = match sort {
        Sort::Other => {
            let start = inside().next_back().map_or(*range.start(), |highest| highest + 1);
            (start..=*range.end()).find(is_free).or_else(|| range.clone().find(is_free))
        }
        Sort::System => {
            let end = inside().next().map_or(*range.end(), |lowest| lowest - 1);
            (*range.start()..=end).rev().find(is_free).or_else(|| range.clone().rev().find(is_free))
        }
    };
    found.ok_or_else(|| Wrong::Fails("no number is left".to_owned()))
}

fn range(of: &str, sort: Sort, defaults: &Defaults) -> Result<RangeInclusive<u64>, Wrong> {
    let (min, max) = (format!("{of}_MIN"), format!("{of}_MAX"));
    let start_of_people = defaults.number_or(&min, 1000)?;
    let (start, end) = match sort {
        Sort::Other => (start_of_people, defaults.number_or(&max, 60000)?),
        Sort::System => {
            let below = start_of_people.saturating_sub(1);
            (defaults.number_or(&format!("SYS_{min}"), 101)?.max(1), defaults.number_or(&format!("SYS_{max}"), below)?)
        }
    };
    match start <= end && (1..=LARGEST).contains(&start) && end <= LARGEST {
        true => Ok(start..=end),
        false => Err(Wrong::Untold(format!("`/etc/login.defs` says that numbers are from {start} to {end}"))),
    }
}

/// Adds numbers to a table that somebody may give to others, of `UID` or `GID`.
pub(super) fn subordinate(table: &mut Table, of: &str, user: (&str, u64), defaults: &Defaults) -> Result<(), Wrong> {
    let (user, uid) = user;
    let taken = table.lines.iter().any(|line| name(line) == user || name(line) == uid.to_string());
    if taken {
        return Err(Wrong::Untold(format!("`/{}` has numbers of `{user}` already", table.file.path)));
    }
    let min = defaults.number_or(&format!("SUB_{of}_MIN"), 100_000)?;
    let max = defaults.number_or(&format!("SUB_{of}_MAX"), 600_100_000)?;
    let count = defaults.number_or(&format!("SUB_{of}_COUNT"), 65536)?;
    let mut ranges: Vec<(u64, u64, String)> = Vec::new();
    for line in &table.lines {
        let count = line.rsplit(':').next().and_then(|it| it.parse().ok());
        match (table.number(line), count) {
            (Some(start), Some(count)) if count > 0 => ranges.push((start, count, line.clone())),
            _ => return Err(Wrong::Untold(format!("`{line}` in `/{}` is no range of numbers", table.file.path))),
        }
    }
    // They are written by their place.
    ranges.sort();
    let start = hole(&ranges, min, max, count).ok_or_else(|| Wrong::Fails("no numbers are left to give".to_owned()))?;
    table.lines = ranges.into_iter().map(|(_, _, line)| line).collect();
    table.lines.push(format!("{user}:{start}:{count}"));
    Ok(())
}

/// The lowest so many numbers that nobody has.
fn hole(ranges: &[(u64, u64, String)], min: u64, max: u64, count: u64) -> Option<u64> {
    let mut low = min;
    for (start, size, _) in ranges {
        let high = (*start).min(max + 1);
        if high > low && high - low >= count {
            return Some(low);
        }
        low = low.max(start + size);
        if low > max {
            return None;
        }
    }
    (max >= low && max - low + 1 >= count).then_some(low)
}
