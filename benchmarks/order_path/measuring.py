"""What processes have used, as the kernel tells it."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

_TICK = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


class _Process(NamedTuple):
    parent: int
    own: int  # ticks of its threads, also of those that have ended
    ended: int  # ticks of its children that have ended


def cpu_seconds(root: int) -> float:
    """CPU time, user and system, of process `root` and all it ever started."""
    processes = _processes()
    return sum(processes[pid].own + processes[pid].ended for pid in _tree(root, processes)) / _TICK


def resident_mib(root: int) -> float:
    """Memory of `root` and all its living descendants; what some of them share is counted once (PSS)."""
    kib = 0
    for pid in _tree(root, _processes()):
        lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
        kib += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return kib / 1024


def tree(root: int) -> list[int]:
    """`root` and its living descendants."""
    return _tree(root, _processes())


def _processes() -> dict[int, _Process]:
    found = {}
    for folder in _PROC.glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        # The name, in parentheses, may hold anything.
        fields = stat[stat.rindex(")") + 2 :].split()
        user, system, ended_user, ended_system = map(int, fields[11:15])
        found[int(folder.name)] = _Process(int(fields[1]), user + system, ended_user + ended_system)
    return found


def _tree(root: int, processes: dict[int, _Process]) -> list[int]:
    if root not in processes:
        raise ProcessLookupError(f"process {root} has ended")
    children = defaultdict(list)
    for pid, process in processes.items():
        children[process.parent].append(pid)
    found = [root]
    for pid in found:
        found += children[pid]
    return found
