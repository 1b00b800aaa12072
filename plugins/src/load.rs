//! The engine's side of the line: opens a library, or takes one that is linked in, and calls it.
//! Does not know what the pipes do, nor which of them the project file names.

mod calls;
mod child;
mod conformance;
mod copy;
mod elf;
mod error;
mod handshake;
mod in_flight;
mod kinds;
mod library;
mod manifest;
mod maps;
mod owners;
mod registry;
mod search;
mod services;
mod sync;

use std::ffi::c_void;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use forge_schemas::{
    Digest, Failure, FailureClass, Plan, PlanReply, PluginInfo, Probe, ProbeReply, Run, Takes, TakesReply,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::abi::{CallId, Entry, PluginV1, Status, Str};
use crate::refusal::Refusal;
use crate::{Host, Renderer, message};
use manifest::Manifest;
use services::{Nothing, Planning, Running, Services};

pub use child::{Nursery, end_only_by_leaving, is_home_of_plugin, leave, plugin_host};
pub use conformance::Rule;
pub use error::LoadError;
use library::Hashed;
pub use library::Library;
pub use maps::needs_another_host;
pub use owners::Owners;
pub use registry::Plugins;
pub use search::Found;

/// A plugin that has been found good, is initialized, and answers calls from any thread, several at once. Its library
/// stays mapped for as long as the process lives.
pub struct Plugin {
    name: String,
    version: String,
    abi: String,
    /// What its file hashes to, when somebody asks. None for what is linked in.
    file: Option<Hashed>,
    path: Option<PathBuf>,
    info: PluginInfo,
    peer: Box<dyn Peer>,
}

/// Who answers at the other end of the line.
trait Peer: Send + Sync {
    /// One message and its answer. While it lasts, the plugin may ask for `services`, from any thread; when this returns,
    /// none does.
    fn call(&self, method: &str, request: &[u8], services: &dyn Services) -> Result<Vec<u8>, Refusal>;

    /// Whether the plugin wants one call at a time.
    fn one_at_a_time(&self) -> bool;

    /// Where it is.
    fn home(&self) -> Home;

    /// How often it has died.
    fn deaths(&self) -> u32 {
        0
    }
}

/// Where a plugin is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Home {
    /// In this process.
    Here,
    /// In a child process.
    Child,
}

/// The C side of a plugin between `init` and `fini`.
struct Open {
    table: &'static PluginV1,
    state: *mut c_void,
    /// Held during a call where the plugin wants one at a time.
    one_at_a_time: Option<Mutex<()>>,
}

// SAFETY: the state belongs to the plugin, which must take calls from any thread, several at once (rule T2), or says
// `SERIAL`, and then gets one at a time.
unsafe impl Send for Open {}
// SAFETY: as above.
unsafe impl Sync for Open {}

impl Plugin {
    /// Opens a library in this process. It is read once, and judged by its manifest before any of it is mapped; what is
    /// mapped is what was read and what is hashed, whatever happens to the file.
    pub fn open(path: &Path) -> Result<Plugin, LoadError> {
        Library::read(path)?.load()
    }

    /// Opens a library that must be of this build: one that comes with forge. It is mapped where it lies, as every library
    /// of a program is: who can write to it can write to the program. Another one [is stale](LoadError::is_stale); it is
    /// mapped all the same, and nothing of it is called but what hands out its table, where its build stands.
    pub fn open_of_build(path: &Path, build: &str) -> Result<Plugin, LoadError> {
        library::open_of_build(path, build)
    }

    /// Takes a plugin that is linked in.
    pub fn linked(entry: Entry) -> Result<Plugin, LoadError> {
        handshake::linked(entry)
    }

    fn new(manifest: &Manifest, info: PluginInfo, peer: Box<dyn Peer>) -> Plugin {
        let Manifest { name, version, abi, .. } = manifest.clone();
        Plugin { name, version, abi, file: None, path: None, info, peer }
    }

