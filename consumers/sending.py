"""Sends messages into one queue and waits until each is answered: for pages and commands, without a loop of theirs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from consumers.transport import Message, Outcome, QueueUnavailable, Transport
from consumers.transports import make_sender
from routing.reactor import Reactor

if TYPE_CHECKING:
    from consumers.transport import Delivery

_TO_CONNECT = 5.0  # seconds; several brokers may be tried in them
_TO_CONFIRM = 15.0


def send(queue: str, messages: Sequence[Message]) -> list[Outcome]:
    """What became of each. NACKED may also mean that no answer came: the queue may have it. Raises `QueueUnavailable`.

    Blocks, 20 seconds at most; never within a transaction.
    """
    with closing(Reactor()) as reactor:
        sending = _Sending(reactor, make_sender(reactor, queue), messages)
        sending.run()
    if sending.never_up:
        raise QueueUnavailable(sending.never_up)
    return sending.outcomes


class _Sending:
    """The listener of its transport."""

    def __init__(self, reactor: Reactor, transport: Transport, messages: Sequence[Message]) -> None:
        self._reactor = reactor
        self._transport = transport
        self._messages = messages
        self._sent = False
        self._closing = False
        self._why = "no answer"
        self.never_up = ""  # why, where there was no connection
        self._open = len(messages)
        self.outcomes = [Outcome.NACKED] * len(messages)

    def run(self) -> None:
        self._reactor.call_later(_TO_CONNECT, self._connected_by_now)
        self._transport.start(self)
        self._reactor.run()

    def on_up(self) -> None:
        if not self._sent and not self._closing:
            self._sent = True
            self._reactor.call_later(_TO_CONFIRM, self._close)
            self._transport.publish(self._messages, self._on_outcome)

    def on_down(self, reason: str, queue: str) -> None:
        """Before anything is sent the next try may succeed; after it each message has its answer: NACKED."""
        del queue
        self._why = reason

    def on_delivery(self, delivery: Delivery) -> None:
        raise AssertionError(f"nothing is consumed here, but {delivery.message_id} came")

    def _connected_by_now(self) -> None:
        if not self._sent:
            self.never_up = self._why
            self._close()

    def _on_outcome(self, index: int, outcome: Outcome) -> None:
        self.outcomes[index] = outcome
        self._open -= 1
        if not self._open:
            self._close()

    def _close(self) -> None:
        if not self._closing:
            self._closing = True
            self._transport.stop(self._reactor.stop)
