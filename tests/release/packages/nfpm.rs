//! The same packages by nfpm: what they say of themselves and what is in them, beside what forge makes.
//! Does not know how packages are written: the programs that they are for tell what they find.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use expect_test::{Expect, expect};

use crate::support::program::output;
use crate::support::project::Project;

/// What `PROJECT` says, in the words of nfpm.
const CONFIG: &str = r#"
name: hello
arch: amd64
platform: linux
version: v1.2.3
mtime: 2024-05-06T07:08:09Z
maintainer: Ada <ada@example.org>
vendor: Acme
description: |
  Says hello

  And little else.
homepage: https://example.org
license: MIT
section: utils
depends: [DEPENDS]
recommends: [less]
suggests: [git]
conflicts: [hallo]
replaces: [hallo]
provides: [greeter]
rpm: { group: utils, packager: "Ada <ada@example.org>" }
archlinux: { packager: "Ada <ada@example.org>", scripts: { postupgrade: scripts/postupgrade } }
apk: { scripts: { postupgrade: scripts/postupgrade } }
contents:
  - { src: hello.sh, dst: /usr/bin/hello, file_info: { mode: 0755 } }
  - { src: hello.conf, dst: /etc/hello/hello.conf, type: config|noreplace, file_info: { mode: 0640, group: adm } }
  - { src: share, dst: /opt/hello, type: tree }
  - { src: hello, dst: /usr/bin/hi, type: symlink }
  - { dst: /var/lib/hello, type: dir, file_info: { mode: 0750 } }
  - { src: docs/a.md, dst: /usr/share/doc/hello/a.md }
  - { src: docs/more/b.md, dst: /usr/share/doc/hello/more/b.md }
scripts:
  preinstall: scripts/preinstall
  postinstall: scripts/postinstall
  preremove: scripts/preremove
  postremove: scripts/postremove
"#;

const RELATIONS: &str =
    "recommends = ['less']\nsuggests = ['git']\nconflicts = ['hallo']\nreplaces = ['hallo']\nprovides = ['greeter']\n";

/// Lines that one of two packages has and the other has not: `-` of nfpm's, `+` of forge's.
fn check(format: &str, depends: &str, show: fn(&Path) -> String, expect: Expect) {
    // What lies at a path of more than a hundred bytes, and what rpm alone knows as documentation, is left out.
    let lines = super::PROJECT.lines().filter(|it| !it.contains("a-name-of-thirty"));
    let table: String = lines.map(|it| it.replace(", type = \"doc\"", "") + "\n").collect();
    let relations = format!("dependencies = ['zlib >= 1.2']\n{RELATIONS}section =");
    let project = super::project(&table.replace("section =", &relations));
    project.forge(&["run", "package"]).expect(0);
    project.write("nfpm.yaml", &CONFIG.replace("DEPENDS", depends));
    let theirs = project.place().join("nfpm");
    fs::create_dir(&theirs).expect("a directory");
    let mut nfpm = Command::new("nfpm");
    nfpm.args(["package", "--config", "nfpm.yaml", "--packager", format, "--target"]).arg(&theirs);
    output(nfpm.current_dir(project.root()));
    let (theirs, ours) = (only(&theirs), ours(&project, &only(&theirs)));
    let lines = |path: &Path| show(path).lines().map(str::to_owned).collect::<BTreeSet<String>>();
    let (theirs, ours) = (lines(&theirs), lines(&ours));
    let differing = theirs.symmetric_difference(&ours);
    let differing = differing.map(|line| format!("{} {line}\n", if ours.contains(line) { '+' } else { '-' }));
    expect.assert_eq(&differing.collect::<String>());
}

/// The one file of a directory.
fn only(directory: &Path) -> PathBuf {
    let mut entries = fs::read_dir(directory).expect("a directory");
    entries.next().expect("a file").expect("a file").path()
}

/// forge's package has the name that nfpm has given to its own.
fn ours(project: &Project, theirs: &Path) -> PathBuf {
    project.root().join("dist").join(theirs.file_name().expect("a file has a name"))
}

/// What is in a tar: permissions, owner, size, path, for files that are not about the package. Who is not named is root.
fn listing(path: &Path) -> String {
    let listed = output(Command::new("tar").args(["--list", "--verbose", "--file"]).arg(path).env("TZ", "UTC"));
    let line = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (path, owner) = (words[5..].join(" "), words[1].replace("0/0", "root/root"));
        if path.starts_with('.') { String::new() } else { format!("{} {owner} {} {path}\n", words[0], words[2]) }
    };
    listed.replace("./", "").lines().map(line).collect()
}

/// The text of a file in a tar.
fn text(path: &Path, name: &str) -> String {
    output(Command::new("tar").args(["--extract", "--to-stdout", "--file"]).arg(path).arg(name))
}

