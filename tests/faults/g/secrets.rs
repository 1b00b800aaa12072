//! A plugin that asks for a secret itself: it gets it where its table says `reveal = true`, and it is shown nowhere even then.
//! Does not look at what programs are granted.

use super::evil::{LIBRARY, build, text};
use crate::support::forge::Ended;
use crate::support::project::Project;

const KEY: &str = "s3cret-0123456789-abcdef";

/// A run of a table of this mode, with these keys, in a child and in forge's own process.
fn runs(mode: &str, keys: &str, code: i32) -> [(Project, Ended); 2] {
    ["", "isolation = \"in-process\""].map(|isolation| {
        let more = format!("{keys}\n[secrets]\nkey = {{ env = \"KEY\" }}\n");
        let project = Project::of_text(&format!("{}{more}", text(&[mode], isolation))).env("KEY", KEY);
        build(&project, LIBRARY, &[]);
        let ended = project.forge(&["run", "evil", "--snapshot", "--verbose"]).expect(code);
        assert!(!ended.stderr.contains(KEY) && !ended.stdout.contains(KEY), "{}", ended.stderr);
        (project, ended)
    })
}

/// The step fails with these words.
#[track_caller]
fn fails(mode: &str, keys: &str, words: &str) {
    for (_, ended) in runs(mode, keys, 1) {
        assert!(ended.stderr.contains(words), "{}", ended.stderr);
    }
}

#[test]
fn h3_a_plugin_holds_a_secret_that_its_table_reveals() {
    for (project, ended) in runs("secret", "secrets = [\"key\"]\nreveal = true", 0) {
        assert!(ended.stderr.contains(&format!("it has {} bytes: ***", KEY.len())), "{}", ended.stderr);
        let mut grep = std::process::Command::new("grep");
        let found = grep.args(["--recursive", "--files-with-matches", KEY]).arg(project.root()).output();
        assert_eq!(String::from_utf8_lossy(&found.expect("grep can be started").stdout), "");
    }
}

#[test]
fn h3_a_plugin_gets_no_secret_that_its_table_does_not_reveal() {
    let words = "`evil:secret` does not reveal a secret `key` to its plugin";
    fails("secret", "", words);
    fails("secret", "secrets = [\"key\"]", "help: write `reveal = true` in its table, if the plugin is to hold it");
    fails("secret", "secrets = [\"key\"]\nreveal = false", words);
}

#[test]
fn h2_what_it_makes_has_no_secret_in_it() {
    let words = "the secret `key` is in `made`, which the step has made";
    fails("secret_made", "secrets = [\"key\"]\nreveal = true", words);
}

#[test]
fn what_reveal_may_say() {
    let check = |keys: &str, words: &str| {
        let project = Project::of_text(&format!("{}{keys}\n", text(&["good"], "")));
        build(&project, LIBRARY, &[]);
        let ended = project.forge(&["check"]).expect(2);
        assert_eq!(ended.stderr.lines().next(), Some(words));
    };
    check("reveal = true", "error: `reveal` without `secrets`");
    check("reveal = [\"key\"]", "error: `reveal` is true or false");
}
