//! What all tasks of a run share, opened before the first of them starts.
//! Does not know which tasks there are.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use tokio::runtime::Handle;
use tokio::sync::watch;

use super::World;
use super::asked::Asked;
use super::cancel::Stop;
use super::effects::Effects;
use super::environment::Environment;
use super::http::Http;
use super::kinds::Kinds;
use super::mask::Mask;
use super::probe::Reach;
use super::secrets::Secrets;
use super::tools::Tools;
use crate::registries::Registries;
use crate::store::Blobs;

/// What all tasks of a run share.
pub struct Shared {
    /// How far one gets without changing anything.
    pub reach: Reach,
    /// `[env]`: what every program sees in its environment.
    pub env: BTreeMap<String, String>,
    /// What programs may see of the environment of forge.
    pub environment: Arc<Environment>,
    /// Held by who writes down what a task remembers.
    pub remembering: Mutex<()>,
    /// What nobody may see.
    pub mask: Arc<Mask>,
    /// Where content goes.
    pub blobs: Blobs,
    /// What programs are.
    pub tools: Tools,
    /// The schemas of kinds.
    pub kinds: Kinds,
    /// What was done to the world, and what was about to be; none for a run without effects.
    pub effects: Option<Effects>,
}

impl Shared {
    /// That of a run. All that anybody knows of secrets, the mask knows before the first task starts. Effects are none yet.
    pub fn open(
        world: &World<'_>,
        runtime: &Handle,
        stop: watch::Receiver<Stop>,
        blobs: Blobs,
        kinds: Kinds,
    ) -> Shared {
        let (secrets, mask) = (world.secrets.clone(), Arc::new(Mask::of(&world.secrets)));
        let environment = Arc::new(Environment::of_process(world.secrets.hidden()));
        mask.learn(environment.passwords().iter().map(|it| ("a proxy's password", it)));
        let http = client(&world.root, &world.registries, secrets).masked_by(mask.clone());
        let (root, notes) = (world.root.clone(), world.folder.notes());
        Shared {
            reach: Reach {
                root,
                notes,
                http,
                asked: Asked::default(),
                secrets: world.secrets.clone(),
                runtime: runtime.clone(),
                templates: world.templates.clone(),
                stop,
            },
            env: world.env.clone(),
            tools: Tools::of_project(&world.root, world.locked.clone(), environment.clone()),
            environment,
            remembering: Mutex::default(),
            mask,
            blobs,
            kinds,
            effects: None,
        }
    }
}

/// The HTTP client of a project. A name of `[secrets]` hides the variable of the same name.
pub fn client(root: &Path, registries: &Registries, secrets: Arc<Secrets>) -> Http {
    let variables = move |name: &str| match secrets.get(name) {
        Some(secret) => Some(secret.reveal().to_owned()),
        None => std::env::var(name).ok(),
    };
    Http::new(registries.clone(), root, Arc::new(variables))
}
