//! Messages as bytes: written and read in the same way at both ends of the line.
//! Does not know what they say.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::refusal::Refusal;

/// As many bytes as most have.
const ROOM: usize = 512;

/// The bytes of `message`; `what` names it, where it can't be written.
pub(crate) fn write(message: &impl Serialize, what: impl std::fmt::Display) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::with_capacity(ROOM);
    match serde_json::to_writer(&mut bytes, message) {
        Ok(()) => Ok(bytes),
        Err(error) => Err(Refusal::protocol(what, error)),
    }
}

/// The message of these bytes; `what` names it, where it is none.
pub(crate) fn read<M: DeserializeOwned>(bytes: &[u8], what: impl std::fmt::Display) -> Result<M, Refusal> {
    // Whether it is UTF-8 is found out once, and not for each text in it.
    let message = match std::str::from_utf8(bytes) {
        Ok(text) => serde_json::from_str(text),
        Err(_) => serde_json::from_slice(bytes),
    };
    message.map_err(|error| Refusal::protocol(what, error))
}
