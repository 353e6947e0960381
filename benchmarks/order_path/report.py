"""What a benchmark says in the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table as RichTable

from benchmarks.order_path import tables
from benchmarks.order_path.goals import goals
from benchmarks.order_path.options import Options
from benchmarks.order_path.results import Results
from benchmarks.order_path.tables import Table

_TABLES: dict[str, list[Callable[[Results], Table]]] = {
    "throughput": [tables.throughput, tables.reckoning],
    "latency": [tables.latency],
    "scaling": [tables.scaling],
    "sweep": [tables.sweep],
    "memory": [tables.memory],
    "book": [tables.book],
}


def show(results: Results, options: Options, console: Console) -> None:
    for part in options.parts:
        for table in _TABLES[part]:
            console.print(_rich(table(results)))
    reached = tables.measured_goals(results)
    if reached.rows:
        console.print(_rich(reached))


def document(results: Results) -> dict[str, Any]:
    """What is written as JSON: every run, and what came of the goals."""
    return {**msgspec.to_builtins(results), "goals": [goal._asdict() for goal in goals(results)]}


def _rich(table: Table) -> RichTable:
    made = RichTable(*table.header, title=table.title, title_justify="left", box=box.SIMPLE_HEAD)
    for column in made.columns[1:]:
        column.justify = "right"
    for row in table.rows:
        made.add_row(*row)
    return made
