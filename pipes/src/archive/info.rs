//! What is said of files in an archive, as users write it: mode, owner, group and time.
//! Does not know which files.

use forge_plugin::schemas::Problem;
use serde::{Deserialize, Serialize};

use super::entry::Stamp;
use super::naming::Render;
use super::settings::Info;
use crate::docker::values;

/// How long the names of owners and groups may be, in bytes: what a tar has room for.
const LONGEST: usize = 31;

/// The same, resolved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// Permissions, if any are given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<u32>,
    /// The rest.
    pub stamp: Stamp,
}

impl<N> Info<N> {
    /// What it says, where its keys begin with `prefix`, or all that is wrong with it.
    pub fn said(&self, prefix: &str, timestamp: i64, render: &Render<'_, N>) -> Result<Said, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut said = Said { mode: None, stamp: Stamp::of_root(timestamp) };
        if let Some(mode) = &self.mode {
            let mode = values::mode(mode).map_err(|message| Problem::at_key(format!("{prefix}mode"), message));
            match mode {
                Ok(mode) => said.mode = Some(mode),
                Err(problem) => problems.push(problem.help("write it in octal, as in `\"0644\"`")),
            }
        }
        let names = [("owner", &self.owner, &mut said.stamp.owner), ("group", &self.group, &mut said.stamp.group)];
        for (key, template, name) in names {
            let Some(template) = template else { continue };
            let key = format!("{prefix}{key}");
            match render(&key, template).and_then(|text| name_of(&key, text)) {
                Ok(text) => *name = text,
                Err(problem) => problems.push(problem),
            }
        }
        if let Some(template) = &self.mtime {
            let key = format!("{prefix}mtime");
            match render(&key, template).and_then(|text| time(&key, &text)) {
                Ok(mtime) => said.stamp.mtime = mtime,
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() { Ok(said) } else { Err(problems) }
    }
}

fn name_of(key: &str, text: String) -> Result<String, Problem> {
    match text.len() <= LONGEST && !text.contains('\0') {
        true => Ok(text),
        false => {
            Err(Problem::at_key(key, format!("`{text}` is longer than the {LONGEST} bytes that a tar has room for")))
        }
    }
}

/// Seconds since 1970.
fn time(key: &str, text: &str) -> Result<u64, Problem> {
    let bad = |message: String| Problem::at_key(key, message).help("write it as in `2026-01-02T03:04:05Z`");
    let time: jiff::Timestamp = text.parse().map_err(|_| bad(format!("`{text}` is not a time")))?;
    u64::try_from(time.as_second()).map_err(|_| bad(format!("`{text}` is before 1970")))
}
