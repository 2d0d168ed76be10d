"""Processes that are measured: CPU of those that run, and children that measure one thing each."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TICK = os.sysconf("SC_CLK_TCK")


def measured(environment: Mapping[str, str], *arguments: str) -> dict[str, Any]:
    """What a process of its own measured: ``python -m bench.measure ARGUMENTS``."""
    command = [sys.executable, "-m", "bench.measure", *arguments]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def family(leader: int) -> set[int]:
    """A process and all that it started and that runs."""
    return _tree(leader, _looked()[0])


def cpu_of(leader: int) -> float:
    """CPU seconds of a process and of all that it started, also of what has ended of that."""
    parents, used = _looked()
    return sum(used.get(pid, 0.0) for pid in _tree(leader, parents))


def _looked() -> tuple[dict[int, int], dict[int, float]]:
    """Of each process its parent, and the CPU seconds that it used."""
    parents, used = dict[int, int](), dict[int, float]()
    for place in Path("/proc").glob("[0-9]*"):
        try:
            fields = (place / "stat").read_text("utf-8").rpartition(")")[2].split()
        except OSError:
            continue
        pid = int(place.name)
        parents[pid] = int(fields[1])
        used[pid] = sum(int(ticks) for ticks in fields[11:15]) / TICK
    return parents, used


def _tree(leader: int, parents: Mapping[int, int]) -> set[int]:
    tree = {leader}
    while more := {pid for pid, parent in parents.items() if parent in tree} - tree:
        tree |= more
    return tree


def cpu_of_children() -> float:
    """CPU seconds of the children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
