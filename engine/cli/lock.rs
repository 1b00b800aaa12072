//! `forge lock`: writes down what the tools of the plan are, and what its names mean; and what every run reads of `forge.lock`.
//! Does not know what a lock decides.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use forge_schemas::{Digest, Failure, Tool, exit};

use super::args::{Arguments, Lock as Options};
use super::session::{self, Mode, Session};
use super::{OpenPipes, output, secrets};
use crate::diagnostic::Diagnostic;
use crate::project::Renderer;
use crate::run::ask_all;
use crate::run::diff::Outside;
use crate::run::locked::{Flaw, Locked, Said, Unlocked};
use crate::run::names::names;
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

/// Locks the tools and names of the plan, or says how they differ from what is locked.
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
    let now = ask(tools, &before, &session)?.with_names(meanings(&before, &session)?);
    let changes = changes(&before, &now);
    changes.iter().for_each(|line| output::print(line));
    if options.check {
        return Ok(if changes.is_empty() { exit::DONE } else { exit::FAILED });
    }
    write(arguments, &now)?;
    let name = name(arguments);
    let count = |count, what| if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") };
    let (tools, names) = (now.tools().count(), now.names().len());
    output::note(&match (tools, names) {
        (1, 0) => format!("1 tool is locked in {}", name.display()),
        (_, 0) => format!("{} are locked in {}", count(tools, "tool"), name.display()),
        _ => format!("{} and {} are locked in {}", count(tools, "tool"), count(names, "name"), name.display()),
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

// What can't be asked now stays as it is locked.
fn meanings(before: &Locked, session: &Session) -> Result<BTreeMap<String, Digest>, u8> {
    let secrets = secrets::as_far_as_set(session);
    let templates = Arc::new(Renderer::of_names());
    let outside = Outside { registries: &session.head.registries, secrets, templates };
    let asked = names(&session.plan, &session.pipes, &session.root, &outside).map_err(|it| output::failure(&it))?;
    let mut meanings = BTreeMap::new();
    let mut failed = None;
    for (name, meaning) in asked {
        match (meaning, before.names().get(&name)) {
            (Ok(digest), _) => drop(meanings.insert(name, digest)),
            (Err(failure), Some(locked)) => {
                output::note(&format!("`{name}` stays as it is locked: {failure}"));
                meanings.insert(name, *locked);
            }
            (Err(failure), None) => failed = Some(output::failure(&failure)),
        }
    }
    failed.map_or(Ok(meanings), Err)
}

fn changed_names(before: &Locked, now: &Locked) -> Vec<String> {
    let here = now.names().iter().filter_map(|(name, found)| match before.names().get(name) {
        Some(locked) if locked == found => None,
        Some(locked) => Some(format!("`{name}`: {locked} is locked, {found} is there")),
        None => Some(format!("`{name}`: nothing is locked, {found} is there")),
    });
    let gone = before.names().keys().filter(|name| !now.names().contains_key(*name));
    here.chain(gone.map(|name| format!("`{name}` is locked, and nothing asks for it"))).collect()
}

fn changes(before: &Locked, now: &Locked) -> Vec<String> {
    let here = now.tools().filter_map(|(tool, found)| match before.get(tool) {
        Some(locked) if locked.digest() == found.digest() => None,
        Some(locked) => Some(format!("`{tool}`: {} is locked, {} is here", locked.unlike(found), found.unlike(locked))),
        None => Some(format!("`{tool}`: nothing is locked, {} is here", found.unlike(&Said::Words(String::new())))),
    });
    let gone = before.tools().filter(|(tool, _)| now.get(tool).is_none());
    let gone = gone.map(|(tool, _)| format!("`{tool}` is locked, and nothing needs it"));
    here.chain(gone).chain(changed_names(before, now)).collect()
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
