"""The pipeline, the dispatcher and the outbox: real ones on real SQL, with the least that keeps them going."""

from __future__ import annotations

import time
from collections import Counter

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
    def __init__(self, statements):
        super().__init__(patience=5)
        self.statements = statements

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
        self.acked = 0

    def deliver(self, pipeline, bodies, *, redelivered=False):
        self._open += len(bodies)
        for tag, message in enumerate(bodies):
            pipeline.on_delivery(
                Delivery("IN", tag, self, message, f"m-{tag}", "application/json", redelivered=redelivered)
            )

    def publish(self, messages, on_outcome):
        self._reactor.call_later(0, lambda: [on_outcome(i, Outcome.CONFIRMED) for i in range(len(messages))])

    def pause(self):
        """Nothing comes of itself."""

    resume = pause

    def ack(self, deliveries):
        self.acks += 1
        self.acked += len(deliveries)
        self._open -= len(deliveries)
        if not self._open:
            self._reactor.stop()


class BareWorker:
    def __init__(self):
        self.reactor = Reactor()
        self.store, self.queue = CountedStore(), Queue(self.reactor)
        self.statements = Counter()
        self.lane, self._settling = (Lane(self.reactor, CountedSql(self.statements)) for _ in range(2))
        self.gate = gate = SqlGate(self.reactor, self.lane)
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
            self.lane,
            gate,
            cache,
            Idempotency(self.store, ttl=60, epoch=1),
            Offsets(self.store, group="cost"),
            tally,
            limits=limits,
            actor="cost",
            passed=lambda _: None,
        )
        self.dispatcher = Dispatcher(
            self.reactor,
            self._settling,
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
            self.lane.sql,
            gate,
            tally,
            batch_size=BATCH,
            republish_after=30.0,
            mark=self.dispatcher.published,
        )
        self.pipeline.attach(self.dispatcher, outbox)

    def take(self, prefix, count=BATCH):
        self.deliver(prefix, count)
        self.reactor.run()

    def deliver(self, prefix, count, *, redelivered=False):
        bodies = [body(f"{prefix}-{number}") for number in range(count)]
        self.queue.deliver(self.pipeline, bodies, redelivered=redelivered)

    def done(self):
        """Whether there is nothing left to do, as a worker that ends asks."""
        self.dispatcher.flush()
        return self.pipeline.idle

    def close(self):
        self.lane.close()
        self._settling.close()
        self.reactor.close()
