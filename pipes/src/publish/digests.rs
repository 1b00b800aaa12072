//! `digests.txt`: what each reference will name, a line each, in the form that `sha256sum` writes.
//! Does not ask a registry: the digests are those of what is made here.

use forge_plugin::schemas::kind::{Digests, Kind as _};
use forge_plugin::schemas::{Emit, Failure, Output};
use forge_plugin::{Given, Host};

use super::choice::Item;

/// What is in the list: each reference, with the artifact that gets it.
pub(super) fn entries(items: &[Item<'_>]) -> Vec<(String, String)> {
    let of_item = |item: &Item<'_>| {
        let artifact = item.offer.name.clone();
        item.references.iter().map(move |it| (it.to_string(), artifact.clone())).collect::<Vec<_>>()
    };
    let mut entries: Vec<(String, String)> = items.iter().flat_map(of_item).collect();
    entries.sort();
    entries
}

/// The artifact. The table that bears the project's name, as one without an id does, has the short one.
pub(super) fn output(given: &Given<'_>) -> Output {
    let name = match given.table.id == given.facts.name {
        true => "digests.txt".to_owned(),
        false => format!("{}.digests.txt", given.table.id),
    };
    let detail = serde_json::to_value(Digests {}).unwrap_or_default();
    Output { name, kind: Digests::NAME.to_owned(), platform: None, detail }
}

/// Writes and emits it.
pub(super) fn write(entries: &[(String, String)], name: &str, host: &dyn Host) -> Result<(), Failure> {
    let mut text = String::new();
    for (reference, artifact) in entries {
        let found = host.inputs().iter().find(|it| it.name == *artifact);
        let found = found.ok_or_else(|| Failure::bug(format!("`{artifact}` is not among the inputs")))?;
        text += &format!("{}  {reference}\n", found.digest.hex());
    }
    let path = host.dir().join("digests.txt");
    std::fs::write(&path, text).map_err(|error| Failure::file("write", &path, &error))?;
    let detail = serde_json::to_value(Digests {}).unwrap_or_default();
    host.emit(&Emit { name: name.to_owned(), path, blobs: Vec::new(), detail }).map(drop)
}
