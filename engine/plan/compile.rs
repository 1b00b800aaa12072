//! Project to plan: tables are asked, ordered, planned round by round, and linked.
//! Total: it answers a plan and all that is wrong; the plan is of use only where nothing is.

use std::collections::HashSet;

use forge_plugin::Renderer;
use forge_schemas::{Facts, Offer, Plan as PlanRequest, Step};

use super::Plan;
use super::ask::{Asked, Reader, ask, failed};
use super::circle::{Makers, rounds, waits};
use super::goals;
use super::link::{Offers, link, unanswered};
use super::off::{self, Missed, OffBecause};
use super::offered::offers as offers_of;
use super::threads::side_by_side;
use crate::diagnostic::Diagnostic;
use crate::pipes::Pipes;
use crate::project::{Project, Soundness, diagnostic};

/// Compiles a project. `renderer` renders templates that name more than facts.
pub fn compile(
    project: &Project,
    facts: &Facts,
    pipes: &dyn Pipes,
    renderer: &(dyn Renderer + Sync),
    reader: &dyn Reader,
) -> (Plan, Vec<Diagnostic>) {
    let (mut asked, mut diagnostics) = ask(project, pipes, reader);
    let makers = Makers::of(&asked, pipes);
    let waits = waits(&asked, &makers);
    let rounds = match rounds(project, &asked, &waits) {
        Ok(rounds) => rounds,
        Err(circles) => {
            diagnostics.extend(circles);
            diagnostics.extend(goals::check(project, pipes, &Plan::default(), Soundness::Broken));
            return (Plan::default(), diagnostics);
        }
    };
    let mut offers = Offers::default();
    let mut steps: Vec<Vec<Step>> = vec![Vec::new(); asked.len()];
    let scene = Scene { project, facts, pipes, renderer };
    for round in &rounds {
        let planned = side_by_side(round, |at| scene.plan(&asked, *at, &offers, &makers));
        for (at, planned) in round.iter().copied().zip(planned) {
            asked[at].state = planned.state;
            asked[at].off = planned.off;
            diagnostics.extend(planned.diagnostics);
            let table = &asked[at].table.name;
            offers.add(offers_of(table, &planned.steps));
            offers.replace(planned.steps.iter().flat_map(|step| step.replaces.clone()), table);
            steps[at] = planned.steps;
        }
    }
    let (plan, mistakes) = link(project, &asked, steps, &offers, pipes, reader);
    let plan = plan.with_off(off::all(&asked, &rounds, &waits));
    diagnostics.extend(mistakes);
    let is_sound = diagnostics.is_empty() && asked.iter().all(|it| it.state == Soundness::Sound);
    diagnostics.extend(goals::check(project, pipes, &plan, Soundness::of(is_sound)));
    (plan, diagnostics)
}

struct Scene<'a> {
    project: &'a Project,
    facts: &'a Facts,
    pipes: &'a dyn Pipes,
    renderer: &'a (dyn Renderer + Sync),
}

struct Planned {
    steps: Vec<Step>,
    diagnostics: Vec<Diagnostic>,
    state: Soundness,
    off: Option<OffBecause>,
}

impl Planned {
    fn of(state: Soundness) -> Planned {
        Planned { steps: Vec::new(), diagnostics: Vec::new(), state, off: None }
    }
}

impl Scene<'_> {
    fn plan(&self, asked: &[Asked<'_>], at: usize, offers: &Offers, makers: &Makers<'_>) -> Planned {
        let this = &asked[at];
        let mut taken: Vec<usize> = Vec::new();
        let mut diagnostics = Vec::new();
        let mut unknown: HashSet<&str> = HashSet::new();
        let mut is_blind = self.project.soundness == Soundness::Broken;
        let mut missed = Missed::by(at, asked);
        for selector in &this.selectors {
            let found = offers.answer(selector, &this.table.name);
            if found.is_empty() {
                let candidates = makers.of_selector(selector);
                if missed.falls_away(selector, &candidates) {
                    continue;
                }
                // What a broken table would have offered is not known: one mistake is told once.
                is_blind |= candidates.iter().any(|it| asked[*it].state == Soundness::Broken);
                let nothing = unanswered(self.project, asked, this.table, selector, makers, offers, self.pipes);
                // Tables that no other key can find either: one name that is wrong is told once.
                let is_nobody = candidates.iter().all(|it| *it == at);
                let is_known = is_nobody && is_all_in(&selector.tables, &unknown);
                diagnostics.extend(nothing.filter(|_| !is_blind && !is_known));
                if is_nobody {
                    unknown.extend(selector.tables.iter().map(String::as_str));
                }
            }
            missed.note(selector, &found);
            taken.extend(found);
        }
        taken.sort_unstable();
        taken.dedup();
        if this.state == Soundness::Broken || is_blind || !diagnostics.is_empty() {
            return Planned { diagnostics, ..Planned::of(Soundness::Broken) };
        }
        if let Some(because) = this.off.clone().or(missed.because()) {
            return Planned { off: Some(because), ..Planned::of(Soundness::Sound) };
        }
        self.ask_for_steps(this, offers.get(&taken))
    }

    fn ask_for_steps(&self, this: &Asked<'_>, offers: Vec<Offer>) -> Planned {
        let request = PlanRequest {
            table: this.table.name.clone(),
            settings: this.table.settings.clone(),
            facts: self.facts.clone(),
            offers,
            sources: this.texts.clone(),
        };
        let (steps, diagnostics) = match self.pipes.plan(&request, self.renderer) {
            Err(failure) => (Vec::new(), vec![failed(self.project, this.table, &failure)]),
            Ok(reply) => {
                let source = &self.project.source;
                let problems = reply.problems.into_iter();
                (reply.steps, problems.map(|it| diagnostic(it, this.table, source, &this.sources)).collect())
            }
        };
        let state = if diagnostics.is_empty() { Soundness::Sound } else { Soundness::Broken };
        Planned { steps, diagnostics, ..Planned::of(state) }
    }
}

fn is_all_in(tables: &[String], unknown: &HashSet<&str>) -> bool {
    !tables.is_empty() && tables.iter().all(|it| unknown.contains(it.as_str()))
}
