"""`manage.py repair_cache`: makes the status cache agree with the order book."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from orders import cache_repair
from orders.cache_repair import Repair
from orders.documents import time_text
from orders.management.arguments import count, moment
from orders.management.runbook import RunbookCommand


class Command(RunbookCommand):
    help = (
        "Compare the status cache with the order book and write what is missing or different. Safe while "
        "consumers run: an older state never overwrites a newer one."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--dry-run", action="store_true", help="write nothing; exit 1 if anything differs"
        )
        parser.add_argument(
            "--since",
            type=moment,
            help="only orders changed since then: a time (2026-02-14T10:30:00Z) or how long ago (2h); "
            "none: as long ago as a record lives (aerospike.ttl_seconds)",
        )
        parser.add_argument(
            "--batch", type=count(1, 10_000), default=1000, help="orders compared at once (%(default)s)"
        )

    def handle(self, *, dry_run: bool, since: datetime | None, batch: int, **options: Any) -> None:
        life = timedelta(seconds=settings.CONFIG.aerospike.ttl_seconds)
        since = since or datetime.now(UTC) - life
        orders = cache_repair.changed_since(since)
        with self.progress("Comparing") as progress:
            task = progress.add_task("", total=orders.count())
            repaired = cache_repair.repair(
                orders,
                batch=batch,
                mend=not dry_run,
                on_progress=lambda so_far: progress.update(task, completed=so_far.compared),
            )
        self._tell(repaired, since, as_json=options["json"])
        if repaired.refused:
            raise CommandError(f"Records that could not be written: {repaired.refused:,}. {repaired.refusal}")
        if dry_run and repaired.found:
            raise CommandError(f"Records that differ: {repaired.found:,}. Without --dry-run they are mended.")

    def _tell(self, repaired: Repair, since: datetime, *, as_json: bool) -> None:
        store = settings.CONFIG.cache_store
        if as_json:
            self.show_json({"store": store, "since": time_text(since), **asdict(repaired)})
            return
        table = self.table("Orders changed since " + time_text(since), ">Records in " + store)
        for label, value in (
            ("compared", repaired.compared),
            ("missing", repaired.missing),
            ("different", repaired.different),
            ("ahead of the book", repaired.ahead),
            ("mended", repaired.mended),
        ):
            table.add_row(label, f"{value:,}")
        self.show(table)
