//! What images stand on, wherever it lies: the layers below are the same, and the same image comes of it.
//! Does not know registries as bases: the other releases have them.

use serde_json::Value;

use crate::support::docker::Docker;
use crate::support::program::{output, run};
use crate::support::project::Project;
use crate::support::registry::Registry;
use crate::support::small;

/// A docker archive with an image in it, called `acme/base:1`, and the digests of its layers in clear.
fn archive(project: &Project) -> (String, Vec<Value>) {
    let registry = Registry::start();
    small::project(registry.address()).forge(&["run", "release"]).expect(0);
    let from = format!("docker://{}/acme/small:latest", registry.address());
    let file = project.root().join("base.tar").display().to_string();
    run(["skopeo", "copy", "--quiet", "--src-tls-verify=false", &from, &format!("docker-archive:{file}:acme/base:1")]);
    let config: Value =
        serde_json::from_str(&run(["skopeo", "inspect", "--config", &format!("docker-archive:{file}")]))
            .expect("a config is JSON");
    (file, config["rootfs"]["diff_ids"].as_array().expect("layers").clone())
}

fn project() -> Project {
    let project = Project::of_text(
        "[project]\nname = 'on'\n[[build]]\ntool = 'command'\nargv = ['cp', 'on.sh', '{{ output }}']\n\
         platforms = ['linux/amd64']\nsources = ['on.sh']\n\
         [[docker]]\nimages = ['example.org/on']\ntags = ['1']\nplatforms = ['linux/amd64']\nbase = '{{ env.BASE }}'\n",
    );
    project.write("on.sh", "#!/bin/sh\n");
    project
}

/// The digests of the layers of the image in clear, and of its manifest.
fn made(project: &Project, base: &str) -> (Vec<Value>, String) {
    let mut forge = project.command(&["run", "docker", "--snapshot"]);
    output(forge.env("BASE", base));
    let artifacts = project.json("dist/artifacts.json");
    let image = artifacts["artifacts"].as_array().expect("artifacts").iter().find(|it| it["kind"] == "image");
    let digest = image.expect("an image")["digest"].as_str().expect("a digest").to_owned();
    let blob =
        |digest: &str| project.json(&format!(".forge/store/blobs/sha256/{}", digest.trim_start_matches("sha256:")));
    let config = blob(blob(&digest)["config"]["digest"].as_str().expect("a digest"));
    (config["rootfs"]["diff_ids"].as_array().expect("layers").clone(), digest)
}

#[test]
fn an_archive_and_the_daemon_that_has_loaded_it() {
    let (project, docker) = (project(), Docker::connect());
    let (file, below) = archive(&project);
    let (layers, digest) = made(&project, "docker-archive:base.tar");
    assert_eq!(layers[..layers.len() - 1], below[..]);
    assert_eq!(made(&project, "docker-archive:base.tar:acme/base:1").1, digest);

    docker.load(&file);
    let project = project.env("DOCKER_HOST", docker.host());
    let (layers, of_daemon) = made(&project, "docker-daemon:acme/base:1");
    assert_eq!(layers[..layers.len() - 1], below[..]);
    assert_eq!(of_daemon, digest, "the same, wherever it was");

    let mut forge = project.command(&["run", "docker", "--snapshot"]);
    let ended = forge.env("BASE", "docker-daemon:acme/nobody:1").output();
    let said = String::from_utf8_lossy(&ended.expect("forge starts").stderr).into_owned();
    assert!(said.contains("does not give `acme/nobody:1`") && said.contains("docker pull acme/nobody:1"), "{said}");
}

#[test]
fn a_mirror_has_what_the_registry_does_not_give() {
    let registry = Registry::start();
    small::project(registry.address()).forge(&["run", "release"]).expect(0);
    let project = project();
    let text = std::fs::read_to_string(project.root().join("forge.toml")).expect("a project file");
    // Nobody is called so, and who is asked first has nothing of it.
    let mirrors = format!("[registries.'hub.example']\nmirrors = ['{0}/nothing', '{0}']\n", registry.address());
    project.write("forge.toml", &format!("{text}{mirrors}"));
    let (layers, _) = made(&project, "hub.example/acme/small:latest");
    assert_eq!(layers.len(), 2, "those of the base, and ours");
}
