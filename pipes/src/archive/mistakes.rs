//! What is wrong with an `archive` table, or with what it takes, whatever its templates say.
//! Does not render.

use forge_plugin::schemas::Problem;

use super::format::{Container, Format};
use super::settings::Settings;
use super::units::Unit;
use crate::build::platforms::check_pattern;

/// All of it.
pub fn mistakes(settings: &Settings, units: &[Unit<'_>]) -> Vec<Problem> {
    let mut problems = of_formats(settings);
    for (at, differing) in settings.overrides.iter().enumerate() {
        problems.extend(check_pattern(&differing.pattern(), &format!("overrides[{at}]")));
        problems.extend(twice(&format!("overrides[{at}].formats"), &differing.formats));
    }
    problems.extend(of_meta(settings));
    problems.extend(units.iter().find_map(ambiguous));
    problems.extend(uneven(settings, units));
    problems
}

fn of_formats(settings: &Settings) -> Vec<Problem> {
    let mut problems = twice("formats", &settings.formats);
    if settings.formats.is_empty() && settings.overrides.is_empty() {
        problems.push(Problem::at_key("formats", "no formats").help("leave the key out for `tar.gz`"));
    }
    problems
}

fn twice(key: &str, formats: &[Format]) -> Vec<Problem> {
    let again = formats.iter().enumerate().filter(|(at, format)| formats[..*at].contains(format));
    let problem = |(at, format): (usize, &Format)| {
        Problem::at_key(format!("{key}[{at}]"), format!("`{}` stands here twice", format.name())).help("leave one out")
    };
    again.map(problem).collect()
}

/// What is said of programs, where there are none.
fn of_meta(settings: &Settings) -> Vec<Problem> {
    if !settings.meta {
        return Vec::new();
    }
    let formats = settings.formats.iter().enumerate().filter(|(_, it)| it.container() == Container::None);
    let formats = formats.map(|(at, format)| {
        Problem::at_key(format!("formats[{at}]"), format!("`{}` is of programs, and `meta` holds none", format.name()))
    });
    let keys = [
        ("ids", !settings.ids.is_empty()),
        ("platforms", settings.platforms.is_some()),
        ("overrides", !settings.overrides.is_empty()),
    ];
    let keys = keys.into_iter().filter(|(_, is_given)| *is_given);
    let keys = keys.map(|(key, _)| Problem::at_key(key, "an archive with `meta` holds no programs"));
    let help = |problem: Problem| problem.help("leave it out, or leave `meta` out");
    formats.chain(keys).map(help).collect()
}

fn ambiguous(unit: &Unit<'_>) -> Option<Problem> {
    let (other, program) = unit.programs.iter().enumerate().find_map(|(at, program)| {
        Some((unit.programs[..at].iter().find(|it| it.file_name == program.file_name)?, program))
    })?;
    let message =
        format!("`{}` and `{}` are both called `{}`", other.offer.name, program.offer.name, program.file_name);
    Some(Problem::at_key("ids", message).help("choose the tables whose programs go in by `ids`"))
}

/// A platform that has fewer programs than another.
fn uneven(settings: &Settings, units: &[Unit<'_>]) -> Option<Problem> {
    let most = units.iter().max_by_key(|unit| unit.programs.len())?;
    let fewer = units.iter().find(|unit| unit.programs.len() < most.programs.len())?;
    let tables = |unit: &Unit<'_>| unit.programs.iter().map(|it| it.offer.table.clone()).collect::<Vec<_>>();
    let present = tables(fewer);
    let missing = tables(most).into_iter().find(|table| !present.contains(table))?;
    let each_alone = settings.formats.iter().all(|it| it.container() == Container::None);
    let message = format!(
        "the archive for {} would lack the program of `{missing}`, which that for {} has",
        fewer.in_words(),
        most.in_words()
    );
    let problem = Problem::at_key("ids", message);
    (!settings.incomplete && !each_alone).then(|| {
        problem.help("build it for that platform, choose `platforms`, give each table an archive of its own, or say `incomplete = true`")
    })
}
