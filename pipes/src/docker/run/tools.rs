//! Which programs an image has: its shell, and what stands behind the name of a command.
//! Does not know what they do.

use crate::docker::run::tree::Tree;
use crate::docker::run::{Form, Wrong};
use crate::oci::rootfs::{Node, What};

/// Shells that do the same with simple commands.
const SHELLS: &[&str] = &["sh", "ash", "bash", "dash", "busybox"];
/// What such a shell may be given before the line.
const SHELL_OPTIONS: &[&str] = &["-c", "-e", "-ec", "-eo", "-o", "pipefail", "-euo", "-exo", "-ex", "-eux", "-euxo"];
/// Commands that are the shell's own.
const OF_SHELL: &[&str] = &["true", ":", "set", "echo", "printf"];
/// Where Debian's package manager says which files coreutils has.
const COREUTILS: &str = "var/lib/dpkg/info/coreutils.list";
/// And which versions of packages it has.
const STATUS: &str = "var/lib/dpkg/status";
/// What the package of shadow has, and the versions of it whose source forge follows.
const OF_SHADOW: &[&str] = &["useradd", "groupadd"];
const SHADOW: &[&str] = &["1:4.13+", "1:4.17.4-"];

/// Where programs are looked for.
pub(super) struct Tools<'a> {
    /// The environment of the image.
    pub(super) env: &'a [(String, String)],
    /// The shell, where the image names one.
    pub(super) shell: Option<&'a [String]>,
    /// Whether there must be a shell.
    pub(super) form: Form,
}

/// Who made a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Maker {
    /// busybox: <https://busybox.net>.
    Busybox,
    /// GNU coreutils, as Debian packs them.
    Debian,
    /// shadow, as Debian packs it: <https://github.com/shadow-maint/shadow>.
    Shadow,
    /// The shell itself.
    Shell,
    /// Alpine.
    Alpine,
}

impl Tools<'_> {
    /// Whether there is a shell, where one is needed, and it is one that does as others do.
    pub(super) fn check_shell(&self, tree: &Tree<'_, '_>) -> Result<(), Wrong> {
        if self.form == Form::Exec {
            return Ok(());
        }
        let (program, options) = match self.shell.and_then(<[String]>::split_first) {
            Some((program, options)) => (program.as_str(), options),
            None => ("/bin/sh", &[][..]),
        };
        let path = tree.follow(program);
        if !tree.node(&path).is_some_and(is_program) {
            return Err(Wrong::Fails(format!("the image has no `{program}`")));
        }
        let name = program.rsplit('/').next().unwrap_or_default();
        let is_known = SHELLS.contains(&name) && options.iter().all(|it| SHELL_OPTIONS.contains(&it.as_str()));
        match is_known {
            true => Ok(()),
            false => Err(Wrong::Untold(format!("its shell is `{}`", self.shell.unwrap_or_default().join(" ")))),
        }
    }

    /// Who made the program that a command names.
    pub(super) fn find(&self, tree: &Tree<'_, '_>, program: &str) -> Result<Maker, Wrong> {
        if OF_SHELL.contains(&program) && self.form == Form::Shell {
            return Ok(Maker::Shell);
        }
        let path = self.env.iter().find(|(name, _)| name == "PATH").map(|(_, path)| path.as_str());
        let path = path.ok_or_else(|| Wrong::Untold("the image has no `PATH`".to_owned()))?;
        if !path.split(':').all(|dir| dir.starts_with('/')) {
            return Err(Wrong::Untold(format!("a directory of `PATH={path}` is not absolute")));
        }
        let mut found = path.split(':').map(|dir| tree.follow(&format!("{dir}/{program}")));
        let found = found.find_map(|at| tree.node(&at).filter(|it| is_program(it)).map(|node| (at.clone(), node)));
        let Some((at, node)) = found else {
            return Err(Wrong::Fails(format!("the image has no `{program}`")));
        };
        if OF_SHADOW.contains(&program) {
            return check_shadow(tree, program, &at).map(|()| Maker::Shadow);
        }
        maker(tree, program, &at, node).ok_or_else(|| {
            Wrong::Untold(format!("its `{program}` is neither that of busybox nor that of Debian's coreutils"))
        })
    }
}

fn check_shadow(tree: &Tree<'_, '_>, program: &str, at: &str) -> Result<(), Wrong> {
    let untold = |why: String| Err(Wrong::Untold(format!("its `{program}` is {why}")));
    if at != format!("usr/sbin/{program}") || tree.node(STATUS).is_none() {
        return untold("not that of Debian's `passwd`".to_owned());
    }
    let status = tree.read(STATUS)?;
    let package = status.split("\n\n").find(|it| it.lines().any(|line| line == "Package: passwd"));
    match package.and_then(|it| it.lines().find_map(|line| line.strip_prefix("Version: "))) {
        Some(version) if SHADOW.iter().any(|it| version.starts_with(it)) => Ok(()),
        Some(version) => untold(format!("that of `passwd` {version}, and known are 4.13 and 4.17.4")),
        None => untold("not that of Debian's `passwd`".to_owned()),
    }
}

fn maker(tree: &Tree<'_, '_>, program: &str, at: &str, node: &Node) -> Option<Maker> {
    let (dir, name) = at.rsplit_once('/').unwrap_or_default();
    let busybox = tree.node("bin/busybox").or_else(|| tree.node("usr/bin/busybox"));
    if name == "apk" && program == "apk" {
        return Some(Maker::Alpine);
    }
    // Links of it, or other names of the same file.
    if name == "busybox" || busybox.is_some_and(|it| it.what == node.what) {
        return Some(Maker::Busybox);
    }
    let is_packed = ["bin", "usr/bin", "sbin", "usr/sbin"].contains(&dir) && name == program;
    let is_script = ["adduser", "addgroup"].contains(&program);
    (is_packed && !is_script && tree.node(COREUTILS).is_some()).then_some(Maker::Debian)
}

fn is_program(node: &Node) -> bool {
    node.mode & 0o111 != 0 && matches!(node.what, What::Layered { .. } | What::Placed(_))
}
