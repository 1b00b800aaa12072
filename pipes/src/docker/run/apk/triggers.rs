//! Triggers: which are run after packages have come and gone, and what those that are known do to the image.
//! Does not know why packages came.

use std::collections::BTreeSet;

use globset::GlobBuilder;

use crate::apk::database::{Database, Installed};
use crate::apk::scripts::Script;
use crate::docker::run::Wrong;
use crate::docker::run::apk::known::Trigger;
use crate::docker::run::tree::Tree;
use crate::oci::rootfs::What;

/// Where apk puts scripts while it runs them.
const SCRIPTS: &str = "lib/apk/exec";
/// Where busybox makes links.
const PROGRAMS: &[&str] = &["bin", "sbin", "usr/bin", "usr/sbin", ""];
/// Programs that a trigger of busybox would run besides.
const MORE_PROGRAMS: &[&str] = &["bin/bbsuid", "bin/busybox-extras", "usr/bin/bbsuid", "usr/bin/busybox-extras"];
/// The names of busybox's programs begin so, each with a zero behind it.
const FIRST_NAMES: &[u8] = b"[\0[[\0";

/// The directories whose packages have come or gone, and the packages that have come.
#[derive(Debug, Clone, Default)]
pub(super) struct Touched {
    pub(super) modified: BTreeSet<String>,
    pub(super) new: BTreeSet<String>,
}

/// Does what triggers do.
pub(super) fn run(tree: &mut Tree<'_, '_>, database: &Database, touched: &Touched) -> Result<(), Wrong> {
    let all = directories(database, touched);
    let find = |checksum: &String| database.installed.iter().find(|it| it.package.checksum == *checksum);
    for package in database.triggers.iter().filter_map(find) {
        let dirs = if touched.new.contains(&package.package.name) { &all } else { &touched.modified };
        if !is_about(package, dirs)? {
            continue;
        }
        let name = &package.package.name;
        let Some(text) = package.scripts.get(&Script::Trigger) else { continue };
        match Trigger::of(text) {
            Some(Trigger::Busybox) => check_links(tree)?,
            Some(Trigger::Certificates) => {
                return Err(Wrong::Untold(format!("`{name}` would run `update-ca-certificates`")));
            }
            None => return Err(Wrong::Untold(format!("the script `trigger` of `{name}` is not known here"))),
        }
        make_place(tree)?;
    }
    Ok(())
}

/// All directories that apk knows.
fn directories(database: &Database, touched: &Touched) -> BTreeSet<String> {
    let dirs = database.installed.iter().flat_map(|it| &it.dirs).map(|it| it.path.as_str());
    let ends = |path: &'_ str| path.match_indices('/').map(|(end, _)| end).chain([path.len()]).collect::<Vec<_>>();
    let above = dirs.flat_map(|path| ends(path).into_iter().map(move |end| path[..end].to_owned()));
    above.chain(touched.modified.iter().cloned()).collect()
}

fn is_about(package: &Installed, dirs: &BTreeSet<String>) -> Result<bool, Wrong> {
    for pattern in package.triggers.iter().filter(|it| it.starts_with('/')) {
        let glob = GlobBuilder::new(pattern).literal_separator(true).build();
        let glob =
            glob.map_err(|_| Wrong::Untold(format!("what its trigger `{pattern}` is about is not known here")))?;
        let matcher = glob.compile_matcher();
        if dirs.iter().any(|dir| matcher.is_match(format!("/{dir}"))) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The directory of running scripts stays behind.
pub(super) fn make_place(tree: &mut Tree<'_, '_>) -> Result<(), Wrong> {
    match tree.node(SCRIPTS) {
        Some(_) => Ok(()),
        None => tree.make(SCRIPTS, 0o700, What::Directory),
    }
}

/// busybox makes no links, when all its names are there.
fn check_links(tree: &Tree<'_, '_>) -> Result<(), Wrong> {
    if let Some(program) = MORE_PROGRAMS.iter().find(|it| tree.node(it).is_some()) {
        return Err(Wrong::Untold(format!("the trigger of `busybox` would run `/{program}`")));
    }
    let busybox = tree.follow("/bin/busybox");
    let binary = tree.bytes(&busybox)?;
    let Some(start) = binary.windows(FIRST_NAMES.len()).position(|it| it == FIRST_NAMES) else {
        return Err(Wrong::Untold("which programs its busybox has can't be told".to_owned()));
    };
    let names = binary[start..].split(|it| *it == 0).take_while(|it| !it.is_empty());
    for name in names.map(String::from_utf8_lossy) {
        let is_there = |dir: &&str| tree.node(format!("{dir}/{name}").trim_start_matches('/')).is_some();
        if !PROGRAMS.iter().any(is_there) {
            return Err(Wrong::Untold(format!(
                "the trigger of `busybox` would make a link for `{name}`, which is missing"
            )));
        }
    }
    Ok(())
}
