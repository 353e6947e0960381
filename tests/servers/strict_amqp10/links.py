"""The two kinds of links, seen from the broker: what comes in, and what goes out."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from proton import Condition, Delivery, Receiver, Sender, Terminus

from tests.servers.strict_amqp10.messages import Stored, Unacceptable
from tests.servers.strict_amqp10.queues import Queue

if TYPE_CHECKING:
    from tests.servers.strict_amqp10.broker import Options
    from tests.servers.strict_amqp10.connection import Connection

_ENOUGH_AHEAD = 1 << 22  # bytes a client is sent before it has read them


class _Link:
    def __init__(self, connection: Connection, link: Any, queue: Queue) -> None:
        self._connection = connection
        self._link = link
        self._queue = queue

    def end(self, condition: str, reason: str) -> None:
        """Detach, with an error."""
        self._link.condition = Condition(condition, reason)
        self._link.close()
        self._connection.forget(self)  # type: ignore[arg-type]
        self.close()
        self._connection.flush()

    def close(self) -> None:
        raise NotImplementedError


class Incoming(_Link):
    """From a client that sends. Without the broker's consent, which is credit, it sends nothing."""

    def __init__(self, connection: Connection, link: Receiver, queue: Queue, options: Options) -> None:
        super().__init__(connection, link, queue)
        self._credit = options.credit
        self._most = options.max_message
        self._parts: list[bytes] = []
        self._size = 0
        queue.feeders.add(self)  # type: ignore[arg-type]
        self.grant()

    def grant(self) -> None:
        """Let the client send, unless the queue is stopped."""
        missing = (0 if self._queue.stopped else self._credit) - self._link.credit
        if missing > self._credit // 2:
            self._link.flow(missing)

    def on_delivery(self, delivery: Delivery) -> None:
        while delivery.pending > 0:
            part = self._link.recv(delivery.pending)
            self._parts.append(part)
            self._size += len(part)
        if self._size > self._most:
            self.end("amqp:link:message-size-exceeded", f"{self._size} bytes, {self._most} are allowed")
        elif delivery.aborted:
            self._begin_another()
            delivery.settle()
        elif not delivery.partial and delivery.readable:
            self._take(delivery, b"".join(self._parts))
            self._begin_another()
            self.grant()

    def _begin_another(self) -> None:
        self._parts, self._size = [], 0

    def _take(self, delivery: Delivery, raw: bytes) -> None:
        self._link.advance()
        try:
            message = Stored(raw)
            message.check(self._queue.name)
            self._queue.put(message)
        except Unacceptable as error:
            delivery.local.condition = Condition(error.name, str(error))
            delivery.update(Delivery.REJECTED)
        else:
            delivery.update(Delivery.ACCEPTED)
        delivery.settle()

    def close(self) -> None:
        self._queue.feeders.discard(self)  # type: ignore[arg-type]


class Outgoing(_Link):
    """To a client that receives; it browses where it asks for copies.

    What it neither accepts nor gives back counts as a failed attempt when it leaves. A rejection is not a thing
    a queue manager knows: the link ends, and the message is back in the queue.
    """

    def __init__(self, connection: Connection, link: Sender, queue: Queue, options: Options) -> None:
        super().__init__(connection, link, queue)
        del options
        self._held: dict[str, tuple[int, Stored]] = {}
        self._sent = 0
        self._browsing: deque[Stored] | None = None
        if link.remote_source.distribution_mode == Terminus.DIST_MODE_COPY:
            self._browsing = deque(message for _, message in queue.ready)
        queue.takers.append(self)

    def wants(self) -> bool:
        ahead = self._link.session.outgoing_bytes > _ENOUGH_AHEAD
        return self._browsing is None and self._link.credit > 0 and not ahead and self._connection.open

    def give(self, message: Stored, number: int) -> None:
        self._held[self._send(message)] = number, message

    def has_seen_all(self) -> None:
        while self._browsing and self._link.credit > 0:
            self._send(self._browsing.popleft())
        if self._link.drain_mode:
            self._link.drained()

    def browse(self) -> None:
        """A browser gets on while others are served."""
        if self._browsing is not None:
            self.has_seen_all()

    def _send(self, message: Stored) -> str:
        self._sent += 1
        tag = str(self._sent)
        self._link.delivery(tag)
        self._link.send(message.encoded())
        self._link.advance()
        return tag

    def on_delivery(self, delivery: Delivery) -> None:
        state = delivery.remote_state
        if not (delivery.settled or state):
            return
        held = self._held.pop(delivery.tag, None)
        failed = state == Delivery.MODIFIED and delivery.remote.failed
        delivery.settle()
        if held is None:
            return
        if state == Delivery.ACCEPTED:
            self._queue.done()
            return
        unknown = state not in (Delivery.RELEASED, Delivery.MODIFIED)
        self._queue.give_back([held], failed=failed or unknown)
        if unknown:
            self.end("amqp:not-implemented", f"a message can be accepted or given back, not {state!r}")

    def close(self) -> None:
        if self in self._queue.takers:
            self._queue.takers.remove(self)
        self._queue.give_back(self._held.values(), failed=True)
        self._held = {}
