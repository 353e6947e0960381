"""Messages that cannot be taken: kept whole in SQL, with the reason, before they are acknowledged."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from consumers.models import Reason

if TYPE_CHECKING:
    from consumers.transport import Delivery
    from orders.sql import Sql

_MAX_ERROR = 10_000
_MAX_ID = 255


@dataclass(slots=True, frozen=True)
class Rejection:
    """A delivery and why it was rejected; `order_id` where it could be read, `fault`: the field, where it is one."""

    delivery: Delivery
    reason: Reason
    error: str
    order_id: str | None = None
    fault: str = ""


_QUARANTINE = """/* quarantine */
INSERT INTO rejected_messages AS r (queue, message_id, body, body_hash, content_type, headers, order_id, reason,
                                    fault, error, attempts)
SELECT n.queue, n.message_id, n.body, n.body_hash, n.content_type, n.headers::jsonb, n.order_id, n.reason, n.fault,
       n.error, n.attempts
FROM unnest(%(queue)s::text[], %(message_id)s::text[], %(body)s::bytea[], %(body_hash)s::bytea[],
            %(content_type)s::text[], %(headers)s::text[], %(order_id)s::text[], %(reason)s::text[],
            %(fault)s::text[], %(error)s::text[], %(attempts)s::int[])
     AS n (queue, message_id, body, body_hash, content_type, headers, order_id, reason, fault, error, attempts)
ON CONFLICT (queue, message_id, body_hash) DO UPDATE
-- Whatever was decided of it before: it is here again.
SET attempts = r.attempts + excluded.attempts, reason = excluded.reason, fault = excluded.fault,
    error = excluded.error, rejected_at = statement_timestamp(), state = 'WAITING'
"""


def message_id_of(delivery: Delivery) -> str:
    """The message's id; one derived from its body where it has none, or none that SQL can hold."""
    given = delivery.message_id
    if given and len(given) <= _MAX_ID and _storable(given) == given:
        return given
    return derived_id(delivery.body)


def derived_id(body: bytes) -> str:
    """Of a message whose own id cannot serve."""
    return f"sha256:{sha256(body).hexdigest()}"


def quarantine(sql: Sql, rejections: Iterable[Rejection]) -> None:
    """Write each as a `rejected_messages` row; one that is there already waits again, with an attempt more."""
    rows: dict[tuple[str, str, bytes], dict[str, Any]] = {}
    for rejection in rejections:
        row = _row(rejection)
        known = rows.setdefault((row["queue"], row["message_id"], row["body_hash"]), row)
        known["attempts"] += 1
    if rows:
        ordered = [rows[key] for key in sorted(rows)]
        sql.run(_QUARANTINE, _columns(ordered))


_COUNT_ATTEMPT = """/* count_attempt */
INSERT INTO delivery_attempts AS d (queue, message_id, body_hash) VALUES (%(queue)s, %(message_id)s, %(body_hash)s)
ON CONFLICT (queue, message_id, body_hash) DO UPDATE
-- An old count was left behind when SQL was away at the acknowledgement: that message was settled.
SET attempts = CASE WHEN d.tried_at < statement_timestamp() - interval '1 day' THEN 1 ELSE d.attempts + 1 END,
    tried_at = statement_timestamp()
RETURNING attempts
"""
_FORGET_ATTEMPTS = """/* forget_attempts */
DELETE FROM delivery_attempts d
USING unnest(%(queue)s::text[], %(message_id)s::text[], %(body_hash)s::bytea[]) AS g (queue, message_id, body_hash)
WHERE d.queue = g.queue AND d.message_id = g.message_id AND d.body_hash = g.body_hash
"""


def count_attempt(sql: Sql, delivery: Delivery) -> int:
    """How often this redelivered message has been tried, this time included; committed before it is decoded."""
    ((attempts,),) = sql.run(_COUNT_ATTEMPT, _identity(delivery))
    return int(attempts)


def forget_attempts(sql: Sql, deliveries: Sequence[Delivery]) -> None:
    """These are settled: nothing needs to be counted of them any more."""
    sql.run(_FORGET_ATTEMPTS, _columns([_identity(delivery) for delivery in deliveries]))


def _identity(delivery: Delivery) -> dict[str, Any]:
    return {
        "queue": delivery.queue,
        "message_id": message_id_of(delivery),
        "body_hash": sha256(delivery.body).digest(),
    }


def _row(rejection: Rejection) -> dict[str, Any]:
    delivery = rejection.delivery
    return {
        **_identity(delivery),
        "body": delivery.body,
        "content_type": _storable(delivery.content_type or "")[:_MAX_ID],
        "headers": json.dumps(_plain(delivery.headers)),
        "order_id": rejection.order_id,
        "reason": rejection.reason.value,
        "fault": _storable(rejection.fault)[:_MAX_ID],
        "error": _storable(rejection.error)[:_MAX_ERROR],
        "attempts": 0,
    }


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {name: [row[name] for row in rows] for name in rows[0]}


def _storable(text: str) -> str:
    """Text that PostgreSQL takes: no NUL, no lone surrogates."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def _plain(value: Any) -> Any:
    """A header as JSON can hold it."""
    match value:
        case None | bool() | int():
            return value
        case float():
            return value if math.isfinite(value) else str(value)
        case Mapping():
            return {_storable(str(key)): _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case bytes():
            return _storable(value.decode("utf-8", "replace"))
        case _:
            return _storable(str(value))
