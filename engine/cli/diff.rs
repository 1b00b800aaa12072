//! `forge plan --diff`: what a run would make, upload, change and leave alone, as text or JSON.
//! Changes nothing, here or there.

use std::collections::BTreeMap;
use std::sync::Arc;

use forge_schemas::{Change, Digest, Failure, Finding, exit};
use serde::Serialize;

use super::args::Arguments;
use super::session::Session;
use super::why::past;
use super::{intentions, output, secrets};
use crate::plan::Plan;
use crate::project::Renderer;
use crate::run::diff::{self, Difference, Outside, Verdict, What};
use crate::run::why::Next;
use crate::store::Changed;

/// So many changes are named of a task; `forge why` tells all.
const SHOWN: usize = 3;

/// How it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Tells what a run of `plan` would do. Answers 1 where such a run would stop before its end.
pub fn diff(arguments: &Arguments, session: &Session, plan: &Plan, form: Form) -> Result<u8, u8> {
    let secrets = secrets::as_far_as_set(session);
    let (past, _lock) = past(arguments, session)?;
    let obstacle = intentions::obstacle(session, plan, &past.folder);
    let templates = Arc::new(Renderer::of_names());
    let outside = Outside { registries: &session.head.registries, secrets, templates };
    let found = diff::diff(plan, &past, &outside).map_err(|it| output::failure(&it))?;
    let lines: Vec<Line<'_>> = found.iter().map(|it| line(plan, it)).collect();
    match form {
        Form::Text => tell(&lines),
        Form::Json => output::print(&serde_json::to_string_pretty(&lines).unwrap_or_default()),
    }
    if let Some(failure) = obstacle {
        return Err(output::failure(&failure));
    }
    let is_refused = lines.iter().any(|it| it.verdict == Verdict::Refuse);
    Ok(if is_refused { exit::FAILED } else { exit::DONE })
}

/// A difference as it is told.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(rename = "run", serialize_with = "as_word")]
    verdict: Verdict,
    task: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    there: Option<Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ours: Option<Digest>,
    because: String,
}

impl Line<'_> {
    fn text(&self) -> String {
        let name = self.place.unwrap_or(self.task);
        if self.because.is_empty() { name.to_owned() } else { format!("{name}: {}", self.because) }
    }
}

fn line<'a>(plan: &'a Plan, difference: &'a Difference) -> Line<'a> {
    let verdict = difference.verdict(plan);
    let task = plan.task(difference.task).id.as_str();
    let here = |because| Line { verdict, task, place: None, there: None, ours: None, because };
    match &difference.what {
        What::Here(next) => here(at_home(plan, next)),
        What::Unasked(failure) => here(whole(failure)),
        What::There(finding) => Line {
            verdict,
            task,
            place: Some(&finding.place),
            there: finding.there,
            ours: finding.ours,
            because: at_place(finding),
        },
    }
}

fn at_home(plan: &Plan, next: &Next) -> String {
    match next {
        Next::Fresh => "fresh".to_owned(),
        Next::Always => "runs every time".to_owned(),
        Next::First => "no earlier run of it is known".to_owned(),
        Next::Lost => "what it made is not in the store any more".to_owned(),
        Next::Changed(changed) => changed_in_words(changed),
        Next::After(first) => format!("after {}", plan.task(*first)),
        Next::Unclear(failure) => whole(failure),
    }
}

fn changed_in_words(changed: &[Changed]) -> String {
    let parts: Vec<&str> = changed.iter().take(SHOWN).map(|it| it.part.as_str()).collect();
    let more = match changed.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("changed: {}{more}", parts.join(", "))
}

fn at_place(finding: &Finding) -> String {
    let digest = |it: Option<Digest>| it.map_or_else(String::new, |it| it.to_string());
    let (there, ours) = (digest(finding.there), digest(finding.ours));
    match &finding.change {
        Change::Unknown if finding.there.is_none() => "not there; what it is to be is not made yet".to_owned(),
        Change::Unknown => format!("{there}; what it is to be is not made yet"),
        Change::None | Change::New if finding.place.ends_with(&ours) => String::new(),
        Change::None => there,
        Change::New => ours,
        Change::Move => format!("{there} -> {ours}"),
        Change::Conflict { because } => format!("{there} -> {ours}: {because}"),
    }
}

fn whole(failure: &Failure) -> String {
    failure.causes.iter().fold(failure.to_string(), |text, cause| format!("{text}: {cause}"))
}

fn tell(lines: &[Line<'_>]) {
    let mut count: BTreeMap<Verdict, usize> = BTreeMap::new();
    for line in lines {
        *count.entry(line.verdict).or_default() += 1;
        output::print(&format!("{:<8}{}", word(line.verdict), line.text()));
    }
    let counts: Vec<String> = count.iter().map(|(verdict, number)| in_sum(*verdict, *number)).collect();
    output::print(&format!("\n{}", counts.join(", ")));
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Make => "make",
        Verdict::Upload => "upload",
        Verdict::Change => "change",
        Verdict::Unknown => "unknown",
        Verdict::Leave => "leave",
        Verdict::Refuse => "refuse",
    }
}

fn in_sum(verdict: Verdict, number: usize) -> String {
    match verdict {
        Verdict::Make => format!("{number} to make"),
        Verdict::Upload => format!("{number} to upload"),
        Verdict::Change => format!("{number} to change"),
        Verdict::Unknown => format!("{number} not known yet"),
        Verdict::Leave => format!("{number} left alone"),
        Verdict::Refuse => format!("{number} refused"),
    }
}

fn as_word<S: serde::Serializer>(verdict: &Verdict, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(word(*verdict))
}
