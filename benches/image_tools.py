"""The tools that make and push the images of `image.py`, each as its users write it. Does not know what is measured.

All of them do both architectures at once.
"""

import os
import shutil
import subprocess
import sys
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ARCHES = ["amd64", "arm64"]
TOP = Path(__file__).resolve().parent.parent
FORGE = os.environ.get("FORGE", TOP / "target/release/forge")
PEERS = TOP / "target/peers"
CRANE, KO = PEERS / "crane", PEERS / "ko"
SOURCES = {
    CRANE: "github.com/google/go-containerregistry/cmd/crane@v0.20.6",
    KO: "github.com/google/ko@v0.19.1",
}
BASE_SIZE = 30_000_000


def install_peers():
    """Those that Debian does not have, kept beside what cargo has built."""
    for program, source in SOURCES.items():
        if not program.exists():
            run(["go", "install", source], env={**os.environ, "GOBIN": str(PEERS), "CGO_ENABLED": "0"})


def run(words, **how):
    done = subprocess.run(list(map(str, words)), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **how)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, words))}: {done.stderr.decode(errors='replace')}")


def for_each_arch(do):
    with ThreadPoolExecutor(len(ARCHES)) as pool:
        list(pool.map(do, ARCHES))


class Base:
    """What images stand on: a list in the registry, and each of its members under a name of its own."""

    def __init__(self, place, registry, name, size):
        self.name, self.list = name, f"{registry.address}/{name}:1"
        for arch in ARCHES:
            layer = place / f"{name}-{arch}.tar"
            write_layer(layer, arch, size)
            run([CRANE, "append", "--oci-empty-base", "-f", layer, "-t", self.of(arch)])
            run([CRANE, "mutate", self.of(arch), "--set-platform", f"linux/{arch}", "-t", self.of(arch)])
        members = [word for arch in ARCHES for word in ["-m", self.of(arch)]]
        run([CRANE, "index", "append", *members, "-t", self.list])
        self.layers = {digest for image in registry.blobs(self.list) for digest, _ in image}

    def of(self, arch):
        return f"{self.list}-{arch}"


def write_layer(path, arch, size):
    """Many small files, as a base has: Go's own sources, up to the size. Each architecture has others."""
    root = Path(subprocess.run(["go", "env", "GOROOT"], check=True, capture_output=True, text=True).stdout.strip())
    sources = sorted((root / "src").rglob("*.go"))
    with tarfile.open(path, "w") as tar:
        for source in sources[ARCHES.index(arch) :: len(ARCHES)]:
            if path.stat().st_size >= size:
                break
            tar.add(source, f"usr/share/base/{source.relative_to(root)}")


class Docker:
    """`docker build`, `docker push`, `docker manifest`."""

    name = "docker"

    def __init__(self, place, registry, base):
        self.context, home = place / "docker", place / "docker-home"
        home.mkdir()
        write_dockerfiles(self.context, base)
        # The client of Debian's docker.io builds by itself; newer ones want a plugin for it.
        self.client = "/usr/bin/docker" if Path("/usr/bin/docker").exists() else "docker"
        self.env = {
            **os.environ,
            "DOCKER_HOST": os.environ["FORGE_TEST_DOCKER_HOST"],
            "DOCKER_CONFIG": str(home),
            "DOCKER_BUILDKIT": "0",
            "DOCKER_CLI_EXPERIMENTAL": "enabled",
        }
        for arch in ARCHES if base else []:
            self.run("pull", "--quiet", base.of(arch))

    def run(self, *words):
        run([self.client, *words], env=self.env)

    def place(self, arch):
        return self.context / arch / "program"

    def forget(self):
        """Each round has its own binaries, which no cache knows."""

    def release(self, repository):
        def image(arch):
            name = f"{repository}:1-{arch}"
            self.run("build", "--quiet", f"--platform=linux/{arch}", "--tag", name, self.context / arch)
            self.run("push", "--quiet", name)

        for_each_arch(image)
        self.run("manifest", "create", "--amend", "--insecure", f"{repository}:1", *members(repository))
        self.run("manifest", "push", "--purge", "--insecure", f"{repository}:1")

    def close(self):
        """Its engine ends with the services, and all that it holds."""


class Buildah:
    """`buildah build`, `buildah manifest`."""

    name = "buildah"

    def __init__(self, place, registry, base):
        self.context, self.store = place / "buildah", place / "buildah-store"
        write_dockerfiles(self.context, base)
        for arch in ARCHES if base else []:
            self.run("pull", "--quiet", "--tls-verify=false", base.of(arch))

    def run(self, *words):
        store = ["--root", self.store / "root", "--runroot", self.store / "run", "--storage-driver", "overlay"]
        run(["buildah", *store, *words])

    def place(self, arch):
        return self.context / arch / "program"

    def forget(self):
        """Each round has its own binaries, which no cache knows."""

    def release(self, repository):
        def image(arch):
            how = ["--isolation=chroot", "--layers", "--tls-verify=false", f"--platform=linux/{arch}"]
            self.run("build", "--quiet", *how, "--tag", f"{repository}:1-{arch}", self.context / arch)

        for_each_arch(image)
        # A list is made anew each time: one that is there would keep its old members.
        listed = f"list-{os.urandom(4).hex()}"
        self.run("manifest", "create", listed, *members(repository))
        self.run("manifest", "push", "--all", "--rm", "--tls-verify=false", listed, f"docker://{repository}:1")

    def close(self):
        subprocess.run(["umount", "--lazy", self.store / "root/overlay"], check=False, stderr=subprocess.DEVNULL)


