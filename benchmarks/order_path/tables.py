"""The figures as tables: the same rows for the terminal and for the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from benchmarks.order_path.arithmetic import Spread, cores, most_per_second, percentile, spread
from benchmarks.order_path.contenders import TUNED
from benchmarks.order_path.goals import goals
from benchmarks.order_path.results import Latency, Results, Throughput, settings_of

WANTED = 10_000  # orders/s, of which the cores are reckoned
_SHARES = {"p50": 0.5, "p99": 0.99, "p999": 0.999}


class Table(NamedTuple):
    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


def throughput(results: Results) -> Table:
    header = (
        "",
        "batch",
        "orders/s",
        "consumer",
        "PostgreSQL",
        "broker",
        "Redis",
        "router",
        "SQL per order",
        "MiB",
    )
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
    parts = ("consumer", "PostgreSQL", "broker", "Redis", "router")
    return [
        _of(runs, lambda run: run.per_second),
        *(_of(runs, lambda run, part=part: run.cpu_us[part]) for part in parts),
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


def scaling(results: Results, cores_: int) -> Table:
    rows = []
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
    consumer, stack = (
        spread([figure(run) for run in one]).median
        for figure in (lambda run: run.consumer_us, lambda run: run.stack_us)
    )
    most = [most_per_second(consumer, stack, processes=count, cores=cores_) for count in (1, 2)]
    return (
        shown(single),
        shown(double),
        f"{double.median / single.median:.2f} ×",
        f"{most[1] / most[0]:.2f} × ({most[0]:.0f}/s, {most[1]:.0f}/s)",
    )


def reckoning(results: Results) -> Table:
    """The cores that so many orders a second take, as measured with each contender's tuned batches."""
    names = [name for name, size in settings_of(results.throughput) if size in (None, TUNED.batch_size)]
    tuned = {name: _any_tuned(results, name) for name in names}
    tuned = {name: runs for name, runs in tuned.items() if runs}
    parts = dict.fromkeys(part for runs in tuned.values() for part in runs[0].cpu_us)
    medians = {
        name: {part: spread([run.cpu_us[part] for run in runs]).median for part in parts}
        for name, runs in tuned.items()
    }
    rows = [
        (part, *(f"{cores(medians[name][part], per_second=WANTED):.2f}" for name in tuned)) for part in parts
    ]
    total = [f"{cores(sum(medians[name].values()), per_second=WANTED):.2f}" for name in tuned]
    return Table(f"Cores that {WANTED:,} orders/s take", ("", *tuned), [*rows, ("together", *total)])


def _any_tuned(results: Results, name: str) -> list[Throughput]:
    return results.runs(name, batch_size=TUNED.batch_size) or results.runs(name, batch_size=None)


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
    settings = sorted({(run.batch_size or 0, run.in_flight) for run in results.throughput})
    rows = []
    for size, in_flight in settings:
        runs = [run for run in results.throughput if (run.batch_size, run.in_flight) == (size, in_flight)]
        rows.append((str(size), str(in_flight), *_figures(runs)))
    return Table(
        "Batch sizes and calls in flight; µs of CPU per order",
        ("batch", "in flight", *throughput(results).header[2:]),
        rows,
    )


def of_goals(results: Results) -> Table:
    verdicts = {True: "met", False: "missed", None: "–"}
    rows = [(goal.name, goal.wanted, goal.found, verdicts[goal.met]) for goal in goals(results)]
    return Table("Goals", ("", "wanted", "found", ""), rows)


def _of(runs: Sequence[Throughput], figure: Callable[[Throughput], float], *, digits: int = 0) -> str:
    return shown(spread([figure(run) for run in runs]), digits=digits)


def shown(figure: Spread, *, digits: int = 0) -> str:
    """The median, and the range where there is one."""
    median, low, high = (f"{value:.{digits}f}" for value in figure)
    return median if low == high else f"{median} ({low} – {high})"


def _or_dash(value: int | None) -> str:
    return "–" if value is None else str(value)
