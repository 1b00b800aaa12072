//! A small project that needs no network, and what must hold of it after any fault.
//! Does not know the faults.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use crate::support::project::Project;

/// Two programs, an image of each, and a list of these.
pub const TEXT: &str = r#"
[project]
name = "small"

[[build]]
id = "hello"
tool = "command"
binary = "hello"
platforms = ["linux/amd64", "linux/arm64"]
argv = ["sh", "-c", "cat source.txt > $FORGE_OUTPUT && echo {{ arch }} >> $FORGE_OUTPUT"]
sources = ["source.txt"]

[[docker]]
id = "image"
images = ["registry.example.org/small"]
platforms = ["linux/amd64", "linux/arm64"]
base = "scratch"

[[docker_manifest]]
image = "image"
"#;

/// How many tasks that is.
pub const TASKS: usize = 5;

/// All of it.
pub const RUN: [&str; 3] = ["run", "release", "--snapshot"];

/// The project, in a directory of its own.
pub fn small() -> Project {
    let project = Project::of_text(TEXT);
    write(&project);
    project
}

/// Writes its files; once more where another file system has been put over its directory.
pub fn write(project: &Project) {
    project.write("forge.toml", TEXT);
    project.write("source.txt", "hello\n");
}

/// What a run makes that nobody disturbs.
static UNDISTURBED: LazyLock<Vec<String>> = LazyLock::new(|| {
    let project = small();
    project.forge(&RUN).expect(0);
    project.digests()
});

/// A plain second run ends as if nothing had happened.
#[track_caller]
pub fn goes_on(project: &Project, after: &str) {
    let ended = project.forge(&RUN);
    assert_eq!(ended.code, Some(0), "after {after}:\n{}{}", ended.stdout, ended.stderr);
    let wrong = wrong(project);
    assert!(wrong.is_empty(), "after {after}, and another run:\n{}", wrong.join("\n"));
}

/// What is not as an undisturbed run leaves it.
pub fn wrong(project: &Project) -> Vec<String> {
    let mut wrong: Vec<String> = left_over(project).iter().map(|it| format!("{} is left", it.display())).collect();
    if project.digests() != *UNDISTURBED {
        wrong.push(format!("other artifacts are listed: {:#?}", project.digests()));
    }
    for artifact in project.json("dist/artifacts.json")["artifacts"].as_array().expect("a list") {
        let path = artifact["path"].as_str().expect("a path");
        let sum = crate::support::program::run(["sha256sum", &project.root().join(path).display().to_string()]);
        if Some(&sum[..64]) != artifact["digest"].as_str().map(|it| &it[7..]) {
            wrong.push(format!("{path} has other content"));
        }
    }
    let verified = project.forge(&["store", "verify"]);
    if verified.code != Some(0) {
        wrong.push(format!("`store verify` says {}{}", verified.stdout, verified.stderr));
    }
    wrong
}

/// Files that were not whole when their writer ended, and directories of steps that have ended.
pub fn left_over(project: &Project) -> Vec<PathBuf> {
    let root = project.root();
    let mut all = files(&root.join(".forge"));
    all.extend(files(&root.join("dist")));
    let is_left = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(".forge-") || path.starts_with(root.join(".forge/work"))
    };
    all.into_iter().filter(is_left).collect()
}

/// All files under a directory, sorted.
pub fn files(directory: &Path) -> Vec<PathBuf> {
    let (mut found, mut waiting) = (Vec::new(), vec![directory.to_path_buf()]);
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(&directory).into_iter().flatten() {
            let path = entry.expect("a directory can be read").path();
            if path.is_dir() { waiting.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

/// Writes other bytes into a file, as a disk that forgets would: its times stay.
pub fn rot(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let metadata = fs::metadata(path).expect("a file");
    let mut bytes = fs::read(path).expect("a file");
    change(&mut bytes);
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o644)).expect("a mode");
    fs::write(path, bytes).expect("a file can be written");
    fs::File::open(path).and_then(|it| it.set_modified(metadata.modified()?)).expect("a time can be set");
    fs::set_permissions(path, metadata.permissions()).expect("a mode");
}

/// The files of its store, sorted.
pub fn blobs(project: &Project) -> Vec<PathBuf> {
    files(&project.root().join(".forge/store/blobs/sha256"))
}

#[test]
fn what_is_wrong_is_found() {
    let check = |words: &str, change: &dyn Fn(&Project)| {
        let project = small();
        project.forge(&RUN).expect(0);
        assert_eq!(wrong(&project), [""; 0], "before");
        change(&project);
        let wrong = wrong(&project).join("\n");
        assert!(wrong.contains(words), "`{words}` is missing in: {wrong}");
    };
    let at = |project: &Project, path: &str| project.root().join(path);
    check("store/.forge-x is left", &|it| it.write(".forge/store/.forge-x", ""));
    check("work/3/file is left", &|it| it.write(".forge/work/3/file", ""));
    check("is in truth sha256:", &|it| rot(&blobs(it)[0], |bytes| bytes[3] ^= 1));
    check("is not in the store", &|it| fs::remove_file(&blobs(it)[2]).expect("a file"));
    check("the record was damaged", &|it| rot(&at(it, ".forge/record"), |bytes| bytes[30] ^= 1));
    check("has other content", &|it| {
        let shown = at(it, "dist/hello_linux_arm64/hello");
        fs::remove_file(&shown).expect("a file");
        fs::write(shown, "other").expect("a file");
    });
    check("other artifacts are listed", &|it| {
        rot(&at(it, "dist/artifacts.json"), |bytes| {
            let text = String::from_utf8(std::mem::take(bytes)).expect("text");
            *bytes = text.replace("linux/arm64", "linux/arm").into();
        });
    });
}
