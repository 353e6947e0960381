"""Where an order's time went, stage by stage: noted while it is routed, kept with its route, shown on its page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from routing.models import OrderRoute

# The stages up to the call, in the order of `OrderRoute.stages_ms`.
_NOTED = (
    "waiting for a batch",
    "decoding, with its batch",
    "writing to SQL, with its batch",
    "writing to the cache, with its batch",
    "waiting for a call slot, failed calls among it",
)


class Ledger(msgspec.Struct, frozen=True):
    """Milliseconds from the arrival of an order's message; `ready`: when it could be called for, monotonic seconds."""

    wait: float
    decode: float
    sql: float
    cache: float
    ready: float

    def text(self, called: float) -> str:
        """As a PostgreSQL array, of an order whose call began at `called` (monotonic)."""
        slot = 1000 * (called - self.ready)
        return f"{{{self.wait:.3f},{self.decode:.3f},{self.sql:.3f},{self.cache:.3f},{slot:.3f}}}"


def stages(route: OrderRoute) -> list[tuple[str, float]]:
    """Each stage of a routed order with its milliseconds, empty where they were not noted.

    The last two come from the book's own times: until the answer was written, and until its publication was
    confirmed.
    """
    if route.stages_ms is None or route.latency_ms is None:
        return []
    noted = list(zip(_NOTED, route.stages_ms, strict=True))
    until_written = 1000 * (route.decided_at - route.order.placed_at).total_seconds()
    waited = max(0.0, until_written - sum(route.stages_ms[2:]) - route.latency_ms)
    shown = [*noted, ("asking the router", route.latency_ms), ("waiting to be written", waited)]
    if route.published_at:
        published = 1000 * (route.published_at - route.decided_at).total_seconds()
        shown.append(("writing the route, publishing", max(0.0, published)))
    return shown
