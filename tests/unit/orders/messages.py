"""Bodies of validated orders, good unless told otherwise."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from orders.invalid import InvalidOrder
from orders.schema import ValidatedOrder, decode

RECEIVED_AT = datetime(2026, 2, 14, 10, 30, 46, 123456, tzinfo=UTC)
ABSENT: Any = object()

_encode = msgspec.json.Encoder(decimal_format="number").encode


def order_fields(**changes: Any) -> dict[str, Any]:
    """A good order's fields, changed; ABSENT leaves one out."""
    fields: dict[str, Any] = {
        "orderId": "ORD-20260214-001",
        "symbol": "AAPL",
        "side": "BUY",
        "quantity": 100,
        "price": Decimal("145.50"),
    }
    return {name: value for name, value in {**fields, **changes}.items() if value is not ABSENT}


def order_body(**changes: Any) -> bytes:
    return _encode(order_fields(**changes))


def decoded(body: bytes, content_type: str | None = None) -> ValidatedOrder:
    return decode(body, content_type, RECEIVED_AT)


def refusal(body: bytes, content_type: str | None = None) -> InvalidOrder:
    """The error that reading `body` must end in."""
    try:
        order = decoded(body, content_type)
    except InvalidOrder as error:
        return error
    raise AssertionError(f"expected a refusal, got {order}")


FIVE = order_body()


def with_price(text: str) -> bytes:
    return FIVE.replace(b"145.50", text.encode())
