//! Rows A18 and A19: signals, readers that go away, and programs that outlive what started them.
//! Does not know how forge ends them: it looks for who is left.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::small::{RUN, TASKS, goes_on, small};
use crate::support;
use crate::support::forge::{Ended, Running, through};
use crate::support::program::run;
use crate::support::project::Project;
use crate::support::proxy::{Fault, Proxy};
use crate::support::registry::{Registry, changes};

/// A program that this script makes, an image of it, and another program. One task at a time.
fn project(script: &str) -> Project {
    let project = Project::of_text("");
    let path = project.place().join("script");
    let text = format!(
        "[project]\nname = \"long\"\n[run]\njobs = 1\n\
         [[build]]\nid = \"long\"\ntool = \"command\"\nplatforms = [\"linux/amd64\"]\nargv = [\"bash\", \"{}\"]\n\
         [[docker]]\nids = [\"long\"]\nimages = [\"example.org/long\"]\nplatforms = [\"linux/amd64\"]\nbase = \"scratch\"\n\
         [[build]]\nid = \"other\"\ntool = \"command\"\nplatforms = [\"linux/amd64\"]\nbinary = \"other\"\n\
         argv = [\"sh\", \"-c\", \"printf x > $FORGE_OUTPUT\"]\n",
        path.display()
    );
    project.write("forge.toml", &text);
    fs::write(path, script).expect("a file can be written");
    project
}

/// The last line of a script that ends well.
const MAKES: &str = "printf x > $FORGE_OUTPUT\n";

fn events(project: &Project) -> Command {
    project.command(&[&RUN[..], &["--json"]].concat())
}

/// The processes that have the project's place in their environment: forge itself, and all that it has started.
pub fn living(project: &Project) -> Vec<String> {
    let place = project.place().display().to_string();
    let read = |process: &PathBuf, file: &str| {
        String::from_utf8_lossy(&fs::read(process.join(file)).unwrap_or_default()).replace('\0', " ")
    };
    let processes = fs::read_dir("/proc").expect("/proc is mounted").filter_map(Result::ok).map(|it| it.path());
    let ours = processes.filter(|it| read(it, "environ").contains(&place));
    ours.map(|it| format!("{}: {}", it.display(), read(&it, "cmdline"))).collect()
}

/// A run was interrupted while the first program was made: nothing else was, and nobody is left.
#[track_caller]
fn was_interrupted(project: &Project, running: Running) -> Ended {
    let ended = running.rest().expect(130);
    assert_eq!(living(project), [""; 0]);
    assert_eq!(ended.tasks("task_started"), [""; 0], "nothing is started any more");
    let outcomes = ended.outcomes();
    assert!(outcomes.contains(&"build:long/linux/amd64 failed".to_owned()), "{outcomes:?}");
    assert!(!outcomes.iter().any(|it| it.ends_with(" done")), "{outcomes:?}");
    assert!(!project.root().join("dist/long_linux_amd64").exists(), "what was interrupted has made nothing");
    ended
}

#[test]
fn a18_a_signal_asks_programs_to_end_and_starts_no_others() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let project = project(&format!(
            "if [ -e ../asked ]; then {MAKES} exit; fi\n\
             trap 'echo asked > ../asked; exit 1' TERM\nsleep 600 & echo up; wait"
        ));
        let mut env = Command::new("env");
        env.arg("--default-signal=HUP");
        let mut running = Running::start(&mut through(env, &events(&project)));
        assert_eq!(running.next_output(), "up");
        running.signal(signal);
        was_interrupted(&project, running);
        assert!(project.place().join("asked").exists(), "it was asked before it was killed");
        project.forge(&RUN).expect(0);
    }
}

/// A program that hears that it should end, says so, and goes on.
const DEAF: &str = "trap 'echo no' TERM\nsleep 600 & echo up; while :; do wait; done";

#[test]
fn a18_who_does_not_listen_is_killed_after_a_while() {
    let project = project(DEAF);
    let mut running = Running::start(&mut events(&project));
    assert_eq!(running.next_output(), "up");
    running.signal(Signal::TERM);
    assert_eq!(running.next_output(), "no");
    was_interrupted(&project, running);
}

