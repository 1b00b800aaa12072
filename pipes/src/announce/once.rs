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

/// Says it, unless this very message was said, or may have been.
pub fn say(message: &Digest, host: &dyn Host, send: impl FnOnce() -> Result<(), Failure>) -> Result<(), Failure> {
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
    note(&Note::Begun(*message), host)?;
    match send() {
        Ok(()) => note(&Note::Said(*message), host),
        // Whoever answers has not taken it.
        Err(failure) if failure.class == FailureClass::Refused => {
            note(&Note::Refused, host)?;
            Err(failure)
        }
        Err(failure) => Err(unknown(failure)),
    }
}

fn note(note: &Note, host: &dyn Host) -> Result<(), Failure> {
    host.remember(KEY, &serde_json::to_value(note).unwrap_or(Value::Null))
}

/// No answer came. That is not tried again by anyone: it may have been heard.
fn unknown(failure: Failure) -> Failure {
    let class = match failure.class {
        FailureClass::Network | FailureClass::Silent => FailureClass::Refused,
        other => other,
    };
    let message = format!("whether it was announced is not known: {}", failure.message);
    let failure = Failure { class, message, ..failure };
    failure.help("look whether it is there; the next run takes it as said, and says another message")
}
