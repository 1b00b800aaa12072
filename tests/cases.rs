//! Every directory `tests/cases/AREA/NAME` is a test: its files are a project, `cmd` is what a user types there, `out.txt` what the user sees.
//! Knows no pipe and no command: a case is text. `UPDATE_EXPECT=1` writes what is seen now.

#![expect(clippy::unwrap_used, reason = "a test that can not go on fails where it stands")]

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::{env, fs, thread};

use crate::diff;

/// Files of a case that are not files of its project.
const OWN: [&str; 3] = ["cmd", "setup", "out.txt"];

/// Few enough that the machine is not asked for more than it has, and more than there are processors: a case mostly waits.
const SIDE_BY_SIDE: usize = 4;

/// A case as it stands on disk.
struct Case {
    name: String,
    directory: PathBuf,
}

#[test]
fn cases() {
    let cases = all();
    assert!(!cases.is_empty(), "there are no cases");
    let pipes = Command::new(env!("CARGO_BIN_EXE_forge")).arg("plugins").output().unwrap();
    assert!(pipes.status.success(), "`cargo build` makes the library that forge loads: {}", text(&pipes.stderr));
    let next = AtomicUsize::new(0);
    let differing = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let told = case.check();
                    differing.lock().unwrap_or_else(PoisonError::into_inner).extend(told);
                }
            });
        }
    });
    let mut differing = differing.into_inner().unwrap();
    differing.sort();
    assert!(differing.is_empty(), "{} of {} cases differ\n\n{}", differing.len(), cases.len(), differing.join("\n"));
}

/// Every case, sorted by name.
fn all() -> Vec<Case> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let areas = names_in(&top).into_iter().map(|area| (top.join(&area), area));
    areas
        .flat_map(|(directory, area)| {
            names_in(&directory)
                .into_iter()
                .map(move |name| Case { name: format!("{area}/{name}"), directory: directory.join(name) })
        })
        .collect()
}

fn names_in(directory: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

impl Case {
    /// What differs, if anything does.
    fn check(&self) -> Option<String> {
        let seen = match self.play() {
            Ok(seen) => seen,
            Err(words) => return Some(format!("{}: {words}\n", self.name)),
        };
        let file = self.directory.join("out.txt");
        let expected = fs::read_to_string(&file).unwrap_or_default();
        if seen == expected {
            return None;
        }
        if env::var_os("UPDATE_EXPECT").is_some() {
            return fs::write(&file, seen).err().map(|error| format!("{}: {error}\n", self.name));
        }
        Some(format!("tests/cases/{}/out.txt\n{}", self.name, diff::lines(&expected, &seen)))
    }

    /// What a user sees who types the lines of `cmd` in a copy of the project.
    fn play(&self) -> Result<String, String> {
        let scratch = tempfile::tempdir().map_err(|error| error.to_string())?;
        // Temporary directories may be behind a symbolic link, and forge says where a file is, not how it was reached.
        let place = scratch.path().canonicalize().map_err(|error| error.to_string())?;
        let project = place.join("project");
        copy(&self.directory, &project, &OWN).map_err(|error| error.to_string())?;
        if let Ok(setup) = fs::read_to_string(self.directory.join("setup")) {
            let output = shell(&place, &setup).output().map_err(|error| error.to_string())?;
            if !output.status.success() {
                return Err(format!("setup failed\n{}", text(&output.stderr)));
            }
        }
        let lines = fs::read_to_string(self.directory.join("cmd")).map_err(|error| format!("cmd: {error}"))?;
        let mut seen = String::new();
        for line in lines.lines().filter(|line| !line.trim().is_empty()) {
            let output = shell(&place, line).output().map_err(|error| error.to_string())?;
            show(line, &output, &mut seen);
        }
        Ok(normalize(&seen, &place.display().to_string()))
    }
}

fn show(line: &str, output: &Output, seen: &mut String) {
    let _ = writeln!(seen, "$ {line}");
    for (name, bytes) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
        if !bytes.is_empty() {
            let _ = writeln!(seen, "--- {name}\n{}", text(bytes).trim_end_matches('\n'));
        }
    }
    let code = output.status.code().map_or_else(|| "none: a signal".to_owned(), |code| code.to_string());
    let _ = writeln!(seen, "--- exit {code}\n");
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A shell in the project, for which this machine and its user are like any other.
fn shell(place: &Path, script: &str) -> Command {
    let mut command = Command::new("sh");
    command.arg("-euc").arg(script).current_dir(place.join("project")).env_clear();
    command.env("PATH", path()).env("HOME", place).env("LC_ALL", "C").env("TZ", "UTC");
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CEILING_DIRECTORIES", place);
    for role in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{role}_NAME"), "A").env(format!("GIT_{role}_EMAIL"), "a@example.org");
        command.env(format!("GIT_{role}_DATE"), "2024-05-01T12:00:00Z");
    }
    command
}

