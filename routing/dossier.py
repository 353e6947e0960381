"""All that is known of one order, from every place that knows something."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from orders import halts, status_cache
from orders.cache_comparison import Field, side_by_side
from orders.models import AuditEntry, Halt, Order, OrderEvent
from orders.stores.port import Read, Record, StoreUnavailable
from routing.models import OrderRoute


@dataclass(slots=True, frozen=True)
class Dossier:
    """`order` None: SQL does not have it. `halts` keep it from being routed.

    `expected`: what the cache should hold of it; `cached`: what it does; `cache_failure`: why it could not be asked.
    """

    order: Order | None
    halts: list[Halt]
    routes: list[OrderRoute]
    events: list[OrderEvent]
    audit: list[AuditEntry]
    expected: Record | None
    cached: Read | None
    cache_failure: str | None

    @property
    def comparison(self) -> list[Field]:
        """The order's fields in SQL and in the cache; empty unless both have it."""
        if self.expected is None or self.cached is None:
            return []
        return side_by_side(self.expected, self.cached)

    @property
    def cached_at(self) -> datetime | None:
        """When the cache was written."""
        written_at = (self.cached or {}).get("written_at", "")
        return datetime.fromtimestamp(int(written_at), UTC) if written_at.isdecimal() else None


def dossier(order_id: str) -> Dossier:
    """What SQL and the cache know of the order."""
    order = Order.objects.filter(pk=order_id).first()
    holding = list(halts.holding(order)) if order else []
    routes = list(OrderRoute.objects.filter(order_id=order_id).order_by("attempt"))
    events = list(OrderEvent.objects.filter(order_id=order_id).order_by("sequence"))
    audit = list(AuditEntry.objects.filter(subject=order_id).order_by("id"))
    cache = status_cache.from_settings()
    expected = cache.record_of(order) if order else None
    try:
        cached = cache.records([order_id]).get(order_id)
    except StoreUnavailable as unavailable:
        return Dossier(order, holding, routes, events, audit, expected, None, str(unavailable))
    return Dossier(order, holding, routes, events, audit, expected, cached, None)
