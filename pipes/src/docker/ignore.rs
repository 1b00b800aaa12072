//! Which `.dockerignore` counts, and what it leaves out of the project.
//! Does not match paths: that is said where the engine asks it too.

use forge_plugin::Given;
use forge_plugin::schemas::{Presence, Problem, SourceText};
use forge_plugin::sources::{Except, lines};

/// The one of the project.
const NAME: &str = ".dockerignore";
/// The key that names the Dockerfile, and with it this.
const KEY: &str = "dockerfile";

/// What is left out of what a Dockerfile can copy.
#[derive(Debug, Clone, Default)]
pub struct Ignore {
    /// The file that says so.
    pub path: String,
    /// Its patterns.
    pub patterns: Vec<String>,
    /// The same, to ask.
    pub except: Except,
}

/// The files that may say so, of which the first that is there counts.
pub fn wanted(dockerfile: &str) -> Vec<SourceText> {
    let source = |path| SourceText { path, key: KEY.to_owned(), presence: Presence::Optional, ..SourceText::default() };
    names(dockerfile).map(source).into()
}

/// What the one that counts says.
pub fn read(given: &Given<'_>, dockerfile: &str) -> Result<Ignore, Vec<Problem>> {
    let found = names(dockerfile).into_iter().find_map(|path| given.source(&path).map(|text| (path.clone(), text)));
    let Some((path, text)) = found else { return Ok(Ignore::default()) };
    let mut problems = Vec::new();
    let mut patterns = Vec::new();
    for (bytes, pattern) in lines(text) {
        match Except::new([pattern.as_str()]) {
            Ok(_) => patterns.push(pattern),
            Err(bad) => problems.push(Problem::at_file(&path, bytes, bad.to_string())),
        }
    }
    match Except::new(patterns.iter().map(String::as_str)) {
        Ok(except) if problems.is_empty() => Ok(Ignore { path, patterns, except }),
        _ => Err(problems),
    }
}

fn names(dockerfile: &str) -> [String; 2] {
    [format!("{dockerfile}{NAME}"), NAME.to_owned()]
}
