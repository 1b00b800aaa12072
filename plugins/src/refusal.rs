//! A failure as it crosses the line: a status, and a body that explains it. The status decides, the body may be missing.
//! Does not know which side it is on: calls and services end alike.

use forge_schemas::{Failure, FailureClass};

use crate::abi::Status;

/// Why a call or a service did not succeed.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: Status,
    pub(crate) failure: Failure,
}

impl Refusal {
    pub(crate) fn new(status: Status, message: impl Into<String>) -> Refusal {
        Refusal { status, failure: Failure::new(class(status), message) }
    }

    /// Bytes that are not the message: a bug of who sent them.
    pub(crate) fn protocol(what: impl std::fmt::Display, error: impl std::fmt::Display) -> Refusal {
        Refusal::new(Status::PROTOCOL, format!("{what} is not the message: {error}"))
    }

    /// The other side answered `status`, and perhaps a body: a failure as JSON, or plain text.
    pub(crate) fn answered(who: &str, status: Status, body: Option<&[u8]>) -> Refusal {
        let text = body.and_then(|body| std::str::from_utf8(body).ok()).filter(|text| !text.is_empty());
        let Some(text) = text else {
            let message = format!("{who} returned {status:?} and no message");
            return Refusal { status, failure: Failure::new(silent_class(status), message) };
        };
        let plain = || Failure::new(class(status), text);
        let mut failure = serde_json::from_str::<Failure>(text).unwrap_or_else(|_| plain());
        if status != Status::FAILED {
            failure.class = class(status);
        }
        if !is_known(status) {
            failure = failure.cause(format!("{who} returned {status:?}, which means nothing"));
        }
        Refusal { status, failure }
    }

    pub(crate) fn body(&self) -> Vec<u8> {
        serde_json::to_vec(&self.failure).unwrap_or_default()
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Refusal {
        let status = match failure.class {
            FailureClass::Input => Status::INVALID,
            FailureClass::Cancelled => Status::CANCELLED,
            FailureClass::Network => Status::UNAVAILABLE,
            _ => Status::FAILED,
        };
        Refusal { status, failure }
    }
}

/// What a status says by itself.
fn class(status: Status) -> FailureClass {
    match status {
        Status::INVALID => FailureClass::Input,
        Status::CANCELLED => FailureClass::Cancelled,
        Status::UNAVAILABLE => FailureClass::Network,
        Status::UNIMPLEMENTED | Status::PANICKED | Status::PROTOCOL | Status::INCOMPATIBLE | Status::STALE => {
            FailureClass::Bug
        }
        _ => FailureClass::Tool,
    }
}

/// To fail without a word is a bug, unless there is nothing to say.
fn silent_class(status: Status) -> FailureClass {
    match status {
        Status::CANCELLED => FailureClass::Cancelled,
        _ => FailureClass::Bug,
    }
}

fn is_known(status: Status) -> bool {
    (Status::OK.0..=Status::STALE.0).contains(&status.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: i32, body: Option<&[u8]>, expect: (FailureClass, &str)) {
        let failure = Refusal::answered("the plugin", Status(status), body).failure;
        assert_eq!((failure.class, failure.message.as_str()), expect);
    }

    #[test]
    fn the_status_decides_and_the_body_explains() {
        let body = br#"{"class":"refused","message":"no right to push"}"#;
        check(1, Some(body), (FailureClass::Refused, "no right to push"));
        check(3, Some(body), (FailureClass::Cancelled, "no right to push"));
        check(1, Some(b"out of paper"), (FailureClass::Tool, "out of paper"));
        check(6, Some(b"{\"odd\":1}"), (FailureClass::Bug, "{\"odd\":1}"));
        check(77, None, (FailureClass::Bug, "the plugin returned status 77 and no message"));
        check(3, None, (FailureClass::Cancelled, "the plugin returned status 3 and no message"));
        check(1, Some(b"\xff"), (FailureClass::Bug, "the plugin returned status 1 and no message"));
    }

    #[test]
    fn a_failure_comes_back_as_it_went() {
        for class in ["tool", "network", "silent", "refused", "input", "machine", "cancelled", "bug"] {
            let class: FailureClass = serde_json::from_str(&format!("\"{class}\"")).unwrap();
            let failure = Failure::new(class, "so it is").cause("it was so").help("make it otherwise");
            let refusal = Refusal::from(failure.clone());
            assert_eq!(Refusal::answered("x", refusal.status, Some(&refusal.body())).failure, failure);
        }
    }
}
