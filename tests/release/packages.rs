//! Packages, installed by the programs that they are for, looked at, updated and removed; and signatures, checked by those.
//! Does not know how packages are written. `FORGE_TEST_APK` names apk, of version 2.14: Debian has none.

mod nfpm;
mod signed;
mod systems;

use std::fs;

use expect_test::{Expect, expect};

use crate::support::project::Project;
use systems::{Root, System};

/// A project with something of each type.
pub(super) const PROJECT: &str = r##"
[project]
name = "hello"

[[build]]
tool = "prebuilt"
path = "hello.sh"
binary = "hello"
platforms = ["linux/amd64", "linux/arm64"]

[[package]]
formats = ["deb", "rpm", "apk", "archlinux"]
platforms = ["linux/amd64"]
maintainer = "Ada <ada@example.org>"
vendor = "Acme"
description = "Says hello\n\nAnd little else."
homepage = "https://example.org"
license = "MIT"
section = "utils"
contents = [
    { src = "hello.conf", dst = "/etc/hello/", type = "config|noreplace", mode = "0640", group = "adm", formats = ["deb", "rpm", "apk"] },
    { src = "hello.conf", dst = "/etc/hello/", type = "config|noreplace", mode = "0640", formats = ["archlinux"] },
    { src = "docs/**/*.md", dst = "/usr/share/doc/hello", type = "doc" },
    { src = "share", dst = "/opt/hello", type = "tree" },
    { src = "hello", dst = "/usr/bin/hi", type = "symlink" },
    { dst = "/var/lib/hello", type = "dir", mode = "0750" },
    { src = "share/run", dst = "/opt/a-name-of-thirty-characters-is-/a-name-of-thirty-characters-is-/a-name-of-thirty-characters-is-/run", mode = "4755", mtime = "2001-02-03T04:05:06Z" },
]

[package.scripts]
preinstall = "scripts/preinstall"
postinstall = "scripts/postinstall"
preremove = "scripts/preremove"
postremove = "scripts/postremove"
postupgrade = "scripts/postupgrade"
"##;

/// What each system has laid.
const FOUND: &str = "\
4755 0:0 981173106 opt/a-name-of-thirty-characters-is-/a-name-of-thirty-characters-is-/a-name-of-thirty-characters-is-/run
640 0:4 1714979289 etc/hello/hello.conf
644 0:0 1714979289 opt/hello/data/a file
644 0:0 1714979289 opt/hello/run
644 0:0 1714979289 usr/share/doc/hello/a.md
644 0:0 1714979289 usr/share/doc/hello/more/b.md
750 0:0 var/lib/hello
755 0:0 1714979289 usr/bin/hello
755 0:0 etc/hello
755 0:0 opt
755 0:0 opt/a-name-of-thirty-characters-is-
755 0:0 opt/a-name-of-thirty-characters-is-/a-name-of-thirty-characters-is-
755 0:0 opt/a-name-of-thirty-characters-is-/a-name-of-thirty-characters-is-/a-name-of-thirty-characters-is-
755 0:0 opt/hello
755 0:0 opt/hello/data
755 0:0 usr/share/doc
755 0:0 usr/share/doc/hello
755 0:0 usr/share/doc/hello/more
777 0:0 usr/bin/hi -> hello
";

/// The project, at a tag.
pub(super) fn project(table: &str) -> Project {
    let project = Project::of_text(table);
    project.write("hello.sh", "#!/bin/sh\necho hello\n");
    project.write("hello.conf", "a = 1\n");
    project.write("docs/a.md", "# a\n");
    project.write("docs/more/b.md", "# b\n");
    project.write("share/run", "#!/bin/sh\n");
    project.write("share/data/a file", "data\n");
    for script in ["preinstall", "postinstall", "preremove", "postremove", "postupgrade"] {
        let text = format!("#!/bin/sh\n# Says when it runs.\necho \"{script}\" >>/ran\n");
        project.write(&format!("scripts/{script}"), &text);
    }
    project.tagged("v1.2.3")
}

/// Installs a package, changes its configuration, updates it, and removes it. What every system must do alike is looked at here, and what it
/// says beside that is answered.
fn check(system: &System, expect: Expect) {
    let (root, project) = (Root::new(), project(PROJECT));
    project.forge(&["run", "package"]).expect(0);
    (system.install)(&root, &project.root().join("dist").join(system.file));
    assert_eq!(root.found(), FOUND.replace("0:4", system.group));
    let mut told = format!("installed: {}\n", root.ran());

    root.write("etc/hello/hello.conf", "a = mine\n");
    project.write("hello.conf", "a = 2\n");
    project.retag("v1.2.4-rc.1");
    project.forge(&["run", "package"]).expect(0);
    (system.install)(&root, &project.root().join("dist").join(system.update));
    assert_eq!(root.read("etc/hello/hello.conf"), "a = mine\n", "what the user has changed is kept");
    let beside = fs::read_dir(root.path().join("etc/hello")).expect("a directory");
    let mut beside: Vec<String> =
        beside.map(|it| it.expect("an entry").file_name().into_string().expect("UTF-8")).collect();
    beside.sort();
    told += &format!("updated: {}; {}\n", root.ran(), beside.join(" "));

    (system.remove)(&root);
    assert!(!root.path().join("usr/bin/hello").exists() && !root.path().join("opt/hello").exists());
    told += &format!("removed: {}\n", root.ran());
    expect.assert_eq(&told);
}

#[test]
fn installed_by_dpkg() {
    check(
        &systems::DPKG,
        expect![[r#"
        installed: preinstall postinstall
        updated: preremove preinstall postremove postinstall; hello.conf hello.conf.dpkg-dist
        removed: preremove postremove postremove
    "#]],
    );
}

#[test]
fn installed_by_rpm() {
    check(
        &systems::RPM,
        expect![[r#"
        installed: preinstall postinstall
        updated: preinstall postinstall preremove postremove; hello.conf hello.conf.rpmnew
        removed: preremove postremove
    "#]],
    );
}

#[test]
fn installed_by_pacman() {
    check(
        &systems::PACMAN,
        expect![[r#"
        installed: preinstall postinstall
        updated: postupgrade; hello.conf hello.conf.pacnew
        removed: preremove postremove
    "#]],
    );
}

#[test]
fn installed_by_apk() {
    if systems::apk().is_none() {
        println!("skipped: FORGE_TEST_APK names no apk");
        return;
    }
    check(
        &systems::APK,
        expect![[r#"
        installed: preinstall postinstall
        updated: postupgrade; hello.conf hello.conf.apk-new
        removed: preremove postremove
    "#]],
    );
}
