//! `forge store verify`: whether the store holds what it says.
//! Does not know how that is found out.

use std::path::Path;

use forge_schemas::{Digest, exit};

use super::args::Arguments;
use super::{folder, output, session};
use crate::report::{count, size};
use crate::store::{self, Dist, Folder, Verdict};

/// Reads all of the store, and tells what is wrong with it.
pub fn verify(arguments: &Arguments) -> Result<u8, u8> {
    let root = session::root(arguments)?;
    if !Folder::look(&root).map_err(|it| output::failure(&it))?.exists() {
        output::note("nothing was made yet, so that there is no store");
        return Ok(exit::DONE);
    }
    let (folder, _lock) = folder::take(arguments, &root)?;
    let verdict = store::verify(&folder, &Dist::of_project(&root)).map_err(|it| output::failure(&it))?;
    tell(&verdict, &root);
    let read = format!("read {}, {}", count(verdict.files, "file"), size(verdict.bytes));
    match verdict.is_good() {
        true if arguments.quiet => {}
        true => output::print(&format!("{read}: all of it is what it should be")),
        false => output::print(&format!("{read}: not all of it is what it should be")),
    }
    Ok(if verdict.is_good() { exit::DONE } else { exit::FAILED })
}

fn tell(verdict: &Verdict, root: &Path) {
    let relative = |path: &Path| path.strip_prefix(root).unwrap_or(path).display().to_string();
    let named = |digest: &Digest| match verdict.names.get(digest) {
        Some(names) => format!("{digest} (`{}`)", names.join("`, `")),
        None => digest.to_string(),
    };
    for wrong in &verdict.wrong {
        let found = match &wrong.found {
            Ok(found) => format!("is in truth {found}"),
            Err(error) => format!("can't be read: {error}"),
        };
        let aside = relative(&wrong.aside);
        output::error(&format!("{} {found}; it was set aside as `{aside}`", named(&wrong.digest)));
    }
    for digest in &verdict.missing {
        output::error(&format!("{} is not in the store", named(digest)));
    }
    if let Some(aside) = &verdict.record {
        output::error(&format!("the record was damaged; it was set aside as `{}`", relative(aside)));
    }
    if !verdict.is_good() {
        output::note("the next run makes it again; `forge clean` forgets what is not there");
    }
}
