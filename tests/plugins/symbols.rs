//! What forge and the pipes that come with it show to the dynamic linker: a plugin must find its own functions, not ours.
//! Does not know what is in them.

use std::path::Path;
use std::process::Command;

use forge_plugin::Plugins;

use crate::support::forge::executable;
use crate::support::program::output;

#[test]
fn nothing_but_the_entry() {
    assert_eq!(shown(&executable()), "");
    let libraries = Plugins::builtin_candidates(&executable());
    for library in libraries.iter().filter(|it| it.exists()) {
        assert_eq!(shown(library), "forge_plugin_entry_v1");
    }
}

fn shown(file: &Path) -> String {
    let mut nm = Command::new("nm");
    nm.args(["--dynamic", "--defined-only", "--format=just-symbols"]).arg(file);
    output(&mut nm)
}
