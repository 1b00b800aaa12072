//! `RUN` of what needs no program of another: commands that only move files and accounts about, done on the tree of the image.
//! Does not guess: what is not known to the byte is refused (docs/decisions/0021-run-without-programs.md).

mod apk;
mod bound;
mod busybox;
#[cfg(test)]
mod checks;
mod commands;
mod files;
mod line;
mod mode;
mod mounts;
mod options;
mod printing;
mod shadow;
mod tools;
mod tree;
mod wildcards;

use forge_plugin::schemas::Failure;
use parse_dockerfile::{Command as Parsed, RunInstruction};
use serde::{Deserialize, Serialize};

pub use self::apk::{Apk, Sources, group_version};
pub use self::bound::Bound;
use self::commands::{Command, Does};
use self::files::Running;
use self::line::{Simple, Stands, Word};
pub use self::mode::{Mode, Of};
use self::mounts::Mount;
use self::tools::Tools;
pub use self::tree::Tree;
use crate::docker::dockerfile::Reader;
use crate::docker::laying::Laying;
use crate::docker::packages::Stock;
use crate::docker::recipe::Source;
use crate::docker::words::Mistake;
use crate::oci::layer::Entry;

const HELP: &str = "forge runs no program; it does `mkdir`, `chmod`, `chown`, `ln -s`, `cp`, `mv`, `rm`, `touch`, `true`, `echo` and `printf` \
     to a file, busybox's `adduser` and `addgroup`, Debian's `useradd` and `groupadd`, and Alpine's `apk add`, `apk del` and `apk update`, one after the other; for all else \
     set `engine = \"auto\"`, and a program of this machine builds it (`buildx`, `docker`, `podman` or `buildah`)";

/// What a `RUN` does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    form: Form,
    mounts: Vec<Mount>,
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

    /// What it reads besides the image.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        self.mounts.iter().filter_map(|it| it.holds.as_ref()).flatten()
    }
}

/// Reads an instruction. None, and problems, where it is anything else than such commands.
pub(crate) fn read(reader: &mut Reader<'_>, instruction: &RunInstruction<'_>) -> Option<Run> {
    let mounts = mounts::read(reader, &instruction.options)?;
    if let Some(name) = ["PATH", "SHELL"].into_iter().find(|it| reader.args.contains(*it)) {
        return reader.beyond(
            instruction.run.span.clone(),
            format!("`RUN` with an `ARG {name}` is not supported"),
            HELP,
        );
    }
    // Words of a script know their places in it alone.
    let (form, start, found) = match (&instruction.arguments, instruction.here_docs.first()) {
        (Parsed::Shell(rest), Some(text)) => {
            script_starts(reader, rest, text)?;
            let found = line::commands(&text.value, Stands::InText, &reader.variables.scope.known);
            // Where tabs were taken away, its places are not those of the file.
            let is_whole = text.value.len() == text.span.len();
            let whole = |it| Mistake { bytes: 0..text.span.len(), ..it };
            (Form::Shell, text.span.start, found.map_err(|it| if is_whole { it } else { whole(it) }))
        }
        (Parsed::Shell(line), None) => {
            let stands = Stands::InLine(reader.escape());
            (Form::Shell, line.span.start, line::commands(line.value, stands, &reader.variables.scope.known))
        }
        (Parsed::Exec(words), _) => {
            let word = |it: &parse_dockerfile::UnescapedString<'_>| Word {
                text: it.value.to_string(),
                pattern: None,
                bytes: it.span.clone(),
            };
            let words = words.value.iter().map(word).collect();
            (Form::Exec, 0, Ok(vec![Simple { words, output: None }]))
        }
        _ => return reader.beyond(instruction.run.span.clone(), "`RUN` of this form is not supported", HELP),
    };
    let commands = found.and_then(|all| all.iter().map(Command::read).collect());
    match commands {
        Ok(commands) => {
            let run = Run { form, mounts, commands };
            if run.apk().any(Apk::needs_index) {
                reader
                    .untold(instruction.run.span.clone(), "what `apk` adds is known only when repositories are asked");
            }
            Some(run)
        }
        Err(Mistake { bytes, message, .. }) => {
            mounts::left_to_engine(reader, &instruction.options);
            reader.beyond(bytes.start + start..bytes.end + start, message, HELP)
        }
    }
}

/// A text is a script for the shell where nothing else stands on the line, and it does not name another program.
fn script_starts(
    reader: &mut Reader<'_>,
    rest: &parse_dockerfile::Spanned<&str>,
    text: &parse_dockerfile::HereDoc<'_>,
) -> Option<()> {
    if text.value.starts_with("#!") {
        let first = text.value.lines().next().map_or(0, str::len);
        let bytes = text.span.start..text.span.start + first;
        return reader.beyond(bytes, "a script of another program needs an engine that runs programs", HELP);
    }
    match rest.value.trim().is_empty() {
        true => Some(()),
        false => reader.beyond(rest.span.clone(), "a text for a command needs a shell", HELP),
    }
}

/// Does all of it on the tree of the image. Answers what the layer of it holds.
pub fn run(run: &Run, laying: &mut Laying<'_>, place: &Place<'_>) -> Result<Vec<Entry>, Failure> {
    let mut accounts = laying.rootfs.accounts.clone();
    let first = run.commands.first().map_or("", |it| it.text.as_str());
    let bound = Bound::mount(run, laying).map_err(|wrong| wrong.of(first))?;
    let mut tree = Tree::new(laying, &bound);
    let tools = Tools { env: place.env, shell: place.shell.as_deref(), form: run.form };
    let ready = tree.is_ready(&accounts, place.user).and_then(|()| tools.check_shell(&tree));
    ready.map_err(|wrong| wrong.of(first))?;
    for command in &run.commands {
        let maker = tools.find(&tree, &command.program).map_err(|wrong| wrong.of(&command.text))?;
        let does = command.with_files(&tree).map_err(|wrong| wrong.of(&command.text))?;
        let mut running = Running { tree: &mut tree, accounts: &mut accounts, maker, place };
        running.run(&does).map_err(|wrong| wrong.of(&command.text))?;
    }
    let entries = tree.entries()?;
    bound.unmount(laying);
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
