//! The host itself: what a step does to it is written down, and its files are real.
//! Does not check what a step leaves out; [`run_step`](super::run_step) does.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use forge_schemas::kind::Kind;
use forge_schemas::{
    Artifact, Blob, Command, Digest, Digester, Emit, EmitBlob, Exit, Failure, FailureClass, Finding, HttpRequest,
    HttpResponse, Level, Offer, Output, Platform, Run, Step, TableName, Trace,
};
use serde_json::{Map, Value};
use tempfile::TempDir;

use super::FakeRenderer;
use crate::{Host, Renderer as _};

/// A host in memory. `with_…` and `on_…` set it up; what a step did to it stands in [`FakeHost::record`].
pub struct FakeHost {
    scratch: TempDir,
    root: PathBuf,
    dir: PathBuf,
    step: Step,
    table: TableName,
    /// Everything there is, given or emitted; `inputs` are those that the step takes.
    artifacts: Vec<Artifact>,
    inputs: Vec<Artifact>,
    found: Vec<Finding>,
    secrets: BTreeMap<String, String>,
    trace: Option<Trace>,
    on_exec: Box<dyn Fn(&Command) -> Exit + Send + Sync>,
    on_http: Box<dyn Fn(&HttpRequest) -> HttpResponse + Send + Sync>,
    record: Mutex<Record>,
    cancelled: AtomicBool,
}

/// What a step did.
#[derive(Debug, Clone, Default)]
pub struct Record {
    /// The programs that it started, in order.
    pub commands: Vec<Command>,
    /// The requests that it sent, in order.
    pub requests: Vec<HttpRequest>,
    /// What it said.
    pub logs: Vec<(Level, String)>,
    /// How far it said it was: done, total, message.
    pub progress: Vec<(u64, u64, String)>,
    /// What it made, in order.
    pub emitted: Vec<Artifact>,
    /// What it remembered, by key; a later value replaces an earlier one.
    pub notes: Map<String, Value>,
}

impl FakeHost {
    /// A host whose programs do nothing and succeed, and whose servers have nothing (404).
    ///
    /// # Panics
    /// When there is no room for a scratch directory.
    pub fn new() -> FakeHost {
        let scratch = tempfile::tempdir().expect("a scratch directory");
        let path = scratch.path().canonicalize().expect("the scratch directory has a path");
        let (root, dir) = (path.join("root"), path.join("dir"));
        for dir in [&root, &dir, &path.join("store")] {
            fs::create_dir(dir).expect("a directory in the scratch directory");
        }
        FakeHost {
            scratch,
            root,
            dir,
            step: Step::default(),
            table: TableName::new("", ""),
            artifacts: Vec::new(),
            inputs: Vec::new(),
            found: Vec::new(),
            secrets: BTreeMap::new(),
            trace: None,
            on_exec: Box::new(|_| Exit { code: Some(0), ..Exit::default() }),
            on_http: Box::new(|_| HttpResponse { status: 404, ..HttpResponse::default() }),
            record: Mutex::default(),
            cancelled: AtomicBool::new(false),
        }
    }

    /// The same, with a file in the source tree. `path` is relative to the project file.
    #[must_use]
    pub fn with_source(self, path: &str, content: impl AsRef<[u8]>) -> FakeHost {
        write(&self.root.join(path), content.as_ref());
        self
    }

    /// The same, with a made artifact for steps to take: content, and detail of a kind.
    #[must_use]
    pub fn with_input<K: Kind>(
        self,
        name: &str,
        platform: Option<Platform>,
        detail: &K,
        content: impl AsRef<[u8]>,
    ) -> FakeHost {
        let detail = serde_json::to_value(detail).expect("a detail is JSON");
        self.with_artifact(name, K::NAME, platform, detail, content.as_ref(), &[])
    }

    /// The same, with a made artifact that refers to further content, in this order. Its table is `<kind>:test`.
    #[must_use]
    pub fn with_artifact(
        mut self,
        name: &str,
        kind: &str,
        platform: Option<Platform>,
        detail: Value,
        content: &[u8],
        blobs: &[&[u8]],
    ) -> FakeHost {
        let Blob { digest, size, path } = self.put(content);
        let blobs = blobs.iter().map(|blob| self.put(blob)).collect();
        let table = TableName::new(kind, "test");
        let (name, kind) = (name.to_owned(), kind.to_owned());
        let executable = kind == "binary";
        let artifact = Artifact { name, kind, platform, table, digest, size, path, executable, blobs, detail };
        self.inputs.push(artifact.clone());
        self.artifacts.push(artifact);
        self
    }

