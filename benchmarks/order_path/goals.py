"""What was promised, and whether this run keeps it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from benchmarks.order_path.arithmetic import growth, percentile, spread
from benchmarks.order_path.contenders import FASTSTREAM, FLOOR, SERVICE, TUNED, Contender
from benchmarks.order_path.results import Results, Throughput

CPU = 1.6
SPEED, SPEED_OF_FASTSTREAM = 0.7, 6.0
P99_RATE, P99, P99_OF_FLOOR = 200, 15.0, 2.0  # orders/s, ms, times
LONE = 8.0  # ms
BIG_BOOK = 0.9
MEMORY = 1.05


class Goal(NamedTuple):
    """`met` is none where this run did not measure what it takes."""

    name: str
    wanted: str
    found: str
    met: bool | None


def goals(results: Results) -> list[Goal]:
    return [Goal(name, wanted, *_evaluated(measure, results)) for name, wanted, measure in _GOALS]


class _NotMeasured(Exception):
    pass


def _evaluated(measure: Callable[[Results], tuple[str, bool]], results: Results) -> tuple[str, bool | None]:
    try:
        return measure(results)
    except _NotMeasured:
        return "not measured", None


def _cpu(results: Results) -> tuple[str, bool]:
    ours, floor = (_median(_tuned(results, c), lambda run: run.consumer_us) for c in (SERVICE, FLOOR))
    return f"{ours / floor:.2f} × ({ours:.0f} µs, {floor:.0f} µs)", ours <= CPU * floor


def _speed(results: Results, other: Contender, times: float) -> tuple[str, bool]:
    ours, theirs = (_median(_tuned(results, c), lambda run: run.per_second) for c in (SERVICE, other))
    return f"{ours / theirs:.2f} × ({ours:.0f}/s, {theirs:.0f}/s)", ours >= times * theirs


def _p99(results: Results) -> tuple[str, bool]:
    ours, floor = (_latency(results, c, P99_RATE, 0.99) for c in (SERVICE, FLOOR))
    return f"{ours:.1f} ms (floor {floor:.1f} ms)", ours <= max(P99, P99_OF_FLOOR * floor)


def _lone(results: Results) -> tuple[str, bool]:
    ours = _latency(results, SERVICE, 0, 0.5)
    return f"{ours:.1f} ms", ours <= LONE


def _big_book(results: Results) -> tuple[str, bool]:
    sizes = [run.book for run in results.throughput if run.book]
    if not sizes:
        raise _NotMeasured
    big, empty = (
        _median(
            results.runs(SERVICE.name, batch_size=TUNED.batch_size, book=size), lambda run: run.per_second
        )
        for size in (sizes[0], 0)
    )
    return (
        f"{big / empty:.2f} × with {sizes[0]:,} orders ({big:.0f}/s, {empty:.0f}/s)",
        big >= BIG_BOOK * empty,
    )


def _memory(results: Results) -> tuple[str, bool]:
    for run in results.memory:
        if run.contender == SERVICE.name:
            grown = growth(run.mib)
            return (
                f"{grown:.2f} × over {run.orders * len(run.mib):,} orders ({run.mib[-1]:.0f} MiB)",
                grown <= MEMORY,
            )
    raise _NotMeasured


_GOALS: Sequence[tuple[str, str, Callable[[Results], tuple[str, bool]]]] = [
    ("consumer CPU per order", f"≤ {CPU} × the floor's", _cpu),
    ("orders/s", f"≥ {SPEED} × the floor's", lambda results: _speed(results, FLOOR, SPEED)),
    (
        "orders/s",
        f"≥ {SPEED_OF_FASTSTREAM:.0f} × FastStream's",
        lambda results: _speed(results, FASTSTREAM, SPEED_OF_FASTSTREAM),
    ),
    (f"p99 at {P99_RATE} orders/s", f"≤ {P99:.0f} ms or {P99_OF_FLOOR:.0f} × the floor's", _p99),
    ("one order alone, median", f"≤ {LONE:.0f} ms", _lone),
    ("orders/s with a big book", f"≥ {BIG_BOOK} × those with an empty one", _big_book),
    ("resident memory", f"flat: ≤ {MEMORY} × from the second quarter of a long run to the last", _memory),
]


def _tuned(results: Results, contender: Contender) -> list[Throughput]:
    return results.runs(contender.name, batch_size=TUNED.batch_size if contender.batches else None)


def _median(runs: Sequence[Throughput], figure: Callable[[Throughput], float]) -> float:
    if not runs:
        raise _NotMeasured
    return spread([figure(run) for run in runs]).median


def _latency(results: Results, contender: Contender, rate: int, share: float) -> float:
    runs = results.latencies(contender.name, rate)
    if not runs or not all(run.milliseconds for run in runs):
        raise _NotMeasured
    return spread([percentile(run.milliseconds, share) for run in runs]).median


def missed(goals_: Sequence[Goal]) -> Iterator[Goal]:
    return (goal for goal in goals_ if goal.met is False)
