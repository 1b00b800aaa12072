//! `buildah build`: no daemon, and no root where the machine is set up for that.
//! Does not know OCI's form of a config: it has no room for health checks, so Docker's is asked for.

use forge_plugin::Host;
use forge_plugin::schemas::{Command, Failure, Tool};

use super::{Engine, Job, shown, tool};

/// The engine.
pub struct Buildah;

impl Engine for Buildah {
    fn name(&self) -> &'static str {
        "buildah"
    }

    fn version(&self) -> Tool {
        tool("buildah", &["--version"])
    }

    fn build(&self, job: &Job<'_>, host: &dyn Host) -> Result<(), Failure> {
        let id = job.build(&["buildah", "build", "--layers", "--format=docker", "--identity-label=false"], host)?;
        let archive = format!("docker-archive:{}", shown(job.archive));
        host.exec_ok(&Command::new(["buildah", "push", "--quiet", &id, &archive])).map(drop)
    }
}
