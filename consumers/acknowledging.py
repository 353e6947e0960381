"""When a message is done with: its order is the book's, its body quarantined, or its routed order published.

A routed order's message waits for what the routed queue says of it, `publish_grace` seconds at most: the outbox has
the order whatever that is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from consumers import quarantine
from orders.sql import SqlUnavailable

if TYPE_CHECKING:
    from consumers.offsets import Offsets
    from consumers.transport import Delivery, Outcome, Transport
    from routing.lane import Lane
    from routing.reactor import Reactor
    from routing.sql_gate import SqlGate


class Acknowledging:
    """`passed` is told the steps "confirm" and "acknowledge"."""

    def __init__(
        self,
        reactor: Reactor,
        transport: Transport,
        lane: Lane,
        gate: SqlGate,
        offsets: Offsets,
        *,
        publish_grace: float,
        passed: Callable[[str], None],
    ) -> None:
        self._reactor = reactor
        self._transport = transport
        self._lane = lane
        self._gate = gate
        self._offsets = offsets
        self._publish_grace = publish_grace
        self._passed = passed
        self._done: list[Delivery] = []
        self._counted: list[Delivery] = []  # done, too, but for the count of their attempts
        self._unconfirmed: dict[str, Delivery] = {}
        gate.listen(self._on_gate)

    @property
    def idle(self) -> bool:
        return not (self._done or self._counted or self._unconfirmed)

    def done(self, delivery: Delivery, outcome: str, *, error: str | None = None) -> None:
        """Acknowledge it soon; a redelivered one once its count is gone from SQL, as nobody comes back to that."""
        if delivery.redelivered:
            self._counted.append(delivery)
            self._lane.soon(self._forget)
        else:
            self._done.append(delivery)
            self._reactor.soon(self._acknowledge)
        if delivery.trace:
            delivery.trace.finish(outcome, error=error)

    def after_publication(self, attempt_id: str, delivery: Delivery) -> None:
        self._unconfirmed[attempt_id] = delivery

    def published_soon(self, attempt_ids: Sequence[str]) -> None:
        """These have been sent: their messages wait from now on."""
        waiting = [attempt_id for attempt_id in attempt_ids if attempt_id in self._unconfirmed]
        if waiting:
            self._reactor.call_later(self._publish_grace, partial(self._give_up, waiting))

    def on_published(self, attempt_id: str, outcome: Outcome) -> None:
        """Confirmed, returned or refused: the outbox has the order, the message has done its work."""
        self._passed("confirm")
        self._answered(attempt_id, f"routed, {outcome.value}")

    def _acknowledge(self) -> None:
        done, self._done = self._done, []
        self._transport.ack(done)
        self._offsets.settled(done)
        self._passed("acknowledge")

    def _give_up(self, attempt_ids: Sequence[str]) -> None:
        for attempt_id in attempt_ids:
            self._answered(attempt_id, "routed, not confirmed yet")

    def _answered(self, attempt_id: str, outcome: str) -> None:
        if delivery := self._unconfirmed.pop(attempt_id, None):
            self.done(delivery, outcome)

    def _forget(self) -> None:
        """While SQL is away they wait."""
        counted = self._counted[:]
        if not counted or not self._gate.open:
            return
        try:
            quarantine.forget_attempts(self._lane.sql, counted)
        except SqlUnavailable as error:
            self._gate.close(error)
            return
        del self._counted[: len(counted)]
        self._done += counted
        self._reactor.soon(self._acknowledge)

    def _on_gate(self, is_open: bool) -> None:
        if is_open:
            self._lane.soon(self._forget)
