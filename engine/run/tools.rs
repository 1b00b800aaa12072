//! What a program is: the digest of what it says of its version, or of its file; and what is locked of names. `forge.lock` knows a program
//! without asking.
//! A program is asked once a run, whoever needs it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use forge_schemas::{Change, Failure, Finding, Memory, Tool};
use rayon::prelude::*;

use super::environment::Environment;
use super::locked::{Locked, Said};
use crate::plan::Placed;
use crate::secrets::Hidden;
use crate::store::{Hashes, hash};

/// Programs, and what they are.
pub struct Tools {
    root: PathBuf,
    locked: Locked,
    environment: Arc<Environment>,
    known: Answers<Arc<Property>>,
    checked: Answers<()>,
}

/// What a program is, as a property of an action.
#[derive(Debug)]
pub struct Property {
    /// `forge-tool:cargo -vV`.
    pub name: String,
    /// The digest of what it says, or of its file.
    pub value: String,
    /// What it says, where that is text.
    pub said: Option<String>,
}

/// How the names of such properties begin.
pub const TOOL: &str = "forge-tool:";
/// How the names of properties begin that say what a name means.
const NAME: &str = "forge-name:";

impl From<Finding> for Property {
    fn from(found: Finding) -> Property {
        let value = found.there.map(|it| it.to_string()).unwrap_or_default();
        Property { name: format!("{NAME}{}", found.place), value, said: None }
    }
}

/// What was found out of programs, once somebody has asked.
type Answers<T> = RwLock<HashMap<Tool, Answer<T>>>;
type Answer<T> = Arc<OnceLock<Result<T, Failure>>>;

impl Tools {
    /// Those of the project in `root`, of which some may be locked.
    pub fn of_project(root: &Path, locked: Locked, environment: Arc<Environment>) -> Tools {
        Tools { root: root.to_path_buf(), locked, environment, known: Answers::default(), checked: Answers::default() }
    }

    /// What a program is. One that is locked need not be there.
    pub fn property(&self, tool: &Tool, hashes: &Hashes) -> Result<Arc<Property>, Failure> {
        let identify = || match self.locked.get(tool) {
            Some(said) => Ok(said.clone()),
            // The file of a program is hashed once, and remembered from run to run.
            None if tool.version.is_empty() => {
                let path = find(&tool.program, &self.root)?;
                hashes.of(&path).map(|it| Said::Digest(it.digest)).map_err(|error| Failure::file("read", &path, &error))
            }
            None => ask(tool, &self.root, &self.environment),
        };
        let property = |said: Said| {
            let value = said.digest().to_string();
            Arc::new(Property { name: format!("{TOOL}{tool}"), value, said: said.into_words() })
        };
        answer(&self.known, tool).get_or_init(|| identify().map(property)).clone()
    }

    /// What is locked of the names of a step: all of them, or nothing.
    pub fn names(&self, step: &Placed) -> Vec<Finding> {
        let locked = |name: &String| {
            let there = *self.locked.names().get(name)?;
            Some(Finding { place: name.clone(), there: Some(there), ours: None, change: Change::Unknown })
        };
        step.names.iter().map(locked).collect::<Option<_>>().unwrap_or_default()
    }

    /// Whether a step may be remembered: one that asks the world only what is locked asks nothing.
    pub fn memory(&self, step: &Placed) -> Memory {
        if self.names(step).is_empty() { step.memory } else { Memory::Content }
    }

    /// Fails where a program is not what it is locked to be. To be called before it is used.
    pub fn check(&self, tool: &Tool) -> Result<(), Failure> {
        let Some(locked) = self.locked.get(tool) else { return Ok(()) };
        let check = || match ask(tool, &self.root, &self.environment)? {
            found if found.digest() == locked.digest() => Ok(()),
            found => Err(mismatch(tool, locked, &found)),
        };
        answer(&self.checked, tool).get_or_init(check).clone()
    }
}

/// What each of these programs says, asked side by side. In their order.
pub fn ask_all(tools: Vec<Tool>, root: &Path, hidden: &Hidden) -> Vec<(Tool, Result<Said, Failure>)> {
    let environment = Environment::of_process(hidden);
    let asked = tools.into_par_iter().map(|tool| {
        let said = ask(&tool, root, &environment);
        (tool, said)
    });
    asked.collect()
}

fn answer<T>(answers: &Answers<T>, tool: &Tool) -> Answer<T> {
    let known = answers.read().unwrap_or_else(PoisonError::into_inner).get(tool).cloned();
    known.unwrap_or_else(|| {
        let mut answers = answers.write().unwrap_or_else(PoisonError::into_inner);
        answers.entry(tool.clone()).or_default().clone()
    })
}

fn mismatch(tool: &Tool, locked: &Said, found: &Said) -> Failure {
    Failure::tool(format!("`{tool}` is not the tool that is locked"))
        .cause(format!("locked: {}", locked.unlike(found)))
        .cause(format!("found: {}", found.unlike(locked)))
        .help("install the one that is locked, or take this one with `forge lock`")
}

fn ask(tool: &Tool, root: &Path, environment: &Environment) -> Result<Said, Failure> {
    let program = &tool.program;
    let path = find(program, root)?;
    if tool.version.is_empty() {
        let hashed = hash(&path).map_err(|error| Failure::file("read", &path, &error));
        return hashed.map(|(digest, _)| Said::Digest(digest));
    }
    let output = Command::new(&path)
        .args(&tool.version)
        .current_dir(root)
        .env_clear()
        .envs(environment.without_secrets())
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Failure::tool(format!("can't start `{program}`: {error}")))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(Failure::tool(format!("`{tool}` ended with {}", output.status)).cause(said));
    }
    Ok(Said::of(output.stdout))
}

fn find(program: &str, root: &Path) -> Result<PathBuf, Failure> {
    let candidates: Vec<PathBuf> = match program.contains('/') {
        true => vec![root.join(program)],
        false => std::env::var_os("PATH")
            .map(|path| std::env::split_paths(&path).map(|directory| directory.join(program)).collect())
            .unwrap_or_default(),
    };
    candidates.into_iter().find(|it| it.is_file()).ok_or_else(|| {
        Failure::tool(format!("there is no program `{program}`"))
            .help(format!("install `{program}`, or put its directory into PATH"))
    })
}
