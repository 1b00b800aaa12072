//! `forge plugins info FILE` and `forge plugins check FILE`: a library by itself, read and not run, or put to the test.
//! Does not need a project.

use std::path::PathBuf;
use std::time::Duration;

use forge_plugin::{Library, LoadError, Nursery, Owners, Rule};
use forge_schemas::exit;
use serde::Serialize;

use super::args::{Arguments, PluginFile};
use super::host_program::host_program;
use super::{output, session};
use crate::report::{count, size};
use crate::run::Environment;
use crate::secrets::Hidden;

/// How long a call of a plugin that is put to the test may take.
const TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Serialize)]
struct LibraryView {
    name: String,
    version: String,
    abi: String,
    platform: String,
    runtime: Option<String>,
    sdk: Option<String>,
    file: PathBuf,
    size: u64,
    digest: String,
    pipes: Vec<String>,
    /// Why it can't be loaded here.
    flaw: Option<String>,
}

/// Says what a library is. Nothing of it runs.
pub fn info(arguments: &Arguments, options: &PluginFile) -> Result<u8, u8> {
    let library = read(arguments, options)?;
    let flaw = library.judge().and_then(|()| library.check_owners(&Owners::of_process())).err();
    let view = view(&library, flaw.as_ref());
    match options.json {
        true => output::print(&serde_json::to_string_pretty(&view).unwrap_or_default()),
        false => show(&view),
    }
    match flaw {
        Some(error) => Err(refused(&error)),
        None => Ok(exit::DONE),
    }
}

/// Puts a library to the test, in a child.
pub fn check(arguments: &Arguments, options: &PluginFile) -> Result<u8, u8> {
    let library = read(arguments, options)?;
    library.check_owners(&Owners::of_process()).map_err(|error| refused(&error))?;
    let title = format!("{} {}", library.name(), library.version());
    let plugin = library.load_in_child(nursery()?).map_err(|error| refused(&error))?;
    let rules = plugin.conformance();
    let broken = rules.iter().filter(|rule| rule.broken.is_some()).count();
    match options.json {
        true => output::print(&serde_json::to_string_pretty(&verdicts(&rules)).unwrap_or_default()),
        false => rules.iter().for_each(|rule| output::print(&verdict(rule))),
    }
    match broken {
        0 => Ok(exit::DONE),
        _ => {
            output::error(&format!("{title} breaks {} of the plugin line", count(broken, "rule")));
            Ok(exit::PLUGIN)
        }
    }
}

fn read(arguments: &Arguments, options: &PluginFile) -> Result<Library, u8> {
    Library::read(&session::directory(arguments)?.join(&options.path)).map_err(|error| refused(&error))
}

fn refused(error: &LoadError) -> u8 {
    output::error(&error.to_string());
    exit::PLUGIN
}

/// A child that sees what programs of a step see.
fn nursery() -> Result<Nursery, u8> {
    let program = host_program().map_err(|failure| output::failure(&failure))?;
    Ok(Nursery { program, env: Environment::of_process(&Hidden::new()).of_step(&[]), timeout: TIMEOUT })
}

fn view(library: &Library, flaw: Option<&LoadError>) -> LibraryView {
    let text = |it: Option<&str>| it.map(ToOwned::to_owned);
    LibraryView {
        name: library.name().to_owned(),
        version: library.version().to_owned(),
        abi: library.abi().to_owned(),
        platform: library.platform().to_owned(),
        runtime: text(library.runtime()),
        sdk: text(library.sdk()),
        file: library.path().to_owned(),
        size: library.size(),
        digest: library.digest().to_string(),
        pipes: library.pipes().to_vec(),
        flaw: flaw.map(|it| it.message().to_owned()),
    }
}

fn show(view: &LibraryView) {
    output::print(&format!("{} {} (ABI {})", view.name, view.version, view.abi));
    output::print(&format!("  from {}", view.file.display()));
    output::print(&format!("  size {}", size(view.size)));
    output::print(&format!("  digest {}", view.digest));
    output::print(&format!("  for {}", view.platform));
    if let Some(runtime) = &view.runtime {
        output::print(&format!("  written in {runtime}"));
    }
    if let Some(sdk) = &view.sdk {
        output::print(&format!("  made with {sdk}"));
    }
    output::print(&format!("  pipes {}", view.pipes.join(", ")));
}

fn verdict(rule: &Rule) -> String {
    match &rule.broken {
        None => format!("ok      {}", rule.words),
        Some(how) => format!("broken  {}: {how}", rule.words),
    }
}

#[derive(Serialize)]
struct Verdict<'a> {
    rule: &'a str,
    broken: Option<&'a str>,
}

fn verdicts(rules: &[Rule]) -> Vec<Verdict<'_>> {
    rules.iter().map(|rule| Verdict { rule: rule.words, broken: rule.broken.as_deref() }).collect()
}