    /// The same with no pipes but these.
    #[must_use]
    pub fn only(mut self, pipes: &[String]) -> Plugin {
        self.info.pipes.retain(|pipe| pipes.contains(&pipe.name));
        self
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its version.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The version of the line that it was made for: `1.0`.
    pub fn abi(&self) -> &str {
        &self.abi
    }

    /// The sha256 of its file. None for what is linked in, which is the executable's own, and where the file is gone that it
    /// was mapped from.
    pub fn digest(&self) -> Option<Digest> {
        self.file.as_ref().and_then(Hashed::digest)
    }

    /// Whether both were opened from one file, or from equal ones.
    fn is_same_file(&self, other: &Plugin) -> bool {
        let same_path = self.path.is_some() && self.path == other.path;
        same_path || self.file.as_ref().zip(other.file.as_ref()).is_some_and(|(one, other)| one.is_equal(other))
    }

    /// Its file. None for what is linked in.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Where it is.
    pub fn home(&self) -> Home {
        self.peer.home()
    }

    /// What it was built from, where it says so.
    pub fn build(&self) -> Option<&str> {
        self.info.build.as_deref()
    }

    /// Whether it is of forge's own build: what comes with forge.
    fn comes_with_forge(&self) -> bool {
        self.build() == Some(crate::BUILD_ID)
    }

    /// What it says of itself and its pipes.
    pub fn info(&self) -> &PluginInfo {
        &self.info
    }

    /// Which artifacts a table takes. Pure.
    pub fn takes(&self, takes: &Takes) -> Result<TakesReply, Failure> {
        self.ask("takes", takes, &Nothing)
    }

    /// The steps of a table. Pure; templates are rendered by `renderer`.
    pub fn plan(&self, plan: &Plan, renderer: &dyn Renderer) -> Result<PlanReply, Failure> {
        self.ask("plan", plan, &Planning(renderer))
    }

    /// Does a step, which acts through `host`. Returns when no thread of the plugin uses the host any more. To be
    /// called on a plain thread, never on one of a pool or a runtime (rule T1).
    pub fn run(&self, run: &Run, host: &dyn Host) -> Result<(), Failure> {
        self.ask::<serde::de::IgnoredAny>("run", run, &Running(host)).map(drop)
    }

    /// What lies now where a step would put something. A plugin that does not know the question has found nothing.
    pub fn probe(&self, probe: &Probe, host: &dyn Host) -> Result<ProbeReply, Failure> {
        match ask(&*self.peer, "probe", probe, &Running(host)) {
            Err(refusal) if refusal.status == Status::UNIMPLEMENTED => Ok(ProbeReply::default()),
            answer => answer.map_err(|refusal| self.blamed(refusal.failure)),
        }
    }

    fn ask<A: DeserializeOwned>(
        &self,
        method: &str,
        request: &impl Serialize,
        services: &dyn Services,
    ) -> Result<A, Failure> {
        ask(&*self.peer, method, request, services).map_err(|refusal| self.blamed(refusal.failure))
    }

    /// One message, as bytes.
    fn call(&self, method: &str, request: &[u8], services: &dyn Services) -> Result<Vec<u8>, Refusal> {
        self.peer.call(method, request, services)
    }

    fn one_at_a_time(&self) -> bool {
        self.peer.one_at_a_time()
    }

    /// A failure of this plugin: a bug is named after it, so that the user knows whom to tell.
    #[must_use]
    pub fn blamed(&self, mut failure: Failure) -> Failure {
        if failure.class == FailureClass::Bug {
            failure.message = format!("bug in plugin `{}` {}: {}", self.name, self.version, failure.message);
        }
        failure
    }
}

/// One message and its answer, as what they say.
fn ask<A: DeserializeOwned>(
    peer: &dyn Peer,
    method: &str,
    request: &impl Serialize,
    services: &dyn Services,
) -> Result<A, Refusal> {
    let request = message::write(request, format_args!("the request of `{method}`"))?;
    let body = peer.call(method, &request, services)?;
    message::read(&body, format_args!("the answer to `{method}`"))
}

impl Peer for Open {
    fn call(&self, method: &str, request: &[u8], services: &dyn Services) -> Result<Vec<u8>, Refusal> {
        let _turn = self.one_at_a_time.as_ref().map(|lock| lock.lock().unwrap_or_else(PoisonError::into_inner));
        let ended = calls::run(services, |call: CallId| match self.table.call {
            // SAFETY: the handshake has checked the table; method and request live until the call has returned.
            Some(function) => unsafe { function(self.state, call, Str::of(method.as_bytes()), Str::of(request)) },
            None => Status::UNIMPLEMENTED,
        });
        ended.body()
    }

    fn one_at_a_time(&self) -> bool {
        self.one_at_a_time.is_some()
    }

    fn home(&self) -> Home {
        Home::Here
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(fini) = self.table.fini {
            // SAFETY: `init` has succeeded, and whoever drops us holds the only reference: no call is in flight.
            unsafe { fini(self.state) };
        }
    }
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plugin").field("name", &self.name).field("path", &self.path).finish_non_exhaustive()
    }
}
