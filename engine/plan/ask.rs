//! Asks every table what it takes, and which source files it must read to plan.
//! Reads nothing itself: a `Reader` does, at the edge.

use std::collections::HashMap;
use std::sync::Arc;

use forge_schemas::{Failure, Presence, Read, Selector, SourceText, Takes, TakesReply};

use super::off::OffBecause;
use super::threads::side_by_side;
use crate::diagnostic::Diagnostic;
use crate::pipes::Pipes;
use crate::project::{Project, Soundness, Switch, Table, diagnostic};
use crate::source::Source;

/// Reads source files while planning.
pub trait Reader: Sync {
    /// The text of a file, by its path relative to the project file; none where it is missing, and may be.
    fn text(&self, path: &str, presence: Presence) -> Result<Option<Arc<Source>>, Diagnostic>;
    /// Whether any file is read. The error says why that can't be told.
    fn names_any(&self, read: &Read) -> Result<bool, String>;
}

/// A table, with what it takes.
pub struct Asked<'a> {
    /// The table.
    pub table: &'a Table,
    /// What it takes.
    pub selectors: Vec<Selector>,
    /// The kinds that it makes, of those that its pipe can; none where it can make all.
    pub makes: Option<Vec<String>>,
    /// The source files that it must read to plan.
    pub texts: Vec<SourceText>,
    /// The same, for diagnostics that point into them.
    pub sources: HashMap<String, Arc<Source>>,
    /// Whether something is wrong with it: then what it offers is not known, and nobody is told that it offers nothing.
    pub state: Soundness,
    /// Why it makes no steps, where it is off.
    pub off: Option<OffBecause>,
}

/// Asks every table, in the order of the file.
pub fn ask<'a>(project: &'a Project, pipes: &dyn Pipes, reader: &dyn Reader) -> (Vec<Asked<'a>>, Vec<Diagnostic>) {
    let asked = side_by_side(&project.tables, |table| ask_one(project, table, pipes, reader));
    let mut diagnostics = Vec::new();
    let tables = asked
        .into_iter()
        .map(|(asked, problems)| {
            diagnostics.extend(problems);
            asked
        })
        .collect();
    (tables, diagnostics)
}

/// A failure of a pipe while planning, at its table.
pub fn failed(project: &Project, table: &Table, failure: &Failure) -> Diagnostic {
    let message = format!("the pipe `{}` can't plan this table: {failure}", table.name.pipe);
    let diagnostic = Diagnostic::error(message).at(&project.source, table.header);
    match &failure.help {
        Some(help) => diagnostic.help(help.clone()),
        None => diagnostic,
    }
}

fn ask_one<'a>(
    project: &'a Project,
    table: &'a Table,
    pipes: &dyn Pipes,
    reader: &dyn Reader,
) -> (Asked<'a>, Vec<Diagnostic>) {
    let is_sound = table.soundness == Soundness::Sound;
    let off = (is_sound && table.switch == Switch::Off).then_some(OffBecause::If);
    if !is_sound || off.is_some() {
        let (selectors, texts, sources) = (Vec::new(), Vec::new(), HashMap::new());
        return (Asked { table, selectors, makes: None, texts, sources, state: table.soundness, off }, Vec::new());
    }
    let request = Takes { table: table.name.clone(), settings: table.settings.clone() };
    let (reply, mut diagnostics) = match pipes.takes(&request) {
        Ok(reply) => (reply, Vec::new()),
        Err(failure) => (TakesReply::default(), vec![failed(project, table, &failure)]),
    };
    let mut sources = HashMap::new();
    let mut texts = Vec::new();
    for wanted in reply.sources {
        match reader.text(&wanted.path, wanted.presence) {
            Ok(None) => {}
            Ok(Some(source)) => {
                texts.push(SourceText { text: source.text.clone(), ..wanted.clone() });
                sources.insert(wanted.path, source);
            }
            Err(unreadable) => {
                let place = table.places.find(&wanted.key).value;
                diagnostics.push(unreadable.at(&project.source, place));
            }
        }
    }
    let problems = reply.problems.into_iter().map(|problem| diagnostic(problem, table, &project.source, &sources));
    diagnostics.extend(problems);
    let state = if diagnostics.is_empty() { Soundness::Sound } else { Soundness::Broken };
    let all = pipes.all();
    let kinds = all.iter().flat_map(|pipe| &pipe.makes);
    let selectors = reply.selectors.into_iter().map(|it| it.with_kinds_of_roles(kinds.clone())).collect();
    (Asked { table, selectors, makes: reply.makes, texts, sources, state, off }, diagnostics)
}
