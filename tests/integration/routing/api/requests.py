"""Operations on orders as callers of the API ask for them."""

from __future__ import annotations

from typing import Any

from django.test import Client

from orders.models import OrderEvent

# The permission that each takes.
OPERATIONS = {
    "route": "route_order",
    "retry": "retry_order",
    "cancel": "cancel_order",
    "execution": "execute_order",
    "clear-review": "review_order",
}
WHY = {"reason": "client asked"}


def post(client: Client, order_id: str, operation: str, body: Any = WHY, **headers: str) -> Any:
    if operation == "route" and body is WHY:
        body = {"route": "NYSE", **WHY}
    return client.post(
        f"/order/{order_id}/{operation}", body, content_type="application/json", headers=headers
    )


def story(order_id: str = "P-1") -> list[str]:
    return list(
        OrderEvent.objects.filter(order=order_id).order_by("sequence").values_list("event", flat=True)
    )
