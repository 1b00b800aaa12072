//! Lets an interruption end what waits for a server: that waits in a thread of its own, which is left behind.
//! Does not know what is sent.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use forge_plugin::Host;
use forge_plugin::schemas::{Failure, FailureClass};

use super::Unsaid;

/// How often is looked whether the run was interrupted.
const LOOK: Duration = Duration::from_millis(50);
/// How many looks a server has for its last word when it was: less than forge waits for a pipe.
const LAST_LOOKS: u32 = 80;

/// What the thread tells.
enum Told {
    /// It is about to send, and waits for leave.
    Ready,
    Ended(Result<(), Unsaid>),
}

/// Does what `send` does, as long as the run is not interrupted. `begin` is called on this thread.
pub(super) fn watched(
    host: &dyn Host,
    begin: &dyn Fn() -> Result<(), Failure>,
    send: impl FnOnce(&dyn Fn() -> Result<(), Failure>) -> Result<(), Unsaid> + Send + 'static,
) -> Result<(), Unsaid> {
    let (tell, told) = mpsc::channel();
    let (permit, leave) = mpsc::channel();
    thread::spawn(move || {
        let result = send(&|| wait_for_leave(&tell, &leave));
        // Nobody hears it where the run was interrupted.
        let _ = tell.send(Told::Ended(result));
    });
    watch(host, begin, &told, &permit)
}

fn watch(
    host: &dyn Host,
    begin: &dyn Fn() -> Result<(), Failure>,
    told: &Receiver<Told>,
    permit: &Sender<()>,
) -> Result<(), Unsaid> {
    let (mut has_begun, mut looks) = (false, 0);
    let unsaid = |has_begun, failure| if has_begun { Unsaid::Perhaps(failure) } else { Unsaid::Surely(failure) };
    loop {
        match told.recv_timeout(LOOK) {
            Ok(Told::Ended(result)) => return result,
            Ok(Told::Ready) => {
                // Without leave the thread ends.
                begin().map_err(Unsaid::Surely)?;
                has_begun = true;
                let _ = permit.send(());
            }
            Err(RecvTimeoutError::Timeout) if host.cancelled() => {
                looks += 1;
                if !has_begun || looks > LAST_LOOKS {
                    return Err(unsaid(has_begun, interrupted()));
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Err(unsaid(has_begun, Failure::bug("a mail was begun, and nothing was heard of it")));
            }
        }
    }
}

fn wait_for_leave(tell: &Sender<Told>, leave: &Receiver<()>) -> Result<(), Failure> {
    let _ = tell.send(Told::Ready);
    leave.recv().map_err(|_| interrupted())
}

fn interrupted() -> Failure {
    Failure::new(FailureClass::Cancelled, "the run was interrupted while a mail server was waited for")
}
