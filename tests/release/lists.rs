//! Manifest lists of images that are made here and of some that lie in a registry already; what their annotations say; `digests.txt`.
//! Does not know the pipes: it reads the registry.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::program::output;
use crate::support::project::Project;
use crate::support::registry::Registry;

/// A project of one image for these platforms, with these lines in its tables.
fn project(registry: &Registry, name: &str, platforms: &[&str], docker: &str, list: &str) -> Project {
    let project = Project::of_text(&format!(
        "[project]\nname = '{name}'\n[[docker]]\nid = 'image'\nids = []\nimages = ['{}/{name}']\ntags = ['1']\n\
         platforms = {platforms:?}\nfiles = [{{ src = 'forge.toml', dst = '/' }}]\n{docker}\n\
         [[docker_manifest]]\nimage = 'image'\n{list}\n[[publish]]\nto = 'registry'\n",
        registry.address()
    ));
    project.tagged("v1.0.0")
}

fn platforms(index: &Value) -> Vec<String> {
    let members = index["manifests"].as_array().expect("an index has manifests");
    let platform = |it: &Value| format!("{}{}", it["platform"]["architecture"], it["platform"]["variant"]);
    members.iter().map(|it| platform(it).replace('"', "").replace("null", "")).collect()
}

#[test]
fn existing_images_and_lists_go_in() {
    let mut registry = Registry::start();
    project(&registry, "other", &["linux/arm/v7", "linux/s390x"], "", "").forge(&["run", "release"]).expect(0);
    let existing = format!("existing = ['{}/other:1']", registry.address());
    let ours = project(&registry, "ours", &["linux/amd64", "linux/arm64"], "", &existing);
    registry.requests();
    ours.forge(&["run", "release"]).expect(0);
    // Their layers are mounted, and never fetched: of each image there is the config alone.
    let asked = registry.requests();
    assert_eq!(asked.iter().filter(|it| it.starts_with("GET /v2/other/blobs/")).count(), 2, "{asked:#?}");
    assert!(ours.forge(&["images"]).expect(0).stdout.contains(" in the registry"));
    let index = registry.manifest("ours:1");
    assert_eq!(platforms(&index), ["amd64", "arm64", "armv7", "s390x"]);
    // Each can be had from the repository of the list.
    for member in index["manifests"].as_array().expect("an index has manifests") {
        let digest = member["digest"].as_str().expect("a digest");
        let place = format!("docker://{}/ours@{digest}", registry.address());
        let copy = ours.place().join("copy");
        output(
            Command::new("skopeo")
                .args(["copy", "--src-tls-verify=false", &place])
                .arg(format!("dir:{}", copy.display())),
        );
    }

    // A second run asks what the other list is now, and what the tag is.
    registry.requests();
    ours.forge(&["run", "release"]).expect(0);
    assert_eq!(registry.requests(), ["HEAD /v2/other/manifests/1 200", "HEAD /v2/ours/manifests/1 200"]);

    // A run that leaves nothing elsewhere brings them, so that others can copy the list out of the store.
    ours.forge(&["run", "docker_manifest"]).expect(0);
    let (store, copy) = (ours.root().join(".forge/store"), ours.place().join("whole"));
    let (from, to) = (format!("oci:{}:ours.index.json", store.display()), format!("oci:{}", copy.display()));
    output(Command::new("skopeo").args(["copy", "--all", &from, &to]));
    assert!(!ours.forge(&["images"]).expect(0).stdout.contains(" in the registry"));

    let twice = project(&registry, "twice", &["linux/s390x"], "", &existing);
    let ended = twice.forge(&["run", "release"]).expect(1);
    assert!(ended.stderr.contains("are both for `linux/s390x`"), "{}", ended.stderr);
    assert!(registry.tags("twice").is_empty());
}

#[test]
fn annotations_have_their_places() {
    let registry = Registry::start();
    let docker = "annotations = { plain = '{{ arch }}', 'manifest-descriptor:there' = '{{ arch }}', 'index:all' = 'x', \
                  'manifest[linux/arm64]:only' = 'y' }";
    let project = project(&registry, "noted", &["linux/amd64", "linux/arm64"], docker, "annotations = { own = 'z' }");
    project.forge(&["run", "release"]).expect(0);
    let index = registry.manifest("noted:1");
    assert_eq!(index["annotations"].to_string(), r#"{"all":"x","own":"z"}"#);
    let of = |at: usize| {
        let member = &index["manifests"][at];
        let manifest = registry.manifest(&format!("noted@{}", member["digest"].as_str().expect("a digest")));
        format!("{} {}", member["annotations"], manifest["annotations"])
    };
    assert_eq!(of(0), r#"{"there":"amd64"} {"plain":"amd64"}"#);
    assert_eq!(of(1), r#"{"there":"arm64"} {"only":"y","plain":"arm64"}"#);

    let digests = fs::read_to_string(project.root().join("dist/digests.txt")).expect("`digests.txt`");
    let expected = registry.digest("noted", "1").replace("sha256:", "");
    assert_eq!(digests, format!("{expected}  {}/noted:1\n", registry.address()));

    let tree = project.forge(&["images"]).expect(0).stdout;
    let lines: Vec<&str> = tree.lines().map(|it| it.split("  ").next().unwrap_or_default()).collect();
    assert_eq!(lines[0], "noted.index.json");
    assert!(lines[1].ends_with("linux/amd64"), "{tree}");
    // The config is each image's own, and the layer is the same in both.
    assert_eq!(tree.matches("in 2 of them").count(), 2, "{tree}");
    assert!(tree.contains("if nothing were shared"), "{tree}");
}

#[test]
fn layers_in_zstd() {
    let registry = Registry::start();
    let project = project(&registry, "small", &["linux/amd64"], "compression = 'zstd'", "");
    project.forge(&["run", "release"]).expect(0);
    let list = registry.manifest("small:1");
    let image = format!("small@{}", list["manifests"][0]["digest"].as_str().expect("a digest"));
    let layer = registry.manifest(&image)["layers"][0]["mediaType"].clone();
    assert_eq!(layer, "application/vnd.oci.image.layer.v1.tar+zstd");
    let plain = project.place().join("plain");
    let place = format!("docker://{}/{image}", registry.address());
    let to = format!("dir:{}", plain.display());
    output(Command::new("skopeo").args(["copy", "--src-tls-verify=false", "--dest-decompress", &place, &to]));
    let files = fs::read_dir(&plain).expect("a directory").map(|it| it.expect("an entry").path());
    let lists: Vec<String> = files.map(|it| listed(&it)).collect();
    assert!(lists.iter().any(|it| it == "forge.toml"), "{lists:?}");
}

/// The names in a tar; nothing where a file is none.
fn listed(file: &Path) -> String {
    let listed = Command::new("tar").arg("-tf").arg(file).output().expect("`tar` starts");
    String::from_utf8_lossy(&listed.stdout).trim().to_owned()
}
