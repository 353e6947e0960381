"""`manage.py verify_audit`: is the book's history what was written?"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from rich.progress import Progress

from orders import verification
from orders.management.arguments import moment, order_id
from orders.management.runbook import RunbookCommand, cell
from orders.models import Order
from orders.story import Finding

_SHOWN = 1000


class Command(RunbookCommand):
    help = (
        "Compute every event's and every anchor's hash anew, and compare the orders with their events. Names whatever "
        "was altered, removed, inserted or moved. Exit 1 when there is any."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        which = parser.add_mutually_exclusive_group()
        which.add_argument("--order", type=order_id, metavar="ORDER_ID", help="only this one; no anchors")
        which.add_argument(
            "--since",
            type=moment,
            help="only orders that changed since then, and anchors that end later: 2026-02-14T10:30:00Z, or 2h",
        )
        parser.add_argument(
            "--anchors",
            type=Path,
            metavar="FILE",
            help="what anchor_audit --json printed, a line each: the anchors must be these",
        )

    def handle(
        self, *, order: str | None, since: datetime | None, anchors: Path | None, **options: Any
    ) -> None:
        kept = _kept(anchors) if anchors else {}
        with self.progress("Verifying") as progress:
            found, total = _first(_findings(progress, order, since, kept))
        if options["json"]:
            self.show_json({"findings": [asdict(finding) for finding in found], "total": total})
        elif found:
            table = self.table("Where", "What")
            for finding in found:
                table.add_row(cell(finding.where), cell(finding.what))
            self.show(table)
        else:
            self.show("Nothing was altered, removed, inserted or moved.")
        if total:
            shown = f", the first {len(found):,} of them shown" if total > len(found) else ""
            raise CommandError(f"The history is not what was written. Findings: {total:,}{shown}.")


def _first(findings: Iterator[Finding]) -> tuple[list[Finding], int]:
    """The first ones, and how many there are: a book in ruins must not fill the memory."""
    first = list(islice(findings, _SHOWN))
    return first, len(first) + sum(1 for _ in findings)


def _findings(
    progress: Progress, order: str | None, since: datetime | None, kept: dict[int, str]
) -> Iterator[Finding]:
    rows = Order.objects.filter(updated_at__gte=since) if since else Order.objects.all()
    task = progress.add_task("", total=None if order or progress.disable else rows.count())
    yield from verification.verify(
        order=order, since=since, kept=kept, advance=lambda: progress.advance(task)
    )


def _kept(file: Path) -> dict[int, str]:
    """Hashes by the anchors' numbers."""
    kept = {}
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"--anchors: {error}") from None
    for number, line in enumerate(lines, 1):
        try:
            anchor = json.loads(line)
            kept[int(anchor["number"])] = str(anchor["hash"])
        except (ValueError, KeyError, TypeError):
            raise CommandError(f"{file}, line {number}: expected what anchor_audit --json prints") from None
    return kept
