//! Podman and buildah with settings and a storage of one test's own; podman pulls what was released, and runs it.
//! Does not know who made an image.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::docker::Emulator;
use super::program::output;

/// What both read in place of the machine's settings.
pub struct Containers {
    place: PathBuf,
}

impl Containers {
    /// Writes the settings into a directory that is not there yet. This registry is spoken to without TLS.
    pub fn at(place: &Path, registry: &str) -> Containers {
        fs::create_dir(place).expect("a directory");
        let dir = |name: &str| place.join(name).display().to_string();
        let engine = "[engine]\nruntime = 'runc'\ncgroup_manager = 'cgroupfs'\nevents_logger = 'file'\n";
        let storage = format!("[storage]\ndriver = 'vfs'\ngraphroot = '{}'\nrunroot = '{}'\n", dir("root"), dir("run"));
        let registries = format!("[[registry]]\nlocation = '{registry}'\ninsecure = true\n");
        for (name, text) in [("containers", engine), ("storage", &storage), ("registries", &registries)] {
            fs::write(place.join(format!("{name}.conf")), text).expect("a file of settings");
        }
        Containers { place: place.to_owned() }
    }

    /// The variables that name the settings.
    pub fn variables(&self) -> [(&'static str, String); 3] {
        let file = |name: &str| self.place.join(name).display().to_string();
        [
            ("CONTAINERS_CONF", file("containers.conf")),
            ("CONTAINERS_STORAGE_CONF", file("storage.conf")),
            ("CONTAINERS_REGISTRIES_CONF", file("registries.conf")),
        ]
    }

    /// Has podman pull an image by its tag for a platform, and run it without a network: what it prints. `program` is
    /// what the image starts, for kernels that can't start programs of other machines by themselves.
    pub fn pull_and_run(&self, reference: &str, platform: &str, program: &str) -> String {
        output(self.podman(&["pull", "--quiet", "--platform", platform]).arg(reference));
        let mut run = self.podman(&[
            "run",
            "--rm",
            "--network=none",
            "--pull=never",
            "--ulimit=nofile=1024",
            "--platform",
            platform,
        ]);
        // Of its own accord it asks for more than root may have where the tests themselves run in a container.
        run.args(["--ulimit=nofile=1024", "--ulimit=nproc=1024"]);
        match Emulator::that_must_be_named(platform) {
            None => run.arg(reference),
            Some(it) => run.args([&it.volume(), "--entrypoint=/emulator", reference, program]),
        };
        output(&mut run)
    }

    fn podman(&self, arguments: &[&str]) -> Command {
        let mut podman = Command::new("podman");
        podman.args(arguments).envs(self.variables()).env("HOME", &self.place);
        podman
    }
}
