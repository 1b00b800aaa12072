//! Thousands of calls leave nothing behind: no memory, no file, no thread, on neither side of the line, in this process and
//! in a child; and nobody gives back what is not his. One test alone, because what it counts is the process's.
//! Does not measure time, nor what a process holds for good: that is there after the first calls.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod counted;
#[path = "../echo/lib.rs"]
#[expect(unreachable_pub, reason = "it is the root of a library elsewhere")]
mod echo;
#[path = "../examples.rs"]
#[expect(dead_code, reason = "the tests of the line use all of it")]
mod examples;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use forge_plugin::schemas::kind::Binary;
use forge_plugin::schemas::{Plan, Run, Step, TableName, Takes};
use forge_plugin::testing::{FakeHost, FakeRenderer, sample_facts};
use forge_plugin::{Library, Nursery, Plugin};
use serde_json::json;

/// Rounds until all is there that stays, and then so many more, of seven calls here and of three in the child.
const WARM: usize = 50;
const ROUNDS: usize = 300;
const ROUNDS_IN_CHILD: usize = 800;
/// What the C library may keep at hand of what was given back. One block a call would be more.
const SLACK: i64 = 16 << 10;

#[test]
fn g4_thousands_of_calls_leave_nothing_behind() {
    here(&Plugin::linked(echo::forge_plugin).unwrap());
    // This one has an allocator of its own.
    here(&Plugin::open(&built("libecho.so")).unwrap());
    let place = tempfile::tempdir().unwrap();
    let library = place.path().join("odd.so");
    let mut gcc = examples::gcc_with_header();
    gcc.args(["-std=gnu11", "-shared", "-fPIC", "-pthread", "-o"]).arg(&library).arg(source("plugin.c"));
    examples::done(&mut gcc);
    let loaded = Plugin::open(&library).unwrap();
    let mut host = FakeHost::new();
    let run = host.begin(&TableName::new("odd", "test"), &Step::default()).unwrap();
    odd_calls(&loaded, &host, &run, WARM);
    child(&library);
}

/// Of one that is linked in both sides are this executable's, and every block of both is counted.
fn here(plugin: &Plugin) {
    (0..WARM).for_each(|_| every_call(plugin));
    let (before, process) = (counted::now(), Process::of_this());
    (0..ROUNDS).for_each(|_| every_call(plugin));
    assert_eq!(settled(counted::now, |it| *it == before), before, "blocks and bytes after {ROUNDS} rounds here");
    assert_eq!(settled(Process::of_this, |it| *it == process), process);
}

/// What is held, as soon as it is what it should be, or after some time: a thread that has ended and was waited for is
/// still counted by the kernel for a moment. What was leaked stays.
fn settled<T>(holds: impl Fn() -> T, is_well: impl Fn(&T) -> bool) -> T {
    let end = Instant::now() + Duration::from_secs(5);
    loop {
        let held = holds();
        if is_well(&held) || Instant::now() > end {
            return held;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A call of each sort, and of each end that it can come to.
fn every_call(plugin: &Plugin) {
    let table = TableName::new("echo", "test");
    let settings = json!({ "text": "{{ arch }}", "act": "everything", "last": "{{ name }} {{ digest }}" });
    plugin.takes(&Takes { table: table.clone(), settings: settings.clone() }).unwrap();
    let binary = Binary { file_name: "hello".to_owned() };
    let mut host = FakeHost::new().with_input("hello", Some("linux/arm64".parse().unwrap()), &binary, "ELF");
    let (facts, offers) = (sample_facts(), host.offers());
    let renderer = FakeRenderer::new(&facts);
    let plan = Plan { table: table.clone(), settings, facts, offers, sources: Vec::new() };
    let mut step = plugin.plan(&plan, &renderer).unwrap().steps.remove(0);
    step.takes = vec!["hello".to_owned()];
    let mut run = host.begin(&table, &step).unwrap();
    for act in ["everything", "undeclared", "fail", "panic", "panic_twice"] {
        run.step.params["act"] = json!(act);
        assert_eq!(plugin.run(&run, &host).is_ok(), act == "everything", "{act}");
    }
}

/// The child says what it holds; what this process holds for it is counted as above.
fn child(library: &Path) {
    let program = built("plugin_host");
    let env = BTreeMap::from([("MALLOC_ARENA_MAX".to_owned(), "1".to_owned())]);
    let nursery = Nursery { program, env, timeout: Duration::from_secs(600) };
    let plugin = Library::read(library).unwrap().load_in_child(nursery).unwrap();
    let mut host = FakeHost::new();
    let run = host.begin(&TableName::new("odd", "test"), &Step::default()).unwrap();
    let calls = |number: usize| odd_calls(&plugin, &host, &run, number);
    let holds = || Process::of_child(&said(&plugin, &host, &run, "holds").unwrap());
    calls(WARM);
    let (before, process, held) = (counted::now(), Process::of_this(), holds());
    calls(ROUNDS_IN_CHILD);
    let is_well = |it: &Process| it.bytes - held.bytes < SLACK && (it.files, it.threads) == (held.files, held.threads);
    let after = settled(holds, is_well);
    assert!(is_well(&after), "the child held {held:?}, and holds {after:?}");
    let more = settled(|| counted::now().bytes - before.bytes, |it| *it < SLACK);
    assert!(more < SLACK, "this process holds {more} bytes more for a child that was called");
    assert_eq!(settled(Process::of_this, |it| *it == process), process);
}

/// Rounds of three calls of the plugin in C.
fn odd_calls(plugin: &Plugin, host: &FakeHost, run: &Run, rounds: usize) {
    for _ in 0..rounds {
        for (word, is_good) in [("bad_services", true), ("text_error", false), ("bad_reply", false)] {
            assert_eq!(said(plugin, host, run, word).is_some(), is_good, "{word}");
        }
    }
}

/// What a process holds.
#[derive(Debug, PartialEq, Eq)]
struct Process {
    files: usize,
    threads: usize,
    /// Of the C library's memory; 0 where it is counted otherwise.
    bytes: i64,
}

impl Process {
    fn of_this() -> Process {
        let entries = |path: &str| std::fs::read_dir(path).unwrap().count();
        Process { files: entries("/proc/self/fd"), threads: entries("/proc/self/task"), bytes: 0 }
    }

    /// As a child has said it.
    fn of_child(said: &str) -> Process {
        let mut numbers = said.split(' ').map(|it| it.parse::<i64>().unwrap());
        let mut next = || numbers.next().unwrap();
        let (bytes, files, threads) = (next(), next(), next());
        Process { files: usize::try_from(files).unwrap(), threads: usize::try_from(threads).unwrap(), bytes }
    }
}

/// What a step of the plugin in C said last, if it is done.
fn said(plugin: &Plugin, host: &FakeHost, run: &Run, word: &str) -> Option<String> {
    let run = Run { step: Step { params: json!(word), ..Step::default() }, ..run.clone() };
    let done = plugin.run(&run, host);
    let logs = std::mem::take(&mut host.record().logs);
    done.ok().map(|()| logs.into_iter().last().map_or_else(String::new, |(_, line)| line))
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

/// What cargo has built with the tests because it is an example.
fn built(name: &str) -> PathBuf {
    std::env::current_exe().unwrap().parent().unwrap().with_file_name("examples").join(name)
}
