"""The figures as tables: the same rows for the terminal and for the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from benchmarks.order_path.arithmetic import Spread, cores, most_per_second, percentile, spread
from benchmarks.order_path.contenders import TUNED
from benchmarks.order_path.goals import goals
from benchmarks.order_path.results import Latency, Results, Throughput, settings_of

PARTS = ("consumer", "PostgreSQL", "broker", "Redis", "router")
WANTED = 10_000  # orders/s, of which the cores are reckoned
_SHARES = {"p50": 0.5, "p99": 0.99, "p999": 0.999}


class Table(NamedTuple):
    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


def throughput(results: Results) -> Table:
    header = ("", "batch", "orders/s", *PARTS, "SQL per order", "MiB")
    return Table(
        "Orders that wait in the queue; µs of CPU per order",
        header,
        [
            (name, _or_dash(size), *_figures(runs))
            for name, size in settings_of(results.throughput)
            if (runs := results.runs(name, batch_size=size))
        ],
    )


def _figures(runs: Sequence[Throughput]) -> list[str]:
    return [
        _of(runs, lambda run: run.per_second),
        *(shown(spread([run.cpu_us[part] for run in runs])) for part in PARTS),
        _of(runs, lambda run: run.statements, digits=2),
        _of(runs, lambda run: run.end_mib),
    ]


def latency(results: Results) -> Table:
    rates = sorted({run.rate for run in results.latency})
    return Table(
        "From when an order was due until its routed message was seen; ms",
        ("", "orders/s", *_SHARES),
        [
            (name, str(rate or "one at a time"), *_latencies(runs))
            for rate in rates
            for name in dict.fromkeys(run.contender for run in results.latency)
            if (runs := results.latencies(name, rate))
        ],
    )


def _latencies(runs: Sequence[Latency]) -> list[str]:
    if not all(run.kept_up for run in runs):
        return ["falls behind"] * len(_SHARES)
    return [
        shown(spread([percentile(run.milliseconds, share) for run in runs]), digits=1)
        for share in _SHARES.values()
    ]


def scaling(results: Results) -> Table:
    rows, cores_ = [], results.machine.cores
    for name, size in settings_of(run for run in results.throughput if run.processes > 1):
        one, two = (results.runs(name, batch_size=size, processes=count) for count in (1, 2))
        if one and two:
            rows.append((name, *_scaling(one, two, cores_)))
    return Table(
        "A second process",
        ("", "one: orders/s", "two: orders/s", "gain", f"most that {cores_} cores allow"),
        rows,
    )


def _scaling(one: Sequence[Throughput], two: Sequence[Throughput], cores_: int) -> tuple[str, str, str, str]:
    single, double = (spread([run.per_second for run in runs]) for runs in (one, two))
    consumer = spread([run.consumer_us for run in one]).median
    stack = spread([run.stack_us for run in one]).median
    most = [most_per_second(consumer, stack, processes=count, cores=cores_) for count in (1, 2)]
    return (
        shown(single),
        shown(double),
        f"{double.median / single.median:.2f} ×",
        f"{most[1] / most[0]:.2f} × ({most[0]:.0f}/s, {most[1]:.0f}/s)",
    )


def reckoning(results: Results) -> Table:
    """The cores that so many orders a second take, as measured with each contender's tuned batches."""
    taken: dict[str, list[float]] = {}
    for name, size in settings_of(results.throughput):
        if size in (None, TUNED.batch_size) and (runs := results.runs(name, batch_size=size)):
            used = [spread([run.cpu_us[part] for run in runs]).median for part in PARTS]
            taken[name] = [cores(us, per_second=WANTED) for us in (*used, sum(used))]
    rows = [
        (part, *(f"{of_contender[at]:.2f}" for of_contender in taken.values()))
        for at, part in enumerate((*PARTS, "together"))
    ]
    return Table(f"Cores that {WANTED:,} orders/s take", ("", *taken), rows)


def memory(results: Results) -> Table:
    return Table(
        "Resident memory over a long run; MiB",
        ("", "orders", "after a twentieth", "half", "all"),
        [
            (
                run.contender,
                f"{run.orders * len(run.mib):,}",
                *(f"{run.mib[at]:.0f}" for at in (0, len(run.mib) // 2 - 1, -1)),
            )
            for run in results.memory
        ],
    )


def book(results: Results) -> Table:
    sizes = sorted({run.book for run in results.throughput})
    rows = []
    for size in sizes:
        runs = [run for run in results.throughput if run.book == size and run.batch_size == TUNED.batch_size]
        rows.append((f"{size:,}", *_figures(runs)))
    return Table(
        "Orders in the book before; µs of CPU per order", ("", *throughput(results).header[2:]), rows
    )


def sweep(results: Results) -> Table:
    rows = []
    for size, in_flight in dict.fromkeys((run.batch_size, run.in_flight) for run in results.sweep):
        runs = [run for run in results.sweep if (run.batch_size, run.in_flight) == (size, in_flight)]
        rows.append((str(size), str(in_flight), *_figures(runs)))
    return Table(
        "Batch sizes and calls in flight; µs of CPU per order",
        ("batch", "in flight", *throughput(results).header[2:]),
        rows,
    )


def measured_goals(results: Results) -> Table:
    verdicts = {True: "met", False: "missed"}
    rows = [
        (goal.name, goal.wanted, goal.found, verdicts[goal.met])
        for goal in goals(results)
        if goal.met is not None
    ]
    return Table("Goals", ("", "wanted", "found", ""), rows)


def _of(runs: Sequence[Throughput], figure: Callable[[Throughput], float], *, digits: int = 0) -> str:
    return shown(spread([figure(run) for run in runs]), digits=digits)


def shown(figure: Spread, *, digits: int = 0) -> str:
    """The median, and the range where there is one."""
    median, low, high = (f"{value:.{digits}f}" for value in figure)
    return median if low == high else f"{median} ({low} – {high})"


def _or_dash(value: int | None) -> str:
    return "–" if value is None else str(value)
