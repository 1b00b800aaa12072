//! The settings of a `build` table. Their doc comments are the manual.
//! Does not know what they lead to: each tool picks those that are for it.

use std::collections::BTreeMap;

use forge_plugin::schemas::Platform;
use forge_plugin::{PlatformNames, Template};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cargo::CrossTool;
use super::targets::Libc;
use super::tool::ToolName;
use super::unit::OutputNames;
use super::words::Words;

/// Builds a program, once for each platform. Paths are relative to the project file.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What builds it.
    pub tool: ToolName,
    /// For which platforms, in OCI's words: `linux/amd64`, `linux/arm/v7`, `darwin/arm64`, `windows/amd64`.
    ///
    /// Default: for `cargo`, `linux/amd64` and `linux/arm64`, with `cross_tool` also `darwin/amd64`, `darwin/arm64` and
    /// `windows/amd64`; for `go`, `linux`, `darwin` and `windows` on `amd64` and `arm64`, `linux` and `windows` on `386`;
    /// for `zig`, `linux` and `darwin` on `amd64` and `arm64`, and `windows/amd64`. `command` and `prebuilt` have none.
    #[schemars(with = "Option<Vec<Platform>>")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platforms: Option<Vec<String>>,
    /// Platforms to leave out: those that fit every key of one of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<Pattern>,
    /// What the program is called, without `.exe`. Default: the project's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binary: Option<Template>,
    /// The directory in which the tool and the hooks run. Default: that of the project file.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub dir: String,
    /// Environment variables for the tool and the hooks, beside those that forge sets: `FORGE_PLATFORM` always, and for
    /// `cargo`, `go` and `zig` also `FORGE_VERSION`, `FORGE_TAG`, `FORGE_COMMIT`, `FORGE_COMMIT_TIME` and
    /// `SOURCE_DATE_EPOCH`, which all come from the commit. Of the environment that forge was started in, programs see where
    /// things lie and how the network is reached (`PATH`, `HOME`, proxies, caches), and compilers what is theirs (`CC`,
    /// `CFLAGS`, `GOFLAGS`); the rest is named here: `{ JOBS = "{{ env.JOBS }}" }`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, Template>,
    /// Further arguments for the tool. A text is split as a shell would. Default: none for `cargo` and `go`,
    /// `-Doptimize=ReleaseSafe` for `zig build`, `-O ReleaseSafe -fstrip` for one Zig file, `-O2` for C. What `zig build` makes
    /// holds the path of the source unless `build.zig` strips it (`.strip = true`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flags: Option<Words<PlatformNames>>,
    /// Commands to run before and after, in `dir`.
    #[serde(default, skip_serializing_if = "Hooks::is_empty")]
    pub hooks: Hooks,
    /// What is different on some platforms. All that fit apply, the last one wins; of `env`, variable by variable.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<Override>,
    /// The source files that decide what comes out: files, directories, globs. When none of them has changed, and
    /// nothing else has, it is not built again. Default: for `prebuilt`, `path`; else the whole directory of the project
    /// file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sources: Option<Vec<Template>>,
    /// Other `build` tables whose programs are needed first, by id: a generator, say. The variable `FORGE_INPUT_<ID>`, in
    /// capitals and with `_` for what is no letter or digit, holds the path of each: that for the same platform, or the
    /// only one that there is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<String>,

    /// `cargo`: the package, where a workspace has several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// `cargo`: the binary of the package. Default: `binary`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bin: Option<String>,
    /// `cargo`: features to turn on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features: Option<Vec<String>>,
    /// `cargo`: whether to leave the default features out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_default_features: Option<bool>,
    /// `cargo`: the profile. Default: `release`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// `cargo`: whether `Cargo.lock` must be there and up to date. Default: `true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locked: Option<bool>,
    /// `cargo`: what builds for platforms that need a cross compiler: `cargo zigbuild` or `cross`. Linux with musl needs
    /// neither.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cross_tool: Option<CrossTool>,
    /// `cargo`: whether the program says what it was compiled from: `cargo auditable build`, which `cargo install cargo-auditable` brings.
    /// `[[sbom]]` reads it there, and so do scanners.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auditable: Option<bool>,
    /// `cargo`, `zig`: which C library. Default: `musl` on Linux, where the program then runs on every distribution and
    /// in an empty image; `gnu` on Windows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub libc: Option<Libc>,
    /// `go`: the package to build, relative to `dir`, `.` by default. `zig`: the file to build, where there is no
    /// `build.zig`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub main: Option<Template>,
    /// `go`, and `zig` for C: what the linker is told. A list is joined with spaces for `go`. Default for `go`: `-s -w
    /// -buildid= -X main.version=<version> -X main.commit=<commit> -X main.date=<commit time> -X main.builtBy=forge`; for C: `-s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ldflags: Option<Words<PlatformNames>>,
    /// `go`: what the compiler is told. A list is joined with spaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gcflags: Option<Words<PlatformNames>>,
    /// `go`: what the assembler is told. A list is joined with spaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asmflags: Option<Words<PlatformNames>>,
    /// `go`: build tags.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Words<PlatformNames>>,
    /// `zig`: C files to compile into one program, relative to `dir`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub c_sources: Option<Vec<String>>,
    /// `cargo`, `go`, `zig`: the tool itself, where it is another program: `go1.25`, `python3 -m ziglang`. Default: `cargo`,
    /// `go`; `zig`, or `python3 -m ziglang` where only that is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// `command`: the program to start and its arguments. There is no shell. `{{ output }}` is the path that it must
    /// write; the variable `FORGE_OUTPUT` is the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub argv: Option<Words<OutputNames>>,
    /// `command`: what it writes, where it does not go by `{{ output }}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Template>,
    /// `prebuilt`: the file to take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<Template>,
}

