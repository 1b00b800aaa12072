//! `docker build`: BuildKit where the client has it, and the builder of the daemon where not.
//! Does not remove the image from the daemon: what it has built is what the next build stands on.

use forge_plugin::Host;
use forge_plugin::schemas::{Command, Failure, Tool};

use super::{Engine, Job, shown, tool};

/// The engine.
pub struct Docker;

impl Engine for Docker {
    fn name(&self) -> &'static str {
        "docker"
    }

    fn version(&self) -> Tool {
        tool("docker", &["version", "--format", "{{.Server.Version}}"])
    }

    fn build(&self, job: &Job<'_>, host: &dyn Host) -> Result<(), Failure> {
        let id = job.build(&["docker", "build"], host)?;
        save(&id, job, host)
    }
}

/// Has the daemon write an image to the archive.
pub fn save(id: &str, job: &Job<'_>, host: &dyn Host) -> Result<(), Failure> {
    host.exec_ok(&Command::new(["docker", "save", "--output", &shown(job.archive), id])).map(drop)
}
