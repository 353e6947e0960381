"""What became of routing, written into the book: set-based statements, each settling a batch.

Every one asks for the claim again: an order that is no longer ours is left alone, and its answer recorded as LATE.
Attempt ids are made before the call, so that a repeated statement finds its own rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from orders.lifecycle import ROUTABLE
from routing.publications import MARK, Publication, marks

if TYPE_CHECKING:
    from orders.sql import Sql
    from routing.claims import Claimed
    from routing.router import Answer


class Attempt(msgspec.Struct, frozen=True):
    """One call, begun at `called` (monotonic), and its answer."""

    id: str
    work: Claimed
    endpoint: str
    answer: Answer
    called: float


@dataclass(slots=True, frozen=True)
class Parking:
    """An order to be parked: the machine tries again after `due_in` seconds, or a person must look (None)."""

    work: Claimed
    due_in: float | None
    reason: str


class Change(msgspec.Struct, frozen=True):
    """The state an order was left in: its event number and the time (SQL's)."""

    version: int
    at: datetime


# As a truth value: no index can serve it. While all orders seem to be routed, PostgreSQL takes those that are not to be
# fewer than a batch, and reads every one of them instead of the batch's by their keys.
_IS_ROUTABLE = "(o.status IN ('" + "', '".join(ROUTABLE) + "')) IS TRUE"
_ATTEMPTS = """
    SELECT * FROM unnest(%(order_id)s::text[], %(claim)s::uuid[], %(id)s::uuid[], %(outcome)s::text[],
                         %(route)s::text[], %(endpoint)s::text[], %(http_status)s::int[], %(latency_ms)s::float8[],
                         %(error)s::text[], %(stages_ms)s::text[])
    AS a (order_id, claim, id, outcome, route, endpoint, http_status, latency_ms, error, stages_ms)
"""

_SETTLE_ROUTED = f"""/* settle_routed */
WITH attempt AS ({_ATTEMPTS}),
routed AS (
    UPDATE orders o
    SET status = 'ROUTED', route = a.route, routed_at = statement_timestamp(), updated_at = statement_timestamp(),
        version = o.version + 1, attempts = o.attempts + 1, due_at = NULL, claim = NULL, claimed_until = NULL
    FROM attempt a
    WHERE o.order_id = a.order_id AND o.claim = a.claim AND {_IS_ROUTABLE}
    RETURNING o.order_id, o.version, o.attempts, a.id
),
decided AS (
    INSERT INTO order_routes (id, order_id, attempt, outcome, route, endpoint, http_status, latency_ms, stages_ms,
                              decided_by, decided_at, publish_after)
    SELECT a.id, a.order_id, r.attempts, 'ACCEPTED', a.route, a.endpoint, a.http_status, a.latency_ms,
           a.stages_ms::float8[], %(actor)s, statement_timestamp(),
           statement_timestamp() + %(publish_in)s::float8 * interval '1 second'
    FROM routed r JOIN attempt a ON a.id = r.id
),
told AS (
    INSERT INTO order_events (order_id, sequence, event, actor, at, hash)
    SELECT r.order_id, r.version, 'ROUTED', %(actor)s, statement_timestamp(),
           -- The hash before, as in place.
           (SELECT e.hash FROM order_events e WHERE e.order_id = r.order_id AND e.sequence = r.version - 1)
    FROM routed r
),
marked AS ({MARK})
SELECT version, statement_timestamp(), array_agg(id::text) FROM routed GROUP BY 1
"""  # noqa: S608 - composed of constants

_FIND_ATTEMPTS = """/* find_attempts */
SELECT o.version, r.decided_at, ARRAY[r.id::text] FROM order_routes r JOIN orders o ON o.order_id = r.order_id
WHERE r.id = ANY(%(id)s::uuid[]) AND r.outcome <> 'LATE'
"""

_NOTE_FAILURES = f"""/* note_failures */
WITH attempt AS ({_ATTEMPTS}),
counted AS (
    UPDATE orders o SET attempts = o.attempts + 1
    FROM attempt a
    WHERE o.order_id = a.order_id AND o.claim = a.claim AND {_IS_ROUTABLE}
      AND NOT EXISTS (SELECT FROM order_routes r WHERE r.id = a.id)
    RETURNING o.order_id, o.attempts, a.id
)
INSERT INTO order_routes (id, order_id, attempt, outcome, endpoint, http_status, latency_ms, error, decided_by)
SELECT a.id, a.order_id, c.attempts, a.outcome, a.endpoint, a.http_status, a.latency_ms, a.error, %(actor)s
FROM counted c JOIN attempt a ON a.id = c.id
RETURNING id::text
"""  # noqa: S608 - composed of constants

_PARK = f"""/* park */
WITH parking AS (
    SELECT * FROM unnest(%(order_id)s::text[], %(claim)s::uuid[], %(due_in)s::float8[], %(reason)s::text[])
    AS p (order_id, claim, due_in, reason)
),
held AS (
    SELECT o.order_id, o.status AS was, p.due_in, p.reason, p.due_in IS NULL AND NOT o.needs_review AS to_review
    FROM orders o JOIN parking p ON o.order_id = p.order_id AND o.claim = p.claim
    WHERE {_IS_ROUTABLE}
    ORDER BY o.order_id FOR UPDATE OF o
),
parked AS (
    UPDATE orders o
    SET status = 'PENDING_ROUTE', due_at = statement_timestamp() + h.due_in * interval '1 second',
        needs_review = o.needs_review OR h.to_review,
        review_reason = CASE WHEN h.to_review THEN h.reason ELSE o.review_reason END,
        version = o.version + (h.was <> 'PENDING_ROUTE')::int + h.to_review::int,
        updated_at = statement_timestamp(), claim = NULL, claimed_until = NULL
    FROM held h WHERE o.order_id = h.order_id
    RETURNING o.order_id, o.version, h.was, h.to_review, h.reason
),
told AS (
    INSERT INTO order_events (order_id, sequence, event, actor, reason)
    SELECT order_id, version - to_review::int, 'PENDING_ROUTE', %(actor)s, reason
    FROM parked WHERE was <> 'PENDING_ROUTE'
    UNION ALL
    SELECT order_id, version, 'REVIEW_REQUIRED', %(actor)s, reason FROM parked WHERE to_review
)
SELECT order_id, version, statement_timestamp() FROM parked
"""  # noqa: S608 - composed of constants

_RECORD_LATE = f"""/* record_late */
WITH attempt AS ({_ATTEMPTS}),
held AS (
    SELECT o.order_id, a.id, a.outcome = 'ACCEPTED' AND NOT o.needs_review AS to_review
    FROM orders o JOIN attempt a ON o.order_id = a.order_id
    WHERE NOT EXISTS (SELECT FROM order_routes r WHERE r.id = a.id)
    ORDER BY o.order_id FOR UPDATE OF o
),
counted AS (
    UPDATE orders o
    SET attempts = o.attempts + 1, version = o.version + h.to_review::int,
        needs_review = o.needs_review OR h.to_review,
        review_reason = CASE WHEN h.to_review THEN 'the router accepted after the claim was lost: '
                             || (SELECT a.route FROM attempt a WHERE a.id = h.id) ELSE o.review_reason END,
        updated_at = CASE WHEN h.to_review THEN statement_timestamp() ELSE o.updated_at END
    FROM held h WHERE o.order_id = h.order_id
    RETURNING o.order_id, o.version, o.attempts, o.review_reason, h.id, h.to_review
),
told AS (
    INSERT INTO order_events (order_id, sequence, event, actor, reason)
    SELECT order_id, version, 'REVIEW_REQUIRED', %(actor)s, review_reason FROM counted WHERE to_review
)
INSERT INTO order_routes (id, order_id, attempt, outcome, route, endpoint, http_status, latency_ms, error, decided_by)
SELECT a.id, a.order_id, c.attempts, 'LATE', a.route, a.endpoint, a.http_status, a.latency_ms, a.error, %(actor)s
FROM counted c JOIN attempt a ON a.id = c.id
"""  # noqa: S608 - composed of constants


def settle_routed(
    sql: Sql,
    attempts: Sequence[Attempt],
    *,
    published: Sequence[Publication],
    publish_in: float | None,
    actor: str,
) -> dict[str, Change]:
    """Write accepted routes with their events; by attempt id, those that were ours to write.

    `publish_in`: seconds after which the relay may publish them, None: never. `published`: confirmed ones,
    marked in the same statement.
    """
    parameters = _columns(attempts, actor) | marks(published) | {"publish_in": publish_in}
    settled = _changes(sql.run(_SETTLE_ROUTED, parameters))
    if len(settled) < len(attempts):
        missing = [attempt.id for attempt in attempts if attempt.id not in settled]
        settled |= _changes(sql.run(_FIND_ATTEMPTS, {"id": missing}))
    return settled


def note_failures(sql: Sql, attempts: Sequence[Attempt], *, actor: str) -> set[str]:
    """Write failed attempts; the ids of those whose order is still ours."""
    noted = {row[0] for row in sql.run(_NOTE_FAILURES, _columns(attempts, actor))}
    if len(noted) < len(attempts):
        missing = [attempt.id for attempt in attempts if attempt.id not in noted]
        noted |= _changes(sql.run(_FIND_ATTEMPTS, {"id": missing})).keys()
    return noted


def _changes(rows: Iterable[tuple[Any, ...]]) -> dict[str, Change]:
    """By attempt id, from rows that each tell what several attempts share."""
    changes: dict[str, Change] = {}
    for version, at, attempt_ids in rows:
        changes.update(dict.fromkeys(attempt_ids, Change(version, at)))
    return changes


def park(sql: Sql, parkings: Sequence[Parking], *, actor: str) -> dict[str, Change]:
    """Leave orders for later or for a person; by order id, those that were ours to park."""
    ordered = sorted(parkings, key=lambda parking: parking.work.order.order_id)
    parameters = {
        "order_id": [parking.work.order.order_id for parking in ordered],
        "claim": [parking.work.claim for parking in ordered],
        "due_in": [parking.due_in for parking in ordered],
        "reason": [parking.reason for parking in ordered],
        "actor": actor,
    }
    return {row[0]: Change(row[1], row[2]) for row in sql.run(_PARK, parameters)}


def record_late(sql: Sql, attempts: Sequence[Attempt], *, actor: str) -> None:
    """Write answers whose claim was lost; one that accepted puts its order before a person.

    One at a time: a process that stood still may bring two of the same order.
    """
    for attempt in attempts:
        sql.run(_RECORD_LATE, _columns([attempt], actor))


def _columns(attempts: Sequence[Attempt], actor: str) -> dict[str, Any]:
    ordered = sorted(attempts, key=lambda attempt: attempt.work.order.order_id)
    answers = [attempt.answer for attempt in ordered]
    return {
        "order_id": [attempt.work.order.order_id for attempt in ordered],
        "claim": [attempt.work.claim for attempt in ordered],
        "id": [attempt.id for attempt in ordered],
        "outcome": [answer.outcome.value for answer in answers],
        "route": [answer.route for answer in answers],
        "endpoint": [attempt.endpoint for attempt in ordered],
        "http_status": [answer.http_status for answer in answers],
        "latency_ms": [answer.latency_ms for answer in answers],
        "error": [answer.error for answer in answers],
        "stages_ms": [
            attempt.work.ledger and attempt.work.ledger.text(attempt.called) for attempt in ordered
        ],
        "actor": actor,
    }
