//! Rows A1 and A2: a release to a real registry that is killed wherever it can be, and run once more.
//! Does not know what a release does.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use rustix::process::Signal;

use crate::support::forge::{Ended, Running};
use crate::support::program::run;
use crate::support::project::Project;
use crate::support::registry::{Contents, Registry, changes};
use crate::support::small;

/// What touches files, calls that are one to a user on a line, and how many of them are tried: the first that a thread makes,
/// its second, and so on. What a release does not come to kills nothing.
const CALLS: [(&str, usize); 12] = [
    ("openat", 24),
    ("write", 18),
    ("close", 8),
    ("rename,renameat,renameat2", 12),
    ("link,linkat", 9),
    ("mkdir,mkdirat", 8),
    ("unlink,unlinkat,rmdir", 12),
    ("fsync,fdatasync,syncfs", 16),
    ("ftruncate", 1),
    ("fchmod,fchmodat,chmod", 6),
    ("utimensat", 3),
    ("fcntl", 2),
];

/// So many of these must have killed a release.
const KILLS: usize = 100;

/// A release that nobody disturbed, which every other must be like in the end.
struct Undisturbed {
    registry: Contents,
    changes: BTreeMap<String, usize>,
    digests: Vec<String>,
    events: usize,
}

/// A release that is to be killed.
struct Release {
    registry: Registry,
    project: Project,
}

impl Release {
    fn new() -> Release {
        let registry = Registry::start();
        let project = small::project(registry.address());
        Release { registry, project }
    }

    /// What was made, by name. Where the address of the registry stands in the content, the digest is one of this test.
    fn digests(&self) -> Vec<String> {
        let address = self.registry.address().replace(':', "_");
        let line = |it: String| match it.split_once(&address) {
            Some((before, after)) => format!("{before}REGISTRY{}", after.split(" sha256:").next().unwrap_or_default()),
            None if it.starts_with("digests ") => it.split(" sha256:").next().unwrap_or_default().to_owned(),
            None => it,
        };
        self.project.digests().into_iter().map(line).collect()
    }

    /// What differs from an undisturbed release after one more run.
    fn converge(mut self, undisturbed: &Undisturbed) -> Vec<String> {
        let ended = self.project.forge(&["run", "release"]);
        if ended.code != Some(0) {
            return vec![format!("the second run fails: {}", ended.stderr)];
        }
        small::check_store(&self.project);
        let mut wrong = self.registry.contents().differences(&undisturbed.registry);
        wrong.extend(unlike("dist", &self.digests(), &undisturbed.digests));
        for (what, count) in changes(&self.registry.requests()) {
            if undisturbed.changes.get(&what) != Some(&count) {
                wrong.push(format!("{what} was done {count} times"));
            }
        }
        wrong
    }
}

fn undisturbed() -> Undisturbed {
    let mut release = Release::new();
    let ended = release.project.forge(&["run", "release", "--json"]).expect(0);
    let changes = changes(&release.registry.requests());
    assert!(changes.len() > 5 && changes.values().all(|count| *count == 1), "{changes:#?}");
    Undisturbed {
        registry: release.registry.contents(),
        changes,
        digests: release.digests(),
        events: ended.stdout.lines().count(),
    }
}

fn unlike(what: &str, ours: &[String], theirs: &[String]) -> Vec<String> {
    let (ours, theirs): (BTreeSet<&String>, BTreeSet<&String>) = (ours.iter().collect(), theirs.iter().collect());
    ours.symmetric_difference(&theirs).map(|it| format!("{what}: {it}")).collect()
}

/// Kills releases side by side, each at another place. Answers what was wrong after each.
fn everywhere(places: usize, kill: impl Fn(usize, &Project) + Sync, undisturbed: &Undisturbed) -> Vec<String> {
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|threads| {
        for _ in 0..3 {
            threads.spawn(|| {
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    if place >= places {
                        return;
                    }
                    let release = Release::new();
                    kill(place, &release.project);
                    let found = release.converge(undisturbed);
                    let found = found.into_iter().map(|it| format!("killed at {place}: {it}"));
                    wrong.lock().unwrap_or_else(PoisonError::into_inner).extend(found);
                }
            });
        }
    });
    wrong.into_inner().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn a2_killed_at_all_that_a_release_tells() {
    let undisturbed = undisturbed();
    let kill = |place: usize, project: &Project| {
        let mut running = Running::start(&mut project.command(&["run", "release", "--json"]));
        running.skip(place + 1);
        running.signal(Signal::KILL);
        running.end();
    };
    let wrong = everywhere(undisturbed.events, kill, &undisturbed);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a1_killed_at_a_hundred_calls_of_the_file_system() {
    let undisturbed = undisturbed();
    let places: Vec<(&str, usize)> =
        CALLS.iter().flat_map(|(calls, many)| (1..=*many).map(move |which| (*calls, which))).collect();
    let killed = AtomicUsize::new(0);
    let kill = |place: usize, project: &Project| {
        let (calls, which) = places[place];
        let ended = Ended::of(&mut traced(&project.command(&["run", "release"]), calls, which));
        if ended.code.is_none() {
            killed.fetch_add(1, Ordering::Relaxed);
        }
    };
    let wrong = everywhere(places.len(), kill, &undisturbed);
    assert!(wrong.is_empty(), "{wrong:#?}");
    let killed = killed.into_inner();
    assert!(killed >= KILLS, "only {killed} of {} places were met", places.len());
}

/// The same command, killed before one of its threads makes one of these calls for the `which`th time. What it starts is not
/// watched.
fn traced(command: &Command, calls: &str, which: usize) -> Command {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-b", "execve", "-qq", "-o", "/dev/null"]);
    strace.arg(format!("--trace={calls}")).arg(format!("--inject={calls}:signal=KILL:when={which}"));
    strace.arg("--").arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => strace.env(name, value),
            None => strace.env_remove(name),
        };
    }
    strace
}

// What the tests above look for is found where it is.
#[test]
fn what_is_done_twice_or_otherwise_is_seen() {
    let undisturbed = undisturbed();
    let after = |harm: &dyn Fn(&Release)| {
        let release = Release::new();
        release.project.forge(&["run", "release"]).expect(0);
        harm(&release);
        release.converge(&undisturbed).join("\n")
    };
    assert_eq!(after(&|_| {}), "");
    let by_another = after(&|it| drop(small::project(it.registry.address()).forge(&["run", "release", "--new"])));
    assert_eq!(by_another, "", "another machine finds all of it there");
    let more = after(&|it| {
        let place = |tag: &str| format!("docker://{}/acme/small:{tag}", it.registry.address());
        let insecure = ["--src-tls-verify=false", "--dest-tls-verify=false"];
        run(["skopeo", "copy", "--quiet", insecure[0], insecure[1], &place("latest"), &place("more")]);
    });
    assert!(more.contains("current/link") && more.contains("was done"), "{more}");
    let again = after(&|it| {
        std::fs::remove_dir_all(it.registry.directory().join("blobs")).expect("the registry's files");
    });
    assert!(again.contains("was done 2 times"), "{again}");
}
