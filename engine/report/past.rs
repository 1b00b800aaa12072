//! Runs that were: from the events and the report that a run has left to what is told of it.
//! Does not know where these lie. A run that was killed has no report, and the last of its events may be torn.

use std::collections::BTreeMap;

use forge_schemas::{Event, EventKind, Outcome, RunArtifact, RunEnd, RunRecord, RunReport, RunSummary, RunTask, exit};

/// When the run of this name began, RFC 3339 in UTC: `20240501T120000Z-77` says it. None for what names no run.
pub fn began(run: &str) -> Option<String> {
    let (time, process) = run.split_once("Z-")?;
    let (date, time) = time.split_once('T')?;
    let is_number = |text: &str, length: usize| text.len() == length && text.bytes().all(|it| it.is_ascii_digit());
    if !is_number(date, 8) || !is_number(time, 6) || !is_number(process, process.len().max(1)) {
        return None;
    }
    let (year, month, day) = (&date[..4], &date[4..6], &date[6..]);
    let (hour, minute, second) = (&time[..2], &time[2..4], &time[4..]);
    Some(format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z"))
}

/// A run in short. Its events are read only where it has no report; `unended` is how it ended then.
pub fn summary(run: &str, report: Option<&RunReport>, events: impl FnOnce() -> String, unended: RunEnd) -> RunSummary {
    match report {
        Some(report) => ended(run, report),
        None => Told::of(&events()).summary(run, unended),
    }
}

/// All that is known of a run.
pub fn record(run: &str, report: Option<RunReport>, events: &str, unended: RunEnd) -> RunRecord {
    let told = Told::of(events);
    let summary = match &report {
        Some(report) => ended(run, report),
        None => told.summary(run, unended),
    };
    let Some(report) = report else {
        return RunRecord { summary, failure: None, tasks: told.tasks, artifacts: told.artifacts };
    };
    let mut logs: BTreeMap<String, Option<String>> = told.tasks.into_iter().map(|it| (it.task, it.log)).collect();
    let tasks = report.tasks.into_iter().map(|it| RunTask {
        log: logs.remove(&it.task).flatten(),
        task: it.task,
        outcome: Some(it.outcome),
        took: it.took,
    });
    RunRecord { summary, failure: report.failure, tasks: tasks.collect(), artifacts: told.artifacts }
}

fn ended(run: &str, report: &RunReport) -> RunSummary {
    let count = |is: fn(&Outcome) -> bool| report.tasks.iter().filter(|it| is(&it.outcome)).count();
    RunSummary {
        run: run.to_owned(),
        began: if report.began.is_empty() { began(run).unwrap_or_default() } else { report.began.clone() },
        command: report.command.clone(),
        version: report.version.clone(),
        end: match report.exit {
            exit::DONE => RunEnd::Done,
            exit::INTERRUPTED => RunEnd::Interrupted,
            _ => RunEnd::Failed,
        },
        exit: Some(report.exit),
        took: report.took,
        tasks: report.tasks.len(),
        done: count(|it| matches!(it, Outcome::Done)),
        fresh: count(|it| matches!(it, Outcome::Fresh)),
        failed: count(|it| matches!(it, Outcome::Failed { .. })),
        skipped: count(|it| matches!(it, Outcome::Skipped { .. })),
    }
}

/// What the events of a run tell.
#[derive(Default)]
struct Told {
    version: String,
    command: Vec<String>,
    total: usize,
    /// When the last of them happened.
    last: u64,
    tasks: Vec<RunTask>,
    artifacts: Vec<RunArtifact>,
}

impl Told {
    // A line that can't be read is one that a killed run has not finished, or one of a newer forge.
    fn of(lines: &str) -> Told {
        let mut told = Told::default();
        let mut places = BTreeMap::new();
        for event in lines.lines().filter_map(|line| serde_json::from_str::<Event>(line).ok()) {
            told.hear(event, &mut places);
        }
        told
    }

    fn hear(&mut self, event: Event, places: &mut BTreeMap<String, usize>) {
        self.last = event.at;
        let name = event.task.unwrap_or_default();
        match event.event {
            EventKind::RunStarted { tasks, version, command, .. } => {
                (self.total, self.version, self.command) = (tasks, version, command);
            }
            EventKind::TaskStarted => {
                places.insert(name.clone(), self.tasks.len());
                self.tasks.push(RunTask { task: name, outcome: None, took: 0, log: None });
            }
            EventKind::TaskEnded { outcome, took, log, .. } => {
                let ended = RunTask { task: name.clone(), outcome: Some(outcome), took, log };
                match places.get(&name).and_then(|at| self.tasks.get_mut(*at)) {
                    Some(task) => *task = ended,
                    None => self.tasks.push(ended),
                }
            }
            EventKind::Artifact { name: artifact, kind, digest, size } => {
                self.artifacts.push(RunArtifact { name: artifact, kind, digest, size, task: name });
            }
            _ => {}
        }
    }

    fn summary(&self, run: &str, end: RunEnd) -> RunSummary {
        let outcomes = || self.tasks.iter().filter_map(|it| it.outcome.as_ref());
        let count = |is: fn(&Outcome) -> bool| outcomes().filter(|it| is(it)).count();
        RunSummary {
            run: run.to_owned(),
            began: began(run).unwrap_or_default(),
            command: self.command.clone(),
            version: self.version.clone(),
            end,
            exit: None,
            took: self.last,
            tasks: self.total,
            done: count(|it| matches!(it, Outcome::Done)),
            fresh: count(|it| matches!(it, Outcome::Fresh)),
            failed: count(|it| matches!(it, Outcome::Failed { .. })),
            skipped: count(|it| matches!(it, Outcome::Skipped { .. })),
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use forge_schemas::{Digest, TaskEntry};

    use super::*;

    fn events() -> String {
        let event = |at, task: Option<&str>, event| Event { at, task: task.map(ToOwned::to_owned), event };
        let ended = |outcome| EventKind::TaskEnded { outcome, took: 5, tail: Vec::new(), log: Some("a.txt".into()) };
        let events = [
            event(
                0,
                None,
                EventKind::RunStarted {
                    tasks: 3,
                    project: "hello".into(),
                    version: "1.2.3".into(),
                    folder: ".forge/runs/1".into(),
                    command: vec!["run".into(), "release".into()],
                },
            ),
            event(1, Some("a"), EventKind::TaskStarted),
            event(2, Some("b"), EventKind::TaskStarted),
            event(
                6,
                Some("a"),
                EventKind::Artifact { name: "a".into(), kind: "x".into(), digest: Digest::of(b"a"), size: 1 },
            ),
            event(7, Some("a"), ended(Outcome::Done)),
        ];
        events.iter().map(|it| serde_json::to_string(it).unwrap() + "\n").collect()
    }

    fn in_words(record: &RunRecord) -> String {
        let RunSummary { began, command, end, took, tasks, done, .. } = &record.summary;
        let ended = |it: &RunTask| format!("{} {:?} {:?}", it.task, it.outcome, it.log);
        let each: Vec<String> = record.tasks.iter().map(ended).collect();
        let made: Vec<&str> = record.artifacts.iter().map(|it| it.name.as_str()).collect();
        format!("{began} {command:?} {end:?} {took} {done} of {tasks}\n{}\nmade {made:?}", each.join("\n"))
    }

    #[test]
    fn names_say_when() {
        assert_eq!(began("20240501T120304Z-77").as_deref(), Some("2024-05-01T12:03:04Z"));
        for not in ["", "20240501T120304Z", "20240501T120304Z-", "2024-05-01", "20240501T12030xZ-7", "ääääääää-7"]
        {
            assert_eq!(began(not), None, "{not}");
        }
    }

    #[test]
    fn a_run_that_was_killed_is_told_from_its_events_wherever_they_are_torn() {
        let events = events();
        expect![[r#"
            2024-05-01T12:03:04Z ["run", "release"] Died 7 1 of 3
            a Some(Done) Some("a.txt")
            b None None
            made ["a"]"#]]
        .assert_eq(&in_words(&record("20240501T120304Z-77", None, &events, RunEnd::Died)));
        let mut done = Vec::new();
        for length in 0..events.len() {
            done.push(record("20240501T120304Z-77", None, &events[..length], RunEnd::Died).summary.done);
        }
        assert!(done.is_sorted() && done.first() == Some(&0));
    }

    #[test]
    fn a_run_that_ended_is_told_from_its_report() {
        let task = |task: &str, outcome| TaskEntry { task: task.into(), outcome, took: 5 };
        let report = RunReport {
            version: "1.2.3".into(),
            began: "2024-05-01T12:03:04Z".into(),
            command: vec!["run".into()],
            took: 9,
            exit: exit::FAILED,
            failure: None,
            tasks: vec![task("c", Outcome::Fresh), task("a", Outcome::Done)],
        };
        expect![[r#"
            2024-05-01T12:03:04Z ["run"] Failed 9 1 of 2
            c Some(Fresh) None
            a Some(Done) Some("a.txt")
            made ["a"]"#]]
        .assert_eq(&in_words(&record("20240501T120304Z-77", Some(report), &events(), RunEnd::Died)));
    }
}
