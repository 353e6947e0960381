"""Reading the order book."""

from __future__ import annotations

from orders import documents, status_cache
from orders.models import Order


def api_document(order_id: str, *, missed: bool = False) -> str | None:
    """The spec's answer of `GET /order/{orderId}` as JSON text; None where there is no such order.

    Out of the cache, where that has a fresh copy; else by one query, which refills the cache. `missed`: it is known
    not to be there.
    """
    cache = status_cache.from_settings()
    if not missed and (document := cache.get(order_id)) is not None:
        return document
    order = Order.objects.filter(pk=order_id).first()
    if order is None:
        return None
    cache.put(order)
    return documents.api_document(order, status=order.status, route=order.route, routed_at=order.routed_at)
