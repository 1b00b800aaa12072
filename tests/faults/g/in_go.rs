//! The rows again, with a plugin in Go (`evil_go`), whose runtime is a guest with habits of its own: it ends a process as it
//! likes, and takes signals.
//! Does not repeat what is the same in every language.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use rustix::process::Signal;

use super::evil::{LIBRARY, text};
use super::steps::{RUN, bug, fails_in};
use crate::support::forge::Running;
use crate::support::program::output;
use crate::support::project::Project;

const HERE: &str = "isolation = \"in-process\"";

/// The library, built once.
fn library() -> &'static PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("libevil_go.so");
        let mut go = Command::new("go");
        go.args(["build", "-trimpath", "-buildmode=c-shared", "-o"]).arg(&file).arg(".");
        output(go.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/g/evil_go")));
        file
    })
}

/// A project with a table for each of these modes.
fn project(modes: &[&str], keys: &str) -> Project {
    let project = Project::of_text(&text(modes, keys));
    let file = project.root().join(LIBRARY);
    fs::create_dir_all(file.parent().expect("a directory")).expect("a directory can be made");
    fs::copy(library(), file).expect("it was built");
    project
}

/// A step of this mode fails with these words, and what led to them; the next step is done.
#[track_caller]
fn fails(mode: &str, words: &str, causes: &[&str]) {
    fails_in(&project(&[mode, "good"], ""), mode, &bug(words), causes);
}

#[test]
fn g1_panics() {
    fails("panic", "panicked: no more", &["evil.go:"]);
    fails("nil", "panicked: runtime error: invalid memory address or nil pointer dereference", &["evil.go:"]);
}

#[test]
fn g2_what_nobody_can_catch() {
    let words = "its process was ended by signal 6 (SIGABRT)";
    fails("goroutine", words, &["it wrote: panic: in a goroutine"]);
    fails("throw", words, &["it wrote: fatal error: sync: unlock of unlocked mutex"]);
    fails("exit", "its process ended with exit status 0 before it had answered", &[]);
}

#[test]
fn g10_in_forges_own_process_it_takes_no_signal_that_forge_needs() {
    // As forge is without it.
    let without = signals(&Project::of_text(&text(&["polite"], HERE)), |project| {
        super::evil::build(project, LIBRARY, &[]);
    });
    let with = signals(&project(&["hangs"], HERE), |_| {});
    // What Go takes for itself: faults of its own code, who writes to nobody, and how it interrupts its threads.
    let its_own = [Signal::ILL, Signal::BUS, Signal::FPE, Signal::SEGV, Signal::PIPE, Signal::URG];
    let bit = |signal: &Signal| 1_u64 << (signal.as_raw() - 1);
    // Of those from 32 on the C library has some, for threads.
    let its_own: u64 = its_own.iter().map(bit).sum::<u64>() | !0 << 31;
    let differs = |at: usize| (without[at] ^ with[at]) & !its_own;
    assert_eq!([differs(0), differs(1), differs(2)], [0; 3], "{without:x?} {with:x?}");
}

/// Which signals forge blocks, ignores and takes while a step runs in its process; and that it still hears of ^C.
fn signals(project: &Project, prepare: fn(&Project)) -> [u64; 3] {
    prepare(project);
    let mut run = Running::start(&mut project.command(&RUN));
    run.wait_for("log");
    let status = fs::read_to_string(format!("/proc/{}/status", run.id())).expect("it runs");
    run.signal(Signal::INT);
    run.rest().expect(130);
    ["SigBlk:", "SigIgn:", "SigCgt:"].map(|name| {
        let mask = status.lines().find_map(|line| line.strip_prefix(name)).expect("a mask of signals");
        u64::from_str_radix(mask.trim(), 16).expect("a number")
    })
}

#[test]
fn g10_in_forges_own_process_forge_goes_on_as_ever() {
    let project = project(&["program", "broken_pipe", "panic", "good"], HERE);
    // Who was to read is gone: forge must neither fail nor be killed for that.
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let status = project.command(&RUN).stdout(writer).status().expect("forge starts");
    assert_eq!(status.code(), Some(1), "{status}");
    let ended = project.forge(&RUN).expect(1);
    let expect = ["evil:broken-pipe fresh", "evil:good fresh", "evil:panic failed", "evil:program fresh"];
    assert_eq!(ended.outcomes(), expect);
}
