"""`manage.py demo`: sample orders through the service on an embedded stack; what became of them."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table

from order_entry_project.config import EMBEDDED_DIR
from order_entry_project.embedded import figures
from order_entry_project.embedded.processes import EmbeddedError
from order_entry_project.embedded.signals import stopping_on_signals
from order_entry_project.embedded.stack import Stack, embedded_stack

_DATABASE = "demo"
_NEXT = """\
Go on with
  make run      keep this up, with a trickle of orders, the API and the console in a browser
  make test     run the tests, on real servers
  README.md     see what is where and how to deploy it
"""


class Command(BaseCommand):
    help = "Feed sample orders through the service on an embedded stack, show what became of them, and end."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--messages", type=int, default=1000, help="how many (%(default)s)")
        parser.add_argument("--seed", type=int, default=1, help="makes the sample repeatable (%(default)s)")
        parser.add_argument("--data", type=Path, default=EMBEDDED_DIR, help="folder of the embedded stack")

    def handle(self, *, messages: int, seed: int, data: Path, **_: Any) -> None:
        console = Console()
        try:
            with stopping_on_signals():
                wrong = _demonstrate(console, messages=messages, seed=seed, folder=data)
        except EmbeddedError as error:
            raise CommandError(str(error)) from None
        except KeyboardInterrupt:
            raise CommandError("Stopped.", returncode=130) from None
        if wrong:
            raise CommandError("\n  ".join(["Not what the input demands:", *wrong]))
        console.print(_NEXT, highlight=False, soft_wrap=True)


def _demonstrate(console: Console, *, messages: int, seed: int, folder: Path) -> list[str]:
    """Run it and show the table; what is wrong with it, in words."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("", total=None)

        def say(step: str) -> None:
            progress.update(bar, description=step)
            if not console.is_terminal:
                console.print(step)

        with embedded_stack(folder=folder, database=_DATABASE, fresh=True, say=say) as stack:
            say(f"Publishing {messages:,} messages")
            sent = _publish(stack, messages=messages, seed=seed)
            say("Taking and routing orders")
            progress.update(bar, total=messages)
            with stack.connect() as book:

                def advance() -> None:
                    progress.update(bar, completed=messages - figures.count(book).waiting)

                told = json.loads(stack.manage("consume_orders", "--once", "--json", while_waiting=advance))
                found = figures.count(book)
    console.print(_table(sent, told, found))
    return figures.discrepancies(sent=sent, told=told, found=found)


def _publish(stack: Stack, *, messages: int, seed: int) -> dict[str, int]:
    shares = ("--duplicates", "0.05", "--broken", "0.03")
    said = stack.manage("publish_sample_orders", str(messages), *shares, "--seed", str(seed), "--json")
    sent: dict[str, int] = json.loads(said)
    return sent


def _table(sent: dict[str, int], told: dict[str, Any], found: figures.Figures) -> Table:
    table = Table(title=f"{sent['messages']:,} messages")
    table.add_column("")
    table.add_column("found", justify="right")
    table.add_column("demanded", justify="right")
    orders = sent["distinct"]
    for label, is_, should in (
        ("Orders taken", found.orders, orders),
        ("Duplicates", told["duplicates"], sent["duplicates"]),
        ("Rejected", found.rejected, sent["broken"]),
        ("Routed", found.routed, orders),
        ("Published", found.routed_queue, orders),
        ("Pending", found.pending, 0),
    ):
        table.add_row(label, f"{is_:,}", f"{should:,}", style=None if is_ == should else "bold red")
    table.add_section()
    for label, value, unit in (
        ("From consume to route, p50", told["latency_ms"]["p50"], "ms"),
        ("From consume to route, p99", told["latency_ms"]["p99"], "ms"),
        ("Orders routed", told["orders_per_second"], "/s"),
    ):
        table.add_row(label, "-" if value is None else f"{value:,.1f} {unit}", "")
    return table
