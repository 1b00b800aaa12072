//! Two programs that are not ours, released: a Rust one for two platforms, a Go one for six.
//! Does not know their sources: their package managers fetch them.

use super::about;
use crate::support::docker::Docker;
use crate::support::program::{emulated, output, started};
use crate::support::project::Project;
use crate::support::registry::Registry;
use crate::support::strangers::{go_module, rust_crate};

const HYPERFINE: &str = r#"
[project]
name = "hyperfine"

[[build]]
id = "hyperfine"
tool = "cargo"
auditable = true
# The tests want a program soon, not a fast one.
env = { CARGO_PROFILE_RELEASE_OPT_LEVEL = "0", CARGO_PROFILE_RELEASE_LTO = "off", CARGO_PROFILE_RELEASE_CODEGEN_UNITS = "16" }
platforms = ["linux/amd64", "linux/arm64"]

[[docker]]
id = "image"
images = ["{{ env.REGISTRY }}/sharkdp/hyperfine"]
tags = ["{{ version }}"]
platforms = ["linux/amd64", "linux/arm64"]
base = "scratch"

[[docker_manifest]]
image = "image"

[[archive]]

[[sbom]]
formats = ["spdx", "cyclonedx"]

[[provenance]]

[[publish]]
to = "registry"
"#;

/// It takes long to compile, so that it is looked at from all sides at once.
#[test]
fn hyperfine_from_a_crate() {
    let (registry, docker) = (Registry::start(), Docker::connect());
    let tools = started("FORGE_TEST_AUDITABLE");
    let path = format!("{tools}:{}", std::env::var("PATH").expect("PATH is set"));
    let project =
        Project::copy(&rust_crate("hyperfine", "1.19.0")).env("REGISTRY", registry.address()).env("PATH", &path);
    project.write("forge.toml", HYPERFINE);
    let project = project.tagged("v1.19.0");
    project.forge(&["run", "release"]).expect(0);
    let reference = format!("{}/sharkdp/hyperfine:1.19.0", registry.address());
    for platform in ["linux/amd64", "linux/arm64"] {
        assert_eq!(
            docker.pull_and_run(&reference, platform, "/usr/local/bin/hyperfine", &["--version"]),
            "hyperfine 1.19.0"
        );
    }
    about::check_hyperfine(&project, &tools);
}

const CRANE: &str = r#"
[project]
name = "crane"

[[build]]
id = "crane"
tool = "go"
main = "./cmd/crane"
ldflags = "-s -w -buildid= -X github.com/google/go-containerregistry/cmd/crane/cmd.Version={{ version }}"
platforms = ["linux/amd64", "linux/arm64", "linux/arm/v7", "linux/s390x", "darwin/arm64", "windows/amd64"]

[[docker]]
id = "image"
images = ["{{ env.REGISTRY }}/crane"]
tags = ["{{ version }}"]
platforms = ["linux/amd64", "linux/arm64", "linux/arm/v7", "linux/s390x"]
base = "scratch"

[[docker_manifest]]
image = "image"

[[publish]]
to = "registry"
"#;

/// Names of programs under `dist/`, as `file` would call them, and who runs them.
const MACHINES: [(&str, &str); 4] =
    [("linux/amd64", "x86_64"), ("linux/arm64", "aarch64"), ("linux/arm/v7", "arm"), ("linux/s390x", "s390x")];

#[test]
fn crane_from_a_go_module() {
    let registry = Registry::start();
    let source = go_module("github.com/google/go-containerregistry", "v0.20.6");
    let project = Project::copy(&source).env("REGISTRY", registry.address());
    project.write("forge.toml", CRANE);
    let project = project.tagged("v0.20.6");
    project.forge(&["run", "release"]).expect(0);
    let index = registry.manifest("crane:0.20.6");
    assert_eq!(index["manifests"].as_array().map(Vec::len), Some(MACHINES.len()));

    let list = project.json("dist/artifacts.json");
    let path = |platform: &str| {
        let binaries = list["artifacts"].as_array().expect("artifacts").iter();
        let binary = binaries.filter(|it| it["kind"] == "binary").find(|it| it["platform"] == platform);
        let path = binary.unwrap_or_else(|| panic!("no binary for {platform}"))["path"].as_str();
        project.root().join(path.expect("a path"))
    };
    for (platform, arch) in MACHINES {
        assert_eq!(output(emulated(arch, path(platform)).arg("version")), "0.20.6", "{platform}");
    }
    // Programs of systems that this one can't run at least are what these systems start.
    for (platform, magic) in [("darwin/arm64", &b"\xcf\xfa\xed\xfe"[..]), ("windows/amd64", b"MZ")] {
        assert!(std::fs::read(path(platform)).expect("a program").starts_with(magic), "{platform}");
    }
    // The program reads what it was itself released as.
    let reference = format!("{}/crane:0.20.6", registry.address());
    let mut crane = emulated("x86_64", path("linux/amd64"));
    let digest = output(crane.args(["digest", "--insecure", &reference]).env("HOME", project.home()));
    assert!(digest.starts_with("sha256:"), "{digest}");
}
