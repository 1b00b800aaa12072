//! `examples/hello`, released: what a registry has then, and what a Docker Engine makes of it.
//! Does not know the pipes.

use serde_json::Value;

use crate::support::docker::Docker;
use crate::support::program::run;
use crate::support::project::Project;
use crate::support::registry::Registry;

const PLATFORMS: [&str; 2] = ["linux/amd64", "linux/arm64"];

fn hello(registry: &str) -> Project {
    Project::example("hello").env("HELLO_REGISTRY", registry).tagged("v1.2.3")
}

/// The platforms of an index, in its order.
fn platforms(index: &Value) -> Vec<String> {
    let members = index["manifests"].as_array().expect("an index has manifests");
    let platform = |it: &Value| format!("{}/{}", it["platform"]["os"], it["platform"]["architecture"]);
    members.iter().map(|it| platform(it).replace('"', "")).collect()
}

#[test]
fn released_pulled_and_run() {
    let (mut registry, docker) = (Registry::start(), Docker::connect());
    let project = hello(registry.address());
    project.forge(&["run", "release"]).expect(0);

    for tag in ["1.2.3", "latest"] {
        let index = registry.manifest(&format!("hello:{tag}"));
        assert_eq!(index["mediaType"], "application/vnd.oci.image.index.v1+json");
        assert_eq!(platforms(&index), PLATFORMS);
        let reference = format!("{}/hello:{tag}", registry.address());
        for platform in PLATFORMS {
            let said = docker.pull_and_run(&reference, platform, "/usr/local/bin/hello", &[]);
            assert!(said.starts_with("hello 1.2.3 ("), "{said}");
            assert!(said.ends_with(&format!(") {platform}")), "{said}");
            assert_eq!(docker.platform(&reference), platform);
        }
    }
    again(&project, &mut registry);
}

/// A second release of the same commit makes nothing and uploads nothing: it asks for each tag, once.
fn again(project: &Project, registry: &mut Registry) {
    registry.requests();
    let ended = project.forge(&["run", "release"]).expect(0);
    let ran = ended.stderr.lines().filter_map(|line| line.trim_start().strip_prefix("done "));
    assert!(ran.clone().all(|task| task.starts_with("publish:")), "{}", ended.stderr);
    let mut requests = registry.requests();
    requests.sort();
    let tags = ["HEAD /v2/hello/manifests/1.2.3 200", "HEAD /v2/hello/manifests/latest 200"];
    assert_eq!(requests, tags);
}

#[test]
fn uploads_children_first_and_tags_last() {
    let mut registry = Registry::start();
    hello(registry.address()).forge(&["run", "release"]).expect(0);
    let puts: Vec<String> =
        registry.requests().into_iter().filter(|it| it.starts_with("PUT /v2/hello/manifests/")).collect();
    let first_tag = puts.iter().position(|it| !it.contains("/sha256:")).expect("a tag is put");
    let (digests, tags) = puts.split_at(first_tag);
    assert!(digests.len() >= 2, "{puts:#?}");
    assert!(tags.iter().all(|it| !it.contains("/sha256:")), "{puts:#?}");
}

#[test]
fn a_snapshot_needs_no_tag_and_no_registry() {
    // Nothing listens at port 1.
    let project = Project::example("hello").env("HELLO_REGISTRY", "127.0.0.1:1");
    project.forge(&["run", "release", "--snapshot"]).expect(0);
    let index = list_in_store(&project);
    assert_eq!(platforms(&index), PLATFORMS);
}

#[test]
fn the_store_is_an_image_layout() {
    let project = hello("127.0.0.1:1");
    project.forge(&["run", "docker_manifest"]).expect(0);
    let layout: Value = project.json(".forge/store/index.json");
    for name in layout["manifests"].as_array().expect("manifests").iter().filter_map(name) {
        let place = format!("oci:{}:{name}", project.root().join(".forge/store").display());
        run(["skopeo", "inspect", "--raw", &place]);
    }
    assert_eq!(platforms(&list_in_store(&project)), PLATFORMS);
    let place = format!("oci:{}", project.place().join("copy").display());
    let list = layout["manifests"].as_array().expect("manifests").iter().find(|it| is_list(it)).and_then(name);
    let store = format!("oci:{}:{}", project.root().join(".forge/store").display(), list.expect("the list has a name"));
    run(["skopeo", "copy", "--quiet", "--all", &store, &place]);
}

fn is_list(descriptor: &Value) -> bool {
    descriptor["mediaType"] == "application/vnd.oci.image.index.v1+json"
}

fn name(descriptor: &Value) -> Option<&str> {
    descriptor["annotations"]["org.opencontainers.image.ref.name"].as_str()
}

/// The manifest list that the store has.
fn list_in_store(project: &Project) -> Value {
    let layout: Value = project.json(".forge/store/index.json");
    let manifests = layout["manifests"].as_array().expect("manifests").clone();
    let list = manifests.iter().find(|it| is_list(it)).expect("the store has a list");
    let digest = list["digest"].as_str().expect("a digest").replace(':', "/");
    project.json(&format!(".forge/store/blobs/{digest}"))
}

#[test]
fn published_to_a_layout() {
    let project = hello("registry.example.org");
    let text = std::fs::read_to_string(project.root().join("forge.toml")).expect("the project file");
    project.write("layout.toml", &text.replace("to = \"registry\"", "to = \"layout\"\npath = \"dist/oci\""));
    project.write("tar.toml", &text.replace("to = \"registry\"", "to = \"layout\"\npath = \"dist/hello.tar\""));
    for file in ["layout.toml", "tar.toml"] {
        project.forge(&["-f", file, "run", "release", "--snapshot"]).expect(0);
    }
    let layout: Value = project.json("dist/oci/index.json");
    for (transport, path) in [("oci", "dist/oci"), ("oci-archive", "dist/hello.tar")] {
        let names: Vec<&str> = layout["manifests"].as_array().expect("manifests").iter().filter_map(name).collect();
        assert!(!names.is_empty(), "{layout}");
        for name in names {
            let place = format!("{transport}:{}:{name}", project.root().join(path).display());
            let index: Value = serde_json::from_str(&run(["skopeo", "inspect", "--raw", &place])).expect("a manifest");
            assert_eq!(platforms(&index), PLATFORMS);
        }
    }
}
