//! The same commit, built twice: nothing of the machine, the user or the hour is in what comes out.
//! Does not know what is in it.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::packages;
use crate::support::forge::{self, Ended};
use crate::support::program::{directory, output, run, started};
use crate::support::project::Project;

const SNAPSHOT: [&str; 2] = ["run", "docker_manifest"];

fn hello() -> Project {
    Project::example("hello").env("HELLO_REGISTRY", "registry.example.org").tagged("v1.2.3")
}

#[test]
fn by_another_user_elsewhere() {
    let ours = hello();
    ours.forge(&SNAPSHOT).expect(0);
    let theirs = hello();
    Stranger::moved_into(&theirs).forge(&SNAPSHOT).expect(0);
    let made = fs::metadata(theirs.root().join("dist")).expect("a directory");
    assert_eq!((made.uid(), made.mode() & 0o777), (65534, 0o700), "it is the stranger who has made it");
    assert!(ours.digests().len() >= 5, "{:#?}", ours.digests());
    assert_eq!(ours.digests(), theirs.digests());
}

/// Permissions of the sources differ as well: git keeps but one bit of them.
#[test]
fn packages_by_another_user_elsewhere() {
    let ours = packages::project(packages::PROJECT);
    ours.forge(&["run", "package"]).expect(0);
    let theirs = packages::project(packages::PROJECT);
    output(Command::new("chmod").args(["-R", "go="]).arg(theirs.root()));
    Stranger::moved_into(&theirs).forge(&["run", "package"]).expect(0);
    assert_eq!(ours.digests().len(), 5, "{:#?}", ours.digests());
    assert_eq!(ours.digests(), theirs.digests());
}

#[test]
fn by_pipes_that_are_linked_in_and_by_pipes_that_are_loaded() {
    let ours = hello();
    ours.forge(&SNAPSHOT).expect(0);
    let theirs = hello();
    let twin = PathBuf::from(started("FORGE_TEST_TWIN"));
    let mut command = forge::command(&twin, &theirs.root(), &theirs.home());
    Ended::of(command.args(SNAPSHOT).env("HELLO_REGISTRY", "registry.example.org")).expect(0);
    assert_eq!(ours.digests(), theirs.digests());
}

/// A user without rights, with another umask, time zone and locale, who finds Rust in another place.
struct Stranger<'a> {
    project: &'a Project,
}

/// Mounts are seen by this process and its children alone.
const SCRIPT: &str = r#"
set -eu
mount --bind -o ro "$TOOLCHAIN" "$PLACE/rust"
umask 0077
exec setpriv --reuid=65534 --regid=65534 --clear-groups "$PLACE/bin/forge" "$@"
"#;

impl Stranger<'_> {
    /// Gives the project to the stranger, with all that it takes to build it.
    fn moved_into(project: &Project) -> Stranger<'_> {
        for name in ["rust", "bin", "cargo"] {
            fs::create_dir(project.place().join(name)).expect("an empty directory");
        }
        let forge = forge::executable();
        let pipes = forge.with_file_name("libforge_pipes.so");
        for file in [Some(forge), Some(pipes).filter(|it| it.exists())].into_iter().flatten() {
            let name = file.file_name().expect("a file has a name");
            fs::copy(&file, project.place().join("bin").join(name)).expect("forge can be copied");
        }
        output(Command::new("chown").args(["-R", "65534:65534"]).arg(project.place()));
        Stranger { project }
    }

    fn forge(&self, arguments: &[&str]) -> Ended {
        let place = self.project.place();
        let mut command = forge::command(Path::new("unshare"), &self.project.root(), &self.project.home());
        let mut unshare = Command::new("unshare");
        unshare.args(["--mount", "sh", "-c", SCRIPT, "forge"]).args(command.arg("").get_args().take(2)).args(arguments);
        unshare.env_clear().env("PLACE", place).env("TOOLCHAIN", run(["rustc", "--print", "sysroot"]));
        unshare.env("PATH", format!("{}:/usr/bin:/bin:/usr/sbin:/sbin", place.join("rust/bin").display()));
        unshare.env("HOME", self.project.home()).env("CARGO_HOME", place.join("cargo"));
        unshare.env("TZ", "Pacific/Kiritimati").env("LANG", "tr_TR.UTF-8").env("LC_ALL", "tr_TR.UTF-8");
        unshare.env("HELLO_REGISTRY", "registry.example.org").current_dir(directory("TMPDIR", "/tmp"));
        Ended::of(&mut unshare)
    }
}
