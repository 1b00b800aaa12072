#!/usr/bin/env -S python3 -B
"""Two images of a 25 MB binary each and the list over them, made and pushed: forge beside docker, buildah, crane and ko; and
forge with layers compressed by zstd.

On nothing, and on a base of 30 MB; for the first time, again when there is nothing to do, and with other binaries. Client and
daemon are counted, rounds are interleaved, and ratios are medians of each round's own. Build first: `cargo build --release`.
Start it as `tests/services benches/image.py [ROUNDS]`.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from image_tools import ARCHES, BASE_SIZE, Base, Buildah, Crane, Docker, Forge, ForgeZstd, Ko, install_peers
from registry import Registry

SIZE = 25_000_000
TICKS = os.sysconf("SC_CLK_TCK")
TOOLS = [Docker, Buildah, Crane, Ko, ForgeZstd, Forge]
STANDS = ["scratch", "base"]
STATES = ["cold", "again", "changed"]
ROWS = {
    "wall, s": lambda it: it.wall,
    "CPU, s": lambda it: it.cpu,
    "requests": lambda it: len(it.requests),
    "for base layers": lambda it: len(it.base_layers),
    "layers, MB": lambda it: it.layers / 1e6,
}
# On what, who, when, of what, beside whom: the share of it that it may be.
GOALS = [
    (stand, *goal)
    for stand in STANDS
    for goal in [
        ("forge", "cold", "wall, s", "crane", 1),
        ("forge", "cold", "wall, s", "ko", 1),
        ("forge", "cold", "CPU, s", "crane", 0.5),
        ("forge", "cold", "wall, s", "docker", 0.25),
        ("forge", "cold", "CPU, s", "docker", 0.125),
        ("forge", "cold", "layers, MB", "docker", 1.1),
        ("zstd", "cold", "wall, s", "docker", 0.25),
        ("zstd", "cold", "CPU, s", "docker", 0.125),
        ("zstd", "cold", "layers, MB", "docker", 1.1),
    ]
]
AGAIN = 0.050


@dataclass
class Cost:
    """What something took: seconds, what the registry was asked, and of that what was about layers of the base; and the bytes
    of the layers on top of those."""

    wall: float
    cpu: float
    requests: list
    base_layers: list
    layers: int


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    if "FORGE_TEST_DOCKER_PID" not in os.environ:
        sys.exit("no Docker Engine whose time can be counted: start this by `tests/services`, where no other engine runs")
    install_peers()
    with tempfile.TemporaryDirectory(prefix="forge-bench-") as scratch:
        place = Path(scratch)
        registry = Registry(place)
        try:
            print(f"{rounds} rounds, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
            costs = {stand: measured(stand, rounds, place, registry) for stand in STANDS}
        finally:
            registry.process.kill()
    for stand, done in costs.items():
        report(stand, done)
    sys.exit(0 if judge(costs) else 1)


def measured(stand, rounds, place, registry):
    """The costs of each round: by tool, by state."""
    place = place / stand
    place.mkdir()
    base = Base(place, registry, "base", BASE_SIZE) if stand == "base" else None
    tools = []
    try:
        for tool in TOOLS:
            tools.append(tool(place, registry, base))
        return [one_round(f"{stand}{number}", turned(tools, number), base, registry, place) for number in range(rounds)]
    finally:
        for tool in tools:
            tool.close()


def turned(tools, number):
    """Who goes first changes from round to round."""
    first = number % len(tools)
    return tools[first:] + tools[:first]


def one_round(name, tools, base, registry, place):
    costs = {tool.name: {} for tool in tools}
    for tool in tools:
        tool.forget()
    for state in STATES:
        if state != "again":
            write_programs(f"{name} {state}", tools, place)
        for tool in tools:
            cost = measure(tool, base, registry, f"{registry.address}/{tool.name}-{name}")
            costs[tool.name][state] = cost
            print(f"{name} {state:8} {tool.name:8}{cost.wall:7.3f} s wall{cost.cpu:7.3f} s CPU{len(cost.requests):4} requests")
    return costs


def measure(tool, base, registry, repository):
    # Nobody waits for what another has left to be written.
    os.sync()
    registry.requests()
    began, cpu = time.monotonic(), client_cpu() + daemon_cpu()
    tool.release(repository)
    wall, cpu = time.monotonic() - began, client_cpu() + daemon_cpu() - cpu
    requests = registry.requests()
    below = base.layers if base else set()
    base_layers = [it for it in requests if any(digest.split(":")[1] in it for digest in below)]
    return Cost(wall, cpu, requests, base_layers, size_on_top(registry, repository, below))


def size_on_top(registry, repository, below):
    """How large the layers are that each tool made; and that it made what was asked for."""
    platforms, images = registry.platforms(f"{repository}:1"), registry.blobs(f"{repository}:1")
    if sorted(platforms) != [f"linux/{arch}" for arch in ARCHES]:
        sys.exit(f"{repository} is for {platforms}")
    if below and any(below.isdisjoint(digest for digest, _ in image) for image in images):
        sys.exit(f"{repository} does not stand on the base")
    return sum(size for image in images for digest, size in image if digest not in below)


def write_programs(name, tools, place):
    """A real program for each architecture, Go's own compiler, filled up to the size; its end says which it is."""
    for arch in ARCHES:
        program = place / f"compile-{arch}"
        if not program.exists():
            go = ["go", "build", "-trimpath", "-ldflags=-s -w", "-o", program, "cmd/compile"]
            subprocess.run(go, env={**os.environ, "CGO_ENABLED": "0", "GOARCH": arch}, check=True)
        code = program.read_bytes()
        content = (code + code)[: SIZE - 32] + f"{arch} {name}".encode().ljust(32)
        for tool in tools:
            tool.place(arch).write_bytes(content)
            tool.place(arch).chmod(0o755)


