//! Packages of Alpine Linux: what its package manager apk, of version 2.14, makes of an index and a database.
//! Does not run anything, and knows neither images nor the network.

#![expect(missing_docs, reason = "the fields of packages are apk's own, and named as it names them")]

pub mod archive;
#[cfg(test)]
mod checks;
pub mod database;
pub mod dependency;
pub mod index;
pub mod package;
pub mod pick;
pub mod scripts;
pub mod signature;
pub mod solve;
pub mod transaction;
pub mod version;
