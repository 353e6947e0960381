"""The way of an order, top to bottom.

    take → decode → recall → place → cache → route → settle → remember → publish → acknowledge

A message is only an arrival: from `place` on SQL owns the order, and whatever happens to the message, to its
channel or to this process, the order goes on from there. A message is acknowledged when its order is committed
as routed with its outbox row, or as parked, or when its body is quarantined; never before.
"""

from __future__ import annotations

import time
import traceback
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import psycopg

from consumers import quarantine
from consumers.models import Reason
from consumers.quarantine import Rejection, message_id_of
from orders import book, schema
from orders.book import Arrival
from orders.lifecycle import Status
from orders.sql import SqlUnavailable
from routing import claims
from routing.claims import Claimed
from routing.decisions import Unpublished

if TYPE_CHECKING:
    from consumers.idempotency import Idempotency
    from consumers.outbox import Outbox
    from consumers.tally import Tally
    from consumers.transport import Delivery, Outcome, Transport
    from orders.schema import ValidatedOrder
    from orders.sql import Sql
    from orders.status_cache import StatusCache
    from routing.dispatch import Dispatcher, Settled
    from routing.reactor import Reactor
    from routing.sql_gate import SqlGate


@dataclass(slots=True, frozen=True)
class Limits:
    """`batch_size` and `in_flight` count orders; `hold` and `publish_grace` are seconds."""

    batch_size: int
    in_flight: int
    max_retries: int
    hold: float
    publish_grace: float
    publishes: bool


@dataclass(slots=True, eq=False)
class Job:
    """A delivery under way; `arrived` is monotonic."""

    delivery: Delivery
    arrived: float


@dataclass(slots=True)
class Batch:
    """What one turn took from the inbox, decoded: each order id once.

    The claim is made before anything is sent and stays the same when the batch is sent again: after a commit
    in doubt, orders that bear it are ours.
    """

    claim: UUID = field(default_factory=uuid4)
    jobs: dict[str, Job] = field(default_factory=dict)
    arrivals: list[Arrival] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)


