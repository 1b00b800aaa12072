//! `forge lock`: writes down what the tools of the plan are; and what every run reads of `forge.lock`.
//! Does not know what a lock decides.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use forge_schemas::{Failure, Tool, exit};

use super::args::{Arguments, Lock as Options};
use super::session::{self, Mode, Session};
use super::{OpenPipes, output};
use crate::diagnostic::Diagnostic;
use crate::run::ask_all;
use crate::run::locked::{Flaw, Locked, Said, Unlocked};
use crate::secrets::hidden;
use crate::source::{Cause, Source, Span};
use crate::store::write_beside;

/// What the tools are locked to be; nothing where nobody has locked them.
pub fn read(arguments: &Arguments) -> Result<Locked, u8> {
    match text(arguments)? {
        Some(source) => Locked::parse(&source.text).map_err(|it| told(arguments, &source, it)),
        None => Ok(Locked::default()),
    }
}

/// Locks the tools of the plan, or says how they differ from what is locked.
pub fn lock(arguments: &Arguments, options: &Options, pipes: OpenPipes) -> Result<u8, u8> {
    let session = Session::open(arguments, Mode::Look, pipes)?;
    let before = match text(arguments)? {
        Some(source) => match Locked::parse(&source.text) {
            // What is damaged is written anew.
            Err(Unlocked { flaw: Flaw::Damaged, .. }) if !options.check => Locked::default(),
            parsed => parsed.map_err(|it| told(arguments, &source, it))?,
        },
        None => Locked::default(),
    };
    let tools: BTreeSet<Tool> = session.plan.tasks().flat_map(|task| task.step.tools.iter().cloned()).collect();
    let now = ask(tools, &before, &session)?;
    let changes = changes(&before, &now);
    changes.iter().for_each(|line| output::print(line));
    if options.check {
        return Ok(if changes.is_empty() { exit::DONE } else { exit::FAILED });
    }
    write(arguments, &now)?;
    let name = name(arguments);
    output::note(&match now.tools().count() {
        1 => format!("1 tool is locked in {}", name.display()),
        many => format!("{many} tools are locked in {}", name.display()),
    });
    Ok(exit::DONE)
}

/// Writes the file, unless it says the same.
pub fn write(arguments: &Arguments, locked: &Locked) -> Result<(), u8> {
    let (path, text) = (path(arguments)?, locked.text());
    match std::fs::read(&path).is_ok_and(|it| it == text.as_bytes()) {
        true => Ok(()),
        false => write_beside(&path, text.as_bytes())
            .map_err(|error| output::failure(&Failure::file("write", &path, &error))),
    }
}

// A tool of another machine stays as it was locked there.
fn ask(tools: BTreeSet<Tool>, before: &Locked, session: &Session) -> Result<Locked, u8> {
    let mut said = Vec::new();
    let mut failures = Vec::new();
    let hidden = hidden(&session.head.secrets, &session.head.registries);
    for (tool, answer) in ask_all(tools.into_iter().collect(), &session.root, &hidden) {
        match (answer, before.get(&tool)) {
            (Ok(words), _) => said.push((tool, words)),
            (Err(failure), Some(locked)) => {
                output::note(&format!("`{tool}` stays as it is locked: {failure}"));
                said.push((tool, locked.clone()));
            }
            (Err(failure), None) => failures.push(failure),
        }
    }
    let codes: Vec<u8> = failures.iter().map(output::failure).collect();
    match codes.first() {
        Some(code) => Err(*code),
        None => Ok(said.into_iter().collect::<Locked>().with_pins(before.pins().clone())),
    }
}

fn changes(before: &Locked, now: &Locked) -> Vec<String> {
    let here = now.tools().filter_map(|(tool, found)| match before.get(tool) {
        Some(locked) if locked.digest() == found.digest() => None,
        Some(locked) => Some(format!("`{tool}`: {} is locked, {} is here", locked.unlike(found), found.unlike(locked))),
        None => Some(format!("`{tool}`: nothing is locked, {} is here", found.unlike(&Said::Words(String::new())))),
    });
    let gone = before.tools().filter(|(tool, _)| now.get(tool).is_none());
    here.chain(gone.map(|(tool, _)| format!("`{tool}` is locked, and nothing needs it"))).collect()
}

fn told(arguments: &Arguments, source: &Arc<Source>, unlocked: Unlocked) -> u8 {
    let help = match unlocked.flaw {
        Flaw::Newer => "use that forge, or a newer one",
        Flaw::Damaged => "write it anew with `forge lock`",
    };
    let span = Span { start: unlocked.place.start, end: unlocked.place.end };
    let message = format!("`{}` can't be used: {}", source.path.display(), unlocked.message);
    output::diagnostics(arguments, &[Diagnostic::error(message).at(source, span).help(help)]);
    exit::PROJECT
}

fn text(arguments: &Arguments) -> Result<Option<Arc<Source>>, u8> {
    match Source::read(&session::directory(arguments)?, &name(arguments)) {
        Ok(source) => Ok(Some(source)),
        Err(unreadable) if matches!(unreadable.cause, Cause::Missing(_)) => Ok(None),
        Err(unreadable) => {
            output::diagnostics(arguments, &[unreadable.into()]);
            Err(exit::PROJECT)
        }
    }
}

fn path(arguments: &Arguments) -> Result<PathBuf, u8> {
    Ok(session::directory(arguments)?.join(name(arguments)))
}

/// The file, as people know it. Each project file has its own.
pub fn name(arguments: &Arguments) -> PathBuf {
    arguments.file.with_extension("lock")
}
