//! What runs again after a change, and what does not: as the events tell it.
//! Does not know why; `forge why` does, and has cases of its own.

use std::fs::{File, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use forge_schemas::Digest;

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

/// Commands that read a file, a glob, a directory, a variable, and one that is a program of the user's.
const FIVE: &str = r#"
[project]
name = "five"

[[build]]
id = "file"
tool = "command"
platforms = ["linux/amd64"]
argv = ["cp", "file.txt", "{{ output }}"]
sources = ["file.txt"]

[[build]]
id = "glob"
tool = "command"
platforms = ["linux/amd64"]
argv = ["cp", "glob/one.txt", "{{ output }}"]
sources = ["glob/*.txt"]

[[build]]
id = "directory"
tool = "command"
platforms = ["linux/amd64"]
argv = ["cp", "directory/one.txt", "{{ output }}"]
sources = ["directory"]

[[build]]
id = "variable"
tool = "command"
platforms = ["linux/amd64"]
argv = ["cp", "other.txt", "{{ output }}"]
sources = ["other.txt"]
env = { WORD = "{{ env.FORGE_TEST_WORD | default('none') }}" }

[[build]]
id = "tool"
tool = "command"
platforms = ["linux/amd64"]
argv = ["forge-test-tool", "other.txt", "{{ output }}"]
sources = ["other.txt"]
"#;

const TOOL: &str = "#!/bin/sh\nexec cp \"$@\"\n";

/// The project, all of it made, looked at again, and found fresh from what is remembered.
fn five() -> Project {
    let project = Project::of_text(FIVE);
    for path in ["file.txt", "other.txt", "glob/one.txt", "glob/one.md", "directory/one.txt"] {
        project.write(path, path);
    }
    write_tool(&project, TOOL);
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}", project.place().join("bin").display());
    let project = project.env("PATH", &path);
    assert_eq!(done(&project).len(), 5);
    // The second run hashes once more what had just been written; the third remembers all.
    for _ in 0..2 {
        assert_eq!(done(&project), [""; 0]);
    }
    project
}

fn write_tool(project: &Project, text: &str) {
    project.write("../bin/forge-test-tool", text);
    let path = project.place().join("bin/forge-test-tool");
    std::fs::set_permissions(path, Permissions::from_mode(0o755)).expect("a mode can be set");
}

fn made(project: &Project, id: &str) -> PathBuf {
    project.root().join(format!("dist/{id}_linux_amd64/five"))
}

/// Where the store has what a task made.
fn stored(project: &Project, id: &str) -> PathBuf {
    let digest = Digest::of(&std::fs::read(made(project, id)).expect("what was made"));
    project.root().join(".forge/store/blobs/sha256").join(digest.hex())
}

/// Writes to a file that nobody is to write to.
fn overwrite(path: &Path, text: &str) {
    std::fs::set_permissions(path, Permissions::from_mode(0o644)).expect("a mode can be set");
    std::fs::write(path, text).expect("it can be written to");
}

/// Writes to a file, and sets its time back.
fn change_secretly(path: &Path, text: &str) {
    let time = std::fs::metadata(path).and_then(|it| it.modified()).expect("a file has a time");
    std::fs::write(path, text).expect("it can be written to");
    let file = File::options().write(true).open(path).expect("it can be opened");
    file.set_modified(time).expect("its time can be set back");
}

fn remove(path: &Path) {
    std::fs::remove_file(path).expect("it was there");
}

