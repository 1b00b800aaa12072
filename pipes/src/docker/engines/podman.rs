//! `podman build`: no daemon, and no root where the machine is set up for that.
//! Does not know OCI's form of a config: it has no room for health checks, so Docker's is asked for.

use forge_plugin::Host;
use forge_plugin::schemas::{Command, Failure, Tool};

use super::{Engine, Job, shown, tool};

/// The engine.
pub struct Podman;

impl Engine for Podman {
    fn name(&self) -> &'static str {
        "podman"
    }

    fn version(&self) -> Tool {
        tool("podman", &["--version"])
    }

    fn build(&self, job: &Job<'_>, host: &dyn Host) -> Result<(), Failure> {
        let id = job.build(&["podman", "build", "--format=docker", "--identity-label=false"], host)?;
        let archive = shown(job.archive);
        let argv = ["podman", "save", "--quiet", "--format=docker-archive", "--output", &archive, &id];
        host.exec_ok(&Command::new(argv)).map(drop)
    }
}
