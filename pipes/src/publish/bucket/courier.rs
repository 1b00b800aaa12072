//! Carries the requests of the crate `object_store` to the host, which sends them as it sends all others: with its patience, its trust in
//! certificates, and masked. Does not know what is asked.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;

use forge_plugin::Host;
use forge_plugin::schemas::{self, Authorization, Body, Failure, FailureClass, Method, Repeat};
use http_body_util::BodyExt as _;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
};
use object_store::{ClientOptions, RetryConfig};
use tokio::sync::oneshot;

/// Where requests are handed in.
#[derive(Clone)]
pub struct Courier(mpsc::Sender<Letter>);

struct Letter {
    request: schemas::HttpRequest,
    content: Vec<u8>,
    answer: oneshot::Sender<Result<schemas::HttpResponse, Failure>>,
}

/// Does what asks for things, while this thread's host fetches them.
pub fn with<T: Send>(
    host: &dyn Host,
    work: impl AsyncFnOnce(Courier) -> Result<T, Failure> + Send,
) -> Result<T, Failure> {
    after(0, host, work)
}

/// The same, where it has failed so often: the host waits before the first request.
pub fn after<T: Send>(
    failed: u32,
    host: &dyn Host,
    work: impl AsyncFnOnce(Courier) -> Result<T, Failure> + Send,
) -> Result<T, Failure> {
    let (sender, letters) = mpsc::channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.map_err(|error| Failure::new(FailureClass::Machine, format!("can't wait: {error}")))?;
    std::thread::scope(|scope| {
        // It ends when the last of those that can ask is gone.
        scope.spawn(move || {
            let failed = [failed].into_iter().chain(std::iter::repeat(0));
            letters.into_iter().zip(failed).for_each(|(letter, failed)| deliver(letter, failed, host));
        });
        runtime.block_on(work(Courier(sender)))
    })
}

fn deliver(letter: Letter, failed: u32, host: &dyn Host) {
    let Letter { request, content, answer } = letter;
    let request = schemas::HttpRequest { failed, ..request };
    // Who has asked may be gone: then nobody waits for it.
    let _ = answer.send(send(request, &content, host));
}

fn send(mut request: schemas::HttpRequest, content: &[u8], host: &dyn Host) -> Result<schemas::HttpResponse, Failure> {
    let file = match std::str::from_utf8(content) {
        Ok("") => None,
        Ok(text) if content.len() < INLINE => {
            request.body = Body::Text(text.to_owned());
            None
        }
        _ => Some(kept(content, host)?),
    };
    if let Some(path) = &file {
        request.body = Body::File { path: path.clone(), offset: 0, size: None };
    }
    let answer = host.http(&request);
    if let Some(path) = &file {
        let _ = std::fs::remove_file(path);
    }
    let answer = answer?;
    match answer.status {
        // Whether that is a mistake is for who has asked to say, unless there is nothing to look in.
        404 if !NO_BUCKET.contains(&code(&answer).unwrap_or_default()) => Ok(answer),
        ..400 => Ok(answer),
        _ => Err(refusal(&answer)),
    }
}

/// How services say that there is nothing to look in: Amazon's, and Azure.
const NO_BUCKET: [&str; 2] = ["NoSuchBucket", "ContainerNotFound"];

/// Azure says in the head, too, what is wrong.
const AZURES_CODE: &str = "x-ms-error-code";

/// What the service says, in its own words: `<Code>` and `<Message>`.
pub fn refusal(answer: &schemas::HttpResponse) -> Failure {
    let (status, code) = (answer.status, code(answer));
    let class = if status >= 500 || status == 429 { FailureClass::Network } else { FailureClass::Refused };
    let said = [code, within("Message", &answer.body)].into_iter().flatten();
    let said: String = said.map(|it| format!(": {it}")).collect();
    let failure = Failure::new(class, format!("the bucket's service answers {status}{said}"));
    let is_azure = answer.headers.contains_key(AZURES_CODE);
    match (status, code) {
        (401 | 403, _) if is_azure => failure.help(
            "is this a key of this account, one that has not run out, and may it read and write in the container?",
        ),
        (401 | 403, _) => failure
            .help("are these the keys of this store, is the region right, and may they read and write in the bucket?"),
        (404, _) if is_azure => failure.help("make the container, or write another one in `container`"),
        (404, _) => failure.help("make the bucket, or write another one in `bucket`"),
        (_, Some("InvalidBlobOrBlock")) => {
            failure.help("another program has begun to send this, and has not ended: let it end, or wait a week")
        }
        _ => failure,
    }
}

