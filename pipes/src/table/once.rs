//! Sends something once where nobody can be asked whether it came: what was sent is remembered, and what may have been is not sent again.
//! Does not know what is sent, or to whom.

use forge_plugin::Host;
use forge_plugin::schemas::{Digest, Failure, FailureClass, Level};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Something that is sent once, by what is remembered of it and what users are told.
pub struct Once {
    /// Under what it is remembered.
    pub key: String,
    /// Where an earlier run has ended in the middle of it.
    pub open: String,
    /// What is not known where no answer came: `whether it was announced`.
    pub whether: String,
    /// What to do then.
    pub help: &'static str,
}

/// What is known of the last time.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Note {
    /// It was begun, and its end is not known.
    Begun(Digest),
    /// It came.
    Said(Digest),
    /// It did not, for sure.
    Refused,
}

/// Why something did not come.
pub enum Unsaid {
    /// For sure: it may be sent again, where the failure's class lets it be.
    Surely(Failure),
    /// It may have come.
    Perhaps(Failure),
}

impl Unsaid {
    /// No answer came.
    pub fn unanswered(failure: Failure) -> Unsaid {
        match failure.class {
            FailureClass::Refused => Unsaid::Surely(failure),
            _ if failure.unreached => Unsaid::Surely(failure),
            _ => Unsaid::Perhaps(failure),
        }
    }

    /// This answer came, which is no success. Whoever answers has not taken it, but a gateway does not know what became of it behind.
    pub fn answered(status: u16, failure: Failure) -> Unsaid {
        match status {
            502 | 504 => Unsaid::Perhaps(failure),
            _ => Unsaid::Surely(failure),
        }
    }
}

impl Once {
    /// Sends it, unless this very thing was sent, or may have been. `send` calls what it is given before it does what can't be taken back.
    pub fn say(
        &self,
        what: &Digest,
        host: &dyn Host,
        send: impl FnOnce(&dyn Fn() -> Result<(), Failure>) -> Result<(), Unsaid>,
    ) -> Result<(), Failure> {
        if self.is_over(what, host)? {
            return Ok(());
        }
        match send(&|| self.note(&Note::Begun(*what), host)) {
            Ok(()) => self.said(what, host),
            Err(Unsaid::Surely(failure)) => {
                self.note(&Note::Refused, host)?;
                Err(failure)
            }
            Err(Unsaid::Perhaps(failure)) => Err(self.unknown(failure)),
        }
    }

    /// Whether this very thing need not be sent any more. Where an earlier run has ended in the middle of it, the user is told, once.
    pub fn is_over(&self, what: &Digest, host: &dyn Host) -> Result<bool, Failure> {
        match self.noted(host)? {
            Some(Note::Said(before)) => Ok(before == *what),
            Some(Note::Begun(before)) if before == *what => {
                host.log(Level::Warn, &self.open);
                self.said(what, host).map(|()| true)
            }
            _ => Ok(false),
        }
    }

    /// It came, for sure.
    pub fn said(&self, what: &Digest, host: &dyn Host) -> Result<(), Failure> {
        self.note(&Note::Said(*what), host)
    }

    /// Whether this very thing was sent, or may have been.
    pub fn is_said(&self, what: &Digest, host: &dyn Host) -> Result<bool, Failure> {
        Ok(matches!(self.noted(host)?, Some(Note::Said(before) | Note::Begun(before)) if before == *what))
    }

    fn noted(&self, host: &dyn Host) -> Result<Option<Note>, Failure> {
        Ok(serde_json::from_value(host.recall(&self.key)?).ok())
    }

    fn note(&self, note: &Note, host: &dyn Host) -> Result<(), Failure> {
        host.remember(&self.key, &serde_json::to_value(note).unwrap_or(Value::Null))
    }

    /// That is not tried again by anyone.
    fn unknown(&self, failure: Failure) -> Failure {
        let class = match failure.class {
            FailureClass::Network | FailureClass::Silent => FailureClass::Refused,
            other => other,
        };
        let message = format!("{} is not known: {}", self.whether, failure.message);
        Failure { class, message, ..failure }.help(self.help)
    }
}
