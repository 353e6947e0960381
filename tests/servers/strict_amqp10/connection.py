"""One client's connection: a socket, proton's engine behind it, and the rules for sessions and links.

One session. Links to queues only: named with the capability `queue`, known, never a transaction coordinator. A
container id is one connection's: whoever comes later with the same one takes over. Silence for longer than the
idle timeout ends it, as the protocol has it.
"""

from __future__ import annotations

import asyncio
import re
import time
from typing import TYPE_CHECKING, Any

from proton import Collector, Condition, Endpoint, Event, Terminus, Transport, TransportException
from proton import Connection as Engine

from tests.servers.strict_amqp10.links import Incoming, Outgoing
from tests.servers.strict_amqp10.sasl import Handshake, Refused

if TYPE_CHECKING:
    from tests.servers.strict_amqp10.broker import Broker

_CONTAINER = re.compile(r"[A-Za-z0-9%/._:-]{1,256}")
_CHUNK = 1 << 20
_LEAST_TICK = 0.05  # seconds


class Connection(asyncio.Protocol):
    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._handshake = Handshake(broker.options.users, anonymous=broker.options.anonymous)
        self._early = b""
        self._engine = Engine()
        self._engine.container = "strict-peer"
        self._collector = Collector()
        self._engine.collect(self._collector)
        self._transport = Transport(Transport.SERVER)
        self._transport.idle_timeout = broker.options.idle_timeout
        self._transport.max_frame_size = 65536
        self._transport.bind(self._engine)
        self._sessions = 0
        self._links: dict[tuple[bool, str], Incoming | Outgoing] = {}
        self._ticking: asyncio.TimerHandle | None = None
        self._flushing = False
        self._full = False  # the client does not read what it is sent
        self._socket: asyncio.Transport
        self.container = ""

    def describe(self) -> dict[str, Any]:
        return {
            "container": self.container,
            "user": self._handshake.user,
            "mechanism": self._handshake.mechanism,
            "certificate": self._certificate,
        }

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._socket = transport  # type: ignore[assignment]
        subject = (transport.get_extra_info("peercert") or {}).get("subject", ())
        names = [value for group in subject for key, value in group if key == "commonName"]
        self._certificate = names[0] if names else None
        self._broker.connections.add(self)

    def data_received(self, data: bytes) -> None:
        if not self._handshake.done:
            data = self._shake_hands(self._early + data)
            self._early = b"" if self._handshake.done else data
            if not self._handshake.done:
                return
            self._tick()
        while data:
            try:
                taken = self._transport.capacity()
                self._transport.push(data[:taken])
            except TransportException:
                break
            data = data[taken:]
            self._work()
            if taken <= 0:
                break
        self.flush()

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        self._broker.wake()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if self._ticking:
            self._ticking.cancel()
        self._broker.connections.discard(self)
        for link in list(self._links.values()):
            link.close()
        self._links.clear()
        self._broker.wake()

    # What the broker calls.

    def abort(self) -> None:
        self._socket.abort()

    def take_over(self) -> None:
        """Another client has come with the same container id."""
        self.refuse("amqp:connection:forced", f"container id {self.container} is used by another connection")

    def refuse(self, condition: str, reason: str) -> None:
        self._engine.condition = Condition(condition, reason)
        self._engine.close()
        self.flush()

    def flush(self) -> None:
        """Send what the engine has to say, and hang up where it has said its last."""
        if self._flushing or not self._handshake.done:
            return
        self._flushing = True
        try:
            while not self._full and (pending := self._pending()):
                if pending < 0:
                    self._socket.close()
                    self._broker.connections.discard(self)
                    return
                self._socket.write(self._transport.peek(pending))
                self._transport.pop(pending)
                self._work()
        finally:
            self._flushing = False

    def _pending(self) -> int:
        try:
            return min(self._transport.pending(), _CHUNK)
        except TransportException:
            return -1

    def _shake_hands(self, data: bytes) -> bytes:
        try:
            while not self._handshake.done and (left := self._handshake.feed(data)) != data:
                data = left
        except (Refused, ValueError):
            self._answer()
            self._socket.close()
            return b""
        self._answer()
        return data

    def _answer(self) -> None:
        if self._handshake.answer:
            self._socket.write(self._handshake.answer)
            self._handshake.answer = b""

    def _tick(self) -> None:
        deadline = self._transport.tick(time.monotonic())
        self._work()
        self.flush()
        wait = max(_LEAST_TICK, deadline - time.monotonic()) if deadline else 1.0
        self._ticking = asyncio.get_running_loop().call_later(wait, self._tick)

    # What the engine reports.

    def _work(self) -> None:
        while event := self._collector.peek():
            handle = _HANDLERS.get(event.type)
            if handle:
                handle(self, event)
            self._collector.pop()

    def _connection_opened(self, event: Event) -> None:
        self.container = event.connection.remote_container or ""
        self._engine.open()
        if not _CONTAINER.fullmatch(self.container):
            self.refuse(
                "amqp:invalid-field", f"container id {self.container!r} is none a queue manager takes"
            )
            return
        for other in list(self._broker.connections):
            if other is not self and other.container == self.container:
                other.take_over()

    def _connection_closed(self, event: Event) -> None:
        del event
        self._engine.close()

    def _session_opened(self, event: Event) -> None:
        self._sessions += 1
        if self._sessions > 1:
            self.refuse("amqp:not-allowed", "one session is all a connection may have")
        else:
            event.session.incoming_capacity = 1 << 26
            event.session.open()

    def _session_closed(self, event: Event) -> None:
        for link in list(self._links.values()):
            link.close()
        self._links.clear()
        event.session.close()
        self._sessions -= 1
        self._broker.wake()

    def _link_opened(self, event: Event) -> None:
        link = event.link
        far = link.remote_source if link.is_sender else link.remote_target
        if condition := self._refusal(far):
            link.open()
            link.condition = condition
            link.close()
            return
        queue = self._broker.queues[far.address]
        link.source.copy(link.remote_source)
        link.target.copy(link.remote_target)
        link.max_message_size = self._broker.options.max_message
        link.open()
        made = (Outgoing if link.is_sender else Incoming)(self, link, queue, self._broker.options)
        self._links[link.is_sender, link.name] = made
        self._broker.wake()

    def _refusal(self, far: Terminus) -> Condition | None:
        if far.type == Terminus.COORDINATOR:
            return Condition("amqp:not-implemented", "there are no transactions here")
        capabilities = far.capabilities
        capabilities.rewind()
        listed = str(capabilities.get_object()) if capabilities.next() else ""
        if not re.search(r"\bqueue\b", listed.replace("temporary-queue", "")):
            return Condition("amqp:not-allowed", f"{far.address} without the capability queue is a topic")
        if far.address not in self._broker.queues:
            return Condition("amqp:not-found", f"there is no queue {far.address}")
        return None

    def _link_closed(self, event: Event) -> None:
        link = event.link
        if known := self._links.pop((link.is_sender, link.name), None):
            known.close()
        link.close()
        self._broker.wake()

    def _link_flowed(self, event: Event) -> None:
        del event
        self._broker.wake()

    def _delivery_changed(self, event: Event) -> None:
        link = event.link
        if known := self._links.get((link.is_sender, link.name)):
            known.on_delivery(event.delivery)
        self._broker.wake()

    def forget(self, link: Incoming | Outgoing) -> None:
        self._links = {key: one for key, one in self._links.items() if one is not link}

    @property
    def open(self) -> bool:
        return not self._engine.state & Endpoint.LOCAL_CLOSED


_HANDLERS = {
    Event.CONNECTION_REMOTE_OPEN: Connection._connection_opened,
    Event.CONNECTION_REMOTE_CLOSE: Connection._connection_closed,
    Event.SESSION_REMOTE_OPEN: Connection._session_opened,
    Event.SESSION_REMOTE_CLOSE: Connection._session_closed,
    Event.LINK_REMOTE_OPEN: Connection._link_opened,
    Event.LINK_REMOTE_CLOSE: Connection._link_closed,
    Event.LINK_REMOTE_DETACH: Connection._link_closed,
    Event.LINK_FLOW: Connection._link_flowed,
    Event.DELIVERY: Connection._delivery_changed,
}
