"""The consuming side of AMQP 1.0: one queue, each message settled by itself, back-pressure by credit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from cproton import (
    PN_ACCEPTED,
    PN_MODIFIED,
    isnull,
    pn_delivery_aborted,
    pn_delivery_local,
    pn_delivery_partial,
    pn_delivery_pending,
    pn_delivery_settle,
    pn_delivery_update,
    pn_disposition_set_failed,
    pn_link_advance,
    pn_link_current,
    pn_link_recv,
)

from consumers.amqp10.addresses import Address
from consumers.amqp10.depth import Depth
from consumers.amqp10.engine import Ended, Engine
from consumers.amqp10.errors import explain
from consumers.amqp10.link import Link
from consumers.amqp10.messages import Codec
from consumers.amqp_reconnecting import Parameters
from consumers.transport import Delivery, Listener, OnDepth
from routing.reactor import Reactor


class Amqp10Consumer:
    """`address`: what the queue is called at the broker."""

    def __init__(
        self,
        reactor: Reactor,
        parameters: Parameters,
        *,
        queue: str,
        prefetch: int,
        address: Address,
        on_other_version: Callable[[], None] | None = None,
    ) -> None:
        self._reactor = reactor
        self._queue = queue
        self._prefetch = prefetch
        self._address = address
        self._link = Link(
            reactor, parameters, self, queue=queue, purpose="consumes", on_other_version=on_other_version
        )
        self._listener: Listener
        self._codec = Codec()
        self._engine: Engine | None = None
        self._receiver: Any = None
        self._up = False
        self._paused = False
        self._tag = 0
        self._unsettled: dict[int, Any] = {}
        self._depth = Depth(reactor)

    def start(self, listener: Listener) -> None:
        self._listener = listener
        self._link.open()

    def stop(self, on_stopped: Callable[[], None]) -> None:
        self._give_back()
        self._forget_session()
        self._link.close(on_stopped)

    def ack(self, deliveries: Sequence[Delivery]) -> None:
        """Proton sends one frame for what lies together."""
        engine, unsettled = self._engine, self._unsettled
        if engine is None:
            return
        for delivery in deliveries:
            if delivery.session is engine and (pointer := unsettled.pop(delivery.tag, None)):
                pn_delivery_update(pointer, PN_ACCEPTED)
                pn_delivery_settle(pointer)
        self._grant()
        self._link.flush()

    def pause(self) -> None:
        """What the broker sends all the same, for credit it has, is read when it goes on."""
        self._paused = True
        if self._up and self._engine is not None and not self._engine.is_rabbitmq:
            self._receiver.drain_mode = True
            self._link.flush()

    def resume(self) -> None:
        if self._paused:
            self._paused = False
            self._reactor.call_later(0, self._go_on)

    def _go_on(self) -> None:
        if self._up and not self._paused:
            self._depth.reset(self._receiver)
            self._read()
            self._grant()
            self._link.flush()

    def depth(self, on_depth: OnDepth) -> None:
        """See `consumers.amqp10.depth`: 0 or nothing."""
        can_tell = self._up and not self._paused
        self._depth.ask(on_depth, self._receiver if can_tell else None)
        self._link.flush()

    def on_attachable(self, engine: Engine) -> None:
        self._engine = engine
        self._depth.begin(by_drain=not engine.is_rabbitmq)
        self._receiver = engine.receiver(self._address(self._queue, engine.is_rabbitmq))

    def on_link(self, link: Any) -> None:
        # A source that is none: the broker refuses it, and says why next.
        if link == self._receiver and link.remote_source.address is not None:
            self._up = True
            self._grant()
            self._link.established()
            self._listener.on_up()

    def on_flow(self, link: Any) -> None:
        if link != self._receiver or not self._up:
            return
        self._read()
        # A listener may have ended this.
        if self._receiver is not None:
            self._depth.on_flow(self._receiver)
            self._grant()

    def on_deliveries(self, deliveries: list[Any]) -> None:
        del deliveries
        if self._up:
            self._read()
            self._depth.on_delivery(self._receiver)
            self._grant()

    def on_refused(self, ended: Ended) -> None:
        self._link.drop(explain(ended, self._queue))

    def on_lost(self, reason: str) -> None:
        self._forget_session()
        self._listener.on_down(reason, self._queue)

    def _grant(self) -> None:
        """Credit up to `prefetch`, in portions: each costs a frame, with some brokers an answer too."""
        if self._paused or not self._up or self._receiver.drain_mode:
            return
        credit = self._receiver.credit
        free = self._prefetch - len(self._unsettled) - credit
        if free > 0 and (free >= self._prefetch // 4 or credit == 0):
            self._receiver.flow(free)

    def _read(self) -> None:
        """Hand on what has come whole."""
        link = self._receiver._impl if self._up else None  # noqa: SLF001 - see the note on cproton
        # A listener may pause this, or end it.
        while self._up and not self._paused and not isnull(current := pn_link_current(link)):
            if pn_delivery_aborted(current):
                pn_delivery_settle(current)
            elif pn_delivery_partial(current):
                return
            else:
                _, encoded = pn_link_recv(link, pn_delivery_pending(current))
                pn_link_advance(link)
                self._hand_on(current, encoded)

    def _hand_on(self, pointer: Any, encoded: bytes) -> None:
        received = self._codec.decode(encoded)
        self._tag += 1
        self._unsettled[self._tag] = pointer
        self._listener.on_delivery(
            Delivery(
                queue=self._queue,
                tag=self._tag,
                session=self._engine,
                body=received.body,
                message_id=received.message_id,
                content_type=received.content_type,
                headers=received.headers,
                redelivered=received.redelivered,
            )
        )

    def _give_back(self) -> None:
        """As tried: whoever gets these next is to know. RabbitMQ 3 does so by itself and refuses to be told."""
        if self._engine is None or self._engine.is_rabbitmq:
            return
        for pointer in self._unsettled.values():
            pn_disposition_set_failed(pn_delivery_local(pointer), True)
            pn_delivery_update(pointer, PN_MODIFIED)
            pn_delivery_settle(pointer)

    def _forget_session(self) -> None:
        self._engine = self._receiver = None
        self._up = False
        self._unsettled.clear()
        self._depth.end()
