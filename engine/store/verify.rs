//! Whether the store holds what it says: every file is read and its digest compared with its name, whatever its times say.
//! What is wrong is set aside. Its callers hold the lock, so that no forge runs meanwhile.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;

use forge_schemas::{Digest, Failure};
use rayon::prelude::*;

use super::blobs::hash;
use super::reach::named_in;
use super::record::Standing;
use super::{Blobs, Dist, Folder, Record};

/// What was found.
#[derive(Debug, Default)]
pub struct Verdict {
    /// How many files were read.
    pub files: usize,
    /// How long they are together, in bytes.
    pub bytes: u64,
    /// Those that hold other content than their names say, sorted by name.
    pub wrong: Vec<Wrong>,
    /// Content that the record or a list names, and that is not there.
    pub missing: BTreeSet<Digest>,
    /// Where a record was set aside that can't be trusted.
    pub record: Option<PathBuf>,
    /// Under which names `dist/` shows content.
    pub names: BTreeMap<Digest, Vec<String>>,
}

/// A file that is wrong.
#[derive(Debug)]
pub struct Wrong {
    /// What it should hold.
    pub digest: Digest,
    /// What it holds, or why that can't be said.
    pub found: Result<Digest, String>,
    /// Where it lies now.
    pub aside: PathBuf,
}

impl Verdict {
    /// Whether all is as it should be.
    pub fn is_good(&self) -> bool {
        self.wrong.is_empty() && self.missing.is_empty() && self.record.is_none()
    }
}

/// Reads all of the store.
pub fn verify(folder: &Folder, dist: &Dist) -> Result<Verdict, Failure> {
    let blobs = Blobs::open(folder.store())?;
    let record = Record::open(folder.file("record"))?;
    let mut verdict = Verdict { record: record.damaged().map(Into::into), ..Verdict::default() };
    for entry in dist.list().artifacts {
        verdict.names.entry(entry.digest).or_default().push(entry.path);
    }
    let hashed: Vec<_> = blobs.all()?.into_par_iter().map(|(digest, path)| (digest, hash(&path), path)).collect();
    for (digest, found, path) in hashed {
        verdict.files += 1;
        verdict.bytes += found.as_ref().map_or(0, |(_, size)| *size);
        let found = found.map(|(found, _)| found).map_err(|error| error.to_string());
        if found != Ok(digest) {
            let aside = folder.damaged().join(digest.hex());
            std::fs::create_dir_all(folder.damaged())
                .and_then(|()| std::fs::rename(&path, &aside))
                .map_err(|error| Failure::file("set aside", &path, &error))?;
            verdict.wrong.push(Wrong { digest, found, aside });
        }
    }
    let named = named(folder, &record).into_iter().chain(verdict.names.keys().copied());
    verdict.missing = named.filter(|it| !blobs.path(it).is_file()).collect();
    for wrong in &verdict.wrong {
        verdict.missing.remove(&wrong.digest);
    }
    Ok(verdict)
}

// What the record would answer, and the lists. An entry is superseded by a later one of the same fingerprint.
fn named(folder: &Folder, record: &Record) -> Vec<Digest> {
    let last: HashMap<Digest, Standing<'_>> = record.standing().map(|it| (it.fingerprint, it)).collect();
    let content = last.into_values().flat_map(|it| it.content).map(|(digest, _)| digest);
    content.chain(named_in(&folder.store().join("index.json"))).collect()
}
