//! What a format of packages has to say: its names and rules, and how one is written. Each is a file beside this one.
//! Does not know the keys of the table.

use std::path::Path;

use forge_plugin::Host;
use forge_plugin::schemas::{Failure, Problem};

use super::about::{About, Relates};
use super::apk::Apk;
use super::archlinux::ArchLinux;
use super::deb::Deb;
use super::parcel::Parcel;
use super::platforms::Machine;
use super::rpm::Rpm;
use super::version::{Spelled, Version};

/// All formats.
pub const FORMATS: &[&dyn Format] = &[&Deb, &Rpm, &Apk, &ArchLinux];

/// A format. What is wrong is said in phrases for the user.
pub trait Format: Sync {
    /// What the project file calls it.
    fn name(&self) -> &'static str;
    /// What its files end with: `.deb`.
    fn extension(&self) -> &'static str;
    /// What it calls a machine. Empty: it has no name for it.
    fn machine(&self, machine: &Machine) -> &'static str;
    /// Which names packages may have.
    fn naming(&self) -> Naming;
    /// The version, as it has versions.
    fn spell(&self, version: &Version) -> Result<Spelled, BadVersion>;
    /// What its file is usually called, without the extension.
    fn title(&self, about: &About) -> String;
    /// What a package says of another one, as it writes that. None, where it has no such thing to say. An error says what to write.
    fn relation(&self, which: Relates, text: &str) -> Result<Option<String>, String>;
    /// What else a package must say of itself.
    fn check(&self, _about: &About) -> Vec<Problem> {
        Vec::new()
    }
    /// Whether it knows files that are not there yet.
    fn has_ghosts(&self) -> bool {
        false
    }
    /// Whether its packages can say by name whose files are.
    fn has_owners(&self) -> bool {
        true
    }
    /// What signs its packages.
    fn signing(&self) -> Signing;
    /// Writes a package to `path`. What it needs beside lies in `host.dir()`.
    fn write(&self, parcel: &Parcel<'_>, path: &Path, host: &dyn Host) -> Result<(), Failure>;
}

/// Which names a format lets packages have.
#[derive(Clone, Copy)]
pub struct Naming {
    pub fits: fn(&str) -> bool,
    pub rule: &'static str,
}

impl Naming {
    /// What abuild and rpmbuild let pass.
    pub const OF_WORDS: Naming = Naming {
        fits: |name| {
            name.starts_with(|it: char| it.is_ascii_alphanumeric() || it == '_')
                && name.chars().all(|it| it.is_ascii_alphanumeric() || "._+-".contains(it))
        },
        rule: "it is made of letters, digits, `.`, `_`, `+` and `-`, and begins with a letter, digit or `_`",
    };
}

/// What signs packages of a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signing {
    /// gpg, and the signature is inside.
    Gpg,
    /// gpg, which rpm's own program starts.
    Rpmsign,
    /// gpg, and the signature lies beside.
    GpgBeside,
    /// An RSA key, and the signature is inside.
    Rsa,
}

/// Why a format can't have a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadVersion {
    /// The key to be changed.
    pub key: &'static str,
    pub message: String,
    pub help: String,
}

impl BadVersion {
    /// `what` may not stand in it.
    pub fn new(key: &'static str, what: &str, format: &str, help: impl Into<String>) -> BadVersion {
        BadVersion { key, message: format!("`{what}` can't be in the version of {format} packages"), help: help.into() }
    }
}

/// The format of this name.
pub fn named(name: &str) -> Option<&'static dyn Format> {
    FORMATS.iter().copied().find(|it| it.name() == name)
}

/// Whether each part of a version is made of letters, digits and these; the first that is not.
pub fn check_parts(version: &Version, allowed: &str, in_release: &str, format: &str) -> Result<(), BadVersion> {
    let release = version.release.as_deref().unwrap_or_default();
    let parts = [
        ("version", version.number.as_str(), allowed),
        ("prerelease", version.prerelease.as_str(), allowed),
        ("version_metadata", version.metadata.as_str(), allowed),
        ("release", release, in_release),
    ];
    let fits = |allowed: &str, text: &str| text.chars().all(|it| it.is_ascii_alphanumeric() || allowed.contains(it));
    match parts.into_iter().find(|(_, text, allowed)| !fits(allowed, text)) {
        Some((key, text, allowed)) => {
            let signs: Vec<String> = allowed.chars().map(|it| format!("`{it}`")).collect();
            let help = format!("letters, digits and {} can; write `{key}` in `overrides.{format}`", signs.join(" "));
            Err(BadVersion::new(key, text, format, help))
        }
        None => Ok(()),
    }
}
