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
    /// The shell itself.
    Shell,
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
        maker(tree, program, &at, node).ok_or_else(|| {
            Wrong::Untold(format!("its `{program}` is neither that of busybox nor that of Debian's coreutils"))
        })
    }
}

fn maker(tree: &Tree<'_, '_>, program: &str, at: &str, node: &Node) -> Option<Maker> {
    let (dir, name) = at.rsplit_once('/').unwrap_or_default();
    let busybox = tree.node("bin/busybox").or_else(|| tree.node("usr/bin/busybox"));
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
