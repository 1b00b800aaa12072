//! Where it stands what a program consists of: a table. Each reads what a toolchain has left in the program itself.
//! Does not know how programs are built, nor what is made of what is known.

use object::File;
use object::read::macho::{FatArch as _, MachOFatFile32, MachOFatFile64};

use super::cargo;
use super::go;
use super::software::Known;

/// What reads a program: nothing where it is not there.
type Read = fn(&File<'_>, &Own) -> Option<Known>;

/// All of them, in the order in which they are asked.
const SOURCES: [(&str, Read); 2] = [("Go", go::read), ("cargo-auditable", cargo::read)];

/// What the project says of its own programs, where they don't know it themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    /// The version.
    pub version: String,
}

/// What the program in these bytes says of itself; nothing where it does not.
pub fn read(bytes: &[u8], own: &Own) -> Option<Known> {
    let file = File::parse(for_one_machine(bytes)).ok()?;
    SOURCES.iter().find_map(|(_, read)| read(&file, own))
}

/// The names of all sources.
pub fn names() -> impl Iterator<Item = &'static str> {
    SOURCES.iter().map(|(name, _)| *name)
}

/// The first of the programs that one for several machines of Apple's is made of: all come from the same sources.
fn for_one_machine(bytes: &[u8]) -> &[u8] {
    let first = MachOFatFile32::parse(bytes).ok().and_then(|it| it.arches().first()?.data(bytes).ok());
    let first =
        first.or_else(|| MachOFatFile64::parse(bytes).ok().and_then(|it| it.arches().first()?.data(bytes).ok()));
    first.unwrap_or(bytes)
}
