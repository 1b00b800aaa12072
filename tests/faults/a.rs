//! Rows A: crashes, disks and the operating system. Rows I: other forges, and the store's own keeping.
//! Does not know registries.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::small::{RUN, TASKS, blobs, files, goes_on, left_over, rot, small, write, wrong};
use crate::support::disk::{Disk, failing};
use crate::support::forge::Ended;
use crate::support::program::run;
use crate::support::project::Project;

/// What a run of all tasks says at its end.
fn says_done(ended: &Ended, tasks: usize) {
    assert!(ended.stderr.contains(&format!("{tasks} done")), "{}", ended.stderr);
}

#[test]
fn a4_every_state_file_may_be_cut_short_or_changed() {
    let project = small();
    project.forge(&RUN).expect(0);
    let states =
        ["record", "hashes", "plan", "lists", "store/index.json", "store/oci-layout"].map(|it| format!(".forge/{it}"));
    let states = states.into_iter().chain(["dist/artifacts.json", "dist/metadata.json"].map(ToOwned::to_owned));
    for state in states {
        let path = project.root().join(&state);
        let length = fs::metadata(&path).expect("a file").len() as usize;
        for cut in [0, 1, length / 2, length - 1] {
            rot(&path, |bytes| bytes.truncate(cut));
            goes_on(&project, &format!("{state} was cut at {cut}"));
        }
        for at in [0, length / 3, length - 1] {
            rot(&path, |bytes| bytes[at] ^= 0x04);
            // What people look at is looked into only when its times say so.
            if state.starts_with("dist/") {
                run(["touch", &path.display().to_string()]);
            }
            goes_on(&project, &format!("{state} was changed at {at}"));
        }
    }
}

#[test]
fn a4_a_record_that_was_cut_short_is_told_of() {
    let project = small();
    project.forge(&RUN).expect(0);
    rot(&project.root().join(".forge/record"), |bytes| bytes.truncate(bytes.len() - 1));
    let ended = project.forge(&RUN).expect(0);
    assert!(ended.stderr.contains("the last entry of the record of tasks was cut short"), "{}", ended.stderr);
    assert!(
        ended.stderr.contains(&format!("1 done, {} fresh", TASKS - 1)),
        "what was whole is fresh: {}",
        ended.stderr
    );
    let again = project.forge(&RUN).expect(0);
    assert!(!again.stderr.contains("cut short"), "{}", again.stderr);
}

#[test]
fn a5_a_damaged_record_is_set_aside() {
    let project = small();
    project.forge(&RUN).expect(0);
    rot(&project.root().join(".forge/record"), |bytes| bytes[20] ^= 1);
    let ended = project.forge(&RUN).expect(0);
    assert!(ended.stderr.contains("set aside as `.forge/record.damaged`"), "{}", ended.stderr);
    says_done(&ended, TASKS);
    let again = project.forge(&RUN).expect(0);
    assert!(again.stderr.contains("nothing to do") && !again.stderr.contains("set aside"), "{}", again.stderr);
    assert!(project.root().join(".forge/record.damaged").exists());
    project.forge(&["clean"]).expect(0);
    assert!(!project.root().join(".forge/record.damaged").exists());
    assert_eq!(wrong(&project), [""; 0]);
}

/// Runs on disks with more and more room until one is enough. Each run that fails says why, leaves nothing half written, and
/// is followed by one that ends well.
fn on_small_disks(least: usize, options: impl Fn(usize) -> String + Sync, plenty: &str) {
    let next = AtomicUsize::new(least);
    let enough = AtomicUsize::new(usize::MAX);
    let one = || loop {
        let room = next.fetch_add(1, Ordering::Relaxed);
        if room > enough.load(Ordering::Relaxed) {
            return;
        }
        assert!(room < 500, "a disk of any size is full");
        let project = Project::of_text("");
        let disk = Disk::over(&project.root(), plenty);
        write(&project);
        disk.change(&options(room));
        let ended = project.forge(&RUN);
        match ended.code {
            Some(0) => drop(enough.fetch_min(room, Ordering::Relaxed)),
            _ => is_full(&project, ended),
        }
        disk.change(plenty);
        goes_on(&project, &options(room));
    };
    std::thread::scope(|threads| {
        for _ in 0..3 {
            threads.spawn(one);
        }
    });
    let enough = enough.into_inner();
    assert!(enough > least + 5, "the disk was full in few places only: {enough}");
}

