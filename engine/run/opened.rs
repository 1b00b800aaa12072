//! What a run has to read before it can look at its tasks, read side by side.
//! Does not know what is looked for in it.

use forge_schemas::Failure;

use super::World;
use super::kinds::Kinds;
use crate::plan::Plan;
use crate::store::{Blobs, Dist, Hashes, Record};

/// All of it.
pub struct Opened {
    /// What tasks made before.
    pub record: Record,
    /// What files hash to.
    pub hashes: Hashes,
    /// Where content lies.
    pub blobs: Blobs,
    /// Where people look at it.
    pub dist: Dist,
    /// The schemas of kinds.
    pub kinds: Kinds,
}

impl Opened {
    /// What this plan is to be looked at in.
    pub fn of(plan: &Plan, world: &World<'_>) -> Result<Opened, Failure> {
        let (folder, dist) = (&world.folder, Dist::of_project(&world.root));
        let record = || Record::open(folder.file("record"));
        let blobs = || Blobs::open(folder.store()).map(|it| it.with_names(plan.len(), &dist));
        let hashes = || Hashes::open(folder.file("hashes"));
        let (record, (blobs, hashes)) = rayon::join(record, || rayon::join(blobs, hashes));
        let kinds = Kinds::of(&world.pipes.all());
        Ok(Opened { record: record?, hashes, blobs: blobs?, dist, kinds })
    }
}
