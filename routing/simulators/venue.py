"""What a router decides and remembers: routes, and how often each order was executed. Pure."""

from __future__ import annotations

import hashlib
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class _Asked:
    """What came under one idempotency key; `route` None: nothing was decided, or it was refused.

    `traceparent`: of the last request.
    """

    order_id: str
    body: bytes
    requests: int = 0
    executions: int = 0
    route: str | None = None
    refused: bool = False
    traceparent: str | None = None


class KeyConflict(Exception):
    """The idempotency key was used before with another body."""


class Venue:
    """Executes each idempotency key once; a request without a key every time it comes."""

    def __init__(self, routes: Sequence[str]) -> None:
        self._routes = routes
        self._asked: dict[str, _Asked] = {}
        self._happened: Counter[str] = Counter()

    def receive(self, key: str | None, order_id: str, body: bytes, traceparent: str | None = None) -> str:
        """Count a request; the key under which it goes on. Raises `KeyConflict`."""
        name = key or order_id
        digest = hashlib.blake2b(body, digest_size=16).digest()
        asked = self._asked.setdefault(name, _Asked(order_id, digest))
        asked.requests += 1
        asked.traceparent = traceparent
        if key and asked.body != digest:
            self._happened["conflict"] += 1
            raise KeyConflict(f"Idempotency-Key {key!r} came before with another body")
        return name

    def execute(self, name: str, *, again: bool) -> str | None:
        """Execute what came under `name`, unless it was before (or `again`); its route, None: refused."""
        asked = self._asked[name]
        if asked.refused:
            return None
        if asked.route is None or again:
            asked.route = self._routes[zlib.crc32(name.encode()) % len(self._routes)]
            asked.executions += 1
        return asked.route

    def refuse(self, name: str) -> None:
        """Refuse what came under `name`, for good, unless it was executed before."""
        asked = self._asked[name]
        asked.refused = asked.route is None

    def note(self, happened: str) -> None:
        """Count one outcome of a request."""
        self._happened[happened] += 1

    def report(self) -> dict[str, Any]:
        """Requests and executions in all, per order and per key; how many requests ended in which way."""
        orders: dict[str, dict[str, int]] = {}
        for asked in self._asked.values():
            order = orders.setdefault(asked.order_id, {"requests": 0, "executions": 0})
            order["requests"] += asked.requests
            order["executions"] += asked.executions
        return {
            "totals": {
                "requests": sum(asked.requests for asked in self._asked.values()),
                "executions": sum(asked.executions for asked in self._asked.values()),
                "executed_twice": sum(order["executions"] > 1 for order in orders.values()),
                **self._happened,
            },
            "orders": orders,
            "keys": {
                name: {
                    "orderId": asked.order_id,
                    "requests": asked.requests,
                    "executions": asked.executions,
                    "route": asked.route,
                    "traceparent": asked.traceparent,
                }
                for name, asked in self._asked.items()
            },
        }
