//! The keys of a `[[docker]]` table. Their comments are the manual.
//! Does not know which of them exclude each other: `docker` says so.

use std::collections::BTreeMap;

use forge_plugin::schemas::Platform;
use forge_plugin::{PlatformNames, Template};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::build::words::Words;
use crate::docker::hooks::ImageNames;
use crate::oci::compression::Compression;

/// Makes a container image for each platform. forge needs no daemon for that, and runs no program but your `hooks`: programs and files go into layers,
/// and the rest into the image's config. How it is made is said either by keys of the table or by a Dockerfile. For one that runs
/// programs, `engine` names who builds it.
///
/// The same inputs give the same image, digest for digest, on every machine: all times are the commit's, owners are
/// numbers, and permissions are 0755 for what may be executed, else 0644.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The repositories that it is published in, without a tag: `ghcr.io/acme/hello`. Names without a host are those of
    /// Docker Hub.
    pub images: Vec<Template>,
    /// The tags that it is published under. One that comes out empty is left out. Default: the version.
    pub tags: Option<Vec<Template>>,
    /// For which platforms. Default: `linux/amd64` and `linux/arm64`.
    #[serde(default = "default_platforms")]
    #[schemars(with = "Vec<Platform>")]
    pub platforms: Vec<String>,
    /// The tables whose binaries go into it, by id. Default: all that make binaries. Empty: none.
    pub ids: Option<Vec<String>>,
    /// What makes it. Whichever it is, the image is in the store, known by its digest, and is published by `publish` alone.
    #[serde(default)]
    pub engine: Engine,
    /// Where an engine finds what was built before, and where it leaves what it has built.
    #[serde(default)]
    pub cache: Cache,
    /// The SSH agents and keys that an engine lends to `RUN --mount=type=ssh`: `default`, `ID=SOCKET` or `ID=KEY`. Default: `default`,
    /// where the Dockerfile mounts one.
    #[serde(default)]
    pub ssh: Vec<Template>,
    /// Arguments that an engine's `build` gets as they stand, as in `["--network=host", "--ulimit=nofile=1024"]`.
    #[serde(default)]
    pub flags: Vec<Template>,

    /// Commands to run before and after an image is made.
    #[serde(default)]
    pub hooks: Hooks,

    /// A Dockerfile, relative to the project file. It may consist of `FROM`, `COPY`, `ADD`, `ENV`, `LABEL`,
    /// `ENTRYPOINT`, `CMD`, `USER`, `WORKDIR`, `EXPOSE`, `VOLUME`, `STOPSIGNAL`, `HEALTHCHECK`, `SHELL`, `ONBUILD` and `ARG`, in one stage or
    /// several; stages that the image does not need are not looked at. `COPY` finds each binary at `$TARGETPLATFORM/NAME` and
    /// at `NAME`, and every other path in the project; `.` is the project without the binaries. Of a directory, what git
    /// ignores is left out, and of all but the binaries what `NAME.dockerignore` beside the Dockerfile says, or else `.dockerignore`
    /// beside the project file. `ADD` unpacks a tar, plain or by gzip, bzip2, xz or zstd, as Docker does, unless it
    /// says `--unpack=false`, and fetches a URL: what lies there is asked in every run, unless `--checksum` says what it must be.
    /// `COPY` and `ADD` know `--chown`, `--chmod`, `--link`, `--exclude` and heredocs, and `COPY` knows `--parents`. `ONBUILD` of a
    /// base is done, where it copies nothing and is no `ARG`. `RUN` may only move files and accounts about: `mkdir`, `chmod`, `chown`, `ln -s`, `cp`, `mv`, `rm`,
    /// `touch` and `true` of busybox or Debian, `adduser` and `addgroup` of busybox, `useradd` and `groupadd` of Debian, `echo` and
    /// `printf` to a file, and add and delete packages of Alpine by `apk`; one after the other, with wildcards, on a line or in a
    /// heredoc, and with files of the project or of a stage mounted.
    pub dockerfile: Option<String>,
    /// Values for the Dockerfile's `ARG`s. `TARGETPLATFORM`, `TARGETOS`, `TARGETARCH`, `TARGETVARIANT` and their `BUILD…`
    /// namesakes are there without.
    #[serde(default)]
    pub build_args: BTreeMap<String, Template>,

    /// What names in `FROM` and `--from` of the Dockerfile mean, where that is not what a registry has under them: the images of another
    /// `docker` table, as `table:ID`, or whatever `base` can be.
    #[serde(default)]
    pub contexts: BTreeMap<String, String>,

    /// The stage of the Dockerfile that is the image, by its name or its number. Default: the last.
    pub target: Option<String>,

    /// How layers are compressed. Those of the base stay as they are.
    #[serde(default)]
    pub compression: Compression,
    /// Labels of the image's config. `org.opencontainers.image.title`, `version`, `revision` and `created` are there
    /// without. Those given here replace those of the Dockerfile.
    #[serde(default)]
    pub labels: BTreeMap<String, Template>,
    /// Annotations of the image's manifest. Of its descriptor in manifest lists with `manifest-descriptor:` before the name, and of
    /// these lists with `index:`; for one platform alone with that in brackets, as in `manifest[linux/amd64]:NAME`.
    #[serde(default)]
    pub annotations: BTreeMap<String, Template>,

    /// What it stands on, when there is no Dockerfile: `scratch` (nothing), an image in a registry, `oci:DIR` or `oci:DIR:NAME`
    /// for one in an OCI layout in the project, `docker-archive:FILE` or `docker-archive:FILE:NAME` for one that `docker save`
    /// wrote, `docker-daemon:NAME` for one that the Docker daemon has, `table:ID` for that of another `docker` table. Default: `scratch`.
    pub base: Option<Template>,
    /// Files and directories of the project that go into it, when there is no Dockerfile.
    #[serde(default)]
    pub files: Vec<File>,
    /// The directory that the binaries go to, when there is no Dockerfile. Default: `/usr/local/bin`, which is in `PATH`.
    pub bin_dir: Option<Template>,
    /// Whether layers are the same whatever lies below them, when there is no Dockerfile, as those of `COPY --link`: directories are made
    /// anew, and links of the base are not followed. Then a base in a registry is not fetched to make the image. Default: so it is of
    /// binaries that go to `/` or `/usr/local/bin`, and of nothing else.
    pub link: Option<bool>,
    /// What is started, when there is no Dockerfile. Default: the binary, where there is just one.
    pub entrypoint: Option<Vec<Template>>,
    /// What is passed to the entrypoint, when there is no Dockerfile.
    pub cmd: Option<Vec<Template>>,
    /// Variables of the environment, when there is no Dockerfile.
    #[serde(default)]
    pub env: BTreeMap<String, Template>,
    /// Who runs it, when there is no Dockerfile: `65532`, `65532:65532`, or a name that the base knows.
    pub user: Option<Template>,
    /// The directory in which it starts, when there is no Dockerfile.
    pub workdir: Option<Template>,
    /// The ports on which it listens, when there is no Dockerfile: `8080`, `53/udp`, `8000-8002`.
    #[serde(default)]
    pub ports: Vec<String>,
    /// The directories that hold data, when there is no Dockerfile.
    #[serde(default)]
    pub volumes: Vec<String>,
    /// The signal that stops it, when there is no Dockerfile: `SIGINT`.
    pub stop_signal: Option<String>,
}

