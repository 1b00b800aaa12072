//! What goes into one archive: the programs of a platform, or none.
//! Does not know formats.

use forge_plugin::schemas::kind::Binary;
use forge_plugin::schemas::{Offer, Platform, Problem};
use forge_plugin::{Given, Names, Template};
use serde::Serialize;

use super::format::Format;
use super::settings::ArchiveNames;

/// The programs of a platform.
#[derive(Debug)]
pub struct Unit<'a> {
    /// The platform; none where it has none, and where there are no programs.
    pub platform: Option<&'a Platform>,
    /// The programs, in the order of the file.
    pub programs: Vec<Program<'a>>,
}

/// A program.
#[derive(Debug)]
pub struct Program<'a> {
    /// What it is offered as.
    pub offer: &'a Offer,
    /// What it is called, with `.exe` where it belongs.
    pub file_name: String,
}

/// The names of an archive for no platform.
#[derive(Debug, Serialize)]
struct FormatNames {
    format: &'static str,
}

impl Names for FormatNames {
    const NAMES: &'static [&'static str] = &["format"];
}

/// The programs that are offered, by platform, in the order in which these come up.
pub fn by_platform(offers: &[Offer]) -> Vec<Unit<'_>> {
    let mut units: Vec<Unit<'_>> = Vec::new();
    for offer in offers {
        let Some(Binary { file_name }) = offer.detail::<Binary>() else { continue };
        let (platform, program) = (offer.platform.as_ref(), Program { offer, file_name });
        match units.iter_mut().find(|unit| unit.platform == platform) {
            Some(unit) => unit.programs.push(program),
            None => units.push(Unit { platform, programs: vec![program] }),
        }
    }
    units
}

impl Unit<'_> {
    /// What belongs into an archive without programs.
    pub fn of_no_programs() -> Unit<'static> {
        Unit { platform: None, programs: Vec::new() }
    }

    /// The template at `key`, with the names of an archive of this format with this program as its first.
    pub fn render(
        &self,
        given: &Given<'_>,
        key: &str,
        template: &Template<ArchiveNames>,
        (program, format): (&str, Format),
    ) -> Result<String, Problem> {
        match self.platform {
            Some(platform) => given.render(key, template, &ArchiveNames::new(platform, program, format)),
            None => given.render(key, &Template::new(template.text()), &FormatNames { format: format.name() }),
        }
    }

    /// The name of the first program; empty where there is none.
    pub fn first(&self) -> &str {
        self.programs.first().map_or("", |it| &it.file_name)
    }

    /// For messages: `linux/arm64`.
    pub fn in_words(&self) -> String {
        self.platform.map_or_else(|| "all platforms".to_owned(), ToString::to_string)
    }
}
