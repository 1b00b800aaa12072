//! `apk add` and its like, on the tree of the image: packages of a signed index, laid where apk lays them, and its database.
//! Does not fetch anything: what a stage needs was fetched before (docs/decisions/0024-apk.md).

mod files;
mod known;
mod triggers;
mod words;

pub use self::words::Apk;

use self::files::Laying as Placing;
use self::triggers::Touched;
use self::words::{Changed, Index};
use crate::apk::database::Database;
use crate::apk::dependency::Dependency;
use crate::apk::scripts::Script;
use crate::apk::signature::Key;
use crate::apk::solve::{Order, Trouble};
use crate::apk::transaction::Transaction;
use crate::docker::packages::Stock;
use crate::docker::run::tree::{Tree, missing};
use crate::docker::run::{Place, Wrong};
use crate::oci::accounts::Accounts;
use crate::oci::layer::Content;
use crate::oci::rootfs::{Node, What};

const KEYS: &str = "etc/apk/keys";
const WORLD: &str = "etc/apk/world";
const INSTALLED: &str = "lib/apk/db/installed";
const SCRIPTS: &str = "lib/apk/db/scripts.tar";
const TRIGGERS: &str = "lib/apk/db/triggers";
const LOCK: &str = "lib/apk/db/lock";
const CACHE: &str = "var/cache/apk";
/// The versions of apk that do as is done here.
const VERSION: &str = ">=2.14.4";
/// What changes what apk does, and is in no image of Alpine.
const UNUSUAL: &[&str] = &["etc/apk/cache", "etc/apk/commit_hooks.d", "etc/apk/repositories.d"];

/// What repositories are asked for, and what is trusted.
pub struct Sources {
    /// What the image is made for: `x86_64`.
    pub arch: String,
    /// The addresses, in their order.
    pub repositories: Vec<String>,
    /// Whose signature is good.
    pub keys: Vec<Key>,
}

impl Sources {
    /// Where apk looks, as the image says.
    pub fn of(tree: &Tree<'_, '_>) -> Result<Sources, Wrong> {
        if let Some(path) = UNUSUAL.iter().find(|path| tree.node(path).is_some()) {
            return Err(Wrong::Untold(format!("the image has `/{path}`")));
        }
        let repositories = addresses(&tree.read("etc/apk/repositories")?)?;
        let mut keys = Vec::new();
        for path in tree.below(KEYS) {
            let at = tree.follow(&format!("/{path}"));
            if tree.node(&at).is_some_and(is_file) {
                let text = String::from_utf8_lossy(&tree.bytes(&at)?).into_owned();
                keys.extend(Key::read(path.rsplit('/').next().unwrap_or_default(), &text));
            }
        }
        Ok(Sources { arch: tree.read("etc/apk/arch")?.trim().to_owned(), repositories, keys })
    }

    /// The database of the image, if its apk is one that is known.
    pub fn database(tree: &Tree<'_, '_>) -> Result<Database, Wrong> {
        let or_empty = |path: &str| match tree.node(path) {
            Some(_) => tree.bytes(path),
            None => Ok(Vec::new()),
        };
        let triggers = String::from_utf8_lossy(&or_empty(TRIGGERS)?).into_owned();
        let database = Database::read(&tree.read(WORLD)?, &tree.read(INSTALLED)?, &or_empty(SCRIPTS)?, &triggers);
        let database = database.map_err(|why| Wrong::Untold(format!("in the database of apk: {why}")))?;
        let version = database.get("apk-tools").map(|it| it.package.version.as_str());
        match version.is_some_and(is_known) {
            true => Ok(database),
            false => Err(Wrong::Untold(format!(
                "the image has apk-tools {}, and only what those of 2.14 do from 2.14.4 on is known here: those of Alpine 3.20 to 3.22",
                version.unwrap_or("of no known version")
            ))),
        }
    }
}

/// The lines that are addresses, each once; a phrase, where one is something else.
fn addresses(text: &str) -> Result<Vec<String>, Wrong> {
    let mut addresses: Vec<String> = Vec::new();
    for line in text.lines().map(str::trim).filter(|it| !it.is_empty() && !it.starts_with('#')) {
        let is_address =
            (line.starts_with("https://") || line.starts_with("http://")) && !line.contains(char::is_whitespace);
        match is_address {
            true if addresses.iter().any(|it| it == line) => {}
            true => addresses.push(line.to_owned()),
            false => {
                return Err(Wrong::Untold(format!("`{line}` in `/etc/apk/repositories` is no address of the web")));
            }
        }
    }
    Ok(addresses)
}

fn is_known(version: &str) -> bool {
    let first = Dependency::parse(&format!("apk-tools{VERSION}"));
    version.starts_with("2.14.") && first.is_ok_and(|it| it.allows(Some(version)))
}

fn is_file(node: &Node) -> bool {
    matches!(node.what, What::Layered { .. } | What::Placed(_))
}

