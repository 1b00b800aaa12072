//! Files that are not what they should be: each is refused before anything of it runs, at its place in the project file.
//! Does not look at what a plugin does.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::Path;

use super::evil::{LIBRARY, build, project, project_with, text};
use crate::support::project::Project;

/// Runs the project and expects it to be refused, with these words and a caret at the file's name.
#[track_caller]
fn refused(project: &Project, words: &str) {
    let ended = project.forge(&["run", "evil", "--snapshot"]).expect(3);
    let lines: Vec<&str> = ended.stderr.lines().collect();
    assert_eq!(lines[0], format!("error: `{LIBRARY}` can't be used: {words}"), "{}", ended.stderr);
    assert_eq!(lines[1].trim(), "--> forge.toml:5:8");
    assert!(!project.root().join(".forge/work").exists() && !project.root().join("dist").exists(), "nothing has begun");
}

/// The same, for a library of these macros. Not even a constructor of it has run.
#[track_caller]
fn refused_unseen(macros: &[&str], words: &str) {
    let project = project(&["good"]);
    let touched = project.root().join("touched");
    build(&project, LIBRARY, &[macros, &[&format!("TOUCH=\"{}\"", touched.display())]].concat());
    refused(&project, words);
    assert!(!touched.exists(), "something of it has run");
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode can be set");
}

#[test]
fn g7_another_abi() {
    refused_unseen(
        &[
            "MANIFEST=\"FORGE-PLUGIN-MANIFEST-1\\n{\\\"name\\\":\\\"evil\\\",\\\"version\\\":\\\"1.0.0\\\",\\\"abi\\\":\\\"2.3\\\",\\\"platform\\\":\\\"x\\\"}\"",
        ],
        "plugin `evil` 1.0.0 needs plugin ABI 2.3, this forge speaks 1.0",
    );
}

#[test]
fn g7_another_abi_than_it_says() {
    let project = project(&["good"]);
    build(&project, LIBRARY, &["ABI_MAJOR=7"]);
    refused(&project, "its table is of plugin ABI 7, this forge speaks 1.0");
}

#[test]
fn g7_another_platform() {
    let here = format!("{}-{}-gnu", std::env::consts::OS, std::env::consts::ARCH);
    let words = format!("plugin `evil` 1.0.0 is built for macos-aarch64, this forge runs on {here}");
    refused_unseen(&["FORGE_PLATFORM=\"macos-aarch64\""], &words);
}

#[test]
fn g7_no_entry() {
    let project = project(&["good"]);
    build(&project, LIBRARY, &["ENTRY=another_name"]);
    refused(&project, "it does not export `forge_plugin_entry_v1`");
}

#[test]
fn g7_cut_short() {
    let project = project(&["good"]);
    let file = project.root().join(LIBRARY);
    let bytes = fs::read(&file).expect("the library");
    fs::write(&file, &bytes[..bytes.len() - 1]).expect("a file can be written");
    refused(&project, &format!("it is cut short: it has {} bytes of {}", bytes.len() - 1, bytes.len()));
    fs::write(&file, &bytes[..100]).expect("a file can be written");
    refused(&project, "there is no plugin manifest in it");
}

#[test]
fn g7_a_text_a_directory_nothing() {
    let project = project(&["good"]);
    project.write(LIBRARY, "#!/bin/sh\nrm -rf /\n");
    refused(&project, "there is no plugin manifest in it");
    project.write(LIBRARY, "");
    refused(&project, "the file is empty");
    fs::remove_file(project.root().join(LIBRARY)).expect("a file can be removed");
    let ended = project.forge(&["check"]).expect(3);
    let words =
        format!("error: `{LIBRARY}` can't be read: No such file or directory (os error 2)\n --> forge.toml:5:8\n");
    assert!(ended.stderr.starts_with(&words), "{}", ended.stderr);
}

#[test]
fn g12_others_may_write() {
    let project = project(&["good"]);
    let (file, directory) = (project.root().join(LIBRARY), project.root().join("tools"));
    mode(&file, 0o646);
    refused(&project, "everyone may write to it (mode 0646)");
    mode(&file, 0o664);
    chown(&file, None, Some(4711)).expect("a group can be set");
    refused(&project, "a group may write to it (mode 0664, gid 4711)");
    mode(&file, 0o755);
    mode(&directory, 0o777);
    let words = format!("its directory `{}` may be written to by everyone (mode 0777)", directory.display());
    refused(&project, &words);
    mode(&directory, 0o755);
    project.forge(&["run", "evil", "--snapshot"]).expect(0);
}

