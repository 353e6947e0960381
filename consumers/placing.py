"""From arrivals to orders in the book: new ones placed, known ones recognised, bad rows told from their neighbours."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import psycopg

from consumers.models import Reason
from consumers.quarantine import Rejection
from orders import book, tracing
from orders.lifecycle import Status
from routing import claims
from routing.claims import Claimed
from routing.ledger import Ledger

if TYPE_CHECKING:
    from consumers.batch import Batch
    from orders.book import Arrival, Placed
    from orders.sql import Sql
    from orders.status_cache import StatusCache


@dataclass(slots=True)
class Placements:
    """`claimed`: ours to route; `halted`: parked at once (order ids); what is in neither nor rejected is known."""

    claimed: list[Claimed] = field(default_factory=list)
    halted: set[str] = field(default_factory=set)
    rejections: list[Rejection] = field(default_factory=list)


class Placing:
    """`hold`: seconds of a claim; `tries`: of a single row that SQL refuses; `passed` is told each step."""

    def __init__(
        self,
        sql: Sql,
        cache: StatusCache,
        *,
        hold: float,
        tries: int,
        actor: str,
        passed: Callable[[str], None],
    ) -> None:
        self._sql = sql
        self._cache = cache
        self._hold = hold
        self._tries = tries
        self._actor = actor
        self._passed = passed

    def place(self, batch: Batch, arrivals: Sequence[Arrival]) -> Placements:
        """Raises `SqlUnavailable`; the same batch may then be placed again."""
        placements = Placements()
        if arrivals:
            ordered = sorted(arrivals, key=lambda arrival: arrival.order.order_id)
            self._place_or_halve(batch, ordered, placements)
        return placements

    def _place_or_halve(self, batch: Batch, arrivals: Sequence[Arrival], placements: Placements) -> None:
        """A row that SQL refuses must not take its neighbours with it: halves, down to the one at fault."""
        for _ in range(self._tries if len(arrivals) == 1 else 1):
            try:
                self._place_together(batch, arrivals, placements)
            except psycopg.Error:
                failure = traceback.format_exc()
            else:
                return
        if len(arrivals) == 1:
            order_id = arrivals[0].order.order_id
            delivery = batch.jobs[order_id].delivery
            placements.rejections.append(Rejection(delivery, Reason.POISON, failure, order_id=order_id))
            return
        middle = len(arrivals) // 2
        self._place_or_halve(batch, arrivals[:middle], placements)
        self._place_or_halve(batch, arrivals[middle:], placements)

    def _place_together(self, batch: Batch, arrivals: Sequence[Arrival], placements: Placements) -> None:
        began = time.monotonic()
        placed = self._write(batch, arrivals)
        self._passed("place")
        known = [arrival for arrival in arrivals if arrival.order.order_id not in placed]
        if known:
            self._recognise(batch, known, placements)
        deadline = began + self._hold
        fresh = [
            Claimed(
                arrival.order, arrival.message_id, Status.PLACED, batch.claim, deadline, trace=arrival.trace
            )
            for arrival in arrivals
            if arrival.order.order_id in placed
        ]
        written = time.monotonic()
        self._cache_placed(fresh, placed)
        ready = time.monotonic()
        sql_ms, cache_ms = 1000 * (written - began), 1000 * (ready - written)
        for work in fresh:
            order_id = work.order.order_id
            if placed[order_id].halted:
                placements.halted.add(order_id)
            else:
                job = work.ticket = batch.jobs[order_id]
                wait_ms = 1000 * (batch.began - job.arrived)
                work.ledger = Ledger(wait_ms, batch.decode_ms, sql_ms, cache_ms, ready)
                placements.claimed.append(work)

    def _write(self, batch: Batch, arrivals: Sequence[Arrival]) -> dict[str, Placed]:
        timely = [arrival for arrival in arrivals if arrival.order.order_id not in batch.untimely]
        if not timely:
            return {}
        with tracing.sql_write("place", [arrival.trace for arrival in timely]):
            return book.place(self._sql, timely, claim=batch.claim, hold=self._hold, actor=self._actor)

    def _recognise(self, batch: Batch, arrivals: Sequence[Arrival], placements: Placements) -> None:
        """Orders that were in the book already: resumed where they wait, in conflict where they differ.

        What is untimely had to be among them.
        """
        known = claims.claim_known(self._sql, arrivals, claim=batch.claim, hold=self._hold, actor=self._actor)
        for order_id, entry in known.items():
            job = batch.jobs[order_id]
            if not entry.same_content:
                error = f"order {order_id} is in the book with other content"
                conflict = Rejection(job.delivery, Reason.CONFLICT, error, order_id=order_id)
                placements.rejections.append(conflict)
            elif entry.claimed:
                entry.claimed.ticket = job
                entry.claimed.trace = job.delivery.trace or entry.claimed.trace
                placements.claimed.append(entry.claimed)
        unknown = {arrival.order.order_id for arrival in arrivals} - known.keys()
        for order_id in unknown & batch.untimely.keys():
            delivery, error = batch.jobs[order_id].delivery, batch.untimely[order_id]
            placements.rejections.append(Rejection(delivery, Reason.BAD_TOKEN, error, order_id=order_id))

    def _cache_placed(self, fresh: Sequence[Claimed], placed: Mapping[str, Placed]) -> None:
        records = []
        for work in fresh:
            entry = placed[work.order.order_id]
            records.append(
                self._cache.record(
                    work.order,
                    work.core,
                    status=Status.PENDING_ROUTE if entry.halted else Status.PLACED,
                    route=None,
                    version=2 if entry.halted else 1,
                    updated_at=entry.at,
                    routed_at=None,
                    written_at=entry.at,
                )
            )
        if records:
            self._cache.write(records, [work.trace for work in fresh])
            self._passed("cache")
