//! Tree to project: the pipes' tables, named, their templates resolved, their settings checked.
//! Does not know what a setting means: the pipe's schema says what it must look like.

use forge_schemas::{Facts, PipeInfo};

use super::{Document, Environment, Head, Project};
use crate::diagnostic::Diagnostic;

/// The project that `document` means, as far as it can be told, and all that is wrong with it.
pub fn lower(
    document: &Document,
    head: Head,
    pipes: &[&PipeInfo],
    facts: &Facts,
    environment: &Environment,
) -> (Project, Vec<Diagnostic>) {
    let _ = (pipes, facts, environment);
    let project =
        Project { head, tables: Vec::new(), environment: Default::default(), source: document.source().clone() };
    (project, Vec::new())
}
