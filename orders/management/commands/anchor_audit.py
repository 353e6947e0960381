"""`manage.py anchor_audit`: all that has happened since the last anchor, as one hash."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError

from orders import anchors
from orders.documents import time_text
from orders.management.arguments import duration
from orders.management.runbook import RunbookCommand, cell
from orders.operators import operator


class Command(RunbookCommand):
    help = (
        "Anchor the events written since the last anchor: one hash over all of them. Run it daily, with --json, and "
        "keep what it prints where nobody who can write to the database can: verify_audit --anchors reads it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--settle",
            type=duration,
            default=300.0,
            help="up to so long ago (default: 5m); see docs/audit.md",
        )

    def handle(self, *, settle: float, **options: Any) -> None:
        try:
            anchor = anchors.make(settle=timedelta(seconds=settle), actor=operator())
        except anchors.Refused as refusal:
            raise CommandError(f"There is no new anchor: {refusal}.") from None
        said = {
            "number": anchor.pk,
            "since": anchor.since and time_text(anchor.since),
            "until": time_text(anchor.until),
            "events": anchor.events,
            "orders": anchor.orders,
            "hash": bytes(anchor.hash).hex(),
        }
        if options["json"]:
            self.show_json(said)
            return
        table = self.table("Anchor", "")
        for name, value in said.items():
            table.add_row(name, cell(value))
        self.show(table)
