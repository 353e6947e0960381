"""How the processes of one instance show their metrics at one place, and that their loops turn.

Each worker writes its metrics to a file of its own about once a second, from its loop. Whoever serves the
instance's metrics puts the files together: counters and histograms of all processes, also of those that are gone,
and gauges of those that live, added up or the greatest or least of them, as each gauge's `multiprocess_mode`
says. A file that has not been written for a while belongs to a loop that hangs. What a process that is gone had
counted goes into one file for all of those: however often workers die, a scrape reads no more files.

Kept in the process and written out, a count costs a third of what it costs in a file shared by processes; the
price is that a killed process takes up to a second of its counts with it. The files are in MessagePack: writing
Prometheus' text would hold up the loop for nearly twice as long.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import msgspec
from prometheus_client import REGISTRY, CollectorRegistry, Gauge, Metric, disable_created_metrics
from prometheus_client.registry import Collector

_SUFFIX = ".metrics"
_ADDED_UP = ("counter", "histogram")
_ONE_PROCESS_ONLY = ("python_info", "process_start_time_seconds")
_GONE, _SUPERVISOR = "gone", "supervisor"


class _Family(NamedTuple):
    """A metric as it stands in a file; a sample is a name, labels and a value."""

    name: str
    documentation: str
    type: str
    samples: list[tuple[str, dict[str, str], float]]


_decoder = msgspec.msgpack.Decoder(list[_Family])

disable_created_metrics()  # type: ignore[no-untyped-call]


class Snapshots(Collector):
    """The files in `folder`, which is this instance's alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self) -> None:
        """What this process, a worker, has measured."""
        self._write(str(os.getpid()), REGISTRY)

    def write_supervisors(self, registry: CollectorRegistry) -> None:
        """What the supervisor has, in a registry of its own: children inherit the common one with its counts."""
        self._write(_SUPERVISOR, registry)

    def tidy(self) -> None:
        """Put what processes that are gone had counted into one file; later, if someone is reading now."""
        with suppress(BlockingIOError), self._alone(fcntl.LOCK_NB):
            if gone := [path for path in self._workers() if _is_gone(path)]:
                registry = CollectorRegistry()
                registry.register(_Constant(_put_together([self._path(_GONE), *gone])))
                self._write(_GONE, registry)
                for path in gone:
                    path.unlink()

    def silence(self, pid: int) -> float | None:
        """Seconds since the process last wrote; None where it has not yet."""
        try:
            return time.time() - self._path(str(pid)).stat().st_mtime
        except FileNotFoundError:
            return None

    def fresh(self, seconds: float) -> int:
        """How many living workers have written within so many seconds."""
        silences = [self.silence(int(path.stem)) for path in self._workers() if not _is_gone(path)]
        return sum(silence is not None and silence <= seconds for silence in silences)

    def collect(self) -> Iterator[Metric]:
        """All processes as one."""
        with self._alone():
            merged = _put_together(sorted(self._folder.glob(f"*{_SUFFIX}")))
        yield from merged

    def _workers(self) -> list[Path]:
        return list(self._folder.glob(f"[0-9]*{_SUFFIX}"))

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}{_SUFFIX}"

    def _write(self, name: str, registry: CollectorRegistry) -> None:
        path = self._path(name)
        fresh = path.with_suffix(".new")
        families = [
            _Family(metric.name, metric.documentation, metric.type, [sample[:3] for sample in metric.samples])
            for metric in registry.collect()
        ]
        fresh.write_bytes(msgspec.msgpack.encode(families))
        fresh.replace(path)

    @contextmanager
    def _alone(self, flags: int = 0) -> Iterator[None]:
        """Nobody reads while a file moves into another: a count seen twice or not at all looks like a restart."""
        with (self._folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | flags)
            yield


class _Constant(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _put_together(paths: Iterable[Path]) -> list[Metric]:
    families: dict[str, Metric] = {}
    values: dict[tuple[str, str, tuple[tuple[str, str], ...]], list[float]] = {}
    for family in (family for path in paths for family in _families(path)):
        families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
        for sample_name, labelled, value in family.samples:
            key = (family.name, sample_name, tuple(sorted(labelled.items())))
            values.setdefault(key, []).append(value)
    rules = {name: _rule(name) for name in families}
    for (family_name, sample_name, labels), found in values.items():
        families[family_name].add_sample(sample_name, dict(labels), rules[family_name](found))
    return list(families.values())


def _families(path: Path) -> list[_Family]:
    """What the file holds; of a process that is gone no gauges: what it had is gone with it."""
    if not path.exists():
        return []
    counts_only = _is_gone(path)
    return [
        family
        for family in _decoder.decode(path.read_bytes())
        if family.name not in _ONE_PROCESS_ONLY and (family.type in _ADDED_UP or not counts_only)
    ]


def _is_gone(path: Path) -> bool:
    return path.stem == _GONE or (path.stem.isdigit() and not Path(f"/proc/{path.stem}").exists())


def _rule(name: str) -> Callable[[list[float]], float]:
    """How several processes' values become one. prometheus_client has each gauge declare it, but not say it."""
    gauge = REGISTRY._names_to_collectors.get(name)  # noqa: SLF001 - see above
    mode = gauge._multiprocess_mode if isinstance(gauge, Gauge) else "sum"  # noqa: SLF001 - see above
    return {"min": min, "max": max}.get(mode.removeprefix("live"), sum)
