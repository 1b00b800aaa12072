//! The keys of a `[[package]]` table. Their comments are the manual.
//! Does not know what any format makes of them.

use std::collections::BTreeMap;

use forge_plugin::schemas::Platform;
use forge_plugin::{Names, Template};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Makes packages that the package managers of Linux install: `deb`, `rpm`, `apk` and `archlinux`, one of each format for each
/// platform. The programs of `build` tables lie in `bindir`, and whatever else `contents` names where it says. No program of these
/// systems is needed for that.
///
/// The same inputs give the same packages, byte for byte, on every machine: times are the commit's, all is root's unless
/// `owner` and `group` say otherwise, and permissions are 0755 for what may be executed, else 0644, unless `mode` says otherwise.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The formats: `deb`, `rpm`, `apk`, `archlinux`.
    pub formats: Vec<String>,
    /// The tables whose programs go into it, by id. Default: all that make programs. Empty: none, and without `platforms` the
    /// package is one for every machine.
    pub ids: Option<Vec<String>>,
    /// For which platforms. Default: those of Linux that there are programs for.
    #[schemars(with = "Option<Vec<Platform>>")]
    pub platforms: Option<Vec<String>>,

    /// What package managers call it. Default: the project's name.
    pub package: Option<Template<PackageNames>>,
    /// The name of the file; what the format ends file names with is added where it is missing. Default: what is usual in each
    /// format: `hello_1.2.3_amd64.deb`, `hello-1.2.3-1.x86_64.rpm`, `hello_1.2.3_x86_64.apk`, `hello-1.2.3-1-x86_64.pkg.tar.zst`.
    pub name: Option<Template<FileNames>>,
    /// What it is, in a line; further lines tell more.
    pub description: String,
    /// Who answers for it, as in `Ada <ada@example.org>`. A `deb` must have it.
    pub maintainer: Option<String>,
    /// Who made it.
    pub vendor: Option<String>,
    /// Where to read more.
    pub homepage: Option<String>,
    /// The license, as an SPDX expression.
    pub license: Option<String>,
    /// Where it belongs among packages: in a `deb` its section, in an `rpm` its group.
    pub section: Option<String>,
    /// How much a system needs a `deb`. Default: `optional`.
    pub priority: Option<String>,

    /// The version. A semantic version becomes each format's own: `1.2.3-rc.1` is `1.2.3~rc.1` in `deb` and `rpm`, `1.2.3_rc1` in
    /// `apk`, and `1.2.3rc.1` in `archlinux`. Any other text is the version as it stands. Default: the project's.
    pub version: Option<String>,
    /// What the version is before, as in `rc.1`. Default: what the version says.
    pub prerelease: Option<String>,
    /// What follows a `+` in the version. `archlinux` has no place for it. Default: what the version says.
    pub version_metadata: Option<String>,
    /// Which package of this version it is. Default: 1 in `rpm` and `archlinux`, and none in the others.
    pub release: Option<String>,
    /// Makes versions that are counted anew later than all of a lower epoch. `apk` has none.
    pub epoch: Option<u32>,

    /// Where programs lie. Default: `/usr/bin`.
    pub bindir: Option<String>,
    /// Packages that must be there: `zlib`, or `zlib >= 1.2`, which becomes what each format writes. What else a format can say,
    /// may be said where it is the only one, or in `overrides`.
    #[serde(default)]
    pub dependencies: Vec<String>,
    /// Packages that are there by default. `apk` has no such thing.
    #[serde(default)]
    pub recommends: Vec<String>,
    /// Packages that go well with it. `apk` has no such thing.
    #[serde(default)]
    pub suggests: Vec<String>,
    /// Packages that can't be there beside it.
    #[serde(default)]
    pub conflicts: Vec<String>,
    /// Packages whose place it takes.
    #[serde(default)]
    pub replaces: Vec<String>,
    /// Packages that it is as good as: `editor`, `editor = 1.2`.
    #[serde(default)]
    pub provides: Vec<String>,

    /// What is in it besides the programs.
    #[serde(default)]
    pub contents: Vec<Content>,
    /// What runs when it is installed and removed.
    #[serde(default)]
    pub scripts: Scripts,
    /// How it is signed.
    #[serde(default)]
    pub signature: Signature,
    /// What is otherwise in one format, as in `[package.overrides.deb]`: values that stand in place of the table's own, of `package`,
    /// `name`, `section`, `version`, `prerelease`, `version_metadata`, `release`, `epoch`, `bindir`, `dependencies`, `recommends`,
    /// `suggests`, `conflicts`, `replaces`, `provides`, `contents`, and of each of `scripts`.
    #[serde(default)]
    pub overrides: BTreeMap<String, Overrides>,
}

/// Something in the package.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Content {
    /// A file, a directory or a glob, relative to the project file; of a `symlink`, where it leads.
    pub src: Option<Template<PackageNames>>,
    /// Where it lies, from the root of the system on. A file keeps its name below a `dst` that ends with `/`. What a directory or a
    /// glob names lies below `dst`, each by its path in the directory, or behind what of the glob is no pattern.
    pub dst: Template<PackageNames>,
    /// What it is. Default: `file`.
    #[serde(default)]
    pub r#type: ContentType,
    /// Permissions in octal, as in `"0644"`; of all files in it.
    pub mode: Option<String>,
    /// Whose it is. `archlinux` can't say that. Default: `root`.
    pub owner: Option<String>,
    /// Whose group it is. `archlinux` can't say that. Default: `root`.
    pub group: Option<String>,
    /// When it was changed, as in `2026-01-02T03:04:05Z`; in an `rpm`, not after the commit. Default: the commit's time.
    pub mtime: Option<String>,
    /// The formats that have it. Default: all.
    #[serde(default)]
    pub formats: Vec<String>,
}