class Crane:
    """`tar`, `crane append`, `crane mutate`, `crane index append`."""

    name = "crane"

    def __init__(self, place, registry, base):
        self.folder, self.base = place / "crane", base
        for arch in ARCHES:
            (self.folder / arch).mkdir(parents=True)

    def place(self, arch):
        return self.folder / arch / "program"

    def forget(self):
        """It remembers nothing."""

    def release(self, repository):
        def image(arch):
            name, layer, platform = f"{repository}:1-{arch}", self.folder / f"{arch}.tar", f"linux/{arch}"
            base = ["--platform", platform, "-b", self.base.list] if self.base else []
            run(["tar", "-C", self.folder / arch, "-cf", layer, "program"])
            run([CRANE, "append", *base, "-f", layer, "-t", name])
            run([CRANE, "mutate", name, "--entrypoint=/program", "--set-platform", platform, "-t", name])

        for_each_arch(image)
        listed = [word for member in members(repository) for word in ["-m", member]]
        run([CRANE, "index", "append", *listed, "-t", f"{repository}:1"])

    def close(self):
        """Nothing of it runs on."""


class Ko:
    """`ko build`, with a `go` that has the binaries already."""

    name = "ko"

    def __init__(self, place, registry, base):
        # Without any it would take one of the internet, and `scratch` it does not know.
        self.base = base or Base(place, registry, "nothing", 0)
        self.folder, self.binaries = place / "ko", place / "ko-binaries"
        self.cache, self.go = place / "ko-cache", place / "ko-go"
        self.folder.mkdir()
        (self.folder / "go.mod").write_text("module example.org/program\n\ngo 1.21\n")
        (self.folder / "main.go").write_text("package main\n\nfunc main() {}\n")
        (self.folder / ".ko.yaml").write_text(f"defaultBaseImage: {self.base.list}\n")
        self.go.write_text(KO_GO)
        self.go.chmod(0o755)
        for arch in ARCHES:
            (self.binaries / arch).mkdir(parents=True)

    def place(self, arch):
        return self.binaries / arch / "program"

    def forget(self):
        shutil.rmtree(self.cache, ignore_errors=True)

    def release(self, repository):
        platforms = ",".join(f"linux/{arch}" for arch in ARCHES)
        words = [KO, "build", "--bare", "--sbom=none", "--tags=1", f"--platform={platforms}", "."]
        own = {"KO_DOCKER_REPO": repository, "KO_GO_PATH": str(self.go), "KOCACHE": str(self.cache)}
        run(words, cwd=self.folder, env={**os.environ, **own, "BINARIES": str(self.binaries)})

    def close(self):
        """Nothing of it runs on."""


# ko asks for a build, and then for its id, by which it knows layers that it has made before: what `programs` ends each with.
KO_GO = """#!/bin/sh
case "$1 $2" in
    "tool buildid") exec tail -c 32 "$3" ;;
    build*) ;;
    *) exec go "$@" ;;
esac
while [ "$1" != -o ]; do shift; done
exec cp "$BINARIES/$GOARCH/program" "$2"
"""


class Forge:
    """`forge run release`."""

    name = "forge"
    compression = "gzip"

    def __init__(self, place, registry, base):
        self.project = place / self.name
        for arch in ARCHES:
            (self.project / "bin" / arch).mkdir(parents=True)
        text = PROJECT.replace("BASE", base.list if base else "scratch").replace("COMPRESSION", self.compression)
        write_project(self.project, text, "bin\n")

    def place(self, arch):
        return self.project / "bin" / arch / "program"

    def forget(self):
        for made in [".forge", "dist"]:
            shutil.rmtree(self.project / made, ignore_errors=True)

    def release(self, repository):
        run(forge_words(self.project), env={**os.environ, "REPOSITORY": repository})

    def close(self):
        """Nothing of it runs on."""


class ForgeZstd(Forge):
    """The same, for engines that read newer layers: Docker has done since version 23."""

    name = "zstd"
    compression = "zstd"


PROJECT = """
[project]
name = "program"

[[build]]
id = "program"
tool = "prebuilt"
path = "bin/{{ arch }}/program"
platforms = ["linux/amd64", "linux/arm64"]

[[docker]]
id = "image"
images = ["{{ env.REPOSITORY }}"]
tags = ["1"]
base = "BASE"
compression = "COMPRESSION"
platforms = ["linux/amd64", "linux/arm64"]
bin_dir = "/"

[[docker_manifest]]
image = "image"

[[publish]]
to = "registry"
"""


def forge_words(project):
    return [FORGE, "-C", project, "--quiet", "run", "release"]


def write_project(project, text, ignored):
    """A project in a repository with a version."""
    (project / "forge.toml").write_text(text)
    (project / ".gitignore").write_text(f"{ignored}.forge\ndist\n")
    git = ["git", "-C", project, "-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    for words in [["init", "-q"], ["add", "-A"], ["commit", "-qm", "All of it"], ["tag", "v1.0.0"]]:
        run([*git, *words])


def write_dockerfiles(context, base):
    for arch in ARCHES:
        (context / arch).mkdir(parents=True)
        origin = base.of(arch) if base else "scratch"
        text = f'FROM {origin}\nCOPY program /program\nENTRYPOINT ["/program"]\n'
        (context / arch / "Dockerfile").write_text(text)


def members(repository):
    return [f"{repository}:1-{arch}" for arch in ARCHES]
