"""The publishing side of AMQP 0-9-1: persistent, mandatory, confirms pipelined, on a connection of its own.

Its own, because a broker short of memory or disk stops reading from connections that publish: were they
shared, acknowledgements would stop too.
"""

from __future__ import annotations

import logging
import struct
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

from pika import exceptions, spec
from pika.channel import Channel

from consumers.amqp_link import Link
from consumers.amqp_publishers import LinkedPublisher, Unanswered, answer_all
from consumers.amqp_queues import ensure_queue
from consumers.amqp_reconnecting import Parameters
from consumers.transport import Message, OnOutcome, Outcome
from routing.reactor import Reactor

logger = logging.getLogger(__name__)

_PERSISTENT = 2
# What pika raises, before anything is sent, for properties that AMQP cannot carry.
_UNSENDABLE = (exceptions.AMQPError, ValueError, TypeError, struct.error)


class AmqpPublisher(LinkedPublisher[Link]):
    """`declare`: the type of the queue to declare, None to leave it to `mandatory` to find out."""

    def __init__(
        self,
        reactor: Reactor,
        parameters: Parameters,
        *,
        queue: str,
        declare: str | None,
        on_other_version: Callable[[], None] | None = None,
    ) -> None:
        link = Link(
            reactor,
            parameters,
            queue=queue,
            on_channel=self._on_channel,
            on_lost=self.on_lost,
            on_other_version=on_other_version,
        )
        super().__init__(reactor, link, queue=queue)
        self._declare = declare
        self._channel: Channel | None = None  # once it confirms
        self._blocked = False
        self._sequence = 0
        self._unconfirmed: OrderedDict[int, Unanswered] = OrderedDict()
        self._returned: Counter[str] = Counter()  # message ids; a return comes before its confirm
        self._missing_said = False

    def publish(self, messages: Sequence[Message], on_outcome: OnOutcome) -> None:
        """Without a connection, or with one that the broker has blocked, nothing is kept waiting: NACKED."""
        refused: Sequence[int] = range(len(messages))
        if self._channel is not None and not self._blocked:
            with self._channel.connection.gathering():
                refused = self._send_all(self._channel, messages, on_outcome)
        if refused:
            self._answer_later(refused, Outcome.NACKED, on_outcome)

    def _send_all(self, channel: Channel, messages: Sequence[Message], on_outcome: OnOutcome) -> list[int]:
        """The indexes of those that cannot be sent."""
        refused = []
        for index, message in enumerate(messages):
            if self._send(channel, message):
                self._sequence += 1
                self._unconfirmed[self._sequence] = message.message_id, index, on_outcome
            else:
                refused.append(index)
        return refused

    def _send(self, channel: Channel, message: Message) -> bool:
        try:
            channel.basic_publish(
                "",
                self._queue,
                message.body,
                spec.BasicProperties(
                    content_type=message.content_type,
                    headers=dict(message.headers),
                    delivery_mode=_PERSISTENT,
                    correlation_id=message.correlation_id,
                    message_id=message.message_id,
                ),
                mandatory=True,
            )
        except _UNSENDABLE as error:
            logger.error("message %r cannot be sent: %r", message.message_id, error)  # noqa: TRY400 - it says all
            return False
        return True

    def _on_channel(self, channel: Channel) -> None:
        guard = self._reactor.guard
        connection = channel.connection
        connection.add_on_connection_blocked_callback(guard(self._on_blocked))
        connection.add_on_connection_unblocked_callback(guard(self._on_unblocked))
        channel.add_on_return_callback(guard(self._on_return))
        confirm = guard(lambda _=None: channel.confirm_delivery(guard(self._on_confirm), guard(confirming)))

        def confirming(_frame: Any) -> None:
            self._channel = channel
            self._link.established()
            self._on_up()

        if self._declare is None:
            confirm()
        else:
            ensure_queue(channel, self._queue, declare=self._declare, callback=confirm)

    def _on_confirm(self, frame: Any) -> None:
        method = frame.method
        outcome = Outcome.CONFIRMED if isinstance(method, spec.Basic.Ack) else Outcome.NACKED
        for message_id, index, on_outcome in self._pop(method.delivery_tag, multiple=method.multiple):
            if self._returned and self._returned[message_id]:
                self._returned -= Counter((message_id,))
                on_outcome(index, Outcome.RETURNED)
            else:
                on_outcome(index, outcome)

    def _pop(self, tag: int, *, multiple: bool) -> list[Unanswered]:
        if not multiple:
            return [self._unconfirmed.pop(tag)]
        popped = []
        while self._unconfirmed and next(iter(self._unconfirmed)) <= tag:
            popped.append(self._unconfirmed.popitem(last=False)[1])
        return popped

    def _on_return(
        self, _channel: Channel, method: spec.Basic.Return, properties: spec.BasicProperties, _body: bytes
    ) -> None:
        self._returned[properties.message_id] += 1
        if not self._missing_said:
            self._missing_said = True
            logger.error(
                "queue %s does not exist, messages come back: create it or set mq.declare (%s %s)",
                self._queue,
                method.reply_code,
                method.reply_text,
            )

    def _on_blocked(self, _connection: object, frame: Any) -> None:
        self._blocked = True
        logger.warning("the broker takes no messages for the time being: %s", frame.method.reason)

    def _on_unblocked(self, _connection: object, _frame: object) -> None:
        self._blocked = False
        logger.info("the broker takes messages again")

    def _send_no_more(self) -> None:
        self._channel = None

    def _forget_session(self) -> None:
        self._channel = None
        self._blocked = self._missing_said = False
        self._sequence = 0
        self._returned.clear()
        unconfirmed, self._unconfirmed = self._unconfirmed, OrderedDict()
        answer_all(unconfirmed.values(), Outcome.NACKED)