/// What something in a package is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum ContentType {
    /// Files, as they are.
    #[default]
    #[serde(rename = "file")]
    File,
    /// Files that users change. An update keeps what was changed; `rpm` keeps it beside, as `.rpmsave`.
    #[serde(rename = "config")]
    Config,
    /// The same, and `rpm` lays what is new beside, as `.rpmnew`.
    #[serde(rename = "config|noreplace")]
    ConfigNoReplace,
    /// A directory, of which nothing but itself comes with the package.
    #[serde(rename = "dir")]
    Dir,
    /// A symbolic link, to `src`.
    #[serde(rename = "symlink")]
    Symlink,
    /// A directory with all that is in it, directories included: they are the package's, and go with it.
    #[serde(rename = "tree")]
    Tree,
    /// A file that programs will make, and that goes with the package; `rpm` alone knows such, and others leave it out.
    #[serde(rename = "ghost")]
    Ghost,
    /// Files, which `rpm` marks as documentation.
    #[serde(rename = "doc")]
    Doc,
    /// Files, which `rpm` marks as a license.
    #[serde(rename = "license")]
    License,
}

impl ContentType {
    /// Whether things lie below its `dst`, and not there itself.
    pub fn is_below(self) -> bool {
        !matches!(self, ContentType::Dir | ContentType::Symlink | ContentType::Ghost)
    }
}

/// Files of the project that shells run, as root.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Scripts {
    /// Before its files are laid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preinstall: Option<String>,
    /// After its files are laid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postinstall: Option<String>,
    /// Before its files are removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preremove: Option<String>,
    /// After its files are removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postremove: Option<String>,
    /// Before another version's files are replaced. For `apk` and `archlinux`; the others run `preinstall`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preupgrade: Option<String>,
    /// After another version's files are replaced. For `apk` and `archlinux`; the others run `postinstall`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postupgrade: Option<String>,
}

/// Who vouches for a package.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Signature {
    /// A key that `gpg` has: its fingerprint, or an address. `deb` gets a `_gpgorigin`, as debsigs makes it, `rpm` a signature of its
    /// header, and `archlinux` a file beside it, which ends with `.sig`. It is signed as if it were the time of the commit, or when the key was
    /// made, where that was later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpg: Option<String>,
    /// The name of a secret that holds an RSA key as PEM, for `apk`. The table must be granted it, and have it
    /// revealed: `secrets = ["NAME"]` and `reveal = true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rsa: Option<String>,
    /// What the public half of that key is called in `/etc/apk/keys`, as in `ada@example.org-4a6a0840.rsa.pub`. Default: the
    /// address of the maintainer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rsa_name: Option<String>,
}

/// What is otherwise in one format.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Overrides {
    /// In place of `package`.
    pub package: Option<Template<PackageNames>>,
    /// In place of `name`.
    pub name: Option<Template<FileNames>>,
    /// In place of `section`.
    pub section: Option<String>,
    /// In place of `version`.
    pub version: Option<String>,
    /// In place of `prerelease`.
    pub prerelease: Option<String>,
    /// In place of `version_metadata`.
    pub version_metadata: Option<String>,
    /// In place of `release`.
    pub release: Option<String>,
    /// In place of `epoch`.
    pub epoch: Option<u32>,
    /// In place of `bindir`.
    pub bindir: Option<String>,
    /// In place of `dependencies`.
    pub dependencies: Option<Vec<String>>,
    /// In place of `recommends`.
    pub recommends: Option<Vec<String>>,
    /// In place of `suggests`.
    pub suggests: Option<Vec<String>>,
    /// In place of `conflicts`.
    pub conflicts: Option<Vec<String>>,
    /// In place of `replaces`.
    pub replaces: Option<Vec<String>>,
    /// In place of `provides`.
    pub provides: Option<Vec<String>>,
    /// In place of `contents`.
    pub contents: Option<Vec<Content>>,
    /// Each in place of that one of `scripts`.
    #[serde(default)]
    pub scripts: Scripts,
}

/// What the templates of a package may name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PackageNames {
    /// `linux`; empty for a package for every machine, as the next three.
    pub os: String,
    /// `arm`.
    pub arch: String,
    /// `v7`, or empty.
    pub variant: String,
    /// `linux/arm/v7`.
    pub platform: String,
    /// `deb`.
    pub format: String,
    /// What the format calls the platform: `armhf`.
    pub machine: String,
}

/// What the name of a file may name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileNames {
    /// The names of a package.
    #[serde(flatten)]
    pub names: PackageNames,
    /// What package managers call it.
    pub package: String,
    /// The whole name that is usual: `hello_1.2.3_armhf.deb`.
    pub conventional: String,
    /// What it ends with: `.deb`.
    pub extension: String,
    /// As the format has the version, without epoch: `1.2.3~rc.1-1`.
    pub package_version: String,
}

impl Names for PackageNames {
    const NAMES: &'static [&'static str] = &["os", "arch", "variant", "platform", "format", "machine"];
}

impl Names for FileNames {
    const NAMES: &'static [&'static str] = &[
        "os",
        "arch",
        "variant",
        "platform",
        "format",
        "machine",
        "package",
        "conventional",
        "extension",
        "package_version",
    ];
}
