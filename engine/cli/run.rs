//! `forge run`: text, project, plan, schedule, artifacts, report. This is forge as a whole.
//! Does not know how a task runs, or when: `run` and `schedule` do.

use std::io::BufWriter;
use std::path::{Path, PathBuf};

use forge_schemas::{Event, EventKind, Outcome, RunReport, TaskEntry, exit};

use super::args::{Arguments, Run as Options};
use super::session::{Mode, Session};
use super::{OpenPipes, output, secrets};
use crate::plan::{Plan, Targets};
use crate::report::{JsonLines, Sink, Terminal};
use crate::run::{AfterFailure, Results, World, run as run_plan};
use crate::schedule::Limits;
use crate::store::{Blobs, Dist, Earlier, Folder, Lock, wait_for, write_beside};

/// Runs what was asked for.
pub fn run(arguments: &Arguments, options: &Options, pipes: OpenPipes) -> Result<u8, u8> {
    let mode = if options.selection.snapshot { Mode::Snapshot } else { Mode::Release };
    if options.selection.names.is_empty() {
        return list(arguments, pipes);
    }
    let session = Session::reopen(arguments, mode, pipes)?;
    let plan = session.select(&options.selection)?;
    let secrets = secrets::read(&session, &plan)?;
    let folder = Folder::of_project(&session.root).map_err(|it| output::failure(&it))?;
    let _lock = lock(&folder)?;
    session.remember(&folder).map_err(|it| output::failure(&it))?;
    let diary = folder.runs().join(run_name());
    std::fs::create_dir_all(diary.join("logs"))
        .map_err(|error| output::failure(&forge_schemas::Failure::file("make", &diary, &error)))?;
    let world = World {
        root: session.root.clone(),
        folder: folder.clone(),
        diary: diary.clone(),
        sources: &session.sources,
        pipes: &session.plugins,
        env: session.head.env.clone(),
        registries: session.head.registries.clone(),
        secrets,
        limits: limits(&session, options),
        after_failure: if options.fail_fast { AfterFailure::Stop } else { AfterFailure::GoOn },
    };
    let mut sinks = Sinks::open(arguments, options, &diary);
    sinks.tell(&started(&session, &plan, &diary));
    let results = run_plan(&plan, &world, &mut |event| sinks.tell(event)).map_err(|it| output::failure(&it))?;
    sinks.tell(&ended(&results));
    sinks.finish();
    write(&session, &plan, &folder, &diary, &results).map_err(|it| output::failure(&it))?;
    // All is written. What is left is memory, which the system takes back at once where we would do it piece by piece.
    std::process::exit(i32::from(exit_code(&results)))
}

fn list(arguments: &Arguments, pipes: OpenPipes) -> Result<u8, u8> {
    let session = Session::open(arguments, Mode::Look, pipes)?;
    output::note("there is this to run:");
    for name in Targets::of(&session.plan).names() {
        output::print(&name);
    }
    Ok(exit::PROJECT)
}

fn lock(folder: &Folder) -> Result<Lock, u8> {
    let told = |holder: &str| output::note(&format!("waiting for another forge in this project: {holder}"));
    wait_for(&folder.file("lock"), told).map_err(|it| output::failure(&it))
}

// Runs sort by when they began; two in one second differ by process.
fn run_name() -> String {
    let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    format!("{now}-{}", std::process::id())
}

fn limits(session: &Session, options: &Options) -> Limits {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let own = &session.head.run;
    let number = |it: Option<u32>| it.map(|it| it as usize);
    Limits {
        cpu: options.jobs.map(usize::from).or(number(own.jobs)).unwrap_or(processors),
        memory: number(own.memory).unwrap_or(1),
        network: number(own.network).unwrap_or(8),
    }
}

/// Who hears of a run: the user, and the run's own record.
struct Sinks {
    user: User,
    record: Option<JsonLines<BufWriter<std::fs::File>>>,
}

