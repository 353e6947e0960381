"""The publishing side of AMQP 1.0: durable messages, sent unsettled and pipelined, on a connection of its own."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import proton
from cproton import (
    PN_ACCEPTED,
    PN_REJECTED,
    pn_delivery,
    pn_delivery_remote_state,
    pn_delivery_settle,
    pn_delivery_tag,
    pn_link_advance,
    pn_link_send,
)

from consumers.amqp10.addresses import Address
from consumers.amqp10.engine import Ended, Engine
from consumers.amqp10.errors import GONE, NOT_FOUND, explain
from consumers.amqp10.link import Link
from consumers.amqp10.messages import Codec, Unsendable
from consumers.amqp_publishers import LinkedPublisher, Unanswered, answer_all
from consumers.amqp_reconnecting import Parameters
from consumers.transport import Message, OnOutcome, Outcome
from routing.reactor import Reactor

logger = logging.getLogger(__name__)

_LOOK_AGAIN = 1.0  # seconds between looks at whether a missing queue is there now


class Amqp10Publisher(LinkedPublisher[Link]):
    """`address`: what the queue is called at the broker. `patience`: seconds without any answer it waits for one.

    Note on a missing queue: a broker refuses the link to one. The connection stays, messages are RETURNED, and the
    link is tried again. RabbitMQ 3's plugin would accept the link and each message, which nobody ever gets; so a
    link from that queue, which is refused, goes with the one to it, without credit.
    """

    def __init__(
        self,
        reactor: Reactor,
        parameters: Parameters,
        *,
        queue: str,
        address: Address,
        patience: float,
        on_other_version: Callable[[], None] | None = None,
    ) -> None:
        link = Link(
            reactor, parameters, self, queue=queue, purpose="publishes", on_other_version=on_other_version
        )
        super().__init__(reactor, link, queue=queue)
        self._address = address
        self._patience = patience
        self._codec = Codec()
        self._engine: Engine | None = None
        self._sender: Any = None
        self._attaching: list[Any] = []  # links the broker has not answered yet
        self._up = False  # the broker has said whether there is the queue
        self._missing = False
        self._attach_timer: object | None = None
        self._look_timer: object | None = None
        self._tags = count()
        self._unsettled: dict[str, Unanswered] = {}
        self._heard = 0.0  # when something was last said of them, or when there were none
        self._refusal_said = False

    def publish(self, messages: Sequence[Message], on_outcome: OnOutcome) -> None:
        """Without a connection nothing is kept waiting: NACKED."""
        if not self._up or self._missing:
            outcome = Outcome.RETURNED if self._up else Outcome.NACKED
            self._answer_later(range(len(messages)), outcome, on_outcome)
            return
        if not self._unsettled:
            self._heard = time.monotonic()
        refused = [
            index for index, message in enumerate(messages) if not self._send(message, index, on_outcome)
        ]
        self._link.flush()
        if refused:
            self._answer_later(refused, Outcome.NACKED, on_outcome)

    def _send(self, message: Message, index: int, on_outcome: OnOutcome) -> bool:
        try:
            encoded = self._codec.encode(message)
        except Unsendable as error:
            logger.error("message %r cannot be sent: %s", message.message_id, error)  # noqa: TRY400 - it says all
            return False
        link = self._sender._impl  # noqa: SLF001 - see the note on cproton
        tag = str(next(self._tags))
        pn_delivery(link, tag)
        pn_link_send(link, encoded)
        pn_link_advance(link)
        self._unsettled[tag] = message.message_id, index, on_outcome
        return True

    def on_attachable(self, engine: Engine) -> None:
        self._engine = engine
        self._look()
        self._attach(engine)

    def _attach(self, engine: Engine) -> None:
        address = self._address(self._queue, engine.is_rabbitmq)
        self._sender = engine.sender(address)
        self._codec.send_to(address)
        self._attaching = [self._sender]
        if engine.is_rabbitmq:
            self._attaching.append(engine.receiver(address))

    def on_link(self, link: Any) -> None:
        # A terminus that is none: the broker refuses it, and says why next.
        there = link.remote_target if link.is_sender else link.remote_source
        if there.address is not None and link in self._attaching:
            self._attaching.remove(link)
            if not self._attaching:
                self._attached(missing=False)

    def on_flow(self, link: Any) -> None:
        """Credit: proton sends what has waited for it."""

    def on_deliveries(self, deliveries: list[Any]) -> None:
        for pointer in deliveries:
            state = pn_delivery_remote_state(pointer)
            entry = self._unsettled.pop(pn_delivery_tag(pointer), None) if state else None
            if entry is None:
                continue
            outcome = Outcome.CONFIRMED if state == PN_ACCEPTED else self._refusal(pointer, state, entry[0])
            pn_delivery_settle(pointer)
            self._heard = time.monotonic()
            _, index, on_outcome = entry
            on_outcome(index, outcome)

    def _refusal(self, pointer: Any, state: int, message_id: str) -> Outcome:
        condition = proton.Delivery(pointer).remote.condition if state == PN_REJECTED else None
        if not self._refusal_said:
            self._refusal_said = True
            logger.warning(
                "the broker will not have message %r in queue %s: %s",
                message_id,
                self._queue,
                condition or proton.DispositionType.or_int(state),
            )
        return Outcome.RETURNED if condition and condition.name == NOT_FOUND else Outcome.NACKED

    def on_refused(self, ended: Ended) -> None:
        if ended.name not in GONE or self._engine is None:
            self._link.drop(explain(ended, self._queue))
            return
        self._engine.end_session()
        self._sender, self._attaching = None, []
        if not self._missing:
            logger.error("messages come back: %s", explain(ended, self._queue))
        if self._attach_timer is None:
            self._attach_timer = self._reactor.call_later(_LOOK_AGAIN, self._attach_again)
        self._attached(missing=True)
        self._answer_all(Outcome.RETURNED)

    def _attach_again(self) -> None:
        self._attach_timer = None
        if self._engine is not None:
            self._attach(self._engine)
            self._link.flush()

    def _attached(self, *, missing: bool) -> None:
        self._missing = missing
        self._link.established()
        if not self._up:
            self._up = True
            self._on_up()

    def _look(self) -> None:
        """Whether the broker still answers: it may have stopped reading, which a heartbeat does not tell."""
        self._look_timer = None
        if self._unsettled and time.monotonic() - self._heard > self._patience:
            self._link.drop(f"the broker has not answered any message for {self._patience:g} s")
        else:
            self._look_timer = self._reactor.call_later(self._patience / 4, self._look)

    def _send_no_more(self) -> None:
        self._up = False

    def _forget_session(self) -> None:
        self._engine = self._sender = None
        self._attaching = []
        self._up = self._missing = self._refusal_said = False
        for timer in (self._attach_timer, self._look_timer):
            if timer is not None:
                self._reactor.remove_timeout(timer)
        self._attach_timer = self._look_timer = None
        self._answer_all(Outcome.NACKED)

    def _answer_all(self, outcome: Outcome) -> None:
        unsettled, self._unsettled = self._unsettled, {}
        answer_all(unsettled.values(), outcome)
