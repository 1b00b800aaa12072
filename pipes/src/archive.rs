//! Pipe `archive`: programs and what belongs to them, packed for people to download, an archive a platform.
//! Does not know how a format is written: its container and its compressor are a file each under `archive/`.

pub(crate) mod choosing;
mod deflate;
pub(crate) mod entry;
pub(crate) mod files;
pub(crate) mod format;
mod gzip;
pub(crate) mod info;
mod mistakes;
pub(crate) mod naming;
mod planning;
pub(crate) mod settings;
mod tar;
mod units;
mod xz;
mod zip;
mod zstd;

use forge_plugin::schemas::kind::{Archive as Packed, Binary, Kind as _};
use forge_plugin::schemas::{Artifact, Emit, Failure, KindInfo, Output, Platform, Problem, Selector, Step};
use forge_plugin::{Given, Host, Pipe, Wants, kind};
use serde::{Deserialize, Serialize};

use self::entry::{Entry, in_order};
use self::files::Files;
use self::format::{Container, Format};
use self::info::Said;
use self::settings::Settings;
use crate::build::make_executable;
use crate::oci::layer::Content;

/// The pipe.
pub struct Archive;

/// What is packed, with everything resolved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Params {
    format: Format,
    /// The directory that all of it lies in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    directory: Option<String>,
    /// The programs by their names in the archive, in the order in which the step takes them.
    binaries: Vec<String>,
    /// What is said of them.
    said: Said,
    files: Vec<Files>,
}

impl Pipe for Archive {
    const NAME: &'static str = "archive";
    const SUMMARY: &'static str = "packs programs for download, an archive a platform";
    type Settings = Settings;
    type Params = Params;

    fn makes() -> Vec<KindInfo> {
        vec![kind::<Packed>()]
    }

    fn takes(settings: &Settings) -> Result<Wants, Vec<Problem>> {
        let platforms = platforms(settings)?;
        let selectors = if settings.meta { Vec::new() } else { selectors(settings, &platforms) };
        Ok(Wants { selectors, sources: Vec::new() })
    }

    fn plan(settings: &Settings, given: &Given<'_>) -> Result<Vec<Step>, Vec<Problem>> {
        planning::plan(settings, given)
    }

    fn run(params: &Params, step: &Step, host: &dyn Host) -> Result<(), Failure> {
        match params.format.container() {
            Container::None => params.pack_each(step, host),
            Container::Tar | Container::Zip => params.pack_all(step, host),
        }
    }
}

impl Params {
    /// One archive of all of it.
    fn pack_all(&self, step: &Step, host: &dyn Host) -> Result<(), Failure> {
        let output = step.makes.first().ok_or_else(|| Failure::bug("the step makes nothing"))?;
        let mut entries = Vec::new();
        for files in &self.files {
            entries.extend(files.find(host.root())?);
        }
        entries.extend(self.programs(host));
        pack(entries, self.directory.as_deref(), self.format, output, host)
    }

    /// A file for each program.
    fn pack_each(&self, step: &Step, host: &dyn Host) -> Result<(), Failure> {
        for (at, (output, program)) in step.makes.iter().zip(self.programs(host)).enumerate() {
            let path = host.dir().join(at.to_string());
            self.format.write(std::slice::from_ref(&program), &path, &|| host.cancelled())?;
            if self.format == Format::Binary {
                make_executable(&path).map_err(|error| Failure::file("change", &path, &error))?;
            }
            host.emit(&Emit { name: output.name.clone(), path, blobs: Vec::new(), detail: output.detail.clone() })?;
        }
        Ok(())
    }

    fn programs(&self, host: &dyn Host) -> Vec<Entry> {
        let entry = |(artifact, path): (&Artifact, &String)| Entry {
            path: path.clone(),
            mode: self.said.mode.unwrap_or(0o755),
            stamp: self.said.stamp.clone(),
            content: Content::File(artifact.path.clone()),
            from: artifact.name.clone(),
        };
        host.inputs().iter().zip(&self.binaries).map(entry).collect()
    }
}

/// Makes one archive of these, in a directory if there is to be one.
pub(crate) fn pack(
    mut entries: Vec<Entry>,
    directory: Option<&str>,
    format: Format,
    output: &Output,
    host: &dyn Host,
) -> Result<(), Failure> {
    for entry in &mut entries {
        if let Some(directory) = directory {
            entry.path = format!("{directory}/{}", entry.path);
        }
    }
    let path = host.dir().join("archive");
    format.write(&in_order(entries)?, &path, &|| host.cancelled())?;
    host.emit(&Emit { name: output.name.clone(), path, blobs: Vec::new(), detail: output.detail.clone() })?;
    Ok(())
}

fn platforms(settings: &Settings) -> Result<Vec<Platform>, Vec<Problem>> {
    let (mut platforms, mut problems) = (Vec::new(), Vec::new());
    for (at, text) in settings.platforms.iter().flatten().enumerate() {
        let key = format!("platforms[{at}]");
        match text.parse::<Platform>() {
            Err(bad) => problems.push(Problem { help: bad.help.clone(), ..Problem::at_key(key, bad.to_string()) }),
            Ok(it) if platforms.contains(&it) => {
                problems.push(Problem::at_key(key, format!("`{it}` stands here twice")).help("leave one out"));
            }
            Ok(it) => platforms.push(it),
        }
    }
    if settings.platforms.as_ref().is_some_and(Vec::is_empty) {
        problems.push(Problem::at_key("platforms", "no platforms").help("leave the key out for all of them"));
    }
    if problems.is_empty() { Ok(platforms) } else { Err(problems) }
}

/// One of each id and one of each platform, so that nothing that is named is missing in silence.
fn selectors(settings: &Settings, platforms: &[Platform]) -> Vec<Selector> {
    let programs = |tables: &[String], platforms: &[Platform], key: String| Selector {
        tables: tables.to_vec(),
        platforms: platforms.to_vec(),
        key,
        ..Selector::of_kind(Binary::NAME)
    };
    let ids = settings.ids.iter().enumerate();
    let by_id = ids.map(|(at, id)| programs(std::slice::from_ref(id), platforms, format!("ids[{at}]")));
    let platforms = platforms.iter().enumerate();
    let by_platform =
        platforms.map(|(at, it)| programs(&settings.ids, std::slice::from_ref(it), format!("platforms[{at}]")));
    let mut selectors: Vec<Selector> = by_id.chain(by_platform).collect();
    if selectors.is_empty() {
        selectors.push(Selector::of_kind(Binary::NAME));
    }
    selectors
}

#[cfg(test)]
mod tests;
