//! What a command makes of the database: what is asked for then, and which packages come and go.
//! Does not know their files.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest;

use crate::apk::database::{Database, Installed};
use crate::apk::dependency::{Dependency, Operator, Range, Wanted};
use crate::apk::package::{Package, in_order};
use crate::apk::solve::{Choices, Order, Trouble};

/// What is asked of apk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// `apk add`
    Add {
        /// What is to be there.
        wanted: Vec<Dependency>,
        /// A name for all of it: a package of its own that needs them.
        group: Option<Dependency>,
    },
    /// `apk del`
    Delete(Vec<String>),
}

/// What follows from that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// What is asked for from now on, sorted.
    pub world: Vec<Dependency>,
    pub install: Vec<Package>,
    /// By name.
    pub remove: Vec<String>,
    pub order: Order,
}

impl Transaction {
    /// What a request makes of a database, with these packages in the repositories. `time` is that of a new group.
    pub fn plan(
        database: &Database,
        available: &[Package],
        request: &Request,
        time: &str,
    ) -> Result<Transaction, Trouble> {
        let mut world = database.world.clone();
        let mut group = None;
        match request {
            Request::Add { wanted, group: None } => wanted.iter().for_each(|it| put(&mut world, it.clone())),
            Request::Add { wanted, group: Some(name) } => {
                let (package, dependency) = virtual_package(name, wanted, time)?;
                put(&mut world, dependency);
                group = Some(package);
            }
            Request::Delete(names) => names.iter().try_for_each(|name| take(database, &mut world, name))?,
        }
        world.sort_by(|one, other| in_order(&one.name, &other.name));
        let installed = database.installed.iter().map(|it| &it.package).collect();
        let changes = Choices::new(installed, available.iter().chain(group.as_ref())).solve(&world)?;
        let remove: Vec<String> = changes.remove.iter().map(|it| (*it).to_owned()).collect();
        if let Request::Delete(names) = request {
            check_gone(database, names, &remove)?;
        }
        let install = changes.install.into_iter().cloned().collect();
        Ok(Transaction { world, install, remove, order: changes.order })
    }

    /// The database afterwards, as far as it is about packages and not about files.
    pub fn apply(&self, database: &Database) -> Database {
        let stays = |it: &&Installed| !self.remove.contains(&it.package.name);
        let installed = database.installed.iter().filter(stays).cloned();
        let new = self.install.iter().map(|it| Installed { package: it.clone(), ..Installed::default() });
        Database {
            world: self.world.clone(),
            installed: installed.chain(new).collect(),
            triggers: database.triggers.clone(),
        }
    }
}

fn put(world: &mut Vec<Dependency>, wanted: Dependency) {
    match world.iter_mut().find(|it| it.name == wanted.name) {
        Some(there) => *there = wanted,
        None => world.push(wanted),
    }
}

fn take(database: &Database, world: &mut Vec<Dependency>, name: &str) -> Result<(), Trouble> {
    if database.get(name).is_none() && !world.iter().any(|it| it.name == name) {
        return Err(Trouble::Untold(format!("`{name}` is not there; what apk does then depends on what it knows")));
    }
    world.retain(|it| it.name != name);
    Ok(())
}

/// What others still need stays, or apk finds another that does the same.
fn check_gone(database: &Database, names: &[String], remove: &[String]) -> Result<(), Trouble> {
    let stays = names.iter().find(|name| database.get(name).is_some() && !remove.contains(name));
    match stays {
        Some(name) => Err(Trouble::Untold(format!("`{name}` is needed by others"))),
        None => Ok(()),
    }
}

/// A package of nothing but needs. apk mixes the number of its process into the checksum, which is 1 here.
fn virtual_package(name: &Dependency, wanted: &[Dependency], time: &str) -> Result<(Package, Dependency), Trouble> {
    let version = match (&name.version, name.wanted) {
        (None, Wanted::Yes) => time.to_owned(),
        (Some(Range { operator: Operator::Equal, version }), Wanted::Yes) => version.clone(),
        _ => return Err(Trouble::Fails(format!("`{name}` is no name for a group"))),
    };
    let mut depends: Vec<Dependency> = Vec::new();
    wanted.iter().for_each(|it| put(&mut depends, it.clone()));
    let seed = [&1_u32.to_le_bytes()[..], name.name.as_bytes(), &[0], version.as_bytes()].concat();
    let sha1 = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &seed);
    let package = Package {
        checksum: format!("Q1{}", STANDARD.encode(sha1)),
        name: name.name.clone(),
        version: version.clone(),
        arch: Some("noarch".to_owned()),
        description: "virtual meta package".to_owned(),
        depends,
        ..Package::default()
    };
    let range = Range { operator: Operator::Equal, version };
    Ok((package, Dependency { version: Some(range), ..name.clone() }))
}
