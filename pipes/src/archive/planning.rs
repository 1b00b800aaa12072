//! The steps of an `archive` table: one a platform and format.
//! Does not pack.

use forge_plugin::schemas::kind::{Archive as Packed, Kind as _};
use forge_plugin::schemas::{Output, Place, Problem, Read, Step};
use forge_plugin::{Given, Template};

use super::Params;
use super::choosing::resolve_all;
use super::files::{DEFAULT, Files};
use super::format::{Container, Format};
use super::mistakes::mistakes;
use super::naming::{Taken, directory, name};
use super::settings::{ArchiveNames, Settings};
use super::units::{Unit, by_platform};

/// The steps, or all that is wrong.
pub fn plan(settings: &Settings, given: &Given<'_>) -> Result<Vec<Step>, Vec<Problem>> {
    let units = if settings.meta { vec![Unit::of_no_programs()] } else { by_platform(given.offers) };
    let mut problems = mistakes(settings, &units);
    let (mut steps, mut taken) = (Vec::new(), Taken::default());
    for unit in &units {
        let formats = formats(settings, unit);
        for format in formats {
            let mut planning = Planning { settings, given, unit, format: *format, problems: Vec::new() };
            steps.extend(planning.step(formats.len(), &mut taken));
            for problem in planning.problems {
                // A template that is wrong for one platform is most often wrong for all.
                if !problems.contains(&problem) {
                    problems.push(problem);
                }
            }
        }
    }
    if problems.is_empty() { Ok(steps) } else { Err(problems) }
}

/// The formats of a platform.
fn formats<'a>(settings: &'a Settings, unit: &Unit<'_>) -> &'a [Format] {
    let fits = |platform| settings.overrides.iter().rev().find(|it| it.pattern().fits(platform));
    unit.platform.and_then(fits).map_or(&settings.formats, |it| &it.formats)
}

/// One step while it is planned.
struct Planning<'a> {
    settings: &'a Settings,
    given: &'a Given<'a>,
    unit: &'a Unit<'a>,
    format: Format,
    problems: Vec<Problem>,
}

impl Planning<'_> {
    fn step(&mut self, formats: usize, taken: &mut Taken) -> Option<Step> {
        let is_alone = self.format.container() == Container::None;
        let makes = if is_alone { self.each(taken) } else { self.all(taken) };
        let timestamp = self.given.facts.commit_timestamp;
        let said = self.settings.binaries.said("binaries.", timestamp, &|key, it| self.render(key, it));
        let said = self.keep_all(said);
        let (files, reads) = if is_alone { Default::default() } else { self.files() };
        let (makes, said) = (makes?, said?);
        let params = Params {
            format: self.format,
            directory: detail_of(&makes).and_then(|it| it.directory),
            binaries: self.unit.programs.iter().map(|it| it.file_name.clone()).collect(),
            said,
            files,
        };
        let params = serde_json::to_value(params).map_err(|error| Problem::at_key("", error.to_string()));
        let platform = self.unit.platform.map(ToString::to_string);
        let format = (formats > 1).then(|| self.format.name().to_owned());
        Some(Step {
            name: platform.into_iter().chain(format).collect::<Vec<_>>().join("/"),
            platform: self.unit.platform.cloned(),
            takes: self.unit.programs.iter().map(|it| it.offer.name.clone()).collect(),
            makes,
            reads,
            params: self.keep(params)?,
            ..Step::default()
        })
    }

    /// One archive of all programs.
    fn all(&mut self, taken: &mut Taken) -> Option<Vec<Output>> {
        let unit = self.unit;
        let (stem, name) = self.name(unit.first(), taken)?;
        let directory = directory(self.settings, self.given, unit, unit.first(), (&stem, self.format));
        let directory = self.keep(directory)?;
        let binaries = unit.programs.iter().map(|it| it.file_name.clone()).collect();
        Some(vec![self.output(name, binaries, directory)])
    }

    /// A file for each.
    fn each(&mut self, taken: &mut Taken) -> Option<Vec<Output>> {
        let unit = self.unit;
        let programs = unit.programs.iter().map(|it| it.file_name.as_str());
        programs.map(|it| self.name(it, taken).map(|(_, name)| self.output(name, vec![it.to_owned()], None))).collect()
    }

    fn output(&self, name: String, binaries: Vec<String>, directory: Option<String>) -> Output {
        let detail = Packed { format: self.format.name().to_owned(), binaries, directory };
        let detail = serde_json::to_value(detail).unwrap_or_default();
        Output { name, kind: Packed::NAME.to_owned(), platform: self.unit.platform.cloned(), detail }
    }

    fn name(&mut self, program: &str, taken: &mut Taken) -> Option<(String, String)> {
        let named = name(self.settings, self.given, self.unit, program, self.format);
        let (stem, name) = self.keep(named)?;
        let is_free = taken.take(self.settings, &name, &self.unit.in_words());
        self.keep(is_free)?;
        Some((stem, name))
    }

    /// The files that go in beside the programs, and the same as what the step reads.
    fn files(&mut self) -> (Vec<Files>, Vec<Read>) {
        let Some(files) = &self.settings.files else { return self.default_files() };
        let timestamp = self.given.facts.commit_timestamp;
        let resolved = resolve_all(files, timestamp, &|key, it| self.render(key, it));
        self.keep_all(resolved).unwrap_or_default()
    }

    fn default_files(&mut self) -> (Vec<Files>, Vec<Read>) {
        let timestamp = self.given.facts.commit_timestamp;
        let files = DEFAULT.map(|pattern| Files::by_default(pattern, timestamp));
        let reads = DEFAULT.map(|pattern| Read::any(pattern, Place::Key(String::new())));
        (files.to_vec(), reads.to_vec())
    }

    fn render(&self, key: &str, template: &Template<ArchiveNames>) -> Result<String, Problem> {
        self.unit.render(self.given, key, template, (self.unit.first(), self.format))
    }

    fn keep<T>(&mut self, result: Result<T, Problem>) -> Option<T> {
        result.map_err(|problem| self.problems.push(problem)).ok()
    }

    fn keep_all<T>(&mut self, result: Result<T, Vec<Problem>>) -> Option<T> {
        result.map_err(|problems| self.problems.extend(problems)).ok()
    }
}

fn detail_of(makes: &[Output]) -> Option<Packed> {
    serde_json::from_value(makes.first()?.detail.clone()).ok()
}