/// What makes an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// forge itself, which runs nothing: no daemon and no rights are needed, and the same inputs give the same bytes.
    #[default]
    Native,
    /// forge itself, where it can make all that the image needs, else the first of `buildx`, `docker`, `podman` and `buildah` that
    /// can be used. What adds packages by `apk` is left to these: whether forge can is known only when repositories are asked.
    Auto,
    /// `docker build`.
    Docker,
    /// `docker buildx build`, with the builder that is in use.
    Buildx,
    /// `podman build`.
    Podman,
    /// `buildah build`.
    Buildah,
}

impl Engine {
    /// Its name in [`super::engines`]; none where forge may do it itself.
    pub fn program(self) -> Option<&'static str> {
        match self {
            Engine::Native | Engine::Auto => None,
            Engine::Docker => Some("docker"),
            Engine::Buildx => Some("buildx"),
            Engine::Podman => Some("podman"),
            Engine::Buildah => Some("buildah"),
        }
    }
}

/// The cache of an engine, in the engine's own words: `type=registry,ref=ghcr.io/acme/cache` or `type=gha` for BuildKit, a repository
/// for podman and buildah. What is in a cache does not change what is built.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Cache {
    /// Where it is read from: `--cache-from`.
    pub from: Vec<Template>,
    /// Where it is written to: `--cache-to`.
    pub to: Vec<Template>,
}

/// Commands around the making of an image, for each platform, in the directory of the project file: tests, checks, messages. Each is
/// a text that is split as a shell would, or a list of words; there is no shell. One that fails fails the image. Where an image is
/// fresh, none runs.
///
/// The variable `FORGE_PLATFORM` holds the platform, `FORGE_IMAGE_REFERENCES` what the image is published under, with spaces between.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Hooks {
    /// Before the image is made. What goes into it is known by then: a command that writes sources comes too late, and is an error;
    /// generate them in a `build` table.
    pub before: Vec<Words<PlatformNames>>,
    /// After the image is made, and before anything takes it. `{{ digest }}` and `FORGE_IMAGE_DIGEST` are its digest, `{{ layout }}`
    /// and `FORGE_IMAGE_LAYOUT` the path of an OCI layout with it alone, which most programs that read images take.
    pub after: Vec<Words<ImageNames>>,
}

/// A file or a directory of the project that goes into an image.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// A file, a directory (what is in it is copied, but for what git ignores) or a glob, relative to the project file.
    pub src: Template,
    /// Where it goes. With a `/` at its end it is a directory.
    pub dst: Template,
    /// Permissions of files in octal: `"0644"`. Default: 0755 for what may be executed, else 0644.
    pub mode: Option<String>,
}

fn default_platforms() -> Vec<String> {
    vec!["linux/amd64".to_owned(), "linux/arm64".to_owned()]
}
