//! Speaks to a server that takes mail, as far as its word that it has taken one (RFC 5321).
//! Does not know what the mail says.

use std::time::Duration;

use forge_plugin::Host;
use forge_plugin::schemas::Failure;
use lettre::Message;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{Certificate, SmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail as From, Rcpt};
use lettre::transport::smtp::extension::ClientId;

use super::words::{Asked, Words};
use super::{Encryption, Mail, Params, Unsaid};

/// How long it may take for a server to greet: less than one that waits for TLS waits, mostly.
const GREETING: Duration = Duration::from_secs(45);
/// How long a server may be silent.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long it may take for its last word: what is lost here is not known (RFC 5321, 4.5.3.2.6).
const LAST_PATIENCE: Duration = Duration::from_secs(600);
/// How long it may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(5);

/// What is needed to speak to a server.
pub(super) struct Talk {
    words: Words,
    tls: Option<TlsParameters>,
    login: Option<Credentials>,
}

impl Talk {
    /// With the password, and whom to trust.
    pub(super) fn new(params: &Params, mail: &Mail, host: &dyn Host) -> Result<Talk, Failure> {
        let password = mail.password.as_ref().map(|name| host.secret(name)).transpose()?;
        let username = params.word("username");
        let line_end = ['\r', '\n'];
        let login = username
            .zip(password)
            .map(|(name, password)| Credentials::new(name.to_owned(), password.trim_end_matches(line_end).to_owned()));
        let tls = match mail.encryption {
            Encryption::None => None,
            Encryption::Tls | Encryption::Starttls => Some(trust(mail, host)?),
        };
        let username = username.unwrap_or_default().to_owned();
        Ok(Talk { words: Words { mail: mail.clone(), username }, tls, login })
    }

    /// Sends it to all, or to nobody. `begin` is called before its text is sent.
    pub(super) fn deliver(&self, message: &Message, begin: &dyn Fn() -> Result<(), Failure>) -> Result<(), Unsaid> {
        let mut server = self.connect().map_err(Unsaid::Surely)?;
        if let Err(failure) = self.log_in(&mut server).and_then(|()| self.address(&mut server, message)) {
            leave(server);
            return Err(Unsaid::Surely(failure));
        }
        begin().map_err(Unsaid::Surely)?;
        // The old patience does as well.
        let _ = server.set_timeout(Some(LAST_PATIENCE));
        let text = message.formatted();
        // Its last line is ended by what ends the mail.
        let sent = server.message(text.strip_suffix(b"\r\n").unwrap_or(&text));
        let result = sent.map_err(|error| self.unsaid(&error));
        if result.is_ok() {
            leave(server);
        }
        result.map(drop)
    }

    fn connect(&self) -> Result<SmtpConnection, Failure> {
        let address = (self.words.mail.host.as_str(), self.words.mail.port);
        let name = ClientId::default();
        let from_start = self.tls.as_ref().filter(|_| self.words.mail.encryption == Encryption::Tls);
        let server = SmtpConnection::connect(address, Some(GREETING), &name, from_start, None);
        let mut server = server.map_err(|error| self.words.failure(&Asked::Greeting, &error))?;
        // The old patience does as well.
        let _ = server.set_timeout(Some(PATIENCE));
        if let (Encryption::Starttls, Some(tls)) = (self.words.mail.encryption, &self.tls) {
            if !server.can_starttls() {
                leave(server);
                return Err(self.words.no_encryption());
            }
            server.starttls(tls, &name).map_err(|error| self.words.failure(&Asked::Encryption, &error))?;
        }
        Ok(server)
    }

    fn log_in(&self, server: &mut SmtpConnection) -> Result<(), Failure> {
        let Some(login) = &self.login else { return Ok(()) };
        if server.server_info().get_auth_mechanism(DEFAULT_MECHANISMS).is_none() {
            return Err(self.words.no_login());
        }
        let answer = server.auth(DEFAULT_MECHANISMS, login);
        answer.map(drop).map_err(|error| self.words.failure(&Asked::Login, &error))
    }

    /// Says from whom and to whom, and that the mail comes now. All whom the server refuses are told at once.
    fn address(&self, server: &mut SmtpConnection, message: &Message) -> Result<(), Failure> {
        let envelope = message.envelope();
        let answer = server.command(From::new(envelope.from().cloned(), Vec::new()));
        answer.map_err(|error| self.words.failure(&Asked::Sender, &error))?;
        let mut refused: Vec<(String, Error)> = Vec::new();
        for recipient in envelope.to() {
            match server.command(Rcpt::new(recipient.clone(), Vec::new())) {
                Ok(_) => {}
                Err(error) if error.status().is_some() => refused.push((recipient.to_string(), error)),
                Err(error) => return Err(self.words.failure(&Asked::Recipient, &error)),
            }
        }
        if !refused.is_empty() {
            return Err(self.words.refused_recipients(&refused));
        }
        server.command(Data).map(drop).map_err(|error| self.words.failure(&Asked::Mail, &error))
    }

    /// A server that says no has not taken it; one that says nothing may have.
    fn unsaid(&self, error: &Error) -> Unsaid {
        let failure = self.words.failure(&Asked::Mail, error);
        if error.status().is_some() { Unsaid::Surely(failure) } else { Unsaid::Perhaps(failure) }
    }
}

/// What it says to that changes nothing.
fn leave(mut server: SmtpConnection) {
    let _ = server.set_timeout(Some(GOODBYE));
    server.abort();
}

/// Trusts whom the system trusts, and `ca`.
fn trust(mail: &Mail, host: &dyn Host) -> Result<TlsParameters, Failure> {
    let mut builder = TlsParameters::builder(mail.host.clone());
    if let Some(ca) = &mail.ca {
        let path = host.root().join(ca);
        let pem = std::fs::read(&path).map_err(|error| Failure::file("read", &path, &error))?;
        let is_pem = String::from_utf8_lossy(&pem).contains("-----BEGIN CERTIFICATE-----");
        let certificate = Certificate::from_pem(&pem).ok().filter(|_| is_pem);
        let certificate = certificate.ok_or_else(|| {
            Failure::input(format!("`{ca}` holds no certificate"))
                .help("`ca` names a file with certificates in PEM form")
        })?;
        builder = builder.add_root_certificate(certificate);
    }
    builder.build().map_err(|error| super::words::no_trust(&error))
}
