//! The rules that the sources keep, as tests: who may import whom, sizes, names, what stands at the head of a file.
//! Reads text, not syntax: sources are formatted, so that a function ends where its indentation says. Test code is left out.

#![expect(clippy::unwrap_used, reason = "a test that can not go on fails where it stands")]

mod files;

use std::collections::{BTreeMap, BTreeSet};

use files::{FILES, File, file, functions, rust, sources, unexplained};

/// What one module of the engine may import of the others. What is not named here imports nothing.
const ENGINE: &[(&str, &[&str])] = &[
    ("diagnostic", &["source"]),
    ("git", &["diagnostic"]),
    ("secrets", &["registries"]),
    ("project", &["source", "diagnostic", "plugins", "registries", "secrets"]),
    ("plan", &["source", "diagnostic", "project", "pipes"]),
    ("schedule", &["plan"]),
    ("run", &["plan", "schedule", "store", "pipes", "registries", "secrets"]),
    ("report", &["source", "diagnostic"]),
    (
        "cli",
        &[
            "source",
            "diagnostic",
            "git",
            "project",
            "pipes",
            "plan",
            "plugins",
            "schedule",
            "store",
            "run",
            "report",
            "registries",
            "secrets",
        ],
    ),
];

/// Which crate of the workspace may depend on which others, by the manifest's path.
const CRATES: &[(&str, &[&str])] = &[
    ("Cargo.toml", &["forge-schemas", "forge-plugin", "forge-pipes"]),
    ("schemas/Cargo.toml", &[]),
    ("plugins/Cargo.toml", &["forge-schemas"]),
    ("pipes/Cargo.toml", &["forge-schemas", "forge-plugin"]),
    ("pipes/dylib/Cargo.toml", &["forge-pipes", "forge-plugin"]),
];

/// What reaches out of the process, and where in engine and schemas that is allowed.
const OUTSIDE: &[(&str, &[&str])] = &[
    ("std::fs", &["main", "cli", "git", "source", "run", "store"]),
    ("std::env", &["main", "cli", "git", "run", "store"]),
    ("std::net", &["run"]),
    ("std::process::Command", &["git", "run"]),
    ("std::process::{", &["git", "run"]),
    ("SystemTime::now", &["cli", "run", "store"]),
    ("Timestamp::now", &["cli", "run"]),
    ("Instant::now", &["cli", "run", "report"]),
    ("std::io::std", &["cli", "report"]),
    ("tokio::", &["run"]),
    ("reqwest::", &["run"]),
    ("indicatif::", &["report"]),
    ("petgraph::", &["plan", "schedule"]),
    ("minijinja::", &["project"]),
];

/// The names at the top of the workspace.
const TOP: &[&str] = &[
    ".ci",
    ".gitignore",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "benches",
    "clippy.toml",
    "docs",
    "engine",
    "examples",
    "pipes",
    "plugins",
    "rust-toolchain.toml",
    "rustfmt.toml",
    "schemas",
    "tests",
];

/// Names that say nothing, for files and modules.
const EMPTY_NAMES: &[&str] =
    &["util", "utils", "helper", "helpers", "common", "base", "impl", "imp", "ctx", "cfg", "mgr", "manager", "misc"];

/// Files that may have such a name all the same, and why.
const NAMED_SO: &[(&str, &str)] =
    &[("pipes/src/docker/base.rs", "what an image stands on is called its base in the field")];

/// The most lines of code in a file; blank lines, comments and tests do not count.
const FILE: usize = 400;
/// The most lines of a function; of nineteen in twenty; of half of them.
const FUNCTION: [usize; 3] = [80, 45, 10];

/// Fails with all that breaks a rule.
fn none(rule: &str, broken: impl IntoIterator<Item = String>) {
    let broken: Vec<String> = broken.into_iter().collect();
    assert!(broken.is_empty(), "{rule}:\n{}", broken.join("\n"));
}

/// Every line of code that `is_bad`, as `path:line: text`.
fn lines<'f>(files: impl Iterator<Item = &'f File>, is_bad: impl Fn(&File, &str) -> bool) -> Vec<String> {
    let lines = files.flat_map(|file| file.code().map(move |(at, line)| (file, at, line)));
    let bad = lines.filter(|(file, _, line)| is_bad(file, line));
    bad.map(|(file, at, line)| format!("{}:{at}: {}", file.path, line.trim())).collect()
}

#[test]
fn modules_of_the_engine_import_what_stands_left_of_them() {
    let allowed: BTreeMap<&str, &[&str]> = ENGINE.iter().copied().collect();
    let is_bad = |file: &File, line: &str| {
        let Some(own) = file.module().filter(|it| *it != "lib" && *it != "main") else { return false };
        imported(line).any(|other| other != own && !allowed.get(own).is_some_and(|it| it.contains(&other)))
    };
    none("an import that the table of the engine does not allow", lines(sources(), is_bad));
    let up = |file: &File, line: &str| {
        let is_top = file.path.ends_with("/mod.rs") || file.path.matches('/').count() == 1;
        file.module().is_some() && (line.contains("super::super") || (is_top && line.contains("super::")))
    };
    none("modules of the engine name each other by `crate::`", lines(sources(), up));
}

