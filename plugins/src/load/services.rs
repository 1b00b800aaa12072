//! What a call may ask of the host, by name: all services while running, templates with facts while planning.
//! Does not know the C line; messages come as bytes and go as bytes.

use forge_schemas::{
    AskTrace, Command, Emit, Failure, GetSecret, GotSecret, HttpRequest, Level, Note, Render, RenderReply,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::abi::Status;
use crate::refusal::Refusal;
use crate::{Host, Renderer, message};

/// The services there are.
pub(super) const NAMES: &[&str] =
    &["artifact.emit", "artifact.trace", "exec", "http.send", "note.get", "note.set", "secret.get", "template.render"];

/// What a call may ask for while it is in flight. Any thread may, several at once.
pub(super) trait Services: Sync {
    /// The answer of a service.
    fn serve(&self, service: &str, request: &[u8]) -> Result<Vec<u8>, Refusal>;

    /// A line for the user.
    fn log(&self, _level: Level, _message: &str) {}

    /// How far the call is.
    fn progress(&self, _done: u64, _total: u64, _message: &str) {}

    /// Whether the call should stop.
    fn cancelled(&self) -> bool {
        false
    }
}

/// For calls that are pure and render nothing.
pub(super) struct Nothing;

/// For `plan`.
pub(super) struct Planning<'a>(pub(super) &'a dyn Renderer);

/// For `run`.
pub(super) struct Running<'a>(pub(super) &'a dyn Host);

impl Services for Nothing {
    fn serve(&self, service: &str, _: &[u8]) -> Result<Vec<u8>, Refusal> {
        Err(absent(service))
    }
}

impl Services for Planning<'_> {
    fn serve(&self, service: &str, request: &[u8]) -> Result<Vec<u8>, Refusal> {
        match service {
            "template.render" => answer(service, request, |Render { template, names }| {
                self.0.render(&template, &names).map_err(Failure::input)
            }),
            _ => Err(absent(service)),
        }
    }
}

impl Services for Running<'_> {
    fn serve(&self, service: &str, request: &[u8]) -> Result<Vec<u8>, Refusal> {
        let host = self.0;
        match service {
            "exec" => answer(service, request, |command: Command| host.exec(&command)),
            "http.send" => answer(service, request, |request: HttpRequest| host.http(&request)),
            "artifact.emit" => answer(service, request, |emit: Emit| host.emit(&emit)),
            "artifact.trace" => answer(service, request, |AskTrace {}| host.trace()),
            "note.set" => answer(service, request, |note: Note| {
                host.remember(&note.key, &note.value)?;
                Ok(note)
            }),
            "note.get" => answer(service, request, |note: Note| {
                let value = host.recall(&note.key)?;
                Ok(Note { value, ..note })
            }),
            "secret.get" => answer(service, request, |GetSecret { name }| Ok(GotSecret { value: host.secret(&name)? })),
            "template.render" => answer(service, request, |Render { template, names }| {
                Ok(RenderReply { text: host.render(&template, &names)?, ..RenderReply::default() })
            }),
            _ => Err(absent(service)),
        }
    }

    fn log(&self, level: Level, message: &str) {
        for line in message.lines() {
            self.0.log(level, line);
        }
    }

    fn progress(&self, done: u64, total: u64, message: &str) {
        self.0.progress(done, total, message);
    }

    fn cancelled(&self) -> bool {
        self.0.cancelled()
    }
}

fn answer<Q: DeserializeOwned, A: Serialize>(
    service: &str,
    request: &[u8],
    act: impl FnOnce(Q) -> Result<A, Failure>,
) -> Result<Vec<u8>, Refusal> {
    let request = message::read(request, format_args!("what is asked of `{service}`"))?;
    message::write(&act(request)?, format_args!("the answer of `{service}`"))
}

fn absent(service: &str) -> Refusal {
    Refusal::new(Status::UNIMPLEMENTED, format!("there is no service `{service}` in this call"))
}
