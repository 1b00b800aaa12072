//! Plugins in children: what only a process can do to a plugin, and a plugin to a process.

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Barrier};
use std::time::Duration;

use forge_plugin::schemas::{Exit, FailureClass, Step, TableName};
use forge_plugin::testing::FakeHost;
use forge_plugin::{Library, Nursery, Plugin};
use serde_json::json;

use crate::examples::{built, cargo_build_with, done, workspace};
use crate::{c, echo, example, misuse};

/// A plugin in a child.
pub fn open(library: &Path) -> Plugin {
    Library::read(library).unwrap().load_in_child(nursery()).unwrap()
}

/// The environment variable that names another program to be the child.
pub const HOST: &str = "FORGE_TEST_PLUGIN_HOST";

fn nursery() -> Nursery {
    let program = std::env::var_os(HOST).map_or_else(|| example("plugin_host"), Into::into);
    let env = std::env::vars().filter(|(name, _)| name == "PATH").collect();
    Nursery { program, env, timeout: Duration::from_secs(600) }
}

#[test]
fn g1_a_panic_leaves_its_child_alive() {
    let plugin = open(&echo::library());
    let act = |act: &str| {
        let mut host = FakeHost::new();
        let step = Step { params: json!({ "text": "x", "act": act }), ..Step::default() };
        let run = host.begin(&TableName::new("echo", "test"), &step).unwrap();
        plugin.run(&run, &host).unwrap_err()
    };
    // More often than a child is started.
    for _ in 0..10 {
        for panic in ["panic", "panic_twice"] {
            let failure = act(panic);
            assert_eq!(failure.class, FailureClass::Bug);
            assert!(failure.message.starts_with("bug in plugin `echo`") && failure.message.contains("panicked: "));
        }
        assert_eq!(act("fail").class, FailureClass::Refused);
    }
}

#[test]
fn a_service_that_takes_long_holds_up_no_other() {
    let plugin = open(&echo::library());
    let gate = Arc::new(Barrier::new(8));
    let run = || {
        let gate = gate.clone();
        // Each waits for all the others: one at a time would wait for ever.
        let mut host = FakeHost::new().on_exec(move |_| {
            gate.wait();
            Exit { code: Some(0), ..Exit::default() }
        });
        let step = Step { params: json!({ "text": "x", "act": "everything" }), ..Step::default() };
        let run = host.begin(&TableName::new("echo", "test"), &step).unwrap();
        plugin.run(&run, &host)
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(run)).collect();
        // What they emit was not declared; they got that far.
        threads.into_iter().for_each(|it| drop(it.join().unwrap()));
    });
}

#[test]
fn no_program_to_start() {
    let nursery = Nursery { program: "/nowhere/forge".into(), ..nursery() };
    let error = Library::read(&echo::library()).unwrap().load_in_child(nursery).unwrap_err();
    assert_eq!(error.message(), "a process can't be started for it: No such file or directory (os error 2)");
}

#[test]
fn a_program_that_is_no_host() {
    for (program, words) in [("/bin/true", "exit status 0"), ("/bin/false", "exit status 1")] {
        let nursery = Nursery { program: program.into(), ..nursery() };
        let error = Library::read(&echo::library()).unwrap().load_in_child(nursery).unwrap_err();
        let words = format!("it could not be loaded: its process ended with {words} before it had answered");
        assert_eq!(error.message(), words);
    }
}

#[test]
fn an_idle_child_ends_with_its_plugin() {
    let dir = tempfile::tempdir().unwrap();
    let ended = dir.path().join("ended");
    let plugin = open(&c::plugin(dir.path(), "odd", &[&format!("LEAVES=\"{}\"", ended.display())]));
    assert_eq!(misuse::run(&plugin, "nothing").0, Ok(()));
    assert!(!ended.exists());
    drop(plugin);
    let patience = std::time::Instant::now() + Duration::from_secs(30);
    while !ended.exists() && std::time::Instant::now() < patience {
        std::thread::yield_now();
    }
    assert!(ended.exists(), "`fini` was called");
}

/// As forge for musl is: linked statically. Where Rust's library for musl is not installed, with glibc; both have no loader.
#[test]
fn who_can_map_nothing_borrows_a_host() {
    let arch = std::env::consts::ARCH;
    let musl = format!("{arch}-unknown-linux-musl");
    let installed = Command::new("rustc").args(["--print", "target-libdir", "--target", &musl]).output().unwrap();
    let installed = String::from_utf8(installed.stdout).unwrap();
    let (target, flags) = match Path::new(installed.trim()).exists() {
        true => (musl, ""),
        false => (format!("{arch}-unknown-linux-gnu"), "-C target-feature=+crt-static"),
    };
    // The library alone: what an example is built with besides would take longer than all of this.
    let arguments = ["-p", "forge-plugin", "--lib", "--features", "load", "--target", &target];
    cargo_build_with(&workspace(), &arguments, &[("RUSTFLAGS", flags)]);
    let dir = tempfile::tempdir().unwrap();
    let (program, made) = (dir.path().join("borrower"), built().with_file_name(&target).join("debug"));
    let mut rustc = Command::new("rustc");
    rustc.args(["--edition=2024", "--target", &target]).args(flags.split_whitespace()).arg("-o").arg(&program);
    rustc.arg(format!("--extern=forge_plugin={}", made.join("libforge_plugin.rlib").display()));
    // Macros are of the machine that compiles.
    for place in [&made, &built()] {
        rustc.arg("-L").arg(place.join("deps"));
    }
    done(rustc.arg(c::source("host/borrower.rs")));
    let output = Command::new(program).arg(echo::library()).arg(example("plugin_host")).output().unwrap();
    let (said, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let expect = "another host: true\nhere: this forge is linked statically, and can map no library\n\
                  in a child: echo, 1 problem\n";
    assert_eq!(said, expect, "{wrong}");
}
