//! `apk add`, from a repository that the test makes: what is laid, what is refused, and when it is done again.
//! `FORGE_TEST_APK` names apk, of version 2.14.4 or a later 2.14; where it is there, and a static busybox, the same lines are run by it as well, and the
//! trees compared.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::alpine::{Base, KEY, Made, Packed, Repository, What, layout, sum};
use crate::support::program::output;
use crate::support::project::Project;
use expect_test::{Expect, expect};
use serde_json::Value;

const PROJECT: &str = "[project]\nname = 'x'\n[[docker]]\nid = 'image'\nids = []\nimages = ['x/y']\ndockerfile = 'Dockerfile'\n\
    platforms = ['linux/amd64', 'linux/arm64']\n";
const TRIGGER: &str = "#!/bin/sh\n\ndo_bb_install=\n\nfor i in \"$@\"; do\n\tcase \"$i\" in\n\t\t/lib/modules/*)\t/bin/busybox depmod ${i#/lib/modules/};;\n\
    \t\t*) do_bb_install=yes;;\n\tesac\ndone\n\nif [ -n \"$do_bb_install\" ]; then\n\t/bin/busybox --install -s\nfi\n\n";
const ARCHES: [(&str, &str); 2] = [("amd64", "x86_64"), ("arm64", "aarch64")];
const DIR: What = What::Dir;

