"""One consumer process: its parts, put together, and its end."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import signal
import socket
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from django.conf import settings

from consumers import idempotency, token_policy
from consumers.offsets import Offsets
from consumers.outbox import Outbox
from consumers.pipeline import Limits, Pipeline
from consumers.tally import Tally
from consumers.transports import make_worker_transport
from consumers.worker_states import WorkerReports
from orders import avro, status_cache, tracing
from orders.sql import Sql
from orders.stores.choice import open_store
from orders.stores.port import StoreUnavailable
from orders.stores.postgresql import PostgresStore
from routing import assembly
from routing.lane import Lane
from routing.reactor import Reactor
from routing.sql_gate import SqlGate

if TYPE_CHECKING:
    from consumers.snapshots import Snapshots
    from orders.stores.port import Store

logger = logging.getLogger(__name__)

# How often the book is swept for orders that wait and routes that are unpublished, seconds.
SWEEP_INTERVAL = 1.0
# The next one where there may be more than there were call slots, or than a batch of the relay holds.
_SWEEP_AGAIN = 0.1
_IDLE_CHECK = 0.02
_TIDY_INTERVAL, _TIDY_LIMIT = 10.0, 2000
# Objects made and not freed between two collections: some batches' worth.
_GARBAGE = 20_000
# A statement gets this long even where the router is asked to be quicker, seconds.
_LEAST_PATIENCE = 0.5


class Worker:
    """`once`: stop when the queue, the book's due orders and the outbox are empty.

    `share`: this is one of so many processes of the instance, which has one rate limit.
    `passed` is told each of `pipeline.STEPS` that is done. `snapshots`: where its metrics go.
    """

    def __init__(
        self,
        *,
        queue: str | None = None,
        once: bool = False,
        share: int = 1,
        passed: Callable[[str], None] = lambda _: None,
        snapshots: Snapshots | None = None,
    ) -> None:
        config = settings.CONFIG
        actor = f"{config.service.name}@{socket.gethostname()}:{os.getpid()}"
        # A folder of schemas that cannot be read is found now, not at the first Avro message.
        avro.schemas(config.mq.avro_schemas)
        # Without its keys every message with a token would be quarantined.
        token_policy.keys()
        self._snapshots = snapshots
        self._once = once
        self._interval = _SWEEP_AGAIN if once else SWEEP_INTERVAL
        self._drain_timeout = config.service.drain_timeout
        self._stopping = False
        self.tally = Tally()
        self.tally.expect([queue] if queue else config.mq.queues)
        self._reactor = Reactor()
        patience = max(_LEAST_PATIENCE, min(config.router.timeout, config.mq.heartbeat / 4))
        # Orders are placed while others are settled: each on a connection of its own.
        self._lane = Lane(self._reactor, Sql(patience=patience))
        self._settling = Lane(self._reactor, Sql(patience=patience))
        # Connected only where the stores are tables.
        self._stores_sql = Sql(patience=patience)
        self._gate = gate = SqlGate(self._reactor, self._lane)
        self._reports = WorkerReports(self._lane.sql, actor)
        cache_store, mark_store = self._stores()
        self._both_stores = {id(store): store for store in (cache_store, mark_store)}.values()
        self._offsets = Offsets(mark_store, group=config.mq.consumer_group)
        publishes = config.mq.producer_queue is not None
        self._transport = make_worker_transport(
            self._reactor, publish=publishes, queue=queue, offsets=self._offsets
        )
        self._publishes = publishes
        self._pipeline = Pipeline(
            self._reactor,
            self._transport,
            self._lane,
            gate,
            status_cache.from_settings(cache_store),
            idempotency.from_settings(mark_store),
            self._offsets,
            self.tally,
            limits=Limits(
                batch_size=config.mq.batch_size,
                in_flight=config.router.in_flight,
                max_retries=config.mq.max_retries,
                hold=config.router.claim,
                publish_grace=config.mq.publish_grace,
                publishes=publishes,
                rate=config.service.rate_limit / share,
            ),
            actor=actor,
            passed=passed,
        )
        self._routing = assembly.Routing(
            self._reactor,
            self._settling,
            gate,
            publish_in=config.mq.republish_after if publishes else None,
            actor=actor,
            on_settled=self._pipeline.on_settled,
            # Not before: what arrives while no router is known would be parked.
            on_ready=lambda: self._transport.start(self._pipeline),
            passed=passed,
        )
        self._outbox = Outbox(
            self._transport,
            self._lane.sql,
            gate,
            self.tally,
            batch_size=config.mq.batch_size,
            republish_after=config.mq.republish_after,
            mark=self._routing.dispatcher.published,
        )
        self._pipeline.attach(self._routing.dispatcher, self._outbox)

    def run(self) -> Tally:
        """Work until told to stop (SIGTERM, SIGINT) or, with `once`, until all is done."""
        with self._reactor.on_signals({signal.SIGTERM, signal.SIGINT}, self._on_signal):
            self._check_stores()
            self._routing.start()
            # What there is by now stays until the end: the collector need not look through it again and again.
            gc.freeze()
            # Orders under way are no garbage, however many are made meanwhile.
            gc.set_threshold(_GARBAGE)
            self._sweep_in(self._interval)
            self._reactor.call_later(_TIDY_INTERVAL, self._tidy)
            try:
                self._reactor.run()
            finally:
                self._lane.close()
                self._settling.close()
                if self._gate.open:
                    self._reports.end()
                self._routing.close()
                self._lane.sql.close()
                self._stores_sql.close()
                self._beat()
                tracing.flush()
        return self.tally

    def stop(self) -> None:
        """Take no more, finish what is in flight within the drain timeout, close."""
        if self._stopping:
            return
        self._stopping = True
        logger.info("stopping: finishing what is in flight, at most %g s", self._drain_timeout)
        self._transport.pause()
        self._pipeline.drain()
        self._routing.dispatcher.drain()
        self._reactor.call_later(self._drain_timeout, self._close)
        self._close_when_idle()

    def _stores(self) -> tuple[Store, Store]:
        config = settings.CONFIG
        cache = open_store(config.cache_store, run=self._stores_sql.run)
        if config.idempotency_store == config.cache_store:
            return cache, cache
        return cache, open_store(config.idempotency_store, run=self._stores_sql.run)

    def _on_signal(self) -> None:
        """The first one stops in good order, a second one at once."""
        if self._stopping:
            self._reactor.stop()
        else:
            self.stop()

    def _sweep_in(self, seconds: float) -> None:
        self._reactor.call_later(seconds, partial(self._lane.soon, self._sweep))

    def _sweep(self) -> None:
        if self._stopping:
            return
        found = swept = self._pipeline.sweep()
        if self._publishes:
            found |= self._outbox.relay()
        self._routing.dispatcher.flush()
        self._offsets.flush()
        self._beat()
        if self._gate.open:
            self._reports.tell()
        if self._once and not found:
            self._reactor.soon(self._stop_if_done)
        again = swept or self._outbox.behind
        self._sweep_in(_SWEEP_AGAIN if again else self._interval)

    def _check_stores(self) -> None:
        """What is wrong with a store's set-up is said at start; work goes on, SQL serves."""
        for store in self._both_stores:
            with contextlib.suppress(StoreUnavailable):
                for finding in store.check():
                    logger.warning("%s", finding)

    def _tidy(self) -> None:
        """The embedded store hides what has expired; here it is deleted, a bounded number at a time."""
        config = settings.CONFIG
        if "postgresql" in (config.cache_store, config.idempotency_store):
            with contextlib.suppress(StoreUnavailable):
                PostgresStore(self._stores_sql.run).remove_expired(limit=_TIDY_LIMIT)
        self._reactor.call_later(_TIDY_INTERVAL, self._tidy)

    def _beat(self) -> None:
        if self._snapshots:
            self._snapshots.write()

    def _stop_if_done(self) -> None:
        if self._pipeline.idle:
            self._transport.depth(self._stop_if_empty)

    def _stop_if_empty(self, depth: int | None) -> None:
        if depth == 0 and self._pipeline.idle:
            self.stop()

    def _close_when_idle(self) -> None:
        if self._pipeline.idle:
            self._close()
        else:
            self._routing.dispatcher.flush()
            self._beat()
            self._reactor.call_later(_IDLE_CHECK, self._close_when_idle)

    def _close(self) -> None:
        self._offsets.flush()
        self._transport.stop(self._reactor.stop)
