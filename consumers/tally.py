"""What one worker has done since it started: for its summary, and for the metrics."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from consumers import metrics
from consumers.models import Reason
from consumers.transport import Outcome

# Looked up once, and there with a 0 before the first one: rates need that.
_consumed = cache(metrics.orders_consumed.labels)
_rejected = {reason: metrics.messages_rejected.labels(reason.value) for reason in Reason}
_answered = {outcome: metrics.publications.labels(outcome.value) for outcome in Outcome}

# The most recent ones: enough for a 99th percentile, and memory stays flat.
_LATENCIES = 10_000


@dataclass(slots=True)
class Tally:
    """Counts of messages and orders; latencies from consume to route in seconds."""

    taken: int = 0
    duplicates: int = 0
    rejected: int = 0
    routed: int = 0
    published: int = 0
    pending: int = 0
    latencies: deque[float] = field(default_factory=lambda: deque(maxlen=_LATENCIES))
    first_at: float | None = None
    last_at: float | None = None

    def expect(self, queues: Iterable[str]) -> None:
        """These are counted from 0 on, before their first message."""
        for queue in queues:
            _consumed(queue)

    def arrived(self, at: float, queue: str) -> None:
        self.taken += 1
        _consumed(queue).inc()
        if self.first_at is None:
            self.first_at = at

    def routed_after(self, arrived: float | None) -> None:
        """An order was routed now; `arrived`: when its message came, None where none did."""
        self.routed += 1
        self.last_at = time.monotonic()
        if arrived is not None:
            self.latencies.append(self.last_at - arrived)
            metrics.order_entry_latency_ms.observe(1000 * (self.last_at - arrived))

    def duplicate(self) -> None:
        self.duplicates += 1
        metrics.orders_duplicate.inc()

    def reject(self, reason: Reason) -> None:
        self.rejected += 1
        _rejected[reason].inc()

    def answered(self, outcome: Outcome) -> None:
        """The routed queue has said what became of a publication."""
        if outcome is Outcome.CONFIRMED:
            self.published += 1
        _answered[outcome].inc()

    def summary(self) -> dict[str, Any]:
        """Counts, `seconds` from first arrival to last route, `latency_ms` percentiles, None where unknown."""
        seconds = (
            self.last_at - self.first_at if self.first_at is not None and self.last_at is not None else 0.0
        )
        ordered = sorted(self.latencies)
        return {
            "taken": self.taken,
            "duplicates": self.duplicates,
            "rejected": self.rejected,
            "routed": self.routed,
            "published": self.published,
            "pending": self.pending,
            "seconds": round(seconds, 3),
            "orders_per_second": round(self.routed / seconds, 1) if seconds > 0 else None,
            "latency_ms": {"p50": _percentile(ordered, 0.50), "p99": _percentile(ordered, 0.99)},
        }


def _percentile(ordered: list[float], share: float) -> float | None:
    if not ordered:
        return None
    return round(1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))], 2)
