//! Service `smtp`: a mail, which is the same each time but for its `Date`.
//! Does not know how a server is spoken to.

mod talk;
#[cfg(test)]
mod tests;
mod watch;
mod words;

use std::net::IpAddr;

use forge_plugin::schemas::{Digest, Failure, Place, Problem, Read};
use forge_plugin::{Given, Host, Template};
use lettre::Message;
use lettre::message::Mailbox;
use lettre::message::header::{ContentType, HeaderName, HeaderValue, MIME_VERSION_1_0};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{MessageNames, Params, Service, Settings, Way};
use crate::table::once::Unsaid;

pub(super) const SERVICE: Service = Service {
    name: "smtp",
    about: "a mail",
    keys: &["host", "port", "encryption", "ca", "username", "password", "from", "recipients", "subject"],
    needs: &[&["host"], &["from"], &["recipients"]],
    way: Way::Mail,
};

const SUBJECT: &str = "{{ name }} {{ version }} is out";

/// How a connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Encryption {
    /// From its start.
    Tls,
    /// After the greeting, or not at all: nothing is sent to a server that does not offer it.
    Starttls,
    /// Never: all that is between can read it.
    None,
}

/// A mail, but for its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    host: String,
    port: u16,
    encryption: Encryption,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ca: Option<String>,
    /// The secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    password: Option<String>,
    from: String,
    recipients: Vec<String>,
    subject: String,
    /// The same for the same mail, by which who gets it twice can tell.
    message_id: String,
}

/// The mail of a table; `text` is what is said.
pub(super) fn plan(
    settings: &Settings,
    text: &str,
    names: &MessageNames,
    given: &Given<'_>,
) -> Result<Mail, Vec<Problem>> {
    let mut problems = Vec::new();
    let (host, port, encryption) = connection(settings, &mut problems);
    let mut domain_of = |key: String, address: &str| match mailbox(address) {
        Ok(mailbox) => mailbox.email.domain().to_owned(),
        Err(problem) => {
            problems.push(Problem { place: Place::Key(key), ..problem });
            String::new()
        }
    };
    let (from, recipients) =
        (settings.from.clone().unwrap_or_default(), settings.recipients.clone().unwrap_or_default());
    let domain = domain_of("from".to_owned(), &from);
    for (at, recipient) in recipients.iter().enumerate() {
        domain_of(format!("recipients[{at}]"), recipient);
    }
    if recipients.is_empty() {
        problems.push(Problem::at_key("recipients", "nobody is written to").help("name an address"));
    }
    let subject = subject(settings, names, given).unwrap_or_else(|problem| {
        problems.push(problem);
        String::new()
    });
    if !problems.is_empty() {
        return Err(problems);
    }
    let said = (&given.facts.name, &given.facts.version, &given.table.id, &from, &recipients, &subject, text);
    let digest = Digest::of(&serde_json::to_vec(&said).unwrap_or_default()).to_string();
    let hex = digest.rsplit(':').next().unwrap_or_default();
    let message_id = format!("<{}@{domain}>", &hex[..hex.len().min(32)]);
    let (ca, password) = (settings.ca.clone(), settings.password.clone());
    Ok(Mail { host, port, encryption, ca, password, from, recipients, subject, message_id })
}

/// What a step reads of the sources.
pub(super) fn reads(settings: &Settings) -> Vec<Read> {
    settings.ca.iter().map(|path| Read::all(path, Place::Key("ca".to_owned()))).collect()
}

/// Sends it; `begin` is called before the server can take it.
pub(super) fn send(params: &Params, host: &dyn Host, begin: &dyn Fn() -> Result<(), Failure>) -> Result<(), Unsaid> {
    let mail = params.mail.as_ref().ok_or_else(|| Unsaid::Surely(Failure::bug("a step for a mail without one")))?;
    let talk = talk::Talk::new(params, mail, host).map_err(Unsaid::Surely)?;
    let message = mail.message(&params.message).map_err(Unsaid::Surely)?;
    watch::watched(host, begin, move |begin| talk.deliver(&message, begin))
}

