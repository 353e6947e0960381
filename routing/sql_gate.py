"""SQL as the loop sees it: there, or away until a timed probe finds it again."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from orders import backoff
from orders.sql import SqlUnavailable

if TYPE_CHECKING:
    from routing.lane import Lane
    from routing.reactor import Reactor

logger = logging.getLogger(__name__)

_BASE, _CAP = 0.1, 5.0
# Open for this long counts as recovered: a database that answers probes but refuses writes does not.
_RECOVERED = 10.0


class SqlGate:
    """Closed by whoever meets `SqlUnavailable`; tells its listeners when it closes and when it opens again.

    A step that fails keeps what it was to write and is called again when the gate opens: nothing waits inside it.
    """

    def __init__(self, reactor: Reactor, lane: Lane) -> None:
        self.open = True
        self._reactor = reactor
        self._lane = lane
        self._tries = 0
        self._opened_at = time.monotonic()
        self._listeners: list[Callable[[bool], None]] = []

    def listen(self, on_change: Callable[[bool], None]) -> None:
        self._listeners.append(on_change)

    def close(self, error: SqlUnavailable) -> None:
        if not self.open:
            return
        self.open = False
        if time.monotonic() - self._opened_at > _RECOVERED:
            self._tries = 0
        logger.warning("SQL is away, work waits: %s", error)
        self._tell()
        self._probe_later()

    def _probe_later(self) -> None:
        self._tries += 1
        wait = backoff.delay(self._tries, base=_BASE, cap=_CAP)
        self._reactor.call_later(wait, partial(self._lane.soon, self._probe))

    def _probe(self) -> None:
        try:
            self._lane.sql.run("/* ping */ SELECT 1", {})
        except SqlUnavailable:
            self._probe_later()
            return
        logger.info("SQL is back")
        self.open = True
        self._opened_at = time.monotonic()
        self._tell()

    def _tell(self) -> None:
        for listener in self._listeners:
            listener(self.open)
