//! The fingerprint of a task: one digest of all that decides what it makes. Equal fingerprints, equal artifacts.
//! Does not know whether such a task was done before: that is the record's.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use forge_schemas::{Artifact, Digester, Failure};

use super::environment::Environment;
use super::sources::Sources;
use super::tools::Tools;
use crate::plan::Task;
use crate::store::{Fingerprint, Hashes};

/// Changes when the meaning of a fingerprint does; all that was remembered before is then forgotten.
const EPOCH: &str = "forge-task-2";

/// Where fingerprints are taken.
pub struct Scene<'a> {
    /// The directory of the project file.
    pub root: &'a Path,
    /// What every program sees in its environment.
    pub env: &'a BTreeMap<String, String>,
    /// What programs may see of the environment of forge.
    pub environment: &'a Environment,
    /// Its source files.
    pub sources: &'a Sources,
    /// What files hash to.
    pub hashes: &'a Hashes,
    /// What programs are.
    pub tools: &'a Tools,
}

/// The fingerprint of a task with these inputs. `plugin` says which build of the pipe would run it.
pub fn of(task: &Task, plugin: &str, inputs: &[&Artifact], scene: &Scene<'_>) -> Result<Fingerprint, Failure> {
    let step = &task.step;
    let mut words = Words::default();
    words.say(EPOCH.as_bytes()).say(task.table.pipe.as_bytes()).say(plugin.as_bytes()).say(step.digest.bytes());
    for input in inputs {
        words.say(input.name.as_bytes()).say(input.kind.as_bytes()).say(input.digest.bytes());
        words.say(input.detail.to_string().as_bytes());
    }
    for read in &step.reads {
        words.say(scene.sources.digest(&read.path, scene.hashes)?.bytes());
    }
    for (name, value) in scene.env {
        words.say(name.as_bytes()).say(value.as_bytes());
    }
    for name in &step.env {
        // A variable that is not set is another thing than an empty one.
        let value = scene.environment.asked(name).map_or_else(|| vec![0], |it| [b"=", it.as_bytes()].concat());
        words.say(&value);
    }
    // Which secrets its programs see may matter; what they are does not, and is not written down in any form.
    for name in &task.secrets {
        words.say(b"secret").say(name.as_bytes());
    }
    for tool in &step.tools {
        words.say(scene.tools.identity(tool, scene)?.bytes());
    }
    Ok(words.digester.finish().0)
}

/// What a fingerprint is made of, each word with its length, so that no two lists of words sound alike.
#[derive(Default)]
struct Words {
    digester: Digester,
}

impl Words {
    fn say(&mut self, word: &[u8]) -> &mut Words {
        // Writing to a digester can't fail.
        let _ = self.digester.write_all(&(word.len() as u64).to_le_bytes());
        let _ = self.digester.write_all(word);
        self
    }
}
