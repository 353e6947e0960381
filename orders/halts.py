"""Halts: routing stopped for everything, a symbol or a counterparty, until lifted or over.

Claims honour them inside their own statement, so that none is taken after a halt is committed. Calls already out
are not recalled.
"""

from __future__ import annotations

from datetime import datetime

from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from orders.models import Halt, Order


def halted(order: str) -> str:
    """SQL: whether a halt in force covers the row called `order`, which has a symbol and a counterparty."""
    return f"""EXISTS (
        SELECT FROM halts h
        WHERE h.lifted_at IS NULL AND (h.until IS NULL OR h.until > statement_timestamp())
          AND (h.symbol IS NULL OR h.symbol = {order}.symbol)
          AND (h.counterparty IS NULL OR h.counterparty = {order}.counterparty))"""


def halt(
    *,
    reason: str,
    actor: str,
    symbol: str | None = None,
    counterparty: str | None = None,
    until: datetime | None = None,
) -> Halt:
    """Stop routing from now on; with neither symbol nor counterparty, of everything."""
    return Halt.objects.create(
        symbol=symbol, counterparty=counterparty, reason=reason, actor=actor, until=until
    )


def holding(order: Order) -> QuerySet[Halt]:
    """The halts in force that cover this order."""
    return Halt.objects.filter(
        _in_force(),
        Q(symbol__isnull=True) | Q(symbol=order.symbol),
        Q(counterparty__isnull=True) | Q(counterparty=order.counterparty),
    )


def lift(halt_id: int, *, actor: str) -> bool:
    """End a halt; whether it was in force. What waited for it is due at once."""
    return bool(Halt.objects.filter(_in_force(), pk=halt_id).update(lifted_at=Now(), lifted_by=actor))


def _in_force() -> Q:
    return Q(lifted_at__isnull=True) & (Q(until__isnull=True) | Q(until__gt=Now()))
