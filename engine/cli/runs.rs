//! `forge runs` and `forge runs show`: what happened, from what each run has left under `.forge/runs`. Changes nothing there.
//! Does not know what of a run's record means what: `report` does.

use std::path::{Path, PathBuf};

use forge_schemas::{Event, EventKind, RunEnd, RunList, RunRecord, RunReport, RunSummary, exit};

use super::args::{Arguments, Runs as Options, RunsCommand, ShowRun};
use super::{output, session};
use crate::report::{Sink as _, Terminal, Verbosity, began, count, duration, record, run_summary, size};
use crate::store::holder;

/// Lists runs, or shows one.
pub fn runs(arguments: &Arguments, options: &Options) -> Result<u8, u8> {
    let runs = Runs::of_project(&session::root(arguments)?);
    match &options.command {
        Some(RunsCommand::Show(show)) => show_run(arguments, &runs, show),
        None => list(&runs, options),
    }
}

fn list(runs: &Runs, options: &Options) -> Result<u8, u8> {
    let list = RunList { runs: runs.names.iter().take(options.number).map(|run| runs.summary(run)).collect() };
    if options.json {
        output::print(&serde_json::to_string_pretty(&list).unwrap_or_default());
        return Ok(exit::DONE);
    }
    if list.runs.is_empty() {
        output::note("nothing was run yet");
    }
    let rows: Vec<[String; 6]> = list.runs.iter().map(row).collect();
    let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..6).map(width).collect();
    for row in &rows {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        output::print(cells.join("  ").trim_end());
    }
    if runs.names.len() > list.runs.len() {
        let more = count(runs.names.len() - list.runs.len(), "older run");
        output::note(&format!("there are {more}: `forge runs -n {}` lists all", runs.names.len()));
    }
    Ok(exit::DONE)
}

fn row(run: &RunSummary) -> [String; 6] {
    [
        run.run.clone(),
        time(run),
        end_in_words(run.end).to_owned(),
        duration(run.took),
        tasks_in_words(run),
        command(run),
    ]
}

fn show_run(arguments: &Arguments, runs: &Runs, options: &ShowRun) -> Result<u8, u8> {
    let run = runs.find(&options.run)?;
    let record = runs.record(run);
    if options.json {
        output::print(&serde_json::to_string_pretty(&record).unwrap_or_default());
        return Ok(exit::DONE);
    }
    let summary = &record.summary;
    let code = summary.exit.map_or_else(String::new, |code| format!(", exit code {code}"));
    output::print(&format!("{}: {} after {}{code}", summary.run, end_in_words(summary.end), duration(summary.took)));
    output::print(&format!("  began    {}", time(summary)));
    output::print(&format!("  command  {}", command(summary)));
    if !summary.version.is_empty() {
        output::print(&format!("  version  {}", summary.version));
    }
    output::print(&format!("  tasks    {}", tasks_in_words(summary)));
    show_tasks(arguments, &record);
    if !record.artifacts.is_empty() {
        output::print("\nmade");
        let widest = record.artifacts.iter().map(|it| it.name.len()).max().unwrap_or(0);
        for it in &record.artifacts {
            let size = size(it.size);
            output::print(&format!("  {:<widest$}  {:<13}  {}  {size}", it.name, it.kind, it.digest));
        }
    }
    Ok(exit::DONE)
}

/// Each task as it was told when it ended.
fn show_tasks(arguments: &Arguments, record: &RunRecord) {
    if let Some(failure) = &record.failure {
        output::print(&format!("\n{failure}"));
        failure.causes.iter().for_each(|cause| output::print(&format!("  because: {cause}")));
        failure.help.iter().for_each(|help| output::print(&format!("  help: {help}")));
    }
    if !record.tasks.is_empty() {
        output::print("");
    }
    let mut terminal = Terminal::lines(std::io::stdout(), Verbosity::Verbose, output::colour_of_lists(arguments));
    for task in &record.tasks {
        let Some(outcome) = task.outcome.clone() else {
            let what = if record.summary.end == RunEnd::Running { "   runs" } else { "   died" };
            output::print(&format!("{what} {}", task.task));
            continue;
        };
        let event = EventKind::TaskEnded { outcome, took: task.took, tail: Vec::new(), log: task.log.clone() };
        terminal.tell(&Event { at: 0, task: Some(task.task.clone()), event });
    }
}

