//! Where plugins are looked for by name.
//! Does not look.

use std::path::PathBuf;

/// In this order. Only absolute directories: what is found does not depend on where one stands.
pub fn of_user() -> Vec<PathBuf> {
    let own = std::env::var_os("FORGE_PLUGIN_PATH").unwrap_or_default();
    let mut directories: Vec<PathBuf> = std::env::split_paths(&own).collect();
    let executable = std::env::current_exe().and_then(|it| it.canonicalize()).unwrap_or_default();
    let beside = executable.parent().unwrap_or(&executable);
    directories.extend(beside.parent().map(|it| it.join("lib/forge")));
    directories.push(beside.join("lib/forge"));
    directories.extend(data_home().map(|it| it.join("forge/plugins")));
    directories.retain(|it| it.is_absolute());
    directories
}

/// Where this user keeps data of programs.
fn data_home() -> Option<PathBuf> {
    let home = || std::env::var_os("HOME").map(PathBuf::from);
    let named = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from).filter(|it| it.is_absolute());
    match cfg!(target_os = "macos") {
        true => home().map(|it| it.join("Library/Application Support")),
        false => named.or_else(|| home().map(|it| it.join(".local/share"))),
    }
}
