"""The outbox in SQL: accepted routes until the routed queue has confirmed them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from orders import tracing
from orders.documents import Fragments, encode_core
from orders.schema import ValidatedOrder

if TYPE_CHECKING:
    from orders.sql import Sql
    from orders.tracing import Trace


class Publication(msgspec.Struct, frozen=True):
    """An accepted attempt whose publication was confirmed at that time (monotonic)."""

    id: str
    confirmed_at: float


# `ago`: seconds since the publication was confirmed.
MARK = """
    UPDATE order_routes r SET published_at = statement_timestamp() - p.ago * interval '1 second'
    FROM unnest(%(published)s::uuid[], %(ago)s::float8[]) AS p (id, ago)
    WHERE r.id = p.id AND r.published_at IS NULL
"""

_MARK_PUBLISHED = f"/* mark_published */ {MARK}"

# The relay takes what it is to publish by moving `publish_after` on: another one, or a crash, finds it later.
_TAKE_UNPUBLISHED = """/* take_unpublished */
WITH due AS (
    SELECT id FROM order_routes
    WHERE published_at IS NULL AND publish_after <= statement_timestamp()
    ORDER BY publish_after LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
UPDATE order_routes r SET publish_after = statement_timestamp() + %(hold)s::float8 * interval '1 second'
FROM due, orders o WHERE r.id = due.id AND o.order_id = r.order_id
RETURNING r.id::text, r.route, r.decided_at, o.message_id, o.traceparent, o.order_id, o.symbol, o.side, o.quantity,
          o.price, o.counterparty, o.created_at, o.extra::text, o.digest
"""


class Unpublished(msgspec.Struct, frozen=True):
    """An accepted route that the routed queue has not confirmed."""

    id: str
    route: str
    decided_at: datetime
    message_id: str
    order_id: str
    core: Fragments
    trace: Trace | None


def take_unpublished(sql: Sql, *, limit: int, hold: float) -> list[Unpublished]:
    """Take up to `limit` routes that are due for publication, for `hold` seconds."""
    return [
        Unpublished(
            row[0],
            row[1],
            row[2],
            row[3],
            row[5],
            encode_core(ValidatedOrder(*row[5:])),
            tracing.resumed(row[4], order_id=row[5], message_id=row[3]),
        )
        for row in sql.run(_TAKE_UNPUBLISHED, {"limit": limit, "hold": hold})
    ]


def mark_published(sql: Sql, published: Sequence[Publication]) -> None:
    sql.run(_MARK_PUBLISHED, marks(published))


def marks(published: Sequence[Publication]) -> dict[str, Any]:
    """The parameters of `MARK`."""
    now = time.monotonic()
    return {
        "published": [publication.id for publication in published],
        "ago": [now - publication.confirmed_at for publication in published],
    }
