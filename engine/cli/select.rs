//! From the names and flags of a command line to the part of the plan that is meant, and what there is to name.
//! Does not know what is done with it.

use forge_schemas::exit;

use super::args::{Arguments, Selection as Typed};
use super::session::{Mode, Session};
use super::{OpenPipes, output};
use crate::diagnostic::list;
use crate::pipes::Pipes as _;
use crate::plan::{Chosen, LeftOut, LeftOutBecause, Off, Reach, Selection, Target, Targets, UnknownTarget, Upstream};
use crate::report::count;

impl Session {
    /// The part of the plan that was asked for, with what it needs. What is left out of it, and what is wrong, is told.
    pub fn select(&self, typed: &Typed) -> Result<Chosen, u8> {
        let targets = Targets::of(&self.plan, &self.head.goals);
        let chosen = selection(typed).choose(targets).map_err(|unknown| tell_unknown(&unknown))?;
        tell_off(chosen.plan.off());
        if chosen.plan.is_empty() && !self.plan.is_empty() && !chosen.is_off {
            return Err(nothing_left(typed));
        }
        tell_left_out(&chosen.left_out);
        Ok(chosen)
    }
}

/// Lists what there is to run. Nothing was named, so nothing was run: that is an error to a script whose name was empty.
pub fn list_targets(arguments: &Arguments, pipes: OpenPipes) -> Result<u8, u8> {
    let session = Session::open(arguments, Mode::Look, pipes)?;
    output::note("nothing was named; there is this to run, and single tasks, which `forge plan` lists");
    let targets = Targets::of(&session.plan, &session.head.goals);
    let (goals, pipes) = (targets.goals(), targets.pipes());
    let tables = pipes.values().flatten();
    let widest = goals.iter().chain(tables).map(|it| it.name.len()).max().unwrap_or(0);
    output::print("goals");
    for goal in &goals {
        let stands_for =
            session.head.goals.get(&goal.name).map_or_else(|| "every table".to_owned(), |it| it.join(", "));
        output::print(&line("  ", goal, widest + 2, &stands_for));
    }
    for (pipe, tables) in pipes {
        let summary = session.pipes.info(pipe).map_or("", |info| info.summary.as_str());
        output::print(&format!("\n{pipe}: {summary}"));
        for table in &tables {
            let off = session.plan.off().iter().find(|off| off.table.to_string() == table.name);
            let words = off.map_or_else(String::new, |off| format!("off: {}", off.because));
            output::print(&line("  ", table, widest + 2, &words));
        }
    }
    Ok(exit::PROJECT)
}

fn line(indent: &str, target: &Target, width: usize, words: &str) -> String {
    let tasks = count(target.tasks, "task");
    format!("{indent}{:<width$}{tasks:<10}{words}", target.name).trim_end().to_owned()
}

fn selection(typed: &Typed) -> Selection {
    Selection {
        names: typed.names.clone(),
        from: typed.from.clone(),
        skip: typed.skip.clone(),
        platforms: typed.platforms.clone(),
        upstream: if typed.only { Upstream::MustBeFresh } else { Upstream::Runs },
        reach: if typed.snapshot { Reach::ThisMachine } else { Reach::Anywhere },
    }
}

fn tell_unknown(unknown: &[UnknownTarget]) -> u8 {
    for target in unknown {
        output::error(&target.to_string());
        output::note(&target.help);
    }
    exit::PROJECT
}

/// Tells the tables that are off, and why.
pub fn tell_off(off: &[Off]) {
    off.iter().for_each(|off| output::note(&off.to_string()));
}

fn tell_left_out(left_out: &[LeftOut]) {
    let said = [
        (LeftOutBecause::Skipped, "left out by `--skip`"),
        (LeftOutBecause::NeedsSkipped, "left out, for it needs what is skipped"),
        (LeftOutBecause::NeedsOtherPlatforms, "left out, for it needs other platforms too"),
    ];
    for (because, words) in said {
        let tasks: Vec<&str> = left_out.iter().filter(|it| it.because == because).map(|it| it.task.as_str()).collect();
        if !tasks.is_empty() {
            output::note(&format!("{words}: {}", list(tasks, ", ")));
        }
    }
}

fn nothing_left(typed: &Typed) -> u8 {
    output::error("nothing is left to run");
    let reasons = [
        (typed.snapshot, "`--snapshot` leaves out what uploads and publishes"),
        (!typed.platforms.is_empty(), "`--platform` leaves out tasks of other platforms, and all that need them"),
        (!typed.skip.is_empty(), "`--skip` leaves out tasks, and all that need them"),
        (!typed.from.is_empty(), "`--from` leaves out what does not need these tasks"),
    ];
    for (_, words) in reasons.iter().filter(|(is_so, _)| *is_so) {
        output::note(words);
    }
    exit::PROJECT
}
