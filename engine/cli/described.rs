//! What plugins say of themselves, kept in `.forge/plugins`: a run that needs no step of one starts no child for it.
//! Does not know how they are asked.

use std::path::{Path, PathBuf};

use forge_plugin::Plugin;
use forge_schemas::{Digest, Failure, PluginInfo};
use serde::{Deserialize, Serialize};

use crate::plugins::{Wanted, Wants};
use crate::store::{Folder, read_sealed, write_sealed};

/// What one has said, and to whom.
#[derive(Serialize, Deserialize)]
struct Described {
    key: String,
    info: PluginInfo,
}

/// What a library of this digest has said, if it was asked for the same by the same forge.
pub fn recall(root: &Path, name: &str, digest: Digest, wants: &Wants) -> Option<PluginInfo> {
    let described: Described = serde_json::from_slice(&read_sealed(&file(&root.join(".forge"), name))?).ok()?;
    (described.key == key(digest, wants)).then_some(described.info)
}

/// Keeps what those plugins have said that the project file names.
pub fn remember(folder: &Folder, plugins: &[Plugin], wanted: &Wanted) -> Result<(), Failure> {
    for plugin in plugins {
        // Only of these: to hash what comes with forge takes longer than all else that is looked at before a run.
        let Some(wants) = wanted.get(plugin.name()) else { continue };
        let Some(digest) = plugin.digest() else { continue };
        let path = file(&folder.file(""), plugin.name());
        let described = Described { key: key(digest, wants), info: plugin.info().clone() };
        let bytes = serde_json::to_vec(&described).map_err(|error| Failure::bug(error.to_string()))?;
        if read_sealed(&path).is_some_and(|it| it == bytes) {
            continue;
        }
        let directory = path.parent().unwrap_or(&path);
        std::fs::create_dir_all(directory)
            .and_then(|()| write_sealed(&path, bytes))
            .map_err(|error| Failure::file("write", &path, &error))?;
    }
    Ok(())
}

fn file(folder: &Path, name: &str) -> PathBuf {
    folder.join("plugins").join(name)
}

// What is used of a plugin is part of it: what was said is kept as it was cut down.
fn key(digest: Digest, wants: &Wants) -> String {
    format!("forge-plugin-1 {} {digest} {:?}", env!("CARGO_PKG_VERSION"), wants.pipes)
}
