//! What an image is made of, on top of its base: instructions, each with the change that it makes.
//! Does not know whether they come from keys of a table or from a Dockerfile.

use std::collections::BTreeMap;

use forge_plugin::schemas::Platform;
use forge_plugin::schemas::kind::Image;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::docker::base::BaseImage;
use crate::docker::run::{Mode, Run};
use crate::docker::words::Text;
use crate::oci::compression::Compression;
use crate::oci::layer::Style;

/// One image: all that decides its bytes, but for the content of what it takes and reads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// Where it runs.
    pub platform: Platform,
    /// Whether the first input is its base; the others are binaries.
    pub base: BaseOf,
    /// The time of everything in it: RFC 3339.
    pub created: String,
    /// The same, in seconds since 1970.
    pub timestamp: i64,
    /// How its layers are compressed.
    #[serde(default, skip_serializing_if = "Compression::is_default")]
    pub compression: Compression,
    /// What is done, in order.
    pub instructions: Vec<Instruction>,
    /// What of the project is not there: patterns as those of a `.dockerignore`.
    pub except: Vec<String>,
    /// What becomes of it.
    pub made: Made,
}

impl Recipe {
    /// What its layers have in common.
    pub fn style(&self) -> Style {
        Style { timestamp: self.timestamp, compression: self.compression }
    }
}

/// What becomes of what is made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Made {
    /// An image that others see.
    Image {
        /// Annotations of the manifest.
        annotations: BTreeMap<String, String>,
        /// What is known of it beforehand.
        detail: Image,
    },
    /// Something that a later stage stands on or copies from.
    Stage(BaseImage),
}

/// What an image stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BaseOf {
    /// Nothing.
    Scratch,
    /// The first input of the step.
    FirstInput,
    /// The same, which is a stage of the same file: what it says that is done first is among the instructions.
    Stage,
}

/// What is started, or passed to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Argv {
    /// Words.
    Exec(Vec<String>),
    /// A line for the shell of the image.
    Shell(String),
}

/// One line of an image's history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Instruction {
    /// As the history shows it: `COPY hello /usr/bin/`.
    pub created_by: String,
    /// What it does.
    pub change: Change,
}

/// What an instruction does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Adds a layer with these files.
    Copy(Vec<Copy>),
    /// Sets variables of the environment.
    Env(Vec<(String, Text)>),
    /// Sets labels.
    Label(Vec<(String, Text)>),
    /// Sets what is started; forgets what the base would pass to it.
    Entrypoint(Argv),
    /// Sets what is started, or passed to the entrypoint.
    Cmd(Argv),
    /// Sets who runs it: `65532`, `nobody:nogroup`.
    User(String),
    /// Sets where it runs. A relative path continues the last one.
    Workdir(String),
    /// Says on which ports it listens: `8080/tcp`.
    Expose(Vec<String>),
    /// Says which directories hold data.
    Volume(Vec<String>),
    /// Sets what stops it: `SIGINT`.
    StopSignal(String),
    /// Sets how to ask whether it is well, as Docker's config has it.
    Healthcheck(Value),
    /// Sets who made it.
    Author(String),
    /// Sets what reads commands.
    Shell(Vec<String>),
    /// Says what an image that stands on it does first.
    Trigger(String),
    /// Adds a layer with what commands make of the files that are there.
    Run(Run),
}

impl Change {
    /// Whether it must know what lies in the image.
    pub fn needs_files(&self) -> bool {
        match self {
            Change::Copy(copies) => copies.iter().any(Copy::is_laid),
            // The root is always there.
            Change::Workdir(dir) => dir != "/",
            Change::Run(_) => true,
            _ => false,
        }
    }

    /// What it takes from elsewhere.
    pub fn sources(&self) -> Vec<&Source> {
        match self {
            Change::Copy(copies) => copies.iter().flat_map(|it| &it.sources).collect(),
            Change::Run(run) => run.sources().collect(),
            _ => Vec::new(),
        }
    }
}

/// Files that go to one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copy {
    /// What goes there.
    pub sources: Vec<Source>,
    /// Where. With a `/` at its end, a directory. A relative path starts at the working directory.
    pub to: String,
    /// What becomes of permissions.
    pub permissions: Permissions,
    /// What it has to do with what is there.
    pub layer: Layer,
    /// What is left out of directories that are copied: patterns as those of a `.dockerignore`.
    pub except: Vec<String>,
    /// Whose they are, and the directories that are made for them: `65532:65532`, or names that the base knows. Empty: root's.
    pub owner: String,
    /// What to do with archives among the sources.
    pub archives: Archives,
}

impl Copy {
    /// Of files as they are, to root.
    pub fn plain(sources: Vec<Source>, to: String) -> Copy {
        let (owner, archives, layer) = (String::new(), Archives::Keep, Layer::OnTop);
        Copy { sources, to, permissions: Permissions::Kept, layer, except: Vec::new(), owner, archives }
    }

    /// Whether it is laid over what is there. So BuildKit has it: where `--chmod` is given, it is a layer as any.
    pub fn is_laid(&self) -> bool {
        self.layer == Layer::OnTop || matches!(self.permissions, Permissions::OfAll(_))
    }
}

/// What becomes of the permissions of what is copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Permissions {
    /// They stay; of the project 0755 where its owner may execute it, else 0644.
    Kept,
    /// Those of files become these.
    OfFiles(u32),
    /// Those of files and directories become others.
    OfAll(Mode),
}

/// What a layer has to do with those below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// It goes where links and directories of the image lead.
    OnTop,
    /// It is the same whatever lies below (`--link`).
    OfItsOwn,
}

/// What becomes of an archive that is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Archives {
    /// It is copied as any file.
    Keep,
    /// What is in it goes there, and not itself.
    Unpack,
}

/// What is copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// An artifact that the step takes, and its file name in the image.
    Input {
        /// The artifact.
        artifact: String,
        /// The last part of the path.
        file_name: String,
    },
    /// A file, a directory or a glob in the project.
    Project(String),
    /// A text that stands in the Dockerfile.
    Text {
        /// The last part of the path.
        file_name: String,
        /// All of it.
        content: String,
    },
    /// An artifact that was fetched from elsewhere, and its file name in the image.
    Remote {
        /// The artifact.
        artifact: String,
        /// The last part of the path.
        file_name: String,
    },
    /// The same with the directories that it lies in, below one of them.
    WithParents {
        /// What is meant: of the project, of another image, or an artifact, whose file name is then a path.
        source: Box<Source>,
        /// Where the path starts that is kept.
        above: String,
    },
    /// A file, a directory or a glob in another image.
    Image {
        /// The artifact.
        artifact: String,
        /// What users call it by.
        called: String,
        /// The path, from its root on.
        path: String,
    },
}

impl Source {
    /// The artifact that it is, or that it lies in.
    pub fn artifact(&self) -> Option<&String> {
        match self {
            Source::Input { artifact, .. } | Source::Remote { artifact, .. } | Source::Image { artifact, .. } => {
                Some(artifact)
            }
            Source::WithParents { source, .. } => source.artifact(),
            Source::Project(_) | Source::Text { .. } => None,
        }
    }
}
