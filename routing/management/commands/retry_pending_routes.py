"""`manage.py retry_pending_routes`: for cron, every five minutes, in any number of copies."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from orders.sql import SqlUnavailable
from routing.retry import Retry, Summary


class Command(BaseCommand):
    help = "Route the orders that are due: parked ones, and placed ones that nobody holds."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print the summary as JSON")

    def handle(self, **options: Any) -> None:
        columns = (TextColumn("routing"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        console = Console(stderr=True)
        with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
            task = progress.add_task("routing", total=None)

            def show(summary: Summary) -> None:
                done = summary.routed + summary.parked + summary.lost
                progress.update(task, completed=done, total=summary.taken)

            try:
                summary = Retry(show).run()
            except SqlUnavailable as error:
                raise CommandError(f"the order book cannot be reached: {error}") from error
        if options["json"]:
            self.stdout.write(json.dumps(summary.as_dict()))
        else:
            self.stdout.write(
                f"{summary.taken} taken: {summary.routed} routed, {summary.parked} parked again, "
                f"{summary.lost} settled by others"
            )
