//! Something happened in a run. Sinks show it; `--json` prints one a line.
//! Does not know who is told.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Digest, Outcome};

/// Something happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// Milliseconds since the run began.
    pub at: u64,
    /// The task it happened in: `docker:image/linux/arm64`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// What happened.
    pub event: EventKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum EventKind {
    /// The run began.
    RunStarted {
        /// How many tasks it has.
        tasks: usize,
        /// The project and its version.
        project: String,
        /// The version.
        version: String,
        /// The folder of this run's record, relative to the project file.
        folder: String,
        /// The words of the command line, behind `forge`.
        #[serde(default)]
        command: Vec<String>,
    },
    /// A task began to run.
    TaskStarted,
    /// A task started a program.
    Command {
        /// The program and its arguments.
        argv: Vec<String>,
    },
    /// A program wrote a line.
    Output {
        /// The line, without its end.
        line: String,
    },
    /// A pipe or the engine has something to say.
    Log {
        /// How much it matters.
        level: Level,
        /// One line.
        message: String,
    },
    /// A task got further.
    Progress {
        /// How much is done.
        done: u64,
        /// Of how much; 0 where that is not known.
        total: u64,
        /// What is being done.
        message: String,
    },
    /// A task that ran has made an artifact.
    Artifact {
        /// Its name.
        name: String,
        /// Its kind.
        kind: String,
        /// Its content's sha256.
        digest: Digest,
        /// Its size in bytes, with all that it refers to.
        size: u64,
    },
    /// A task ended.
    TaskEnded {
        /// How.
        outcome: Outcome,
        /// How long it ran, in milliseconds.
        took: u64,
        /// The last command that it ran, and the tail of that command's output, when it failed.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        tail: Vec<String>,
        /// The file with its whole log, relative to the project file.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        log: Option<String>,
    },
    /// The user asked the run to stop.
    Interrupted {
        /// How often: the first asks the tasks, the second kills them.
        times: u32,
    },
    /// The run is over.
    RunEnded {
        /// Tasks that ran and are done.
        done: usize,
        /// Tasks that need not run.
        fresh: usize,
        /// Tasks that failed.
        failed: usize,
        /// Tasks that did not run.
        skipped: usize,
    },
}

/// How much a log line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}
