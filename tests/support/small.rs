//! A small project that is quickly released: a script for two platforms, their images, the list, and two tags.
//! Does not know the registry that it is released to.

use std::fs;

use super::project::Project;
use sha2::{Digest as _, Sha256};

const TEXT: &str = r#"
[project]
name = "small"

[[build]]
id = "tool"
tool = "command"
argv = ["sh", "-c", "echo tool for $FORGE_PLATFORM > $FORGE_OUTPUT"]
platforms = ["linux/amd64", "linux/arm64"]

[[docker]]
id = "image"
images = ['{{ env.REGISTRY }}/acme/small']
tags = ["{{ version }}", "latest"]
platforms = ["linux/amd64", "linux/arm64"]
base = '{{ env.BASE | default("scratch") }}'

[[docker_manifest]]
image = "image"

[[publish]]
to = "registry"
"#;

/// The project, to be released to this registry. Wherever that is, the commit is the same, and so is what is made of it.
pub fn project(registry: &str) -> Project {
    with("", registry)
}

/// The same, with these tables at the end of its file.
pub fn with(tables: &str, registry: &str) -> Project {
    Project::of_text(&format!("{TEXT}\n{tables}")).env("REGISTRY", registry).tagged("v1.2.3")
}

/// The same, with these files beside; not yet committed.
pub fn files(files: &[(&str, &str)], tables: &str) -> Project {
    let project = Project::of_text(&format!("{TEXT}\n{tables}"));
    files.iter().for_each(|(path, text)| project.write(path, text));
    project
}

/// The same with layers of some MiB, which go to the registry in chunks of one.
pub fn in_chunks(registry: &str) -> Project {
    let text = TEXT.replace("echo tool for", "seq 1 1500000; echo").replace("$FORGE_PLATFORM >", "$FORGE_PLATFORM) >");
    let text = text.replace("\"seq", "\"(seq").replace("to = \"registry\"", "to = \"registry\"\nchunk_mib = 1");
    Project::of_text(&text).env("REGISTRY", registry).tagged("v1.2.3")
}

/// The same with another script, and another tag.
pub fn changed(script: &str, registry: &str, tag: &str) -> Project {
    Project::of_text(&TEXT.replace("echo tool", script)).env("REGISTRY", registry).tagged(tag)
}

/// Checks that every file of the project's store is what its name says, and that nothing unfinished lies there.
#[track_caller]
pub fn check_store(project: &Project) {
    assert_eq!(spoilt(project), [""; 0], "a blob has the digest that it is called by");
}

/// The files of the project's store that are not what their names say.
pub fn spoilt(project: &Project) -> Vec<String> {
    let blobs = project.root().join(".forge/store/blobs/sha256");
    let name = |entry: fs::DirEntry| {
        let bytes = fs::read(entry.path()).expect("a blob can be read");
        let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        let name = entry.file_name().to_string_lossy().into_owned();
        (digest != name).then_some(name)
    };
    fs::read_dir(blobs).into_iter().flatten().filter_map(|it| name(it.expect("the store can be listed"))).collect()
}
