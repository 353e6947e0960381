"""What a benchmark has measured, as it is kept in JSON."""

from __future__ import annotations

import platform
import statistics
from collections.abc import Iterable
from datetime import UTC, datetime
from os import cpu_count
from pathlib import Path

import msgspec

from order_entry_project import __version__

_BEHIND = 1000  # ms that orders take in the end where a contender does not keep up
_LATE_SHARE = 10  # the last tenth


class Throughput(msgspec.Struct, frozen=True, kw_only=True):
    """One run; `batch_size` is none where a contender has none, `book` counts the orders that were there before.

    `cpu_us`: microseconds of CPU an order, of the consumer's processes and of each component of the stack.
    """

    contender: str
    batch_size: int | None
    in_flight: int
    processes: int
    book: int
    orders: int
    seconds: float
    cpu_us: dict[str, float]
    statements: float
    start_mib: float
    end_mib: float

    @property
    def per_second(self) -> float:
        return self.orders / self.seconds

    @property
    def consumer_us(self) -> float:
        return self.cpu_us["consumer"]

    @property
    def stack_us(self) -> float:
        return sum(self.cpu_us.values()) - self.consumer_us


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """One run; `rate` 0: one order at a time. Orders not through in time are missing from `milliseconds`."""

    contender: str
    rate: int
    orders: int
    milliseconds: list[float]

    @property
    def kept_up(self) -> bool:
        """Whether all came through, the last as soon as the others."""
        last = self.milliseconds[-max(1, len(self.milliseconds) // _LATE_SHARE) :]
        return len(self.milliseconds) == self.orders and statistics.median(last) < _BEHIND


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """`mib`: resident, of one contender's processes, after `orders`, twice as many, three times as many, …"""

    contender: str
    orders: int
    mib: list[float]


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    cores: int
    processor: str
    python: str
    version: str
    measured_at: datetime

    @classmethod
    def this(cls) -> Machine:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        return cls(
            cores=cpu_count() or 1,
            processor=models[0] if models else platform.machine(),
            python=platform.python_version(),
            version=__version__,
            measured_at=datetime.now(UTC).replace(microsecond=0),
        )


class Results(msgspec.Struct, kw_only=True):
    machine: Machine
    throughput: list[Throughput] = []
    latency: list[Latency] = []
    sweep: list[Throughput] = []
    memory: list[Memory] = []

    def runs(
        self, contender: str, *, batch_size: int | None, processes: int = 1, book: int = 0
    ) -> list[Throughput]:
        wanted = (contender, batch_size, processes, book)
        return [
            run
            for run in self.throughput
            if (run.contender, run.batch_size, run.processes, run.book) == wanted
        ]

    def latencies(self, contender: str, rate: int) -> list[Latency]:
        return [run for run in self.latency if (run.contender, run.rate) == (contender, rate)]


def settings_of(runs: Iterable[Throughput]) -> list[tuple[str, int | None]]:
    """Contenders with their batch sizes, in the order they first ran."""
    return list(dict.fromkeys((run.contender, run.batch_size) for run in runs))
