//! A repository on a registry: its manifests (distribution-spec 1.1), by way of the host.
//! Does not know credentials and retries: the engine has them. Blobs are in `upload`.

use std::num::NonZeroU32;

use forge_plugin::Host;
use forge_plugin::schemas::{Blob, Body, Digest, Failure, FailureClass, HttpRequest, HttpResponse, Method, Repeat};
use serde::Deserialize;

use super::patience::Patience;
use crate::oci::manifest::{ACCEPT, Family};
use crate::oci::reference::Reference;
use crate::oci::referrers::Referrers;

/// The codes with which a registry says that something a manifest points at is not there.
const MISSING: &[&str] =
    &["MANIFEST_BLOB_UNKNOWN", "MANIFEST_UNKNOWN", "BLOB_UNKNOWN", "NAME_UNKNOWN", "MANIFEST_REFERENCE_UNKNOWN"];

/// Up to this size a blob goes in one request, and above it in chunks of this size. Smaller chunks are slower
/// everywhere, and so many of them that some registries refuse them.
const CHUNK: u64 = 256 << 20;

/// How often a manifest is put when it is not known what came of it.
const ATTEMPTS: u32 = 10;

/// A repository on a registry.
pub struct Remote<'a> {
    pub(super) host: &'a dyn Host,
    reference: Reference,
    chunk: u64,
}

/// A manifest or an index that lies here, and its media type.
pub struct Manifest {
    /// The file.
    pub blob: Blob,
    /// What it is.
    pub media_type: String,
}

/// How a registry takes a manifest.
#[must_use]
pub enum Put {
    /// It is there.
    Done,
    /// It points at what is not there: the registry's answer.
    Missing(Box<HttpResponse>),
}

/// What a registry says of an error (distribution-spec, "Error Codes").
#[derive(Default, Deserialize)]
#[serde(default)]
struct Errors {
    errors: Vec<OneError>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OneError {
    code: String,
    message: String,
}

impl<'a> Remote<'a> {
    /// The repository of `reference`.
    pub fn new(host: &'a dyn Host, reference: &str) -> Result<Remote<'a>, Failure> {
        let reference = reference.parse().map_err(|bad| Failure::bug(format!("{bad}")))?;
        Ok(Remote { host, reference, chunk: CHUNK })
    }

    /// The same, which takes no more than so many MiB in one request, if that is said.
    #[must_use]
    pub fn with_chunk(self, mebibytes: Option<NonZeroU32>) -> Remote<'a> {
        let chunk = mebibytes.map_or(CHUNK, |it| u64::from(it.get()) << 20);
        Remote { chunk, ..self }
    }

    /// How much of a blob it takes in one request.
    pub fn chunk(&self) -> u64 {
        self.chunk
    }

    /// Registry and repository: `ghcr.io/acme/hello`.
    pub fn repository(&self) -> String {
        self.reference.name()
    }

    /// What `digest` is called here: `ghcr.io/acme/hello@sha256:…`.
    pub fn by_digest(&self, digest: Digest) -> String {
        self.reference.with_digest(digest).to_string()
    }

    /// The tag or digest of the reference that this was made from.
    pub fn target(&self) -> String {
        self.reference.target()
    }

    /// The reference that this was made from.
    pub fn named(&self) -> String {
        self.reference.to_string()
    }

    /// The registry, as users call it.
    pub fn registry(&self) -> &str {
        self.reference.host()
    }

    /// What `tag` is called here: `ghcr.io/acme/hello:1.2.3`.
    pub fn at_tag(&self, tag: &str) -> String {
        format!("{}:{tag}", self.reference.name())
    }

