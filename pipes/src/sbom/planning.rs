//! The steps of a `sbom` table: one for each thing that it is about, and format.
//! Does not read programs.

use std::collections::BTreeMap;

use forge_plugin::Given;
use forge_plugin::schemas::kind::{Archive, Binary, Kind as _, Sbom};
use forge_plugin::schemas::{Offer, Output, Problem, Step, Tool as Program};

use super::command::{ARTIFACT, DOCUMENT, Tool};
use super::format::Format;
use super::{CommandNames, Params, SbomNames, Settings};
use crate::archive::naming;

/// The kinds that hold programs.
const KINDS: [&str; 4] = ["archive", "package", "binary", "image"];

/// The steps, or all that is wrong.
pub fn plan(settings: &Settings, given: &Given<'_>) -> Result<Vec<Step>, Vec<Problem>> {
    let mut problems = mistakes(settings);
    let is_chosen = |it: &&Offer| {
        settings.kinds.contains(&it.kind) && (settings.ids.is_empty() || settings.ids.contains(&it.table.id))
    };
    let mut names: BTreeMap<String, &str> = BTreeMap::new();
    let mut steps = Vec::new();
    for subject in given.offers.iter().filter(is_chosen) {
        let programs = programs(subject, given.offers);
        // An archive of sources has none, and nobody can say more of it than itself does.
        if programs.is_empty() && subject.kind != Binary::NAME && settings.command.is_none() {
            continue;
        }
        for format in &settings.formats {
            match step(settings, given, subject, &programs, *format) {
                Ok(step) => {
                    if let Some(other) = names.insert(step.makes[0].name.clone(), &subject.name) {
                        problems.push(two_of_one_name(&step.makes[0].name, other, &subject.name));
                    }
                    steps.push(step);
                }
                Err(more) => problems.extend(more.into_iter().filter(|it| !problems.contains(it)).collect::<Vec<_>>()),
            }
        }
    }
    if steps.is_empty() && problems.is_empty() {
        let message = "there are no programs in what this takes, so that there is nothing to say of it";
        let key = if settings.ids.is_empty() { "" } else { "ids" };
        problems
            .push(Problem::at_key(key, message).help("name tables with programs, or a `command` that looks for more"));
    }
    if problems.is_empty() { Ok(steps) } else { Err(problems) }
}

fn mistakes(settings: &Settings) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (at, kind) in settings.kinds.iter().enumerate().filter(|(_, it)| !KINDS.contains(&it.as_str())) {
        if settings.command.is_none() {
            let problem = Problem::at_key(format!("kinds[{at}]"), format!("what a `{kind}` consists of is not known"));
            problems.push(problem.help(format!("it is of {}; of others a `command` may know it", KINDS.join(", "))));
        }
    }
    let is_image = |it: &String| it == "image" || it == "manifest_list";
    if let (Some(at), Some(_)) = (settings.kinds.iter().position(is_image), &settings.command) {
        let problem = Problem::at_key(format!("kinds[{at}]"), "a `command` is given one file, which an image is not");
        problems.push(problem.help("leave it out here: `command` can look at archives, packages and programs"));
    }
    for (at, format) in settings.formats.iter().enumerate() {
        if settings.formats[..at].contains(format) {
            let message = format!("`{}` stands here twice", format.name());
            problems.push(Problem::at_key(format!("formats[{at}]"), message).help("leave one out"));
        }
    }
    for (key, is_empty) in [("formats", settings.formats.is_empty()), ("kinds", settings.kinds.is_empty())] {
        if is_empty {
            problems.push(Problem::at_key(key, "nothing is named").help("leave the key out for the default"));
        }
    }
    if settings.command.is_none() && !settings.env.is_empty() {
        problems.push(Problem::at_key("env", "there is no `command` that could see it").help("leave it out"));
    }
    problems
}

fn two_of_one_name(name: &str, one: &str, other: &str) -> Problem {
    let message = format!("the documents about `{one}` and `{other}` would both be called `{name}`");
    Problem::at_key("name", message).help("tell them apart by `{{ artifact }}` and `{{ ext }}`")
}

/// The programs that something is made of. An archive says under which names it holds them: one of several formats may hold one alone.
fn programs<'a>(subject: &Offer, offers: &'a [Offer]) -> Vec<&'a Offer> {
    let held = subject.detail::<Archive>().map(|it| it.binaries);
    let is_held = |offer: &&Offer| {
        subject.made_of.contains(&offer.name)
            && offer.detail::<Binary>().is_some_and(|it| held.as_ref().is_none_or(|held| held.contains(&it.file_name)))
    };
    offers.iter().filter(is_held).collect()
}

fn step(
    settings: &Settings,
    given: &Given<'_>,
    subject: &Offer,
    programs: &[&Offer],
    format: Format,
) -> Result<Step, Vec<Problem>> {
    let (artifact, ext) = (called(subject), format.ending().to_owned());
    let names = SbomNames { artifact: artifact.clone(), ext, format: format.name().to_owned() };
    let name = given.render("name", &settings.name, &names).map_err(|it| vec![it])?;
    naming::check("name", &name).map_err(|it| vec![it])?;
    let command = command(settings, given, format)?;
    let detail = Sbom {
        format: format.name().to_owned(),
        subject: subject.name.clone(),
        media_type: format.media_type().to_owned(),
    };
    let programs = programs.iter().filter(|_| command.is_none()).map(|it| it.name.clone());
    let takes = std::iter::once(subject.name.clone()).chain(programs).collect();
    let is_one = settings.formats.len() == 1;
    let program = command.as_ref().and_then(|it: &Tool| it.argv.first()).cloned();
    let params = Params {
        format,
        subject: artifact.clone(),
        version: given.facts.version.clone(),
        created: given.facts.commit_time.clone(),
        command,
    };
    Ok(Step {
        name: if is_one { artifact } else { format!("{artifact}/{}", format.name()) },
        platform: subject.platform.clone(),
        takes,
        makes: vec![Output {
            name,
            kind: Sbom::NAME.to_owned(),
            platform: subject.platform.clone(),
            detail: serde_json::to_value(detail).unwrap_or_default(),
        }],
        tools: program.into_iter().map(|program| Program { program, version: Vec::new() }).collect(),
        params: serde_json::to_value(params).unwrap_or_default(),
        ..Step::default()
    })
}

fn command(settings: &Settings, given: &Given<'_>, format: Format) -> Result<Option<Tool>, Vec<Problem>> {
    let Some(words) = &settings.command else { return Ok(None) };
    let names =
        CommandNames { artifact: ARTIFACT.to_owned(), document: DOCUMENT.to_owned(), format: format.name().to_owned() };
    let argv = words.command("command", given, &names)?;
    Ok(Some(Tool { argv, env: settings.env.clone() }))
}

/// What something is called where there are no directories: programs and images say in their names where they run.
fn called(subject: &Offer) -> String {
    let last = subject.name.rsplit('/').next().unwrap_or(&subject.name);
    match (subject.detail::<Binary>(), &subject.platform) {
        (Some(binary), Some(platform)) => {
            let stem = binary.file_name.strip_suffix(".exe").unwrap_or(&binary.file_name);
            format!("{stem}_{}", platform.slug())
        }
        _ => last.strip_suffix(".image.json").unwrap_or(last).to_owned(),
    }
}
