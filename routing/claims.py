"""Claims: who routes an order now.

Note on claims: a claim is a UUID and an end, written by the statement that writes or takes the order. Whoever
holds a live one may call the router; settling asks for it again. Ends are SQL's clock, so that a worker whose
clock is wrong does no harm; a worker measures its own time monotonically from before the statement was sent.
A claim that ran out unreleased means that a call may have gone out: taking such an order records an UNKNOWN
attempt and marks it `expired`. The attempt's id is made of order and new claim: a statement that is sent again
under the same claim finds what it wrote, and that it had run out.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from orders import tracing
from orders.documents import Fragments, encode_core
from orders.halts import halted
from orders.lifecycle import Status
from orders.schema import ValidatedOrder

if TYPE_CHECKING:
    from orders.book import Arrival
    from orders.sql import Sql
    from orders.tracing import Trace
    from routing.ledger import Ledger


@dataclass(slots=True, eq=False)
class Claimed:
    """An order this process may route until `deadline` (seconds of `time.monotonic`)."""

    order: ValidatedOrder
    message_id: str
    status: Status
    claim: UUID
    deadline: float
    attempts: int = 0  # rows of order_routes when it was taken
    key_number: int = 0  # of retries that a person asked for after a definite refusal
    expired: bool = False  # an earlier claim ran out: a call may have gone out already
    tries: int = 0  # calls under this claim
    tried: tuple[str, ...] = ()  # endpoints at which one of them failed
    ticket: Any = None  # whatever the submitter wants back with the outcome
    trace: Trace | None = None
    ledger: Ledger | None = None  # of an order that was placed by this process
    core: Fragments = field(init=False)  # encoded once for all documents of the order
    request: bytes = b""  # what the router was asked, from the first call on

    def __post_init__(self) -> None:
        self.core = encode_core(self.order)

    @property
    def idempotency_key(self) -> str:
        order_id = self.order.order_id
        return f"{order_id}:{self.key_number}" if self.key_number else order_id


@dataclass(slots=True, frozen=True)
class Known:
    """What the book says of an order that was there already. `claimed` is set when it could be taken."""

    same_content: bool
    claimed: Claimed | None


# The columns of an order as _order() reads them.
_FIELDS = """o.order_id, o.symbol, o.side, o.quantity, o.price, o.counterparty, o.created_at, o.extra::text,
             o.digest, o.message_id, o.status, o.attempts, o.key_number, o.traceparent"""
# Which orders wait for routing: free ones that are placed or parked.
_FREE = f"""((o.claimed_until IS NULL OR o.claimed_until <= statement_timestamp()) AND NOT {halted("o")})"""
_PLACED = "o.status = 'PLACED'"
_PARKED = "(o.status = 'PENDING_ROUTE' AND NOT o.needs_review AND o.due_at <= statement_timestamp())"

# What is said of the call that may have gone out under a claim that nobody released.
RAN_OUT = "the claim ran out before its call was settled"
_LOST_ID = "md5(o.order_id || %(claim)s::text)::uuid"
# Of a locked row that is taken: whether its claim ran out now, or when this same claim took it before.
_STATE = f"""o.order_id, o.claim IS NOT NULL AND o.claim <> %(claim)s AS expired,
             o.claim = %(claim)s AND EXISTS (SELECT FROM order_routes r WHERE r.id = {_LOST_ID}) AS was_expired
