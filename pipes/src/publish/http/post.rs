//! Files that are sent by POST to a server that shows nothing: what comes of one that is sent twice, nobody knows, and nobody can be asked.
//! Does not know servers that show what they have.

use forge_plugin::Host;
use forge_plugin::schemas::{Artifact, Failure, FailureClass, HttpResponse};

use super::{TRIES, Wanted, refusal, warn_unseen};
use crate::table::once::{Once, Unsaid};

/// What is sent to a server that shows nothing is sent there once.
pub(super) fn once(url: &str) -> Once {
    Once {
        key: format!("sent/{url}"),
        open: format!(
            "an earlier run ended while `{url}` was sent, and nobody can be asked: look whether it is there. It is taken as sent"
        ),
        whether: format!("whether `{url}` was taken"),
        help: "look whether it is there; the next run takes it as sent, so that you send it yourself where it is not",
    }
}

impl Wanted {
    /// Sends it once, and again only where the server has said that it did not take it.
    pub(super) fn post_unseen(&self, url: &str, ours: &Artifact, host: &dyn Host) -> Result<(), Failure> {
        once(url).say(&ours.digest, host, |begin| {
            begin().map_err(Unsaid::Surely)?;
            let mut answer = self.post(url, ours, 0, host)?;
            for failed in 1..TRIES {
                if answer.status == 503 {
                    answer = self.post(url, ours, failed, host)?;
                }
            }
            judged(&answer).map(|()| warn_unseen(url, host))
        })
    }

    fn post(&self, url: &str, ours: &Artifact, failed: u32, host: &dyn Host) -> Result<HttpResponse, Unsaid> {
        self.send(url, ours, failed, host).map_err(Unsaid::unanswered)
    }
}

fn judged(answer: &HttpResponse) -> Result<(), Unsaid> {
    match answer.status {
        200..300 => Ok(()),
        503 => Err(Unsaid::Surely(refusal(answer))),
        status => Err(Unsaid::answered(status, Failure { class: FailureClass::Refused, ..refusal(answer) })),
    }
}
