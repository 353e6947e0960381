"""The way of an order, top to bottom.

    take → decode → recall → place → cache → route → settle → remember → publish → acknowledge

A message is only an arrival: from `place` on SQL owns the order, and whatever happens to the message, to its
channel or to this process, the order goes on from there. A message is acknowledged when its order is committed
as routed with its outbox row, or as parked, or when its body is quarantined; never before.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

from consumers import batch, metrics, order_log, quarantine
from consumers.acknowledging import Acknowledging
from consumers.batch import Batch, Job
from consumers.concluding import Concluding
from consumers.models import Reason
from consumers.placing import Placing
from consumers.quarantine import Rejection
from consumers.rate_limit import RateLimit
from orders import book
from orders.sql import SqlUnavailable
from routing import claims

if TYPE_CHECKING:
    from consumers.idempotency import Idempotency
    from consumers.offsets import Offsets
    from consumers.outbox import Outbox
    from consumers.tally import Tally
    from consumers.transport import Delivery, Transport
    from orders.status_cache import StatusCache
    from routing.dispatch import Dispatcher
    from routing.lane import Lane
    from routing.reactor import Reactor
    from routing.settled import Settled
    from routing.sql_gate import SqlGate

# Where an order has got to, in order: `passed` is told each when it is done, for a batch.
STEPS = (
    *("take", "decode", "recall", "place", "cache", "route"),
    *("settle", "remember", "publish", "confirm", "acknowledge"),
)


@dataclass(slots=True, frozen=True)
class Limits:
    """`batch_size` and `in_flight` count orders, `rate` orders a second; `hold` and `publish_grace` are seconds."""

    batch_size: int
    in_flight: int
    max_retries: int
    hold: float
    publish_grace: float
    publishes: bool
    rate: float


class Pipeline:
    """Listens to the transport; everything happens on the loop's thread, what needs SQL in `lane`."""

    def __init__(
        self,
        reactor: Reactor,
        transport: Transport,
        lane: Lane,
        gate: SqlGate,
        cache: StatusCache,
        idempotency: Idempotency,
        offsets: Offsets,
        tally: Tally,
        *,
        limits: Limits,
        actor: str,
        passed: Callable[[str], None],
    ) -> None:
        self._reactor = reactor
        self._transport = transport
        self._lane = lane
        self._sql = lane.sql
        self._gate = gate
        self._idempotency = idempotency
        self._tally = tally
        self._limits = limits
        self._actor = actor
        self._passed = passed
        self._messages = Acknowledging(
            reactor,
            transport,
            lane,
            gate,
            offsets,
            publish_grace=limits.publish_grace,
            passed=passed,
        )
        self._concluding = Concluding(
            cache, idempotency, tally, self._messages, publishes=limits.publishes, passed=passed
        )
        self._placing = Placing(
            lane.sql, cache, hold=limits.hold, tries=limits.max_retries, actor=actor, passed=passed
        )
        self._inbox: deque[Job] = deque()
        self._batch: Batch | None = None  # being placed; kept while SQL is away
        self._sweep_claim = uuid4()  # the same again where an answer was lost
        self._rate = RateLimit(limits.rate, now=time.monotonic())
        self._rests = False  # until the rate allows another one
        self._draining = False
        gate.listen(self._on_gate)

    def attach(self, dispatcher: Dispatcher, outbox: Outbox) -> None:
        """The two parts that call back into this one."""
        self._dispatcher = dispatcher
        self._outbox = outbox
        self._concluding.attach(outbox)

    @property
    def idle(self) -> bool:
        # A sweep is always to come; of one that ends nothing may be left under way.
        under_way = self._inbox or self._batch or (self._draining and self._lane.busy)
        return not under_way and self._messages.idle and self._dispatcher.idle and self._outbox.idle

    # Taking

    def on_delivery(self, delivery: Delivery) -> None:
        now = time.monotonic()
        self._tally.arrived(now, delivery.queue)
        self._inbox.append(Job(delivery, now))
        self._soon()

    def on_up(self) -> None:
        """Nothing to do: deliveries follow."""

    def on_down(self, reason: str, queue: str) -> None:
        """What has not been placed belongs to the ended session and comes again."""
        del reason
        self._inbox = deque(job for job in self._inbox if job.delivery.queue != queue)

    def drain(self) -> None:
        """Take no more; what has been placed goes its way."""
        self._draining = True
        self._inbox.clear()
        self._batch = None

    def sweep(self) -> bool:
        """Claim what waits in the book for routing. Whether there was anything."""
        room = min(self._dispatcher.room_for_due, self._limits.batch_size)
        if self._draining or not self._gate.open or room == 0:
            return False
        try:
            due = claims.claim_due(
                self._sql, limit=room, hold=self._limits.hold, actor=self._actor, claim=self._sweep_claim
            )
        except SqlUnavailable as error:
            self._gate.close(error)
            return False
        self._sweep_claim = uuid4()
        self._dispatcher.submit(due)
        return bool(due)

    def _on_gate(self, is_open: bool) -> None:
        if not is_open:
            self._transport.pause()
        elif not self._draining:
            self._transport.resume()
            self._soon()

    def _soon(self) -> None:
        self._lane.soon(self._advance)

    def _advance(self) -> None:
        """One batch a turn."""
        if not self._gate.open:
            return
        try:
            if self._batch is None and self._room():
                self._batch = self._next_batch()
            if self._batch is None:
                return
            self._process(self._batch)
        except SqlUnavailable as error:
            self._gate.close(error)
            return
        self._batch = None
        if self._room():
            self._soon()

    def _room(self) -> int:
        """How many orders may be taken now.

        With calls under way, a batch waits until half of the slots are free: batches, not single orders.
        """
        if not self._inbox:
            return 0
        free = self._dispatcher.free
        enough = min(len(self._inbox), self._limits.in_flight // 2, self._limits.batch_size)
        return min(free, self._limits.batch_size, self._allowed()) if free >= enough else 0

    def _allowed(self) -> int:
        """How many the rate allows; where that is none, there is another turn when it is one."""
        allowed = self._rate.room(now=time.monotonic())
        if not allowed and not self._rests:
            self._rests = True
            self._reactor.call_later(self._rate.wait, self._go_on)
        return allowed

    def _go_on(self) -> None:
        self._rests = False
        self._soon()

    def _next_batch(self) -> Batch | None:
        """As many as there is room for; a redelivered message goes alone, in case it ended a process."""
        if self._inbox[0].delivery.redelivered:
            return self._redelivered(self._inbox[0])
        taken: list[Job] = []
        room = self._room()
        while self._inbox and len(taken) < room and not self._inbox[0].delivery.redelivered:
            taken.append(self._inbox.popleft())
        self._rate.took(len(taken))
        self._passed("take")
        decoded, again = batch.decode(taken)
        self._inbox.extendleft(reversed(again))
        metrics.batch_size.observe(len(taken))
        metrics.waited.observe(1000 * (decoded.began - taken[0].arrived))
        metrics.decoded.observe(decoded.decode_ms)
        self._passed("decode")
        return decoded

    def _redelivered(self, job: Job) -> Batch | None:
        attempts = quarantine.count_attempt(self._sql, job.delivery)
        if not self._inbox or self._inbox[0] is not job:
            return None  # its session has ended meanwhile
        self._inbox.popleft()
        self._rate.took(1)
        self._passed("take")
        if attempts > self._limits.max_retries:
            error = f"delivered {attempts} times and never settled: it may end the process that takes it"
            return Batch(rejections=[Rejection(job.delivery, Reason.POISON, error)])
        decoded, _ = batch.decode([job])
        self._passed("decode")
        return decoded

    # Placing

    def _process(self, taken: Batch) -> None:
        recalled = self._idempotency.recall(taken.arrivals) if taken.arrivals else set()
        self._passed("recall")
        unknown = [arrival for arrival in taken.arrivals if arrival.order.order_id not in recalled]
        placements = self._placing.place(taken, unknown)
        rejections = [*taken.rejections, *placements.rejections]
        self._reject(rejections)
        settled = {work.order.order_id for work in placements.claimed}
        settled |= {rejection.order_id for rejection in placements.rejections if rejection.order_id}
        owned = [(order_id, job) for order_id, job in taken.jobs.items() if order_id not in settled]
        self._owned_by_sql(owned, placements.halted)
        self._dispatcher.submit(placements.claimed)
        self._soon()

    def _owned_by_sql(self, jobs: Sequence[tuple[str, Job]], halted: Collection[str]) -> None:
        order_log.known(jobs, halted)
        for order_id, job in jobs:
            if order_id in halted:
                self._tally.pending += 1
            else:
                self._tally.duplicate()
            self._messages.done(job.delivery, "parked" if order_id in halted else "duplicate")

    def _reject(self, rejections: Sequence[Rejection]) -> None:
        if not rejections:
            return
        quarantine.quarantine(self._sql, rejections)
        conflicts = [r.order_id for r in rejections if r.reason is Reason.CONFLICT and r.order_id]
        if conflicts:
            reason = "a message with this order id and other content arrived and was rejected"
            book.require_review(self._sql, conflicts, reason=reason, actor=self._actor)
        order_log.rejected(rejections)
        for rejection in rejections:
            self._tally.reject(rejection.reason)
            self._messages.done(rejection.delivery, "rejected", error=rejection.reason.value)

    # After routing

    def on_settled(self, settled: Sequence[Settled]) -> None:
        self._concluding.conclude(settled)
        self._soon()
