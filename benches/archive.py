#!/usr/bin/env -S python3 -B
"""Six programs of 20 MB, each packed as a `.tar.gz`: by forge's pipe `archive`, by Go's own packages at their best level, which is what
GoReleaser uses, and by `tar` and `pigz -9`.

Build first: `cargo build --release`. Start it as `benches/archive.py [ROUNDS]`; it needs Go, tar and pigz. Times of a round are compared
with each other alone: the machine is never the same twice.
"""

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
FORGE = os.environ.get("FORGE", TOP / "target/release/forge")
GOAL = 1 / 5
PLATFORMS = ["linux/amd64", "linux/arm64", "linux/386", "linux/arm", "darwin/arm64", "windows/amd64"]
PROJECT = """
[project]
name = "compile"

[[build]]
id = "compile"
tool = "prebuilt"
path = "programs/{{ os }}_{{ arch }}"
platforms = PLATFORMS

[[archive]]
files = []
"""
GO = """
package main

import (
	"archive/tar"
	"compress/gzip"
	"io"
	"os"
)

func main() {
	from, to := os.Args[1], os.Args[2]
	file := must(os.Create(to))
	packer := must(gzip.NewWriterLevel(file, gzip.BestCompression))
	archive := tar.NewWriter(packer)
	program := must(os.Open(from))
	header := must(tar.FileInfoHeader(must(program.Stat()), ""))
	check(archive.WriteHeader(header))
	must(io.Copy(archive, program))
	check(archive.Close())
	check(packer.Close())
	check(file.Close())
}

func must[T any](it T, err error) T {
	check(err)
	return it
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
"""


@dataclass
class Cost:
    """What packing all six took: seconds, and the bytes that came out."""

    wall: float
    cpu: float
    size: int


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory(prefix="forge-bench-") as scratch:
        place = Path(scratch)
        programs = build_programs(place)
        packers = {"forge": Forge(place, programs), "go": Go(place), "pigz": Pigz()}
        costs = {name: [] for name in packers}
        for at in range(rounds):
            # Who is first changes, so that nobody is always the one after whom the machine is warm.
            names = list(packers)[at % len(packers) :] + list(packers)[: at % len(packers)]
            for name in names:
                out = place / "out"
                out.mkdir()
                costs[name].append(measure(packers[name], programs, out))
                shutil.rmtree(out)
    plain = sum(10_240 + it for it in packers["forge"].sizes)
    report(costs, plain)


def build_programs(place):
    """Go's compiler, for six platforms: real code, and not small."""
    (place / "project/programs").mkdir(parents=True)
    programs = []
    for platform in PLATFORMS:
        system, arch = platform.split("/")
        program = place / f"project/programs/{system}_{arch}"
        env = {**os.environ, "GOOS": system, "GOARCH": arch, "CGO_ENABLED": "0"}
        run(["go", "build", "-trimpath", "-ldflags=-s -w", "-o", program, "cmd/compile"], env=env)
        programs.append(program)
    return programs


class Forge:
    """The programs are in the store when it is measured; what is measured is the archives alone, with planning and writing `dist/`."""

    def __init__(self, place, programs):
        self.project = place / "project"
        self.sizes = [it.stat().st_size for it in programs]
        (self.project / "forge.toml").write_text(PROJECT.replace("PLATFORMS", str(PLATFORMS)))
        self.run("run", "build", "--snapshot", "--quiet")

    def run(self, *words):
        run([FORGE, "-C", self.project, *words])

    def pack(self, programs, out):
        self.run("run", "archive", "--snapshot", "--quiet")

    def collect(self, out):
        """What it made, moved to where it is counted; the next round makes it again."""
        for archive in (self.project / "dist").glob("*.tar.gz"):
            shutil.move(archive, out)
        (self.project / ".forge/record").unlink()
        self.run("run", "build", "--snapshot", "--quiet")


class Go:
    """As many at once as there are processors, as GoReleaser has it."""

    def __init__(self, place):
        source = place / "packer"
        source.mkdir()
        (source / "main.go").write_text(GO)
        (source / "go.mod").write_text("module packer\n\ngo 1.21\n")
        run(["go", "build", "-o", "packer", "."], cwd=source)
        self.program = source / "packer"

    def pack(self, programs, out):
        side_by_side(lambda it: run([self.program, it, out / f"{it.name}.tar.gz"]), programs)

    def collect(self, out):
        pass


class Pigz:
    """`tar` and `pigz`, which uses every processor for each."""

    def pack(self, programs, out):
        for it in programs:
            line = 'tar -C "$1" -cf - "$2" | pigz -9 -n >"$3"'
            run(["sh", "-c", line, "sh", it.parent, it.name, out / f"{it.name}.tar.gz"])

    def collect(self, out):
        pass


def side_by_side(do, items):
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(do, items))


def measure(packer, programs, out):
    began, before = time.monotonic(), children()
    packer.pack(programs, out)
    cost = Cost(time.monotonic() - began, children() - before, 0)
    packer.collect(out)
    archives = list(out.iterdir())
    assert len(archives) == len(programs), archives
    for archive in archives:
        run(["gzip", "--test", archive])
    cost.size = sum(it.stat().st_size for it in archives)
    return cost


def children():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def run(words, **how):
    done = subprocess.run(list(map(str, words)), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **how)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, words))}: {done.stderr.decode(errors='replace')}")


def report(costs, plain):
    print(f"{'':8}{'wall':>8}{'CPU':>8}{'bytes':>14}{'of plain':>10}{'CPU of Go':>12}{'wall of Go':>12}{'bytes of Go':>13}")
    for name, rounds in costs.items():
        median = lambda of: statistics.median(of(it, go) for it, go in zip(rounds, costs["go"]))
        print(
            f"{name:8}{median(lambda it, _: it.wall):8.2f}{median(lambda it, _: it.cpu):8.2f}{rounds[0].size:14,}"
            f"{rounds[0].size / plain:10.3f}{median(lambda it, go: it.cpu / go.cpu):12.3f}"
            f"{median(lambda it, go: it.wall / go.wall):12.3f}{rounds[0].size / costs['go'][0].size:13.4f}"
        )
    forge, go = costs["forge"], costs["go"]
    cpu = statistics.median(it.cpu / other.cpu for it, other in zip(forge, go))
    met = cpu <= GOAL and forge[0].size <= go[0].size
    print(f"{'met' if met else 'MISSED'}: {cpu:.3f} of Go's CPU time, at most {GOAL}; {forge[0].size / go[0].size:.4f} of its bytes, at most 1")
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
