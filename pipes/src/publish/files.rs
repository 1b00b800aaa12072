//! Files at addresses: which go out, where each of them will be found, and in which order they get there.
//! Does not know how: whether an address is a URL or a name in a bucket is the destination's.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use forge_plugin::schemas::kind::{Checksums, Kind as _, Role, Signature};
use forge_plugin::schemas::{Artifact, Digest, Digester, Expect, Failure, FailureClass, Offer, Problem, Selector};
use forge_plugin::{Given, Host, Names, PlatformNames, Template};
use serde::{Deserialize, Serialize};

use super::Settings;

/// A file and its address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    /// The artifact, by name.
    pub artifact: String,
    /// Where it will be.
    pub address: String,
    /// When it goes out: those of one turn together, and before those of the next.
    turn: u8,
}

/// The names of an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileNames {
    /// `hello_1.2.3_linux_amd64.tar.gz`.
    pub artifact: String,
    /// Where it runs; empty for what runs nowhere, as checksums do.
    #[serde(flatten)]
    platform: PlatformNames,
}

impl Names for FileNames {
    const NAMES: &'static [&'static str] = &["artifact", "os", "arch", "variant", "platform", "ext"];
}

/// As many as keep a connection busy while others wait.
const SIDE_BY_SIDE: usize = 4;
const SHOWN: [Role; 4] = [Role::Delivery, Role::About, Role::Sums, Role::Proof];

/// What users get, what is said about that, what it hashes to and its signatures; and these kinds.
pub fn takes(settings: &Settings, kinds: &[String]) -> Vec<Selector> {
    let of = |selector: Selector| Selector { kinds: kinds.to_vec(), roles: SHOWN.to_vec(), ..selector };
    let of_table = |(at, id): (usize, &String)| {
        of(Selector { tables: vec![id.clone()], key: format!("ids[{at}]"), ..Selector::default() })
    };
    match settings.ids.as_slice() {
        [] => vec![of(Selector { expect: Expect::Any, ..Selector::default() })],
        ids => ids.iter().enumerate().map(of_table).collect(),
    }
}

/// All files, each with what the template at `key` says of it: first what people download, then what that hashes to, and signatures
/// last. Who finds the last has all of it. `as_address` is what the destination makes of that text.
pub fn placed(
    key: &str,
    template: &Template<FileNames>,
    as_address: fn(&str) -> String,
    given: &Given<'_>,
) -> Result<Vec<Placed>, Vec<Problem>> {
    let mut offers: Vec<&Offer> = given.offers.iter().collect();
    offers.sort_by_key(|it| (turn(it), &it.name));
    let (mut placed, mut problems, mut taken) = (Vec::new(), Vec::new(), BTreeMap::new());
    for offer in offers {
        match given.render(key, template, &FileNames::of(offer)).map(|it| as_address(&it)) {
            Ok(address) => {
                if let Some(other) = taken.insert(address.clone(), &offer.name) {
                    // It is not shown: a URL may have a password inside.
                    let message = format!("`{other}` and `{}` would be at one address", offer.name);
                    let help = "put `{{ artifact }}` into it, or `{{ os }}` and `{{ arch }}`, where they have one name";
                    problems.push(Problem::at_key(key, message).help(help));
                }
                placed.push(Placed { artifact: offer.name.clone(), address, turn: turn(offer) });
            }
            Err(problem) if problems.contains(&problem) => {}
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(placed) } else { Err(problems) }
}

/// What another template says of each of these files, by address.
pub fn said(
    files: &[Placed],
    key: &str,
    template: &Template<FileNames>,
    given: &Given<'_>,
) -> Result<BTreeMap<String, String>, Problem> {
    let offer = |file: &Placed| given.offers.iter().find(|it| it.name == file.artifact);
    let said = |(file, offer): (&Placed, &Offer)| {
        Ok((file.address.clone(), given.render(key, template, &FileNames::of(offer))?))
    };
    files.iter().filter_map(|file| Some((file, offer(file)?))).map(said).collect()
}

impl FileNames {
    fn of(offer: &Offer) -> FileNames {
        let artifact = offer.name.rsplit('/').next().unwrap_or(&offer.name).to_owned();
        FileNames { artifact, platform: offer.platform.as_ref().map(PlatformNames::from).unwrap_or_default() }
    }
}

/// What a file hashes to.
pub fn hashed(path: &Path) -> Result<Digest, Failure> {
    let mut digester = Digester::default();
    let copied = File::open(path).and_then(|mut file| io::copy(&mut file, &mut digester));
    copied.map_err(|error| Failure::file("read", path, &error))?;
    Ok(digester.finish().0)
}

fn turn(offer: &Offer) -> u8 {
    match offer.kind.as_str() {
        Checksums::NAME => 1,
        Signature::NAME => 2,
        _ => 0,
    }
}

/// The files that are made, each with its address, in the order in which they go out.
pub fn made<'h>(files: &'h [Placed], host: &'h dyn Host) -> impl Iterator<Item = (&'h str, &'h Artifact)> {
    let artifact = |name: &str| host.inputs().iter().find(|it| it.name == name);
    files.iter().filter_map(move |it| Some((it.address.as_str(), artifact(&it.artifact)?)))
}

/// A digest of all files and their addresses; none while they are not made.
pub fn ours(files: &[Placed], host: &dyn Host) -> Option<Digest> {
    let lines: String = made(files, host).map(|(address, it)| format!("{} {address}\n", it.digest)).collect();
    (!lines.is_empty()).then(|| Digest::of(lines.as_bytes()))
}

/// Does this with every file, several at once. Those that vouch for others have their turn when these are done.
pub fn each(
    files: &[Placed],
    host: &dyn Host,
    verb: &str,
    act: impl Fn(&str, &Artifact) -> Result<(), Failure> + Sync,
) -> Result<(), Failure> {
    let total = made(files, host).map(|(_, it)| it.size).sum();
    let done = AtomicU64::new(0);
    for turn in files.chunk_by(|one, other| one.turn == other.turn) {
        let queue = Mutex::new(made(turn, host));
        let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
        let work = || -> Result<(), Failure> {
            while let Some((address, artifact)) = next() {
                if host.cancelled() {
                    return Err(Failure::new(FailureClass::Cancelled, "the run was interrupted"));
                }
                host.progress(done.load(Ordering::Relaxed), total, verb);
                act(address, artifact)?;
                done.fetch_add(artifact.size, Ordering::Relaxed);
            }
            Ok(())
        };
        let outcomes: Vec<Result<(), Failure>> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..SIDE_BY_SIDE.min(turn.len())).map(|_| scope.spawn(work)).collect();
            let panicked = |_| Err(Failure::bug("what sends a file has panicked"));
            workers.into_iter().map(|worker| worker.join().unwrap_or_else(panicked)).collect()
        });
        outcomes.into_iter().collect::<Result<(), Failure>>()?;
    }
    Ok(())
}
