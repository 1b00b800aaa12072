//! How a run is asked to stop: the first ^C asks, the second kills.

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

/// ^C and SIGTERM.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// From now on these signals no longer end the process.
    pub fn listen() -> std::io::Result<Signals> {
        Ok(Signals { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits for the next.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
