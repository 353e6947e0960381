"""Forgetting an order in the stores: its idempotency mark and its status record. SQL forgets nothing."""

from __future__ import annotations

from dataclasses import dataclass

from consumers import idempotency
from orders import audit, status_cache
from orders.models import Order
from orders.stores.port import StoreUnavailable

_ACTION = "idempotency.clear"


@dataclass(slots=True, frozen=True)
class Known:
    """What there is of an order: its status in SQL, if it is there, and the keys of its records in the stores."""

    status: str | None
    mark: str | None
    status_record: str | None


def known(order_id: str) -> Known:
    """Raises `StoreUnavailable`."""
    marks, cache = idempotency.from_settings(), status_cache.from_settings()
    mark, record = marks.key(order_id), cache.key(order_id)
    return Known(
        Order.objects.filter(pk=order_id).values_list("status", flat=True).first(),
        mark if marks.store.read([mark]) else None,
        record if cache.store.read([record]) else None,
    )


def clear(order_id: str, *, actor: str, reason: str) -> Known:
    """Remove both records, on record before it is done; what there was of them. Raises `StoreUnavailable`."""
    found = known(order_id)
    detail = {"reason": reason, "mark": found.mark, "status_record": found.status_record}
    audit.record(actor=actor, action=_ACTION, subject=order_id, detail=detail)
    marks, cache = idempotency.from_settings(), status_cache.from_settings()
    try:
        # Also what was not there: something else than a record may stand in its place, or one came meanwhile.
        marks.store.remove([marks.key(order_id)])
        cache.store.remove([cache.key(order_id)])
    except StoreUnavailable as failure:
        failed = detail | {"failure": str(failure)}
        audit.record(actor=actor, action=f"{_ACTION}_failed", subject=order_id, detail=failed)
        raise
    return found