#[test]
fn a18_a_second_signal_kills() {
    let project = project(DEAF);
    let mut running = Running::start(&mut events(&project));
    assert_eq!(running.next_output(), "up");
    running.signal(Signal::INT);
    assert_eq!(running.next_output(), "no");
    running.signal(Signal::INT);
    let ended = was_interrupted(&project, running);
    assert!(ended.stdout.contains(r#""type":"interrupted","times":2"#), "{}", ended.stdout);
}

#[test]
fn a18_a_release_that_is_interrupted_is_gone_on_with() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let mut registry = Registry::start();
        let proxy = Proxy::start(registry.address());
        proxy.fault("PUT", "/manifests/latest", 1..=1, Fault::Stall(None));
        let project = support::small::project(proxy.address());
        let mut env = Command::new("env");
        env.arg("--default-signal=HUP");
        let running = Running::start(&mut through(env, &project.command(&["run", "release", "--json"])));
        proxy.wait_for("PUT", "/manifests/latest");
        running.signal(signal);
        assert_eq!(running.end(), Some(130));
        let journal = || fs::read_to_string(project.root().join(".forge/journal")).expect("a journal");
        assert!(journal().contains("/tag/") && !journal().contains("{\"entry\":\"end\"}"), "{}", journal());
        proxy.heal();
        let ended = project.forge(&["run", "release"]).expect(0);
        assert!(ended.stderr.contains("going on with version 1.2.3"), "{}", ended.stderr);
        assert!(journal().trim_end().ends_with("{\"entry\":\"end\"}"), "{}", journal());
        let changes = changes(&registry.requests());
        assert!(changes.values().all(|count| *count == 1), "nothing is done twice: {changes:#?}");
        assert_eq!(registry.contents().tags().len(), 2);
    }
}

/// A program that waits until it is told to end.
const WAITS: &str = "[ -p ../gate ] || mkfifo ../gate\necho up\ncat ../gate\nprintf x > $FORGE_OUTPUT";

#[test]
fn a18_a_run_that_is_to_outlive_its_terminal_does() {
    let project = project(WAITS);
    let mut nohup = Command::new("env");
    nohup.arg("--ignore-signal=HUP");
    let mut running = Running::start(&mut through(nohup, &events(&project)));
    assert_eq!(running.next_output(), "up");
    running.signal(Signal::HUP);
    fs::write(project.place().join("gate"), "go on").expect("somebody reads");
    running.rest().expect(0);
}

#[test]
fn a18_a_run_that_was_put_to_sleep_goes_on() {
    let project = project(WAITS);
    let mut running = Running::start(&mut events(&project));
    assert_eq!(running.next_output(), "up");
    running.signal(Signal::TSTP);
    fs::write(project.place().join("gate"), "go on").expect("somebody reads");
    running.signal(Signal::CONT);
    running.rest().expect(0);
}

#[test]
fn a18_a_reader_that_goes_away_changes_nothing() {
    let commands: [&[&str]; 8] = [
        &["run", "release", "--snapshot", "--json"],
        &["run", "release", "--snapshot", "--verbose"],
        &["run"],
        &["run", "nothing"],
        &["plan"],
        &["runs", "show", "LAST"],
        &["artifacts"],
        &["-f", "wrong.toml", "check"],
    ];
    for command in commands {
        let [read, unread] = [small(), small()].map(|project| {
            project.write("wrong.toml", "[project]\nname = 3\nnothing = 4\n");
            project.forge(&RUN).expect(0);
            project.write("source.txt", "changed\n");
            project
        });
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut forge = unread.command(command);
        forge.stdout(writer.try_clone().expect("a pipe")).stderr(writer).stdin(Stdio::null());
        let code = forge.status().expect("forge starts").code();
        assert_eq!(code, read.forge(command).code, "{command:?}");
        assert_eq!(unread.digests(), read.digests(), "{command:?}");
    }
}

