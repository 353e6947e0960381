"""How the processes of one instance show their metrics at one place, and that their loops turn.

Each worker writes its metrics to a file of its own about once a second, from its loop. Whoever serves the
instance's metrics adds the files up: counters and histograms of all processes, also of those that are gone, and
gauges of those that live. A file that has not been written for a while belongs to a loop that hangs.

Kept in the process and written out, a count costs a third of what it costs in a file shared by processes; the
price is that a killed process takes up to a second of its counts with it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from prometheus_client import REGISTRY, Metric, disable_created_metrics, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

_SUFFIX = ".prom"
_ADDED_UP = ("counter", "histogram")
_ONE_PROCESS_ONLY = ("python_info", "process_start_time_seconds")

disable_created_metrics()  # type: ignore[no-untyped-call]


class Snapshots(Collector):
    """The files in `folder`, which is this instance's alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self) -> None:
        """What this process has measured."""
        path = self._folder / f"{os.getpid()}{_SUFFIX}"
        fresh = path.with_suffix(".new")
        fresh.write_bytes(generate_latest(REGISTRY))
        fresh.replace(path)

    def silence(self, pid: int) -> float | None:
        """Seconds since the process last wrote; None where it has not yet."""
        try:
            return time.time() - (self._folder / f"{pid}{_SUFFIX}").stat().st_mtime
        except FileNotFoundError:
            return None

    def fresh(self, seconds: float) -> int:
        """How many living processes have written within so many seconds."""
        silences = [self.silence(pid) for pid in self._living()]
        return sum(silence is not None and silence <= seconds for silence in silences)

    def collect(self) -> Iterator[Metric]:
        """All processes as one: the sum of each sample."""
        families: dict[str, Metric] = {}
        sums: dict[tuple[str, str, tuple[tuple[str, str], ...]], float] = {}
        for family in self._families():
            families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
            for sample in family.samples:
                if not sample.name.endswith("_created"):
                    key = (family.name, sample.name, tuple(sorted(sample.labels.items())))
                    sums[key] = sums.get(key, 0.0) + sample.value
        for (family_name, sample_name, labels), value in sums.items():
            families[family_name].add_sample(sample_name, dict(labels), value)
        yield from families.values()

    def _families(self) -> Iterable[Metric]:
        for path in sorted(self._folder.glob(f"*{_SUFFIX}")):
            alive = _lives(path)
            for family in text_string_to_metric_families(path.read_text(encoding="utf-8")):
                if family.name not in _ONE_PROCESS_ONLY and (alive or family.type in _ADDED_UP):
                    yield family

    def _living(self) -> list[int]:
        return [int(path.stem) for path in self._folder.glob(f"*{_SUFFIX}") if _lives(path)]


def _lives(path: Path) -> bool:
    return Path(f"/proc/{path.stem}").exists()
