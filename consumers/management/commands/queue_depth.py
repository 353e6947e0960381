"""`manage.py queue_depth`: how many messages wait."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from consumers.queue_depth import queue_depth
from consumers.transport import QueueUnavailable
from orders.management.runbook import RunbookCommand, cell


class Command(RunbookCommand):
    help = "Say how many messages are ready in queues: those this service consumes from and publishes to."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "queues", nargs="*", metavar="QUEUE", help="other queues (none: those of the configuration)"
        )

    def handle(self, *, queues: list[str], **options: Any) -> None:
        mq = settings.CONFIG.mq
        named = queues or [queue for queue in (*mq.queues, mq.producer_queue) if queue is not None]
        try:
            depths = {queue: queue_depth(queue) for queue in named}
        except QueueUnavailable as error:
            raise CommandError(str(error)) from None
        if options["json"]:
            self.show_json(depths)
            return
        table = self.table("Queue", ">Messages ready")
        for queue, depth in depths.items():
            table.add_row(cell(queue), cell(depth))
        self.show(table)
