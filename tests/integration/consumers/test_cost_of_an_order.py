"""What an order costs on its way through the whole worker, counted, not timed: statements, store calls, objects.

The pipeline, the dispatcher and the outbox are the real ones, on real SQL; queue, store and router are the least that
keeps them going, so that what is counted is the service's own.
"""

from __future__ import annotations

import gc
import sys
import time
from collections import Counter

import pytest
from django.db import connections

from consumers.idempotency import Idempotency
from consumers.offsets import Offsets
from consumers.outbox import Outbox
from consumers.pipeline import Limits, Pipeline
from consumers.tally import Tally
from consumers.transport import Delivery, Outcome
from orders.sql import Sql
from orders.status_cache import StatusCache
from routing.breaker import Breaker
from routing.dispatch import Dispatcher
from routing.fleet import Fleet
from routing.lane import Lane
from routing.models import Outcome as Decision
from routing.policy import Policy
from routing.reactor import Reactor
from routing.registry import Instance
from routing.router import Answer
from routing.sql_gate import SqlGate
from tests.builders import body

BATCH = 100
ACCEPTED = Answer(Decision.ACCEPTED, "NASDAQ-EXECUTION-1", 200, 1.0, "", None)


class CountedSql(Sql):
    def __init__(self):
        super().__init__(patience=5)
        self.statements = Counter()

    def run(self, statement, parameters):
        self.statements[statement.partition("*/")[0].strip("/* ")] += 1
        return super().run(statement, parameters)


class CountedStore:
    name = "counted"

    def __init__(self):
        self.calls = Counter()

    def write(self, records):
        self.calls["write"] += 1

    def read(self, keys):
        self.calls["read"] += 1
        return {}


class Router:
    """Answers every call on the loop's next turn."""

    def __init__(self, reactor):
        self._reactor = reactor
        self._asked = []
        self.free = BATCH

    def post(self, endpoint, body, *, idempotency_key, traceparent, on_answer):
        self.free -= 1
        self._asked.append(on_answer)
        if len(self._asked) == 1:
            self._reactor.call_later(0, self._answer)

    def _answer(self):
        asked, self._asked = self._asked, []
        self.free += len(asked)
        for on_answer in asked:
            on_answer(ACCEPTED)


class Queue:
    """Confirms what is published on the loop's next turn; ends the loop when all it delivered is acknowledged."""

    def __init__(self, reactor):
        self._reactor = reactor
        self._open = 0
        self.acks = 0

    def deliver(self, pipeline, bodies):
        self._open += len(bodies)
        for tag, message in enumerate(bodies):
            pipeline.on_delivery(Delivery("IN", tag, self, message, f"m-{tag}", "application/json"))

    def publish(self, messages, on_outcome):
        self._reactor.call_later(0, lambda: [on_outcome(i, Outcome.CONFIRMED) for i in range(len(messages))])

    def ack(self, deliveries):
        self.acks += 1
        self._open -= len(deliveries)
        if not self._open:
            self._reactor.stop()


class Worker:
    def __init__(self):
        self.reactor = Reactor()
        self.sql, self.store, self.queue = CountedSql(), CountedStore(), Queue(self.reactor)
        lane = Lane(self.reactor, self.sql)
        gate = SqlGate(self.reactor, lane)
        fleet = Fleet(lambda: Breaker(failures=10, base=1.0, cap=30.0))
        fleet.update([Instance("http://router")], now=time.monotonic())
        cache = StatusCache(self.store, key_pattern="orderStatus:{orderId}", ttl=60, max_age=60.0)
        tally = Tally()
        limits = Limits(
            batch_size=BATCH,
            in_flight=BATCH,
            max_retries=3,
            hold=30.0,
            publish_grace=30.0,
            publishes=True,
            rate=1e6,
        )
        self.pipeline = Pipeline(
            self.reactor,
            self.queue,
            lane,
            gate,
            cache,
            Idempotency(self.store, ttl=60, epoch=1),
            Offsets(self.store, group="cost"),
            tally,
            limits=limits,
            actor="cost",
            passed=lambda _: None,
        )
        dispatcher = Dispatcher(
            self.reactor,
            lane,
            gate,
            Router(self.reactor),
            fleet,
            policy=Policy(timeout=2.0, max_retries=3, honours_idempotency_key=True, base=0.1, cap=300.0),
            publish_in=30.0,
            actor="cost",
            on_settled=self.pipeline.on_settled,
            passed=lambda _: None,
        )
        outbox = Outbox(
            self.queue,
            self.sql,
            gate,
            tally,
            batch_size=BATCH,
            republish_after=30.0,
            mark=dispatcher.published,
        )
        self.pipeline.attach(dispatcher, outbox)

    def take(self, prefix, count=BATCH):
        self.queue.deliver(self.pipeline, [body(f"{prefix}-{number}") for number in range(count)])
        self.reactor.run()

    def close(self):
        self.sql.close()
        self.reactor.close()


@pytest.fixture
def worker(database, monkeypatch):
    monkeypatch.setitem(connections["default"].settings_dict, "HOST", database.host)
    monkeypatch.setitem(connections["default"].settings_dict, "NAME", database.name)
    worker = Worker()
    yield worker
    worker.close()


def test_a_batch_costs_two_statements_and_three_store_calls_however_many_orders_it_holds(worker):
    worker.take("A")
    worker.take("B", 1)
    worker.take("C", 7)
    assert worker.sql.statements == {"place": 3, "settle_routed": 3}
    assert worker.store.calls == {"read": 3, "write": 6}
    assert worker.queue.acks == 3


def test_confirmed_publications_are_marked_by_the_statement_that_settles_the_next_batch(worker, database):
    worker.take("A")
    worker.take("B")
    with database.connect() as connection:
        marked = "SELECT count(*) FROM order_routes WHERE published_at IS NOT NULL AND order_id LIKE 'A-%'"
        assert connection.execute(marked).fetchone() == (BATCH,)


def test_a_routed_order_leaves_nothing_behind_and_makes_few_objects_on_its_way(worker):
    for number in range(3):
        worker.take(f"WARM{number}")
    peak = _Peak(worker.queue)
    gc.collect()
    gc.disable()
    try:
        before = sys.getallocatedblocks()
        for number in range(5):
            worker.take(f"ORD{number}")
        after = sys.getallocatedblocks()
    finally:
        gc.enable()
    # Each is among the recent latencies, and its attempt's id in a timer for the time of grace: both lists have an end.
    assert (after - before) / (5 * BATCH) < 4, "blocks an order leaves behind"
    assert max(peak.blocks) / BATCH < 50, "blocks an order holds when all of its batch are answered"


class _Peak:
    """Blocks allocated since a batch was delivered, when it is acknowledged: all its objects are still there."""

    def __init__(self, queue):
        self.blocks = []
        deliver, publish = queue.deliver, queue.publish

        def delivering(pipeline, bodies):
            self._before = sys.getallocatedblocks()
            deliver(pipeline, bodies)

        def publishing(messages, on_outcome):
            self.blocks.append(sys.getallocatedblocks() - self._before)
            publish(messages, on_outcome)

        queue.deliver, queue.publish = delivering, publishing