/// Some platforms: those that fit every key given.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pattern {
    /// The operating system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub os: Option<String>,
    /// The architecture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arch: Option<String>,
    /// The variant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

/// Commands around the build, each a text that is split as a shell would, or a list of words. There is no shell.
/// `{{ output }}` is the path of the program, which commands that run after may change.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Hooks {
    /// Before the tool runs, for each platform.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<Words<OutputNames>>,
    /// After the program is there, for each platform.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<Words<OutputNames>>,
}

/// What is different on some platforms. A key takes the place of the table's.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Override {
    /// The operating system that it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub os: Option<String>,
    /// The architecture that it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arch: Option<String>,
    /// The variant that it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// Environment variables, added to the table's.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, Template>,
    /// Further arguments for the tool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flags: Option<Words<PlatformNames>>,
    /// `go`, `zig`: what the linker is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ldflags: Option<Words<PlatformNames>>,
    /// `go`: what the compiler is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gcflags: Option<Words<PlatformNames>>,
    /// `go`: what the assembler is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asmflags: Option<Words<PlatformNames>>,
    /// `go`: build tags.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Words<PlatformNames>>,
    /// `cargo`: features to turn on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features: Option<Vec<String>>,
    /// `cargo`, `zig`: which C library.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub libc: Option<Libc>,
    /// `command`: the program to start and its arguments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub argv: Option<Words<OutputNames>>,
}

impl Hooks {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.before.is_empty() && self.after.is_empty()
    }
}

impl Pattern {
    /// Whether `platform` fits every key. Without a key nothing fits: that is a mistake, told elsewhere.
    pub fn fits(&self, platform: &Platform) -> bool {
        !self.is_empty()
            && fits(&self.os, platform.os())
            && fits(&self.arch, platform.arch())
            && fits(&self.variant, platform.variant().unwrap_or_default())
    }

    /// Whether it has no key.
    pub fn is_empty(&self) -> bool {
        self.os.is_none() && self.arch.is_none() && self.variant.is_none()
    }
}

impl Override {
    /// The platforms that it is for.
    pub fn pattern(&self) -> Pattern {
        Pattern { os: self.os.clone(), arch: self.arch.clone(), variant: self.variant.clone() }
    }
}

fn fits(wanted: &Option<String>, word: &str) -> bool {
    wanted.as_deref().is_none_or(|wanted| wanted == word)
}
