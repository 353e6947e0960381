"""Halts: routing stopped for everything, a symbol or a counterparty, until lifted or over.

Claims honour them inside their own statement, so that none is taken after a halt is committed. Calls already out
are not recalled.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from orders import audit
from orders.models import Halt, Order

PERMISSION = "orders.halt_routing"
MOST_COUNTED = 20_000
_MAX_REASON = 1000

# Of the row called h.
_IN_FORCE = "h.lifted_at IS NULL AND (h.until IS NULL OR h.until > statement_timestamp())"


class Refused(Exception):
    """The halt cannot be made or lifted so; says why."""


def halted(order: str) -> str:
    """SQL: whether a halt in force covers the row called `order`, which has a symbol and a counterparty."""
    return f"""EXISTS (
        SELECT FROM halts h
        WHERE {_IN_FORCE}
          AND (h.symbol IS NULL OR h.symbol = {order}.symbol)
          AND (h.counterparty IS NULL OR h.counterparty = {order}.counterparty))"""  # nosec: B608 - composed of constants


def halt(
    *,
    reason: str,
    actor: str,
    symbol: str | None = None,
    counterparty: str | None = None,
    until: datetime | None = None,
) -> Halt:
    """Stop routing from now on; with neither symbol nor counterparty, of everything. Raises `Refused`."""
    reason = _required(reason)
    if symbol is not None and counterparty is not None:
        raise Refused("expected a symbol, a counterparty or neither, not both")
    if until is not None and until <= timezone.now():
        raise Refused(f"expected an end in the future, got {until:%Y-%m-%d %H:%M:%S} UTC")
    with transaction.atomic():
        made = Halt.objects.create(
            symbol=symbol, counterparty=counterparty, reason=reason, actor=actor, until=until
        )
        made.refresh_from_db(fields=["since"])
        detail = {"reason": reason, "symbol": symbol, "counterparty": counterparty}
        detail["until"] = until.isoformat() if until else None
        audit.record(actor=actor, action="halt.place", subject=subject(made.pk), detail=detail)
    return made


def holding(order: Order) -> QuerySet[Halt]:
    """The halts in force that cover this order."""
    return Halt.objects.filter(
        _in_force(),
        Q(symbol__isnull=True) | Q(symbol=order.symbol),
        Q(counterparty__isnull=True) | Q(counterparty=order.counterparty),
    )


def covers(halt: Halt, order: Order) -> bool:
    """Whether this halt, in force or not, is one of this order."""
    return halt.symbol in (None, order.symbol) and halt.counterparty in (None, order.counterparty)


class State(StrEnum):
    IN_FORCE = "in force"
    OVER = "over"  # by itself
    LIFTED = "lifted"


def state(halt: Halt, now: datetime) -> State:
    if halt.lifted_at is not None:
        return State.LIFTED
    return State.OVER if halt.until is not None and halt.until <= now else State.IN_FORCE


def in_force() -> QuerySet[Halt]:
    """Oldest first."""
    return Halt.objects.filter(_in_force()).order_by("pk")


def lift(halt_id: int, *, reason: str, actor: str) -> bool:
    """End a halt; whether it was in force. What waited for it is due at once. Raises `Refused` without a reason."""
    reason = _required(reason)
    with transaction.atomic():
        if not in_force().filter(pk=halt_id).update(lifted_at=Now(), lifted_by=actor):
            return False
        audit.record(actor=actor, action="halt.lift", subject=subject(halt_id), detail={"reason": reason})
    return True


@dataclass(slots=True, frozen=True)
class Held:
    """Orders that would be routed were it not for halts, by halt. `complete`: no more wait than were looked at."""

    by_halt: dict[int, int]
    complete: bool


_HELD = f"""/* held */
WITH waiting AS (
    (SELECT symbol, counterparty FROM orders WHERE status = 'PENDING_ROUTE' AND NOT needs_review
     ORDER BY due_at LIMIT %(most)s)
    UNION ALL
    (SELECT symbol, counterparty FROM orders WHERE status = 'PLACED' AND claim IS NULL LIMIT %(most)s)
)
SELECT h.id, count(w.symbol), (SELECT count(*) FROM waiting) < %(most)s
FROM halts h
LEFT JOIN waiting w ON (h.symbol IS NULL OR h.symbol = w.symbol)
                   AND (h.counterparty IS NULL OR h.counterparty = w.counterparty)
WHERE {_IN_FORCE}
GROUP BY h.id
"""  # noqa: S608 - composed of constants


def held() -> Held:
    """How many orders each halt in force keeps from being routed, among those that wait longest."""
    with connection.cursor() as cursor:
        cursor.execute(_HELD, {"most": MOST_COUNTED})
        rows = cursor.fetchall()
    return Held({halt_id: count for halt_id, count, _ in rows}, all(complete for *_, complete in rows))


def subject(halt_id: int) -> str:
    """What the audit calls a halt."""
    return f"halt:{halt_id}"


def _required(reason: str) -> str:
    reason = reason.strip()
    if not 0 < len(reason) <= _MAX_REASON:
        raise Refused(f"expected a reason of 1 to {_MAX_REASON} characters")
    return reason


def _in_force() -> Q:
    return Q(lifted_at__isnull=True) & (Q(until__isnull=True) | Q(until__gt=Now()))