/// nfpm counts whole KiB of all files together, and gives a directory to whom its file belongs. Its links have no permissions.
#[test]
fn a_deb() {
    let show = |path: &Path| {
        let (control, data) = (path.with_extension("control"), path.with_extension("tar"));
        output(Command::new("dpkg-deb").arg("--control").arg(path).arg(&control));
        let tar = Command::new("dpkg-deb").arg("--fsys-tarfile").arg(path).output().expect("dpkg-deb starts");
        fs::write(&data, tar.stdout).expect("a tar");
        let mut shown = listing(&data);
        for entry in fs::read_dir(&control).expect("a directory") {
            let path = entry.expect("a file").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            let text = fs::read_to_string(&path).expect("text");
            text.lines().for_each(|line| shown += &format!("{name}: {line}\n"));
        }
        shown
    };
    check(
        "deb",
        "'zlib (>= 1.2)'",
        show,
        expect![[r#"
        - control: Installed-Size: 0
        + control: Installed-Size: 21
        - drwxr-xr-x root/adm 0 etc/hello/
        + drwxr-xr-x root/root 0 etc/hello/
        - l--------- root/root 0 usr/bin/hi -> hello
        + lrwxrwxrwx root/root 0 usr/bin/hi -> hello
    "#]],
    );
}

/// nfpm names the machine that it ran on, and a source package that does not exist. It counts the sizes of directories, which depend
/// on the file system, and so are not compared. As rpmbuild does, forge's says that it has configuration, and recommends a group that it needs.
#[test]
fn an_rpm() {
    let show = |path: &Path| {
        let tags = "NAME VERSION RELEASE ARCH OS SUMMARY DESCRIPTION LICENSE VENDOR PACKAGER URL GROUP BUILDTIME BUILDHOST \
                    SOURCERPM PAYLOADFORMAT PAYLOADCOMPRESSOR PREIN POSTIN PREUN POSTUN PREINPROG POSTINPROG";
        let mut format: String = tags.split(' ').map(|tag| format!("{tag} %{{{tag}}}\\n")).collect();
        format += "[%{FILEMODES:perms} %{FILEUSERNAME}:%{FILEGROUPNAME} %{FILESIZES} %{FILEFLAGS:fflags} ";
        format += "%{FILENAMES} %{FILELINKTOS} %{FILEDIGESTS}\\n]";
        for of in ["REQUIRE", "PROVIDE", "CONFLICT", "OBSOLETE", "RECOMMEND", "SUGGEST"] {
            format += &format!("[{of} %{{{of}NAME}} %{{{of}FLAGS:depflags}} %{{{of}VERSION}}\\n]");
        }
        let shown = output(Command::new("rpm").args(["--query", "--package", "--queryformat", &format]).arg(path));
        let host = output(&mut Command::new("hostname"));
        let shown = shown.replace(&format!("BUILDHOST {host}"), "BUILDHOST of this machine");
        let size = |line: &str| match line.split_once(" root:root ") {
            Some((rights, rest)) if line.starts_with('d') => {
                format!("{rights} root:root {}\n", rest.trim_start_matches(char::is_numeric))
            }
            _ => format!("{line}\n"),
        };
        shown.lines().map(size).collect()
    };
    check(
        "rpm",
        "'zlib >= 1.2'",
        show,
        expect![[r#"
            + BUILDHOST (none)
            - BUILDHOST of this machine
            + PROVIDE config(hello) = 1.2.3-1
            + RECOMMEND group(adm)  
            + REQUIRE /bin/sh  
            + REQUIRE config(hello) = 1.2.3-1
            + SOURCERPM (none)
            - SOURCERPM hello-1.2.3-1.src.rpm
            - l--------- root:root 5  /usr/bin/hi hello 
            + lrwxrwxrwx root:root 5  /usr/bin/hi hello 
        "#]],
    );
}

/// A line is all that apk has for a description; conflicts are said to it as a dependency on an absence, which nfpm leaves out.
#[test]
fn an_apk() {
    let show = |path: &Path| {
        let info = text(path, ".PKGINFO");
        listing(path)
            + &info.replace(info.split("datahash = ").nth(1).expect("a hash"), "")
            + "\n"
            + &text(path, ".post-install")
    };
    check(
        "apk",
        "'zlib>=1.2'",
        show,
        expect![[r#"
        -   
        -   And little else.
        + builddate = 1714979289
        + depend = !hallo
        - drwxr-xr-x root/adm 0 etc/hello/
        + drwxr-xr-x root/root 0 etc/hello/
        - l--------- root/root 0 usr/bin/hi -> hello
        + lrwxrwxrwx root/root 0 usr/bin/hi -> hello
        + origin = hello
    "#]],
    );
}

/// nfpm gives a directory to the group of its file. A function with no command in it is a mistake of syntax, hence the `:`.
#[test]
fn an_archlinux_package() {
    let show = |path: &Path| listing(path) + &text(path, ".PKGINFO") + "\n" + &text(path, ".INSTALL");
    check(
        "archlinux",
        "'zlib>=1.2'",
        show,
        expect![[r#"
            - # Generated by nfpm
            + :
            - drwxr-xr-x root/adm 0 etc/hello/
            + drwxr-xr-x root/root 0 etc/hello/
            - function post_install() {
            - function post_remove() {
            - function post_upgrade() {
            - function pre_install() {
            - function pre_remove() {
            - l--------- root/root 0 usr/bin/hi -> hello
            + lrwxrwxrwx root/root 0 usr/bin/hi -> hello
            + pkgdesc = Says hello
            - pkgdesc = Says hello  And little else. 
            + post_install() {
            + post_remove() {
            + post_upgrade() {
            + pre_install() {
            + pre_remove() {
        "#]],
    );
}