#[test]
fn g12_it_belongs_to_another() {
    let project = project(&["good"]);
    let (file, directory) = (project.root().join(LIBRARY), project.root().join("tools"));
    chown(&file, Some(4711), None).expect("an owner can be set");
    refused(&project, "it belongs to another user (uid 4711)");
    chown(&file, Some(0), None).expect("an owner can be set");
    chown(&directory, Some(4711), None).expect("an owner can be set");
    refused(&project, &format!("its directory `{}` belongs to another user (uid 4711)", directory.display()));
    // Whose the project file is, his is the project.
    chown(project.root().join("forge.toml"), Some(4711), None).expect("an owner can be set");
    project.forge(&["run", "evil", "--snapshot"]).expect(0);
}

#[test]
fn g12_a_link_into_a_directory_of_everyone() {
    let project = project(&["good"]);
    let open = project.root().join("open");
    fs::create_dir(&open).expect("a directory can be made");
    mode(&open, 0o777);
    let file = project.root().join(LIBRARY);
    fs::rename(&file, open.join("it.so")).expect("a file can be moved");
    symlink(open.join("it.so"), &file).expect("a link can be made");
    refused(&project, &format!("its directory `{}` may be written to by everyone (mode 0777)", open.display()));
}

#[test]
fn g12_nothing_is_found_where_one_stands() {
    let project = Project::of_text(&text(&["good"], "").replace(&format!("path = \"{LIBRARY}\""), ""));
    build(&project, "libevil.so", &[]);
    let mut command = project.command(&["check"]);
    command.current_dir(project.root()).env("FORGE_PLUGIN_PATH", ".:").env("LD_LIBRARY_PATH", project.root());
    let ended = crate::support::forge::Ended::of(&mut command).expect(3);
    assert!(ended.stderr.starts_with("error: there is no plugin `evil`\n --> forge.toml:4:10\n"), "{}", ended.stderr);
    assert!(!ended.stderr.contains(&project.root().display().to_string()), "{}", ended.stderr);
    let mut command = project.command(&["check"]);
    crate::support::forge::Ended::of(command.env("FORGE_PLUGIN_PATH", project.root())).expect(0);
}

#[test]
fn g12_the_first_of_two_is_told() {
    let project = Project::of_text(&text(&["good"], "").replace(&format!("path = \"{LIBRARY}\""), ""));
    let second = build(&project, "two/evil.so", &["VERSION=\"1.1.0\""]);
    let first = build(&project, "one/evil.so", &[]);
    let (one, two) = (first.parent().expect("a directory"), second.parent().expect("a directory"));
    let mut command = project.command(&["check"]);
    let ended = crate::support::forge::Ended::of(
        command.env("FORGE_PLUGIN_PATH", format!("{}:{}", one.display(), two.display())),
    );
    let words = "warning: there are two plugins `evil`: `one/evil.so` is used, and not `two/evil.so`\n";
    assert!(ended.expect(0).stderr.starts_with(words));
}

#[test]
fn g12_another_name_version_or_pipe_than_is_wanted() {
    let check = |keys: &str, words: &str| {
        let ended = project_with(&["good"], keys).forge(&["check"]).expect(3);
        assert_eq!(ended.stderr.lines().next(), Some(words));
    };
    check("version = \">=2\"", "error: plugin `evil` is of version 1.0.0, and `>=2` is wanted");
    check(
        "version = \"new\"",
        "error: `new` says no version: unexpected character 'n' while parsing major version number",
    );
    check("pipes = [\"good\"]", "error: plugin `evil` has no pipe `good`");
    for key in ["timeout = \"1s\"", "env = [\"EDITOR\"]"] {
        let name = key.split(' ').next().unwrap_or_default();
        let words = format!("error: `{name}` is of plugins in children, and this one runs in forge's own process");
        check(&format!("{key}\nisolation = \"in-process\""), &words);
    }
    let project = project(&["good"]);
    build(&project, LIBRARY, &["NAME=\"other\""]);
    let ended = project.forge(&["check"]).expect(3);
    assert!(ended.stderr.starts_with(&format!("error: `{LIBRARY}` is the plugin `other`, not `evil`\n")));
}

#[test]
fn g11_a_pipe_that_comes_with_forge_stays_what_it_is() {
    let project = project(&["good"]);
    build(&project, LIBRARY, &["PIPE=\"docker\""]);
    refused(&project, "plugin `evil` has a pipe `docker`, and so has plugin `forge-pipes`");
    build(&project, LIBRARY, &["PIPE=\"secrets\""]);
    let ended = project.forge(&["check"]).expect(3);
    let words = "error: plugin `evil` has a pipe `secrets`, and `[secrets]` is a table of forge itself\n";
    assert!(ended.stderr.starts_with(words), "{}", ended.stderr);
}
