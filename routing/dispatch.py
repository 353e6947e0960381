"""Claimed orders in, settled orders out: the router calls in flight and what becomes of them.

Nothing here knows where an order came from. Calls are made from `_waiting`; their answers gather and are written a
batch at a time, as many as came while the batch before was written. While SQL is away everything stays where it is.

Note on the lane: what is written is only removed from its list afterwards, as many as were taken from its front; more
may have been added meanwhile.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from orders import tracing
from orders.lifecycle import Status
from orders.sql import SqlUnavailable
from routing import call_log, claims, decisions, publications
from routing.calls import Calls
from routing.decisions import Attempt, Parking
from routing.metrics import orders_parked, orders_routed
from routing.models import Outcome
from routing.policy import Policy, Retry
from routing.publications import Publication
from routing.settled import Settled

if TYPE_CHECKING:
    from routing.claims import Claimed
    from routing.fleet import Fleet
    from routing.lane import Lane
    from routing.reactor import Reactor
    from routing.router import RouterClient
    from routing.screening import Screening
    from routing.sql_gate import SqlGate

# Answers wait for the others, but no longer than so many seconds, and for no more than so many.
_GATHERING = 0.002
_ENOUGH = 100

_parked = {whom: orders_parked.labels(whom) for whom in ("machine", "person")}


class Dispatcher:
    """`actor` signs events and attempts; `publish_in` (seconds, None: never) is when the relay may publish.

    `passed` is told the steps "route" (a call was answered) and "settle" (routes are committed).
    """

    def __init__(
        self,
        reactor: Reactor,
        lane: Lane,
        gate: SqlGate,
        router: RouterClient,
        fleet: Fleet,
        *,
        policy: Policy,
        publish_in: float | None,
        actor: str,
        on_settled: Callable[[list[Settled]], None],
        passed: Callable[[str], None],
        on_unreachable: Callable[[], None] = lambda: None,
        screening: Screening | None = None,
    ) -> None:
        self._reactor = reactor
        self._lane = lane
        self._sql = lane.sql
        self._screening = screening
        self._gate = gate
        self._policy = policy
        self._calls = Calls(
            router, fleet, policy=policy, on_answer=self._answered, on_unreachable=on_unreachable
        )
        self._publish_in = publish_in
        self._actor = actor
        self._on_settled = on_settled
        self._passed = passed
        self._unscreened: list[Claimed] = []
        self._waiting: deque[Claimed] = deque()
        self._retrying: set[Claimed] = set()
        self._accepted: list[Attempt] = []
        self._failed: list[Attempt] = []
        self._unlogged: list[Attempt] = []
        self._parkings: list[Parking] = []
        self._published: list[Publication] = []
        self._draining = False
        gate.listen(self._on_gate)

    @property
    def free(self) -> int:
        """How many more orders may be claimed: nobody claims more than it has free call slots for."""
        spoken_for = len(self._unscreened) + len(self._waiting) + len(self._retrying)
        return 0 if self._draining else max(0, self._calls.free - spoken_for)

    @property
    def room_for_due(self) -> int:
        """How many orders that wait in the book may be claimed."""
        return min(self.free, self._calls.most_due)

    @property
    def idle(self) -> bool:
        return not (
            self._calls.in_flight
            or self._unscreened
            or self._waiting
            or self._retrying
            or self._accepted
            or self._failed
            or self._parkings
            or self._published
            or self._lane.busy
        )

    def submit(self, claimed: Sequence[Claimed]) -> None:
        if not claimed:
            return
        if self._screening:
            self._unscreened.extend(claimed)
        else:
            self._waiting.extend(claimed)
            self._call_soon()
        if self._screening or self._draining:
            self._write_soon()

    def published(self, attempt_id: str) -> None:
        """Mark this route as published with the next batch that is settled."""
        self._published.append(Publication(attempt_id, time.monotonic()))

    def flush(self) -> None:
        """Write the marks of what is published now; called when there is nothing to settle."""
        if self._published:
            self._lane.soon(self._write_marks)

    def log_calls(self) -> None:
        """Write the lines of the answers that have come since; SQL is not needed for that."""
        call_log.answered(self._unlogged)
        self._unlogged.clear()

    def drain(self) -> None:
        """Start no more calls and give up the claims under which none is out."""
        self._draining = True
        self._write_soon()

    def _on_gate(self, is_open: bool) -> None:
        if is_open:
            self._write_soon()
            self._call_soon()

    # Calling

    def _call_soon(self) -> None:
        self._reactor.soon(self._start_calls)

    def _start_calls(self) -> None:
        if self._draining or not self._gate.open:
            return
        while self._waiting and self._calls.free:
            work = self._waiting.popleft()
            if parked := self._calls.start(work):
                self._parkings.append(Parking(work, parked.due_in, parked.reason))
        if self._parkings:
            self._write_soon()

    def _answered(self, attempt: Attempt) -> None:
        self._passed("route")
        accepted = attempt.answer.outcome is Outcome.ACCEPTED
        (self._accepted if accepted else self._failed).append(attempt)
        self._unlogged.append(attempt)
        if not self._calls.in_flight or len(self._unlogged) >= _ENOUGH:
            self._write_soon()
        elif len(self._unlogged) == 1:
            self._reactor.call_later(_GATHERING, self._write_soon)
        if self._waiting:
            self._call_soon()

    # Writing

    def _write_soon(self) -> None:
        self._lane.soon(self._write)

    def _write(self) -> None:
        self.log_calls()
        if not self._gate.open:
            return
        try:
            self._settle_accepted()
            self._settle_failed()
            if self._draining:
                self._release()
            elif self._screening:
                self._screen(self._screening)
            self._park()
        except SqlUnavailable as error:
            self._gate.close(error)

    def _screen(self, screening: Screening) -> None:
        """Let what was submitted be called for, unless it exceeds a limit."""
        submitted = self._unscreened[:]
        if not submitted:
            return
        passed, held_back = screening.screened(submitted)
        del self._unscreened[: len(submitted)]
        self._waiting.extend(passed)
        self._parkings += held_back
        self._call_soon()

    def _settle_accepted(self) -> None:
        accepted, published = self._accepted[:], self._published[:]
        if not accepted:
            return
        with tracing.sql_write("settle_routed", [attempt.work.trace for attempt in accepted]):
            changes = decisions.settle_routed(
                self._sql,
                accepted,
                published=published,
                publish_in=self._publish_in,
                actor=self._actor,
            )
        del self._published[: len(published)]
        orders_routed.inc(len(changes))
        if self._screening:
            self._screening.routed(attempt.work.order for attempt in accepted)
        self._passed("settle")
        late = [attempt for attempt in accepted if attempt.id not in changes]
        if late:
            decisions.record_late(self._sql, late, actor=self._actor)
        del self._accepted[: len(accepted)]
        self._on_settled(
            [
                Settled(a.work, Status.ROUTED, changes.get(a.id), attempt_id=a.id, route=a.answer.route)
                for a in accepted
            ]
        )

    def _settle_failed(self) -> None:
        failed = self._failed[:]
        if not failed:
            return
        with tracing.sql_write("note_failures", [attempt.work.trace for attempt in failed]):
            ours = decisions.note_failures(self._sql, failed, actor=self._actor)
        late = [attempt for attempt in failed if attempt.id not in ours]
        if late:
            decisions.record_late(self._sql, late, actor=self._actor)
        del self._failed[: len(failed)]
        for attempt in failed:
            if attempt.id in ours:
                self._follow(attempt)
        self._on_settled([Settled(attempt.work, attempt.work.status, None) for attempt in late])

    def _follow(self, attempt: Attempt) -> None:
        work, following = attempt.work, self._calls.after(attempt)
        if isinstance(following, Retry):
            self._retrying.add(work)
            self._reactor.call_later(following.wait, partial(self._retry, work))
        else:
            self._parkings.append(Parking(work, following.due_in, following.reason))

    def _retry(self, work: Claimed) -> None:
        if work in self._retrying:
            self._retrying.remove(work)
            self._waiting.append(work)
            self._call_soon()

    def _park(self) -> None:
        parked = self._parkings[:]
        if not parked:
            return
        with tracing.sql_write("park", [parking.work.trace for parking in parked]):
            changes = decisions.park(self._sql, parked, actor=self._actor)
        del self._parkings[: len(parked)]
        for parking in parked:
            _parked["person" if parking.due_in is None else "machine"].inc()
        self._on_settled(
            [
                Settled(parking.work, Status.PENDING_ROUTE, changes.get(parking.work.order.order_id))
                for parking in parked
            ]
        )

    def _write_marks(self) -> None:
        published = self._published[:]
        if not published or self._calls.in_flight or not self._gate.open:
            return
        try:
            publications.mark_published(self._sql, published)
        except SqlUnavailable as error:
            self._gate.close(error)
        else:
            del self._published[: len(published)]

    def _release(self) -> None:
        self._waiting.extend(self._unscreened)
        self._unscreened.clear()
        self._waiting.extend(self._retrying)
        self._retrying.clear()
        self._park_what_may_not_be_called()
        given_up = list(self._waiting)
        if given_up:
            claims.release(self._sql, given_up)
            for _ in given_up:
                self._waiting.popleft()
            self._on_settled([Settled(work, work.status, None, released=True) for work in given_up])

    def _park_what_may_not_be_called(self) -> None:
        """Whoever takes a released order sees no claim that ran out, and would call."""
        for _ in range(len(self._waiting)):
            work = self._waiting.popleft()
            parked = self._policy.before(work, now=time.monotonic())
            if parked and parked.due_in is None:
                self._parkings.append(Parking(work, None, parked.reason))
            else:
                self._waiting.append(work)
