"""How the routing of an order ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from orders.lifecycle import Status

if TYPE_CHECKING:
    from orders.status_cache import StatusCache
    from orders.stores.port import Record
    from routing.claims import Claimed
    from routing.decisions import Change


class Settled(msgspec.Struct, frozen=True):
    """How the routing of an order ended. `change` is None where the order was no longer ours.

    `released`: it did not end, the claim was given up before a call.
    """

    work: Claimed
    status: Status
    change: Change | None
    attempt_id: str | None = None
    route: str | None = None
    released: bool = False

    def record(self, cache: StatusCache) -> Record:
        """The cache's record of the state it was left in; only where it has changed."""
        if self.change is None:
            raise ValueError(f"order {self.work.order.order_id} was not changed")
        return cache.record(
            self.work.order,
            self.work.core,
            status=self.status,
            route=self.route,
            version=self.change.version,
            updated_at=self.change.at,
            routed_at=self.change.at if self.status is Status.ROUTED else None,
            written_at=self.change.at,
        )