    /// The same, for a table that reveals this secret to its pipe.
    #[must_use]
    pub fn with_secret(mut self, name: &str, value: &str) -> FakeHost {
        self.secrets.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The same, where what steps take came to be like this.
    #[must_use]
    pub fn with_trace(mut self, trace: Trace) -> FakeHost {
        self.trace = Some(trace);
        self
    }

    /// The same; programs end as `answer` says.
    #[must_use]
    pub fn on_exec(mut self, answer: impl Fn(&Command) -> Exit + Send + Sync + 'static) -> FakeHost {
        self.on_exec = Box::new(answer);
        self
    }

    /// The same; requests are answered as `answer` says.
    #[must_use]
    pub fn on_http(mut self, answer: impl Fn(&HttpRequest) -> HttpResponse + Send + Sync + 'static) -> FakeHost {
        self.on_http = Box::new(answer);
        self
    }

    /// Asks the step to stop.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// What was done to this host so far.
    pub fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the artifacts that there are offer, for a table that plans.
    pub fn offers(&self) -> Vec<Offer> {
        self.artifacts.iter().map(Artifact::offer).collect()
    }

    /// Gets ready for a step: picks the artifacts that it takes, and empties its directory. Answers what the engine would
    /// send over the line. [`run_step`](super::run_step) does this by itself.
    pub fn begin(&mut self, table: &TableName, step: &Step) -> Result<Run, Failure> {
        let find = |name: &String| self.artifacts.iter().rfind(|it| it.name == *name).cloned();
        let missing = |name: &String| Failure::bug(format!("the step takes `{name}`, which is not there"));
        self.inputs =
            step.takes.iter().map(|name| find(name).ok_or_else(|| missing(name))).collect::<Result<_, _>>()?;
        self.table = table.clone();
        self.step = step.clone();
        fs::remove_dir_all(&self.dir)
            .and_then(|()| fs::create_dir(&self.dir))
            .map_err(|error| Failure::file("empty", &self.dir, &error))?;
        let host = forge_schemas::Host { root: self.root.clone(), dir: self.dir.clone() };
        Ok(Run { table: table.clone(), step: step.clone(), inputs: self.inputs.clone(), host, found: Vec::new() })
    }

    /// Without what the next step takes, as before anything was made.
    pub(super) fn begin_without(&mut self, step: &Step) {
        self.step = step.clone();
        self.inputs.clear();
    }

    pub(super) fn find(&mut self, found: Vec<Finding>) {
        self.found = found;
    }

    pub(super) fn keep(&mut self, made: &[Artifact]) {
        self.artifacts.extend_from_slice(made);
    }

    fn put(&self, content: &[u8]) -> Blob {
        let digest = Digest::of(content);
        let path = self.stored(digest);
        write(&path, content);
        Blob { digest, size: content.len() as u64, path }
    }

    fn declared(&self, name: &str) -> Result<&Output, Failure> {
        self.step
            .makes
            .iter()
            .find(|output| output.name == name)
            .ok_or_else(|| Failure::bug(format!("the step makes `{name}`, which it did not declare")))
    }

    fn resolve(&self, blob: &EmitBlob) -> Result<Blob, Failure> {
        match blob {
            EmitBlob::File(path) => self.take(path),
            EmitBlob::Held(digest) => self
                .inputs
                .iter()
                .flat_map(held)
                .find(|blob| blob.digest == *digest)
                .ok_or_else(|| Failure::bug(format!("`{digest}` is no content of the step's inputs"))),
        }
    }

    /// Moves a file of the step's directory into the store.
    fn take(&self, path: &Path) -> Result<Blob, Failure> {
        let inside = path.starts_with(&self.dir) && !path.components().any(|part| part == Component::ParentDir);
        if !inside {
            return Err(Failure::bug(format!("`{}` is not in the step's directory", path.display())));
        }
        let mut digester = Digester::default();
        fs::File::open(path)
            .and_then(|mut file| io::copy(&mut file, &mut digester))
            .map_err(|error| Failure::file("read", path, &error))?;
        let (digest, size) = digester.finish();
        let stored = self.stored(digest);
        fs::rename(path, &stored).map_err(|error| Failure::file("move", path, &error))?;
        Ok(Blob { digest, size, path: stored })
    }

    fn stored(&self, digest: Digest) -> PathBuf {
        self.dir.with_file_name("store").join(digest.hex())
    }
}

impl Host for FakeHost {
    fn inputs(&self) -> &[Artifact] {
        &self.inputs
    }

