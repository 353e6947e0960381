"""The page of the figures: docs/performance.md, between markers that name what stands there."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from benchmarks.order_path import plots, tables
from benchmarks.order_path.options import Options
from benchmarks.order_path.results import Machine, Results
from benchmarks.order_path.tables import Table
from order_entry_project.config import BASE_DIR

PAGE = BASE_DIR / "docs" / "performance.md"
IMAGES = BASE_DIR / "docs" / "images"
# Columns of a page stay readable up to here.
_ORDER_PATH = ("throughput", "latency", "scaling")


def write(results: Results, options: Options) -> list[Path]:
    """Refresh the sections that this run has measured in full; the files written."""
    text, written = PAGE.read_text(encoding="utf-8"), []
    for name, parts, section in _SECTIONS:
        if set(parts) <= set(options.parts):
            content, images = section(results)
            text = replaced(text, name, f"{_origin(results.machine, options)}\n\n{content}")
            written += images
    if written or text != PAGE.read_text(encoding="utf-8"):
        PAGE.write_text(text, encoding="utf-8")
        written.append(PAGE)
    return written


def replaced(text: str, name: str, content: str) -> str:
    """`text` with `content` between the markers of `name`. Raises `ValueError` where they are not there once each."""
    begin, end = f"<!-- bench: {name} -->", f"<!-- end of {name} -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if len(pattern.findall(text)) != 1:
        raise ValueError(f"expected `{begin}` and `{end}` once each, in this order")
    return pattern.sub(lambda _: f"{begin}\n{content.strip()}\n{end}", text)


def markdown(table: Table) -> str:
    lines = [
        f"**{table.title}**",
        "",
        _row(table.header),
        _row(["---", *["---:"] * (len(table.header) - 1)]),
        *map(_row, table.rows),
    ]
    return "\n".join(lines)


def _row(cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"  # type: ignore[call-overload]


def _origin(machine: Machine, options: Options) -> str:
    rounds = "1 round" if options.rounds == 1 else f"{options.rounds} rounds in turn"
    return (
        f"Measured {machine.measured_at:%Y-%m-%d} with version {machine.version} on {machine.cores} cores "
        f"({machine.processor}), Python {machine.python}; {rounds}: medians, and ranges in parentheses."
    )


def _order_path(results: Results) -> tuple[str, list[Path]]:
    images = [
        plots.cpu(results, IMAGES / "bench-cpu.png"),
        plots.latency(results, IMAGES / "bench-latency.png"),
    ]
    told = [
        tables.of_goals(results),
        tables.throughput(results),
        tables.reckoning(results),
        tables.latency(results),
        tables.scaling(results, results.machine.cores),
    ]
    return _together(told, images), images


def _memory(results: Results) -> tuple[str, list[Path]]:
    images = [plots.memory(results, IMAGES / "bench-memory.png")]
    return _together([tables.memory(results)], images), images


def _book(results: Results) -> tuple[str, list[Path]]:
    return _together([tables.book(results)], []), []


def _sweep(results: Results) -> tuple[str, list[Path]]:
    return _together([tables.sweep(results)], []), []


def _together(told: list[Table], images: list[Path]) -> str:
    shown = [f"![{image.stem}](images/{image.name})" for image in images]
    return "\n\n".join([*map(markdown, told), *shown])


_Section = Callable[[Results], tuple[str, list[Path]]]
_SECTIONS: list[tuple[str, tuple[str, ...], _Section]] = [
    ("order path", _ORDER_PATH, _order_path),
    ("sweep", ("sweep",), _sweep),
    ("memory", ("memory",), _memory),
    ("book", ("book",), _book),
]