"""  # nosec: B608 - composed of constants

# `chosen` holds the locked rows to take, with their _STATE.
_TAKE = f"""
taken AS (
    UPDATE orders o
    SET claim = %(claim)s, claimed_until = statement_timestamp() + %(hold)s * interval '1 second',
        attempts = o.attempts + c.expired::int
    FROM chosen c WHERE o.order_id = c.order_id
    RETURNING o.*, c.expired, coalesce(c.was_expired, false) AS was_expired
),
lost AS (
    INSERT INTO order_routes (id, order_id, attempt, outcome, error, decided_by)
    SELECT {_LOST_ID}, o.order_id, o.attempts, 'UNKNOWN', '{RAN_OUT}',
           %(actor)s
    FROM taken o WHERE o.expired
)
"""  # noqa: S608 - composed of constants

_CLAIM_DUE = f"""/* claim_due */
WITH placed AS (
    SELECT {_STATE} FROM orders o
    WHERE {_PLACED} AND (o.claim = %(claim)s OR {_FREE})
    LIMIT %(limit)s FOR UPDATE SKIP LOCKED
),
parked AS (
    SELECT {_STATE} FROM orders o
    WHERE {_PARKED} AND (o.claim = %(claim)s OR {_FREE})
    ORDER BY o.due_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
),
chosen AS (SELECT * FROM placed UNION ALL SELECT * FROM parked LIMIT %(limit)s),
{_TAKE}
SELECT {_FIELDS}, o.expired OR o.was_expired FROM taken o ORDER BY o.order_id
"""  # noqa: S608 - composed of constants

_CLAIM_KNOWN = f"""/* claim_known */
WITH known AS (
    SELECT * FROM unnest(%(order_id)s::text[], %(digest)s::bytea[]) AS k (order_id, digest)
),
chosen AS (
    SELECT {_STATE}
    FROM orders o JOIN known k ON o.order_id = k.order_id AND o.digest = k.digest
    WHERE o.claim = %(claim)s OR ({_FREE} AND ({_PLACED} OR {_PARKED}))
    ORDER BY o.order_id FOR UPDATE OF o SKIP LOCKED
),
{_TAKE}
SELECT {_FIELDS}, coalesce(t.expired OR t.was_expired, false), o.digest = k.digest, t.order_id IS NOT NULL
FROM known k JOIN orders o ON o.order_id = k.order_id LEFT JOIN taken t ON t.order_id = o.order_id
"""  # noqa: S608 - composed of constants

_WAITING = f"""/* waiting */
SELECT o.order_id, o.status, coalesce(o.due_at, o.placed_at), o.attempts, o.claim IS NOT NULL, count(*) OVER ()
FROM orders o WHERE {_FREE} AND ({_PLACED} OR {_PARKED})
ORDER BY 3, 1 LIMIT %(limit)s
"""  # noqa: S608 - composed of constants

_RELEASE = """/* release */
UPDATE orders SET claim = NULL, claimed_until = NULL
WHERE order_id = ANY(%(order_id)s) AND claim = ANY(%(claim)s)
"""


def claim_due(sql: Sql, *, limit: int, hold: float, actor: str, claim: UUID | None = None) -> list[Claimed]:
    """Take up to `limit` orders that wait for routing: PLACED ones nobody holds, parked ones that are due.

    `claim`: that of a call before whose answer was lost; orders that bear it are taken as if nobody held them.
    """
    deadline = time.monotonic() + hold
    claim = claim or uuid4()
    rows = sql.run(_CLAIM_DUE, {"limit": limit, "claim": claim, "hold": hold, "actor": actor})
    return [_claimed(row, claim, deadline, expired=row[14]) for row in rows]


@dataclass(slots=True, frozen=True)
class Waiting:
    """An order that `claim_due` would take; `since`: when it was placed, or fell due."""

    order_id: str
    status: Status
    since: datetime
    attempts: int
    claim_ran_out: bool


def waiting(sql: Sql, *, limit: int) -> tuple[list[Waiting], int]:
    """What `claim_due` would take: the longest waiting ones, at most `limit`, and how many in all."""
    rows = sql.run(_WAITING, {"limit": limit})
    return [Waiting(row[0], Status(row[1]), *row[2:5]) for row in rows], rows[0][5] if rows else 0


def claim_known(
    sql: Sql, arrivals: Sequence[Arrival], *, claim: UUID, hold: float, actor: str
) -> Mapping[str, Known]:
    """What the book says of orders that `place` did not return; those that wait for routing are taken.

    An order that already bears `claim` was placed by a statement whose answer was lost: it is ours.
    """
    deadline = time.monotonic() + hold
    ordered = sorted(arrivals, key=lambda arrival: arrival.order.order_id)
    parameters = {
        "order_id": [arrival.order.order_id for arrival in ordered],
        "digest": [arrival.order.digest for arrival in ordered],
        "claim": claim,
        "hold": hold,
        "actor": actor,
    }
    return {
        row[0]: Known(row[15], _claimed(row, claim, deadline, expired=row[14]) if row[16] else None)
        for row in sql.run(_CLAIM_KNOWN, parameters)
    }


def release(sql: Sql, claimed: Iterable[Claimed]) -> None:
    """Give up claims under which no call is out; whoever sweeps next may take the orders."""
    held = sorted(claimed, key=lambda work: work.order.order_id)
    if held:
        claims = list({work.claim for work in held})
        sql.run(_RELEASE, {"order_id": [work.order.order_id for work in held], "claim": claims})


def _claimed(row: tuple[Any, ...], claim: UUID, deadline: float, *, expired: bool) -> Claimed:
    order, message_id = ValidatedOrder(*row[:9]), row[9]
    trace = tracing.resumed(row[13], order_id=order.order_id, message_id=message_id)
    return Claimed(
        order, message_id, Status(row[10]), claim, deadline, row[11], row[12], expired, trace=trace
    )
