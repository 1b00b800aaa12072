//! `forge plugins new`: what it writes builds, passes its own test, and runs in its example project, in every language.
//! Does not know what the plugin does beyond that.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::library::{done, workspace, zig_command};
use crate::support::forge::Ended;
use crate::support::project::Project;

/// A folder with nothing in it.
fn nowhere() -> Project {
    Project::of_text("")
}

/// Writes a plugin of this language.
fn new(project: &Project, name: &str, language: &str, more: &[&str]) -> Ended {
    project.forge(&[&["plugins", "new", name, "--lang", language], more].concat())
}

/// A command in the folder of the plugin, with the home directory of whoever runs the tests.
fn command(project: &Project, words: &str) -> Command {
    let mut words = words.split(' ');
    let mut command = match words.next() {
        Some("zig") => zig_command(),
        program => Command::new(program.unwrap_or_default()),
    };
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CARGO_PKG_") || name == "CARGO_MANIFEST_DIR")
    {
        command.env_remove(name);
    }
    command.env_remove("CARGO_TARGET_DIR");
    command.args(words).current_dir(project.root().join("acme-digests"));
    command
}

/// Writes a plugin, does all that forge says is to be done with it, and looks at what it has made.
#[track_caller]
fn check(language: &str, more: &[&str], prepare: fn(&Path)) {
    let project = nowhere();
    let told = new(&project, "acme-digests", language, more).expect(0).stdout;
    prepare(&project.root().join("acme-digests"));
    let commands: Vec<&str> = told.lines().skip(1).map(str::trim).collect();
    let (last, before) = commands.split_last().expect("commands are told");
    assert_eq!((before.len(), *last), (2, "forge -C example run release --snapshot"), "{told}");
    for words in before {
        done(&mut command(&project, words));
    }
    let example = project.root().join("acme-digests/example");
    let library = ["lib", "target/debug"].map(|it| example.join("..").join(it).join("libacme_digests.so"));
    let library = library.iter().find(|it| it.exists()).expect("the library is there");
    project.forge(&["plugins", "check", &library.display().to_string()]).expect(0);
    let run = || {
        let mut forge = project.command(&["run", "release", "--snapshot", "--json"]);
        // The last directory counts.
        Ended::of(forge.arg("-C").arg(&example)).expect(0)
    };
    run();
    let list = std::fs::read_to_string(example.join("dist/digests.txt")).expect("the list is there");
    let lines: Vec<&str> = list.lines().collect();
    assert!(lines[0].starts_with("# 0.") && lines.len() == 3, "{list}");
    assert!(lines[1].ends_with("  hello_linux_amd64/hello") && lines[1].len() == 64 + 25, "{list}");
    assert!(run().outcomes().contains(&"acme_digests:list fresh".to_owned()));
}

#[test]
fn in_rust() {
    let sdk = workspace().join("plugins");
    check("rust", &["--sdk", &sdk.display().to_string()], |folder| {
        // The versions that the workspace has, and what it has built of them.
        std::fs::copy(workspace().join("Cargo.lock"), folder.join("Cargo.lock")).expect("a file can be copied");
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from);
        std::os::unix::fs::symlink(target, folder.join("target")).expect("a link can be made");
        done(Command::new("cargo").args(["fmt", "--check"]).current_dir(folder));
    });
}

#[test]
fn in_c() {
    check("c", &[], |folder| {
        // Its test once more, with all that a compiler can watch for.
        let flags = "CFLAGS=-std=c99 -pedantic -Wall -Wextra -Werror -Iinclude -g -fsanitize=address,undefined";
        done(Command::new("make").args(["test", flags]).current_dir(folder));
    });
}

#[test]
fn in_go() {
    check("go", &[], |folder| {
        let mut gofmt = Command::new("gofmt");
        let output = gofmt.arg("-l").arg(".").current_dir(folder).output().expect("gofmt starts");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "");
        done(Command::new("go").args(["vet", "./..."]).current_dir(folder));
    });
}

#[test]
fn in_zig() {
    check("zig", &[], |folder| {
        done(zig_command().args(["fmt", "--check", "."]).current_dir(folder));
    });
}

/// What is refused.
#[track_caller]
fn refused(arguments: &[&str], expect: &str) {
    let project = nowhere();
    project.write("taken/file", "");
    let ended = project.forge(&[&["plugins", "new"], arguments].concat()).expect(2);
    assert!(ended.stderr.contains(expect), "{}", ended.stderr);
    assert_eq!(std::fs::read_dir(project.root()).expect("a directory").count(), 2, "nothing was written");
}

#[test]
fn what_can_not_be() {
    refused(&["Acme", "--lang", "c"], "`Acme` can't be the name of a plugin");
    refused(&["../acme", "--lang", "c"], "`../acme` can't be the name of a plugin");
    refused(&["taken", "--lang", "c"], "/taken` is there already");
    refused(&["acme", "--lang", "cobol"], "[possible values: rust, c, go, zig]");
    refused(&["acme", "--lang", "c", "--sdk", "."], "leave `--sdk` out");
    refused(&["acme", "--lang", "rust", "--sdk", "."], "is not the crate `forge-plugin`");
}
