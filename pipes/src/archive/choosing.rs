//! Which files of the project a table wants in an archive, with its templates rendered.
//! Does not look at the project.

use forge_plugin::schemas::{Place, Presence, Problem, Read};

use super::files::{Files, Parents};
use super::naming::{Render, inside};
use super::settings::{File, FileTable};

/// All of `files`, and the same as what a step reads; or all that is wrong.
pub fn resolve_all<N: Clone>(
    files: &[File<N>],
    timestamp: i64,
    render: &Render<'_, N>,
) -> Result<(Vec<Files>, Vec<Read>), Vec<Problem>> {
    let (mut found, mut reads, mut problems) = (Vec::new(), Vec::new(), Vec::new());
    for (at, file) in files.iter().enumerate() {
        let key = format!("files[{at}]");
        let (resolved, src) = match file {
            File::Path(path) => (resolve(&FileTable::of(path), &key, "", timestamp, render), key),
            File::Table(table) => {
                let src = format!("{key}.src");
                (resolve(table, &src, &format!("{key}."), timestamp, render), src)
            }
        };
        match resolved {
            Ok(files) => {
                reads.push(Read::all(&files.pattern, Place::Key(src)));
                found.push(files);
            }
            Err(more) => problems.extend(more),
        }
    }
    if problems.is_empty() { Ok((found, reads)) } else { Err(problems) }
}

/// `src` is the key of `src`; the others begin with `prefix`.
fn resolve<N: Clone>(
    table: &FileTable<N>,
    src: &str,
    prefix: &str,
    timestamp: i64,
    render: &Render<'_, N>,
) -> Result<Files, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut path = |key: &str, template: &_, place| {
        let rendered = render(key, template).and_then(|path| inside(key, &path, place).map(|()| path));
        rendered.map_err(|problem| problems.push(problem)).ok()
    };
    let pattern = path(src, &table.src, "project");
    let dst = table.dst.as_ref().map(|dst| path(&format!("{prefix}dst"), dst, "archive"));
    let said = table.info().said(prefix, timestamp, render).map_err(|more| problems.extend(more));
    match (pattern, said) {
        (Some(pattern), Ok(said)) if problems.is_empty() => Ok(Files {
            pattern,
            presence: Presence::Required,
            dst: dst.flatten().filter(|it| !it.is_empty()),
            parents: if table.strip_parent { Parents::Stripped } else { Parents::Kept },
            mode: said.mode,
            stamp: said.stamp,
        }),
        _ => Err(problems),
    }
}
