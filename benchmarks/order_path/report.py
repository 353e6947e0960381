"""What a benchmark says in the end."""

from __future__ import annotations

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


def show(results: Results, options: Options, console: Console) -> None:
    for table in tables_of(results, options.parts):
        console.print(_rich(table))


def tables_of(results: Results, parts: tuple[str, ...]) -> list[Table]:
    """Those that the measured parts fill, and the goals."""
    cores = results.machine.cores
    of_parts = {
        "throughput": lambda: [tables.throughput(results), tables.reckoning(results)],
        "latency": lambda: [tables.latency(results)],
        "scaling": lambda: [tables.scaling(results, cores)],
        "sweep": lambda: [tables.sweep(results)],
        "memory": lambda: [tables.memory(results)],
        "book": lambda: [tables.book(results)],
    }
    return [*(table for part in parts for table in of_parts[part]()), tables.of_goals(results)]


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
