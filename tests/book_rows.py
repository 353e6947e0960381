"""Rows of the order book as a test wants them; what it does not name is ordinary."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from orders.lifecycle import Event, Status
from orders.models import Order, OrderEvent

CREATED_AT = datetime(2026, 2, 14, 10, 30, 45, tzinfo=UTC)
ROUTED_AT = CREATED_AT + timedelta(seconds=3)


def order_in_book(order_id: str = "ORD-20260214-001", **fields: Any) -> Order:
    """An order as the spec's example has it, PLACED, with its first event."""
    row = {
        "symbol": "AAPL",
        "side": "BUY",
        "quantity": Decimal(100),
        "price": Decimal("145.50"),
        "created_at": CREATED_AT,
        "message_id": f"m-{order_id}",
        "digest": bytes(32),
        "status": Status.PLACED,
    }
    order = Order.objects.create(order_id=order_id, **(row | fields))
    OrderEvent.objects.create(order=order, sequence=1, event=Event.PLACED, actor="test")
    order.refresh_from_db()
    return order


def routed_order(order_id: str = "ORD-20260214-001", **fields: Any) -> Order:
    row = {"status": Status.ROUTED, "route": "NASDAQ-EXECUTION-1", "routed_at": ROUTED_AT, "version": 2}
    order = order_in_book(order_id, **(row | fields))
    OrderEvent.objects.create(order=order, sequence=2, event=Event.ROUTED, actor="router")
    return order


def parked_order(order_id: str = "ORD-20260214-001", **fields: Any) -> Order:
    reason = "the router refused it"
    row = {"status": Status.PENDING_ROUTE, "needs_review": True, "review_reason": reason, "version": 3}
    order = order_in_book(order_id, **(row | fields))
    for sequence, event in enumerate([Event.PENDING_ROUTE, Event.REVIEW_REQUIRED], 2):
        OrderEvent.objects.create(order=order, sequence=sequence, event=event, actor="router", reason=reason)
    return order


def claimed(seconds: float = 30) -> dict[str, Any]:
    """The fields of an order that a process is routing, for so long."""
    return {"claim": uuid4(), "claimed_until": datetime.now(UTC) + timedelta(seconds=seconds)}
