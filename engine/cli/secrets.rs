//! The secrets of a run, read before anything is done: what is missing is told at once.
//! Does not know what they are for.

use std::sync::Arc;

use rustix::process::{DumpableBehavior, set_dumpable_behavior};

use super::output;
use super::session::Session;
use crate::plan::Plan;
use crate::run::secrets::Secrets;

/// Reads all that the project file names. One that `plan` needs and that is not set is told, and answered with the exit
/// code.
pub fn read(session: &Session, plan: &Plan) -> Result<Arc<Secrets>, u8> {
    let secrets = all(session);
    if let Some(failure) = secrets.missing(plan) {
        return Err(output::failure(&failure));
    }
    for name in secrets.too_short() {
        output::note(&format!("the secret `{name}` is too short to be masked where a program prints it"));
    }
    if secrets.all().next().is_some() {
        // Programs of the same user can't read it from this process then, and it is in no core dump. Where the system
        // does not offer that, the run is no worse than it was.
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
    Ok(Arc::new(secrets))
}

/// Reads all that the project file names, for a command that starts no program: what is not set may not be needed.
pub fn as_far_as_set(session: &Session) -> Arc<Secrets> {
    Arc::new(all(session))
}

fn all(session: &Session) -> Secrets {
    let variables = |name: &str| std::env::var(name).ok();
    Secrets::read(&session.head.secrets, &session.head.registries, &session.root, &variables)
}
