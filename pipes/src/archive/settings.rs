//! The settings of an `archive` table. Their doc comments are the manual.
//! Does not know what they lead to.

use forge_plugin::schemas::Platform;
use forge_plugin::{Names, PlatformNames, Template};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::format::Format;
use crate::build::settings::Pattern;

/// Packs programs for people to download: one archive a platform, with all that was built for it, the licence and the like. The same
/// commit gives the same bytes: times are the commit's, owners are root, and entries are sorted.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The tables whose programs go in, by id. Default: all that make programs.
    #[serde(default)]
    pub ids: Vec<String>,
    /// For which platforms. Default: all that the programs are built for.
    #[schemars(with = "Option<Vec<Platform>>")]
    pub platforms: Option<Vec<String>>,
    /// The formats, an archive each. `binary`, `gz`, `xz` and `zst` are of one file: there is one for each program, and `files` and
    /// `directory` do not count.
    #[serde(default = "default_formats")]
    pub formats: Vec<Format>,
    /// Other formats for some platforms, of which the last that fits counts. None (`formats = []`) where there is to be no archive.
    #[serde(default)]
    pub overrides: Vec<Override>,
    /// What an archive is called, without `.tar.gz`. `{{ binary }}` is the first program in it. Default:
    /// `{{ name }}_{{ version }}_{{ os }}_{{ arch }}{{ variant }}`, as in `hello_1.2.3_linux_armv7`; of one program alone the same with
    /// `{{ binary }}` for `{{ name }}`; with `meta`, `{{ name }}_{{ version }}`. Programs for Windows keep their `.exe` when they are alone.
    pub name: Option<Template<ArchiveNames>>,
    /// The directory in the archive that all of it lies in. `true`: one that is called like the archive. Default: `false`, none.
    #[serde(default)]
    pub directory: Directory,
    /// What goes in beside the programs: files, directories and globs of the project, each as a text or as a table. What git ignores is
    /// left out, unless it is named as it is. Default: what begins with `LICENSE`, `README` or `CHANGELOG`, in capitals or not, if
    /// there is any. Empty: nothing.
    pub files: Option<Vec<File>>,
    /// What is said of the programs in the archive. Their mode is 0755 by default.
    #[serde(default)]
    pub binaries: Info,
    /// Whether it holds no programs, but `files` alone: one archive for all platforms.
    #[serde(default)]
    pub meta: bool,
    /// Whether an archive may lack a program that another one has, because a table is not built for that platform.
    #[serde(default)]
    pub incomplete: bool,
}

/// Formats for some platforms: those that fit every key given.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Override {
    /// The operating system.
    pub os: Option<String>,
    /// The architecture.
    pub arch: Option<String>,
    /// The variant.
    pub variant: Option<String>,
    /// The formats.
    pub formats: Vec<Format>,
}

/// The directory in an archive.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Directory {
    /// Whether there is one that is called like the archive.
    Wrap(bool),
    /// What it is called.
    Named(Template<ArchiveNames>),
}

/// Files of the project. Their templates may use the names of `N`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(untagged, bound = "")]
#[schemars(rename = "File", bound = "N: Names")]
pub enum File<N = ArchiveNames> {
    /// What they are, relative to the project file. They lie in the archive as in the project.
    Path(Template<N>),
    /// The same, with where they go and what is said of them.
    Table(FileTable<N>),
}

/// Files of the project, and where they go.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, bound = "")]
#[schemars(rename = "FileTable", bound = "N: Names")]
pub struct FileTable<N = ArchiveNames> {
    /// A file, a directory (all that is in it, but for what git ignores) or a glob, relative to the project file.
    pub src: Template<N>,
    /// Where it goes: of a file its path in the archive, or a directory where it ends with `/`; of a directory or a glob the directory,
    /// below which the files lie as they do below that directory, or below the directories that the glob names without a wildcard.
    /// Default: as in the project.
    pub dst: Option<Template<N>>,
    /// Whether files lie in `dst` without the directories that they are in.
    #[serde(default)]
    pub strip_parent: bool,
    /// Permissions in octal: `"0644"`. Default: 0755 for what may be executed, else 0644.
    pub mode: Option<String>,
    /// The name of the owner. Default: `root`. A zip has none.
    pub owner: Option<Template<N>>,
    /// The name of the group. Default: `root`. A zip has none.
    pub group: Option<Template<N>>,
    /// When it was changed last, as in `2026-01-02T03:04:05Z`. Default: the time of the commit.
    pub mtime: Option<Template<N>>,
}

/// What is said of files in an archive.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, bound = "")]
#[schemars(rename = "Info", bound = "N: Names")]
pub struct Info<N = ArchiveNames> {
    /// Permissions in octal: `"0755"`.
    pub mode: Option<String>,
    /// The name of the owner. Default: `root`. A zip has none.
    pub owner: Option<Template<N>>,
    /// The name of the group. Default: `root`. A zip has none.
    pub group: Option<Template<N>>,
    /// When they were changed last, as in `2026-01-02T03:04:05Z`. Default: the time of the commit.
    pub mtime: Option<Template<N>>,
}

/// The names of an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ArchiveNames {
    /// `linux`.
    pub os: String,
    /// `arm`.
    pub arch: String,
    /// `v7`, or empty.
    pub variant: String,
    /// `linux/arm/v7`.
    pub platform: String,
    /// `.exe` on Windows, else empty.
    pub ext: String,
    /// The program, or the first one, without `ext`.
    pub binary: String,
    /// `tar.gz`.
    pub format: String,
}

impl Override {
    /// The platforms that it is for.
    pub fn pattern(&self) -> Pattern {
        Pattern { os: self.os.clone(), arch: self.arch.clone(), variant: self.variant.clone() }
    }
}

impl Default for Directory {
    fn default() -> Directory {
        Directory::Wrap(false)
    }
}

impl<N> Default for Info<N> {
    fn default() -> Info<N> {
        Info { mode: None, owner: None, group: None, mtime: None }
    }
}

impl<N> FileTable<N> {
    /// These files, as they are in the project.
    pub fn of(src: &Template<N>) -> FileTable<N> {
        let Info { mode, owner, group, mtime } = Info::default();
        FileTable { src: Template::new(src.text()), dst: None, strip_parent: false, mode, owner, group, mtime }
    }
}

impl<N: Clone> FileTable<N> {
    /// What is said of the files.
    pub fn info(&self) -> Info<N> {
        let FileTable { mode, owner, group, mtime, .. } = self.clone();
        Info { mode, owner, group, mtime }
    }
}

impl Names for ArchiveNames {
    const NAMES: &'static [&'static str] = &["os", "arch", "variant", "platform", "ext", "binary", "format"];
}

impl ArchiveNames {
    /// Those of an archive of this format for a platform, with this program as its first.
    pub fn new(platform: &Platform, binary: &str, format: Format) -> ArchiveNames {
        let PlatformNames { os, arch, variant, platform, ext } = PlatformNames::from(platform);
        let binary = binary.strip_suffix(&ext).unwrap_or(binary).to_owned();
        ArchiveNames { os, arch, variant, platform, ext, binary, format: format.name().to_owned() }
    }
}

fn default_formats() -> Vec<Format> {
    vec![Format::TarGz]
}
