"""`manage.py stale_orders`: what has waited too long."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from orders.documents import time_text
from orders.durations import duration_text
from orders.lifecycle import Status
from orders.management.arguments import count, duration
from orders.management.runbook import RunbookCommand, cell
from orders.models import Order
from orders.stale import OverdueRecord, Waiting, overdue_records, undeleted_records, waiting_orders
from orders.stores.port import StoreUnavailable

_MOST_RECORDS = 1000


@dataclass(slots=True)
class _Records:
    overdue: list[OverdueRecord]
    undeleted: int
    failure: str | None


class Command(RunbookCommand):
    help = (
        "List orders that wait too long for a route or for a person, and records of the store that should have "
        "expired. Exit 1 when there are any."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--older-than", type=duration, default=600.0, help="what is too long: 30s, 10m, 2h (default: 10m)"
        )
        parser.add_argument(
            "--limit", type=count(1, 100_000), default=100, help="list at most so many (%(default)s)"
        )

    def handle(self, *, older_than: float, limit: int, **options: Any) -> None:
        too_long = timedelta(seconds=older_than)
        waiting, total = waiting_orders(older_than=too_long, most=limit)
        records = _records()
        if options["json"]:
            self._tell_json(waiting, total, records)
        else:
            self._tell(waiting, records)
        if faults := _faults(total, len(waiting), records, too_long):
            raise CommandError("\n".join(faults))

    def _tell(self, waiting: list[Waiting], records: _Records) -> None:
        if waiting:
            table = self.table("Order", "Status", ">Waits", "Since", "For what")
            for one in waiting:
                order = one.order
                table.add_row(
                    order.order_id,
                    order.status,
                    duration_text(one.age),
                    cell(one.since),
                    cell(_awaited(order)),
                )
            self.show(table)
        else:
            self.show("No order waits too long.")
        if records.overdue:
            table = self.table("Record", "Written", ">Overdue")
            for record in records.overdue:
                table.add_row(cell(record.key), cell(record.written_at), duration_text(record.overdue))
            self.show(table)

    def _tell_json(self, waiting: list[Waiting], total: int, records: _Records) -> None:
        self.show_json(
            {
                "orders": [
                    {
                        "orderId": one.order.order_id,
                        "status": one.order.status,
                        "since": time_text(one.since),
                        "age_seconds": round(one.age.total_seconds(), 3),
                        "needs_review": one.order.needs_review,
                        "waits_for": _awaited(one.order),
                    }
                    for one in waiting
                ],
                "total": total,
                "overdue_records": [
                    {"key": record.key, "written_at": time_text(record.written_at)}
                    for record in records.overdue
                ],
                "undeleted_records": records.undeleted,
                "store_failure": records.failure,
            }
        )


def _records() -> _Records:
    config = settings.CONFIG
    embedded = "postgresql" in (config.cache_store, config.idempotency_store)
    undeleted = undeleted_records() if embedded else 0
    try:
        return _Records(overdue_records(now=datetime.now(UTC), most=_MOST_RECORDS), undeleted, None)
    except StoreUnavailable as failure:
        return _Records([], undeleted, str(failure))


def _awaited(order: Order) -> str:
    if order.needs_review:
        return f"a person: {order.review_reason}"
    if order.claimed_until and order.claimed_until > datetime.now(UTC):
        return f"the router, at most until {time_text(order.claimed_until)}"
    if order.status == Status.PENDING_ROUTE:
        return f"another try, due {cell(order.due_at)}"
    return "a consumer"


def _faults(total: int, listed: int, records: _Records, older_than: timedelta) -> list[str]:
    faults = []
    if total:
        more = f" ({listed:,} of them listed)" if total > listed else ""
        faults.append(
            f"Orders that wait longer than {duration_text(older_than)}: {total:,}{more}. "
            "order_status ORDER_ID tells the story of one, reprocess ORDER_ID has it routed again."
        )
    if records.overdue:
        faults.append(
            f"Records that should have expired: {len(records.overdue):,}. Does the store delete what is over? "
            "(Aerospike: nsup-period of the namespace)"
        )
    if records.undeleted:
        faults.append(f"Expired records that still lie in store_records: {records.undeleted:,}.")
    if records.failure:
        faults.append(f"The store could not be asked: {records.failure}")
    return faults
