//! Events for people: a line a task that ran, the log of what failed, and at a terminal what runs now.
//! Quiet where there is nothing to say: what is fresh is counted, not listed.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use forge_schemas::{Event, EventKind, Failure, FailureClass, Level, Outcome};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{Colour, Sink, count, duration};

/// How much is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Verbosity {
    /// Failures alone.
    Quiet,
    /// A line a task.
    #[default]
    Normal,
    /// What programs write, too, and what is fresh.
    Verbose,
}

/// Tells people.
pub struct Terminal<W: Write> {
    out: W,
    verbosity: Verbosity,
    colour: Colour,
    /// What runs now, at a terminal.
    live: Option<MultiProgress>,
    running: BTreeMap<String, ProgressBar>,
}

/// How often what runs now is painted.
const TICK: Duration = Duration::from_millis(100);

impl<W: Write> Terminal<W> {
    /// Lines into `out`.
    pub fn lines(out: W, verbosity: Verbosity, colour: Colour) -> Terminal<W> {
        Terminal { out, verbosity, colour, live: None, running: BTreeMap::new() }
    }

    /// The same, with what runs now below the lines. `out` must be the terminal's standard error.
    #[must_use]
    pub fn with_live_lines(mut self) -> Terminal<W> {
        self.live = Some(MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10)));
        self
    }

    fn line(&mut self, line: &str) {
        match &self.live {
            // The lines that are painted anew move down.
            Some(live) => drop(live.println(line)),
            None => drop(writeln!(self.out, "{line}")),
        }
    }

    fn started(&mut self, task: &str) {
        let Some(live) = &self.live else { return };
        let bar = live.add(ProgressBar::new_spinner());
        if let Ok(style) = ProgressStyle::with_template("{elapsed:>8} {prefix} {wide_msg:.dim}") {
            bar.set_style(style);
        }
        bar.set_prefix(task.to_owned());
        bar.enable_steady_tick(TICK);
        self.running.insert(task.to_owned(), bar);
    }

    fn ended(&mut self, task: &str, outcome: &Outcome, took: u64, tail: &[String], log: Option<&str>) {
        if let Some(bar) = self.running.remove(task) {
            bar.finish_and_clear();
        }
        match outcome {
            Outcome::Done if self.verbosity >= Verbosity::Normal => {
                let line = format!("{} {task} ({})", self.paint(GREEN, "   done"), duration(took));
                self.line(&line);
            }
            Outcome::Fresh if self.verbosity >= Verbosity::Verbose => {
                let line = format!("{} {task}", self.paint(DIM, "  fresh"));
                self.line(&line);
            }
            Outcome::Skipped { because } if self.verbosity >= Verbosity::Normal => {
                let line = format!("{} {task}: {because}", self.paint(YELLOW, "skipped"));
                self.line(&line);
            }
            Outcome::Failed { failure } if failure.class == FailureClass::Cancelled => {
                let line = format!("{} {task} ({})", self.paint(YELLOW, "stopped"), duration(took));
                self.line(&line);
            }
            Outcome::Failed { failure } => self.failed(task, failure, took, tail, log),
            Outcome::Done | Outcome::Fresh | Outcome::Skipped { .. } => {}
        }
    }

    fn failed(&mut self, task: &str, failure: &Failure, took: u64, tail: &[String], log: Option<&str>) {
        let mut lines = vec![
            format!("{} {task} ({})", self.paint(RED, " failed"), duration(took)),
            format!("        {}", failure.message),
        ];
        lines.extend(failure.causes.iter().map(|cause| format!("        because: {cause}")));
        if self.verbosity < Verbosity::Verbose {
            lines.extend(tail.iter().map(|line| format!("        | {line}")));
        }
        lines.extend(failure.help.iter().map(|help| format!("        help: {help}")));
        lines.extend(log.iter().map(|log| format!("        the whole log is {log}")));
        self.line(&lines.join("\n"));
    }

    fn run_ended(&mut self, at: u64, done: usize, fresh: usize, failed: usize, skipped: usize) {
        if self.verbosity < Verbosity::Normal {
            return;
        }
        let counts = [(done, "done"), (fresh, "fresh"), (failed, "failed"), (skipped, "skipped")];
        let said: Vec<String> =
            counts.iter().filter(|(number, _)| *number > 0).map(|(number, word)| format!("{number} {word}")).collect();
        let total = done + fresh + failed + skipped;
        let line = match total {
            0 => "nothing to do".to_owned(),
            _ if fresh == total => format!("nothing to do: {} fresh ({})", count(total, "task"), duration(at)),
            _ => format!("{}: {} ({})", count(total, "task"), said.join(", "), duration(at)),
        };
        self.line(&line);
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        match self.colour {
            Colour::Ansi => format!("\x1b[{colour}m{text}\x1b[0m"),
            Colour::Plain => text.to_owned(),
        }
    }

    fn says(&mut self, task: &str, words: &str) {
        match self.running.get(task) {
            Some(bar) => bar.set_message(words.to_owned()),
            None if self.verbosity == Verbosity::Verbose => self.line(&format!("        {task} | {words}")),
            None => {}
        }
    }
}

const RED: &str = "1;31";
const GREEN: &str = "32";
const YELLOW: &str = "33";
const DIM: &str = "2";

