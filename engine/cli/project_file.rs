//! The project file as it is read: with all files that it includes, as one text.
//! Does not know what stands in them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use forge_plugin::sources::{Except, matches};

use super::args::Arguments;
use super::session::directory;
use super::{output, session};
use crate::diagnostic::Diagnostic;
use crate::project::{Included, included, nested};
use crate::source::Source;

/// The project file of the command line, with what it includes. What can't be read is told here.
pub fn read(arguments: &Arguments) -> Result<Arc<Source>, u8> {
    let told = |diagnostics: &[Diagnostic]| {
        output::diagnostics(arguments, diagnostics);
        forge_schemas::exit::PROJECT
    };
    let directory = directory(arguments)?;
    let source = Source::read(&directory, &arguments.file).map_err(|it| told(&[it.into()]))?;
    let wanted = included(&source);
    if wanted.is_empty() {
        return Ok(source);
    }
    let root = session::root(arguments)?;
    let mut files: Vec<Arc<Source>> = Vec::new();
    let mut diagnostics = Vec::new();
    for included in wanted {
        match find(&root, &included, &source) {
            Ok(paths) => {
                for path in paths {
                    read_once(&directory, arguments, &path, &mut files).unwrap_or_else(|it| diagnostics.push(it));
                }
            }
            Err(diagnostic) => diagnostics.push(diagnostic),
        }
    }
    diagnostics.extend(files.iter().filter_map(nested));
    if diagnostics.is_empty() { Ok(Source::joined(source, files)) } else { Err(told(&diagnostics)) }
}

/// The files that a path or glob names, relative to the project file.
fn find(root: &Path, included: &Included, source: &Arc<Source>) -> Result<Vec<PathBuf>, Diagnostic> {
    let Included { pattern, span } = included;
    let wrong = |message: String, help: &str| Err(Diagnostic::error(message).at(source, *span).help(help));
    match matches(root, pattern, &Except::default()) {
        Ok(found) if found.is_empty() => wrong(format!("no file matches `{pattern}`"), RELATIVE),
        Ok(found) => match found.iter().find(|it| root.join(it).is_dir()) {
            Some(path) => {
                wrong(format!("`{}` is a directory", path.display()), "name its files: `files = [\"forge/*.toml\"]`")
            }
            None => Ok(found),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            wrong(format!("there is no file `{pattern}`"), RELATIVE)
        }
        Err(error) => wrong(format!("can't look for `{pattern}`: {error}"), RELATIVE),
    }
}

/// A file that two patterns name is included once, and the project file itself never.
fn read_once(
    directory: &Path,
    arguments: &Arguments,
    path: &Path,
    files: &mut Vec<Arc<Source>>,
) -> Result<(), Diagnostic> {
    let shown = arguments.file.parent().map_or_else(|| path.to_path_buf(), |parent| parent.join(path));
    if shown != arguments.file && files.iter().all(|it| it.path != shown) {
        files.push(Source::read(directory, &shown)?);
    }
    Ok(())
}

const RELATIVE: &str = "paths are relative to the project file";
