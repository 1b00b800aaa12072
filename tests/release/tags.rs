//! Tags that move from version to version: what the registry is asked about what they are.
//! Does not look at what they name.

use std::fs;

use crate::support::project::Project;
use crate::support::registry::Registry;

/// Another release of the project; what was got of what lies in the registry.
fn release(project: &Project, registry: &mut Registry, version: &str, exit: i32) -> (Vec<String>, String) {
    project.write("version", version);
    project.retag(version);
    registry.requests();
    let ended = project.forge(&["run", "release"]).expect(exit);
    (registry.requests().into_iter().filter(|it| it.starts_with("GET ")).collect(), ended.stderr)
}

#[test]
fn the_version_of_what_was_published_from_here_is_known() {
    let mut registry = Registry::start();
    let project = Project::of_text(&format!(
        "[project]\nname = 'it'\n[[docker]]\nids = []\nimages = ['{}/it']\nfiles = [{{ src = 'version', dst = '/' }}]\n\
         platforms = ['linux/amd64', 'linux/arm64']\ntags = ['{{{{ version }}}}', 'latest']\n\
         [[docker_manifest]]\n[[publish]]\nto = 'registry'\n",
        registry.address()
    ));
    project.write("version", "none");
    let project = project.tagged("v1.0.0");
    project.forge(&["run", "release"]).expect(0);
    assert_eq!(release(&project, &mut registry, "v1.1.0", 0).0, [""; 0]);

    // Whoever has not published it asks the list, its first image, and the config of that.
    fs::remove_dir_all(project.root().join(".forge/notes")).expect("there are notes");
    let (got, _) = release(&project, &mut registry, "v1.2.0", 0);
    assert_eq!(got.len(), 3, "{got:#?}");

    let (got, said) = release(&project, &mut registry, "v1.1.1", 1);
    assert_eq!(got, [""; 0]);
    assert!(said.contains("it is version 1.2.0 now, and 1.1.1 is older"), "{said}");
}
