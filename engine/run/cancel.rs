//! How a run is asked to stop: the first signal asks, the second kills.
//! Does not know what runs.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// How urgently a run should stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Stop {
    /// Not at all.
    #[default]
    Go,
    /// Tasks end soon, by themselves or after a grace.
    Ask,
    /// Now.
    Kill,
}

impl Stop {
    /// What one more signal makes of it.
    pub fn more(self) -> Stop {
        match self {
            Stop::Go => Stop::Ask,
            Stop::Ask | Stop::Kill => Stop::Kill,
        }
    }
}

/// ^C, SIGTERM, and the SIGHUP of a terminal that is closed.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// None where the run was started to outlive its terminal (nohup(1)).
    hangup: Option<Signal>,
}

impl Signals {
    /// From now on these signals no longer end the process.
    pub fn listen() -> std::io::Result<Signals> {
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: if ignores_hangup() { None } else { Some(signal(SignalKind::hangup())?) },
        })
    }

    /// Waits for the next.
    pub async fn next(&mut self) {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = hangup => {}
        }
    }
}

// In the mask of ignored signals the lowest bit is SIGHUP's (proc(5)).
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.is_some_and(|mask| u64::from_str_radix(mask.trim(), 16).is_ok_and(|bits| bits & 1 == 1))
}
