//! `RUN` of what needs no program of another: commands that only move files and accounts about, done on the tree of the image.
//! Does not guess: what is not known to the byte is refused (docs/decisions/0021-run-without-programs.md).

mod apk;
mod busybox;
#[cfg(test)]
mod checks;
mod commands;
mod files;
mod line;
mod mode;
mod options;
mod tools;
mod tree;

use std::ops::Range;

use forge_plugin::schemas::Failure;
use parse_dockerfile::{Command as Parsed, RunInstruction};
use serde::{Deserialize, Serialize};

pub use self::apk::{Apk, Sources, group_version};
use self::commands::{Command, Does};
use self::files::Running;
use self::line::Word;
use self::tools::Tools;
pub use self::tree::Tree;
use crate::docker::beyond::Mounted;
use crate::docker::dockerfile::Reader;
use crate::docker::laying::Laying;
use crate::docker::packages::Stock;
use crate::docker::words::Mistake;
use crate::oci::layer::Entry;

const HELP: &str = "forge runs no program; it does `mkdir`, `chmod`, `chown`, `ln -s`, `cp`, `mv`, `rm`, `touch`, `true`, busybox's `adduser` \
    and `addgroup`, and Alpine's `apk add`, `apk del` and `apk update`, joined by `&&`; for all else set `engine = \"auto\"`, and a \
    program of this machine builds it (`buildx`, `docker`, `podman` or `buildah`)";

/// What a `RUN` does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    form: Form,
    commands: Vec<Command>,
}

/// How it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Form {
    /// For a shell.
    Shell,
    /// As a list of words.
    Exec,
}

/// Why a command is not done.
#[derive(Debug)]
pub enum Wrong {
    /// It would fail.
    Fails(String),
    /// Only running it could tell what it does.
    Untold(String),
    /// Something else went wrong.
    Failure(Failure),
}

/// Where and by whom it is run.
pub struct Place<'a> {
    /// The environment of the image.
    pub env: &'a [(String, String)],
    /// The user of the image.
    pub user: &'a str,
    /// The shell of the image, where it names one.
    pub shell: Option<Vec<String>>,
    /// The time of all that is made, in seconds since 1970.
    pub timestamp: i64,
    /// The packages that may be added.
    pub stock: Option<Stock>,
}

impl Run {
    /// What is asked of apk.
    pub fn apk(&self) -> impl Iterator<Item = &Apk> {
        self.commands.iter().filter_map(|it| if let Does::Apk(apk) = &it.does { Some(apk) } else { None })
    }
}

/// Reads an instruction. None, and problems, where it is anything else than such commands.
pub(crate) fn read(reader: &mut Reader<'_>, instruction: &RunInstruction<'_>) -> Option<Run> {
    for flag in &instruction.options {
        let message = format!("`RUN --{}` is not supported", flag.name.value);
        match reader.beyond.mount(flag) {
            Mounted::Project => reader.beyond_in_project(flag.span(), message),
            Mounted::Other => reader.beyond::<()>(flag.span(), message, HELP),
        };
    }
    if !instruction.options.is_empty() {
        return None;
    }
    if let Some(text) = instruction.here_docs.first() {
        return reader.beyond(text.span.clone(), "a script for `RUN` needs a shell", HELP);
    }
    if let Some(name) = ["PATH", "SHELL"].into_iter().find(|it| reader.args.contains(*it)) {
        return reader.beyond(
            instruction.run.span.clone(),
            format!("`RUN` with an `ARG {name}` is not supported"),
            HELP,
        );
    }
    let (form, found) = match &instruction.arguments {
        Parsed::Shell(line) => {
            let found = line::commands(line.value, reader.escape(), &reader.variables.scope.known);
            (Form::Shell, found.map_err(|mistake| at(&line.span, mistake)))
        }
        Parsed::Exec(words) => {
            let word = |it: &parse_dockerfile::UnescapedString<'_>| Word {
                text: it.value.to_string(),
                bytes: it.span.clone(),
            };
            (Form::Exec, Ok(vec![words.value.iter().map(word).collect()]))
        }
        _ => return reader.beyond(instruction.run.span.clone(), "`RUN` of this form is not supported", HELP),
    };
    // Words of the shell form know their places in the line alone.
    let start = match &instruction.arguments {
        Parsed::Shell(line) => line.span.start,
        _ => 0,
    };
    let commands =
        found.and_then(|all| all.iter().map(|words| Command::read(words).map_err(|it| shifted(it, start))).collect());
    match commands {
        Ok(commands) => {
            let run = Run { form, commands };
            if run.apk().any(Apk::needs_index) {
                reader
                    .untold(instruction.run.span.clone(), "what `apk` adds is known only when repositories are asked");
            }
            Some(run)
        }
        Err(Mistake { bytes, message, .. }) => reader.beyond(bytes, message, HELP),
    }
}

fn at(span: &Range<usize>, mistake: Mistake) -> Mistake {
    shifted(mistake, span.start)
}

fn shifted(mistake: Mistake, by: usize) -> Mistake {
    Mistake { bytes: mistake.bytes.start + by..mistake.bytes.end + by, ..mistake }
}

/// Does all of it on the tree of the image. Answers what the layer of it holds.
pub fn run(run: &Run, laying: &mut Laying<'_>, place: &Place<'_>) -> Result<Vec<Entry>, Failure> {
    let mut accounts = laying.rootfs.accounts.clone();
    let mut tree = Tree::new(laying);
    let tools = Tools { env: place.env, shell: place.shell.as_deref(), form: run.form };
    let first = run.commands.first().map_or("", |it| it.text.as_str());
    let ready = tree.is_ready(&accounts, place.user).and_then(|()| tools.check_shell(&tree));
    ready.map_err(|wrong| wrong.of(first))?;
    for command in &run.commands {
        let maker = tools.find(&tree, &command.program).map_err(|wrong| wrong.of(&command.text))?;
        let mut running = Running { tree: &mut tree, accounts: &mut accounts, maker, place };
        running.run(&command.does).map_err(|wrong| wrong.of(&command.text))?;
    }
    let entries = tree.entries()?;
    laying.rootfs.accounts = accounts;
    Ok(entries)
}

impl Wrong {
    /// The failure of a command.
    pub fn of(self, command: &str) -> Failure {
        match self {
            Wrong::Fails(why) => Failure::input(format!("`{command}` fails: {why}")),
            Wrong::Untold(why) => Failure::input(format!("`{command}` can't be done without running it: {why}"))
                .help("write it so that this does not matter, or copy files that lie in the project"),
            Wrong::Failure(failure) => failure,
        }
    }
}

impl From<Failure> for Wrong {
    fn from(failure: Failure) -> Wrong {
        Wrong::Failure(failure)
    }
}