    fn found(&self) -> &[Finding] {
        &self.found
    }

    fn root(&self) -> &Path {
        &self.root
    }

    fn dir(&self) -> &Path {
        &self.dir
    }

    fn exec(&self, command: &Command) -> Result<Exit, Failure> {
        self.record().commands.push(command.clone());
        let dir = command.dir.clone().unwrap_or_else(|| self.dir.clone());
        Ok((self.on_exec)(&Command { dir: Some(dir), ..command.clone() }))
    }

    fn http(&self, request: &HttpRequest) -> Result<HttpResponse, Failure> {
        self.record().requests.push(request.clone());
        let mut response = (self.on_http)(request);
        if response.is_success() {
            check_body(request, &response)?;
        }
        if let Some(path) = &request.to_file {
            fs::write(path, &response.body).map_err(|error| Failure::file("write", path, &error))?;
            response.body.clear();
        }
        Ok(response)
    }

    fn emit(&self, emit: &Emit) -> Result<Artifact, Failure> {
        let output = self.declared(&emit.name)?.clone();
        if self.record().emitted.iter().any(|artifact| artifact.name == emit.name) {
            return Err(Failure::bug(format!("the step makes `{}` twice", emit.name)));
        }
        let executable = fs::metadata(&emit.path).is_ok_and(|meta| meta.permissions().mode() & 0o100 != 0);
        let Blob { digest, size, path } = self.take(&emit.path)?;
        let blobs = emit.blobs.iter().map(|blob| self.resolve(blob)).collect::<Result<_, _>>()?;
        let Output { name, kind, platform, .. } = output;
        let (table, detail) = (self.table.clone(), emit.detail.clone());
        let artifact = Artifact { name, kind, platform, table, digest, size, path, executable, blobs, detail };
        self.record().emitted.push(artifact.clone());
        Ok(artifact)
    }

    fn log(&self, level: Level, message: &str) {
        self.record().logs.push((level, message.to_owned()));
    }

    fn progress(&self, done: u64, total: u64, message: &str) {
        self.record().progress.push((done, total, message.to_owned()));
    }

    fn cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    fn remember(&self, key: &str, value: &Value) -> Result<(), Failure> {
        self.record().notes.insert(key.to_owned(), value.clone());
        Ok(())
    }

    fn recall(&self, key: &str) -> Result<Value, Failure> {
        Ok(self.record().notes.get(key).cloned().unwrap_or_default())
    }

    fn secret(&self, name: &str) -> Result<String, Failure> {
        let unknown = || Failure::input(format!("the table does not reveal a secret `{name}`"));
        self.secrets.get(name).cloned().ok_or_else(unknown)
    }

    fn trace(&self) -> Result<Trace, Failure> {
        let untold = || Failure::bug("the step has not said that it is to be told how what it takes came to be");
        self.trace.clone().filter(|_| !self.step.traced.is_no()).ok_or_else(untold)
    }

    fn render(&self, template: &str, names: &Value) -> Result<String, Failure> {
        FakeRenderer::without_facts().render(template, names).map(|reply| reply.text).map_err(Failure::input)
    }
}

impl Default for FakeHost {
    fn default() -> FakeHost {
        FakeHost::new()
    }
}

impl std::fmt::Debug for FakeHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FakeHost").field("scratch", &self.scratch).finish_non_exhaustive()
    }
}

/// The content that an artifact stands for: its own and all that it refers to.
fn held(artifact: &Artifact) -> impl Iterator<Item = Blob> + '_ {
    let own = Blob { digest: artifact.digest, size: artifact.size, path: artifact.path.clone() };
    std::iter::once(own).chain(artifact.blobs.iter().cloned())
}

fn check_body(request: &HttpRequest, response: &HttpResponse) -> Result<(), Failure> {
    match request.digest {
        Some(digest) if digest != Digest::of(response.body.as_bytes()) => {
            Err(Failure::new(FailureClass::Refused, format!("the answer is not `{digest}`")))
        }
        _ => Ok(()),
    }
}

fn write(path: &Path, content: &[u8]) {
    let parent = path.parent().expect("a file lies in a directory");
    fs::create_dir_all(parent).and_then(|()| fs::write(path, content)).expect("a file in the scratch directory");
}
