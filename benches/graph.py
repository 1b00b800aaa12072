#!/usr/bin/env python3
"""A graph of ten thousand commands in which nothing is to do: forge beside ninja, both over the same sources.

Each command copies one source file to one output. Both tools build it once; then rounds are interleaved, and the ratio is
the median of each round's own. Build first: `cargo build --release`. Start it as `benches/graph.py [ROUNDS] [COMMANDS]`.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
FORGE = os.environ.get("FORGE", TOP / "target/release/forge")
TOOLS = {
    "ninja": ["ninja"],
    "forge": [FORGE, "run", "release", "--snapshot"],
}


@dataclass
class Cost:
    """What something took: seconds, and the largest resident set in bytes."""

    wall: float
    cpu: float
    memory: int


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    commands = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    with tempfile.TemporaryDirectory() as folder:
        write_graph(Path(folder), commands)
        for argv in TOOLS.values():
            run(argv, folder)
        costs = [{name: run(argv, folder) for name, argv in TOOLS.items()} for _ in range(rounds)]
    report(costs, commands)


def write_graph(folder, commands):
    """The same graph twice: as `build.ninja` and as `forge.toml`."""
    (folder / "src").mkdir()
    ninja = ["rule cp", "  command = cp $in $out"]
    forge = ["[project]", 'name = "graph"']
    for at in range(commands):
        source = f"src/{at}.txt"
        (folder / source).write_text(f"{at}\n")
        ninja.append(f"build out/{at}.txt: cp {source}")
        forge += [
            "[[build]]",
            f'id = "t{at}"',
            'tool = "command"',
            'platforms = ["linux/amd64"]',
            f'argv = ["cp", "{source}", "{{{{ output }}}}"]',
            f'sources = ["{source}"]',
        ]
    (folder / "build.ninja").write_text("\n".join(ninja) + "\n")
    (folder / "forge.toml").write_text("\n".join(forge) + "\n")


def run(argv, folder):
    """Runs one tool, and says what it took with all that it started."""
    began = time.monotonic()
    child = subprocess.Popen(argv, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.monotonic() - began
    if status != 0:
        sys.exit(f"{argv[0]} ended with {os.waitstatus_to_exitcode(status)}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def report(costs, commands):
    print(f"{commands} commands, nothing to do; medians of {len(costs)} rounds, load {os.getloadavg()[0]:.1f}")
    for name in TOOLS:
        mine = [cost[name] for cost in costs]
        wall = statistics.median(cost.wall for cost in mine) * 1000
        cpu = statistics.median(cost.cpu for cost in mine) * 1000
        memory = max(cost.memory for cost in mine) / 1e6
        print(f"  {name}: {wall:.0f} ms wall, {cpu:.0f} ms CPU, {memory:.0f} MB")
    wall = statistics.median(cost["forge"].wall / cost["ninja"].wall for cost in costs)
    cpu = statistics.median(cost["forge"].cpu / cost["ninja"].cpu for cost in costs)
    print(f"  forge/ninja: {wall:.2f} wall, {cpu:.2f} CPU")


if __name__ == "__main__":
    main()
