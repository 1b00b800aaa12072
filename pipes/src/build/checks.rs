//! How the tests of this pipe look at what a table plans and does.
//! Does not know any tool.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use expect_test::Expect;
use forge_plugin::schemas::{Command, Exit, Place, Problem, Step};
use forge_plugin::testing::{FakeHost, plan_table, run_step, sample_facts};
use serde_json::Value;

use super::Build;

/// The steps of a table.
pub fn plan(settings: &Value) -> Result<Vec<Step>, Vec<Problem>> {
    plan_table::<Build>(settings, &sample_facts(), &[], &[])
}

/// What a table plans, without what `run` is told, or what is wrong with it.
pub fn check_plan(settings: &Value, expect: &Expect) {
    let text: String = match plan(settings) {
        Ok(steps) => steps.iter().map(describe).collect(),
        Err(problems) => problems.iter().map(complain).collect(),
    };
    expect.assert_eq(&text);
}

/// What each step of a table starts, on a host whose programs write what they are told to.
pub fn check_run(settings: &Value, expect: &Expect) {
    let host = FakeHost::new().on_exec(|command| {
        write_output(command);
        Exit { code: Some(0), ..Exit::default() }
    });
    expect.assert_eq(&run(settings, host));
}

/// What each step of a table starts, makes, and how it ends.
pub fn run(settings: &Value, mut host: FakeHost) -> String {
    use forge_plugin::Host as _;
    let mut text = String::new();
    for step in plan(settings).expect("a plan") {
        let started = host.record().commands.len();
        let ended = run_step::<Build>(&step, &mut host);
        for command in &host.record().commands[started..] {
            text.push_str(&show(command));
        }
        match ended {
            Ok(made) => made.iter().for_each(|it| writeln!(text, "made {}", it.name).expect("text")),
            Err(failure) => {
                let help = failure.help.map_or(String::new(), |help| format!("; {help}"));
                let causes: String = failure.causes.iter().map(|cause| format!(": {cause}")).collect();
                writeln!(text, "failed: {}{causes}{help}", failure.message).expect("text");
            }
        }
    }
    text.replace(&host.dir().display().to_string(), "DIR").replace(&host.root().display().to_string(), "ROOT")
}

/// Writes what a program would write, where its environment says.
pub fn write_output(command: &Command) {
    if let Some(output) = command.env.get("FORGE_OUTPUT") {
        fs::create_dir_all(Path::new(output).parent().expect("a directory")).expect("a directory");
        fs::write(output, "a program").expect("a file");
    }
}

fn describe(step: &Step) -> String {
    let mut text = format!("{} at {}\n", step.name, place(&step.place));
    for output in &step.makes {
        writeln!(text, "  makes {} {}", output.name, output.detail).expect("text");
    }
    for read in &step.reads {
        writeln!(text, "  reads {} at {}", read.path, place(&read.place)).expect("text");
    }
    for tool in &step.tools {
        let asks = [&[tool.program.clone()][..], &tool.version].concat();
        writeln!(text, "  asks {}", asks.join(" ")).expect("text");
    }
    text
}

fn complain(problem: &Problem) -> String {
    let help = problem.help.as_ref().map_or(String::new(), |help| format!("; {help}"));
    format!("{}: {}{help}\n", place(&problem.place), problem.message)
}

fn place(place: &Place) -> String {
    match place {
        Place::Key(key) if key.is_empty() => "the table".to_owned(),
        Place::Key(key) => key.clone(),
        Place::File { path, .. } => path.clone(),
    }
}

fn show(command: &Command) -> String {
    let dir = command.dir.as_ref().map_or(String::new(), |dir| dir.display().to_string());
    let mut text = format!("{dir}$ {}\n", shell_words::join(&command.argv));
    for (name, value) in &command.env {
        writeln!(text, "  {name}={}", value.replace('\x1f', " | ")).expect("text");
    }
    text
}