class Pipeline:
    """Listens to the transport; everything happens on the loop's thread."""

    def __init__(
        self,
        reactor: Reactor,
        transport: Transport,
        sql: Sql,
        gate: SqlGate,
        cache: StatusCache,
        idempotency: Idempotency,
        tally: Tally,
        *,
        limits: Limits,
        actor: str,
    ) -> None:
        self._reactor = reactor
        self._transport = transport
        self._sql = sql
        self._gate = gate
        self._cache = cache
        self._idempotency = idempotency
        self._tally = tally
        self._limits = limits
        self._actor = actor
        self._inbox: deque[Job] = deque()
        self._batch: Batch | None = None  # being processed; kept while SQL is away
        self._done: list[Delivery] = []
        self._unconfirmed: dict[UUID, Delivery] = {}
        self._turn_due = False
        self._draining = False
        gate.listen(self._on_gate)

    def attach(self, dispatcher: Dispatcher, outbox: Outbox) -> None:
        """The two parts that call back into this one."""
        self._dispatcher = dispatcher
        self._outbox = outbox

    # Taking

    def on_delivery(self, delivery: Delivery) -> None:
        now = time.monotonic()
        self._tally.arrived(now)
        self._inbox.append(Job(delivery, now))
        self._soon()

    def on_up(self) -> None:
        """Nothing to do: deliveries follow."""

    def on_down(self, reason: str) -> None:
        """What has not been placed belongs to the ended session and comes again."""
        del reason
        self._inbox.clear()

    @property
    def idle(self) -> bool:
        under_way = self._inbox or self._batch or self._done or self._unconfirmed
        return not under_way and self._dispatcher.idle and self._outbox.idle

    def drain(self) -> None:
        """Take no more; what has been placed goes its way."""
        self._draining = True
        self._inbox.clear()
        self._batch = None

    def sweep(self) -> bool:
        """Claim what waits in the book for routing. Whether there was anything."""
        room = min(self._dispatcher.free, self._limits.batch_size)
        if self._draining or not self._gate.open or room == 0:
            return False
        try:
            due = claims.claim_due(self._sql, limit=room, hold=self._limits.hold, actor=self._actor)
        except SqlUnavailable as error:
            self._gate.close(error)
            return False
        self._dispatcher.submit(due)
        return bool(due)

    def _on_gate(self, is_open: bool) -> None:
        if is_open:
            self._transport.resume()
            self._soon()
        else:
            self._transport.pause()

    def _soon(self) -> None:
        if not self._turn_due:
            self._turn_due = True
            self._reactor.call_later(0, self._turn)

    def _turn(self) -> None:
        self._turn_due = False
        if self._gate.open:
            self._advance()
        self._acknowledge()

    def _advance(self) -> None:
        """One batch a turn: the loop serves the others in between."""
        if self._batch is None and self._room():
            self._batch = self._decode(self._take())
        if self._batch is None:
            return
        try:
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
        return min(free, self._limits.batch_size) if free >= enough else 0

    def _take(self) -> list[Job]:
        return [self._inbox.popleft() for _ in range(min(self._room(), len(self._inbox)))]

    # Decoding

    def _decode(self, taken: Sequence[Job]) -> Batch:
        """An order id that comes twice waits for the next batch, when the first is in the book."""
        now = datetime.now(UTC)
        batch = Batch()
        again: list[Job] = []
        for job in taken:
            delivery = job.delivery
            order = self._decode_one(delivery, now)
            if isinstance(order, Rejection):
                batch.rejections.append(order)
            elif order.order_id in batch.jobs:
                again.append(job)
            else:
                batch.jobs[order.order_id] = job
                batch.arrivals.append(Arrival(order, message_id_of(delivery)))
        self._inbox.extendleft(reversed(again))
        return batch

    @staticmethod
    def _decode_one(delivery: Delivery, now: datetime) -> ValidatedOrder | Rejection:
        try:
            return schema.decode(delivery.body, delivery.content_type, now)
        except schema.InvalidOrder as error:
            return Rejection(delivery, Reason(error.reason), str(error), order_id=error.order_id)
        except Exception:  # noqa: BLE001 - a fault of ours in one message's way must not stop the others
            return Rejection(delivery, Reason.POISON, traceback.format_exc())

    def _process(self, batch: Batch) -> None:
        recalled = self._idempotency.recall(batch.arrivals) if batch.arrivals else set()
        unknown = [arrival for arrival in batch.arrivals if arrival.order.order_id not in recalled]
        claimed, rejections = self._place(batch, unknown)
        self._reject([*batch.rejections, *rejections])
        going_on = {work.order.order_id for work in claimed}
        rejected = {rejection.delivery for rejection in rejections}
        for order_id, job in batch.jobs.items():
            if order_id not in going_on and job.delivery not in rejected:
                self._tally.duplicates += 1
                self._done.append(job.delivery)
        self._dispatcher.submit(claimed)

    # Placing

    def _place(self, batch: Batch, arrivals: Sequence[Arrival]) -> tuple[list[Claimed], list[Rejection]]:
        """The orders that are ours to route, and the messages that cannot be placed."""
        if not arrivals:
            return [], []
        ordered = sorted(arrivals, key=lambda arrival: arrival.order.order_id)
        claimed: list[Claimed] = []
        rejections: list[Rejection] = []
        self._place_or_halve(batch, ordered, claimed, rejections)
        return claimed, rejections

    def _place_or_halve(
        self,
        batch: Batch,
        arrivals: Sequence[Arrival],
        claimed: list[Claimed],
        rejections: list[Rejection],
    ) -> None:
        """A row that SQL refuses must not take its neighbours with it: halves, down to the one at fault."""
        tries = self._limits.max_retries if len(arrivals) == 1 else 1
        for _ in range(tries):
            try:
                self._place_together(batch, arrivals, claimed, rejections)
            except psycopg.Error:
                failure = traceback.format_exc()
            else:
                return
        if len(arrivals) == 1:
            order_id = arrivals[0].order.order_id
            rejections.append(
                Rejection(batch.jobs[order_id].delivery, Reason.POISON, failure, order_id=order_id)
            )
            return
        middle = len(arrivals) // 2
        self._place_or_halve(batch, arrivals[:middle], claimed, rejections)
        self._place_or_halve(batch, arrivals[middle:], claimed, rejections)

    def _place_together(
        self,
        batch: Batch,
        arrivals: Sequence[Arrival],
        claimed: list[Claimed],
        rejections: list[Rejection],
    ) -> None:
        hold = self._limits.hold
        deadline = time.monotonic() + hold
        placed = book.place(self._sql, arrivals, claim=batch.claim, hold=hold, actor=self._actor)
        known = [arrival for arrival in arrivals if arrival.order.order_id not in placed]
        resumed = self._recognise(batch, known, rejections) if known else []
        fresh = [
            Claimed(arrival.order, arrival.message_id, Status.PLACED, batch.claim, deadline)
            for arrival in arrivals
            if arrival.order.order_id in placed
        ]
        for work in fresh:
            work.ticket = batch.jobs[work.order.order_id]
        self._cache_placed(fresh, placed)
        claimed += fresh + resumed

    def _cache_placed(self, fresh: Sequence[Claimed], placed: Mapping[str, datetime]) -> None:
        if fresh:
            self._cache.write(
                [
                    self._cache.record(
                        work.order,
                        work.core,
                        status=Status.PLACED,
                        route=None,
                        version=1,
                        updated_at=placed[work.order.order_id],
                        routed_at=None,
                    )
                    for work in fresh
                ]
            )

    def _recognise(
        self, batch: Batch, arrivals: Sequence[Arrival], rejections: list[Rejection]
    ) -> list[Claimed]:
        """Orders that were in the book already: resumed where they wait, in conflict where they differ."""
        known = claims.claim_known(
            self._sql, arrivals, claim=batch.claim, hold=self._limits.hold, actor=self._actor
        )
        resumed: list[Claimed] = []
        for order_id, entry in known.items():
            if not entry.same_content:
                error = f"order {order_id} is in the book with other content"
                rejections.append(
                    Rejection(batch.jobs[order_id].delivery, Reason.CONFLICT, error, order_id=order_id)
                )
            elif entry.claimed:
                entry.claimed.ticket = batch.jobs[order_id]
                resumed.append(entry.claimed)
        return resumed

    def _reject(self, rejections: Sequence[Rejection]) -> None:
        if not rejections:
            return
        quarantine.quarantine(self._sql, rejections)
        conflicts = [r.order_id for r in rejections if r.reason is Reason.CONFLICT and r.order_id]
        if conflicts:
            reason = "a message with this order id and other content arrived and was rejected"
            book.require_review(self._sql, conflicts, reason=reason, actor=self._actor)
        self._tally.rejected += len(rejections)
        self._done.extend(rejection.delivery for rejection in rejections)

    # After routing

    def on_settled(self, settled: Sequence[Settled]) -> None:
        self._remember([end for end in settled if end.change])
        to_publish: list[Unpublished] = []
        for end in settled:
            job: Job | None = end.work.ticket
            if end.change and end.status is Status.ROUTED:
                self._tally.routed_after(job.arrived if job else None)
                to_publish += self._publication(end)
            elif end.change:
                self._tally.pending += 1
            if job and not end.released and end.attempt_id not in self._unconfirmed:
                self._done.append(job.delivery)
        self._publish(to_publish)
        self._soon()

    def _publication(self, end: Settled) -> list[Unpublished]:
        """What to publish of a routed order; its message is acknowledged when that is answered."""
        if not self._limits.publishes:
            return []
        order_id = end.work.order.order_id
        if end.attempt_id is None or end.route is None or end.change is None:
            raise AssertionError(f"order {order_id} is routed without a route")
        if end.work.ticket:
            self._unconfirmed[end.attempt_id] = end.work.ticket.delivery
        return [
            Unpublished(
                end.attempt_id, end.route, end.change.at, end.work.message_id, order_id, end.work.core
            )
        ]

    def _remember(self, changed: Sequence[Settled]) -> None:
        """Cache and idempotency mark: one batch where one store keeps both."""
        if not changed:
            return
        records = [end.record(self._cache) for end in changed]
        marks = [self._idempotency.record(end.work.order, end.work.message_id) for end in changed]
        if self._cache.store is self._idempotency.store:
            self._cache.write(records + marks)
        else:
            self._cache.write(records)
            self._idempotency.write(marks)

    def _publish(self, routes: list[Unpublished]) -> None:
        if not routes:
            return
        self._outbox.publish(routes, self._on_published)
        waiting = [route.id for route in routes if route.id in self._unconfirmed]
        if waiting:
            self._reactor.call_later(self._limits.publish_grace, partial(self._acknowledge_anyway, waiting))

    # Acknowledging

    def _on_published(self, attempt_id: UUID, outcome: Outcome) -> None:
        """Confirmed, returned or refused: the outbox has the order, the message has done its work."""
        del outcome
        delivery = self._unconfirmed.pop(attempt_id, None)
        if delivery:
            self._done.append(delivery)
            self._soon()

    def _acknowledge_anyway(self, attempt_ids: Sequence[UUID]) -> None:
        late = [self._unconfirmed.pop(attempt_id, None) for attempt_id in attempt_ids]
        self._done.extend(delivery for delivery in late if delivery)
        self._soon()

    def _acknowledge(self) -> None:
        if self._done:
            done, self._done = self._done, []
            self._transport.ack(done)
