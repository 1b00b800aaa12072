//! A plugin in a child of its own: a peer like a table in this process, but it may die, and is started again.
//! Does not know what is asked of it.

mod host;
mod message;
mod output;
mod process;
mod turn;
mod wire;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use forge_schemas::{Failure, FailureClass, PluginInfo};

use super::copy::Copy;
use super::error::LoadError;
use super::services::Services;
use super::{Home, Peer};
use crate::abi::Status;
use crate::refusal::Refusal;

pub use host::{end_only_by_leaving, leave, plugin_host};
use process::Process;
pub use process::is_home_of_plugin;
use turn::Patience;

/// How often a child is started: once, and three times more when it has died.
const STARTS: u32 = 4;
/// How long a call may take that only computes: to load, to describe, to plan.
const PURE: Duration = Duration::from_secs(30);

/// How plugins are kept in children.
#[derive(Debug, Clone)]
pub struct Nursery {
    /// The program that calls [`plugin_host`] when its first argument is `plugin-host`.
    pub program: PathBuf,
    /// All that the child sees of the environment.
    pub env: BTreeMap<String, String>,
    /// How long a step may take. What forge does for it meanwhile, programs and requests, does not count.
    pub timeout: Duration,
}

/// A plugin that lives in a child. The child is started when it is first needed.
pub(super) struct Child {
    title: String,
    library: Arc<Copy>,
    nursery: Nursery,
    life: Mutex<Life>,
    /// Held for writing by a call that must be alone in the process, and for reading by all others.
    company: RwLock<()>,
}

#[derive(Default)]
struct Life {
    running: Option<Arc<Process>>,
    starts: u32,
}

impl Child {
    /// Of the bytes of a library that was judged. The title is for people.
    pub(super) fn of(title: String, library: Arc<Copy>, nursery: Nursery) -> Child {
        Child { title, library, nursery, life: Mutex::default(), company: RwLock::default() }
    }

    /// Starts it, and answers what it says of itself.
    pub(super) fn describe(&self) -> Result<PluginInfo, LoadError> {
        self.process().map(|process| process.info().clone())
    }

    /// The child, started if there is none, or only one that has died.
    fn process(&self) -> Result<Arc<Process>, LoadError> {
        let mut life = self.life.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(process) = life.running.as_ref().filter(|it| it.is_alive()) {
            return Ok(process.clone());
        }
        if life.starts >= STARTS {
            let message = format!("its process has ended {STARTS} times, and is not started again in this run");
            return Err(LoadError::new(message).help("the tasks before this one say how it ended"));
        }
        life.starts += 1;
        let process = Process::start(&self.title, self.library.bytes(), &self.nursery, PURE)?;
        life.running = Some(process.clone());
        Ok(process)
    }

    /// A call in a process that is alive; and whether that has died of it, or beside it.
    fn attempt(&self, method: Method<'_>, request: &[u8], services: &dyn Services) -> (Result<Vec<u8>, Refusal>, Fate) {
        loop {
            let process = match self.process() {
                Ok(process) => process,
                Err(error) => return (Err(hopeless(&error)), Fate::Lives),
            };
            let patience = match method {
                Method::Acts(_) => Patience::of(self.nursery.timeout, "a step"),
                Method::Computes(name) => Patience::of(PURE, name),
            };
            if let Some(result) = process.call(method.name(), request, services, patience) {
                return (result, if process.is_alive() { Fate::Lives } else { Fate::Died });
            }
        }
    }
}

/// There is no process to be had.
fn hopeless(error: &LoadError) -> Refusal {
    let failure = Failure { help: error.advice().map(ToOwned::to_owned), ..Failure::bug(error.message()) };
    Refusal { status: Status::FAILED, failure }
}

/// What became of the process in which a call was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Lives,
    Died,
}

/// What a call does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method<'a> {
    /// To make it twice is the same as to make it once.
    Computes(&'a str),
    Acts(&'a str),
}

impl<'a> Method<'a> {
    fn of(name: &'a str) -> Method<'a> {
        match name {
            "run" | "probe" => Method::Acts(name),
            _ => Method::Computes(name),
        }
    }

    fn name(self) -> &'a str {
        match self {
            Method::Computes(name) | Method::Acts(name) => name,
        }
    }
}

impl Peer for Child {
    fn call(&self, method: &str, request: &[u8], services: &dyn Services) -> Result<Vec<u8>, Refusal> {
        let method = Method::of(method);
        let (result, fate) = {
            let _company = self.company.read().unwrap_or_else(PoisonError::into_inner);
            self.attempt(method, request, services)
        };
        match (method, fate, &result) {
            // Who of those in it has ended it is found out by asking each alone.
            (Method::Computes(_), Fate::Died, Err(refusal)) if refusal.failure.class == FailureClass::Bug => {
                let _alone = self.company.write().unwrap_or_else(PoisonError::into_inner);
                self.attempt(method, request, services).0
            }
            _ => result,
        }
    }

    fn one_at_a_time(&self) -> bool {
        self.process().is_ok_and(|process| process.one_at_a_time())
    }

    fn home(&self) -> Home {
        Home::Child
    }

    fn deaths(&self) -> u32 {
        let life = self.life.lock().unwrap_or_else(PoisonError::into_inner);
        let lives = life.running.as_ref().is_some_and(|it| it.is_alive());
        life.starts - u32::from(lives)
    }
}
