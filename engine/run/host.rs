//! What a pipe is given while it runs a step: its inputs, its directory, and the few things it may do to the world.
//! Knows one task; does not know the plan, nor what comes after.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use forge_plugin::Host;
use forge_schemas::{
    Artifact, Blob, Command, Digest, Emit, EmitBlob, Exit, Failure, FailureClass, Finding, HttpRequest, HttpResponse,
    Level, Trace,
};
use serde_json::Value;

use super::diary::Diary;
use super::http::in_short;
use super::process::{self, Start, Stream};
use super::shared::Shared;
use crate::plan::Task;
use crate::store::write_sealed;

/// The host of one task.
pub struct TaskHost<'a> {
    shared: &'a Shared,
    task: &'a Task,
    inputs: Vec<Artifact>,
    directory: PathBuf,
    diary: &'a Diary,
    found: Vec<Finding>,
    trace: Option<Arc<Trace>>,
    made: Mutex<Vec<Artifact>>,
}

impl<'a> TaskHost<'a> {
    /// The host of `task`, whose step may write in `directory`.
    pub fn new(
        shared: &'a Shared,
        task: &'a Task,
        inputs: Vec<Artifact>,
        directory: PathBuf,
        diary: &'a Diary,
        found: Vec<Finding>,
    ) -> TaskHost<'a> {
        TaskHost { shared, task, inputs, directory, diary, found, trace: None, made: Mutex::default() }
    }

    /// The same, for a step that is told how what it takes came to be.
    pub fn with_trace(self, trace: Option<Arc<Trace>>) -> TaskHost<'a> {
        TaskHost { trace, ..self }
    }

    /// What the task has made; a failure of the pipe when it is not what the step declared.
    pub fn finish(self) -> Result<Vec<Artifact>, Failure> {
        let made = self.made.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(missing) = self.task.step.makes.iter().find(|it| !made.iter().any(|made| made.name == it.name)) {
            return Err(Failure::bug(format!("the pipe declared `{}` and did not make it", missing.name)));
        }
        Ok(made)
    }

    // The step's own files only: nothing that a link leads to elsewhere.
    fn own_file(&self, path: &Path) -> Result<PathBuf, Failure> {
        let outside =
            || Failure::bug(format!("the pipe gave away `{}`, which is not a file of its step", path.display()));
        let whole = self.directory.join(path);
        let directory = whole.parent().and_then(|it| it.canonicalize().ok()).ok_or_else(outside)?;
        let own = self.directory.canonicalize().map_err(|_| outside())?;
        let is_file = std::fs::symlink_metadata(&whole).is_ok_and(|it| it.is_file());
        match is_file && directory.starts_with(own) {
            true => Ok(whole),
            false => Err(outside()),
        }
    }

    fn blob(&self, blob: &EmitBlob) -> Result<Blob, Failure> {
        match blob {
            EmitBlob::File(path) => {
                let file = self.own_file(path)?;
                self.holds_no_secret(&file)?;
                self.shared.blobs.take(&file)
            }
            EmitBlob::Held(digest) => self.held(digest),
        }
    }

    fn held(&self, digest: &Digest) -> Result<Blob, Failure> {
        let itself = self.inputs.iter().find(|it| it.digest == *digest);
        let itself = itself.map(|it| Blob { digest: it.digest, size: it.size, path: it.path.clone() });
        itself
            .or_else(|| self.inputs.iter().flat_map(|it| &it.blobs).find(|it| it.digest == *digest).cloned())
            .ok_or_else(|| Failure::bug(format!("the pipe refers to {digest}, which none of its inputs holds")))
    }

    fn granted(&self) -> impl Iterator<Item = (String, String)> {
        self.shared.reach.secrets.granted(&self.task.secrets).map(|(name, value)| (name, value.to_owned()))
    }

    // What a program was given may end up in what it makes, and that would be published.
    fn holds_no_secret(&self, file: &Path) -> Result<(), Failure> {
        let found = self.shared.mask.find_in(file, &self.task.secrets);
        match found.map_err(|error| Failure::file("read", file, &error))? {
            None => Ok(()),
            Some(secret) => {
                let name = file.file_name().unwrap_or_default().display();
                Err(Failure::input(format!("the secret `{secret}` is in `{name}`, which the step has made"))
                    .help("what is made is published: keep the secret out of it, or don't grant it to this table"))
            }
        }
    }

    fn go_on(&self) -> Result<(), Failure> {
        match self.cancelled() {
            true => Err(Failure::new(FailureClass::Cancelled, "the run was interrupted")),
            false => Ok(()),
        }
    }
}

