"""`manage.py queue_depth`: how many messages wait."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.table import Table

from consumers.queue_depth import QueueUnavailable, queue_depth


class Command(BaseCommand):
    help = "Say how many messages are ready in the queues this service consumes from and publishes to."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="as JSON: each queue's name and number")

    def handle(self, **options: Any) -> None:
        mq = settings.CONFIG.mq
        queues = [queue for queue in (mq.consumer_queue, mq.producer_queue) if queue is not None]
        try:
            depths = {queue: queue_depth(queue) for queue in queues}
        except QueueUnavailable as error:
            raise CommandError(str(error)) from None
        if options["json"]:
            self.stdout.write(json.dumps(depths))
            return
        table = Table("Queue", "Messages ready")
        table.columns[1].justify = "right"
        for queue, depth in depths.items():
            table.add_row(queue, f"{depth:,}")
        Console().print(table)
