//! What a program is: the digest of what it says of its version, or of its file.
//! Asked once a run for each program, whoever needs it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use forge_schemas::{Digest, Failure, Tool};

use super::fingerprint::Scene;

/// Programs, and what they are.
#[derive(Default)]
pub struct Tools {
    known: Mutex<HashMap<Tool, Arc<Identity>>>,
}

/// What a program is, once somebody has asked it.
type Identity = OnceLock<Result<Digest, Failure>>;

impl Tools {
    /// What a program is.
    pub fn identity(&self, tool: &Tool, scene: &Scene<'_>) -> Result<Digest, Failure> {
        let cell = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.entry(tool.clone()).or_default().clone()
        };
        cell.get_or_init(|| identify(tool, scene)).clone()
    }
}

fn identify(tool: &Tool, scene: &Scene<'_>) -> Result<Digest, Failure> {
    let program = &tool.program;
    let path = find(program, scene.root).ok_or_else(|| {
        Failure::tool(format!("there is no program `{program}`"))
            .help(format!("install `{program}`, or put its directory into PATH"))
    })?;
    if tool.version.is_empty() {
        return scene.hashes.of(&path).map(|it| it.digest).map_err(|error| Failure::file("read", &path, &error));
    }
    let output = Command::new(&path)
        .args(&tool.version)
        .current_dir(scene.root)
        .env_clear()
        .envs(scene.environment.without_secrets())
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Failure::tool(format!("can't start `{program}`: {error}")))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(
            Failure::tool(format!("`{program} {}` ended with {}", tool.version.join(" "), output.status)).cause(said)
        );
    }
    Ok(Digest::of(&output.stdout))
}

fn find(program: &str, root: &Path) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(root.join(program)).filter(|it| it.is_file());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(program)).find(|it| it.is_file())
}
