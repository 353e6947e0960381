"""Sends messages through a transport: confirms awaited, bounded in flight, at a rate where one is asked for."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from consumers.transport import Message, Outcome, Transport

if TYPE_CHECKING:
    from consumers.transport import Delivery
    from routing.reactor import Reactor

_IN_FLIGHT = 2000
_TICK = 0.02  # seconds between looks at what the rate allows
_DRAIN = 10.0  # seconds a stop waits for outstanding confirms


class SamplePublishing:
    """Publishes all of `messages` (the listener of its transport), then stops the reactor.

    `endless`: a lost connection is waited out; else it is the end. `failure` says in words what went wrong.
    """

    def __init__(
        self,
        reactor: Reactor,
        transport: Transport,
        messages: Iterator[Message],
        *,
        rate: float | None,
        endless: bool,
        on_progress: Callable[[int], None],
    ) -> None:
        self._reactor = reactor
        self._transport = transport
        self._messages = messages
        self._rate = rate
        self._endless = endless
        self._on_progress = on_progress
        self._up = False
        self._ending = False
        self._closed = False
        self._started = 0.0
        self.sent = 0
        self.outcomes = dict.fromkeys(Outcome, 0)
        self.failure = ""

    def run(self) -> None:
        """Until all is confirmed, something fails, or SIGINT or SIGTERM asks for an end."""
        with self._reactor.on_signals({signal.SIGINT, signal.SIGTERM}, self._finish):
            self._transport.start(self)
            self._reactor.run()

    def on_up(self) -> None:
        self._up = True
        if self._rate:
            # What the rate allowed while there was no connection is not made up for.
            self._started = time.monotonic() - self.sent / self._rate
            self._tick()
        else:
            self._fill(_IN_FLIGHT)

    def on_down(self, reason: str, queue: str) -> None:
        del queue
        self._up = False
        if not self._endless:
            self._fail(f"the queue cannot be reached: {reason}")

    def on_delivery(self, delivery: Delivery) -> None:
        raise AssertionError(f"nothing is consumed here, but {delivery.message_id} came")

    def _tick(self) -> None:
        if self._up and not self._ending and self._rate:
            allowed = int((time.monotonic() - self._started) * self._rate) + 1
            self._fill(allowed - self.sent)
            self._reactor.call_later(_TICK, self._tick)

    def _fill(self, room: int) -> None:
        """Send up to `room` more, as long as not too many are unconfirmed."""
        room = min(room, _IN_FLIGHT - self._outstanding)
        if not self._up or self._ending or room <= 0:
            return
        batch = list(islice(self._messages, room))
        self.sent += len(batch)
        self._transport.publish(batch, self._on_outcome)
        if len(batch) < room:
            self._finish()

    @property
    def _outstanding(self) -> int:
        return self.sent - sum(self.outcomes.values())

    def _on_outcome(self, _index: int, outcome: Outcome) -> None:
        self.outcomes[outcome] += 1
        self._on_progress(self.outcomes[Outcome.CONFIRMED])
        if outcome is Outcome.RETURNED:
            self._fail("there is no such queue: create it or set mq.declare")
        elif outcome is Outcome.NACKED and not self._endless:
            self._fail("the queue refused a message, or the connection ended before it was confirmed")
        elif self._ending:
            self._finish()
        elif not self._rate and self._outstanding <= _IN_FLIGHT // 2:
            self._fill(_IN_FLIGHT)

    def _finish(self) -> None:
        """Send no more; close when what is sent is confirmed."""
        if not self._ending:
            self._ending = True
            self._reactor.call_later(_DRAIN, self._close)
        if self._outstanding == 0:
            self._close()

    def _fail(self, failure: str) -> None:
        self._ending = True
        self.failure = self.failure or failure
        self._close()

    def _close(self) -> None:
        if not self._closed:
            self._closed = True
            self._transport.stop(self._reactor.stop)
