//! `examples/manifests`, released to a registry of OCI 1.1: what Podman and a Docker Engine make of its one tag.
//! Does not know the pipes.

use crate::support::containers::Containers;
use crate::support::docker::Docker;
use crate::support::olareg::Olareg;
use crate::support::project::Project;

#[test]
fn one_tag_for_every_architecture() {
    let registry = Olareg::start();
    let project = Project::example("manifests").env("REGISTRY", registry.address()).tagged("v1.2.3");
    let lines = std::fs::read_to_string(project.root().join("forge.toml")).expect("the project file");
    assert_eq!(lines.lines().filter(|line| !line.is_empty()).count(), 10, "{lines}");
    project.forge(&["run", "release"]).expect(0);

    let reference = format!("{}/acme/hello:1.2.3", registry.address());
    let (docker, podman) = (Docker::connect(), Containers::at(&project.place().join("containers"), registry.address()));
    for platform in ["linux/amd64", "linux/arm64"] {
        let said = format!("hello 1.2.3 {platform}");
        assert_eq!(docker.pull_and_run(&reference, platform, "/hello", &[]), said);
        assert_eq!(podman.pull_and_run(&reference, platform, "/hello"), said);
    }
}
