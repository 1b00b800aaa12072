//! `docker buildx build`, with the builder that the user has chosen (`docker buildx use`, or `--builder` among the flags).
//! Does not make a builder.

use forge_plugin::Host;
use forge_plugin::schemas::{Command, Failure, Tool};

use super::{Engine, Job, docker, shown, tool};

/// The engine.
pub struct Buildx;

impl Engine for Buildx {
    fn name(&self) -> &'static str {
        "buildx"
    }

    fn version(&self) -> Tool {
        tool("docker", &["buildx", "version"])
    }

    /// The builder is asked, and not the client alone. It is not what tells the version: it says when it was last used.
    fn ready(&self) -> Command {
        Command::new(["docker", "buildx", "inspect"])
    }

    /// The driver `docker` keeps what it builds, and can't write it to a file.
    fn build(&self, job: &Job<'_>, host: &dyn Host) -> Result<(), Failure> {
        let builder = job.flags.iter().find(|it| it.starts_with("--builder=")).map(String::as_str);
        let asked = ["docker", "buildx", "inspect"].into_iter().chain(builder);
        let said = host.exec_ok(&Command::new(asked))?.stdout;
        if driver(&said) == Some("docker") {
            let id = job.build(&["docker", "buildx", "build", "--load"], host)?;
            return docker::save(&id, job, host);
        }
        let output = format!("--output=type=docker,dest={}", shown(job.archive));
        job.build(&["docker", "buildx", "build", &output], host).map(drop)
    }
}

fn driver(inspected: &str) -> Option<&str> {
    inspected.lines().find_map(|line| line.strip_prefix("Driver:")).map(str::trim)
}
