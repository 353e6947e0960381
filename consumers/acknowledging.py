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
    from orders.sql import Sql
    from routing.reactor import Reactor
    from routing.sql_gate import SqlGate


class Acknowledging:
    """`soon`: has `flush` called on the loop's next turn; `passed` is told the steps "confirm", "acknowledge"."""

    def __init__(
        self,
        reactor: Reactor,
        transport: Transport,
        sql: Sql,
        gate: SqlGate,
        offsets: Offsets,
        *,
        publish_grace: float,
        soon: Callable[[], None],
        passed: Callable[[str], None],
    ) -> None:
        self._reactor = reactor
        self._transport = transport
        self._sql = sql
        self._gate = gate
        self._offsets = offsets
        self._publish_grace = publish_grace
        self._soon = soon
        self._passed = passed
        self._done: list[Delivery] = []
        self._unconfirmed: dict[str, Delivery] = {}

    @property
    def idle(self) -> bool:
        return not (self._done or self._unconfirmed)

    def done(self, delivery: Delivery, outcome: str, *, error: str | None = None) -> None:
        """Acknowledge it with the next `flush`."""
        self._done.append(delivery)
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

    def flush(self) -> None:
        """Redelivered ones once their count is gone from SQL: nobody comes back to what has been acknowledged."""
        if not self._done:
            return
        done, self._done = self._done, []
        counted = [delivery for delivery in done if delivery.redelivered]
        if counted and not self._forget(counted):
            self._done = counted
            done = [delivery for delivery in done if not delivery.redelivered]
        if done:
            self._transport.ack(done)
            self._offsets.settled(done)
            self._passed("acknowledge")

    def _give_up(self, attempt_ids: Sequence[str]) -> None:
        for attempt_id in attempt_ids:
            self._answered(attempt_id, "routed, not confirmed yet")

    def _answered(self, attempt_id: str, outcome: str) -> None:
        if delivery := self._unconfirmed.pop(attempt_id, None):
            self.done(delivery, outcome)
            self._soon()

    def _forget(self, counted: Sequence[Delivery]) -> bool:
        """Whether the attempts of these are no longer counted; if not, the gate is closed."""
        if self._gate.open:
            try:
                quarantine.forget_attempts(self._sql, counted)
            except SqlUnavailable as error:
                self._gate.close(error)
        return self._gate.open
