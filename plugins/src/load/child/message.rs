//! What frames carry besides the messages of the line.
//! Does not know frames.

use forge_schemas::PluginInfo;
use serde::{Deserialize, Serialize};

/// What a child says when it has loaded its library, or can't.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Hello {
    Ready {
        info: PluginInfo,
        /// It wants one call at a time.
        one_at_a_time: bool,
    },
    Refused {
        message: String,
        help: Option<String>,
    },
}

/// How far a call is.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Progressed {
    pub(super) done: u64,
    pub(super) total: u64,
    pub(super) message: String,
}
