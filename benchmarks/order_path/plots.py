"""The figures as pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.order_path.arithmetic import percentile, spread
from benchmarks.order_path.results import Results, settings_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLOURS = ["#1f4e79", "#2e86c1", "#e67e22", "#c0392b", "#95a5a6"]
_SHARES = {"p50": 0.5, "p99": 0.99, "p999": 0.999}


def cpu(results: Results, path: Path) -> Path:
    """CPU per order by component, and orders a second with their range."""
    settings = [pair for pair in settings_of(results.throughput) if results.runs(pair[0], batch_size=pair[1])]
    labels = [name if size is None else f"{name}, {size}" for name, size in settings]
    figure = _figure(11, 0.5 * len(settings) + 1.6)
    left, right = figure.subplots(1, 2, sharey=True)
    _stack_cpu(left, results, settings)
    speeds = [
        spread([run.per_second for run in results.runs(name, batch_size=size)]) for name, size in settings
    ]
    medians = [speed.median for speed in speeds]
    errors = [[speed.median - speed.low for speed in speeds], [speed.high - speed.median for speed in speeds]]
    right.barh(range(len(settings)), medians, xerr=errors, color=_COLOURS[0], ecolor="#444444", capsize=3)
    right.set_xlabel("orders/s, one process")
    left.set_yticks(range(len(settings)), labels)
    left.invert_yaxis()
    return _saved(figure, path)


def _stack_cpu(axes: Any, results: Results, settings: list[tuple[str, int | None]]) -> None:
    parts = results.throughput[0].cpu_us
    ends = [0.0] * len(settings)
    for part, colour in zip(parts, _COLOURS, strict=True):
        widths = [
            spread([run.cpu_us[part] for run in results.runs(name, batch_size=size)]).median
            for name, size in settings
        ]
        axes.barh(range(len(settings)), widths, left=ends, label=part, color=colour)
        ends = [end + width for end, width in zip(ends, widths, strict=True)]
    axes.set_xlabel("µs of CPU per order")
    axes.legend(fontsize="small")


def latency(results: Results, path: Path) -> Path:
    """Percentiles by rate, of the contenders that kept up."""
    rates = sorted({run.rate for run in results.latency if run.rate})
    figure = _figure(11, 3.4)
    panels = figure.subplots(1, len(_SHARES), sharey=True)
    for axes, (title, share) in zip(panels, _SHARES.items(), strict=True):
        for name, colour in zip(
            dict.fromkeys(run.contender for run in results.latency), _COLOURS, strict=False
        ):
            points = [(rate, _of_rate(results, name, rate, share)) for rate in rates]
            known = [(rate, value) for rate, value in points if value is not None]
            if known:
                axes.plot(*zip(*known, strict=True), marker="o", label=name, color=colour)
        axes.set_title(title)
        axes.set_xlabel("orders/s")
        axes.set_xticks(rates)
        axes.set_yscale("log")
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("ms from due to routed")
    panels[0].legend(fontsize="small")
    return _saved(figure, path)


def _of_rate(results: Results, name: str, rate: int, share: float) -> float | None:
    runs = results.latencies(name, rate)
    if not runs or not all(run.kept_up for run in runs):
        return None
    return spread([percentile(run.milliseconds, share) for run in runs]).median


def memory(results: Results, path: Path) -> Path:
    """Resident memory over the orders of a long run."""
    figure = _figure(7, 3.2)
    axes = figure.subplots()
    for run, colour in zip(results.memory, _COLOURS, strict=False):
        axes.plot(
            [run.orders * (number + 1) for number in range(len(run.mib))],
            run.mib,
            label=run.contender,
            color=colour,
        )
    axes.set_ylim(bottom=0)
    axes.set_xlabel("orders")
    axes.set_ylabel("MiB")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    return _saved(figure, path)


def _figure(width: float, height: float) -> Figure:
    """A blank one, in inches."""
    # Only `make bench` installs matplotlib: what else is known of a run can be had, and tested, without it.
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height))


def _saved(figure: Figure, path: Path) -> Path:
    figure.tight_layout()
    # Without the version of what drew it, the same figures are the same file.
    figure.savefig(path, dpi=110, metadata={"Software": None})
    return path
