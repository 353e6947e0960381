"""The page of the figures: docs/performance.md, between markers that name what stands there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.order_path import plots, tables
from benchmarks.order_path.markdown import markdown, replaced
from benchmarks.order_path.options import Options
from benchmarks.order_path.results import Machine, Results
from benchmarks.order_path.tables import Table
from order_entry_project.config import BASE_DIR

DOCS = BASE_DIR / "docs"
Tell = Callable[[Results], Table]
Draw = Callable[[Results, Path], Path]


def write(results: Results, options: Options, docs: Path = DOCS) -> list[Path]:
    """Refresh the sections that this run has measured in full; the files written."""
    page = docs / "performance.md"
    text, written = page.read_text(encoding="utf-8"), []
    for section in _SECTIONS:
        if section.parts <= set(options.parts):
            drawn = [plot.draw(results, docs / "images" / plot.name) for plot in section.plots]
            content = _content(results, section)
            text = replaced(text, section.name, f"{_origin(results.machine, options)}\n\n{content}")
            written += [page, *drawn]
    page.write_text(text, encoding="utf-8")
    return list(dict.fromkeys(written))


def _origin(machine: Machine, options: Options) -> str:
    rounds = "1 round" if options.rounds == 1 else f"{options.rounds} rounds in turn"
    return (
        f"Measured {machine.measured_at:%Y-%m-%d} with version {machine.version} on {machine.cores} cores "
        f"({machine.processor}), Python {machine.python}; {rounds}: medians, and ranges in parentheses."
    )


class _Plot(NamedTuple):
    """`alt`: what it shows, for whom it is not shown."""

    name: str
    alt: str
    draw: Draw


class _Section(NamedTuple):
    """Stands between the markers of `name`, refreshed by a run that measured all of `parts`."""

    name: str
    parts: set[str]
    tables: Sequence[Tell]
    plots: Sequence[_Plot] = ()


def _content(results: Results, section: _Section) -> str:
    told = [markdown(tell(results)) for tell in section.tables]
    return "\n\n".join([*told, *(f"![{plot.alt}](images/{plot.name})" for plot in section.plots)])


_SECTIONS = [
    _Section(
        "order path",
        {"throughput", "latency", "scaling"},
        [tables.measured_goals, tables.throughput, tables.reckoning, tables.latency, tables.scaling],
        [
            _Plot("bench-cpu.png", "CPU per order by component, and orders a second", plots.cpu),
            _Plot("bench-latency.png", "Latency by rate: p50, p99, p999", plots.latency),
        ],
    ),
    _Section("sweep", {"sweep"}, [tables.sweep]),
    _Section(
        "memory",
        {"memory"},
        [tables.measured_goals, tables.memory],
        [_Plot("bench-memory.png", "Memory over a long run", plots.memory)],
    ),
    _Section("book", {"book"}, [tables.measured_goals, tables.book]),
]
