//! The tutorial of `docs/plugins.md`, done as it says from an empty folder: every command works, and prints what is shown.
//! Does not know what the commands are.

use std::process::{Command, Stdio};

use crate::support::forge::executable;
use crate::support::project::Project;

const PAGE: &str = include_str!("../../docs/plugins.md");

/// A command of the page, and the lines that it is said to print.
struct Shown {
    command: String,
    output: Vec<String>,
}

/// The commands of the blocks that are of a console.
fn commands() -> Vec<Shown> {
    let mut shown: Vec<Shown> = Vec::new();
    let mut here = None;
    let blocks = PAGE.split("```console\n").skip(1).map(|it| it.split("```").next().unwrap_or_default());
    for line in blocks.flat_map(str::lines) {
        match (line.strip_prefix("$ "), shown.last_mut()) {
            (Some(command), _) => {
                here = command.split_once("<<'").map(|it| it.1.trim_end_matches('\'').to_owned());
                shown.push(Shown { command: command.to_owned(), output: Vec::new() });
            }
            (None, Some(last)) if here.is_some() => {
                last.command += &format!("\n{line}");
                here = here.filter(|end| end != line);
            }
            (None, Some(last)) => last.output.push(line.to_owned()),
            (None, None) => panic!("a block begins with a command: {line}"),
        }
    }
    shown
}

/// Whether this line was printed; `…` stands for anything.
fn is_printed(line: &str, printed: &str) -> bool {
    let parts: Vec<&str> = line.split('…').collect();
    printed.lines().any(|it| {
        let mut rest = Some(it);
        for part in &parts {
            rest = rest.and_then(|it| it.find(part).map(|at| &it[at + part.len()..]));
        }
        rest.is_some_and(|rest| rest.is_empty() || line.ends_with('…'))
    })
}

#[test]
fn works_as_it_is_written() {
    const END: &str = "== the end of a command";
    let project = Project::of_text("");
    let home = project.command(&[]);
    let shown = commands();
    assert!(shown.len() > 15, "the commands are found");
    // One shell for all, so that a change of directory stays.
    let script: String = shown.iter().map(|it| format!("{}\necho '{END}'\n", it.command)).collect();
    let path = std::env::var("PATH").unwrap_or_default();
    let beside = executable();
    let beside = beside.parent().expect("a program is in a directory").display().to_string();
    let mut shell = Command::new("sh");
    shell.arg("-ec").arg(format!("exec 2>&1\n{script}")).current_dir(project.root()).stdin(Stdio::null());
    shell
        .envs(home.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .env("PATH", format!("{beside}:{path}"));
    let output = shell.env_remove("CI").output().expect("a shell starts");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{printed}");
    for (Shown { command, output }, printed) in shown.iter().zip(printed.split(END)) {
        for line in output {
            assert!(is_printed(line, printed), "$ {command}\ndoes not print\n{line}\nbut{printed}");
        }
    }
}

#[test]
fn every_message_is_on_the_page() {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins/tests/messages");
    let files = std::fs::read_dir(directory).expect("the messages are there");
    let names = files.map(|it| it.expect("a directory can be read").file_name().to_string_lossy().into_owned());
    let missing: Vec<String> = names
        .map(|it| [".json", ".request", ".reply"].iter().fold(it, |name, end| name.trim_end_matches(end).to_owned()))
        .filter(|name| !PAGE.contains(&format!("`{name}`")) && !PAGE.contains(&format!("**{name}**")))
        .collect();
    assert!(missing.is_empty(), "docs/plugins.md does not name {missing:?}");
}