/// Where the mail goes first, and how.
fn connection(settings: &Settings, problems: &mut Vec<Problem>) -> (String, u16, Encryption) {
    let host = settings.host.as_deref().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let is_name = |char: char| char.is_ascii_alphanumeric() || "-._".contains(char);
    if host.is_empty() || !(host.parse::<IpAddr>().is_ok() || host.chars().all(is_name)) {
        let problem = Problem::at_key("host", format!("`{host}` is not the name of a host"));
        problems.push(problem.help("write `host = \"smtp.example.org\"`; a port goes into `port`"));
    }
    let default = match settings.port {
        Some(465) => Encryption::Tls,
        _ if is_loopback(&host) => Encryption::None,
        _ => Encryption::Starttls,
    };
    let encryption = settings.encryption.unwrap_or(default);
    let port = settings.port.unwrap_or(match encryption {
        Encryption::Tls => 465,
        Encryption::Starttls => 587,
        Encryption::None => 25,
    });
    match (&settings.username, &settings.password) {
        (Some(_), None) => problems.push(
            Problem::at_key("username", "a login without `password`")
                .help("name the secret that is the password: `password = \"smtp_password\"`"),
        ),
        (None, Some(_)) => {
            problems.push(Problem::at_key("password", "a password without `username`").help("say who logs in"));
        }
        (Some(_), Some(_)) if encryption == Encryption::None && !is_loopback(&host) => {
            let problem = Problem::at_key("encryption", format!("the password would go to `{host}` unencrypted"));
            problems.push(problem.help("write `tls` or `starttls`"));
        }
        _ => {}
    }
    (host, port, encryption)
}

fn is_loopback(host: &str) -> bool {
    let address: Option<IpAddr> = host.parse().ok();
    host == "localhost" || host.ends_with(".localhost") || address.is_some_and(|it| it.is_loopback())
}

/// An address, with a name or without.
fn mailbox(text: &str) -> Result<Mailbox, Problem> {
    let problem = |message: String| Problem::at_key("from", message);
    // What stands in a header must not begin another.
    let parsed = if text.contains(char::is_control) { None } else { text.parse::<Mailbox>().ok() };
    let mailbox = parsed.ok_or_else(|| {
        problem(format!("`{}` is not an address", text.escape_debug()))
            .help("write `releases@example.org`, or `Acme <releases@example.org>`")
    })?;
    match mailbox.email.to_string().is_ascii() {
        true => Ok(mailbox),
        false => Err(problem(format!("`{}` is not in ASCII, which many servers want", mailbox.email))
            .help("write its domain as it stands in the DNS: `xn--…`")),
    }
}

fn subject(settings: &Settings, names: &MessageNames, given: &Given<'_>) -> Result<String, Problem> {
    let default = Template::new(SUBJECT);
    let subject = given.render("subject", settings.subject.as_ref().unwrap_or(&default), names)?;
    let subject = subject.trim();
    if subject.contains(char::is_control) {
        let problem = Problem::at_key("subject", format!("`{}` is more than one line", subject.escape_debug()));
        return Err(problem.help("a subject has no line breaks; what is long goes into `message`"));
    }
    if subject.is_empty() {
        return Err(Problem::at_key("subject", "the subject is empty").help("leave it out, or say something"));
    }
    Ok(subject.to_owned())
}

impl Mail {
    fn message(&self, text: &str) -> Result<Message, Failure> {
        let bug = |error: &dyn std::error::Error| Failure::bug(format!("no mail can be made of that: {error}"));
        let parse = |text: &String| text.parse::<Mailbox>().map_err(|error| bug(&error));
        let mut builder = Message::builder().from(parse(&self.from)?);
        for recipient in &self.recipients {
            builder = builder.to(parse(recipient)?);
        }
        let builder = builder.subject(&self.subject).message_id(Some(self.message_id.clone()));
        let message = builder.header(MIME_VERSION_1_0).header(ContentType::TEXT_PLAIN).body(text.to_owned());
        let mut message = message.map_err(|error| bug(&error))?;
        // So that nobody's absence is answered (RFC 3834).
        let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
        message.headers_mut().insert_raw(HeaderValue::new(automatic, "auto-generated".to_owned()));
        Ok(message)
    }
}
