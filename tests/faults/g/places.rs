//! Where a plugin is looked for that is named without a path, in a forge that is installed somewhere.
//! Does not look at what a plugin does.

use std::fs;
use std::path::{Path, PathBuf};

use forge_plugin::Plugins;
use serde_json::Value;

use super::evil::{build, text};
use crate::support::forge::{Ended, command, executable};
use crate::support::project::Project;

/// A forge that lies in `installed/bin` of the project's place, with the pipes that come with it.
fn install(project: &Project) -> PathBuf {
    let bin = project.place().join("installed/bin");
    let own = executable();
    let from = own.parent().expect("a program is in a directory");
    let candidates = Plugins::builtin_candidates(&own);
    let pipes = candidates.iter().filter_map(|it| it.strip_prefix(from).ok().filter(|_| it.exists()));
    for file in pipes.chain([Path::new("forge")]) {
        let to = bin.join(file);
        fs::create_dir_all(to.parent().expect("a file is in a directory")).expect("a directory can be made");
        fs::hard_link(from.join(file), &to).or_else(|_| fs::copy(from.join(file), &to).map(drop)).expect("a copy");
    }
    bin.join("forge")
}

#[test]
fn g12_the_order_of_the_places() {
    let project = Project::of_text(&text(&["good"], "").replace("path = \"tools/libevil.so\"", ""));
    let forge = install(&project);
    // Seen from the project, the first that counts first.
    let places =
        ["../first", "../second", "../installed/lib/forge", "../installed/bin/lib/forge", "../data/forge/plugins"];
    let file = |at: usize| format!("{}/any-name.so", places[at]);
    for at in 0..places.len() {
        build(&project, &file(at), &[&format!("VERSION=\"1.0.{at}\"")]);
    }
    // Neither here, nor below one of the places, nor by another ending.
    for other in ["evil.so", "../first/below/evil.so", "../first/evil.txt"] {
        build(&project, other, &["VERSION=\"9.9.9\""]);
    }
    let path = places[..2].iter().map(|it| project.root().join(it).display().to_string()).collect::<Vec<_>>().join(":");
    let list = || {
        let mut command = command(&forge, &project.root(), &project.home());
        Ended::of(
            command
                .args(["plugins", "--json"])
                .env("FORGE_PLUGIN_PATH", &path)
                .env("XDG_DATA_HOME", project.place().join("data")),
        )
    };
    for at in 0..places.len() {
        let ended = list().expect(0);
        let plugins: Value = serde_json::from_str(&ended.stdout).expect("JSON");
        let found = plugins.as_array().expect("a list").iter().find(|it| it["name"] == "evil").expect("it is found");
        assert_eq!(found["version"], format!("1.0.{at}"), "{plugins}");
        assert_eq!(ended.stderr.matches("warning: there are two plugins `evil`").count(), places.len() - at - 1);
        fs::remove_file(project.root().join(file(at))).expect("a file can be removed");
    }
    let ended = list().expect(3);
    assert!(ended.stderr.starts_with("error: there is no plugin `evil`\n"), "{}", ended.stderr);
}
