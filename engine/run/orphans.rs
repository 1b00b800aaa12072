//! What outlives the program that started it. Its process group goes with it; what has left the group, as daemons do, comes to
//! forge when its parents have ended, and goes with the task. Does not know tasks, nor what the processes are for.

use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{
    Pid, Signal, WaitOptions, getpgid, getpgrp, getpid, kill_process, kill_process_group, set_child_subreaper,
    test_kill_process_group, waitpgid, waitpid,
};
use tokio::process::{Child, Command};

/// How long what was left behind may take to end after it was asked to.
const GRACE: Duration = Duration::from_millis(500);
const TICK: Duration = Duration::from_millis(5);

/// How many programs run now. One number for the process, as it has one set of children.
static RUNNING: AtomicUsize = AtomicUsize::new(0);

/// The process group of a program.
pub struct Group {
    id: Option<Pid>,
}

impl Group {
    /// Starts a program in a group of its own.
    pub fn start(command: &mut Command) -> std::io::Result<(Child, Group)> {
        adopt();
        RUNNING.fetch_add(1, Ordering::SeqCst);
        let mut group = Group { id: None };
        let child = command.process_group(0).spawn()?;
        group.id = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        Ok((child, group))
    }

    /// Sends a signal to all that are in it.
    pub fn signal(&self, signal: Signal) {
        if let Some(id) = self.id {
            // It may have ended by itself in between.
            let _ = kill_process_group(id, signal);
        }
    }

    /// Ends who is left in it, its program having ended.
    pub async fn end(self) {
        for signal in [Signal::TERM, Signal::KILL] {
            let patience = Instant::now() + GRACE;
            if self.is_empty() {
                return;
            }
            self.signal(signal);
            while !self.is_empty() && Instant::now() < patience {
                tokio::time::sleep(TICK).await;
            }
        }
    }

    fn is_empty(&self) -> bool {
        let Some(id) = self.id else { return true };
        while let Ok(Some(_)) = waitpgid(id, WaitOptions::NOHANG) {}
        test_kill_process_group(id).is_err()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        RUNNING.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Ends what has left its group, unless a program runs: it may belong to that. Then the last to end asks again.
pub fn end() {
    for signal in [Signal::TERM, Signal::KILL] {
        let patience = Instant::now() + GRACE;
        let mut told: Vec<Pid> = Vec::new();
        loop {
            let left = left();
            if left.is_empty() {
                return;
            }
            // The children of one that has ended come to forge, too.
            for it in left {
                if !told.contains(&it) {
                    let _ = kill_process(it, signal);
                    told.push(it);
                }
            }
            if Instant::now() > patience {
                break;
            }
            std::thread::sleep(TICK);
        }
    }
}

// From now on forge is the parent of whoever below it has lost his own.
fn adopt() {
    static ONCE: Once = Once::new();
    // Where the system does not offer that, nobody is found later.
    ONCE.call_once(|| {
        let _ = set_child_subreaper(Some(getpid()));
    });
}

/// Adopted children that live; those that have ended are gone after this. None while a program runs.
fn left() -> Vec<Pid> {
    let is_idle = || RUNNING.load(Ordering::SeqCst) == 0;
    let adopted = if is_idle() { adopted() } else { Vec::new() };
    // Once more, later than the list: a program that stands in it has ended then.
    if !is_idle() {
        return Vec::new();
    }
    adopted.into_iter().filter(|it| !matches!(waitpid(Some(*it), WaitOptions::NOHANG), Ok(Some(_)) | Err(_))).collect()
}

/// Children in other groups than forge's own, where its helpers are, and that no plugin lives in: programs, and who was
/// adopted. The system gives those to the first thread.
fn adopted() -> Vec<Pid> {
    let first = getpid().as_raw_nonzero();
    let children = std::fs::read_to_string(format!("/proc/self/task/{first}/children")).unwrap_or_default();
    let children = children.split_whitespace().filter_map(|it| it.parse().ok().and_then(Pid::from_raw));
    let is_strange = |it: &Pid| !forge_plugin::is_home_of_plugin(it.as_raw_nonzero().get().cast_unsigned());
    children.filter(|it| getpgid(Some(*it)).is_ok_and(|group| group != getpgrp()) && is_strange(it)).collect()
}
