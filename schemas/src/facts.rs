//! What is true of the project before the run, and what templates may name.
//! Does not know git: the engine asks it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is true before the run. Every time comes from the commit, never from the clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Facts {
    /// The project's name, `project.name`.
    pub name: String,
    /// The version without a leading `v`: that of the tag, with `-SNAPSHOT-<short commit>` in a snapshot.
    pub version: String,
    /// The first number of the version.
    pub major: u64,
    /// The second number of the version.
    pub minor: u64,
    /// The third number of the version.
    pub patch: u64,
    /// What follows the `-` in the tag's version; empty where there is none.
    pub prerelease: String,
    /// The tag at the commit, or in a snapshot the last one before it.
    pub tag: String,
    /// The commit, in full.
    pub commit: String,
    /// The commit's first seven digits.
    pub short_commit: String,
    /// When the commit was made: RFC 3339, UTC.
    pub commit_time: String,
    /// When the commit was made, in seconds since 1970.
    pub commit_timestamp: i64,
    /// Where the repository was cloned from: the URL of the remote `origin`, without a password; empty where there is none.
    #[serde(default)]
    pub git_url: String,
    /// The branch that is checked out; empty for a detached head.
    pub branch: String,
    /// Whether the work tree differs from the commit.
    pub dirty: bool,
    /// Whether this is a run that publishes nothing (`--snapshot`).
    pub snapshot: bool,
}
