"""`manage.py consumer_offset show|set`: how far the consumer group has come in each queue."""

from __future__ import annotations

import json
from argparse import SUPPRESS, ArgumentParser
from typing import Any

from django.conf import settings
from django.core.checks import Tags
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.table import Table

from consumers.offsets import Offsets
from orders import audit
from orders.stores.choice import open_store
from orders.stores.port import StoreUnavailable
from orders.stores.postgresql import run_in_django

_COLUMNS = ("last_message", "count", "at", "offset")


class Command(BaseCommand):
    help = (
        "Show how far the consumer group has come in its queues; set the offset from which a stream is read."
    )
    requires_system_checks = (Tags.compatibility,)  # see RunbookCommand

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print JSON")
        actions = parser.add_subparsers(dest="action", required=True)
        show = actions.add_parser("show", help="the position in each queue")
        # In either place: a default here would undo what stands before the action.
        show.add_argument("--json", action="store_true", default=SUPPRESS, help="print JSON")
        change = actions.add_parser("set", help="resume a stream elsewhere; stop its consumers first")
        change.add_argument("queue")
        change.add_argument(
            "offset", help="the last offset that is settled, or `first` to read from the beginning"
        )
        change.add_argument("--user", default="operator", help="who does it, for the audit (%(default)s)")

    def handle(self, *, action: str, **options: Any) -> None:
        config = settings.CONFIG
        store = open_store(config.idempotency_store, run=run_in_django)
        offsets = Offsets(store, group=config.mq.consumer_group)
        try:
            if action == "show":
                self._show(offsets, as_json=options["json"])
            else:
                self._set(offsets, options["queue"], options["offset"], actor=options["user"])
        except StoreUnavailable as error:
            raise CommandError(f"the offsets cannot be had: {error}") from error

    def _show(self, offsets: Offsets, *, as_json: bool) -> None:
        positions = {queue: offsets.read(queue) or {} for queue in settings.CONFIG.mq.queues}
        if as_json:
            self.stdout.write(json.dumps(positions))
            return
        table = Table("queue", *(column.replace("_", " ") for column in _COLUMNS))
        for queue, position in positions.items():
            table.add_row(queue, *(position.get(column, "none") for column in _COLUMNS))
        Console().print(table)

    def _set(self, offsets: Offsets, queue: str, text: str, *, actor: str) -> None:
        if queue not in settings.CONFIG.mq.queues:
            raise CommandError(
                f"{queue} is none of mq.consumer_queue: {', '.join(settings.CONFIG.mq.queues)}"
            )
        if text != "first" and not text.isdecimal():
            raise CommandError(f"expected an offset of 0 or more, or first, got {text!r}")
        offsets.write(queue, None if text == "first" else int(text))
        audit.record(actor=actor, action="consumer_offset.set", subject=queue, detail={"offset": text})
        self.stdout.write(
            f"{queue}: its consumers resume {'at the first' if text == 'first' else f'after {text}'}"
        )