fn made(info: &[&'static str], files: &[Packed]) -> Made {
    Made { info: info.to_vec(), scripts: Vec::new(), files: files.to_vec() }
}

/// What the repository has.
fn packages() -> Vec<(&'static str, &'static str, Made)> {
    let lib = made(
        &["origin = hello", "provides = so:libhello.so.1=1.2"],
        &[
            ("usr", 0o755, 0, DIR),
            ("usr/lib", 0o755, 0, DIR),
            ("usr/lib/libhello.so.1", 0o755, 0, What::Link("libhello.so.1.2")),
            ("usr/lib/libhello.so.1.2", 0o755, 0, What::File("library")),
        ],
    );
    let hello = made(
        &["origin = hello", "builddate = 1700000000", "depend = so:libhello.so.1", "depend = so:libc.so>1"],
        &[
            ("etc", 0o755, 0, DIR),
            ("etc/hello.conf", 0o600, 7, What::File("a = 1\n")),
            ("usr", 0o755, 0, DIR),
            ("usr/bin", 0o755, 0, DIR),
            ("usr/bin/hello", 0o4755, 0, What::File("program")),
            ("var", 0o755, 0, DIR),
            ("var/hello", 0o1770, 7, DIR),
            ("var/hello/.keep_dir", 0o644, 0, What::File("")),
        ],
    );
    let extra = made(
        &["install_if = hello docs"],
        &[("usr", 0o755, 0, DIR), ("usr/share", 0o755, 0, DIR), ("usr/share/hello.txt", 0o644, 0, What::File("text"))],
    );
    let docs = made(
        &[],
        &[("usr", 0o755, 0, DIR), ("usr/share", 0o755, 0, DIR), ("usr/share/docs", 0o644, 0, What::File("docs"))],
    );
    let loud = Made { scripts: vec![(".post-install", "#!/bin/sh\nadduser -S loud\n")], ..docs.clone() };
    let quiet = Made {
        scripts: vec![(".post-install", "#!/bin/sh\n# nothing\nexit 0\n"), (".pre-deinstall", "#!/bin/sh\nexit 0\n")],
        files: vec![("srv", 0o755, 0, DIR), ("srv/quiet", 0o644, 0, What::File("quiet"))],
        info: vec!["builddate = 1700000001", "replaces = docs"],
    };
    let over = made(
        &[],
        &[("usr", 0o755, 0, DIR), ("usr/bin", 0o755, 0, DIR), ("usr/bin/hello", 0o755, 0, What::File("other"))],
    );
    vec![
        ("libhello", "1.2-r0", lib.clone()),
        ("libhello", "1.1-r7", lib),
        ("hello", "2.0-r1", hello.clone()),
        ("hello", "1.9-r0", hello),
        ("hello-extra", "2.0-r1", extra),
        ("docs", "1-r0", docs.clone()),
        ("lost", "1-r0", made(&["depend = so:libnone.so.3"], &[])),
        ("loud", "1-r0", loud),
        ("quiet", "1-r0", quiet),
        ("over", "1-r0", over),
        ("one", "1-r0", made(&["provides = editor"], &[])),
        ("other", "1-r0", made(&["provides = editor"], &[])),
    ]
}

fn repository() -> Repository {
    let mut repository = Repository::start();
    for (_, arch) in ARCHES {
        packages().iter().for_each(|(name, version, made)| drop(repository.add(arch, name, version, made)));
    }
    repository.publish();
    repository
}

/// Where busybox makes links, and busybox.
fn busybox() -> (Vec<String>, Vec<u8>) {
    match std::env::var_os("FORGE_TEST_APK").and_then(|_| fs::read("/bin/busybox").ok()) {
        Some(busybox) => {
            let list = output(Command::new("/bin/busybox").arg("--list-full"));
            (list.lines().map(str::to_owned).collect(), busybox)
        }
        None => (
            ["bin/[", "bin/[[", "bin/ls", "bin/rm", "bin/sh", "bin/touch"].map(str::to_owned).to_vec(),
            b"\x7fELF [\0[[\0ls\0rm\0sh\0touch\0\0".to_vec(),
        ),
    }
}

/// A base like Alpine's: with busybox, apk, and their database.
fn base(repository: &Repository, arch: &str) -> Vec<u8> {
    let (names, busybox) = busybox();
    let mut base = Base::new();
    for dir in [
        "bin",
        "dev",
        "etc",
        "etc/apk",
        "etc/apk/keys",
        "lib",
        "lib/apk",
        "lib/apk/db",
        "proc",
        "sbin",
        "sys",
        "usr",
        "usr/bin",
        "usr/lib",
        "usr/sbin",
        "var",
        "var/cache",
        "var/cache/apk",
    ] {
        base.dir(dir, 0o755);
    }
    base.dir("usr/share", 0o711);
    base.file("bin/busybox", 0o755, &busybox);
    names.iter().filter(|it| *it != "bin/busybox").for_each(|name| base.link(name, "/bin/busybox"));
    let record = |name: &str, version: &str, more: &str, files: &str| {
        format!(
            "C:{}\nP:{name}\nV:{version}\nA:{arch}\nS:1\nI:1\nT:{name}\nU:\nL:MIT\n{more}{files}\n",
            sum(name.as_bytes())
        )
    };
    let z = sum(b"apk");
    let installed = [
        record("apk-tools", "2.14.9-r0", "D:musl\n", &format!("F:sbin\nR:apk\na:0:0:755\nZ:{z}\n")),
        record(
            "busybox",
            "1.37.0-r12",
            "t:1700000000\nD:musl\n",
            "F:bin\nF:usr\nF:usr/bin\nF:usr/share\nM:0:0:711\nF:usr/lib\n",
        ),
        record("musl", "1.2.5-r9", "p:so:libc.so=1.5\n", "F:lib\n"),
    ];
    let checksum = sum(b"busybox");
    let mut scripts = Base::new();
    scripts.file(&format!("busybox-1.37.0-r12.{checksum}.trigger"), 0o755, TRIGGER.as_bytes());
    for (path, text) in [
        ("sbin/apk", "apk"),
        ("etc/passwd", "root:x:0:0::/root:/bin/sh\n"),
        ("etc/group", "root:x:0:\n"),
        ("etc/apk/arch", &format!("{arch}\n")),
        ("etc/apk/world", "apk-tools\nbusybox\n"),
        ("etc/apk/repositories", &format!("# main\n{}\n", repository.url())),
        (&format!("etc/apk/keys/{KEY}"), &repository.key()),
        ("lib/apk/db/installed", &installed.concat()),
        ("lib/apk/db/triggers", &format!("{checksum} /bin /usr/bin\n")),
        ("lib/apk/db/lock", ""),
    ] {
        base.file(path, if path.starts_with("sbin") { 0o755 } else { 0o644 }, text.as_bytes());
    }
    base.file("lib/apk/db/scripts.tar", 0o644, &scripts.tar());
    base.tar()
}

/// A project whose image stands on that base.
fn project(repository: &Repository, lines: &str) -> Project {
    let project = Project::of_text(PROJECT);
    project.write("Dockerfile", &format!("FROM oci:base\n{lines}\n"));
    project.write(".gitignore", "base\n");
    let images: Vec<(&str, Vec<u8>)> = ARCHES.iter().map(|(name, arch)| (*name, base(repository, arch))).collect();
    layout(&project.root().join("base"), &images);
    project.tagged("v1.0.0")
}

/// The layers of an image that forge has made, without those of the base.
fn layers(project: &Project, platform: &str) -> Vec<std::path::PathBuf> {
    let artifacts = project.json("dist/artifacts.json");
    let is_it = |it: &&Value| it["kind"] == "image" && it["platform"] == platform;
    let image = artifacts["artifacts"].as_array().expect("artifacts").iter().find(is_it).expect("an image");
    let blob = |digest: &Value| {
        let digest = digest.as_str().expect("a digest").replace(':', "/");
        project.root().join(".forge/store/blobs").join(digest)
    };
    let manifest: Value = serde_json::from_slice(&fs::read(blob(&image["digest"])).expect("a manifest")).expect("JSON");
    manifest["layers"].as_array().expect("layers").iter().skip(1).map(|it| blob(&it["digest"])).collect()
}

/// What a layer holds: permissions, owner and path, and what a link leads to.
fn listed(layer: &Path) -> String {
    let list = output(Command::new("tar").args(["--list", "--verbose", "--numeric-owner", "--file"]).arg(layer));
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let lines = list.lines().map(words).map(|it| format!("{} {} {}\n", it[0], it[1], it[5..].join(" ")));
    lines.collect()
}

/// A file of a layer.
fn text(layer: &Path, path: &str) -> String {
    output(Command::new("tar").args(["--extract", "--to-stdout", "--file"]).arg(layer).arg(path))
}

#[test]
fn packages_are_laid_for_two_platforms() {
    let repository = repository();
    let project = project(&repository, "RUN apk add --no-cache hello docs");
    project.forge(&["run", "docker"]).expect(0);
    for (platform, arch) in [("linux/amd64", "x86_64"), ("linux/arm64", "aarch64")] {
        let layers = layers(&project, platform);
        let [layer] = layers.as_slice() else { panic!("one layer") };
        expect![[r#"
            drwxr-xr-x 0/0 etc/
            drwxr-xr-x 0/0 etc/apk/
            -rw-r--r-- 0/0 etc/apk/world
            -rw------- 7/7 etc/hello.conf
            drwxr-xr-x 0/0 lib/
            drwxr-xr-x 0/0 lib/apk/
            drwxr-xr-x 0/0 lib/apk/db/
            -rw-r--r-- 0/0 lib/apk/db/installed
            -rw-r--r-- 0/0 lib/apk/db/scripts.tar
            -rw-r--r-- 0/0 lib/apk/db/triggers
            drwx------ 0/0 lib/apk/exec/
            drwxr-xr-x 0/0 usr/
            drwxr-xr-x 0/0 usr/bin/
            -rwsr-xr-x 0/0 usr/bin/hello
            drwxr-xr-x 0/0 usr/lib/
            lrwxrwxrwx 0/0 usr/lib/libhello.so.1 -> libhello.so.1.2
            -rwxr-xr-x 0/0 usr/lib/libhello.so.1.2
            drwx--x--x 0/0 usr/share/
            -rw-r--r-- 0/0 usr/share/docs
            -rw-r--r-- 0/0 usr/share/hello.txt
            drwxr-xr-x 0/0 var/
            drwxrwx--T 7/7 var/hello/
        "#]]
        .assert_eq(&listed(layer));
        assert_eq!(text(layer, "etc/apk/world"), "apk-tools\nbusybox\ndocs\nhello");
        assert!(text(layer, "lib/apk/db/installed").contains(&format!("P:hello-extra\nV:2.0-r1\nA:{arch}\n")));
        assert_eq!(text(layer, "usr/bin/hello"), "program");
    }
}

#[test]
fn a_new_version_makes_it_again_and_nothing_else_does() {
    let mut repository = repository();
    let project = project(&repository, "RUN apk add hello");
    project.forge(&["run", "docker"]).expect(0);
    let first = project.digests();
    let asked = repository.requests();
    assert_eq!(asked.iter().filter(|it| it.ends_with(".apk")).count(), 4, "{asked:?}");
    project.forge(&["run", "docker"]).expect(0);
    let asked = repository.requests();
    assert!(asked.len() == 2 && asked.iter().all(|it| it.ends_with("APKINDEX.tar.gz")), "{asked:?}");
    assert_eq!(project.digests(), first);
    let made = packages().remove(2).2;
    drop(repository.add("x86_64", "hello", "2.1-r0", &made));
    repository.publish();
    project.forge(&["run", "docker"]).expect(0);
    let layers = layers(&project, "linux/amd64");
    assert!(text(&layers[0], "lib/apk/db/installed").contains("P:hello\nV:2.1-r0\n"));
    assert_ne!(project.digests(), first);
}

/// What a run says that fails, from its second line on: without times and places.
fn failure(repository: &Repository, lines: &str) -> String {
    let project = project(repository, lines);
    let ended = project.forge(&["run", "docker", "--platform", "linux/amd64"]).expect(1);
    let shown = ended.stderr.replace(&repository.url(), "URL");
    let lines = shown.lines().skip_while(|line| !line.contains("failed ")).skip(1);
    let lines = lines.take_while(|line| line.starts_with("    ") && !line.contains("the whole log"));
    lines.map(|line| format!("{}\n", line.trim())).collect()
}

fn check(harm: impl FnOnce(&mut Repository), line: &str, expect: Expect) {
    let mut repository = repository();
    harm(&mut repository);
    expect.assert_eq(&failure(&repository, &format!("RUN {line}")));
}

fn change(path: &Path, at: fn(usize) -> usize) {
    let mut bytes = fs::read(path).expect("a file");
    let at = at(bytes.len());
    bytes[at] ^= 1;
    fs::write(path, bytes).expect("a file");
}

#[test]
fn what_can_not_be_trusted() {
    // The data end with a checksum and a length of gzip's own; a package begins with its signature, which nobody asks for.
    check(
        |it| change(&it.package("x86_64", "docs-1-r0.apk"), |size| size - 1),
        "apk add docs",
        expect![[r#"
        the package `URL/x86_64/docs-1-r0.apk` can't be used
        because: its files are others than it says: the hash of its data is wrong
    "#]],
    );
    check(
        |it| change(&it.package("x86_64", "docs-1-r0.apk"), |size| size / 2),
        "apk add docs",
        expect![[r#"
        the package `URL/x86_64/docs-1-r0.apk` can't be used
        because: it is damaged: corrupt deflate stream
    "#]],
    );
    check(
        |it| change(&it.package("x86_64", "APKINDEX.tar.gz"), |size| size - 1),
        "apk add docs",
        expect![[r#"
        the index `URL/x86_64/APKINDEX.tar.gz` can't be trusted
        because: its signature by `acme@example.org-4a6a0840.rsa.pub` is wrong
    "#]],
    );
    check(
        |it| drop(fs::remove_file(it.package("x86_64", "docs-1-r0.apk"))),
        "apk add docs",
        expect![[r#"
        the repository does not give a package that its index has: `URL/x86_64/docs-1-r0.apk`: status 404
        help: the index may just be replaced: run it again; or the version of the base is too old to be kept there
    "#]],
    );
    check(
        |it| drop(fs::remove_file(it.package("x86_64", "APKINDEX.tar.gz"))),
        "apk add docs",
        expect![[r#"
        the repository does not give its index: `URL/x86_64/APKINDEX.tar.gz`: status 404
        help: the index may just be replaced: run it again; or the version of the base is too old to be kept there
    "#]],
    );
    check(
        |it| it.sign_as("other.rsa.pub"),
        "apk add docs",
        expect![[r#"
        the index `URL/x86_64/APKINDEX.tar.gz` can't be trusted
        because: it is signed by `other.rsa.pub`, and `/etc/apk/keys` has no such key
    "#]],
    );
    check(
        Repository::change_key,
        "apk add docs",
        expect![[r#"
        the index `URL/x86_64/APKINDEX.tar.gz` can't be trusted
        because: its signature by `acme@example.org-4a6a0840.rsa.pub` is wrong
    "#]],
    );
}

#[test]
fn what_is_not_chosen() {
    let same = |_: &mut Repository| {};
    check(
        same,
        "apk add nothing",
        expect![[r#"
            `apk add nothing` fails: nothing in the repositories is `nothing`, which is asked for
        "#]],
    );
    check(
        same,
        "apk add lost",
        expect![[r#"
            `apk add lost` can't be done without running it: nothing in the repositories is `so:libnone.so.3`, which `lost` needs
            help: write it so that this does not matter, or copy files that lie in the project
        "#]],
    );
    check(
        same,
        "apk add hello=3",
        expect![[r#"
            `apk add hello=3` fails: nothing in the repositories is `hello=3`, which is asked for
        "#]],
    );
    check(
        same,
        "apk add hello !libhello",
        expect![[r#"
        `apk add hello !libhello` can't be done without running it: nothing that is `so:libhello.so.1`, which `hello` needs, fits the rest
        help: write it so that this does not matter, or copy files that lie in the project
    "#]],
    );
    check(
        same,
        "apk add editor",
        expect![[r#"
        `apk add editor` can't be done without running it: `editor`, which is asked for, is no package, but what others are
        help: write it so that this does not matter, or copy files that lie in the project
    "#]],
    );
}

#[test]
fn what_is_not_laid() {
    let same = |_: &mut Repository| {};
    check(
        same,
        "apk add loud",
        expect![[r#"
        `apk add loud` can't be done without running it: the script `post-install` of `loud` is not known here
        help: write it so that this does not matter, or copy files that lie in the project
    "#]],
    );
    check(
        same,
        "apk add hello over",
        expect![[r#"
        `apk add hello over` fails: `over-1-r0` would overwrite `/usr/bin/hello`, which `hello-2.0-r1` has
    "#]],
    );
    check(
        same,
        "apk add docs && apk del musl",
        expect![[r#"
        `apk del musl` can't be done without running it: `musl` is needed by others
        help: write it so that this does not matter, or copy files that lie in the project
    "#]],
    );
    check(
        same,
        "apk del docs",
        expect![[r#"
        `apk del docs` can't be done without running it: `docs` is not there; what apk does then depends on what it knows
        help: write it so that this does not matter, or copy files that lie in the project
    "#]],
    );
    check(
        same,
        "touch /etc/hello.conf && apk add hello",
        expect![[r#"
        `apk add hello` can't be done without running it: `/etc/hello.conf` is there already, and not as a package left it
        help: write it so that this does not matter, or copy files that lie in the project
    "#]],
    );
    check(
        same,
        "rm /bin/ls && apk add hello",
        expect![[r#"
        `apk add hello` can't be done without running it: the trigger of `busybox` would make a link for `ls`, which is missing
        help: write it so that this does not matter, or copy files that lie in the project
    "#]],
    );
    check(
        same,
        "rm /etc/apk/repositories && touch /etc/apk/repositories && apk add docs",
        expect![[r#"
        `apk add docs` can't be done without running it: `/etc/apk/repositories` is another here than in the base, which alone is asked
        help: write it so that this does not matter, or copy files that lie in the project
    "#]],
    );
}

/// What is run by forge and by apk, on the same base.
const CASES: &[&[&str]] = &[
    &["apk add --no-cache hello"],
    &["apk add --no-cache hello docs quiet"],
    &["apk add --no-cache docs", "apk add --no-cache hello>1.9"],
    &["apk add hello=1.9-r0 libhello~1.2"],
    &["apk add -U docs", "apk add hello"],
    &["apk update", "apk add quiet", "apk del quiet"],
    &["apk add --no-cache hello docs", "apk del hello"],
    &["apk add --no-cache -t .deps=1 hello docs", "apk del .deps"],
    &["apk add --no-cache -t .deps=1 docs", "apk add --no-cache hello"],
    &["apk add --no-cache busybox"],
];

#[test]
fn apk_makes_the_same() {
    let Some(apk) = std::env::var_os("FORGE_TEST_APK") else {
        println!("skipped: FORGE_TEST_APK names no apk");
        return;
    };
    let repository = repository();
    for case in CASES {
        let lines: Vec<String> = case.iter().map(|line| format!("RUN {}", line.replace('>', "\\>"))).collect();
        let project = project(&repository, &lines.join("\n"));
        project.forge(&["run", "docker"]).expect(0);
        let (ours, theirs) = (project.place().join("ours"), project.place().join("theirs"));
        let layer = project.place().join("base.tar");
        fs::write(&layer, base(&repository, "x86_64")).expect("a layer");
        unpack(&layer, &ours);
        unpack(&layer, &theirs);
        layers(&project, "linux/amd64").iter().for_each(|it| unpack(it, &ours));
        for line in *case {
            let words = line.split(' ').skip(1);
            output(Command::new(&apk).arg("--root").arg(&theirs).args(words));
        }
        let (ours, theirs) = (tree(&ours), tree(&theirs));
        let more =
            |one: &BTreeSet<String>, other: &BTreeSet<String>| one.difference(other).cloned().collect::<Vec<_>>();
        assert_eq!(more(&ours, &theirs), more(&theirs, &ours), "of {case:?}");
    }
}

/// Lays a layer over what is there, as runtimes do.
fn unpack(layer: &Path, root: &Path) {
    fs::create_dir_all(root).expect("a directory");
    let tar = ["--extract", "--preserve-permissions", "--numeric-owner", "--no-overwrite-dir", "--file"];
    output(Command::new("tar").current_dir(root).args(tar).arg(layer));
    // Which directories had what permissions, a second time: the layer decides.
    output(
        Command::new("tar")
            .current_dir(root)
            .args(["--extract", "--preserve-permissions", "--numeric-owner", "--file"])
            .arg(layer),
    );
    let whiteouts = output(Command::new("find").arg(root).args(["-name", ".wh.*"]));
    for whiteout in whiteouts.lines() {
        let gone = whiteout.replace(".wh.", "");
        output(Command::new("rm").args(["-rf", whiteout, &gone]));
    }
}

/// Everything: kind, permissions, owner, and what a file holds. The number of apk's process is in the checksum of a group.
fn tree(root: &Path) -> BTreeSet<String> {
    let script = "find . -printf '%y %m %U:%G %P -> %l\\n' | LC_ALL=C sort -k4; find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum";
    let list = output(Command::new("sh").current_dir(root).args(["-c", script]));
    let is_group = |it: &str| it.starts_with("C:Q1");
    let installed = fs::read_to_string(root.join("lib/apk/db/installed")).expect("a database");
    let records = installed.split("\n\n").map(|record| match record.contains("T:virtual meta package") {
        true => record.lines().filter(|it| !is_group(it)).map(|it| format!("{it}\n")).collect(),
        false => format!("{record}\n\n"),
    });
    let has_group = installed.contains("T:virtual meta package");
    let list = list.lines().filter(|it| !(has_group && it.ends_with("lib/apk/db/installed")));
    list.map(|it| format!("{it}\n")).chain(records).collect()
}