/// What is wrong, in one word. An answer to HEAD has no body.
fn code(answer: &schemas::HttpResponse) -> Option<&str> {
    within("Code", &answer.body).or_else(|| answer.headers.get(AZURES_CODE).map(String::as_str))
}

/// The first line of what is between these tags.
fn within<'a>(tag: &str, body: &'a str) -> Option<&'a str> {
    let (_, rest) = body.split_once(&format!("<{tag}>"))?;
    rest.split_once(&format!("</{tag}>")).map(|(text, _)| text.lines().next().unwrap_or_default())
}

/// What is larger is not carried as text.
const INLINE: usize = 1 << 16;

/// A part, as a file that can be sent.
fn kept(content: &[u8], host: &dyn Host) -> Result<PathBuf, Failure> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let path = host.dir().join(format!("part-{}", NUMBER.fetch_add(1, Ordering::Relaxed)));
    std::fs::write(&path, content).map_err(|error| Failure::file("write", &path, &error))?;
    Ok(path)
}

/// Once: the host has patience of its own.
pub fn once() -> RetryConfig {
    RetryConfig { max_retries: 0, ..RetryConfig::default() }
}

/// The host decides who is spoken to in the clear.
pub fn options() -> ClientOptions {
    ClientOptions::new().with_allow_http(true)
}

impl Courier {
    /// Carries a request, and brings the answer: one that is no refusal, or 404 or a redirection, which is for who asks to judge.
    pub async fn ask(&self, request: HttpRequest) -> Result<schemas::HttpResponse, Failure> {
        let (head, body) = request.into_parts();
        let content = body.collect().await.map_err(|error| Failure::bug(error.to_string()))?.to_bytes().to_vec();
        let (answer, answered) = oneshot::channel();
        let letter = Letter { request: as_ours(&head)?, content, answer };
        self.0.send(letter).map_err(|_| gone())?;
        answered.await.unwrap_or_else(|_| Err(gone()))
    }
}

impl fmt::Debug for Courier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Courier")
    }
}

impl HttpConnector for Courier {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait::async_trait]
impl HttpService for Courier {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        as_theirs(self.ask(request).await.map_err(failed)?)
    }
}

fn as_ours(head: &http::request::Parts) -> Result<schemas::HttpRequest, Failure> {
    let method = match head.method.as_str() {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "PUT" => Method::Put,
        "POST" => Method::Post,
        "DELETE" => Method::Delete,
        other => return Err(Failure::bug(format!("a request by `{other}`"))),
    };
    let mut request = schemas::HttpRequest::new(method, head.uri.to_string());
    for (name, value) in &head.headers {
        // Those two are the sender's.
        if ![http::header::HOST, http::header::CONTENT_LENGTH].contains(name) {
            request.headers.insert(name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned());
        }
    }
    request.authorization = Authorization::Own;
    // An upload that was begun twice is seen by nobody; one that is ended is asked for.
    let is_begun = method == Method::Post && head.uri.query().is_some_and(|it| it.starts_with("uploads"));
    request.repeat = if is_begun { Repeat::Always } else { Repeat::ByMethod };
    Ok(request)
}

fn as_theirs(answer: schemas::HttpResponse) -> Result<HttpResponse, HttpError> {
    let mut built = http::Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        built = built.header(name, value);
    }
    built.body(answer.body.into()).map_err(|error| failed(Failure::bug(error.to_string())))
}

fn failed(failure: Failure) -> HttpError {
    HttpError::new(HttpErrorKind::Unknown, failure)
}

fn gone() -> Failure {
    Failure::bug("who sends requests is gone")
}

/// The failure that is at the bottom of an error of the crate, or the error in words.
pub fn failure(error: &object_store::Error) -> Failure {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(at) = cause {
        if let Some(failure) = at.downcast_ref::<Failure>() {
            return failure.clone();
        }
        cause = at.source();
    }
    Failure::new(FailureClass::Refused, error.to_string())
}