    /// What lies at a tag; none where nothing does.
    pub fn digest_of(&self, target: &str) -> Result<Option<Digest>, Failure> {
        let answer = self.ask(Method::Head, &format!("manifests/{target}"), target)?;
        match answer.as_ref().and_then(|it| it.header("docker-content-digest")).map(str::parse) {
            Some(Ok(digest)) => Ok(Some(digest)),
            // Some registries do not say, and some only to GET.
            _ if answer.is_some() => {
                let answer = self.ask(Method::Get, &format!("manifests/{target}"), target)?;
                Ok(answer.map(|it| Digest::of(it.body.as_bytes())))
            }
            _ => Ok(None),
        }
    }

    /// The text of a manifest; none where it is not there.
    pub fn get_manifest(&self, digest: Digest) -> Result<Option<String>, Failure> {
        let answer = self.ask(Method::Get, &format!("manifests/{digest}"), &digest.to_string())?;
        Ok(answer.map(|it| it.body))
    }

    /// The text of the manifest at a tag; none where nothing lies there. `failed` is how often the caller has failed already.
    pub fn get_tag(&self, tag: &str, failed: u32) -> Result<Option<String>, Failure> {
        let request = self.request(Method::Get, &format!("manifests/{tag}")).header("accept", ACCEPT);
        let answer = self.answer(&HttpRequest { failed, ..request }, tag)?;
        Ok(answer.map(|it| it.body))
    }

    /// What the registry says refers to a manifest; none where it does not know such questions.
    pub fn referrers(&self, subject: Digest) -> Result<Option<Referrers>, Failure> {
        let request = self.request(Method::Get, &format!("referrers/{subject}")).header("accept", Family::Oci.index());
        let answer = self.host.http(&request)?;
        match answer.status {
            200..300 => Ok(Referrers::parse(&answer.body).ok()),
            400..500 if answer.status != 429 => Ok(None),
            _ => Err(self.refused(&answer, &format!("does not say what refers to `{subject}`"))),
        }
    }

    /// The text of a small blob; none where it is not there.
    pub fn get_blob(&self, digest: Digest) -> Result<Option<String>, Failure> {
        let answer = self.ask(Method::Get, &format!("blobs/{digest}"), &digest.to_string())?;
        Ok(answer.map(|it| it.body))
    }

    fn ask(&self, method: Method, path: &str, target: &str) -> Result<Option<HttpResponse>, Failure> {
        self.answer(&self.request(method, path).header("accept", ACCEPT), target)
    }

    fn answer(&self, request: &HttpRequest, target: &str) -> Result<Option<HttpResponse>, Failure> {
        let answer = self.host.http(request)?;
        match answer.status {
            200..300 => Ok(Some(answer)),
            404 => Ok(None),
            _ => Err(self.refused(&answer, &format!("does not say what `{}` is", self.in_repository(target)))),
        }
    }

    /// Puts a manifest at a tag, or at its digest. When it is not known what came of that, the registry is asked before
    /// it is done again.
    pub fn put(&self, target: &str, manifest: &Manifest) -> Result<Put, Failure> {
        let mut outcome = self.put_once(target, manifest);
        let mut patience = Patience::default();
        for failed in 1..ATTEMPTS {
            match &outcome {
                Err(failure) if patience.bears(failure) => {}
                _ => break,
            }
            if self.is_there(target, manifest.blob.digest, failed)? {
                return Ok(Put::Done);
            }
            outcome = self.put_once(target, manifest);
        }
        outcome
    }

    fn put_once(&self, target: &str, manifest: &Manifest) -> Result<Put, Failure> {
        let Blob { path, digest, .. } = &manifest.blob;
        let request = self
            .request(Method::Put, &format!("manifests/{target}"))
            .header("content-type", &*manifest.media_type)
            .body(Body::File { path: path.clone(), offset: 0, size: None });
        let answer = self.host.http(&HttpRequest { repeat: Repeat::Never, ..request })?;
        if is_missing(&answer) {
            return Ok(Put::Missing(Box::new(answer)));
        }
        if !answer.is_success() {
            return Err(self.not_taken(target, &answer));
        }
        match answer.header("docker-content-digest").map(str::parse::<Digest>) {
            Some(Ok(stored)) if stored == *digest => Ok(Put::Done),
            Some(Ok(stored)) => Err(Failure::new(
                FailureClass::Refused,
                format!("`{}` has stored `{stored}` instead of `{digest}`", self.registry()),
            )),
            // Some registries do not say what they have stored.
            Some(Err(_)) | None => self.read_back(target, *digest).map(|()| Put::Done),
        }
    }