impl<W: Write> Sink for Terminal<W> {
    fn tell(&mut self, event: &Event) {
        let task = event.task.as_deref().unwrap_or_default();
        // What is said of the run as a whole has no task.
        let whose = || event.task.as_ref().map_or_else(String::new, |task| format!("{task}: "));
        match &event.event {
            EventKind::RunStarted { tasks, project, version, .. } if self.verbosity >= Verbosity::Normal => {
                let line = format!("{project} {version}: {}", count(*tasks, "task"));
                self.line(&line);
            }
            EventKind::TaskStarted => self.started(task),
            EventKind::Output { line } if self.verbosity == Verbosity::Verbose => {
                self.line(&format!("        {task} | {line}"));
            }
            EventKind::Output { line } => self.says(task, line),
            EventKind::Log { level, message } if *level >= Level::Warn => {
                let line = format!("{} {}{message}", self.paint(YELLOW, "   note"), whose());
                self.line(&line);
            }
            EventKind::Log { level: Level::Info, message } if self.verbosity >= Verbosity::Normal => {
                self.line(&format!("        {}{message}", whose()));
            }
            EventKind::Log { message, .. } => self.says(task, message),
            EventKind::Progress { message, .. } if !message.is_empty() => self.says(task, message),
            EventKind::TaskEnded { outcome, took, tail, log } => {
                self.ended(task, outcome, *took, tail, log.as_deref());
            }
            EventKind::Interrupted { times: 1 } => {
                self.line("interrupted: waiting for what runs to stop (^C again kills it)");
            }
            EventKind::Interrupted { .. } => self.line("interrupted again: killing what runs"),
            EventKind::RunEnded { done, fresh, failed, skipped } => {
                self.run_ended(event.at, *done, *fresh, *failed, *skipped);
            }
            EventKind::RunStarted { .. }
            | EventKind::Command { .. }
            | EventKind::Progress { .. }
            | EventKind::Artifact { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(verbosity: Verbosity, events: &[(Option<&str>, EventKind)], expect: Expect) {
        let mut out = Vec::new();
        let mut terminal = Terminal::lines(&mut out, verbosity, Colour::Plain);
        for (task, event) in events {
            terminal.tell(&Event { at: 12_400, task: task.map(ToOwned::to_owned), event: event.clone() });
        }
        expect.assert_eq(&String::from_utf8(out).unwrap());
    }

    fn ended(outcome: Outcome) -> EventKind {
        EventKind::TaskEnded { outcome, took: 1200, tail: Vec::new(), log: None }
    }

    #[test]
    fn what_failed_says_all_there_is_to_know() {
        let failure = Failure::new(FailureClass::Tool, "`cargo` ended with exit status 101")
            .cause("a type error")
            .help("read what the compiler says");
        let failed = EventKind::TaskEnded {
            outcome: Outcome::Failed { failure },
            took: 900,
            tail: vec!["$ cargo build".into(), "error: mismatched types".into()],
            log: Some(".forge/runs/1/logs/build.txt".into()),
        };
        check(
            Verbosity::Normal,
            &[
                (Some("build:hello/linux/amd64"), failed),
                (Some("docker:image"), ended(Outcome::Skipped { because: "build:hello/linux/amd64 failed".into() })),
                (None, EventKind::RunEnded { done: 0, fresh: 1, failed: 1, skipped: 1 }),
            ],
            expect![[r#"
                 failed build:hello/linux/amd64 (0.9s)
                        `cargo` ended with exit status 101
                        because: a type error
                        | $ cargo build
                        | error: mismatched types
                        help: read what the compiler says
                        the whole log is .forge/runs/1/logs/build.txt
                skipped docker:image: build:hello/linux/amd64 failed
                3 tasks: 1 fresh, 1 failed, 1 skipped (12.4s)
            "#]],
        );
    }

    #[test]
    fn what_is_said_says_whose_it_is() {
        let log = |level, message: &str| EventKind::Log { level, message: message.into() };
        check(
            Verbosity::Normal,
            &[
                (None, log(Level::Info, "going on with version 1")),
                (Some("publish:x"), log(Level::Info, "`x:1` is there")),
                (None, log(Level::Warn, "the record was damaged")),
                (Some("build:x"), log(Level::Warn, "`x` is not what it was")),
                (None, EventKind::RunEnded { done: 1, fresh: 0, failed: 0, skipped: 0 }),
            ],
            expect![[r#"
                        going on with version 1
                        publish:x: `x:1` is there
                   note the record was damaged
                   note build:x: `x` is not what it was
                1 task: 1 done (12.4s)
            "#]],
        );
    }

    #[test]
    fn a_second_run_says_one_line() {
        let events = [
            (Some("build:hello"), ended(Outcome::Fresh)),
            (None, EventKind::RunEnded { done: 0, fresh: 1, failed: 0, skipped: 0 }),
        ];
        check(
            Verbosity::Normal,
            &events,
            expect![[r#"
            nothing to do: 1 task fresh (12.4s)
        "#]],
        );
        check(Verbosity::Quiet, &events, expect![""]);
        check(
            Verbosity::Verbose,
            &events,
            expect![[r#"
              fresh build:hello
            nothing to do: 1 task fresh (12.4s)
        "#]],
        );
    }
}
