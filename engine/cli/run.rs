//! `forge run`: text, project, plan, schedule, artifacts, report. This is forge as a whole.
//! Does not know how a task runs, or when: `run` and `schedule` do.

use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use forge_schemas::{Event, EventKind, Failure, Outcome, RunReport, TaskEntry, exit};

use super::args::{Arguments, Run as Options};
use super::select::list_targets;
use super::session::{Mode, Session};
use super::{OpenPipes, folder, intentions, lock, output, secrets};
use crate::plan::{Chosen, Plan, TaskId};
use crate::project::Renderer;
use crate::report::{JsonLines, Sink, Terminal};
use crate::run::locked::Locked;
use crate::run::secrets::Secrets;
use crate::run::{Required, Results, World, run as run_plan};
use crate::schedule::{AfterFailure, Limits};
use crate::store::{Dist, Earlier, Folder, Lists, write_history};

/// Runs what was asked for.
pub fn run(arguments: &Arguments, options: &Options, pipes: OpenPipes) -> Result<u8, u8> {
    let began = Began::now();
    let mode = if options.selection.snapshot { Mode::Snapshot } else { Mode::Release };
    if options.selection.names.is_empty() && options.selection.from.is_empty() {
        return list_targets(arguments, pipes);
    }
    let session = Session::reopen(arguments, mode, pipes)?;
    let chosen = session.select(&options.selection)?;
    let plan = &chosen.plan;
    let locked = lock::read(arguments)?;
    let secrets = secrets::read(&session);
    let (folder, _lock) = folder::take(arguments, &session.root)?;
    session.remember(&folder).map_err(|it| output::failure(&it))?;
    let diary = folder.runs().join(began.run_name());
    std::fs::create_dir_all(diary.join("logs"))
        .map_err(|error| output::failure(&Failure::file("make", &diary, &error)))?;
    let world = world(&session, &folder, &diary, options, &chosen, locked, secrets);
    let mut sinks = Sinks::open(arguments, options, &diary);
    sinks.tell(&started(&session, plan, &diary, &began));
    let results = run_plan(plan, &world, &mut |event| sinks.tell(event));
    if let Ok(results) = &results {
        sinks.tell(&Event { at: results.took, task: None, event: results.ended() });
    }
    sinks.finish();
    let report = || write_report(&session, plan, &diary, &began, &results);
    let lists = || results.as_ref().map_or(Ok(()), |results| write_lists(&session, plan, &folder, results));
    let (reported, listed) = rayon::join(report, lists);
    let results = results.map_err(|it| output::failure(&it))?;
    reported.and(listed).map_err(|it| output::failure(&it))?;
    // All is written. What is left is memory, which the system takes back at once where we would do it piece by piece.
    forge_plugin::leave(exit_code(&results))
}

fn world<'a>(
    session: &'a Session,
    folder: &Folder,
    diary: &Path,
    options: &Options,
    chosen: &Chosen,
    locked: Locked,
    secrets: Arc<Secrets>,
) -> World<'a> {
    World {
        root: session.root.clone(),
        folder: folder.clone(),
        diary: diary.to_path_buf(),
        sources: &session.sources,
        project: session.project.clone(),
        pipes: &session.pipes,
        env: session.head.env.clone(),
        locked,
        secrets,
        templates: Arc::new(Renderer::of_names()),
        registries: session.head.registries.clone(),
        intentions: intentions::of(session, &chosen.plan, options),
        limits: limits(session, options),
        after_failure: after_failure(options),
        required: Required {
            tasks: chosen.required.clone(),
            command: if options.selection.snapshot { "forge run --snapshot" } else { "forge run" },
        },
    }
}

fn after_failure(options: &Options) -> AfterFailure {
    match (options.fail_fast, options.keep_going) {
        (true, _) => AfterFailure::Stop,
        (_, true) => AfterFailure::KeepGoing,
        _ => AfterFailure::GoOn,
    }
}

/// When a run began, and what was typed.
struct Began {
    at: jiff::Timestamp,
    clock: Instant,
    command: Vec<String>,
}

impl Began {
    fn now() -> Began {
        let command = std::env::args_os().skip(1).map(|it| it.to_string_lossy().into_owned()).collect();
        Began { at: jiff::Timestamp::now(), clock: Instant::now(), command }
    }

    // Runs sort by when they began; two in one second differ by process.
    fn run_name(&self) -> String {
        format!("{}-{}", folder::moment(self.at), std::process::id())
    }
}

fn limits(session: &Session, options: &Options) -> Limits {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let own = &session.head.run;
    let number = |it: Option<u32>| it.map(|it| it as usize);
    Limits {
        // While one waits for files or for a program to start, the others keep all processors busy.
        cpu: options.jobs.map(usize::from).or(number(own.jobs)).unwrap_or(processors + 1),
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
            // What a run that is killed did until then is read from here.
            if matches!(
                event.event,
                EventKind::RunStarted { .. } | EventKind::TaskStarted | EventKind::TaskEnded { .. }
            ) {
                record.flush();
            }
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

fn started(session: &Session, plan: &Plan, diary: &Path, began: &Began) -> Event {
    let folder = diary.strip_prefix(&session.root).unwrap_or(diary).display().to_string();
    let event = EventKind::RunStarted {
        tasks: plan.len(),
        project: session.facts.name.clone(),
        version: session.facts.version.clone(),
        folder,
        command: began.command.clone(),
    };
    Event { at: 0, task: None, event }
}

fn write_lists(session: &Session, plan: &Plan, folder: &Folder, results: &Results) -> Result<(), Failure> {
    // Only a whole run that went well knows what nobody makes any more.
    let is_whole = plan.len() == session.plan.len() && results.is_good();
    let earlier = if is_whole { Earlier::Forget } else { Earlier::Keep };
    let lists = Lists { artifacts: results.said(), facts: &session.facts, earlier };
    Dist::of_project(&session.root).write_lists(&lists, folder, |blobs| results.artifacts(blobs))
}

fn write_report(
    session: &Session,
    plan: &Plan,
    diary: &Path,
    began: &Began,
    results: &Result<Results, Failure>,
) -> Result<(), Failure> {
    let entry = |results: &Results, id: TaskId| {
        let (outcome, took) = results.outcomes[id.index()].clone();
        TaskEntry { task: plan.task(id).id.clone(), outcome, took }
    };
    let report = RunReport {
        version: session.facts.version.clone(),
        began: began.at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        command: began.command.clone(),
        took: began.clock.elapsed().as_millis() as u64,
        exit: results.as_ref().map_or(exit::FAILED, exit_code),
        failure: results.as_ref().err().cloned(),
        tasks: results.as_ref().map_or_else(|_| Vec::new(), |it| plan.ids().map(|id| entry(it, id)).collect()),
    };
    let path: PathBuf = diary.join("report.json");
    let mut bytes = Vec::with_capacity(LINE * (1 + report.tasks.len()));
    serde_json::to_writer(&mut bytes, &report).map_err(|error| Failure::bug(error.to_string()))?;
    write_history(&path, &bytes).map_err(|error| Failure::file("write", &path, &error))
}

/// As many bytes as a report says of a task, most often.
const LINE: usize = 96;

fn exit_code(results: &Results) -> u8 {
    match (results.interrupted, results.is_good()) {
        (true, _) => exit::INTERRUPTED,
        (_, true) => exit::DONE,
        (_, false) => exit::FAILED,
    }
}