/// The modules that a line names by `crate::`.
fn imported(line: &str) -> impl Iterator<Item = &str> {
    let is_name = |c: char| c.is_ascii_lowercase() || c == '_' || c == '{';
    line.match_indices("crate::").map(move |(at, it)| {
        let rest = &line[at + it.len()..];
        &rest[..rest.find(|c| !is_name(c)).unwrap_or(rest.len())]
    })
}

#[test]
fn crates_depend_on_what_stands_left_of_them() {
    for (path, allowed) in CRATES {
        let manifest: toml::Table = file(path).text.parse().unwrap();
        let own = manifest["dependencies"].as_table().unwrap().keys().filter(|it| it.starts_with("forge-"));
        let bad = own.filter(|it| !allowed.contains(&it.as_str())).map(|it| format!("{path}: {it}"));
        none("a dependency that the table of crates does not allow", bad);
        assert_eq!(manifest["lints"]["workspace"].as_bool(), Some(true), "{path} keeps the lints of the workspace");
    }
    let names_pipes = |file: &File, line: &str| {
        let is_engine = file.path.starts_with("engine/") && line.contains("forge_pipes");
        is_engine && !(file.path == "engine/main.rs" && file.text.contains("#[cfg(feature = \"static-pipes\")]"))
    };
    none("the engine does not know the pipes", lines(sources(), names_pipes));
    none(
        "pipes do not know the engine",
        lines(sources(), |file, line| file.path.starts_with("pipes/") && line.contains("forge_engine")),
    );
}

#[test]
fn the_engine_names_no_pipe_and_no_kind() {
    let kinds = file("schemas/src/kind.rs").text.lines().filter_map(|it| it.split("NAME: &'static str = ").nth(1));
    let kinds = kinds.map(|it| it.trim_end_matches(';').to_owned());
    let names: BTreeSet<String> = pipes().iter().map(|it| format!("{it:?}")).chain(kinds).collect();
    assert!(names.contains("\"image\"") && names.contains("\"docker\""), "the names are found: {names:?}");
    let is_bad = |file: &File, line: &str| file.module().is_some() && names.iter().any(|name| line.contains(name));
    none("a pipe or a kind by name", lines(sources(), is_bad));
}

/// The pipes that come with forge: a file each.
fn pipes() -> Vec<String> {
    let paths = FILES.iter().filter_map(|file| file.path.strip_prefix("pipes/src/")?.strip_suffix(".rs"));
    paths.filter(|it| !it.contains('/') && *it != "lib").map(ToOwned::to_owned).collect()
}

#[test]
fn every_pipe_has_cases_and_a_page() {
    let missing = pipes().into_iter().flat_map(|pipe| {
        let has_case = FILES.iter().any(|file| file.path.starts_with(&format!("tests/cases/{pipe}/")));
        let page = format!("docs/pipes/{pipe}.md");
        let has_page = FILES.iter().any(|file| file.path == page);
        [(has_case, format!("tests/cases/{pipe}/")), (has_page, page)]
    });
    none("missing", missing.filter(|(is_there, _)| !is_there).map(|(_, path)| path));
}

#[test]
fn only_some_modules_reach_out_of_the_process() {
    let is_bad = |file: &File, line: &str| {
        let module = file.module().or_else(|| file.path.strip_prefix("schemas/src/"));
        module.is_some_and(|module| OUTSIDE.iter().any(|(name, at)| line.contains(name) && !at.contains(&module)))
    };
    none("reaches out of the process where that is not allowed", lines(sources(), is_bad));
}

#[test]
fn files_are_small_and_say_what_they_do() {
    let long = sources().map(|file| (file, file.code().count())).filter(|(_, lines)| *lines > FILE);
    none("files with too many lines of code", long.map(|(file, lines)| format!("{}: {lines}", file.path)));
    let headless = FILES.iter().filter(|file| file.is_rust() && !file.path.starts_with("tests/cases/"));
    let headless = headless.filter(|file| {
        let wanted = if file.code().count() > 40 && !file.is_test() { 2 } else { 1 };
        file.text.lines().take_while(|line| line.starts_with("//!")).count() < wanted
    });
    none("files that begin without what they do, and what they do not know", headless.map(|it| it.path.clone()));
}

#[test]
fn functions_are_small() {
    let mut sizes: Vec<(usize, String)> = sources().flat_map(functions).collect();
    sizes.sort();
    let [most, many, half] = FUNCTION;
    let longest = sizes.iter().filter(|(size, _)| *size > most);
    none("functions that are too long", longest.map(|(size, name)| format!("{name}: {size}")));
    let at = |percent: usize| sizes[sizes.len() * percent / 100].0;
    assert!(at(95) < many, "the 95th percentile of functions has {} lines", at(95));
    assert!(at(50) <= half, "the median function has {} lines", at(50));
}