/// Names in their order: by time, and within a second by process, which is a number.
fn age(run: &str) -> (String, u64) {
    let (time, process) = run.split_once('-').unwrap_or((run, ""));
    (time.to_owned(), process.parse().unwrap_or(0))
}

fn time(run: &RunSummary) -> String {
    format!("{} UTC", run.began.trim_end_matches('Z').replace('T', " "))
}

fn command(run: &RunSummary) -> String {
    match run.command.is_empty() {
        true => "(not known)".to_owned(),
        false => format!("forge {}", run.command.join(" ")),
    }
}

fn tasks_in_words(run: &RunSummary) -> String {
    let counts = [(run.done, "done"), (run.fresh, "fresh"), (run.failed, "failed"), (run.skipped, "skipped")];
    let said: Vec<String> =
        counts.iter().filter(|(number, _)| *number > 0).map(|(number, word)| format!("{number} {word}")).collect();
    match (run.exit, said.is_empty()) {
        (None, true) if run.tasks == 0 => "not known".to_owned(),
        (None, true) => format!("none of {}", run.tasks),
        (None, false) => format!("{} of {}", said.join(", "), run.tasks),
        (Some(_), true) => "none".to_owned(),
        (Some(_), false) => said.join(", "),
    }
}

fn end_in_words(end: RunEnd) -> &'static str {
    match end {
        RunEnd::Done => "done",
        RunEnd::Failed => "failed",
        RunEnd::Interrupted => "interrupted",
        RunEnd::Running => "running",
        RunEnd::Died => "died",
    }
}

/// The runs of a project, the last first.
struct Runs {
    folder: PathBuf,
    names: Vec<String>,
    /// Who runs here now.
    holder: Option<String>,
}

impl Runs {
    fn of_project(root: &Path) -> Runs {
        let folder = root.join(".forge/runs");
        let entries = std::fs::read_dir(&folder).into_iter().flatten().filter_map(Result::ok);
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<String> = names.filter(|name| began(name).is_some()).collect();
        names.sort_unstable_by_key(|name| std::cmp::Reverse(age(name)));
        Runs { folder, names, holder: holder(&root.join(".forge/lock")) }
    }

    /// The run of this name, or the only one whose name starts so.
    fn find(&self, name: &str) -> Result<&str, u8> {
        let found: Vec<&String> = match name {
            "LAST" => self.names.first().into_iter().collect(),
            _ => self.names.iter().filter(|it| it.starts_with(name)).collect(),
        };
        match found.as_slice() {
            [one] => return Ok(one),
            [] if self.names.is_empty() => output::error("nothing was run yet"),
            [] => {
                output::error(&format!("there is no run called `{name}`"));
                output::note("`forge runs` lists them; LAST is the last one");
            }
            several => {
                output::error(&format!("there are {} whose names start with `{name}`", count(several.len(), "run")));
                output::note("`forge runs` lists them");
            }
        }
        Err(exit::PROJECT)
    }

    fn summary(&self, run: &str) -> RunSummary {
        run_summary(run, self.report(run).as_ref(), || self.events(run), self.unended(run))
    }

    fn record(&self, run: &str) -> RunRecord {
        record(run, self.report(run), &self.events(run), self.unended(run))
    }

    fn report(&self, run: &str) -> Option<RunReport> {
        let path = self.folder.join(run).join("report.json");
        let bytes = std::fs::read(&path).ok()?;
        let report = serde_json::from_slice(&bytes);
        report.map_err(|error| output::note(&format!("`{}` can't be read: {error}", path.display()))).ok()
    }

    fn events(&self, run: &str) -> String {
        let bytes = std::fs::read(self.folder.join(run).join("events.jsonl")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// How a run ended that has left no report: it has not, if its process holds the lock of the project.
    fn unended(&self, run: &str) -> RunEnd {
        let process = run.rsplit('-').next().unwrap_or_default();
        let is_word = |holder: &String| holder.split(|c: char| !c.is_ascii_digit()).any(|it| it == process);
        match self.holder.as_ref().is_some_and(is_word) {
            true => RunEnd::Running,
            false => RunEnd::Died,
        }
    }
}
