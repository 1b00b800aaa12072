//! Why a library can't be used, and what to do about it.
//! Does not know how it was found.

use std::fmt;
use std::path::{Path, PathBuf};

/// Why a plugin can't be used. Displays as `<file>: <message>: <help>`.
#[derive(Debug)]
pub struct LoadError {
    file: Option<PathBuf>,
    message: String,
    help: Option<String>,
    is_stale: bool,
}

impl LoadError {
    pub(super) fn new(message: impl Into<String>) -> LoadError {
        LoadError { file: None, message: message.into(), help: None, is_stale: false }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> LoadError {
        self.help = Some(help.into());
        self
    }

    pub(super) fn of(mut self, file: &Path) -> LoadError {
        self.file = Some(file.to_owned());
        self
    }

    pub(super) fn stale(mut self) -> LoadError {
        self.is_stale = true;
        self
    }

    /// The file; none for a plugin that is linked in.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// What is wrong with it.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do about it.
    pub fn advice(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// Whether it is sound, but was built from other sources than this executable.
    pub fn is_stale(&self) -> bool {
        self.is_stale
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}: ", file.display())?;
        }
        f.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(f, ": {help}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for LoadError {}
