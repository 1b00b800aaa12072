#!/usr/bin/env python3
"""Two images of a 25 MB binary each on scratch and the list over them, made and pushed: forge beside docker.

Client and daemon are counted, rounds are interleaved, and ratios are medians of each round's own. Each tool then does the
same once more, when there is nothing to do. Build first: `cargo build --release`. Start it as
`tests/services benches/image.py [ROUNDS]`.
"""

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

SIZE = 25_000_000
ARCHES = ["amd64", "arm64"]
TICKS = os.sysconf("SC_CLK_TCK")
TOP = Path(__file__).resolve().parent.parent
FORGE = os.environ.get("FORGE", TOP / "target/release/forge")

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
platforms = ["linux/amd64", "linux/arm64"]
bin_dir = "/"

[[docker_manifest]]
image = "image"

[[publish]]
to = "registry"
"""


@dataclass
class Cost:
    """What something took."""

    wall: float
    cpu: float
    requests: list


class Registry:
    """A real one, that writes down what it is asked."""

    def __init__(self, place):
        self.log = place / "access.log"
        config = {
            "version": 0.1,
            "log": {"accesslog": {"disabled": False}},
            "storage": {"filesystem": {"rootdirectory": str(place / "blobs")}, "cache": {"blobdescriptor": "inmemory"}},
            "http": {"addr": "127.0.0.1:0"},
        }
        (place / "config.yml").write_text(json.dumps(config))
        self.process = subprocess.Popen(
            ["docker-registry", "serve", place / "config.yml"],
            stdout=self.log.open("w"),
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OTEL_TRACES_EXPORTER": "none"},
        )
        self.address = next(
            found[1] for line in self.process.stderr if (found := re.search(r"listening on ([0-9.:]+)", line))
        )
        # It goes on to write its log, and must find a reader.
        threading.Thread(target=self.process.stderr.read, daemon=True).start()
        self.read = 0

    def requests(self):
        """What it was asked since the last time: method and path."""
        text = self.log.read_text()
        asked, self.read = re.findall(r'"([A-Z]+ \S+) HTTP', text[self.read :]), len(text)
        return asked


class Docker:
    """`docker build`, `docker push`, `docker manifest`, as its users write them."""

    name = "docker"

    def __init__(self, place, registry):
        self.context, self.registry, self.home = place / "docker", registry, place / "docker-home"
        self.home.mkdir()
        for arch in ARCHES:
            (self.context / arch).mkdir(parents=True)
            dockerfile = 'FROM scratch\nCOPY program /program\nENTRYPOINT ["/program"]\n'
            (self.context / arch / "Dockerfile").write_text(dockerfile)
        # The client of Debian's docker.io builds by itself; newer ones want a plugin for it.
        self.client = "/usr/bin/docker" if Path("/usr/bin/docker").exists() else "docker"
        self.env = {
            **os.environ,
            "DOCKER_HOST": os.environ["FORGE_TEST_DOCKER_HOST"],
            "DOCKER_CONFIG": str(self.home),
            "DOCKER_BUILDKIT": "0",
            "DOCKER_CLI_EXPERIMENTAL": "enabled",
        }

    def place(self, arch):
        return self.context / arch / "program"

    def forget(self):
        """Each round has its own binaries, which no cache knows."""

    def commands(self, repository):
        images = [f"{repository}:1-{arch}" for arch in ARCHES]
        for arch, image in zip(ARCHES, images):
            yield ["build", "--quiet", f"--platform=linux/{arch}", "--tag", image, str(self.context / arch)]
            yield ["push", "--quiet", image]
        yield ["manifest", "create", "--amend", "--insecure", f"{repository}:1", *images]
        yield ["manifest", "push", "--purge", "--insecure", f"{repository}:1"]

    def release(self, repository):
        for words in self.commands(repository):
            subprocess.run([self.client, *words], env=self.env, check=True, stdout=subprocess.DEVNULL)


class Forge:
    """`forge run release`."""

    name = "forge"

    def __init__(self, place, registry):
        self.project, self.registry = place / "forge", registry
        for arch in ARCHES:
            (self.project / "bin" / arch).mkdir(parents=True)
        (self.project / "forge.toml").write_text(PROJECT)
        (self.project / ".gitignore").write_text("bin\n.forge\ndist\n")
        git = ["git", "-C", self.project, "-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
        for words in [["init", "-q"], ["add", "-A"], ["commit", "-qm", "All of it"], ["tag", "v1.0.0"]]:
            subprocess.run([*git, *words], check=True)

    def place(self, arch):
        return self.project / "bin" / arch / "program"

    def forget(self):
        for made in [".forge", "dist"]:
            shutil.rmtree(self.project / made, ignore_errors=True)

    def release(self, repository):
        words = [FORGE, "-C", self.project, "--quiet", "run", "release"]
        subprocess.run(words, env={**os.environ, "REPOSITORY": repository}, check=True)


def programs(number, place):
    """A real program for each architecture, go's own compiler, filled up to the size; an own one for each round."""
    for arch in ARCHES:
        program = place / f"compile-{arch}"
        if not program.exists():
            go = ["go", "build", "-trimpath", "-ldflags=-s -w", "-o", program, "cmd/compile"]
            subprocess.run(go, env={**os.environ, "CGO_ENABLED": "0", "GOARCH": arch}, check=True)
        code = program.read_bytes()
        yield arch, (code + code)[: SIZE - 32] + f"{arch} {number}".encode().ljust(32)


