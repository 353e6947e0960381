"""The 24-hour fast path in front of the primary key, and never more than that.

A mark says that an order of this id and content was routed or parked: its redelivery need not ask SQL.
Only an equal digest skips; whatever else is found, or not, goes to SQL, which decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from django.conf import settings

from orders.stores.choice import open_store
from orders.stores.port import Record, StoreUnavailable
from orders.stores.postgresql import run_in_django

if TYPE_CHECKING:
    from orders.book import Arrival
    from orders.schema import ValidatedOrder
    from orders.stores.port import Store


class Idempotency:
    """`ttl` in seconds; `epoch` is raised after a restore of SQL, which makes all older marks void."""

    def __init__(self, store: Store, *, ttl: int, epoch: int) -> None:
        self.store = store
        self._ttl = ttl
        self._prefix = "idempotency:" if epoch == 1 else f"idempotency:{epoch}:"

    def key(self, order_id: str) -> str:
        return self._prefix + order_id

    def record(self, order: ValidatedOrder, message_id: str) -> Record:
        bins = {"messageId": message_id, "digest": order.digest.hex()}
        return Record(self.key(order.order_id), bins, 0, self._ttl)

    def recall(self, arrivals: Sequence[Arrival]) -> set[str]:
        """The order ids among `arrivals` that are marked with the same content."""
        keys = {self.key(arrival.order.order_id): arrival.order for arrival in arrivals}
        try:
            marks = self.store.read(list(keys))
        except StoreUnavailable:
            return set()  # SQL decides; the store says in the log when it is down.
        return {
            keys[key].order_id for key, bins in marks.items() if bins.get("digest") == keys[key].digest.hex()
        }

    def write(self, records: Sequence[Record]) -> None:
        with suppress(StoreUnavailable):
            self.store.write(records)


def from_settings(store: Store | None = None) -> Idempotency:
    """The marks that the configuration names; on Django's own connection unless a `store` is given."""
    config = settings.CONFIG
    return Idempotency(
        store or open_store(config.idempotency_store, run=run_in_django),
        ttl=config.idempotency.ttl,
        epoch=config.idempotency.epoch,
    )
