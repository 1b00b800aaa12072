//! A real Docker Engine: pulls what was released, and runs it.
//! Does not know who made an image.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::program::{output, started};

/// The engine that `tests/run` has started, or found.
pub struct Docker {
    host: String,
    home: tempfile::TempDir,
}

impl Docker {
    /// The engine.
    pub fn connect() -> Docker {
        let home = tempfile::tempdir().expect("a temporary directory");
        Docker { host: started("FORGE_TEST_DOCKER_HOST"), home }
    }

    /// Pulls an image by its tag for a platform, and runs it without a network: what it prints. `program` is what the
    /// image starts, for kernels that can't start programs of other machines by themselves.
    pub fn pull_and_run(&self, reference: &str, platform: &str, program: &str, arguments: &[&str]) -> String {
        output(&mut self.command(&["pull", "--quiet", "--platform", platform, reference]));
        let mut command = self.command(&["run", "--rm", "--network=none", "--platform", platform]);
        match Emulator::that_must_be_named(platform) {
            None => command.arg(reference),
            Some(it) => command.args([&it.volume(), "--entrypoint=/emulator", reference, program]),
        };
        output(command.args(arguments))
    }

    /// Where it listens.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Takes the images of a docker archive.
    pub fn load(&self, archive: &str) {
        output(&mut self.command(&["load", "--quiet", "--input", archive]));
    }

    /// An image's own description of its platform, after a pull.
    pub fn platform(&self, reference: &str) -> String {
        output(&mut self.command(&["image", "inspect", "--format={{.Os}}/{{.Architecture}}", reference]))
    }

    /// The labels of an image, after a pull.
    pub fn labels(&self, reference: &str) -> Value {
        output(&mut self.command(&["pull", "--quiet", reference]));
        let labels = output(&mut self.command(&["image", "inspect", "--format={{json .Config.Labels}}", reference]));
        serde_json::from_str(&labels).expect("labels are JSON")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command.args(arguments).env("DOCKER_HOST", &self.host).env("HOME", self.home.path());
        command.env("DOCKER_CONFIG", self.home.path());
        command
    }
}

/// Whether a container can start programs for this platform by themselves.
pub fn starts(platform: &str) -> bool {
    Emulator::that_must_be_named(platform).is_none()
}

/// What runs programs of another architecture.
pub struct Emulator(&'static str);

impl Emulator {
    /// The one for a platform, where a container can't start programs for it by themselves.
    pub fn that_must_be_named(platform: &str) -> Option<Emulator> {
        Emulator::for_platform(platform).filter(|it| !it.is_registered())
    }

    /// Has it in a container, at `/emulator`.
    pub fn volume(&self) -> String {
        format!("--volume=/usr/bin/qemu-{}-static:/emulator:ro", self.0)
    }

    fn for_platform(platform: &str) -> Option<Emulator> {
        let (_, arch) = platform.split_once('/')?;
        let arch = match arch {
            "amd64" => "x86_64",
            "arm64" => "aarch64",
            "arm/v7" => "arm",
            other => panic!("no emulator is known for `{other}`"),
        };
        (arch != std::env::consts::ARCH).then_some(Emulator(arch))
    }

    /// Whether the kernel starts it for every program of that architecture, also in a container.
    fn is_registered(&self) -> bool {
        let entry = Path::new("/proc/sys/fs/binfmt_misc").join(format!("qemu-{}", self.0));
        std::fs::read_to_string(entry).is_ok_and(|it| {
            it.starts_with("enabled") && it.lines().any(|line| line.starts_with("flags:") && line.contains('F'))
        })
    }
}