def daemon_cpu():
    """Seconds that the engine has used, with all that it started."""
    parents, used = {}, {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            pid, rest = int(stat.parent.name), stat.read_text().rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        # proc(5): user and system time, own and of children that have ended.
        parents[pid], used[pid] = int(rest[1]), sum(map(int, rest[11:15]))
    engine = int(os.environ["FORGE_TEST_DOCKER_PID"])

    def belongs(pid):
        while pid > 1 and pid != engine:
            pid = parents.get(pid, 0)
        return pid == engine

    return sum(ticks for pid, ticks in used.items() if belongs(pid)) / TICKS


def client_cpu():
    times = os.times()
    return times.children_user + times.children_system


def measure(tool, repository):
    tool.registry.requests()
    began, cpu = time.monotonic(), client_cpu() + daemon_cpu()
    tool.release(repository)
    wall, cpu = time.monotonic() - began, client_cpu() + daemon_cpu() - cpu
    return Cost(wall, cpu, tool.registry.requests())


def layer_sizes(registry, repository):
    def raw(name):
        words = ["skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{name}"]
        return json.loads(subprocess.run(words, check=True, capture_output=True).stdout)

    members = raw(f"{repository}:1")["manifests"]
    manifests = [raw(f"{repository}@{member['digest']}") for member in members]
    registry.requests()
    return sum(layer["size"] for manifest in manifests for layer in manifest["layers"])


def uploads(requests):
    return [it for it in requests if "/blobs/uploads" in it]


def report(rounds):
    def middle(value):
        return statistics.median(map(value, rounds))

    print(f"\n{'':22}{'docker':>10}{'forge':>10}{'ratio':>10}   goal")
    met = True
    for title, goal, value in [
        ("first: wall, s", 0.25, lambda it: it["first"].wall),
        ("first: CPU, s", 0.125, lambda it: it["first"].cpu),
        ("first: requests", None, lambda it: len(it["first"].requests)),
        ("layers, MB", 1.1, lambda it: it["layers"] / 1e6),
        ("again: wall, s", None, lambda it: it["again"].wall),
        ("again: CPU, s", None, lambda it: it["again"].cpu),
        ("again: requests", None, lambda it: len(it["again"].requests)),
        ("again: uploads", None, lambda it: len(uploads(it["again"].requests))),
    ]:
        docker, forge = (middle(lambda it, name=name: value(it[name])) for name in ["docker", "forge"])
        ratio = middle(lambda it: value(it["forge"]) / (value(it["docker"]) or 1))
        verdict = "" if goal is None else f"{goal:5} {'met' if ratio <= goal else 'MISSED'}"
        met &= goal is None or ratio <= goal
        print(f"{title:22}{docker:10.3f}{forge:10.3f}{ratio:10.3f}   {verdict}")
    again = [it["forge"]["again"].requests for it in rounds]
    quiet = all(len(requests) <= 1 and not uploads(requests) for requests in again)
    print(f"again, forge asks at most once for its one tag and uploads nothing: {'met' if quiet else f'MISSED {again}'}")
    return met and quiet


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    if "FORGE_TEST_DOCKER_PID" not in os.environ:
        sys.exit("no Docker Engine whose time can be counted: start this by `tests/services`, where no other engine runs")
    with tempfile.TemporaryDirectory(prefix="forge-bench-") as scratch:
        place = Path(scratch)
        registry = Registry(place)
        try:
            tools = [Docker(place, registry), Forge(place, registry)]
            print(f"{rounds} rounds, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
            done = [one_round(number, tools, place) for number in range(rounds)]
        finally:
            registry.process.kill()
    sys.exit(0 if report(done) else 1)


def one_round(number, tools, place):
    costs = {}
    for arch, content in programs(number, place):
        for tool in tools:
            tool.place(arch).write_bytes(content)
            tool.place(arch).chmod(0o755)
    os.sync()
    # Who goes first changes from round to round.
    for tool in tools if number % 2 == 0 else tools[::-1]:
        tool.forget()
        repository = f"{tool.registry.address}/{tool.name}{number}"
        first, again = measure(tool, repository), measure(tool, repository)
        layers = layer_sizes(tool.registry, repository)
        costs[tool.name] = {"first": first, "again": again, "layers": layers}
        print(f"round {number}: {tool.name:7}{first.wall:7.2f} s wall{first.cpu:7.2f} s CPU")
    return costs


main()
