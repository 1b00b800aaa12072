//! Plugins in C++ (`counts.cc`): globals of which the system makes one for a process, and destructors at its end.
//! Does not repeat what is the same in C.

use std::path::Path;
use std::process::Command;

use super::evil::{LIBRARY, text};
use crate::support::program::output;
use crate::support::project::Project;

const HERE: &str = "isolation = \"in-process\"";

/// Builds it as a file of the project.
fn build(project: &Project, path: &str, arguments: &[&str]) {
    let file = project.root().join(path);
    std::fs::create_dir_all(file.parent().expect("a file is in a directory")).expect("a directory can be made");
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut gcc = Command::new("g++");
    gcc.args(["-std=c++11", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-pthread"]).args(arguments);
    gcc.arg("-I").arg(here.join("plugins/include")).arg("-o").arg(&file);
    output(gcc.arg(here.join("tests/faults/g/counts.cc")));
}

#[test]
fn g11_two_plugins_with_one_global() {
    // In forge's own process it takes what docs/plugins.md says to keep them apart.
    let apart: &[&str] = &["-fno-gnu-unique", "-fvisibility=hidden"];
    for (keys, arguments) in [("", &[][..]), (HERE, apart)] {
        let more =
            format!("[plugins.other]\npath = \"tools/libother.so\"\n{keys}\n[[other]]\nid = \"x\"\nmode = \"x\"\n");
        let project = Project::of_text(&format!("{}\n{more}", text(&["x"], keys)));
        build(&project, LIBRARY, arguments);
        build(&project, "tools/libother.so", &[arguments, &["-DNAME=\"other\""]].concat());
        let ended = project.forge(&["run", "release", "--snapshot"]).expect(0);
        for task in ["evil:x", "other:x"] {
            assert!(ended.stderr.contains(&format!("{task}: run 1 and 1 times")), "{}", ended.stderr);
        }
    }
}

/// Its thread and its destructors would meet at the end of the process, and abort it now and then.
#[test]
fn g2_a_thread_at_the_end_of_forge() {
    let project = Project::of_text(&text(&["x"], HERE));
    build(&project, LIBRARY, &["-O2", "-DTALKS"]);
    // Of the ends by `exit` a third go wrong.
    for _ in 0..50 {
        project.forge(&["check"]).expect(0);
    }
    project.forge(&["run", "evil", "--snapshot"]).expect(0);
}