#[test]
fn a18_head_takes_a_line_and_no_more() {
    let check = |words: &str| {
        let project = small();
        let script = format!("set -o pipefail; \"$@\" {words} | head -1");
        let mut bash = Command::new("bash");
        bash.args(["-c", &script, "bash"]);
        let ended = Ended::of(&mut through(bash, &project.command(&[]))).expect(0);
        assert_eq!((ended.stdout.lines().count(), &*ended.stderr), (1, ""), "{words}");
        project
    };
    check("plan --snapshot");
    let project = check("run release --snapshot --json");
    assert_eq!(project.digests().len(), TASKS, "what was asked for is done");
    goes_on(&project, "nobody has listened");
    let said = check("run release --snapshot --verbose 2>&1");
    goes_on(&said, "nobody has listened");
}

#[test]
fn a18_programs_of_a_task_may_be_cut_off_as_anywhere() {
    let project = project(&format!("yes | head -1\necho ${{PIPESTATUS[0]}}\n{MAKES}"));
    let mut running = Running::start(&mut events(&project));
    assert_eq!((running.next_output(), running.next_output()), ("y".to_owned(), "141".to_owned()));
    running.rest().expect(0);
}

/// What leaves somebody behind, who says who he is.
const LEAVES: [&str; 5] = [
    // In its group, holding its output open.
    "sleep 600 & echo $! >> ../left",
    "(trap '' TERM; sleep 600; sleep 600) & echo $! >> ../left",
    // In a group of its own.
    "set -m; sleep 600 & echo $! >> ../left; set +m",
    // In a session of its own, holding its output open.
    "setsid sh -c 'echo $$ >> ../left; exec sleep 600' &",
    // A daemon: twice forked, elsewhere, with no file of its parents. It does not listen, and has children.
    "(setsid bash -c 'trap \"\" TERM HUP INT; echo $$ >> ../left; cd /; sleep 600 & sleep 600; sleep 600' \
      < /dev/null > /dev/null 2>&1 &)",
];

#[test]
fn a19_nobody_is_left_of_a_program_that_has_ended() {
    for leaves in LEAVES.into_iter().map(ToOwned::to_owned).chain([LEAVES.join("\n")]) {
        let project = project(&format!("{leaves}\nwhile ! [ -s ../left ]; do :; done\n{MAKES}"));
        // Who comes next finds nobody.
        let text = fs::read_to_string(project.root().join("forge.toml")).expect("the project file");
        let meets = "for it in $(cat ../left 2>/dev/null); do kill -0 $it 2>/dev/null && exit 9; done; printf x > $FORGE_OUTPUT";
        project.write("forge.toml", &text.replace("printf x > $FORGE_OUTPUT", meets));
        let ended = project.forge(&["run", "build:long", "build:other", "--snapshot"]);
        assert_eq!((ended.code, living(&project)), (Some(0), vec![]), "{leaves}\n{}", ended.stderr);
        assert!(project.place().join("left").exists(), "{leaves}");
    }
}

#[test]
fn a19_nobody_is_left_of_a_program_that_was_stopped_or_has_failed() {
    for leaves in LEAVES {
        let left = project(&format!("{leaves}\nexit 3"));
        left.forge(&RUN).expect(1);
        assert_eq!(living(&left), [""; 0], "{leaves}");
        let left = project(&format!("{leaves}\necho up\nsleep 600"));
        let mut running = Running::start(&mut events(&left));
        assert_eq!(running.next_output(), "up", "{leaves}");
        running.signal(Signal::INT);
        running.rest().expect(130);
        assert_eq!(living(&left), [""; 0], "{leaves}");
    }
}

/// Who is left is found, wherever he has gone.
#[test]
fn a19_the_search_finds_who_is_there() {
    let project = project("");
    assert_eq!(living(&project), [""; 0]);
    let mut command = Command::new("setsid");
    command.args(["--fork", "sleep", "600"]).env("FORGE_OUTPUT", project.place()).current_dir("/");
    command.stdout(Stdio::null()).status().expect("a process starts");
    let patience = Instant::now() + Duration::from_secs(30);
    while !living(&project).iter().any(|it| it.ends_with("sleep 600 ")) {
        assert!(Instant::now() < patience, "{:?}", living(&project));
    }
    let process = living(&project)[0].split(':').next().expect("a process")["/proc/".len()..].to_owned();
    run(["kill", "-9", &process]);
}