/// `PATH`, with the forge that is tested in front.
fn path() -> OsString {
    let forge = Path::new(env!("CARGO_BIN_EXE_forge")).parent().unwrap().to_owned();
    let others = env::var_os("PATH").unwrap_or_default();
    env::join_paths([forge].into_iter().chain(env::split_paths(&others))).unwrap()
}

fn copy(from: &Path, to: &Path, without: &[&str]) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        match entry.file_type()?.is_dir() {
            _ if without.iter().any(|it| name == *it) => {}
            true => copy(&entry.path(), &to.join(name), &[])?,
            false => drop(fs::copy(entry.path(), to.join(name))?),
        }
    }
    Ok(())
}

/// What is seen, without what differs from run to run and from machine to machine.
fn normalize(seen: &str, place: &str) -> String {
    let seen = seen.replace(&format!("{place}/project"), "[PROJECT]").replace(place, "[HOME]");
    let mut normal = String::new();
    for line in seen.split_inclusive('\n') {
        normal.push_str(&normal_line(line));
    }
    normal
}

/// Durations (`(0.4s)`, `(3m 05s)`), names of runs, and which build of a plugin was loaded from where.
fn normal_line(line: &str) -> String {
    // Pipes that are linked in have no file, and no digest.
    if line.starts_with("  digest ") {
        return String::new();
    }
    if let Some(start) = ["  from ", "  build "].iter().find(|start| line.starts_with(**start)) {
        return format!("{start}[{}]\n", start.trim().to_uppercase());
    }
    if let Some(cell) = line.trim_end().strip_prefix("  began    ").filter(|it| is_clock(it)) {
        return line.replace(cell, "[WHEN]");
    }
    let line = hide_after(line, "\"at\":", |c| c.is_ascii_digit(), "0");
    let line = hide_after(&line, "\"took\":", |c| c.is_ascii_digit(), "0");
    let line = hide_after(&line, "\"took\": ", |c| c.is_ascii_digit(), "0");
    let line = hide_after(&line, "\"began\": \"", |c| c.is_ascii_digit() || "-:TZ".contains(c), "[WHEN]");
    if line.starts_with("20") && run_in(&line).is_some_and(|run| line.starts_with(&run)) {
        return listed_run(&line);
    }
    let line = hide_after(&line, "\"run\": \"", |c| c.is_ascii_digit() || "TZ-".contains(c), "[RUN]");
    let line = hide_after(&line, ".forge/runs/", |c| c.is_ascii_digit() || "TZ-".contains(c), "[RUN]");
    let line = hide_after(&line, ".forge/work/", |c| c.is_ascii_digit() || "TZ-".contains(c), "[RUN]");
    match line.trim_end().strip_suffix("s)").and_then(|rest| rest.rsplit_once('(')) {
        Some((before, number))
            if !number.is_empty() && number.chars().all(|c| c.is_ascii_digit() || ". m".contains(c)) =>
        {
            format!("{before}([TIME])\n")
        }
        _ => line,
    }
}

/// The name of a run that a line begins with.
fn run_in(line: &str) -> Option<String> {
    let name = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').next()?;
    let is_run = name.get(8..9) == Some("T") && name.get(15..17) == Some("Z-");
    is_run.then(|| name.to_owned())
}

/// What is told of a run, without its name, its time, how long it took, and the room that these take.
fn listed_run(line: &str) -> String {
    let run = run_in(line).unwrap_or_default();
    let hide = |word: &str| match word.trim_end_matches(',') {
        bare if is_duration(bare) => word.replace(bare, "[TIME]"),
        _ => word.to_owned(),
    };
    let cells = line.trim_end().split("  ").map(str::trim).filter(|cell| !cell.is_empty());
    let cells = cells.map(|cell| match is_clock(cell) {
        true => "[WHEN]".to_owned(),
        false => cell.split(' ').map(hide).collect::<Vec<_>>().join(" "),
    });
    cells.collect::<Vec<_>>().join("  ").replacen(&run, "[RUN]", 1) + "\n"
}

/// `12.4s`
fn is_duration(word: &str) -> bool {
    let parts = word.strip_suffix('s').and_then(|number| number.split_once('.'));
    parts.is_some_and(|(whole, tenths)| [whole, tenths].iter().all(|it| it.chars().all(|c| c.is_ascii_digit())))
}

/// `2026-05-06 07:08:09 UTC`
fn is_clock(cell: &str) -> bool {
    cell.ends_with(" UTC") && cell.len() == 23 && cell.starts_with("20")
}

/// Every longest run of characters of a sort that follows `before`, replaced.
fn hide_after(line: &str, before: &str, is_hidden: impl Fn(char) -> bool, instead: &str) -> String {
    let mut parts = line.split(before);
    let mut hidden = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(&is_hidden);
        let shown = if rest.len() < part.len() { instead } else { "" };
        hidden.extend([before, shown, rest]);
    }
    hidden
}
