"""Routing what waits in the book, without a queue: the work of `retry_pending_routes`."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from uuid import uuid4

from django.conf import settings

from orders import status_cache, tracing
from orders.lifecycle import Status
from orders.sql import Sql, SqlUnavailable
from orders.stores.choice import open_store
from routing import claims
from routing.assembly import Routing
from routing.claims import Waiting
from routing.lane import Lane
from routing.reactor import Reactor
from routing.settled import Settled
from routing.sql_gate import SqlGate
from routing.stop_signals import StopSignals

_BATCH = 200
_CHECK = 0.02


class RouterUnknown(Exception):
    """The service registry has not named a router, so nothing was taken."""


@dataclass(slots=True)
class Summary:
    """Orders taken, and what became of them.

    `lost`: another process settled them meanwhile; `released`: given up before a call, because of a signal.
    """

    taken: int = 0
    routed: int = 0
    parked: int = 0
    lost: int = 0
    released: int = 0

    @property
    def done(self) -> int:
        return self.routed + self.parked + self.lost + self.released

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


def waiting(*, most: int) -> tuple[list[Waiting], int]:
    """What a run would take now: the longest waiting ones, at most so many, and how many in all.

    Writes nothing. Raises `SqlUnavailable`.
    """
    sql = Sql(patience=settings.CONFIG.router.timeout)
    try:
        return claims.waiting(sql, limit=most)
    finally:
        sql.close()


class Retry:
    """One run: claims due orders a batch at a time until none is due. Any number may run at once.

    A first signal has it finish what is in flight within `service.drain_timeout`, a second one ends it at once.
    While SQL is away what is in flight waits, as long as its claims last.
    """

    def __init__(self, signals: StopSignals, on_progress: Callable[[Summary], None]) -> None:
        config = settings.CONFIG
        self.summary = Summary()
        self._signals = signals
        self._on_progress = on_progress
        self._actor = f"retry@{socket.gethostname()}:{os.getpid()}"
        self._hold = config.router.claim
        self._claim = uuid4()  # the same again where an answer was lost
        self._overdue: object | None = None
        self._reactor = Reactor()
        self._lane = Lane(self._reactor, Sql(patience=config.router.timeout))
        self._stores_sql = Sql(patience=config.router.timeout)  # connected only where the cache is a table
        self._cache = status_cache.from_settings(open_store(config.cache_store, run=self._stores_sql.run))
        self._gate = SqlGate(self._reactor, self._lane)
        self._gate.listen(self._on_gate)
        # The consumers' relay publishes what is routed here.
        publish_in = 0.0 if config.mq.producer_queue else None
        self._routing = Routing(
            self._reactor,
            self._lane,
            self._gate,
            publish_in=publish_in,
            actor=self._actor,
            on_settled=self._on_settled,
            on_ready=self._begin,
        )

    def run(self) -> Summary:
        """Raises `SqlUnavailable` when the book cannot be reached, `RouterUnknown`."""
        try:
            self._lane.sql.run("/* ping */ SELECT 1", {})
            self._routing.start()
            self._reactor.run()
        finally:
            self._lane.close()
            self._routing.close()
            self._reactor.close()
            self._stores_sql.close()
            tracing.flush()
        return self.summary

    def _begin(self) -> None:
        if self._routing.discovery.current is None:
            self._reactor.fail(RouterUnknown("the service registry has not named a router, the log says why"))
        else:
            self._lane.soon(self._turn)

    def _turn(self) -> None:
        if self._signals.received():
            self._stop()
        if self._signals.count or not self._take():
            self._reactor.soon(self._stop_if_done)
        self._reactor.call_later(_CHECK, partial(self._lane.soon, self._turn))

    def _stop_if_done(self) -> None:
        if self._gate.open and self._routing.dispatcher.idle:
            self._reactor.stop()

    def _take(self) -> int:
        dispatcher = self._routing.dispatcher
        room = min(dispatcher.room_for_due, _BATCH)
        if not self._gate.open or room == 0:
            return 0
        try:
            due = claims.claim_due(
                self._lane.sql, limit=room, hold=self._hold, actor=self._actor, claim=self._claim
            )
        except SqlUnavailable as error:
            self._gate.close(error)
            return 0
        self._claim = uuid4()
        self.summary.taken += len(due)
        dispatcher.submit(due)
        return len(due)

    def _stop(self) -> None:
        if self._signals.count > 1:
            self._reactor.stop()
            return
        self._routing.dispatcher.drain()
        self._reactor.call_later(settings.CONFIG.service.drain_timeout, self._reactor.stop)

    def _on_gate(self, is_open: bool) -> None:
        if self._overdue is not None:
            self._reactor.remove_timeout(self._overdue)
            self._overdue = None
        if not is_open:
            away = SqlUnavailable(f"it has been away for {self._hold:g} s, and all claims have run out")
            self._overdue = self._reactor.call_later(self._hold, lambda: self._reactor.fail(away))

    def _on_settled(self, settled: Sequence[Settled]) -> None:
        changed = [end for end in settled if end.change]
        if changed:
            self._cache.write([end.record(self._cache) for end in changed])
        routed = sum(end.status is Status.ROUTED for end in changed)
        released = sum(end.released for end in settled)
        self.summary.routed += routed
        self.summary.parked += len(changed) - routed
        self.summary.released += released
        self.summary.lost += len(settled) - len(changed) - released
        self._on_progress(self.summary)
