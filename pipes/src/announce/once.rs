//! Says something once: what was said is remembered, and what may have been is not said again.
//! Does not know what is said.

use forge_plugin::Host;
use forge_plugin::schemas::{Digest, Failure, FailureClass, Level};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What is known of the last message.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Note {
    /// It was begun, and its end is not known.
    Begun(Digest),
    /// It was heard.
    Said(Digest),
    /// It was not heard, for sure.
    Refused,
}

const KEY: &str = "announcement";

/// Why something was not said.
pub enum Unsaid {
    /// It was not heard, for sure: it may be said again, where the failure's class lets it be.
    Surely(Failure),
    /// It may have been heard.
    Perhaps(Failure),
}

/// Says it, unless this very message was said, or may have been. `send` calls what it is given before it does what can't be taken back.
pub fn say(
    message: &Digest,
    host: &dyn Host,
    send: impl FnOnce(&dyn Fn() -> Result<(), Failure>) -> Result<(), Unsaid>,
) -> Result<(), Failure> {
    match serde_json::from_value(host.recall(KEY)?) {
        Ok(Note::Said(before)) if before == *message => return Ok(()),
        Ok(Note::Begun(before)) if before == *message => {
            host.log(
                Level::Warn,
                "an earlier run ended while this was announced: look whether it was heard. It is not said again; another message is",
            );
            return note(&Note::Said(*message), host);
        }
        _ => {}
    }
    match send(&|| note(&Note::Begun(*message), host)) {
        Ok(()) => note(&Note::Said(*message), host),
        Err(Unsaid::Surely(failure)) => {
            note(&Note::Refused, host)?;
            Err(failure)
        }
        Err(Unsaid::Perhaps(failure)) => Err(unknown(failure)),
    }
}

fn note(note: &Note, host: &dyn Host) -> Result<(), Failure> {
    host.remember(KEY, &serde_json::to_value(note).unwrap_or(Value::Null))
}

/// That is not tried again by anyone.
fn unknown(failure: Failure) -> Failure {
    let class = match failure.class {
        FailureClass::Network | FailureClass::Silent => FailureClass::Refused,
        other => other,
    };
    let message = format!("whether it was announced is not known: {}", failure.message);
    let failure = Failure { class, message, ..failure };
    failure.help("look whether it is there; the next run takes it as said, and says another message")
}