def client_cpu():
    times = os.times()
    return times.children_user + times.children_system


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


def report(stand, rounds):
    """Each tool's median; and under the times of the others, forge's share of them."""
    names = [tool.name for tool in TOOLS]
    print(f"\n{stand:26}" + "".join(f"{name:>10}" for name in names))
    for state in STATES:
        for row in ROWS:
            medians = [median(rounds, lambda it, name=name: ROWS[row](it[name][state])) for name in names]
            print(f"{state + ': ' + row:26}" + "".join(f"{value:10.4g}" for value in medians))
            if row in ["wall, s", "CPU, s"]:
                shares = [share(rounds, "forge", state, row, name) for name in names[:-1]]
                print(f"{'  forge takes, times that':26}" + "".join(f"{value:10.2f}" for value in shares))


def median(rounds, value):
    return statistics.median(map(value, rounds))


def share(rounds, who, state, row, peer):
    # What costs less than a tick of the clock counts as one.
    return median(rounds, lambda it: ROWS[row](it[who][state]) / max(ROWS[row](it[peer][state]), 1 / TICKS))


def judge(costs):
    print()
    verdicts = []
    for stand, who, state, row, peer, goal in GOALS:
        value = share(costs[stand], who, state, row, peer)
        verdicts.append((f"{stand}, {state}: {who}: {row}: {value:.2f} of {peer}'s, at most {goal}", value <= goal))
    for stand, rounds in costs.items():
        forge = [it["forge"] for it in rounds]
        wall, asked = median(forge, lambda it: it["again"].wall), max(len(it["again"].requests) for it in forge)
        verdicts.append((f"{stand}, again: {wall * 1000:.0f} ms, at most {AGAIN * 1000:.0f}", wall <= AGAIN))
        # The tag that is published, and the name of the base.
        names = 1 if stand == "scratch" else 2
        verdicts.append((f"{stand}, again: {asked} requests for {names} tags, at most one each", asked <= names))
        moved = max(len([asked for asked in it["changed"].base_layers if not asked.startswith("HEAD ")]) for it in forge)
        verdicts.append((f"{stand}, changed: {moved} layers of the base read, sent or mounted, at most 0", moved == 0))
    for text, is_met in verdicts:
        print(f"{'met   ' if is_met else 'MISSED'} {text}")
    return all(is_met for _, is_met in verdicts)


main()
