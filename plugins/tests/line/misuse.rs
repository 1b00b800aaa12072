//! What a plugin gets wrong while it runs ends its task, and says whose bug it is.

use forge_plugin::Plugin;
use forge_plugin::schemas::{Failure, FailureClass, Level, Step, TableName, Takes};
use forge_plugin::testing::{FakeHost, Record};
use serde_json::json;

use crate::{c, child};

/// Runs a step of the plugin in C whose parameters are `word`.
pub fn run(plugin: &Plugin, word: &str) -> (Result<(), Failure>, Record) {
    let mut host = FakeHost::new();
    let step = Step { params: json!(word), ..Step::default() };
    let run = host.begin(&TableName::new("odd", "test"), &step).unwrap();
    let result = plugin.run(&run, &host);
    let record = host.record().clone();
    (result, record)
}

/// The plugin in C with these macros, in this process and in a child.
fn odd(macros: &[&str]) -> [Plugin; 2] {
    let dir = tempfile::tempdir().unwrap();
    let file = c::plugin(dir.path(), "odd", macros);
    [Plugin::open(&file).unwrap(), child::open(&file)]
}

#[track_caller]
fn check(plugin: &Plugin, word: &str, class: FailureClass, expect: &str) {
    let failure = run(plugin, word).0.unwrap_err();
    assert_eq!((failure.class, failure.message.as_str()), (class, expect));
}

#[test]
fn failures() {
    for plugin in odd(&[]) {
        let bug = |word: &str, what: &str| {
            check(&plugin, word, FailureClass::Bug, &format!("bug in plugin `odd-c` 1.0.0: {what}"));
        };
        bug("status_77", "the plugin returned status 77 and no message");
        bug("bad_error", "the plugin returned status 1 and no message");
        bug("bad_reply", "the plugin's answer is not UTF-8");
        bug("hole", "the plugin said something without a pointer to it");
        bug("too_long", "the plugin said more than a message may have");
        bug("empty_reply", "the answer to `run` is not the message: EOF while parsing a value at line 1 column 0");
        bug("no_json", "the answer to `run` is not the message: EOF while parsing an object at line 1 column 1");
        check(&plugin, "text_error", FailureClass::Tool, "out of paper");
    }
}

#[test]
fn oddities_that_are_no_failures() {
    for plugin in odd(&[]) {
        let logs = |word: &str| {
            let (result, record) = run(&plugin, word);
            assert_eq!(result, Ok(()), "{word}");
            record.logs
        };
        assert_eq!(logs("nothing"), []);
        let warning = "the plugin set an error and returned no failure".to_owned();
        assert_eq!(logs("error_and_ok"), [(Level::Warn, warning)]);
        assert_eq!(logs("bad_log"), [(Level::Info, "a\u{fffd}b".to_owned()), (Level::Info, "c".to_owned())]);
        let bad = logs("bad_services");
        assert!(bad[0].1.contains("not UTF-8") && bad[1].1.ends_with("{\"n\":1}"), "{bad:?}");
        let takes = Takes { table: TableName::new("odd", "a"), settings: json!({}) };
        assert_eq!(plugin.takes(&takes), Ok(Default::default()));
    }
}

#[test]
fn who_comes_late_is_told_so() {
    for plugin in odd(&[]) {
        run(&plugin, "nothing").0.unwrap();
        for _ in 0..10 {
            run(&plugin, "text_error").0.unwrap_err();
        }
        let (result, record) = run(&plugin, "ask_late");
        assert_eq!(result, Ok(()));
        // Two calls use up `old_call`: this one runs while the call it asks for is over.
        assert_eq!(record.logs, [(Level::Info, "7 of 7 are stale".to_owned())]);
        assert_eq!(record.progress, []);
    }
}

#[test]
fn it_is_told_whether_it_is_alone_in_its_process() {
    for (plugin, expect) in odd(&[]).iter().zip(["in company", "alone"]) {
        assert_eq!(run(plugin, "alone").1.logs, [(Level::Info, expect.to_owned())]);
    }
}

/// 64 threads, so many calls each: everyone is answered what he has asked.
#[track_caller]
fn many(plugin: &Plugin, calls: usize, how: &str) {
    std::thread::scope(|scope| {
        for thread in 0..64 {
            scope.spawn(move || {
                for call in thread * calls..(thread + 1) * calls {
                    let settings = json!({ "n": call.to_string(), "how": how });
                    let reply = plugin.takes(&Takes { table: TableName::new("odd", "a"), settings }).unwrap();
                    assert_eq!(reply.selectors[0].key, call.to_string());
                }
            });
        }
    });
}

#[test]
fn many_threads_at_once() {
    let [here, child] = odd(&[]);
    many(&here, 1000, "");
    many(&child, 30, "");
}

#[test]
fn one_at_a_time_if_it_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let ended = dir.path().join("ended");
    let [here, child] = odd(&["FLAGS=FORGE_PF_SERIAL", &format!("LEAVES=\"{}\"", ended.display())]);
    many(&here, 1000, "alone");
    many(&child, 30, "alone");
    assert!(!ended.exists());
    drop(here);
    assert_eq!(std::fs::read_to_string(&ended).unwrap(), "alone", "`fini` waits for all calls");
}
