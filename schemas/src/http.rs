//! A request that a pipe has the engine send, and the answer.
//! Holds no credentials: the engine finds those of the host and adds them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::Digest;

/// A request. The engine adds credentials, retries what may be repeated, and follows redirects of GET and HEAD.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpRequest {
    /// What to do.
    pub method: Method,
    /// With scheme `https`; the engine speaks plain http to hosts that the project file says are insecure, and to loopback.
    pub url: String,
    /// Headers; `Authorization` only where the request says that it has its own.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// What to send.
    #[serde(default)]
    pub body: Body,
    /// Scopes to ask a token server for besides those of its challenge (`repository:acme/base:pull`).
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Where to write the answer's body. Without it the body comes back inline, 4 MiB at most.
    #[serde(default)]
    pub to_file: Option<PathBuf>,
    /// Whether the head of an answer is all that is wanted of it: the body of a success is left unread.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub head_only: bool,
    /// What the answer's body must hash to; other bytes are a failure.
    #[serde(default)]
    pub digest: Option<Digest>,
    /// What the engine may do when nobody knows what came of the request.
    #[serde(default)]
    pub repeat: Repeat,
    /// Who may answer.
    #[serde(default, skip_serializing_if = "AnsweredBy::is_its_host")]
    pub by: AnsweredBy,
    /// When the host hears who asks.
    #[serde(default, skip_serializing_if = "Authorization::is_when_asked")]
    pub authorization: Authorization,
    /// How often the caller has failed already at what this request is to mend: the engine waits first, longer each time.
    #[serde(default)]
    pub failed: u32,
}

/// Whether a request is sent again after a broken connection or a server's own error (5xx), when it may have been
/// carried out. One that surely was not, for there was no connection or the server had no time (429), is always sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repeat {
    /// If its method says that twice is the same as once.
    #[default]
    ByMethod,
    /// Yes: what it does is seen by nobody.
    Always,
    /// No: the caller asks what came of it.
    Never,
}

/// Who may answer a request for a registry. What is asked about something that is to be changed is for its host to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnsweredBy {
    /// The host of the URL.
    #[default]
    ItsHost,
    /// A mirror too, where the user has named one. A HEAD of this kind is asked once a run: who asks the same hears the same.
    Mirror,
}

/// When the host of a request hears who asks. The credentials are the engine's in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Authorization {
    /// When it asks for that (RFC 9110, 11.6.1), and from then on at once.
    #[default]
    WhenAsked,
    /// At once, by a bearer token (RFC 6750, 2.1): for hosts that show less to who says nothing, instead of asking.
    Bearer,
    /// By what the pipe has signed with a secret that was revealed to it, as clouds want that. The engine adds nothing, and such a
    /// request is redirected nowhere.
    Own,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "they are HTTP's own")]
pub enum Method {
    Head,
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

/// What to send.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// Nothing.
    #[default]
    Empty,
    /// These characters.
    Text(String),
    /// A file, or a part of one. Read again for each attempt.
    File {
        /// Absolute.
        path: PathBuf,
        /// The first byte.
        offset: u64,
        /// How many bytes; up to the end when none is given.
        size: Option<u64>,
    },
}

/// The answer. A status of 400 or more is an answer too, not a failure.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct HttpResponse {
    /// The status code.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body, where it was not written to a file.
    pub body: String,
}

impl HttpRequest {
    /// A request without headers and body.
    pub fn new(method: Method, url: impl Into<String>) -> HttpRequest {
        HttpRequest {
            method,
            url: url.into(),
            headers: BTreeMap::new(),
            body: Body::Empty,
            scopes: Vec::new(),
            to_file: None,
            head_only: false,
            digest: None,
            repeat: Repeat::ByMethod,
            by: AnsweredBy::ItsHost,
            authorization: Authorization::WhenAsked,
            failed: 0,
        }
    }

    /// The same, with this header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> HttpRequest {
        self.headers.insert(name.to_owned(), value.into());
        self
    }

    /// The same, with this body.
    #[must_use]
    pub fn body(mut self, body: Body) -> HttpRequest {
        self.body = body;
        self
    }
}

impl Authorization {
    /// Whether it waits for that.
    pub fn is_when_asked(&self) -> bool {
        *self == Authorization::WhenAsked
    }
}

impl AnsweredBy {
    /// Whether nobody else may.
    pub fn is_its_host(&self) -> bool {
        *self == AnsweredBy::ItsHost
    }
}

impl Method {
    /// Whether doing it twice is the same as doing it once (RFC 9110, 9.2.2).
    pub fn is_idempotent(self) -> bool {
        !matches!(self, Method::Post | Method::Patch)
    }

    /// As it stands in the request line.
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Head => "HEAD",
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
        }
    }
}

impl HttpResponse {
    /// Whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// A header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}
