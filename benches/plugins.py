#!/usr/bin/env python3
"""The price of plugins: a call in forge's process and in a child, and a start of forge with none, one and twenty of them.

The plugins are those that `forge plugins new --lang c` writes, built and pinned; each round starts forge with every number
of them, and a start is `forge check`. Build first: `cargo build --release`. Start it as `benches/plugins.py [ROUNDS]`.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
FORGE = os.environ.get("FORGE", TOP / "target/release/forge")
NUMBERS = [0, 1, 20]


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    subprocess.run(["cargo", "build", "--quiet", "--release", "-p", "forge-plugin", "--examples", "--all-features"], cwd=TOP, check=True)
    subprocess.run([TOP / "target/release/examples/line"], check=True)
    with tempfile.TemporaryDirectory() as folder:
        names = [f"p{at:02}" for at in range(max(NUMBERS))]
        for name in names:
            run([FORGE, "plugins", "new", name, "--lang", "c"], folder)
            run(["make"], Path(folder) / name)
        projects = {number: project(Path(folder), names[:number]) for number in NUMBERS}
        starts = {number: [] for number in NUMBERS}
        for _ in range(rounds):
            for number, place in projects.items():
                starts[number].append(timed([FORGE, "check", "--snapshot"], place))
    for number, times in starts.items():
        best, median = min(times) * 1000, statistics.median(times) * 1000
        print(f"a start with {number} plugins: {best:.0f} ms (median {median:.0f})")


def project(folder, names):
    """A project that uses these plugins, pinned, a table of each."""
    place = folder / f"with{len(names)}"
    place.mkdir()
    lines = ["[project]", 'name = "it"', "[[build]]", 'id = "x"', 'tool = "command"', 'argv = ["true"]', 'platforms = ["linux/amd64"]']
    for name in names:
        lines += [f"[plugins.{name}]", f'path = "../{name}/lib"', f"[[{name}]]", 'id = "list"', f'file = "{name}.txt"']
    (place / "forge.toml").write_text("\n".join(lines) + "\n")
    if names:
        run([FORGE, "plugins", "lock"], place)
    run([FORGE, "check", "--snapshot"], place)
    return place


def run(argv, folder):
    subprocess.run(argv, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def timed(argv, folder):
    began = time.monotonic()
    run(argv, folder)
    return time.monotonic() - began


if __name__ == "__main__":
    main()
