"""What a validated order is: bytes → typed order. The only validator."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(slots=True, frozen=True)
class ValidatedOrder:
    """An order's immutable fields.

    `extra`: the unknown fields as one canonical JSON object, `{}` when there are none.
    `created_at`: aware, UTC, microseconds; the time of receipt where the sender gave none.
    `digest`: SHA-256 over the content, see `digest_of`.
    """

    order_id: str
    symbol: str
    side: str
    quantity: Decimal
    price: Decimal
    counterparty: str | None
    created_at: datetime
    extra: str
    digest: bytes
