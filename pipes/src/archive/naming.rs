//! What archives are called.
//! Does not know what is in them.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use forge_plugin::schemas::Problem;
use forge_plugin::{Given, Template};

use super::format::{Container, Format};
use super::settings::{ArchiveNames, Directory, Settings};
use super::units::Unit;
use crate::table::path;

const OF_PLATFORM: &str = "{{ name }}_{{ version }}_{{ os }}_{{ arch }}{{ variant }}";
const OF_PROGRAM: &str = "{{ binary }}_{{ version }}_{{ os }}_{{ arch }}{{ variant }}";
const OF_NO_PLATFORM: &str = "{{ name }}_{{ version }}";

/// What an archive of this format is called whose first program is this: its name without and with its ending.
pub fn name(
    settings: &Settings,
    given: &Given<'_>,
    unit: &Unit<'_>,
    program: &str,
    format: Format,
) -> Result<(String, String), Problem> {
    let is_alone = format.container() == Container::None;
    let default = match unit.platform {
        None => OF_NO_PLATFORM,
        Some(_) if is_alone => OF_PROGRAM,
        Some(_) => OF_PLATFORM,
    };
    let default = Template::new(default);
    let template = settings.name.as_ref().unwrap_or(&default);
    let stem = unit.render(given, "name", template, (program, format))?;
    check("name", &stem)?;
    let exe = if is_alone && program.ends_with(".exe") && !stem.ends_with(".exe") { ".exe" } else { "" };
    let name = format!("{stem}{exe}{}", format.ending());
    Ok((stem, name))
}

/// The directory that all of an archive lies in.
pub fn directory(
    settings: &Settings,
    given: &Given<'_>,
    unit: &Unit<'_>,
    program: &str,
    (stem, format): (&str, Format),
) -> Result<Option<String>, Problem> {
    match &settings.directory {
        Directory::Wrap(false) => Ok(None),
        Directory::Wrap(true) => Ok(Some(stem.to_owned())),
        Directory::Named(template) => {
            let name = unit.render(given, "directory", template, (program, format))?;
            inside("directory", &name, "archive")?;
            Ok(Some(name.trim_end_matches('/').to_owned()).filter(|it| !it.is_empty()))
        }
    }
}

/// A path that stays where it starts: in `place`.
pub fn inside(key: &str, path: &str, place: &str) -> Result<(), Problem> {
    let problem = || Problem::at_key(key, format!("`{path}` leads out of the {place}"));
    if path::is_inside(path) {
        Ok(())
    } else {
        Err(problem().help("write it without `..`, and without a `/` before it"))
    }
}

/// The names that archives of a table have.
#[derive(Debug, Default)]
pub struct Taken {
    by_name: BTreeMap<String, String>,
}

impl Taken {
    /// Takes a name for an archive of `whose`, or says who has it.
    pub fn take(&mut self, settings: &Settings, name: &str, whose: &str) -> Result<(), Problem> {
        let other = match self.by_name.entry(name.to_owned()) {
            Entry::Vacant(free) => {
                free.insert(whose.to_owned());
                return Ok(());
            }
            // That a format stands there twice is told elsewhere.
            Entry::Occupied(taken) if taken.get() == whose && settings.name.is_none() => return Ok(()),
            Entry::Occupied(taken) => taken.get().clone(),
        };
        let key = if settings.name.is_some() { "name" } else { "" };
        let message = match other == whose {
            true => format!("two archives for {whose} would be called `{name}`"),
            false => format!("the archives for {other} and for {whose} would both be called `{name}`"),
        };
        let help =
            "tell them apart by `{{ os }}`, `{{ arch }}` and `{{ variant }}`, and programs alone by `{{ binary }}`";
        Err(Problem::at_key(key, message).help(help))
    }
}

/// The last part of a path, and no more.
pub fn check(key: &str, name: &str) -> Result<(), Problem> {
    let is_name = !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\\', '\0']);
    let problem = || Problem::at_key(key, format!("`{name}` can't be the name of a file"));
    if is_name { Ok(()) } else { Err(problem().help("write a name without a directory")) }
}

/// A template of the names of an archive, rendered: what [`Unit::render`] is, with all but the template known.
pub type Render<'r, N = ArchiveNames> = dyn Fn(&str, &Template<N>) -> Result<String, Problem> + 'r;
