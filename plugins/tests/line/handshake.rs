//! Every library that can't be used is refused in its own words, before more of it is touched than must be.

use std::fs;
use std::path::Path;

use forge_plugin::{BUILD_ID, Plugin, Plugins};

use crate::examples::{done, workspace, zig_command};
use crate::{c, echo};

/// Opens a plugin in C that is wrong in one way.
#[track_caller]
fn check(macros: &[&str], expect: &str) {
    let dir = tempfile::tempdir().unwrap();
    let file = c::plugin(dir.path(), "odd", macros);
    let opened = Plugin::open(&file).map(|plugin| plugin.name().to_owned());
    assert_eq!(said(dir.path(), opened), expect);
}

/// Opens a file with these bytes.
#[track_caller]
fn check_bytes(bytes: &[u8], expect: &str) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("odd.so");
    fs::write(&file, bytes).unwrap();
    assert_eq!(said(dir.path(), Plugin::open(&file)), expect);
}

fn said<T: std::fmt::Debug>(dir: &Path, opened: Result<T, forge_plugin::LoadError>) -> String {
    match opened {
        Ok(plugin) => format!("{plugin:?}").replace(&format!("{}/", dir.display()), ""),
        Err(error) => error
            .to_string()
            .replace(&format!("{}/", dir.display()), "")
            .replace(&forge_plugin::abi::platform(), "HERE")
            .replace(BUILD_ID, "OURS"),
    }
}

