#!/usr/bin/env python3
"""How near a run comes to what its graph allows: `examples/big`, from nothing, with Go's cache warm.

A run can't be faster than its longest path, nor than all of its work over the processors. What each task takes by itself is read from the record of
a run with one task at a time; the wall time is that of a run as users start it. Build first: `cargo build --release`. Start it as
`benches/critical_path.py [ROUNDS]`.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
FORGE = os.environ.get("FORGE", str(TOP / "target/release/forge"))


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as place:
        project = prepare(Path(place) / "big")
        run(project)
        needs = {task["id"]: task["needs"] for task in plan(project)["tasks"]}
        ratios = []
        for number in range(1, rounds + 1):
            _, _, alone = run(project, "--jobs", "1")
            wall, cpu, _ = run(project)
            path, names = longest(needs, alone)
            work = cpu / os.cpu_count()
            ratios.append(wall / max(path, work))
            print(f"round {number}: {wall:.2f} s; longest path {path:.2f} s, work over {os.cpu_count()} processors {work:.2f} s;", end=" ")
            print(f"{ratios[-1]:.2f} of the larger")
        print("the longest path: " + ", ".join(f"{name} {alone[name]:.2f} s" for name in names))
        print(f"ratio, median of {rounds}: {statistics.median(ratios):.2f} (goal 1.10)")


def prepare(project):
    shutil.copytree(TOP / "examples/big", project, ignore=shutil.ignore_patterns(".forge", "dist"))
    (project / ".gitignore").write_text(".forge/\ndist/\n")
    who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    for words in (["init", "-q"], ["add", "."], [*who, "commit", "-q", "-m", "one"], ["tag", "v1.2.3"]):
        subprocess.run(["git", *words], cwd=project, check=True)
    return project


def plan(project):
    told = subprocess.run([FORGE, "plan", "--json", "--snapshot"], cwd=project, check=True, capture_output=True)
    return json.loads(told.stdout)


def run(project, *options):
    """Wall time, processor time, and what each task took, in seconds, of a run from nothing."""
    for made in (".forge", "dist"):
        shutil.rmtree(project / made, ignore_errors=True)
    before, began = os.times(), time.monotonic()
    subprocess.run([FORGE, "run", "release", "--snapshot", "--quiet", *options], cwd=project, check=True)
    wall, after = time.monotonic() - began, os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    (report,) = (project / ".forge/runs").glob("*/report.json")
    return wall, cpu, {task["task"]: task["took"] / 1000 for task in json.loads(report.read_text())["tasks"]}


def longest(needs, took):
    """The longest path: how long it is, and the tasks on it, the first one first."""
    found = {}

    def until(task):
        if task not in found:
            before = max((until(need) for need in needs[task] if need in took), default=(0, []))
            found[task] = (before[0] + took[task], before[1] + [task])
        return found[task]

    return max(until(task) for task in took)


main()
