"""What a web instance has to tell Prometheus: its requests, and what the order book says of the work to be done."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator

from django.db import DatabaseError, InterfaceError, connection
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from consumers import instance
from order_entry_project import request_metrics

# However many scrape, the book is asked this often, seconds.
_FRESH = 5.0

# Both parts go by partial indexes or the one of status: they cost by what waits, not by what the book holds.
_WAITING = """/* waiting */
SELECT count(*) FILTER (WHERE status = 'PLACED'),
       count(*) FILTER (WHERE status = 'PENDING_ROUTE'),
       count(*) FILTER (WHERE needs_review),
       coalesce(extract(epoch FROM statement_timestamp() - min(placed_at) FILTER (WHERE NOT needs_review)), 0),
       coalesce(extract(epoch FROM statement_timestamp() - min(placed_at) FILTER (WHERE needs_review)), 0)
FROM orders WHERE status IN ('PLACED', 'PENDING_ROUTE') OR needs_review
"""
_UNPUBLISHED = """/* unpublished */
SELECT count(*), coalesce(extract(epoch FROM statement_timestamp() - min(decided_at)), 0)
FROM order_routes WHERE published_at IS NULL AND publish_after IS NOT NULL
"""
_REJECTED = (
    "/* rejected */ SELECT reason, count(*) FROM rejected_messages WHERE state = 'WAITING' GROUP BY reason"
)


class Book(Collector):
    """Gauges out of SQL. While SQL is away they are missing, and `sql_up` is 0."""

    def __init__(self) -> None:
        self._kept: list[Metric] = []
        self._asked_at = -_FRESH

    def collect(self) -> Iterator[Metric]:
        if time.monotonic() - self._asked_at > _FRESH:
            try:
                self._kept = [_gauge("sql_up", "1 where the order book answers", 1), *_of_book()]
            except (DatabaseError, InterfaceError):
                self._kept = [_gauge("sql_up", "1 where the order book answers", 0)]
            self._asked_at = time.monotonic()
        yield from self._kept


def _of_book() -> Iterator[Metric]:
    with connection.cursor() as cursor:
        cursor.execute(_WAITING)
        placed, pending, review, *oldest = cursor.fetchone()
        cursor.execute(_UNPUBLISHED)
        unpublished, lag = cursor.fetchone()
        cursor.execute(_REJECTED)
        rejected = cursor.fetchall()
    yield _gauge("orders_placed", "Orders under way to their first routing", placed)
    yield _gauge("orders_pending", "Orders that wait as PENDING_ROUTE", pending)
    yield _gauge("orders_in_review", "Orders that wait for a person", review)
    yield _by(
        "oldest_pending_age_seconds",
        "Age of the oldest order that waits for its route, or for a person",
        "waits_for",
        zip(("machine", "person"), oldest, strict=True),
    )
    yield _gauge("outbox_unpublished", "Routed orders not confirmed by the routed queue", unpublished)
    yield _gauge("outbox_lag_seconds", "Age of the oldest of them", lag)
    yield _by(
        "rejected_messages", "Messages in quarantine that wait for a person, by reason", "reason", rejected
    )


def _gauge(name: str, documentation: str, value: float) -> Metric:
    return GaugeMetricFamily(name, documentation, value=float(value))


def _by(name: str, documentation: str, label: str, values: Iterable[tuple[str, float]]) -> Metric:
    family = GaugeMetricFamily(name, documentation, labels=[label])
    for which, value in values:
        family.add_metric([which], float(value))
    return family


_book = Book()


def exposition() -> bytes:
    """All processes of this web instance as one, in Prometheus' text format."""
    request_metrics.write()
    registry: CollectorRegistry = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    book = CollectorRegistry()
    book.register(_book)
    for collector in instance.collectors:
        book.register(collector)
    return generate_latest(registry) + generate_latest(book)
