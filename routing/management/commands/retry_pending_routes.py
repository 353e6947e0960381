"""`manage.py retry_pending_routes`: for cron, every five minutes, in any number of copies; or as a daemon."""

from __future__ import annotations

import logging
import random
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from orders.documents import time_text
from orders.management.runbook import RunbookCommand, cell
from orders.sql import SqlUnavailable
from orders.starts import note_start
from routing import retry
from routing.retry import Retry, RouterUnknown, Summary
from routing.stop_signals import StopSignals

logger = logging.getLogger(__name__)

_LISTED = 20
_JITTER = 0.1  # of the interval, so that copies started together do not stay so


class Command(RunbookCommand):
    help = (
        "Route the orders that are due: parked ones, and placed ones that nobody holds. Exit 1 when the order "
        "book or the service registry cannot be reached."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        ways = parser.add_mutually_exclusive_group()
        ways.add_argument("--dry-run", action="store_true", help="say what would be taken, write nothing")
        ways.add_argument(
            "--daemon",
            action="store_true",
            help=f"run every {settings.CONFIG.router.retry_interval:g} s (router.retry_interval), until SIGTERM",
        )

    def handle(self, *, dry_run: bool, daemon: bool, **options: Any) -> None:
        as_json: bool = options["json"]
        try:
            if dry_run:
                self._tell_waiting(as_json=as_json)
                return
            note_start("retry")
            with StopSignals() as signals:
                if daemon:
                    self._keep_running(signals, as_json=as_json)
                else:
                    self._tell(self._run(signals), as_json=as_json)
        except SqlUnavailable as error:
            raise CommandError(f"the order book cannot be reached: {error}") from error
        except RouterUnknown as error:
            raise CommandError(str(error)) from error

    def _run(self, signals: StopSignals) -> Summary:
        with self.progress("Routing") as progress:
            total = 0 if progress.disable else retry.waiting(most=1)[1]
            task = progress.add_task("", total=total)
            return Retry(
                signals,
                # Orders may fall due meanwhile.
                lambda so_far: progress.update(task, completed=so_far.done, total=max(total, so_far.taken)),
            ).run()

    def _keep_running(self, signals: StopSignals, *, as_json: bool) -> None:
        while not signals.count:
            try:
                self._tell(self._run(signals), as_json=as_json)
            except (SqlUnavailable, RouterUnknown) as error:
                logger.warning("nothing is retried now, but at the next interval: %s", error)
            if not signals.count:
                signals.received(within=_wait())

    def _tell(self, summary: Summary, *, as_json: bool) -> None:
        if as_json:
            self.show_json(summary.as_dict())
        else:
            self.show(
                f"{summary.taken:,} taken: {summary.routed:,} routed, {summary.parked:,} parked again, "
                f"{summary.lost:,} settled by others, {summary.released:,} given up"
            )
        self.stdout.flush()

    def _tell_waiting(self, *, as_json: bool) -> None:
        oldest, total = retry.waiting(most=_LISTED)
        if as_json:
            orders = [
                {
                    "orderId": one.order_id,
                    "status": one.status,
                    "since": time_text(one.since),
                    "attempts": one.attempts,
                    "claim_ran_out": one.claim_ran_out,
                }
                for one in oldest
            ]
            self.show_json({"would_take": total, "oldest": orders})
            return
        table = self.table("Order", "Status", "Due since", ">Attempts", "Its claim ran out")
        for one in oldest:
            table.add_row(
                one.order_id, one.status, cell(one.since), cell(one.attempts), cell(one.claim_ran_out)
            )
        more = f", of which the {len(oldest)} longest waiting are listed" if total > len(oldest) else ""
        self.show(*([table] if oldest else []), f"{total:,} would be taken{more}.")


def _wait() -> float:
    """Seconds until the next run."""
    return settings.CONFIG.router.retry_interval * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - guards nothing
