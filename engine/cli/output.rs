//! Standard output and standard error: the only place of forge that prints.
//! Does not know what is said.

use std::io::{IsTerminal as _, Write as _};

use forge_schemas::{Failure, exit};

use super::args::{Arguments, When};
use crate::diagnostic::Diagnostic;
use crate::report::{self, Colour, Verbosity};

/// Prints a line to standard output. A reader that has gone away is no error.
pub fn print(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Prints an error to standard error.
pub fn error(message: &str) {
    tell(&format!("error: {message}\n"));
}

/// Prints something worth knowing to standard error.
pub fn note(message: &str) {
    tell(&format!("note: {message}\n"));
}

/// Tells all that is wrong, and that therefore nothing was built.
pub fn diagnostics(arguments: &Arguments, diagnostics: &[Diagnostic]) {
    let colour = colour(arguments);
    tell(&report::render(diagnostics, colour));
    if diagnostics.iter().any(Diagnostic::is_error) {
        tell(&format!("{}\n", report::summary(diagnostics, "nothing was built", colour)));
    }
}

/// Tells a failure that belongs to no task. Answers its exit code.
pub fn failure(failure: &Failure) -> u8 {
    error(&failure.to_string());
    for cause in &failure.causes {
        tell(&format!("  because: {cause}\n"));
    }
    if let Some(help) = &failure.help {
        tell(&format!("  help: {help}\n"));
    }
    exit::FAILED
}

// A reader that has gone away (`2>&1 | head`, a terminal that was closed) is no error, and no bug.
fn tell(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Whether standard error has colours.
pub fn colour(arguments: &Arguments) -> Colour {
    colour_at(arguments, &std::io::stderr())
}

/// Whether standard output has colours.
pub fn colour_of_lists(arguments: &Arguments) -> Colour {
    colour_at(arguments, &std::io::stdout())
}

fn colour_at(arguments: &Arguments, out: &impl std::io::IsTerminal) -> Colour {
    let is_on = match arguments.color {
        When::Always => true,
        When::Never => false,
        When::Auto => out.is_terminal() && !is_set("NO_COLOR") && !is_dumb(),
    };
    if is_on { Colour::Ansi } else { Colour::Plain }
}

/// Whether lines may be painted anew: at a terminal that a person looks at.
pub fn is_live() -> bool {
    std::io::stderr().is_terminal() && !is_set("CI") && !is_dumb()
}

/// How much is said.
pub fn verbosity(arguments: &Arguments) -> Verbosity {
    match (arguments.quiet, arguments.verbose) {
        (true, _) => Verbosity::Quiet,
        (_, true) => Verbosity::Verbose,
        _ => Verbosity::Normal,
    }
}

fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|it| !it.is_empty())
}

fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|it| it == "dumb")
}
