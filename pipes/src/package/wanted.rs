//! Which packages a table makes: for each platform, one of each format.
//! Does not know what is in them.

use forge_plugin::Given;
use forge_plugin::schemas::{Platform, Problem};

use super::format::{self, Format};
use super::platforms::{self, Machine};
use super::settings::Settings;
use super::unit::unknown_format;

/// A platform to make packages for.
pub struct Wanted {
    /// None: every machine.
    pub platform: Option<Platform>,
    /// The key that asks for it.
    pub key: String,
}

/// The formats of a table, each with its key.
pub fn formats(settings: &Settings, problems: &mut Vec<Problem>) -> Vec<(&'static dyn Format, String)> {
    let mut found: Vec<(&'static dyn Format, String)> = Vec::new();
    for (at, name) in settings.formats.iter().enumerate() {
        let key = format!("formats[{at}]");
        match format::named(name) {
            None => problems.push(unknown_format(name, &key)),
            Some(format) if found.iter().any(|(it, _)| it.name() == format.name()) => {
                problems.push(Problem::at_key(key, format!("`{name}` is named twice")).help("leave one of them out"));
            }
            Some(format) => found.push((format, key)),
        }
    }
    if settings.formats.is_empty() {
        let problem = Problem::at_key("formats", "no format is named");
        problems.push(problem.help("name some, as in `formats = [\"deb\", \"rpm\", \"apk\", \"archlinux\"]`"));
    }
    for name in settings.overrides.keys() {
        let key = format!("overrides.{name}");
        if format::named(name).is_none() {
            problems.push(unknown_format(name, &key));
        } else if !settings.formats.contains(name) {
            let problem = Problem::at_key(key, format!("the table makes no `{name}`"));
            problems.push(problem.help("add it to `formats`, or leave its `overrides` out"));
        }
    }
    found
}

/// The platforms of a table.
pub fn platforms(settings: &Settings, given: &Given<'_>, problems: &mut Vec<Problem>) -> Vec<Wanted> {
    match &settings.platforms {
        Some(texts) => named(texts, settings, given, problems),
        None if has_no_programs(settings) => vec![Wanted { platform: None, key: "formats".to_owned() }],
        None => offered(given, problems),
    }
}

fn has_no_programs(settings: &Settings) -> bool {
    settings.ids.as_ref().is_some_and(Vec::is_empty)
}

fn named(texts: &[String], settings: &Settings, given: &Given<'_>, problems: &mut Vec<Problem>) -> Vec<Wanted> {
    let mut found: Vec<Wanted> = Vec::new();
    if texts.is_empty() {
        problems.push(Problem::at_key("platforms", "no platform is named").help("leave the key out for all of Linux"));
    }
    for (at, text) in texts.iter().enumerate() {
        let key = format!("platforms[{at}]");
        let platform = match text.parse::<Platform>() {
            Ok(platform) => platform,
            Err(bad) => {
                problems.push(Problem { help: bad.help.clone(), ..Problem::at_key(key, bad.to_string()) });
                continue;
            }
        };
        let is_made = || given.offers.iter().any(|it| it.platform.as_ref() == Some(&platform));
        let problem = if found.iter().any(|it| it.platform.as_ref() == Some(&platform)) {
            Some((format!("`{platform}` is named twice"), "leave one of them out"))
        } else if !platforms::is_packaged(&platform) {
            Some((format!("no format is for `{}`", platform.os()), "packages are for Linux; leave it out"))
        } else if !has_no_programs(settings) && !is_made() {
            let help = "add the platform to a `build` table, or leave it out here";
            Some((format!("no program is made for `{platform}`"), help))
        } else {
            None
        };
        match problem {
            Some((message, help)) => problems.push(Problem::at_key(key, message).help(help)),
            None => found.push(Wanted { platform: Some(platform), key }),
        }
    }
    found
}

/// Those of Linux that there are programs for.
fn offered(given: &Given<'_>, problems: &mut Vec<Problem>) -> Vec<Wanted> {
    let mut found: Vec<Platform> = Vec::new();
    for platform in given.offers.iter().filter_map(|it| it.platform.as_ref()) {
        if platforms::is_packaged(platform) && !found.contains(platform) {
            found.push(platform.clone());
        }
    }
    if found.is_empty() {
        let problem = Problem::at_key("ids", "none of the programs is for Linux");
        problems.push(problem.help("add a platform of Linux to the `build` table"));
    }
    found.into_iter().map(|it| Wanted { platform: Some(it), key: "formats".to_owned() }).collect()
}

/// What formats call the machines of a platform, if they call it anything.
pub fn machine(wanted: &Wanted) -> Option<&'static Machine> {
    match &wanted.platform {
        Some(platform) => platforms::machine(platform),
        None => Some(&platforms::ANY),
    }
}

/// That a format has no name for a platform.
pub fn no_name(format: &dyn Format, wanted: &Wanted, key: &str) -> Problem {
    let platform = wanted.platform.as_ref().map(ToString::to_string).unwrap_or_default();
    let key = if wanted.key == "formats" { key } else { &wanted.key };
    let problem = Problem::at_key(key, format!("{} has no name for `{platform}`", format.name()));
    let help =
        format!("leave it out with `platforms`, or make the packages for `{}` in a table of their own", format.name());
    problem.help(help)
}