    /// Whether that manifest lies at `target`, now that putting it there has failed so often.
    fn is_there(&self, target: &str, digest: Digest, failed: u32) -> Result<bool, Failure> {
        let request = self.request(Method::Head, &format!("manifests/{target}")).header("accept", ACCEPT);
        let answer = self.host.http(&HttpRequest { failed, ..request })?;
        Ok(answer.is_success() && answer.header("docker-content-digest") == Some(&digest.to_string()))
    }

    /// Reads what lies at `target`, which must be what was put there.
    fn read_back(&self, target: &str, digest: Digest) -> Result<(), Failure> {
        let request = self.request(Method::Get, &format!("manifests/{target}")).header("accept", ACCEPT);
        let answer = self.host.http(&HttpRequest { digest: Some(digest), ..request })?;
        match answer.is_success() {
            true => Ok(()),
            false => {
                Err(self.refused(&answer, &format!("has taken `{}` and does not have it", self.by_digest(digest))))
            }
        }
    }

    /// A request below the repository.
    pub(super) fn request(&self, method: Method, path: &str) -> HttpRequest {
        self.request_to(method, &format!("{}/{path}", self.reference.api()))
    }

    /// A request to an address that the registry gave.
    pub(super) fn request_to(&self, method: Method, url: &str) -> HttpRequest {
        let mut request = HttpRequest::new(method, url);
        // Asked for at once, so that one token does for everything that is done here.
        request.scopes = vec![format!("repository:{}:pull,push", self.reference.repository())];
        request
    }

    /// The failure that an answer means.
    pub(super) fn refused(&self, answer: &HttpResponse, what: &str) -> Failure {
        let registry = self.registry();
        let class = match answer.status {
            408 | 500.. => FailureClass::Network,
            _ => FailureClass::Refused,
        };
        let failure = Failure::new(class, format!("`{registry}` {what}: status {}", answer.status));
        let failure = errors(answer)
            .into_iter()
            .fold(failure, |failure, error| failure.cause(format!("{}: {}", error.code, error.message)));
        match answer.status {
            403 => failure.help(format!(
                "the credentials for `{registry}` may not push to `{}`; are they for the right account?",
                self.reference.repository()
            )),
            404 => failure.help(format!("does `{}` exist on `{registry}`?", self.reference.repository())),
            408 | 429 | 500.. => failure.help(format!(
                "when `{registry}` is well again, run it again: it goes on where it has stopped, and repeats nothing \
                 that is done"
            )),
            _ => failure,
        }
    }

    fn not_taken(&self, target: &str, answer: &HttpResponse) -> Failure {
        self.refused(answer, &format!("does not take `{}`", self.in_repository(target)))
    }

    fn in_repository(&self, target: &str) -> String {
        let separator = if target.contains(':') { '@' } else { ':' };
        format!("{}{separator}{target}", self.reference.repository())
    }
}

impl Put {
    /// The same as a result: what is missing is a failure.
    pub fn or_fail(self, remote: &Remote<'_>, target: &str) -> Result<(), Failure> {
        match self {
            Put::Done => Ok(()),
            Put::Missing(answer) => Err(remote.not_taken(target, &answer)),
        }
    }
}

fn is_missing(answer: &HttpResponse) -> bool {
    matches!(answer.status, 400 | 404) && errors(answer).iter().any(|error| MISSING.contains(&error.code.as_str()))
}

fn errors(answer: &HttpResponse) -> Vec<OneError> {
    serde_json::from_str::<Errors>(&answer.body).unwrap_or_default().errors
}
