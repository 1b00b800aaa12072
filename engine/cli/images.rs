//! `forge images`: how what was made consists of other content, from `dist/artifacts.json`.

use forge_schemas::exit;

use super::args::Arguments;
use super::output;
use super::session;
use crate::report::tree;
use crate::store::Dist;

/// Shows what is made of other content.
pub fn images(arguments: &Arguments) -> Result<u8, u8> {
    let list = Dist::of_project(&session::root(arguments)?).list();
    let shown = tree(&list);
    match shown.is_empty() {
        true => output::note(
            "nothing was made yet that consists of other content: `forge run release --snapshot` makes all there is",
        ),
        false => output::print(shown.trim_end()),
    }
    Ok(exit::DONE)
}