impl Host for TaskHost<'_> {
    fn inputs(&self) -> &[Artifact] {
        &self.inputs
    }

    fn found(&self) -> &[Finding] {
        &self.found
    }

    fn root(&self) -> &Path {
        &self.shared.reach.root
    }

    fn dir(&self) -> &Path {
        &self.directory
    }

    fn exec(&self, command: &Command) -> Result<Exit, Failure> {
        self.go_on()?;
        self.diary.command(&command.argv);
        let line = |stream: Stream, line: &str| self.diary.output(stream, line);
        let stop = self.shared.reach.stop.clone();
        let mut command = command.clone();
        command.env.extend(self.granted());
        let mut env = self.shared.environment.of_step(&self.task.step.env);
        env.extend(self.shared.env.clone());
        let start = Start { command: &command, directory: &self.directory, env: &env, mask: &self.shared.mask };
        let exit = self.shared.reach.runtime.block_on(process::run(&start, stop, &line))?;
        if !exit.is_success() {
            self.diary.output(Stream::Err, &format!("({})", exit.in_words()));
        }
        Ok(exit)
    }

    fn http(&self, request: &HttpRequest) -> Result<HttpResponse, Failure> {
        self.go_on().map_err(|failure| Failure { unreached: true, ..failure })?;
        let answer = self.shared.reach.send(request);
        let asked = in_short(request.method, &request.url);
        match &answer {
            Ok(answer) => self.diary.note(&format!("{asked} -> {}", answer.status)),
            Err(failure) => self.diary.note(&format!("{asked}: {failure}")),
        }
        answer
    }

    fn emit(&self, emit: &Emit) -> Result<Artifact, Failure> {
        let output = self
            .task
            .output(&emit.name)
            .ok_or_else(|| Failure::bug(format!("the pipe made `{}`, which its step did not declare", emit.name)))?;
        self.shared.kinds.check(&output.kind, &emit.detail)?;
        let file = self.own_file(&emit.path)?;
        self.holds_no_secret(&file)?;
        let executable = crate::store::is_executable(&file).map_err(|error| Failure::file("read", &file, &error))?;
        let blobs = emit.blobs.iter().map(|it| self.blob(it)).collect::<Result<Vec<_>, _>>()?;
        let content = self.shared.blobs.take(&file)?;
        let artifact = Artifact {
            name: output.name.clone(),
            kind: output.kind.clone(),
            platform: output.platform.clone(),
            table: self.task.table.clone(),
            digest: content.digest,
            size: content.size,
            path: content.path,
            executable,
            blobs,
            detail: self.shared.mask.value(&emit.detail),
        };
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if made.iter().any(|it| it.name == artifact.name) {
            return Err(Failure::bug(format!("the pipe made `{}` twice", artifact.name)));
        }
        made.push(artifact.clone());
        Ok(artifact)
    }

    fn log(&self, level: Level, message: &str) {
        self.diary.log(level, message);
    }

    fn progress(&self, done: u64, total: u64, message: &str) {
        self.diary.progress(done, total, message);
    }

    fn cancelled(&self) -> bool {
        self.shared.reach.is_cancelled()
    }

    fn remember(&self, key: &str, value: &Value) -> Result<(), Failure> {
        // A pipe may remember several things at once, and they lie in one file.
        let _alone = self.shared.remembering.lock().unwrap_or_else(PoisonError::into_inner);
        let mut notes = self.shared.reach.notes(&self.task.id);
        notes.insert(key.to_owned(), self.shared.mask.value(value));
        let path = self.shared.reach.note_file(&self.task.id);
        let bytes = serde_json::to_vec(&notes).map_err(|error| Failure::bug(error.to_string()))?;
        std::fs::create_dir_all(&self.shared.reach.notes)
            .and_then(|()| write_sealed(&path, bytes))
            .map_err(|error| Failure::file("write", &path, &error))
    }

    fn recall(&self, key: &str) -> Result<Value, Failure> {
        Ok(self.shared.reach.notes(&self.task.id).remove(key).unwrap_or_default())
    }

    fn secret(&self, name: &str) -> Result<String, Failure> {
        let secret = self.shared.reach.revealed(self.task, name)?;
        self.diary.note(&format!("the plugin has asked for the secret `{name}`"));
        Ok(secret)
    }

    fn trace(&self) -> Result<Trace, Failure> {
        let untold = || Failure::bug("the step has not said that it is to be told how what it takes came to be");
        self.trace.as_deref().cloned().ok_or_else(untold)
    }

    fn render(&self, template: &str, names: &Value) -> Result<String, Failure> {
        self.shared.reach.render(template, names)
    }
}
