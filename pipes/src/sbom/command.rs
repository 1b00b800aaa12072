//! A program that finds out what something consists of, instead of what is known here.
//! Does not know what it looks for, but looks at what it writes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use forge_plugin::Host;
use forge_plugin::schemas::{Artifact, Command, Failure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Params;

/// Stands in a plan for a path that `run` alone knows. Written so that a shell that a user starts would put in the same.
pub const ARTIFACT: &str = "${FORGE_ARTIFACT}";
/// The same of the document.
pub const DOCUMENT: &str = "${FORGE_DOCUMENT}";

/// The program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    /// With its arguments.
    pub argv: Vec<String>,
    /// What it sees in its environment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
}

impl Tool {
    /// Has it write the document to `path`.
    pub fn write(&self, params: &Params, subject: &Artifact, path: &Path, host: &dyn Host) -> Result<(), Failure> {
        // Under its own name, by which such programs tell formats; what lies in the store is nobody's to write to.
        let artifact = host.dir().join("artifact").join(&params.subject);
        fs::create_dir_all(host.dir().join("artifact"))
            .and_then(|()| fs::copy(&subject.path, &artifact))
            .map_err(|error| Failure::file("copy", &subject.path, &error))?;
        let (artifact, document) = (artifact.display().to_string(), path.display().to_string());
        let argv = self.argv.iter().map(|word| word.replace(ARTIFACT, &artifact).replace(DOCUMENT, &document));
        let command = Command { argv: argv.collect(), dir: Some(host.root().to_owned()), env: self.env.clone() };
        host.exec_ok(&command.env("FORGE_ARTIFACT", artifact).env("FORGE_DOCUMENT", document))?;
        check(params, path)
    }
}

/// What it wrote is published under the name of a format.
fn check(params: &Params, path: &Path) -> Result<(), Failure> {
    let nothing = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => Failure::tool("the command has written no document")
            .help("it must write to the path that `{{ document }}` and `FORGE_DOCUMENT` are"),
        _ => Failure::file("read", path, &error),
    };
    let text = fs::read(path).map_err(nothing)?;
    let name = params.format.name();
    let other = || Failure::tool(format!("what the command has written is no `{name}` document"));
    let document: Value = serde_json::from_slice(&text).map_err(|error| other().cause(error.to_string()))?;
    match params.format.is_of(&document) {
        true => Ok(()),
        false => Err(other().help("let it write what `formats` says, or say there what it writes")),
    }
}
