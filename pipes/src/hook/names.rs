//! What a command may name: what it is run for, and where it writes.
//! Does not know the command.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use forge_plugin::schemas::{Failure, Offer};
use forge_plugin::{Host, Names, PlatformNames};
use serde::Serialize;

/// Stand in a plan for the paths that `run` alone knows. Written so that a shell that a user starts would put in the same.
const OUT: &str = "${FORGE_OUT}";
const ARTIFACT: &str = "${FORGE_ARTIFACT}";

/// The names of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HookNames {
    /// An empty directory for what it makes.
    out: &'static str,
    #[serde(flatten)]
    subject: Option<Subject>,
}

/// The names of what it is run for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Subject {
    /// `hello_1.2.3_linux_arm64.tar.gz`.
    artifact: String,
    /// Where it lies.
    path: &'static str,
    #[serde(flatten)]
    platform: Option<PlatformNames>,
}

impl Names for HookNames {
    const NAMES: &'static [&'static str] = &["out", "artifact", "path", "os", "arch", "variant", "platform", "ext"];
}

impl HookNames {
    /// For this one, or for all at once.
    pub fn of(subject: Option<&Offer>) -> HookNames {
        let subject = subject.map(|offer| Subject {
            artifact: offer.name.clone(),
            path: ARTIFACT,
            platform: offer.platform.as_ref().map(PlatformNames::from),
        });
        HookNames { out: OUT, subject }
    }
}

/// The paths, while it runs.
pub struct Paths {
    /// An empty directory for what it makes.
    pub out: PathBuf,
    artifact: Option<PathBuf>,
}

impl Paths {
    /// Those of this step, made. What it takes has its own name, by which many programs tell what it is.
    pub fn make(host: &dyn Host) -> Result<Paths, Failure> {
        let [out, taken] = ["out", "taken"].map(|it| host.dir().join(it));
        for directory in [&out, &taken] {
            fs::create_dir(directory).map_err(|error| Failure::file("make", directory, &error))?;
        }
        let artifact = match host.inputs() {
            [artifact] => {
                let path = taken.join(artifact.file_name());
                symlink(&artifact.path, &path).map_err(|error| Failure::file("link", &path, &error))?;
                Some(path)
            }
            _ => None,
        };
        Ok(Paths { out, artifact })
    }

    /// A text, with the paths in place of what stands for them.
    pub fn fill(&self, text: &str) -> String {
        let text = text.replace(OUT, &self.out.display().to_string());
        match &self.artifact {
            Some(path) => text.replace(ARTIFACT, &path.display().to_string()),
            None => text,
        }
    }

    /// The same as variables.
    pub fn variables(&self) -> BTreeMap<String, String> {
        let out = ("FORGE_OUT".to_owned(), self.out.display().to_string());
        let artifact = self.artifact.iter().map(|it| ("FORGE_ARTIFACT".to_owned(), it.display().to_string()));
        artifact.chain([out]).collect()
    }
}