/// Does what is asked.
pub(super) fn run(apk: &Apk, tree: &mut Tree<'_, '_>, accounts: &Accounts, place: &Place<'_>) -> Result<(), Wrong> {
    check_program(tree)?;
    let stock = || place.stock.as_ref().ok_or_else(|| Wrong::Untold("nothing is known of its repositories".to_owned()));
    let mut database = Sources::database(tree)?;
    if apk.needs_index() {
        stock()?.check(&Sources::of(tree)?)?;
    }
    touch_lock(tree)?;
    match apk {
        Apk::Add { index, .. } => keep_index(tree, stock()?, *index)?,
        Apk::Update { index } => return keep_index(tree, stock()?, *index),
        Apk::Delete { .. } => {}
    }
    let available = if apk.needs_index() { stock()?.packages() } else { &[] };
    let Some(request) = apk.request() else { return Ok(()) };
    let transaction = Transaction::plan(&database, available, &request, &group_version(place.timestamp))?;
    let changed = if let Apk::Delete { changed, .. } = apk { *changed } else { Changed::Kept };
    commit(tree, accounts, place, &mut database, &transaction, changed)?;
    database.world = transaction.world;
    write(tree, &database, place)
}

/// Packages go, packages come, and then triggers are run.
fn commit(
    tree: &mut Tree<'_, '_>,
    accounts: &Accounts,
    place: &Place<'_>,
    database: &mut Database,
    transaction: &Transaction,
    changed: Changed,
) -> Result<(), Wrong> {
    let mut placing = Placing::new(tree, accounts, database);
    for name in &transaction.remove {
        placing.remove(name, changed)?;
    }
    let mut with_scripts = 0;
    for package in &transaction.install {
        let archive = match (package.installed_size, &place.stock) {
            (0, _) => None,
            (_, Some(stock)) => Some(stock.archive(package)?),
            (_, None) => return Err(Wrong::Untold("nothing is known of its repositories".to_owned())),
        };
        with_scripts += usize::from(archive.as_ref().is_some_and(|it| !it.archive.scripts.is_empty()));
        placing.install(package, archive)?;
    }
    if transaction.order == Order::Loose && with_scripts > 1 {
        return Err(Wrong::Untold("in which order packages come that come along with others".to_owned()));
    }
    placing.settle()?;
    let touched: Touched = placing.touched();
    triggers::run(tree, database, &touched)
}

/// The version of a group without one: its time.
pub fn group_version(timestamp: i64) -> String {
    let time = jiff::Timestamp::from_second(timestamp).unwrap_or_default();
    time.strftime("%Y%m%d.%H%M%S").to_string()
}

/// A script of a package that would be run. Those that do nothing to the image are known by what they are.
fn check_script(tree: &mut Tree<'_, '_>, package: &str, script: Script, text: &[u8]) -> Result<(), Wrong> {
    match known::does_nothing(text) {
        true => triggers::make_place(tree),
        false => Err(Wrong::Untold(format!("the script `{}` of `{package}` is not known here", script.name()))),
    }
}

fn check_program(tree: &Tree<'_, '_>) -> Result<(), Wrong> {
    let is_there = ["sbin/apk", "usr/sbin/apk"].iter().any(|path| tree.node(path).is_some_and(is_file));
    if is_there { Ok(()) } else { Err(Wrong::Fails("the image has no `apk`".to_owned())) }
}

fn touch_lock(tree: &mut Tree<'_, '_>) -> Result<(), Wrong> {
    match tree.node(LOCK) {
        Some(_) => Ok(()),
        None => tree.put(LOCK, file(0o600, Vec::new())),
    }
}

/// The indexes, as apk keeps them.
fn keep_index(tree: &mut Tree<'_, '_>, stock: &Stock, index: Index) -> Result<(), Wrong> {
    for dir in ["var/cache", CACHE] {
        if tree.node(dir).is_none() {
            tree.make(dir, 0o755, What::Directory)?;
        }
    }
    if index == Index::Forgotten {
        return Ok(());
    }
    for (name, path) in stock.indexes() {
        let at = format!("{CACHE}/{name}");
        match (tree.node(&at).is_some(), index) {
            (false, _) => tree.put(&at, node(0o644, What::Placed(Content::File(path.to_owned()))))?,
            (true, Index::Renewed) if tree.was_there(&at) => {
                return Err(Wrong::Untold(format!("`/{at}` is there already; leave out what put it there")));
            }
            (true, _) if tree.bytes(&at)? != stock.read(path)? => {
                return Err(Wrong::Untold(format!("`/{at}` is another index than the repository has now")));
            }
            (true, _) => {}
        }
    }
    Ok(())
}

/// All four files are written anew, whatever has changed.
fn write(tree: &mut Tree<'_, '_>, database: &Database, place: &Place<'_>) -> Result<(), Wrong> {
    let texts = [
        (WORLD, database.world_text().into_bytes()),
        (INSTALLED, database.installed_text().into_bytes()),
        (SCRIPTS, database.scripts_tar(u64::try_from(place.timestamp).unwrap_or(0))),
        (TRIGGERS, database.triggers_text().into_bytes()),
    ];
    for (path, text) in texts {
        if tree.node(path).is_some_and(|it| !is_file(it)) {
            return Err(Wrong::Untold(format!("`/{path}` is no file")));
        }
        if !path.rsplit_once('/').is_some_and(|(dir, _)| tree.is_directory(dir)) {
            return Err(missing(path));
        }
        tree.put(path, file(0o644, text))?;
    }
    Ok(())
}

fn file(mode: u32, text: Vec<u8>) -> Node {
    node(mode, What::Placed(Content::Text(text)))
}

fn node(mode: u32, what: What) -> Node {
    Node { mode, owner: (0, 0), what, peculiar: None }
}

impl From<Trouble> for Wrong {
    fn from(trouble: Trouble) -> Wrong {
        match trouble {
            Trouble::Fails(why) => Wrong::Fails(why),
            Trouble::Untold(why) => Wrong::Untold(why),
        }
    }
}