/// Forge says so, or a program that it has started.
fn is_full(project: &Project, ended: Ended) {
    let ended = ended.expect(1);
    let said = &ended.stderr;
    let by_forge = said.contains("the disk is full: can't ") && said.contains("make room where `/");
    assert!(by_forge || said.contains("No space left on device"), "{said}");
    assert!(left_over(project).is_empty(), "{:?} is left: {said}", left_over(project));
}

#[test]
fn a6_a_disk_that_is_full_at_every_page() {
    on_small_disks(2, |pages| format!("size={}k", 4 * pages), "size=16m");
}

#[test]
fn a6_a_disk_that_is_full_at_every_file() {
    on_small_disks(4, |files| format!("nr_inodes={files}"), "nr_inodes=10000");
}

#[test]
fn a6_a_disk_that_is_full_can_be_cleaned() {
    let project = Project::of_text("");
    let disk = Disk::over(&project.root(), "size=1m");
    write(&project);
    project.forge(&RUN).expect(0);
    let first = blobs(&project);
    project.write("source.txt", "other\n");
    project.forge(&RUN).expect(0);
    let mut ballast = fs::File::create(project.root().join("ballast")).expect("a file");
    let error = std::io::copy(&mut std::io::repeat(0), &mut ballast).expect_err("the disk is full");
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    project.write("source.txt", "hello\n");
    is_full(&project, project.forge(&RUN));
    let said = project.forge(&["clean"]).expect(0).stdout;
    assert!(said.contains(&format!("{TASKS} entries of the record")), "{said}");
    assert!(blobs(&project).iter().all(|it| !first.contains(it)), "what it was before is gone");
    drop(ballast);
    fs::remove_file(project.root().join("ballast")).expect("a file");
    goes_on(&project, "a full disk was cleaned");
    drop(disk);
}

/// Lets the first call, the second, … of each thread fail, until no thread makes as many.
fn at_every_call(calls: &str, error: &str, expect: impl Fn(&Project, Ended)) {
    for when in 1..100 {
        let project = small();
        let trace = project.place().join("trace");
        let inject = format!("{calls}:error={error}:when={when}");
        let ended = Ended::of(&mut failing(&project.command(&RUN), &inject, None, &trace));
        if !fs::read_to_string(&trace).expect("what was traced").contains("(INJECTED)") {
            assert!(when > 3, "{calls}: few calls were there to fail");
            return;
        }
        expect(&project, ended);
        assert!(left_over(&project).is_empty(), "{inject}: {:?} is left", left_over(&project));
        goes_on(&project, &inject);
    }
    panic!("{calls}: every thread makes a hundred");
}

#[test]
fn a7_a_disk_that_fails_at_every_sync() {
    at_every_call("fsync,fdatasync", "EIO", |_, ended| {
        let ended = ended.expect(1);
        assert!(ended.stderr.contains("(os error 5)"), "{}", ended.stderr);
    });
}

#[test]
fn a7_a_disk_that_fails_at_every_rename() {
    at_every_call("rename,renameat,renameat2", "EIO", |_, ended| {
        let ended = ended.expect(1);
        assert!(ended.stderr.contains("(os error 5)"), "{}", ended.stderr);
    });
}

#[test]
fn a8_an_interrupted_call_is_made_again() {
    let check = |inject: &str, file: Option<&str>| {
        let project = small();
        let (trace, path) = (project.place().join("trace"), file.map(|it| project.root().join(it)));
        project.write(".forge/lock", "");
        let mut command = failing(&project.command(&RUN), inject, path.as_deref(), &trace);
        says_done(&Ended::of(&mut command).expect(0), TASKS);
        assert!(fs::read_to_string(&trace).expect("what was traced").contains("(INJECTED)"), "{inject}");
        assert_eq!(wrong(&project), [""; 0], "{inject}");
    };
    check("write:error=EINTR:when=1", Some(".forge/record"));
    check("write:error=EINTR:when=3", Some(".forge/record"));
    check("fsync,fdatasync:error=EINTR:when=1", None);
    check("fsync,fdatasync:error=EINTR:when=3", None);
}

