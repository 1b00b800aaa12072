//! `forge artifacts`: what was made, from `dist/artifacts.json`.

use forge_schemas::exit;

use super::args::{Arguments, AsJson};
use super::output;
use super::session;
use crate::report::size;
use crate::store::Dist;

/// Lists what was made.
pub fn artifacts(arguments: &Arguments, as_json: &AsJson) -> Result<u8, u8> {
    let list = Dist::of_project(&session::root(arguments)?).list();
    if as_json.json {
        let text = serde_json::to_string_pretty(&list).unwrap_or_default();
        output::print(&text);
        return Ok(exit::DONE);
    }
    if list.artifacts.is_empty() {
        output::note("nothing was made yet: `forge run release --snapshot` does");
    }
    let widest = list.artifacts.iter().map(|it| it.path.len()).max().unwrap_or(0);
    for artifact in list.artifacts {
        let (path, kind, digest) = (artifact.path, artifact.kind, artifact.digest);
        output::print(&format!("{path:<widest$}  {kind:<13}  {digest}  {}", size(artifact.size_in_all)));
    }
    Ok(exit::DONE)
}
