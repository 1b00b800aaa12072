//! What went wrong with a mail, in words.
//! Does not know how a server is spoken to.

use std::error::Error as _;
use std::io;

use forge_plugin::schemas::{Failure, FailureClass};
use lettre::transport::smtp::Error;
use rustls::CertificateError;

use super::{Encryption, Mail};

/// Names what an answer was about.
pub(super) struct Words {
    pub(super) mail: Mail,
    pub(super) username: String,
}

/// What the server was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Greeting,
    Encryption,
    Login,
    Sender,
    Recipient,
    Mail,
}

impl Words {
    /// Of an answer that is no yes, or of none.
    pub(super) fn failure(&self, asked: &Asked, error: &Error) -> Failure {
        if let Some(failure) = self.of_tls(error) {
            return failure;
        }
        match error.status().map(u16::from) {
            Some(status) => self.refusal(asked, status, error),
            None => self.silence(asked, error),
        }
    }

    /// The server has no way to encrypt, and nothing was sent to it.
    pub(super) fn no_encryption(&self) -> Failure {
        let failure = Failure::new(FailureClass::Refused, format!("{} offers no encryption", self.server()));
        failure.help(
            "it has no STARTTLS: look at `port` (587 has it mostly), or write `encryption = \"tls\"` where it speaks TLS from the start (465)",
        )
    }

    /// There is a password, and no way to say it.
    pub(super) fn no_login(&self) -> Failure {
        let failure = Failure::new(FailureClass::Refused, format!("{} takes no password", self.server()));
        failure
            .help("it offers neither the login PLAIN nor LOGIN: leave out `username` and `password`, or look at `port`")
    }

    /// Nobody is written to, because some can't be.
    pub(super) fn refused_recipients(&self, refused: &[(String, Error)]) -> Failure {
        let names: Vec<String> = refused.iter().map(|(address, _)| format!("`{address}`")).collect();
        let message = format!("{} refuses to write to {}", self.server(), names.join(" and "));
        let is_lasting = refused.iter().any(|(_, error)| error.is_permanent());
        let class = if is_lasting { FailureClass::Refused } else { FailureClass::Network };
        let failure = Failure::new(class, message);
        let failure = refused
            .iter()
            .fold(failure, |failure, (address, error)| failure.cause(format!("`{address}`: {}", answer(error))));
        failure.help(match is_lasting {
            true => "nobody was written to: look at the address, or leave it out of `recipients`",
            false => "nobody was written to: it does not want to now, run it again later",
        })
    }

    fn server(&self) -> String {
        format!("`{}:{}`", self.mail.host, self.mail.port)
    }

    fn refusal(&self, asked: &Asked, status: u16, error: &Error) -> Failure {
        let server = self.server();
        let (message, help) = match (asked, status) {
            (_, 400..=499) => (
                format!("{server} does not want to now"),
                "it says that it may later: run it again then; nobody was written to".to_owned(),
            ),
            (_, 530 | 538) if self.mail.encryption == Encryption::None && wants_encryption(error) => {
                (format!("{server} wants encryption"), "write `encryption = \"starttls\"`".to_owned())
            }
            (Asked::Login, _) => (
                format!("{server} refuses the login of `{}`", self.username),
                format!(
                    "look at `username` and at the secret `{}`: some servers want a password that was made for a program",
                    self.mail.password.as_deref().unwrap_or_default()
                ),
            ),
            (_, 530) if self.mail.password.is_none() => {
                (format!("{server} wants a login"), "add `username` and `password`".to_owned())
            }
            (Asked::Sender, _) => (
                format!("{server} refuses to send for `{}`", self.mail.from),
                "look at `from`: many servers let who logs in write as nobody else".to_owned(),
            ),
            (Asked::Mail, _) => (format!("{server} refuses the mail"), "nobody was written to".to_owned()),
            _ => (format!("{server} refuses"), "look at `host` and `port`; nobody was written to".to_owned()),
        };
        let class = if error.is_transient() { FailureClass::Network } else { FailureClass::Refused };
        Failure::new(class, message).cause(answer(error)).help(help)
    }

    /// No answer, or none that can be read.
    fn silence(&self, asked: &Asked, error: &Error) -> Failure {
        let (server, reason) = (self.server(), innermost(error));
        if let Some(io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock) = io_of(error).map(io::Error::kind) {
            let failure = Failure::new(FailureClass::Silent, format!("{server} does not answer"));
            return match (asked, self.mail.encryption) {
                (Asked::Greeting, Encryption::None | Encryption::Starttls) => {
                    failure.help("if it speaks TLS from the start, write `encryption = \"tls\"`")
                }
                _ => failure,
            };
        }
        match asked {
            // It was reached, and is another kind of server, or waits for TLS.
            Asked::Greeting if error.is_response() => {
                let message = format!("{server} does not greet as a mail server does");
                let help = "is that its port? If it speaks TLS from the start, write `encryption = \"tls\"`";
                Failure::new(FailureClass::Network, message).cause(reason).help(help)
            }
            Asked::Greeting => {
                let failure = Failure::new(FailureClass::Network, format!("can't connect to {server}: {reason}"));
                failure.help(match reason.contains("lookup") {
                    true => format!("is `{}` the right name, and is there a network?", self.mail.host),
                    false => format!("is `{}` up, and does it take mail at that port?", self.mail.host),
                })
            }
            _ => Failure::new(FailureClass::Network, format!("{server} has cut off the connection")).cause(reason),
        }
    }

    fn of_tls(&self, error: &Error) -> Option<Failure> {
        let tls = tls_of(error)?;
        let failure = Failure::new(FailureClass::Refused, format!("no safe connection to {}: {tls}", self.server()));
        Some(match tls {
            rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            ) => failure.help("write a name as `host` that the certificate is for; nothing was sent"),
            rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented => {
                failure.help("name the file of its authority's certificate as `ca`; nothing was sent")
            }
            rustls::Error::InvalidMessage(_) => {
                failure.help("if it begins without TLS, write `encryption = \"starttls\"`")
            }
            _ => failure,
        })
    }
}

/// The system has no certificates.
pub(super) fn no_trust(error: &Error) -> Failure {
    let failure = Failure::new(FailureClass::Machine, "can't prepare a TLS connection").cause(innermost(error));
    failure.help("install the system's certificates (`ca-certificates`)")
}

/// What the server has said: `550 no such user`.
fn answer(error: &Error) -> String {
    let status = error.status().map(|it| it.to_string()).unwrap_or_default();
    let text = error.source().map(ToString::to_string).unwrap_or_default();
    let text: String = text.chars().map(|it| if it.is_control() { ' ' } else { it }).take(300).collect();
    format!("{status} {text}").trim().to_owned()
}

/// Both statuses may mean something else, too (RFC 3207, RFC 4954).
fn wants_encryption(error: &Error) -> bool {
    let text = answer(error).to_lowercase();
    text.contains("starttls") || text.contains("encryption")
}

fn innermost(error: &Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

fn io_of(error: &Error) -> Option<&io::Error> {
    chain(error).find_map(|it| it.downcast_ref())
}

/// What TLS has to say. It is wrapped in errors of input and output, which do not count what they wrap as their source.
fn tls_of(error: &Error) -> Option<&rustls::Error> {
    chain(error).find_map(|it| it.downcast_ref())
}

fn chain(error: &Error) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    std::iter::successors(error.source(), |error| wrapped(*error))
}

fn wrapped<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a (dyn std::error::Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}