#[test]
fn names_say_something() {
    let stems = FILES.iter().filter(|file| file.is_rust()).filter(|file| {
        let names = file.path.trim_end_matches(".rs").split('/');
        names.into_iter().any(|it| EMPTY_NAMES.contains(&it)) && !NAMED_SO.iter().any(|(path, _)| *path == file.path)
    });
    none("files whose names say nothing", stems.map(|it| it.path.clone()));
    let words = ["ctx", "mgr", "cfg"];
    let is_bad = |_: &File, line: &str| {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let attribute = line.contains("cfg(") || line.contains("cfg!(") || line.contains("\"--cfg\"");
        !attribute && line.split(|c| !is_word(c)).any(|it| words.contains(&it))
    };
    none("names that say nothing", lines(sources(), is_bad));
}

#[test]
fn lints_are_lifted_with_a_reason_and_unsafe_code_says_why_it_is_sound() {
    let is_bad = |_: &File, line: &str| {
        ["#[allow(", "#![allow(", "todo!(", "unimplemented!("].iter().any(|it| line.contains(it))
    };
    none("`expect` with a reason, and nothing that is still to do", lines(rust(), is_bad));
    let unreasoned = rust().flat_map(|file| {
        let attributes = ["#[expect(", "#![expect("].into_iter().flat_map(|it| file.text.match_indices(it));
        let bad = attributes.filter(|(at, _)| !file.text[*at..].split(")]").next().unwrap().contains("reason"));
        bad.map(|(at, _)| format!("{}:{}", file.path, file.text[..at].lines().count()))
    });
    none("lints that are lifted without a reason", unreasoned);
    none(
        "unsafe code outside of plugins/",
        lines(sources(), |file, line| {
            !file.path.starts_with("plugins/") && line.split(' ').any(|word| word == "unsafe")
        }),
    );
    none("unsafe code without a SAFETY comment", sources().flat_map(unexplained));
}

#[test]
fn nothing_names_a_machine_or_who_wrote_it() {
    let words = [
        concat!("/wo", "rk/"),
        concat!("/ro", "ot/."),
        concat!("/ho", "me/"),
        concat!("clau", "de"),
        concat!("anthro", "pic"),
        concat!("chat", "gpt"),
        concat!("co-authored", "-by"),
        concat!("language ", "model"),
    ];
    let bad = FILES.iter().filter(|file| file.path != "Cargo.lock").flat_map(|file| {
        // `.forge/work` is a directory of every project, and `me` nobody.
        let lines = file.text.lines().map(|line| line.replace(".forge/work/", "").replace("/home/me", "")).enumerate();
        let bad = lines.filter(|(_, line)| words.iter().any(|word| line.to_lowercase().contains(word)));
        bad.map(|(at, line)| format!("{}:{}: {}", file.path, at + 1, line.trim()))
    });
    none("names of machines and of tools", bad);
    let top = FILES.iter().map(|file| file.path.split('/').next().unwrap()).collect::<BTreeSet<_>>();
    none("names at the top that nobody knows", top.into_iter().filter(|it| !TOP.contains(it)).map(ToOwned::to_owned));
}

#[test]
fn every_exit_code_is_documented() {
    let page = &file("docs/architecture.md").text;
    let codes =
        file("schemas/src/exit.rs").text.lines().filter_map(|it| it.strip_prefix("pub const ")?.split(" = ").nth(1));
    let codes: Vec<&str> = codes.map(|it| it.trim_end_matches(';')).collect();
    assert!(codes.contains(&"130"), "the codes are found: {codes:?}");
    none(
        "exit codes without a line in docs/architecture.md",
        codes.into_iter().filter(|code| !page.contains(&format!("| {code} |"))).map(ToOwned::to_owned),
    );
}

#[test]
fn every_invariant_names_a_test_that_there_is() {
    let page = &file("docs/architecture.md").text;
    let section = page.split("## What always holds").nth(1).unwrap().split("\n## ").next().unwrap();
    let words: Vec<&str> = section.split('`').skip(1).step_by(2).collect();
    let named: Vec<&[&str]> = words.windows(2).filter(|it| it[0].ends_with(".rs")).collect();
    assert!(named.len() >= 10, "the tests are found: {named:?}");
    let is_there = |path: &str, name: &str| {
        FILES.iter().any(|file| file.path == path && file.text.contains(&format!("fn {name}()")))
    };
    none("tests that there are not", named.into_iter().filter(|it| !is_there(it[0], it[1])).map(|it| it.join(" ")));
}

#[test]
fn messages_carry_no_content() {
    let is_bad = |file: &File, line: &str| file.path.starts_with("schemas/src/") && line.contains("Vec<u8>");
    none("content in a message", lines(sources(), is_bad));
}

#[test]
fn decisions_are_numbered_one_by_one() {
    let names = FILES.iter().filter_map(|file| file.path.strip_prefix("docs/decisions/")).map(|it| it[..4].to_owned());
    let wanted = (1..).map(|number| format!("{number:04}"));
    none("decisions out of their order", names.zip(wanted).filter(|(is, wanted)| is != wanted).map(|(is, _)| is));
}
