"""What waits: for a person, for the machine, for the routed queue; and what keeps it.

Counted through the indexes of what waits, and no further than `MOST`: beyond that nobody reads the digits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from consumers.models import Reason
from orders import bounded

MOST = 20_000
_MILLISECONDS = 700
_LATE = timedelta(minutes=5)

_REVIEW = """/* console: in review */
SELECT count(*), min(updated_at), statement_timestamp()
FROM (SELECT updated_at FROM orders WHERE needs_review ORDER BY updated_at LIMIT %(most)s) waiting
"""
_PENDING = """/* console: pending */
SELECT count(*), min(placed_at), statement_timestamp()
FROM (SELECT placed_at FROM orders WHERE status = 'PENDING_ROUTE' LIMIT %(most)s) waiting
"""
_UNPUBLISHED = """/* console: unpublished */
SELECT count(*), min(decided_at), statement_timestamp()
FROM (SELECT decided_at FROM order_routes WHERE published_at IS NULL AND publish_after IS NOT NULL
      LIMIT %(most)s) waiting
"""
_REJECTED = """/* console: rejected */
SELECT r.reason, count(w.rejected_at), min(w.rejected_at), statement_timestamp()
FROM unnest(%(reasons)s::text[]) r (reason)
LEFT JOIN LATERAL (SELECT rejected_at FROM rejected_messages
                   WHERE state = 'WAITING' AND reason = r.reason ORDER BY rejected_at LIMIT %(most)s) w ON true
GROUP BY r.reason
"""
_HALTS = """/* console: halts */
SELECT count(*), min(since), statement_timestamp()
FROM halts WHERE lifted_at IS NULL AND (until IS NULL OR until > statement_timestamp())
"""


@dataclass(frozen=True)
class Waiting:
    """How many wait, and since when the one that has waited longest. `count` None: it could not be had in time."""

    count: int | None
    oldest: timedelta | None = None
    parts: Mapping[str, int] = field(default_factory=dict)

    @property
    def text(self) -> str:
        if self.count is None:
            return "?"
        return f"{self.count:,}" if self.count < MOST else f"{MOST:,} or more"

    @property
    def is_late(self) -> bool:
        return self.oldest is not None and self.oldest > _LATE


def in_review() -> Waiting:
    return _asked(_REVIEW)


def pending() -> Waiting:
    return _asked(_PENDING)


def unpublished() -> Waiting:
    return _asked(_UNPUBLISHED)


def halts() -> Waiting:
    return _asked(_HALTS)


def rejected() -> Waiting:
    """Rejected messages nobody has decided on; `parts`: by reason."""
    try:
        found = bounded.rows(
            _REJECTED, {"reasons": list(Reason.values), "most": MOST}, milliseconds=_MILLISECONDS
        )
    except bounded.TooSlow:
        return Waiting(None)
    parts = {reason: count for reason, count, _, _ in sorted(found) if count}
    oldest = [now - since for _, _, since, now in found if since]
    return Waiting(sum(parts.values()), max(oldest, default=None), parts)


def _asked(statement: str) -> Waiting:
    try:
        (found,) = bounded.rows(statement, {"most": MOST}, milliseconds=_MILLISECONDS)
    except bounded.TooSlow:
        return Waiting(None)
    count, since, now = found
    return Waiting(count, _age(since, now))


def _age(since: datetime | None, now: Any) -> timedelta | None:
    return now - since if since else None
