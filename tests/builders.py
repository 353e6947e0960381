"""Plain data for tests: an order as a sender would write it, and what the code makes of it."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from orders import schema
from orders.book import Arrival
from orders.schema import ValidatedOrder
from routing.claims import Claimed
from routing.decisions import Attempt
from routing.models import Outcome
from routing.router import Answer

RECEIVED = datetime(2026, 2, 14, 10, 30, 45, 123456, UTC)


def body(order_id: str = "ORD-1", **changes: Any) -> bytes:
    """A message's body; a change to None leaves the field out."""
    fields = {
        "orderId": order_id,
        "symbol": "AAPL",
        "side": "BUY",
        "quantity": 100,
        "price": 145.5,
        "counterparty": "ACME",
        "created_at": "2026-02-14T10:30:45Z",
    } | changes
    return json.dumps({name: value for name, value in fields.items() if value is not None}).encode()


def order(order_id: str = "ORD-1", **changes: Any) -> ValidatedOrder:
    return schema.decode(body(order_id, **changes), "application/json", RECEIVED)


def arrival(order_id: str = "ORD-1", **changes: Any) -> Arrival:
    return Arrival(order(order_id, **changes), f"m-{order_id}")


def answer(outcome: Outcome, **changes: Any) -> Answer:
    fields = {
        "outcome": outcome,
        "route": "NASDAQ-EXECUTION-1" if outcome is Outcome.ACCEPTED else None,
        "http_status": 200 if outcome is Outcome.ACCEPTED else 503,
        "latency_ms": 1.5,
        "error": "" if outcome is Outcome.ACCEPTED else "the router said no",
        "retry_after": None,
    } | changes
    return Answer(**fields)


def attempt(work: Claimed, outcome: Outcome = Outcome.ACCEPTED, **changes: Any) -> Attempt:
    return Attempt(str(uuid4()), work, "http://router:8082", answer(outcome, **changes), time.monotonic())


def far_deadline() -> float:
    return time.monotonic() + 30
