//! Which failures are worth another attempt: the network's, and silence, which costs minutes each time, only once.
//! Does not know what is attempted.

use forge_plugin::schemas::{Failure, FailureClass};

/// How much has been borne so far.
#[derive(Default)]
pub struct Patience {
    silences: u32,
}

impl Patience {
    /// Whether to begin anew after this failure.
    pub fn bears(&mut self, failure: &Failure) -> bool {
        match failure.class {
            FailureClass::Network => true,
            FailureClass::Silent => {
                self.silences += 1;
                self.silences < 2
            }
            _ => false,
        }
    }
}
