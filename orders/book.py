"""Writing orders into the book: once in effect, whoever brings them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec
from django.db import transaction

from orders.halts import halted
from orders.lifecycle import Event, Status
from orders.models import Order, OrderEvent

if TYPE_CHECKING:
    from orders.schema import ValidatedOrder
    from orders.sql import Sql
    from orders.tracing import Trace


class Arrival(msgspec.Struct, frozen=True):
    """A validated order and the message that brought it."""

    order: ValidatedOrder
    message_id: str
    trace: Trace | None = None


_PLACE = f"""/* place */
WITH arrived AS (
    SELECT a.*, {halted("a")} AS halted
    FROM unnest(%(order_id)s::text[], %(symbol)s::text[], %(side)s::text[], %(quantity)s::numeric[],
                %(price)s::numeric[], %(counterparty)s::text[], %(created_at)s::timestamptz[], %(extra)s::text[],
                %(message_id)s::text[], %(digest)s::bytea[], %(traceparent)s::text[])
         AS a (order_id, symbol, side, quantity, price, counterparty, created_at, extra, message_id, digest,
               traceparent)
),
placed AS (
    INSERT INTO orders (order_id, symbol, side, quantity, price, counterparty, created_at, extra, message_id,
                        digest, traceparent, status, version, due_at, claim, claimed_until)
    SELECT order_id, symbol, side, quantity, price, counterparty, created_at, extra::json, message_id, digest,
           traceparent,
           CASE WHEN halted THEN 'PENDING_ROUTE' ELSE 'PLACED' END,
           CASE WHEN halted THEN 2 ELSE 1 END,
           CASE WHEN halted THEN statement_timestamp() END,
           CASE WHEN NOT halted THEN %(claim)s::uuid END,
           CASE WHEN NOT halted THEN statement_timestamp() + %(hold)s * interval '1 second' END
    FROM arrived ORDER BY order_id COLLATE "C"
    ON CONFLICT (order_id) DO NOTHING
    RETURNING order_id, version, placed_at, digest
),
told AS (
    -- Each bears the hash before it, where that is known: the trigger that chains them need not look it up.
    INSERT INTO order_events (order_id, sequence, event, actor, reason, at, hash)
    SELECT order_id, 1, 'PLACED', %(actor)s, '', placed_at, digest FROM placed
    UNION ALL
    SELECT order_id, 2, 'PENDING_ROUTE', %(actor)s, 'routing is halted', placed_at, NULL
    FROM placed WHERE version = 2
)
-- Not a row for each order: what they share is read once.
SELECT placed_at, version = 2, array_agg(order_id) FROM placed GROUP BY 1, 2
"""  # noqa: S608 - composed of constants


class Placed(msgspec.Struct, frozen=True):
    """`halted`: it was parked without a claim, and waits for the halt to end."""

    at: datetime
    halted: bool


def place(
    sql: Sql, arrivals: Sequence[Arrival], *, claim: UUID, hold: float, actor: str
) -> dict[str, Placed]:
    """Write the orders not yet in the book, each with its PLACED event and under `claim` for `hold` seconds.

    Returns the new ones by order id; the others are known already. Each order id at most once among `arrivals`.
    """
    columns = _columns(arrivals)
    rows = sql.run(_PLACE, columns | {"claim": claim, "hold": hold, "actor": actor})
    placed: dict[str, Placed] = {}
    for at, is_halted, order_ids in rows:
        placed.update(dict.fromkeys(order_ids, Placed(at, is_halted)))
    return placed


def _columns(arrivals: Sequence[Arrival]) -> dict[str, Any]:
    orders = [arrival.order for arrival in arrivals]
    return {
        "order_id": [order.order_id for order in orders],
        "symbol": [order.symbol for order in orders],
        "side": [order.side for order in orders],
        "quantity": [order.quantity for order in orders],
        "price": [order.price for order in orders],
        "counterparty": [order.counterparty for order in orders],
        "created_at": [order.created_at for order in orders],
        "extra": [order.extra for order in orders],
        "message_id": [arrival.message_id for arrival in arrivals],
        "digest": [order.digest for order in orders],
        "traceparent": [arrival.trace and arrival.trace.traceparent for arrival in arrivals],
    }


class Entry(Enum):
    """What became of an order that was entered by hand."""

    CREATED = "created"
    KNOWN = "known"  # the same order is in the book already
    CONFLICT = "conflict"  # another order of this id is


def enter(order: ValidatedOrder, *, message_id: str, actor: str, traceparent: str | None = None) -> Entry:
    """Write one order without routing it: it is PLACED and unclaimed, and the next sweep takes it.

    `traceparent`: the trace context that its routing will belong to.
    """
    fields = {
        "symbol": order.symbol,
        "side": order.side,
        "quantity": order.quantity,
        "price": order.price,
        "counterparty": order.counterparty,
        "created_at": order.created_at,
        "extra": order.extra,
        "message_id": message_id,
        "digest": order.digest,
        "traceparent": traceparent,
        "status": Status.PLACED,
    }
    with transaction.atomic():
        book, created = Order.objects.get_or_create(order_id=order.order_id, defaults=fields)
        if created:
            OrderEvent.objects.create(order=book, sequence=1, event=Event.PLACED, actor=actor)
            return Entry.CREATED
    return Entry.KNOWN if bytes(book.digest) == order.digest else Entry.CONFLICT


_REQUIRE_REVIEW = """/* require_review */
WITH held AS (
    SELECT order_id FROM orders WHERE order_id = ANY(%(order_id)s::text[]) AND NOT needs_review
    ORDER BY order_id FOR UPDATE
),
flagged AS (
    UPDATE orders o
    SET needs_review = true, review_reason = %(reason)s, version = o.version + 1, updated_at = statement_timestamp()
    FROM held h WHERE o.order_id = h.order_id AND NOT o.needs_review
    RETURNING o.order_id, o.version
)
INSERT INTO order_events (order_id, sequence, event, actor, reason)
SELECT order_id, version, 'REVIEW_REQUIRED', %(actor)s, %(reason)s FROM flagged
"""


def require_review(sql: Sql, order_ids: Sequence[str], *, reason: str, actor: str) -> None:
    """Mark orders as waiting for a person, with their events; those that wait already are left alone."""
    sql.run(_REQUIRE_REVIEW, {"order_id": sorted(order_ids), "reason": reason, "actor": actor})
