"""What a run left behind, read from where it is kept: the other side that every proof compares with."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, LiteralString, TypeVar
from uuid import UUID

import psycopg
from psycopg.rows import class_row

if TYPE_CHECKING:
    from orders.status_cache import StatusCache
    from orders.stores.port import Read

Row = TypeVar("Row")
_READ_AT_ONCE = 500


@dataclass(slots=True, frozen=True)
class BookOrder:
    order_id: str
    symbol: str
    side: str
    quantity: Decimal
    price: Decimal
    counterparty: str | None
    created_at: datetime
    extra: str
    message_id: str
    status: str
    route: str | None
    needs_review: bool
    version: int
    attempts: int
    claim: UUID | None
    updated_at: datetime


@dataclass(slots=True, frozen=True)
class BookEvent:
    order_id: str
    sequence: int
    event: str
    actor: str


@dataclass(slots=True, frozen=True)
class BookRoute:
    order_id: str
    attempt: int
    outcome: str
    route: str | None
    decided_at: datetime
    published_at: datetime | None


@dataclass(slots=True, frozen=True)
class Rejected:
    message_id: str
    body: bytes
    reason: str


@dataclass(slots=True, frozen=True)
class Published:
    """A message of the routed queue."""

    message_id: str | None
    body: bytes


@dataclass(slots=True, frozen=True)
class Evidence:
    """`events` and `routes` by order id, in their order; `cached`: the status cache's records by order id.

    `routed`: all that was in the routed queue, None where nothing is published. `waiting`: messages left in the
    consumer queue. `executions`: by order id, as the router counts them, None where it cannot be asked.
    """

    orders: Mapping[str, BookOrder]
    events: Mapping[str, Sequence[BookEvent]]
    routes: Mapping[str, Sequence[BookRoute]]
    rejected: Sequence[Rejected]
    delivery_attempts: int
    cached: Mapping[str, Read]
    routed: Sequence[Published] | None
    waiting: int
    executions: Mapping[str, int] | None


def gather(
    book: psycopg.Connection[Any],
    cache: StatusCache,
    *,
    routed: Sequence[Published] | None,
    waiting: int,
    executions: Mapping[str, int] | None,
) -> Evidence:
    """All of the book and of the cache; the rest is the caller's to bring. Raises `StoreUnavailable`."""
    orders = _rows(
        book,
        BookOrder,
        """SELECT order_id, symbol, side, quantity, price, counterparty, created_at, extra::text AS extra, message_id,
                  status, route, needs_review, version, attempts, claim, updated_at FROM orders""",
    )
    events = _rows(
        book,
        BookEvent,
        "SELECT order_id, sequence, event, actor FROM order_events ORDER BY order_id, sequence",
    )
    routes = _rows(
        book,
        BookRoute,
        """SELECT order_id, attempt, outcome, route, decided_at, published_at FROM order_routes
           ORDER BY order_id, attempt""",
    )
    rejected = _rows(book, Rejected, "SELECT message_id, body, reason FROM rejected_messages")
    attempts = book.execute("SELECT count(*) FROM delivery_attempts").fetchall()
    return Evidence(
        orders={order.order_id: order for order in orders},
        events=_by_order(events),
        routes=_by_order(routes),
        rejected=rejected,
        delivery_attempts=attempts[0][0],
        cached=_cached(cache, [order.order_id for order in orders]),
        routed=routed,
        waiting=waiting,
        executions=executions,
    )


def _rows(book: psycopg.Connection[Any], row: type[Row], statement: LiteralString) -> list[Row]:
    with book.cursor(row_factory=class_row(row)) as cursor:
        return cursor.execute(statement).fetchall()


_OfOrder = TypeVar("_OfOrder", BookEvent, BookRoute)


def _by_order(rows: Iterable[_OfOrder]) -> dict[str, list[_OfOrder]]:
    grouped: dict[str, list[_OfOrder]] = defaultdict(list)
    for row in rows:
        grouped[row.order_id].append(row)
    return grouped


def _cached(cache: StatusCache, order_ids: Sequence[str]) -> dict[str, Read]:
    found: dict[str, Read] = {}
    for start in range(0, len(order_ids), _READ_AT_ONCE):
        keys = {cache.key(order_id): order_id for order_id in order_ids[start : start + _READ_AT_ONCE]}
        found |= {keys[key]: record for key, record in cache.store.read(list(keys)).items()}
    return found