#[test]
fn good_ones() {
    check(&[], r#""odd-c""#);
    check(&["TABLE_SIZE=200", "FLAGS=0xfff0"], r#""odd-c""#);
}

#[test]
fn files_that_are_no_plugins() {
    check_bytes(b"", "odd.so: the file is empty: install the plugin again");
    check_bytes(b"#!/bin/sh\n", "odd.so: there is no plugin manifest in it: is it a forge plugin, and whole?");
    check_bytes(
        b"FORGE-PLUGIN-MANIFEST-1\n{\"name\":\"odd\"}",
        "odd.so: its manifest can't be read: missing field `version` at line 1 column 14",
    );
    let dir = tempfile::tempdir().unwrap();
    let (sub, gone) = (dir.path().join("sub"), dir.path().join("gone.so"));
    fs::create_dir(&sub).unwrap();
    assert_eq!(said(dir.path(), Plugin::open(&sub)), "sub: it is a directory: name the library in it");
    assert_eq!(said(dir.path(), Plugin::open(&gone)), "gone.so: can't be read: No such file or directory (os error 2)");
    assert_eq!(said(dir.path(), Plugin::open(Path::new("/dev/zero"))), "/dev/zero: it is not a file: name a library");
}

#[test]
fn cut_short() {
    let dir = tempfile::tempdir().unwrap();
    let whole = fs::read(c::plugin(dir.path(), "whole", &[])).unwrap();
    check_bytes(&whole[..64], "odd.so: there is no plugin manifest in it: is it a forge plugin, and whole?");
    let size = whole.len();
    check_bytes(
        &whole[..size - 1],
        &format!("odd.so: it is cut short: it has {} bytes of {size}: install the plugin again", size - 1),
    );
    let longer = [&whole[..], b"x"].concat();
    check_bytes(&longer, r#"Plugin { name: "odd-c", path: Some("odd.so"), .. }"#);
}

#[test]
fn what_the_system_says_is_passed_on() {
    let dir = tempfile::tempdir().unwrap();
    let file = c::plugin(dir.path(), "odd", &["FINI=nobody_has_this", "DECLARE=void nobody_has_this(void *);"]);
    let error = Plugin::open(&file).unwrap_err();
    assert_eq!(error.message(), "the system can't load it: undefined symbol: nobody_has_this");
}

#[test]
fn another_platform_is_seen_before_constructors_run() {
    let dir = tempfile::tempdir().unwrap();
    let touched = dir.path().join("touched");
    let touch = format!("TOUCH=\"{}\"", touched.display());
    check(
        &[&touch, "FORGE_PLATFORM=\"macos-aarch64\""],
        "odd.so: plugin `odd-c` 1.0.0 is built for macos-aarch64, this forge runs on HERE: install the build of the \
         plugin for HERE",
    );
    assert!(!touched.exists());
    check(&[&touch], r#""odd-c""#);
    assert!(touched.exists());
}

/// Real libraries: what they are for is read from any of them without knowing its format.
#[test]
fn libraries_of_other_platforms_are_told_what_they_are_for() {
    let dir = tempfile::tempdir().unwrap();
    let targets = [
        ("aarch64-linux-musl", "linux-aarch64-musl"),
        ("x86_64-linux-musl", "linux-x86_64-musl"),
        ("aarch64-macos", "macos-aarch64"),
        ("x86_64-windows-msvc", "windows-x86_64"),
    ];
    for (target, platform) in targets {
        let file = dir.path().join("odd.so");
        let mut zig = zig_command();
        zig.args(["cc", "-target", target, "-shared", "-nostdlib", "-o"]).arg(&file);
        done(zig.arg("-I").arg(workspace().join("plugins/include")).arg(c::source("elsewhere.c")));
        let expect = format!(
            "odd.so: plugin `elsewhere` 1.0.0 is built for {platform}, this forge runs on HERE: install the build of the \
             plugin for HERE"
        );
        assert_eq!(said(dir.path(), Plugin::open(&file)), expect);
    }
}

#[test]
fn another_abi() {
    check(
        &[
            r#"MANIFEST="FORGE-PLUGIN-MANIFEST-1\n{\"name\":\"x\",\"version\":\"1.0.0\",\"abi\":\"2.3\",\"platform\":\"p\"}""#,
        ],
        "odd.so: plugin `x` 1.0.0 needs plugin ABI 2.3, this forge speaks 1.0: update forge, or install a build of the \
         plugin for ABI 1",
    );
    check(&["ABI_MAJOR=2"], "odd.so: its table is of plugin ABI 2, this forge speaks 1.0: tell the plugin's author");
    check(
        &["ENTRY=forge_plugin_entry_v2"],
        "odd.so: it has an entry for plugin ABI 2 only, this forge speaks 1: update forge, or install a build of the \
         plugin for ABI 1",
    );
    check(&["MIN_HOST_MINOR=4"], "odd.so: it needs plugin ABI 1.4, this forge speaks 1.0: update forge");
}

#[test]
fn a_table_that_breaks_the_rules() {
    let tell = |what: &str| format!("odd.so: {what}: tell the plugin's author");
    check(&["ENTRY=plugin_entry"], &tell("it does not export `forge_plugin_entry_v1`"));
    check(&["NO_TABLE"], &tell("its entry hands out no table"));
    check(&["TABLE_SIZE=56"], &tell("its table has 56 bytes, and must have 64"));
    check(&["FINI=NULL"], &tell("a function of its table is missing"));
    check(
        &["FLAGS=(1ull<<40)", "ABI_MINOR=3"],
        "odd.so: it asks for what this forge can't do (flags 0x10000000000): it was made for plugin ABI 1.3, this forge \
         speaks 1.0: update forge",
    );
    check(&["HANDED_OUT=\"other\""], &tell("the manifest that it hands out is not the one in the file"));
    check(&["DESCRIBED=\"even\""], &tell("its manifest says pipes `odd`, and it describes itself as `even`"));
}

#[test]
fn a_service_that_it_can_not_do_without() {
    check(&["NEEDS=\"[\\\"exec\\\"]\""], r#""odd-c""#);
    let ours = env!("CARGO_PKG_VERSION");
    check(
        &["NEEDS=\"[\\\"exec\\\",\\\"time.travel\\\"]\""],
        &format!(
            "odd.so: plugin `odd-c` 1.0.0 (plugin ABI 1.0) needs the service `time.travel`, which forge {ours} (plugin ABI \
             1.0) does not have: update forge, or install an older version of the plugin"
        ),
    );
}

/// A pipe of a later time, in Rust.
mod later {
    use forge_plugin::schemas::{Failure, KindInfo, Problem, Step};
    use forge_plugin::{Given, Host, Pipe, Wants};

    struct Later;

    impl Pipe for Later {
        const NAME: &'static str = "later";
        const SUMMARY: &'static str = "Comes from the future";
        const NEEDS: &'static [&'static str] = &["secret.get", "time.travel"];
        type Settings = ();
        type Params = ();

        fn makes() -> Vec<KindInfo> {
            Vec::new()
        }

        fn takes(&(): &()) -> Result<Wants, Vec<Problem>> {
            Ok(Wants::default())
        }

        fn plan(&(): &(), _: &Given<'_>) -> Result<Vec<Step>, Vec<Problem>> {
            Ok(Vec::new())
        }

        fn run(&(): &(), _: &Step, _: &dyn Host) -> Result<(), Failure> {
            Ok(())
        }
    }

    forge_plugin::export! { name: "later", pipes: [Later] }
}

#[test]
fn a_service_that_a_pipe_in_rust_can_not_do_without() {
    let error = Plugin::linked(later::forge_plugin).unwrap_err();
    assert!(error.message().contains("needs the service `time.travel`"), "{}", error.message());
}

#[test]
fn init_that_refuses() {
    check(
        &["INIT_STATUS=FORGE_INCOMPATIBLE", "INIT_SAYS=\"no licence\""],
        "odd.so: it refuses this forge: no licence: update forge or the plugin",
    );
    check(
        &["INIT_STATUS=FORGE_FAILED"],
        "odd.so: its `init` failed: the plugin returned status 1 and no message: tell the plugin's author",
    );
}

#[test]
fn a_library_of_another_build() {
    let dir = tempfile::tempdir().unwrap();
    let file = c::plugin(dir.path(), "odd", &[]);
    let error = Plugin::open_of_build(&file, BUILD_ID).unwrap_err();
    assert!(error.is_stale());
    assert_eq!(
        said::<()>(dir.path(), Err(error)),
        "odd.so: it is of another build than this forge (build unknown, not OURS): run `cargo build` in forge's source \
         tree, or install forge and its pipes together"
    );
    let both = [dir.path().join("gone.so"), file.clone(), file, echo::library()];
    assert_eq!(Plugins::open_builtin(&both).unwrap().name(), "echo");
    let stale = Plugins::open_builtin(&both[..3]).unwrap_err();
    assert_eq!(stale.message().matches("odd.so").count(), 2, "{stale}");
    let gone = Plugins::open_builtin(&both[..1]).unwrap_err();
    assert!(!gone.is_stale() && gone.to_string().contains("gone.so: run `cargo build`"), "{gone}");
}

#[test]
fn what_is_mapped_is_what_was_hashed() {
    let dir = tempfile::tempdir().unwrap();
    let file = c::plugin(dir.path(), "odd", &[]);
    let plugin = Plugin::open(&file).unwrap();
    let bytes = fs::read(&file).unwrap();
    assert_eq!(plugin.digest(), Some(forge_plugin::schemas::Digest::of(&bytes)));
    // In place, as `cp` does: a library that is mapped from this file would crash now.
    fs::write(&file, vec![0xcc; bytes.len()]).unwrap();
    crate::misuse::run(&plugin, "nothing").0.unwrap();
}

#[test]
fn what_was_mapped_stays() {
    let dir = tempfile::tempdir().unwrap();
    let plugin = Plugin::open(&c::plugin(dir.path(), "odd", &[])).unwrap();
    let code = crate::misuse::run(&plugin, "where").1.logs[0].1.clone();
    let code = usize::from_str_radix(&code, 16).unwrap();
    // A thread that the plugin has left behind would run on what is no more.
    drop(plugin);
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let mut ranges = maps.lines().filter_map(|line| {
        let (from, to) = line.split_once(' ')?.0.split_once('-')?;
        let address = |text| usize::from_str_radix(text, 16).ok();
        Some((address(from)?..address(to)?, line.contains(" r-xp ")))
    });
    assert!(ranges.any(|(range, runs)| range.contains(&code) && runs), "{maps}");
}

#[test]
fn two_files_at_once_are_two_libraries() {
    let dir = tempfile::tempdir().unwrap();
    let files =
        [c::plugin(dir.path(), "a", &[]), c::plugin(dir.path(), "b", &["PIPES=\"[\\\"b\\\"]\"", "DESCRIBED=\"b\""])];
    let plugins = files.map(|file| Plugin::open(&file).unwrap());
    assert_eq!(plugins.each_ref().map(|plugin| plugin.info().pipes[0].name.as_str()), ["odd", "b"]);
}

#[test]
fn a_pipe_has_one_plugin() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (c::plugin(dir.path(), "a", &[]), c::plugin(dir.path(), "b", &["FLAGS=1"]));
    let mut plugins = Plugins::new();
    plugins.add(Plugin::linked(echo::forge_plugin).unwrap()).unwrap();
    plugins.add(Plugin::open(&first).unwrap()).unwrap();
    // The same content under another name is the same plugin.
    let alias = dir.path().join("alias.so");
    fs::copy(&first, &alias).unwrap();
    plugins.add(Plugin::open(&alias).unwrap()).unwrap();
    assert_eq!(plugins.plugins().len(), 2);
    let error = plugins.add(Plugin::open(&second).unwrap());
    assert_eq!(
        said(dir.path(), error),
        "b.so: plugin `odd-c` has a pipe `odd`, and so has plugin `odd-c`: load one of them"
    );
    let names: Vec<_> = plugins.pipes().map(|(plugin, pipe)| (plugin.name(), pipe.name.as_str())).collect();
    assert_eq!(names, [("echo", "echo"), ("odd-c", "odd")]);
    assert!(plugins.pipe("odd").is_some() && plugins.pipe("even").is_none());
}

/// Adds a plugin in C that makes this kind, beside one that comes with forge and makes `binary`.
#[track_caller]
fn check_kind(kind: &str, expect: Result<&str, &str>) {
    let dir = tempfile::tempdir().unwrap();
    let makes = format!("MAKES=\"[{{\\\"name\\\":\\\"{kind}\\\",\\\"detail\\\":{{}}}}]\"");
    let mut plugins = Plugins::new();
    plugins.add(Plugin::linked(echo::forge_plugin).unwrap()).unwrap();
    let added = plugins.add(Plugin::open(&c::plugin(dir.path(), "odd", &[&makes])).unwrap());
    let schema = added.map(|()| plugins.pipe("odd").unwrap().1.makes[0].detail.to_string());
    match (schema, expect) {
        (Ok(schema), Ok(expect)) => assert!(schema.contains(expect), "{schema}"),
        (Err(error), Err(expect)) => assert_eq!(said::<()>(dir.path(), Err(error)), expect),
        (schema, _) => panic!("{kind}: {schema:?}"),
    }
}

#[test]
fn kinds_bear_the_name_of_their_plugin() {
    check_kind("odd-c.report", Ok("{}"));
    // Forge's own mean the same whoever makes them: the schema is forge's.
    check_kind("binary", Ok("file_name"));
    check_kind(
        "report",
        Err(
            "odd.so: it makes a kind `report`, and forge has none of that name: tell the plugin's author: a kind of its \
             own is called `odd-c.report`",
        ),
    );
    check_kind(
        "acme.report",
        Err(
            "odd.so: it makes a kind `acme.report`, which only plugin `acme` may: tell the plugin's author: a kind of \
             its own is called `odd-c.` and a name",
        ),
    );
    check_kind(
        "odd-c.",
        Err("odd.so: it makes a kind `odd-c.`, which is no name of one: tell the plugin's author: behind the dot are \
             lower-case letters, digits and `_`"),
    );
}
