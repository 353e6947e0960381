"""How far this consumer group has come in each queue, kept in the store: `consumerOffset:{group}:{queue}`.

The record says which message was settled last, how many were, and when; for a stream also the offset up to which
all are settled, from which a restart resumes. It is written about once a second, not per message: what was
settled since comes again after a crash, and SQL drops the repeats.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from consumers.quarantine import message_id_of
from orders.stores.port import Record, StoreUnavailable

if TYPE_CHECKING:
    from consumers.transport import Delivery
    from orders.stores.port import Read, Store

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Position:
    last_message: str = ""
    count: int = 0
    offset: int | None = None
    version: int = 0
    changed: bool = False


@dataclass(slots=True, frozen=True)
class StreamPosition:
    """One stream's position, for whoever reads the stream."""

    offsets: Offsets
    queue: str

    def resume_after(self) -> int | None:
        return self.offsets.offset(self.queue)

    def reached(self, offset: int) -> None:
        self.offsets.reached(self.queue, offset)


class Offsets:
    """The positions of `group` in the queues this process consumes."""

    def __init__(self, store: Store, *, group: str) -> None:
        self._store = store
        self._group = group
        self._positions: dict[str, _Position] = {}

    def key(self, queue: str) -> str:
        return f"consumerOffset:{self._group}:{queue}"

    def read(self, queue: str) -> Read | None:
        """What the store holds of `queue`. Raises `StoreUnavailable`."""
        key = self.key(queue)
        return self._store.read([key]).get(key)

    def load(self, queue: str) -> None:
        """Begin where the group left `queue`. Raises `StoreUnavailable`."""
        known = self.read(queue)
        position = self._positions[queue] = _Position()
        if known is not None:
            position.count = int(known.get("count", 0))
            position.last_message = known.get("last_message", "")
            position.offset = int(known["offset"]) if "offset" in known else None
            position.version = int(known["version"])

    def offset(self, queue: str) -> int | None:
        """The offset up to which all of a stream is settled."""
        return self._positions[queue].offset

    def settled(self, deliveries: Sequence[Delivery]) -> None:
        """These have been acknowledged."""
        for delivery in deliveries:
            position = self._positions.setdefault(delivery.queue, _Position())
            position.count += 1
            position.changed = True
        for queue, last in {delivery.queue: delivery for delivery in deliveries}.items():
            self._positions[queue].last_message = message_id_of(last)

    def reached(self, queue: str, offset: int) -> None:
        """Everything of a stream up to `offset` is settled."""
        position = self._positions.setdefault(queue, _Position())
        position.offset = offset
        position.changed = True

    def flush(self) -> None:
        """Write what has changed; a store that is away is tried again next time."""
        changed = {queue: position for queue, position in self._positions.items() if position.changed}
        if not changed:
            return
        try:
            self._store.write([self._record(queue, position) for queue, position in changed.items()])
        except StoreUnavailable as error:
            logger.debug("consumer offsets not written: %s", error)
            return
        for position in changed.values():
            position.changed = False

    def write(self, queue: str, offset: int | None) -> None:
        """Have the group resume after `offset`, None: at the beginning. Raises `StoreUnavailable`."""
        known = self.read(queue)
        version = int(known["version"]) if known else 0
        position = _Position(last_message="set by hand", offset=offset, version=version)
        self._store.write([self._record(queue, position)])

    def forget(self, queue: str) -> None:
        """Another member consumes it from now on."""
        self._positions.pop(queue, None)

    def _record(self, queue: str, position: _Position) -> Record:
        # The clock, so that of several consumers of one queue the last one shows; never backwards, whosever it is.
        position.version = max(time.time_ns() // 1_000_000, position.version + 1)
        bins: dict[str, str | int | None] = {
            "last_message": position.last_message,
            "count": position.count,
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "offset": position.offset,
        }
        return Record(self.key(queue), bins, position.version, None)
