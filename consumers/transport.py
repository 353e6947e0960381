"""The port to a message queue: what the pipeline needs of one, whichever it is.

A transport lives on the reactor (`routing.reactor.Reactor`): no call blocks for the network, all answers
come as calls on the loop's thread, never from inside the call that asked for them. A delivery belongs to the
session (channel, connection) it came through: acknowledging it later is a no-op, and the queue delivers it
again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

if TYPE_CHECKING:
    from orders.tracing import Trace


@dataclass(slots=True, eq=False)
class Delivery:
    """One message as it came. `tag` and `session` are the transport's own; `trace` is the consumer's."""

    queue: str
    tag: int
    session: object
    body: bytes
    message_id: str | None = None
    content_type: str | None = None
    headers: Mapping[str, Any] = field(default_factory=dict)
    redelivered: bool = False
    trace: Trace | None = None


class Message(msgspec.Struct, frozen=True):
    """One message to send; always persistent."""

    body: bytes
    message_id: str
    correlation_id: str | None = None
    content_type: str = "application/json"
    headers: Mapping[str, Any] = {}


class Outcome(Enum):
    CONFIRMED = "confirmed"  # the queue has it, durably
    RETURNED = "returned"  # there is no such queue
    NACKED = "nacked"  # the queue will not have it, or the connection ended before an answer


OnOutcome = Callable[[int, Outcome], None]  # of the message with this index
OnDepth = Callable[[int | None], None]


class QueueUnavailable(Exception):
    """There was no connection, or it does not tell what was asked: nothing was done. Says why."""


class Listener(Protocol):
    def on_delivery(self, delivery: Delivery) -> None: ...
    def on_up(self) -> None:
        """Connected and consuming; also after each reconnection."""

    def on_down(self, reason: str, queue: str) -> None:
        """The session with `queue` ended, or could not begin; the transport tries again by itself, with backoff."""


class Transport(Protocol):
    def start(self, listener: Listener) -> None:
        """Connect and consume, at most `prefetch` messages unacknowledged."""

    def ack(self, deliveries: Sequence[Delivery]) -> None:
        """Done with these. Those of an ended session are ignored."""

    def publish(self, messages: Sequence[Message], on_outcome: OnOutcome) -> None:
        """Send to the producer queue; `on_outcome(i, outcome)` once for each `messages[i]`, at a later time.

        Never raises for the network's sake: without a connection the outcome is NACKED.
        """

    def pause(self) -> None:
        """Take no more deliveries until `resume`; what has arrived may still be handed on."""

    def resume(self) -> None: ...

    def depth(self, on_depth: OnDepth) -> None:
        """Messages ready in the consumer queue, None when it cannot be had.

        A 0 says that whatever was in the queue when this was asked has been handed to some consumer, to this
        one before the answer.
        """

    def stop(self, on_stopped: Callable[[], None]) -> None:
        """Close all connections; what was not acknowledged goes back to the queue."""
