"""Routing what waits in the book, without a queue: the work of `retry_pending_routes`."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from django.conf import settings

from orders import status_cache
from orders.lifecycle import Status
from orders.sql import Sql, SqlUnavailable
from orders.stores.choice import open_store
from routing import claims
from routing.assembly import Routing
from routing.dispatch import Settled
from routing.reactor import Reactor
from routing.sql_gate import SqlGate

logger = logging.getLogger(__name__)

_BATCH = 200
_CHECK = 0.02


@dataclass(slots=True)
class Summary:
    """Orders taken, and what became of them; `lost`: another process settled them meanwhile."""

    taken: int = 0
    routed: int = 0
    parked: int = 0
    lost: int = 0

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


class Retry:
    """One run: claims due orders a batch at a time until none is due. Any number may run at once."""

    def __init__(self, on_progress: Callable[[Summary], None]) -> None:
        config = settings.CONFIG
        self.summary = Summary()
        self._on_progress = on_progress
        self._actor = f"retry@{socket.gethostname()}:{os.getpid()}"
        self._hold = config.router.claim
        self._reactor = Reactor()
        self._sql = Sql(patience=config.router.timeout)
        self._cache = status_cache.from_settings(open_store(config.cache_store, run=self._sql.run))
        gate = SqlGate(self._reactor, self._sql)
        # The consumers' relay publishes what is routed here.
        publish_in = 0.0 if config.mq.producer_queue else None
        self._routing = Routing(
            self._reactor,
            self._sql,
            gate,
            publish_in=publish_in,
            actor=self._actor,
            on_settled=self._on_settled,
            on_ready=self._take,
        )

    def run(self) -> Summary:
        """Raises `SqlUnavailable` when the book cannot be reached."""
        self._routing.start()
        try:
            self._reactor.run()
        finally:
            self._routing.close()
            self._sql.close()
        return self.summary

    def _take(self) -> None:
        try:
            room = min(self._routing.dispatcher.room_for_due, _BATCH)
            due = claims.claim_due(self._sql, limit=room, hold=self._hold, actor=self._actor) if room else []
        except SqlUnavailable as error:
            self._reactor.fail(error)
            return
        self.summary.taken += len(due)
        self._routing.dispatcher.submit(due)
        if not due and self._routing.dispatcher.idle:
            self._reactor.stop()
        else:
            self._reactor.call_later(_CHECK, self._take)

    def _on_settled(self, settled: Sequence[Settled]) -> None:
        changed = [end for end in settled if end.change]
        if changed:
            self._cache.write([end.record(self._cache) for end in changed])
        for end in changed:
            if end.status is Status.ROUTED:
                self.summary.routed += 1
            else:
                self.summary.parked += 1
        self.summary.lost += len(settled) - len(changed)
        self._on_progress(self.summary)