enum User {
    Terminal(Terminal<std::io::Stderr>),
    Json(JsonLines<std::io::Stdout>),
}

impl Sinks {
    fn open(arguments: &Arguments, options: &Options, diary: &Path) -> Sinks {
        let user = match options.json {
            true => User::Json(JsonLines::new(std::io::stdout())),
            false => {
                let lines = Terminal::lines(std::io::stderr(), output::verbosity(arguments), output::colour(arguments));
                let is_live = output::is_live() && !arguments.quiet;
                User::Terminal(if is_live { lines.with_live_lines() } else { lines })
            }
        };
        // A record that can't be written is no reason not to release.
        let record = std::fs::File::create(diary.join("events.jsonl")).ok();
        Sinks { user, record: record.map(|file| JsonLines::new(BufWriter::new(file))) }
    }

    fn tell(&mut self, event: &Event) {
        match &mut self.user {
            User::Terminal(terminal) => terminal.tell(event),
            User::Json(lines) => lines.tell(event),
        }
        // What is fresh stands in the report; a line each would be all that most runs write.
        let is_news = !matches!(event.event, EventKind::TaskEnded { outcome: Outcome::Fresh, .. });
        if let Some(record) = self.record.as_mut().filter(|_| is_news) {
            record.tell(event);
        }
    }

    fn finish(self) {
        if let Some(record) = self.record {
            let _ = record.finish();
        }
        if let User::Json(lines) = self.user {
            let _ = lines.finish();
        }
    }
}

fn started(session: &Session, plan: &Plan, diary: &Path) -> Event {
    let folder = diary.strip_prefix(&session.root).unwrap_or(diary).display().to_string();
    let event = EventKind::RunStarted {
        tasks: plan.len(),
        project: session.facts.name.clone(),
        version: session.facts.version.clone(),
        folder,
    };
    Event { at: 0, task: None, event }
}

fn ended(results: &Results) -> Event {
    let count = |is: fn(&Outcome) -> bool| results.outcomes.iter().filter(|(outcome, _)| is(outcome)).count();
    let event = EventKind::RunEnded {
        done: count(|it| matches!(it, Outcome::Done)),
        fresh: count(|it| matches!(it, Outcome::Fresh)),
        failed: count(|it| matches!(it, Outcome::Failed { .. })),
        skipped: count(|it| matches!(it, Outcome::Skipped { .. })),
    };
    Event { at: results.took, task: None, event }
}

fn write(
    session: &Session,
    plan: &Plan,
    folder: &Folder,
    diary: &Path,
    results: &Results,
) -> Result<(), forge_schemas::Failure> {
    let artifacts: Vec<_> = results.artifacts.values().map(|it| &**it).collect();
    Blobs::open(folder.store())?.write_index(&artifacts)?;
    // Only a whole run that went well knows what nobody makes any more.
    let is_whole = plan.len() == session.plan.len() && results.is_good();
    let earlier = if is_whole { Earlier::Forget } else { Earlier::Keep };
    Dist::of_project(&session.root).write_lists(&artifacts, &session.facts, earlier, &folder.file("lists"))?;
    let tasks = plan.ids().map(|id| {
        let (outcome, took) = results.outcomes[id.index()].clone();
        TaskEntry { task: plan.task(id).id.clone(), outcome, took }
    });
    let report = RunReport { version: session.facts.version.clone(), tasks: tasks.collect() };
    let path: PathBuf = diary.join("report.json");
    let bytes = serde_json::to_vec(&report).map_err(|error| forge_schemas::Failure::bug(error.to_string()))?;
    write_beside(&path, &bytes).map_err(|error| forge_schemas::Failure::file("write", &path, &error))
}

fn exit_code(results: &Results) -> u8 {
    match (results.interrupted, results.is_good()) {
        (true, _) => exit::INTERRUPTED,
        (_, true) => exit::DONE,
        (_, false) => exit::FAILED,
    }
}