/// What may change, and which tasks run again after it.
type Change = (&'static str, fn(&Project), &'static [&'static str]);

const CHANGES: [Change; 13] = [
    ("nothing", |_| (), &[]),
    ("a source is touched", |it| it.write("file.txt", "file.txt"), &[]),
    ("a source is changed", |it| it.write("file.txt", "file.TXT"), &["file"]),
    ("and its time set back", |it| change_secretly(&it.root().join("file.txt"), "FILE.txt"), &["file"]),
    ("a source may be executed", |it| make_executable(&it.root().join("file.txt")), &["file"]),
    ("a file that a glob names is new", |it| it.write("glob/two.txt", ""), &["glob"]),
    ("a file that a glob does not name is new", |it| it.write("glob/two.md", ""), &[]),
    ("a file that a glob names is gone", |it| remove(&it.root().join("glob/one.md")), &[]),
    ("a file in a directory is new", |it| it.write("directory/a/b.txt", ""), &["directory"]),
    ("a program is another", |it| write_tool(it, &format!("{TOOL}# new\n")), &["tool"]),
    ("content is gone", |it| remove(&stored(it, "file")), &["file"]),
    ("content was changed in place", |it| overwrite(&stored(it, "glob"), "glob/one.TXT"), &["glob"]),
    ("content was cut short in place", |it| overwrite(&made(it, "glob"), "glob"), &["glob"]),
];

fn make_executable(path: &Path) {
    std::fs::set_permissions(path, Permissions::from_mode(0o755)).expect("a mode can be set");
}

#[test]
fn what_changes_after_all_was_remembered_is_noticed() {
    for (change, act, expect) in CHANGES {
        let project = five();
        act(&project);
        let expect: Vec<String> = expect.iter().map(|id| format!("build:{id}/linux/amd64")).collect();
        assert_eq!(done(&project), expect, "{change}");
        assert_eq!(done(&project), [""; 0], "{change}");
        for id in ["file", "glob", "directory", "variable", "tool"] {
            assert!(made(&project, id).is_file() && stored(&project, id).is_file(), "{change}: {id}");
        }
    }
}

#[test]
fn a_variable_that_changes_after_all_was_remembered_is_noticed() {
    let project = five().env("FORGE_TEST_WORD", "one");
    assert_eq!(done(&project), ["build:variable/linux/amd64"]);
    assert_eq!(done(&project), [""; 0]);
    let project = project.env("FORGE_TEST_WORD", "two");
    assert_eq!(done(&project), ["build:variable/linux/amd64"]);
}

const IMAGE: &str = r#"
[project]
name = "one"

[[docker]]
images = ["example.org/one"]
ids = []
dockerfile = "Dockerfile"
platforms = ["linux/amd64"]
"#;

/// What may become of the files that say what an image leaves out, and whether it is made again.
type Ignored = (&'static str, fn(&Project), bool);

/// One after the other.
const IGNORED: [Ignored; 7] = [
    ("there is one", |it| it.write(".dockerignore", "**/*.md\n"), true),
    ("what it leaves out is changed", |it| it.write("docs/a.md", "A"), false),
    ("what it keeps is changed", |it| it.write("docs/a.txt", "A"), true),
    ("it says something else", |it| it.write(".dockerignore", "**/*.txt\n"), true),
    ("there is one of the Dockerfile", |it| it.write("Dockerfile.dockerignore", "docs/a.md\n"), true),
    ("the other is changed", |it| it.write(".dockerignore", "**\n"), false),
    (
        "both are gone",
        |it| ["Dockerfile.dockerignore", ".dockerignore"].iter().for_each(|f| remove(&it.root().join(f))),
        true,
    ),
];

#[test]
fn what_is_left_out_of_an_image_is_noticed() {
    let project = Project::of_text(IMAGE);
    project.write("Dockerfile", "FROM scratch\nCOPY docs /docs\n");
    ["docs/a.md", "docs/a.txt"].iter().for_each(|path| project.write(path, path));
    let image = ["docker:one/linux/amd64".to_owned()];
    assert_eq!(done(&project), image);
    for (change, act, is_made) in IGNORED {
        assert_eq!(done(&project), [""; 0], "before {change}");
        act(&project);
        assert_eq!(done(&project), image[..usize::from(is_made)], "{change}");
    }
}

#[test]
fn another_tool_in_the_lock_file_is_noticed() {
    let project = five();
    project.forge(&["lock"]).expect(0);
    assert_eq!(done(&project), [""; 0], "what is locked is what was asked");
    let path = project.root().join("forge.lock");
    let text = std::fs::read_to_string(&path).expect("it was written");
    let tool = Digest::of(TOOL.as_bytes()).to_string();
    assert!(text.contains(&tool), "{text}");
    project.write("forge.lock", &text.replace(&tool, &Digest::of(b"another").to_string()));
    let ended = project.forge(&RUN).expect(1);
    let failed: Vec<String> = ended.outcomes().into_iter().filter(|it| !it.ends_with(" fresh")).collect();
    assert_eq!(failed, ["build:tool/linux/amd64 failed"]);
}

#[test]
fn what_people_look_at_is_shown_again_whatever_was_done_to_it() {
    let project = five();
    let is_shown = |id: &str| {
        let inode = |path: &Path| std::fs::metadata(path).map(|it| it.ino()).ok();
        assert_eq!(inode(&made(&project, id)), inode(&stored(&project, id)), "{id}");
    };
    remove(&made(&project, "file"));
    std::fs::remove_dir_all(project.root().join("dist/glob_linux_amd64")).expect("it was there");
    // Another artifact under its name: a link into the store as well, and as old.
    let (mine, other) = (made(&project, "directory"), made(&project, "variable"));
    remove(&mine);
    std::fs::hard_link(other, &mine).expect("a link can be made");
    assert_eq!(done(&project), [""; 0]);
    for id in ["file", "glob", "directory", "variable", "tool"] {
        is_shown(id);
    }
    std::fs::remove_dir_all(project.root().join("dist")).expect("it was there");
    assert_eq!(done(&project), [""; 0]);
    for id in ["file", "glob", "directory", "variable", "tool"] {
        is_shown(id);
    }
}
