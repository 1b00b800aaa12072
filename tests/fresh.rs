//! What runs again after a change, and what does not: as the events tell it.
//! Does not know why; `forge why` does, and has cases of its own.

use crate::support::project::Project;

const RUN: [&str; 4] = ["run", "release", "--snapshot", "--json"];

/// Two programs, each with its image for two platforms and the list of both.
fn two_programs() -> Project {
    let mut text = String::from("[project]\nname = \"two\"\n");
    for name in ["one", "two"] {
        text += &format!(
            "[[build]]\nid = \"{name}\"\ntool = \"command\"\nplatforms = [\"linux/amd64\", \"linux/arm64\"]\n\
             argv = [\"cp\", \"{name}/main.sh\", \"{{{{ output }}}}\"]\nsources = [\"{name}\"]\n\
             [[docker]]\nid = \"{name}-image\"\nids = [\"{name}\"]\nimages = [\"example.org/acme/{name}\"]\n\
             tags = [\"latest\"]\n\
             [[docker_manifest]]\nid = \"{name}-list\"\nimage = \"{name}-image\"\n"
        );
    }
    let project = Project::of_text(&text);
    for name in ["one", "two"] {
        project.write(&format!("{name}/main.sh"), &format!("#!/bin/sh\necho {name}\n"));
    }
    project
}

fn done(project: &Project) -> Vec<String> {
    let events = project.forge(&RUN).expect(0);
    events.outcomes().into_iter().filter_map(|it| it.strip_suffix(" done").map(str::to_owned)).collect()
}

#[test]
fn a_source_file_makes_its_program_run_again_with_image_and_list_and_nothing_else() {
    let project = two_programs();
    assert_eq!(done(&project).len(), 10);
    assert_eq!(done(&project), [""; 0]);
    project.write("two/main.sh", "#!/bin/sh\necho changed\n");
    let own = [
        "build:two/linux/amd64",
        "build:two/linux/arm64",
        "docker:two-image/linux/amd64",
        "docker:two-image/linux/arm64",
        "docker_manifest:two-list",
    ];
    assert_eq!(done(&project), own);
    assert_eq!(done(&project), [""; 0]);
    // Other words that make the same program: what needs it is fresh.
    project.write("two/notes.txt", "it is read, and not copied\n");
    assert_eq!(done(&project), own[..2]);
}
