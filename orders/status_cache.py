"""The status of an order, readable without SQL. Never the authority.

A record holds the spec's document as `value`, beside it the fields one may want to query by. An older version
never overwrites a newer one; what is not final and was written long ago counts as a miss.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from django.conf import settings

from orders import documents, tracing
from orders.lifecycle import FINAL, Status
from orders.stores.choice import open_store
from orders.stores.port import Record, StoreUnavailable
from orders.stores.postgresql import run_in_django

if TYPE_CHECKING:
    from orders.models import Order
    from orders.schema import ValidatedOrder
    from orders.stores.port import Bins, Read, Store
    from orders.tracing import Attributes, Trace

logger = logging.getLogger(__name__)


class StatusCache:
    """`key_pattern` holds {orderId}; `ttl`, the life of a record, and `max_age` in seconds."""

    def __init__(self, store: Store, *, key_pattern: str, ttl: int, max_age: float) -> None:
        self.store = store
        self._prefix, _, self._suffix = key_pattern.partition("{orderId}")
        self.ttl = ttl
        self._max_age = max_age

    def key(self, order_id: str) -> str:
        return f"{self._prefix}{order_id}{self._suffix}"

    def record(
        self,
        order: ValidatedOrder | Order,
        core: documents.Fragments,
        *,
        status: Status,
        route: str | None,
        version: int,
        updated_at: datetime,
        routed_at: datetime | None,
        written_at: datetime,
    ) -> Record:
        """The record of an order in this state; `core`: its encoded fields.

        `written_at`: now, by SQL's clock where that has just been told: a worker's own may be wrong.
        """
        bins: Bins = {
            "value": documents.status_document(core, status=status, route=route, updated_at=updated_at),
            "status": status.value,
            "symbol": order.symbol,
            "counterparty": order.counterparty,
            "created_at": documents.time_text(order.created_at),
            "routed_at": documents.time_text(routed_at) if routed_at else None,
            "written_at": int(written_at.timestamp()),
        }
        return Record(self.key(order.order_id), bins, version, self.ttl)

    def write(self, records: Sequence[Record], traces: Sequence[Trace | None] = ()) -> None:
        """Write what can be written; SQL serves what cannot. The store says in the log when it is down."""
        began, failure = time.monotonic(), None
        try:
            self.store.write(records)
        except StoreUnavailable as error:
            failure = type(error).__name__
        attributes: Attributes = {
            "db.system.name": self.store.name,
            "db.operation.name": "write",
            "db.operation.batch.size": len(records),
        }
        tracing.record("Aerospike Write", traces, began, attributes, error=failure)

    def record_of(self, order: Order) -> Record:
        """The record of an order as the book has it."""
        return self.record(
            order,
            documents.encode_core(order),
            status=Status(order.status),
            route=order.route,
            version=order.version,
            updated_at=order.updated_at,
            routed_at=order.routed_at,
            written_at=datetime.now(UTC),
        )

    def put(self, order: Order) -> None:
        """Write the state of an order as the book has it."""
        self.write([self.record_of(order)])

    def records(self, order_ids: Sequence[str]) -> dict[str, Read]:
        """What is held of these orders, by order id, fresh or not. Raises `StoreUnavailable`."""
        keys = {self.key(order_id): order_id for order_id in order_ids}
        return {keys[key]: bins for key, bins in self.store.read(list(keys)).items()}

    def get(self, order_id: str) -> str | None:
        """The API's document of the order, None when it is not here, too old or not to be had."""
        key = self.key(order_id)
        try:
            bins = self.store.read([key]).get(key)
        except StoreUnavailable:
            return None
        if bins is None:
            return None
        try:
            if not self._fresh(bins):
                return None
            return documents.api_document_from_cache(bins["value"], bins.get("routed_at"))
        except (KeyError, ValueError) as error:
            logger.warning("status cache holds something else under %s: %s", key, error)
            return None

    def _fresh(self, bins: Read) -> bool:
        return bins["status"] in FINAL or abs(time.time() - int(bins["written_at"])) <= self._max_age


def from_settings(store: Store | None = None) -> StatusCache:
    """The cache that the configuration names; on Django's own connection unless a `store` is given."""
    config = settings.CONFIG
    return StatusCache(
        store or open_store(config.cache_store, run=run_in_django),
        key_pattern=config.aerospike.key_pattern,
        ttl=config.aerospike.ttl_seconds,
        max_age=config.cache.max_age,
    )
