#!/usr/bin/env -S python3 -B
"""The memory that forge takes to make and push a layer of 2 GB, and again when there is nothing to do.

Build first: `cargo build --release`. Start it as `benches/layer.py [BYTES]`; it needs docker-registry and three times the space.
"""

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from image_tools import FORGE, forge_words, write_project
from registry import Registry

GOAL = 64_000_000
PROJECT = """
[project]
name = "large"

[[docker]]
id = "image"
ids = []
images = ["{{ env.REPOSITORY }}"]
tags = ["1"]
platforms = ["linux/amd64"]
files = [{ src = "large", dst = "/large" }]

[[publish]]
to = "registry"
"""
# The kernel lets a process begin with the peak of the one that started it, and this one is large.
SMALL = """
import os, subprocess, sys
pid = subprocess.Popen(sys.argv[1:]).pid
_, status, usage = os.wait4(pid, 0)
print(usage.ru_maxrss, usage.ru_utime + usage.ru_stime)
sys.exit(os.waitstatus_to_exitcode(status))
"""


@dataclass
class Cost:
    """What a run took: seconds, the largest resident set in bytes, and what the registry was asked."""

    wall: float
    cpu: float
    memory: int
    requests: list


def main():
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000_000_000
    with tempfile.TemporaryDirectory(prefix="forge-bench-") as scratch:
        place = Path(scratch)
        project = place / "project"
        project.mkdir()
        write_large(project / "large", size)
        write_project(project, PROJECT, "large\n")
        registry = Registry(place)
        try:
            runs = {state: measure(project, registry) for state in ["cold", "again"]}
        finally:
            registry.process.kill()
    for state, it in runs.items():
        print(f"{state:6}{it.wall:8.2f} s wall{it.cpu:8.2f} s CPU{it.memory / 1e6:8.1f} MB at most{len(it.requests):4} requests")
    peak = max(it.memory for it in runs.values())
    print(f"{'met' if peak < GOAL else 'MISSED'}: {peak / 1e6:.1f} MB, less than {GOAL / 1e6:.0f}")
    sys.exit(0 if peak < GOAL else 1)


def write_large(path, size):
    """Real code, over and over, no two pieces the same."""
    code = Path(FORGE).read_bytes()
    with path.open("wb") as large:
        while large.tell() < size:
            large.write(large.tell().to_bytes(8, "little"))
            large.write(code[: size - large.tell()])


def measure(project, registry):
    registry.requests()
    began = time.monotonic()
    env = {**os.environ, "REPOSITORY": f"{registry.address}/large"}
    words = [sys.executable, "-S", "-c", SMALL, *map(str, forge_words(project))]
    memory, cpu = subprocess.run(words, env=env, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    return Cost(time.monotonic() - began, float(cpu), int(memory) * 1024, registry.requests())


main()
