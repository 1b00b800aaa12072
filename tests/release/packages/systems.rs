//! Systems that packages are installed in: a root with nothing but a shell, and the four programs that install there.
//! Does not know what is installed.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::support::program::output;

/// A root directory.
pub struct Root {
    place: TempDir,
    /// What was there from the beginning.
    before: BTreeSet<String>,
}

/// Who installs.
pub struct System {
    /// The package.
    pub file: &'static str,
    /// A later one of the same.
    pub update: &'static str,
    /// Whose the configuration is: the numbers of user and group.
    pub group: &'static str,
    pub install: fn(&Root, &Path),
    pub remove: fn(&Root),
}

pub const DPKG: System = System {
    file: "hello_1.2.3_amd64.deb",
    update: "hello_1.2.4~rc.1_amd64.deb",
    group: "0:4",
    install: |root, package| drop(output(root.dpkg().arg("--install").arg(package))),
    remove: |root| drop(output(root.dpkg().args(["--purge", "hello"]))),
};

pub const RPM: System = System {
    file: "hello-1.2.3-1.x86_64.rpm",
    update: "hello-1.2.4~rc.1-1.x86_64.rpm",
    group: "0:4",
    install: |root, package| drop(output(root.rpm().args(["--nodeps", "--upgrade"]).arg(package))),
    remove: |root| {
        // What was installed is what was written down, but for what the user has changed.
        let changed = root.rpm().args(["--verify", "--nodeps", "hello"]).output().expect("rpm starts");
        let changed = String::from_utf8_lossy(&changed.stdout).into_owned();
        let names: Vec<&str> = changed.lines().filter_map(|it| it.split_whitespace().last()).collect();
        assert_eq!(names, ["/etc/hello/hello.conf"], "{changed}");
        output(root.rpm().args(["--erase", "hello"]));
    },
};

pub const PACMAN: System = System {
    file: "hello-1.2.3-1-x86_64.pkg.tar.zst",
    update: "hello-1.2.4rc.1-1-x86_64.pkg.tar.zst",
    group: "0:0",
    install: |root, package| drop(output(root.pacman().arg("--upgrade").arg(package))),
    remove: |root| {
        let checked = root.pacman().args(["--query", "--check", "--check", "hello"]).output().expect("pacman starts");
        let told = String::from_utf8_lossy(&checked.stdout).into_owned();
        assert!(told.contains("total files, 0 altered files"), "{told}");
        output(root.pacman().args(["--remove", "hello"]));
    },
};

pub const APK: System = System {
    file: "hello_1.2.3_x86_64.apk",
    update: "hello_1.2.4_rc1_x86_64.apk",
    group: "0:4",
    install: |root, package| drop(output(root.apk().args(["add", "--allow-untrusted"]).arg(package))),
    remove: |root| drop(output(root.apk().args(["del", "hello"]))),
};

/// The program, where there is one.
pub fn apk() -> Option<OsString> {
    std::env::var_os("FORGE_TEST_APK")
}

/// What the programs keep for themselves.
const THEIRS: [&str; 9] =
    ["var/lib/dpkg", "var/lib/rpm", "var/lib/pacman", "var/log", "var/cache", "tmp", "var/tmp", "lib/apk", "ran"];

impl Root {
    /// With a shell, and what it needs.
    pub fn new() -> Root {
        let place = tempfile::Builder::new().prefix("forge-test-root-").tempdir().expect("a temporary directory");
        let mut root = Root { place, before: BTreeSet::new() };
        for shell in ["bin/sh", "usr/bin/bash"] {
            root.copy("/bin/bash", shell);
        }
        let libraries = output(Command::new("ldd").arg("/bin/bash"));
        for library in libraries.split_whitespace().filter(|it| it.starts_with('/')) {
            root.copy(library, &library[1..]);
        }
        root.write("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n");
        root.write("etc/group", "root:x:0:\nadm:x:4:\n");
        for directory in ["var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/pacman", "usr/share", "tmp", "dev"] {
            fs::create_dir_all(root.path().join(directory)).expect("a directory can be made");
        }
        root.write("var/lib/dpkg/status", "");
        if let Some(apk) = apk() {
            output(Command::new(apk).arg("--root").arg(root.path()).args([
                "--initdb",
                "--no-network",
                "--arch",
                "x86_64",
                "add",
            ]));
        }
        root.before = root.paths().into_iter().map(|(path, _)| path).collect();
        root
    }

    pub fn path(&self) -> &Path {
        self.place.path()
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().expect("a directory")).expect("a directory can be made");
        fs::write(path, text).expect("a file can be written");
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path().join(path)).expect("a file")
    }

    /// Which scripts have run since the last time.
    pub fn ran(&self) -> String {
        let path = self.path().join("ran");
        let ran = fs::read_to_string(&path).unwrap_or_default();
        let _ = fs::remove_file(path);
        ran.lines().collect::<Vec<_>>().join(" ")
    }

    /// What was not there before, sorted: permissions, numbers of owner and group, the time of files, and where links lead.
    pub fn found(&self) -> String {
        let is_new = |path: &str| !self.before.contains(path) && !THEIRS.iter().any(|it| path.starts_with(it));
        let mut lines: Vec<String> =
            self.paths().into_iter().filter(|(path, _)| is_new(path)).map(|(_, line)| line).collect();
        lines.sort();
        lines.concat()
    }

    /// Every path, with its line.
    fn paths(&self) -> Vec<(String, String)> {
        let format = r"%P\t%y\t%m %U:%G\t%Ts\t%l\n";
        let found = output(Command::new("find").arg(self.path()).args(["-mindepth", "1", "-printf", format]));
        let one = |line: &str| {
            let parts: Vec<&str> = line.split('\t').chain([""]).take(5).collect();
            let [path, kind, rights, time, to] = parts[..] else { panic!("{line}") };
            let shown = match kind {
                "f" => format!("{rights} {time} {path}\n"),
                "l" => format!("{rights} {path} -> {to}\n"),
                _ => format!("{rights} {path}\n"),
            };
            (path.to_owned(), shown)
        };
        found.lines().map(one).collect()
    }

    fn copy(&self, from: &str, to: &str) {
        let to = self.path().join(to);
        fs::create_dir_all(to.parent().expect("a directory")).expect("a directory can be made");
        fs::copy(from, to).expect("a file can be copied");
    }

    fn dpkg(&self) -> Command {
        let mut dpkg = Command::new("dpkg");
        dpkg.arg(format!("--root={}", self.path().display())).args(["--force-confold", "--log=/dev/null"]);
        dpkg
    }

    pub fn rpm(&self) -> Command {
        let mut rpm = Command::new("rpm");
        rpm.arg("--root").arg(self.path()).args(["--define", "_dbpath /var/lib/rpm"]);
        rpm
    }

    fn pacman(&self) -> Command {
        let config: PathBuf = self.path().join("tmp/pacman.conf");
        fs::write(&config, "[options]\nArchitecture = x86_64\nSigLevel = Never\n").expect("a file can be written");
        let mut pacman = Command::new("pacman");
        pacman.arg("--config").arg(config).arg("--root").arg(self.path()).arg("--noconfirm");
        pacman.env("LC_ALL", "C");
        pacman
    }

    pub fn apk(&self) -> Command {
        let mut apk = Command::new(apk().expect("FORGE_TEST_APK is set"));
        apk.arg("--root").arg(self.path()).args(["--no-network", "--arch", "x86_64"]);
        apk
    }
}
