"""`manage.py table_sizes`: what the order book takes up."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.filesize import decimal

from orders.management.runbook import RunbookCommand, cell
from orders.table_sizes import table_sizes


class Command(RunbookCommand):
    help = "List the tables of the order book's database with their sizes, the largest first."

    def handle(self, **options: Any) -> None:
        sizes = table_sizes()
        if options["json"]:
            self.show_json([{**asdict(size), "total_bytes": size.total_bytes} for size in sizes])
            return
        table = self.table("Table", ">Total", ">Rows and TOAST", ">Indexes", ">Rows (estimate)", ">Dead rows")
        for size in sizes:
            table.add_row(
                size.name,
                decimal(size.total_bytes),
                decimal(size.table_bytes),
                decimal(size.index_bytes),
                cell(size.rows),
                cell(size.dead_rows),
            )
        self.show(table)
