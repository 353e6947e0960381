"""The page of the figures: docs/performance.md, between markers that name what stands there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
            drawn = [draw(results, docs / "images" / name) for name, draw in section.plots.items()]
            content = _content(results, section.tables, drawn)
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


def _content(results: Results, told: Sequence[Tell], drawn: Sequence[Path]) -> str:
    pictures = [f"![{image.stem}](images/{image.name})" for image in drawn]
    return "\n\n".join([*(markdown(tell(results)) for tell in told), *pictures])


class _Section(NamedTuple):
    """Stands between the markers of `name`, refreshed by a run that measured all of `parts`."""

    name: str
    parts: set[str]
    tables: Sequence[Tell]
    plots: Mapping[str, Draw] = {}


_SECTIONS = [
    _Section(
        "order path",
        {"throughput", "latency", "scaling"},
        [tables.measured_goals, tables.throughput, tables.reckoning, tables.latency, tables.scaling],
        {"bench-cpu.png": plots.cpu, "bench-latency.png": plots.latency},
    ),
    _Section("sweep", {"sweep"}, [tables.sweep]),
    _Section(
        "memory", {"memory"}, [tables.measured_goals, tables.memory], {"bench-memory.png": plots.memory}
    ),
    _Section("book", {"book"}, [tables.measured_goals, tables.book]),
]
