//! A Dockerfile that runs programs, built by each of the engines, for two platforms: what becomes of it is an image like any other.
//! Does not know what the engines do. They come from `tests/services`.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::Value;

use crate::support::containers::Containers;
use crate::support::docker::{self, Docker};
use crate::support::program::started;
use crate::support::project::Project;
use crate::support::registry::Registry;

/// Writes for which machine it was compiled, and says what was written.
const HELLO: &str = "package main

import (
	\"fmt\"
	\"os\"
	\"runtime\"
)

func main() {
	if len(os.Args) > 1 {
		if err := os.WriteFile(os.Args[1], []byte(\"made on \"+runtime.GOARCH), 0o644); err != nil {
			panic(err)
		}
		return
	}
	made, err := os.ReadFile(\"/etc/made\")
	fmt.Println(string(made), err)
}
";
const DOCKERFILE: &str = "ARG BASE
FROM $BASE
ARG TARGETPLATFORM
COPY $TARGETPLATFORM/hello /usr/bin/hello
COPY --chown=5:6 conf /etc/conf
LABEL org.opencontainers.image.title=ours
RUN [\"/usr/bin/hello\", \"/etc/made\"]
USER 65532
ENTRYPOINT [\"/usr/bin/hello\"]
";

/// The platforms whose programs can be started in a container here.
fn platforms() -> Vec<&'static str> {
    ["linux/amd64", "linux/arm64"].into_iter().filter(|it| docker::starts(it)).collect()
}

fn project(engine: &str, registry: &str) -> Project {
    let project = Project::of_text(&format!(
        "[project]\nname = 'hello'\n[[build]]\ntool = 'go'\nplatforms = {platforms:?}\n\
         [[docker]]\nid = 'image'\nimages = ['{registry}/{engine}']\ntags = ['1']\nplatforms = {platforms:?}\n\
         dockerfile = 'Dockerfile'\nengine = '{engine}'\nflags = ['--network=none', '--no-cache']\n\
         build_args = {{ BASE = '{registry}/base:1' }}\nlabels = {{ added = 'yes' }}\n\
         [[docker_manifest]]\nimage = 'image'\n[[publish]]\nto = 'registry'\n",
        platforms = platforms(),
    ));
    project.write("go.mod", "module hello\n\ngo 1.20\n");
    project.write("hello.go", HELLO);
    project.write("Dockerfile", DOCKERFILE);
    project.write("conf/a", "a");
    with_engines(project, registry).tagged("v1.0.0")
}

/// The engines' own settings: what they build goes away with the project.
fn with_engines(project: Project, registry: &str) -> Project {
    let containers = Containers::at(&project.place().join("containers"), registry);
    let docker = project.home().join(".docker/cli-plugins");
    fs::create_dir_all(&docker).expect("a directory");
    // Where the variable DOCKER_CONFIG is set, buildah wants the file to be there.
    fs::write(project.home().join(".docker/config.json"), "{}").expect("a file of settings");
    symlink(started("FORGE_TEST_BUILDX"), docker.join("docker-buildx")).expect("a link");
    let project = project.env("DOCKER_HOST", &started("FORGE_TEST_DOCKER_HOST"));
    containers.variables().iter().fold(project, |project, (name, value)| project.env(name, value))
}

/// Puts a base of this content into the registry, and answers the digest of its layer.
fn base(registry: &Registry, content: &str) -> String {
    let project = Project::of_text(&format!(
        "[project]\nname = 'base'\n[[docker]]\nid = 'image'\nids = []\nimages = ['{}/base']\ntags = ['1']\nplatforms = {:?}\n\
         files = [{{ src = 'os-release', dst = '/etc/' }}]\n\
         [[docker_manifest]]\nimage = 'image'\n[[publish]]\nto = 'registry'\n",
        registry.address(),
        platforms()
    ));
    project.write("os-release", content);
    let project = project.tagged("v1.0.0");
    project.forge(&["run", "release"]).expect(0);
    let layer = registry.manifest(&member(registry, "base")).pointer("/layers/0/digest").cloned();
    layer.expect("a layer").to_string()
}

/// The first image of a list.
fn member(registry: &Registry, name: &str) -> String {
    let digest = registry.manifest(&format!("{name}:1"))["manifests"][0]["digest"].clone();
    format!("{name}@{}", digest.as_str().expect("a digest"))
}

fn check(engine: &str) {
    let (mut registry, docker) = (Registry::start(), Docker::connect());
    let layer = base(&registry, "one");
    let project = project(engine, registry.address());
    project.forge(&["run", "release"]).expect(0);
    for platform in platforms() {
        let reference = format!("{}/{engine}:1", registry.address());
        let (_, arch) = platform.split_once('/').expect("a platform");
        let said = docker.pull_and_run(&reference, platform, "/usr/bin/hello", &[]);
        assert_eq!(said, format!("made on {arch} <nil>"));
    }
    // The base is not made anew, and what stands on it is: as forge would have made it.
    let manifest = registry.manifest(&member(&registry, engine));
    assert_eq!(manifest["mediaType"], "application/vnd.oci.image.manifest.v1+json");
    assert_eq!(manifest["layers"][0]["digest"].to_string(), layer);
    assert_eq!(manifest["layers"].as_array().map(Vec::len), Some(4));
    let labels = docker.labels(&format!("{}/{}", registry.address(), member(&registry, engine)));
    let label = |name: &str| labels[name].as_str().map(str::to_owned);
    assert_eq!(label("org.opencontainers.image.title").as_deref(), Some("ours"));
    assert_eq!(label("org.opencontainers.image.version").as_deref(), Some("1.0.0"));
    assert_eq!(label("added").as_deref(), Some("yes"));

    // Nothing is done twice, but to ask what the base means now. What the release has left where it was is brought here, once.
    let names = |all: Vec<String>| all.into_iter().filter(|it| it.contains("/name/")).count();
    let ran = project.forge(&["run", "docker", "--json"]).expect(0).tasks("task_started");
    assert!(ran.iter().all(|it| it.contains("/name/") || it.contains("/base/")), "{ran:?}");
    assert_eq!((ran.len(), names(ran)), (1 + platforms().len(), 1));
    let ran = project.forge(&["run", "docker", "--json"]).expect(0).tasks("task_started");
    assert_eq!((ran.len(), names(ran)), (1, 1));
    // What is built again is the same, byte for byte.
    let digests = project.digests();
    fs::remove_dir_all(project.root().join(".forge")).expect("a store");
    project.forge(&["run", "docker"]).expect(0);
    let images = |all: Vec<String>| all.into_iter().filter(|it| it.starts_with("image ")).collect::<Vec<_>>();
    assert_eq!(images(project.digests()), images(digests));

    // Another base under the same tag is another image.
    let other = base(&registry, "two");
    registry.requests();
    project.forge(&["run", "docker"]).expect(0);
    assert_ne!(other, layer);
    assert!(first_layer(&project).contains(other.trim_matches('"')));
}

/// The lowest layer of the first image, as it lies in the store.
fn first_layer(project: &Project) -> String {
    let list = project.json("dist/artifacts.json");
    let artifacts = list["artifacts"].as_array().expect("a list");
    let image = artifacts.iter().find(|it| it["kind"] == "image").expect("an image");
    let manifest: Value = project.json(image["path"].as_str().expect("a path"));
    manifest["layers"][0]["digest"].to_string()
}

#[test]
fn docker() {
    check("docker");
}

#[test]
fn buildx() {
    check("buildx");
}

#[test]
fn podman() {
    check("podman");
}

#[test]
fn buildah() {
    check("buildah");
}

#[test]
fn auto_says_who_and_why() {
    let text = "[project]\nname = 'x'\n[[docker]]\nid = 'image'\nids = []\nimages = ['x/y']\nplatforms = ['linux/amd64']\n\
                dockerfile = 'Dockerfile'\nengine = 'auto'\nflags = ['--network=none']\n";
    let project = with_engines(Project::of_text(text), "127.0.0.1:1");
    project.write("Dockerfile", "FROM scratch\nCOPY forge.toml /\n");
    let ended = project.forge(&["run", "docker", "--snapshot"]).expect(0);
    assert!(!ended.stderr.contains("engine"), "{}", ended.stderr);

    project.write("Dockerfile", "FROM scratch\nCOPY forge.toml /\nRUN [\"/none\"]\n");
    let ended = project.forge(&["run", "docker", "--snapshot"]).expect(1);
    assert!(ended.stderr.contains("`buildx` builds, for forge does not: Dockerfile:3: "), "{}", ended.stderr);

    let bin = project.place().join("bin");
    fs::create_dir(&bin).expect("a directory");
    symlink(crate::support::program::run(["which", "git"]), bin.join("git")).expect("a link");
    let project = project.env("PATH", &bin.display().to_string());
    let ended = project.forge(&["run", "docker", "--snapshot"]).expect(1);
    for engine in ["buildx", "docker", "podman", "buildah"] {
        assert!(ended.stderr.contains(&format!("{engine}: there is no program")), "{}", ended.stderr);
    }
}