#[test]
fn a6_a_record_that_finds_no_room_is_no_shorter_for_it() {
    for when in 1..=TASKS {
        let project = small();
        let inject = format!("write:error=ENOSPC:when={when}");
        let (trace, record) = (project.place().join("trace"), project.root().join(".forge/record"));
        let ended = Ended::of(&mut failing(&project.command(&RUN), &inject, Some(&record), &trace)).expect(1);
        let said = format!("error: the disk is full: can't write `{}`", record.display());
        assert!(ended.stderr.contains(&said), "{}", ended.stderr);
        let again = project.forge(&RUN).expect(0);
        says_done(&again, TASKS + 1 - when);
        assert_eq!(wrong(&project), [""; 0], "{inject}");
    }
}

#[test]
fn a9_a_directory_that_can_not_be_written_to() {
    let project = Project::of_text("");
    let disk = Disk::over(&project.root(), "size=16m");
    write(&project);
    let refused = |project: &Project| {
        let ended = project.forge(&RUN).expect(1);
        let words = [format!("`{}/.forge", project.root().display()), "Read-only file system".to_owned()];
        for words in words.iter().map(String::as_str).chain(["help: forge writes below", "mount it for writing"]) {
            assert!(ended.stderr.contains(words), "`{words}` is missing: {}", ended.stderr);
        }
    };
    disk.change("ro");
    refused(&project);
    disk.change("rw");
    goes_on(&project, "a disk for reading only");
    let before = tree(&project.root());
    disk.change("ro");
    refused(&project);
    assert_eq!(tree(&project.root()), before);
}

#[test]
fn a9_without_a_home_and_an_environment() {
    let project = small();
    let mut command = Command::new(crate::support::forge::executable());
    command.arg("-C").arg(project.root()).args(RUN).env_clear().env("PATH", "/usr/bin:/bin");
    says_done(&Ended::of(&mut command).expect(0), TASKS);
    assert_eq!(wrong(&project), [""; 0]);
}

#[test]
fn a10_temporary_files_elsewhere() {
    let project = small();
    let (elsewhere, trace) = (project.place().join("elsewhere"), project.place().join("trace"));
    fs::create_dir(&elsewhere).expect("a directory");
    let _disk = Disk::over(&elsewhere, "size=1m");
    let mut command = project.command(&RUN);
    command.env("TMPDIR", &elsewhere);
    let calls = "rename,renameat,renameat2,link,linkat";
    says_done(&Ended::of(&mut failing(&command, calls, None, &trace)).expect(0), TASKS);
    let trace = fs::read_to_string(trace).expect("what was traced");
    assert!(trace.contains("rename") && trace.contains("link"), "the calls are traced: {trace}");
    assert!(!trace.contains("EXDEV"), "{trace}");
    assert_eq!(wrong(&project), [""; 0]);
}

#[test]
fn a11_a_file_system_without_links() {
    let project = small();
    let trace = project.place().join("trace");
    let command = failing(&project.command(&RUN), "link,linkat:error=EOPNOTSUPP", None, &trace);
    says_done(&Ended::of(&mut { command }).expect(0), TASKS);
    let shown = project.root().join("dist/hello_linux_arm64/hello");
    assert_eq!(fs::metadata(&shown).expect("a file").nlink(), 1, "it is a copy");
    assert_eq!(wrong(&project), [""; 0]);
    goes_on(&project, "copies");
}

#[test]
fn a17_what_vanishes_is_made_again() {
    let project = small();
    project.forge(&RUN).expect(0);
    for path in ["dist", ".forge/store", ".forge/store/blobs", ".forge/runs", ".forge/work", ".forge"] {
        fs::remove_dir_all(project.root().join(path)).expect("a directory");
        goes_on(&project, &format!("{path} was removed"));
    }
    for blob in blobs(&project) {
        fs::remove_file(&blob).expect("a file");
        goes_on(&project, &format!("{} was removed", blob.display()));
    }
}

