//! What a pipe says of a key of its table, or of a place in a file that it was given to read.
//! Does not know spans: the engine finds the place in the text.

use serde::{Deserialize, Serialize};

/// One mistake of the user, found while planning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Where it is.
    pub place: Place,
    /// What is wrong: a phrase, lower case, no full stop, backticks around what the user typed.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// Where a problem is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// A key of the table: `platforms[1].os`; empty for the table itself.
    Key(String),
    /// Bytes of a source file that the table asked for in `takes`.
    File {
        /// The path as it was asked for.
        path: String,
        /// The first byte.
        start: usize,
        /// The byte after the last.
        end: usize,
    },
}

impl Problem {
    /// A problem of the value at `key`.
    pub fn at_key(key: impl Into<String>, message: impl Into<String>) -> Problem {
        Problem { place: Place::Key(key.into()), message: message.into(), help: None }
    }

    /// A problem of some bytes of a source file.
    pub fn at_file(path: impl Into<String>, bytes: std::ops::Range<usize>, message: impl Into<String>) -> Problem {
        let place = Place::File { path: path.into(), start: bytes.start, end: bytes.end };
        Problem { place, message: message.into(), help: None }
    }

    /// The same, with what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Problem {
        self.help = Some(help.into());
        self
    }
}
