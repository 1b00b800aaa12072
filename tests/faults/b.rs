//! Rows B: several runs at once.
//! Does not know what a run makes.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::Stdio;

use rustix::process::Signal;

use crate::support::forge::Running;
use crate::support::program::run;
use crate::support::project::Project;

/// A project whose one task waits at a gate.
struct Gated {
    project: Project,
    gate: PathBuf,
}

impl Gated {
    fn new() -> Gated {
        let project = Project::of_text("");
        let gate = project.place().join("gate");
        run(["mkfifo", &gate.display().to_string()]);
        let text = format!(
            "[project]\nname = \"gated\"\n[[build]]\nid = \"gated\"\ntool = \"command\"\nplatforms = [\"linux/amd64\"]\n\
             argv = [\"sh\", \"-c\", \"echo waiting; cat {} > $FORGE_OUTPUT\"]\n",
            gate.display()
        );
        project.write("forge.toml", &text);
        Gated { project, gate }
    }

    /// A run that has come to the gate.
    fn start(&self) -> Running {
        let mut running = Running::start(&mut self.project.command(&["run", "build", "--snapshot", "--json"]));
        assert_eq!(running.next_output(), "waiting");
        running
    }

    fn open(&self) {
        use std::io::Write as _;
        let mut gate = File::options().write(true).open(&self.gate).expect("somebody waits at the gate");
        gate.write_all(b"content").expect("it is read");
    }
}

/// The commands that change the folder.
const COMMANDS: [&[&str]; 4] = [&["run", "build", "--snapshot"], &["clean"], &["clean", "--all"], &["store", "verify"]];

#[test]
fn b1_a_second_forge_waits_and_says_for_whom() {
    for command in COMMANDS {
        let gated = Gated::new();
        let first = gated.start();
        let mut second = gated.project.command(command);
        let mut second = second.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("forge starts");
        let mut said = BufReader::new(second.stderr.take().expect("standard error is a pipe"));
        let mut line = String::new();
        said.read_line(&mut line).expect("it says something");
        let holder = format!("note: waiting for another forge in this project: process {} (", first.id());
        assert!(line.starts_with(&holder), "{command:?}: {line}");
        assert!(line.contains(" run build --snapshot --json)"), "{command:?}: {line}");
        assert!(second.try_wait().expect("a process").is_none(), "{command:?} has not waited");
        gated.open();
        assert_eq!(first.end(), Some(0), "{command:?}");
        said.read_to_string(&mut line).expect("it ends");
        assert_eq!(second.wait().expect("a process").code(), Some(0), "{command:?}: {line}");
    }
}

#[test]
fn b1_who_does_not_want_to_wait_fails_at_once() {
    let gated = Gated::new();
    let first = gated.start();
    for command in COMMANDS {
        let ended = gated.project.forge(&[command, &["--no-wait"]].concat()).expect(1);
        let holder = format!("error: another forge works in this project: process {} (", first.id());
        assert!(ended.stderr.starts_with(&holder), "{}", ended.stderr);
    }
    gated.open();
    assert_eq!(first.end(), Some(0));
}

#[test]
fn b4_the_lock_of_one_that_was_killed_keeps_nobody_out() {
    let gated = Gated::new();
    let first = gated.start();
    first.signal(Signal::KILL);
    assert_eq!(first.end(), None);
    let lock = gated.project.root().join(".forge/lock");
    assert!(std::fs::read_to_string(lock).expect("the lock is there").starts_with("process "));
    gated.project.forge(&["store", "verify", "--no-wait"]).expect(0);
    gated.project.forge(&["clean", "--no-wait"]).expect(0);
    gated.open();
}

/// Says that it waits, reads at a gate, writes what it has read, says so at a second gate, and ends at a third. Nobody
/// listens to it any more when forge was killed.
const SLOW: &str = r#"
[project]
name = "slow"

[[build]]
id = "slow"
tool = "command"
platforms = ["linux/amd64"]
argv = ["sh", "slow.sh"]
sources = ["slow.sh", "gates"]
"#;
const SLOW_SH: &str = "exec 2>/dev/null\ngate=$(cat gates)\necho waiting\ntext=$(cat $gate.in)\necho $text > $FORGE_OUTPUT\n\
                       echo $text > $gate.said\ncat $gate.end\n";

#[test]
fn b4_what_a_killed_run_has_started_writes_into_no_other_run() {
    let project = Project::of_text(SLOW);
    project.write("slow.sh", SLOW_SH);
    let gate = |name: &str| project.place().join(name);
    let start = |name: &str| {
        for end in ["in", "said", "end"] {
            run(["mkfifo", &gate(&format!("{name}.{end}")).display().to_string()]);
        }
        project.write("gates", &gate(name).display().to_string());
        let mut running = Running::start(&mut project.command(&["run", "build", "--snapshot", "--json"]));
        assert_eq!(running.next_output(), "waiting");
        running
    };
    let goes_on = |name: &str| {
        std::fs::write(gate(&format!("{name}.in")), name).expect("it waits at the first gate");
        let said = std::fs::read_to_string(gate(&format!("{name}.said"))).expect("it has come to the second");
        assert_eq!(said.trim(), name);
    };
    let first = start("old");
    first.signal(Signal::KILL);
    assert_eq!(first.end(), None);
    let second = start("new");
    goes_on("new");
    goes_on("old");
    std::fs::write(gate("new.end"), "").expect("it waits at the third gate");
    assert_eq!(second.end(), Some(0));
    let made = std::fs::read_to_string(project.root().join("dist/slow_linux_amd64/slow")).expect("it was made");
    assert_eq!(made.trim(), "new");
    std::fs::write(gate("old.end"), "").expect("it waits at the third gate");
}
