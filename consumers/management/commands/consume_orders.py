"""`manage.py consume_orders`: the worker."""

from __future__ import annotations

import json
import os
import signal
from argparse import SUPPRESS, ArgumentParser
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.conf import settings
from django.core.checks import Tags
from django.core.management.base import BaseCommand, CommandError

from consumers import supervisor
from consumers.amqp10_extra import Amqp10Unavailable
from consumers.pipeline import STEPS
from consumers.snapshots import Snapshots
from consumers.supervisor import Task
from consumers.tally import Tally
from consumers.worker import Worker
from orders.credentials import CredentialsUnavailable
from orders.starts import note_start


class Command(BaseCommand):
    help = "Take validated orders from the queue, keep them, have them routed, publish them."
    requires_system_checks = (Tags.compatibility,)  # see RunbookCommand

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--processes",
            type=int,
            default=settings.CONFIG.service.processes,
            help="worker processes (default: service.processes, %(default)s)",
        )
        parser.add_argument("--queue", help="take from this queue, not from mq.consumer_queue")
        parser.add_argument("--once", action="store_true", help="stop when nothing is left to do")
        parser.add_argument("--json", action="store_true", help="with --once: print the summary as JSON")
        # For `manage.py prove`: the process kills itself when it has passed that step for the first time.
        parser.add_argument("--crash-at", choices=STEPS, help=SUPPRESS)

    def handle(self, *, processes: int, queue: str | None, once: bool, **options: Any) -> None:
        if processes < 1:
            raise CommandError(f"--processes: expected 1 or more, got {processes}")
        if once and settings.CONFIG.mq.queue_type == "stream":
            raise CommandError("--once: a stream keeps its messages, it is never empty")
        passed = _dies_at(options["crash_at"])
        try:
            if once:
                note_start("worker")
                self._show(Worker(queue=queue, once=True, passed=passed).run(), as_json=options["json"])
            elif processes == 1 and settings.CONFIG.telemetry.metrics_port is None:
                note_start("worker")
                Worker(queue=queue, passed=passed).run()
            else:
                self._supervise(processes, queue, passed)
        except (CredentialsUnavailable, Amqp10Unavailable) as error:
            raise CommandError(str(error)) from None

    def _supervise(self, processes: int, queue: str | None, passed: Callable[[str], None]) -> None:
        config = settings.CONFIG
        with TemporaryDirectory(prefix="order-entry-") as folder:
            snapshots = Snapshots(Path(folder))

            def work() -> None:
                Worker(queue=queue, share=processes, passed=passed, snapshots=snapshots).run()

            def note_and_work() -> None:
                note_start("worker")
                work()

            # One of them puts the start on record: this process has no connection, to anything.
            tasks = [Task("worker", note_and_work), *[Task("worker", work)] * (processes - 1)]
            if port := config.telemetry.metrics_port:
                from consumers import exporter

                exporting = partial(
                    exporter.serve,
                    snapshots,
                    host=config.bind,
                    port=port,
                    workers=processes,
                    queues=_whose_depth_counts(queue),
                )
                tasks.append(Task("exporter", exporting, beats=False))
            supervisor.supervise(tasks, snapshots, hang_timeout=config.service.hang_timeout)

    def _show(self, tally: Tally, *, as_json: bool) -> None:
        summary = tally.summary()
        if as_json:
            self.stdout.write(json.dumps(summary))
            return
        from rich.console import Console
        from rich.table import Table

        table = Table("figure", "value")
        for name, value in (
            summary | {f"latency {k} ms": v for k, v in summary["latency_ms"].items()}
        ).items():
            if name != "latency_ms":
                table.add_row(name.replace("_", " "), "unknown" if value is None else str(value))
        Console().print(table)


def _whose_depth_counts(queue: str | None) -> list[str]:
    """Not a stream's: it keeps what has been read."""
    mq = settings.CONFIG.mq
    if mq.queue_type == "stream":
        return []
    return [queue] if queue else mq.queues


def _dies_at(step: str | None) -> Callable[[str], None]:
    """To be told each step that is passed: at `step` this process ends as a power cut would end it."""

    def passed(done: str) -> None:
        if done == step:
            os.kill(os.getpid(), signal.SIGKILL)

    return passed