/// Every file, its content and its time.
fn tree(root: &Path) -> Vec<(PathBuf, Vec<u8>, i64)> {
    let state = |path: PathBuf| {
        let time = fs::metadata(&path).expect("a file").mtime_nsec();
        (path.clone(), fs::read(path).expect("a file"), time)
    };
    files(root).into_iter().map(state).collect()
}

#[test]
fn i1_a_folder_of_a_newer_forge_is_left_alone() {
    let project = small();
    project.forge(&RUN).expect(0);
    project.write(".forge/format", "3\n");
    let before = tree(&project.root());
    for command in [&RUN[..], &["clean"], &["clean", "--all"], &["clean", "--older", "0s"], &["store", "verify"]] {
        let ended = project.forge(command).expect(1);
        assert!(ended.stderr.contains("was written by a newer forge (format 3"), "{}", ended.stderr);
        assert!(ended.stderr.contains("nothing was changed"), "{}", ended.stderr);
        assert_eq!(tree(&project.root()), before, "{command:?}");
    }
}

#[test]
fn i1_a_folder_of_an_older_forge_is_begun_anew() {
    let project = small();
    project.forge(&RUN).expect(0);
    fs::remove_file(project.root().join(".forge/format")).expect("a file");
    says_done(&project.forge(&RUN).expect(0), TASKS);
    assert_eq!(wrong(&project), [""; 0]);
}

#[test]
fn i4_what_is_cleaned_away_need_not_be_made_again() {
    let project = small();
    project.forge(&RUN).expect(0);
    let first = blobs(&project);
    assert_eq!(project.forge(&["clean"]).expect(0).stdout, "nothing to remove\n");
    project.write("source.txt", "other\n");
    project.forge(&RUN).expect(0);
    assert!(blobs(&project).len() > first.len());
    let said = project.forge(&["clean"]).expect(0).stdout;
    assert!(
        said.starts_with(&format!("removed {} files of the store, {TASKS} entries of the record", first.len())),
        "{said}"
    );
    assert!(blobs(&project).iter().all(|it| !first.contains(it)));
    let again = project.forge(&RUN).expect(0);
    assert!(again.stderr.contains("nothing to do"), "{}", again.stderr);
    project.forge(&["store", "verify"]).expect(0);
    project.write("source.txt", "hello\n");
    goes_on(&project, "what it was before was cleaned away");
}

#[test]
fn i4_all_is_removed_but_what_others_put_there() {
    let project = small();
    project.forge(&RUN).expect(0);
    project.write("dist/mine/notes.txt", "mine");
    project.forge(&["clean", "--all"]).expect(0);
    let left: Vec<PathBuf> = files(&project.root());
    let expect = ["dist/mine/notes.txt", "forge.toml", "source.txt"].map(|it| project.root().join(it));
    assert_eq!(left, expect);
    assert!(!project.root().join(".forge").exists() && !project.root().join("dist/hello_linux_arm64").exists());
    assert_eq!(project.forge(&["clean"]).expect(0).stdout, "nothing to remove\n");
    goes_on(&project, "all was removed");
}

#[test]
fn i5_a_wrong_file_is_found_and_set_aside() {
    for at in 0..blobs(&{
        let project = small();
        project.forge(&RUN).expect(0);
        project
    })
    .len()
    {
        let project = small();
        project.forge(&RUN).expect(0);
        let blob = blobs(&project)[at].clone();
        rot(&blob, |bytes| bytes[0] ^= 1);
        assert_eq!(fs::metadata(&blob).expect("a file").mtime(), 0, "nothing but its content tells");
        let ended = project.forge(&["store", "verify"]).expect(1);
        let name = blob.file_name().expect("a name").to_string_lossy().into_owned();
        for words in [format!("sha256:{name}"), format!("set aside as `.forge/damaged/{name}`")] {
            assert!(ended.stderr.contains(&words), "`{words}` is missing: {}", ended.stderr);
        }
        assert!(project.root().join(".forge/damaged").join(&name).exists() && !blob.exists());
        goes_on(&project, "a wrong file was set aside");
    }
}
