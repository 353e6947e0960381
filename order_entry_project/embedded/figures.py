"""What became of a known number of messages: counted in SQL, compared with what was sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import class_row

from order_entry_project.config import Mq

_COUNT = """
SELECT (SELECT count(*) FROM orders) AS orders,
       (SELECT count(*) FROM orders WHERE status = 'ROUTED') AS routed,
       (SELECT count(*) FROM orders WHERE status IN ('PLACED', 'PENDING_ROUTE')) AS pending,
       (SELECT count(*) FROM order_routes WHERE outcome IN ('ACCEPTED', 'MANUAL')) AS accepted,
       (SELECT count(*) FROM order_routes WHERE published_at IS NOT NULL) AS published,
       (SELECT count(*) FROM rejected_messages) AS rejected,
       (SELECT count(*) FROM queue_messages WHERE queue = %(consumer_queue)s) AS waiting,
       (SELECT count(*) FROM queue_messages WHERE queue = %(producer_queue)s) AS routed_queue
"""
_QUEUES = {"consumer_queue": Mq().consumer_queue, "producer_queue": Mq().producer_queue}


@dataclass(frozen=True)
class Figures:
    """Rows: of orders in all and by status, of accepted routes, of messages in the two queues."""

    orders: int
    routed: int
    pending: int
    accepted: int
    published: int
    rejected: int
    waiting: int
    routed_queue: int


def count(book: psycopg.Connection[Any]) -> Figures:
    """Count in one snapshot."""
    with book.cursor(row_factory=class_row(Figures)) as cursor:
        found = cursor.execute(_COUNT, _QUEUES).fetchone()
    if found is None:
        raise AssertionError("a SELECT without FROM returns one row")
    return found


def discrepancies(*, sent: dict[str, int], told: dict[str, int], found: Figures) -> list[str]:
    """What differs from the demands of the input, in words.

    `sent`: messages, distinct, duplicates, broken, as `publish_sample_orders` says; `told`: taken, duplicates,
    rejected, routed, published, pending, as `consume_orders` says.
    """
    orders = sent["distinct"]
    demands = [
        ("orders in SQL", found.orders, orders),
        ("orders ROUTED in SQL", found.routed, orders),
        ("orders pending in SQL", found.pending, 0),
        ("accepted routes in SQL", found.accepted, orders),
        ("published routes in SQL", found.published, orders),
        ("rejected messages in SQL", found.rejected, sent["broken"]),
        ("messages left in the queue", found.waiting, 0),
        ("messages in the routed queue", found.routed_queue, orders),
        ("messages taken, says the consumer", told["taken"], sent["messages"]),
        ("duplicates, says the consumer", told["duplicates"], sent["duplicates"]),
        ("rejected, says the consumer", told["rejected"], sent["broken"]),
        ("routed, says the consumer", told["routed"], orders),
        ("published, says the consumer", told["published"], orders),
        ("pending, says the consumer", told["pending"], 0),
    ]
    return [f"{what}: {is_}, not {should}" for what, is_, should in demands if is_ != should]
